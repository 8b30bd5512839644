"""`elman serve` as a process: it listens, answers, and stops; a wrong call is one sentence and code 2."""

from __future__ import annotations

import contextlib
import json
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from command_line import Run, fails
from serving import serving


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_server_answers_and_stops_when_it_is_asked_to(word_run: Path, number: signal.Signals) -> None:
    with serving(word_run) as (server, address):
        answer = httpx.post(f"{address}/v1/completions", json={"prompt": "the cat", "max_tokens": 3}, timeout=60)
        assert answer.json()["choices"][0]["finish_reason"] == "length"
        server.send_signal(number)
        out, err = server.communicate(timeout=60)
        assert (server.returncode, out, err) == (0, "", "")


def test_a_server_that_is_stopped_ends_its_answers(word_run: Path) -> None:
    """The one that is being drawn is broken off after the grace, and the process ends."""
    with serving(word_run, "--max-tokens", 10**9) as (server, address):
        begun = threading.Event()

        last: list[str] = []

        def read() -> None:
            for line in _lines(f"{address}/v1/completions", {"max_tokens": 10**9, "stream": True}):
                begun.set()
                last[:] = [*last[-1:], line] if line else last

        reader = threading.Thread(target=read)
        reader.start()
        assert begun.wait(60)
        server.send_signal(signal.SIGTERM)
        _, err = server.communicate(timeout=60)
        reader.join()
        assert (server.returncode, err) == (0, "")
        assert "the server is being stopped" in last[0]
        assert last[1] == "data: [DONE]"


def _lines(url: str, body: object) -> Iterator[str]:
    with httpx.stream("POST", url, json=body, timeout=60) as answer:
        yield from answer.iter_lines()


def test_a_client_that_goes_away_ends_its_texts(word_run: Path) -> None:
    body = {"max_tokens": 10**9}
    with serving(word_run, "--max-tokens", 10**9) as (_, address):
        url = f"{address}/v1/completions"
        with httpx.stream("POST", url, json=body | {"stream": True}, timeout=60) as answer:
            next(answer.iter_lines())
        _wait_until_nothing_is_drawn(address)
        with pytest.raises(httpx.ReadTimeout):
            httpx.post(url, json=body, timeout=httpx.Timeout(60, read=0.5))
        _wait_until_nothing_is_drawn(address)


def _wait_until_nothing_is_drawn(address: str) -> None:
    while "elman_texts_in_progress 0\n" not in httpx.get(f"{address}/metrics", timeout=60).text:
        pass


def test_the_key_may_come_from_the_environment(word_run: Path) -> None:
    with serving(word_run, ELMAN_API_KEY="secret") as (_, address):
        assert httpx.get(f"{address}/v1/models", timeout=60).status_code == 401
        right = {"Authorization": "Bearer secret"}
        assert httpx.get(f"{address}/v1/models", headers=right, timeout=60).json()["data"][0]["id"] == "word"


def test_json_names_the_address_and_the_models(word_run: Path) -> None:
    with serving(word_run, "--json") as (_, line):
        assert json.loads(line)["models"] == ["word"]
        url = json.loads(line)["url"]
        assert httpx.get(f"{url}/models/word", timeout=60).json()["id"] == "word"


def test_wrong_calls_are_one_sentence(command: Run, word_run: Path, tmp_path: Path) -> None:
    fails(command("serve"), "Missing argument")
    fails(command("serve", tmp_path), "config.json")
    (tmp_path / "word").symlink_to(word_run)
    fails(command("serve", word_run, word_run), "two of the runs are called word")
    fails(command("serve", word_run, "--max-tokens", 0), "max-tokens is 0")
    fails(command("serve", word_run, "--max-seconds", "nan"), "max-seconds is")
    fails(command("serve", word_run, "--max-texts", 3), "max-texts is 3")
    fails(command("serve", word_run, "--api-key", ""), "the API key must be")
    fails(command("serve", word_run, "--api-key", "ключ"), "the API key must be")
    fails(command("serve", word_run, "--host", "no.such.name.invalid"), "cannot listen on no.such.name.invalid")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        fails(command("serve", word_run, "--port", taken.getsockname()[1]), "cannot listen on 127.0.0.1")


def test_check_serves_until_it_is_stopped(tmp_path: Path) -> None:
    (tmp_path / "notes.tex").write_text("$$ a = b $$")
    with serving(tmp_path / "notes.tex", "--serve", name="check") as (server, address):
        assert httpx.get(f"{address}/page/about", timeout=60).json()["notes"] == "$$ a = b $$"
        assert httpx.post(f"{address}/page/check", json={"text": "$a = a$"}, timeout=60).json()["holds"] is True
        server.send_signal(signal.SIGINT)
        out, err = server.communicate(timeout=60)
        assert (server.returncode, out, err) == (0, "", "")


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="processes are found in /proc")
def test_a_check_in_progress_ends_with_the_server(tmp_path: Path) -> None:
    formulas = [f"$$ z_{k} = W x_{k} $$\n$$ J_{k} = z_{k}^T z_{k} $$\n" for k in range(400)]
    with serving("--serve", name="check") as (server, address):
        answers: list[httpx.Response] = []

        def ask() -> None:
            body = {"text": "\n".join(formulas)}
            answers.append(httpx.post(f"{address}/page/check", json=body, timeout=60))

        asking = threading.Thread(target=ask)
        asking.start()
        while not (children := _children(server.pid)):
            pass
        server.send_signal(signal.SIGTERM)
        _, err = server.communicate(timeout=60)
        asking.join()
        assert (server.returncode, err) == (0, "")
        (answer,) = answers  # a fast machine may be done before the server's last word
        assert answer.status_code == 200 or (answer.status_code, answer.json()["error"]["code"]) == (503, "stopped")
        assert not any(_is_running(child) for child in children)


def test_a_second_signal_breaks_a_check_off(tmp_path: Path) -> None:
    formulas = [f"$$ z_{k} = W x_{k} $$\n$$ J_{k} = z_{k}^T z_{k} $$\n" for k in range(400)]
    with serving("--serve", name="check") as (server, address):
        answers: list[httpx.Response] = []

        def ask() -> None:
            with contextlib.suppress(httpx.HTTPError):  # an answer that is broken off need not come
                answers.append(httpx.post(f"{address}/page/check", json={"text": "\n".join(formulas)}, timeout=60))

        asking = threading.Thread(target=ask)
        asking.start()
        while "elman_texts_in_progress 1" not in httpx.get(f"{address}/metrics", timeout=60).text and asking.is_alive():
            pass
        server.send_signal(signal.SIGINT)
        server.send_signal(signal.SIGTERM)
        out, err = server.communicate(timeout=60)
        asking.join()
        assert (server.returncode, out, err) == (0, "", "")


def _children(parent: int) -> list[int]:
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            pid, rest = stat.parent.name, stat.read_text().rpartition(")")[2].split()
            found += [int(pid)] if int(rest[1]) == parent else []
    return found


def _is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_wrong_calls_of_check_are_one_sentence(command: Run, tmp_path: Path) -> None:
    notes = tmp_path / "notes.md"
    notes.write_text("$a = b$")
    fails(command("check"), "Missing argument 'NOTES'")
    fails(command("check", notes, "--port", 1), "--port is for --serve")
    fails(command("check", notes, "--host", "::1"), "--host is for --serve")
    fails(command("check", notes, "--serve", "--html", tmp_path / "a.html"), "--html is not for --serve")
    fails(command("check", tmp_path / "none.md", "--serve"), "none.md")
    (tmp_path / "a.ipynb").write_text('{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}')
    fails(command("check", tmp_path / "a.ipynb", "--serve"), "is a notebook")


def test_without_the_extra_a_sentence_says_what_to_install(word_run: Path) -> None:
    code = (
        "import sys; sys.modules['starlette'] = None\n"
        "from elman.cli.entry import run\n"
        f"sys.exit(run(['serve', {str(word_run)!r}]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr == "elman: elman serve needs starlette, which is not installed: pip install 'elman[serve]'\n"


def test_the_version_imports_nothing_of_the_server() -> None:
    code = (
        "import sys; from elman.cli.entry import run; run(['--version'])\n"
        "print('starlette' in sys.modules, 'asyncio' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.endswith("False False\n")
