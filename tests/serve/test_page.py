"""The server's own page: its files, and the JSON that it asks for, compared with the library."""

from __future__ import annotations

import asyncio
import contextlib
import re
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command_line import Run
from starlette.testclient import TestClient

import elman
from elman.gradient_flow import decompose
from elman.notes import check
from elman.notes.page.reader import page_of
from elman.notes.report.json_report import as_json
from elman.serve import check_pool
from elman.serve.app import application
from elman.serve.check_pool import CheckPool
from elman.serve.limits import Limits
from elman.serve.page_answers import MOST_STEPS
from elman.serve.page_routes import FILES, WRITTEN
from elman.serve.served_model import load_models

LIMITS = Limits(body=10_000, prompts=4, prompt_tokens=400, tokens=200, seconds=60, texts=64)
TEXTS = ["the cat sat on the mat", "the zebra  sat\n on the <unk> \nroof\n", "", "  \n", "the 猫 sat", "é\tcat"]


@pytest.fixture(scope="module")
def byte_run(command: Run, corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "byte"
    small = ("--epochs", 1, "--hidden", 8, "--embed", 4, "--batch-size", 4, "--bptt", 16)
    done = command("train", corpus, "--out", out, "--level", "byte", *small)
    assert done.returncode == 0, done.stderr
    return out


@pytest.fixture(scope="module")
def runs(word_run: Path, char_run: Path, byte_run: Path, deep_run: Path) -> dict[str, Path]:
    return {"word": word_run, "char": char_run, "byte": byte_run, "deep": deep_run}


@pytest.fixture(scope="module")
def client(runs: dict[str, Path]) -> Iterator[TestClient]:
    models = load_models(list(runs.values()))
    with TestClient(application(models, LIMITS, None, True, pytest.fail), base_url="http://localhost") as client:
        yield client


def asked(client: TestClient, what: str, **body: Any) -> dict[str, Any]:
    answer = client.post(f"/page/{what}", json=body)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_the_files_run_no_script_but_their_own(client: TestClient) -> None:
    for path in FILES:
        answer = client.get(path)
        assert answer.status_code == 200
        policy = answer.headers["content-security-policy"]
        assert path == "/static/report.html" or "unsafe" not in policy
        assert "script-src 'self';" in policy
        assert not re.search(r"https?://|\sstyle=|<style|\son\w+=|eval\(", answer.text), path
        assert path == "/static/checking.js" or "innerHTML" not in answer.text
    page = client.get("/").text
    assert re.findall(r"<script([^>]*)>(.*?)</script>", page) == [(' type="module" src="/static/page.js"', "")]
    linked = set(re.findall(r'(?:src|href)="(/static/[^"]+)"', page))
    for path in FILES:
        linked |= {f"/static/{name}" for name in re.findall(r'from "\./([\w.]+)"', client.get(path).text)}
    linked |= set(re.findall(r'(?:src|href)="(/static/[^"]+)"', client.get("/static/report.html").text))
    assert linked | {"/"} == FILES.keys() | WRITTEN.keys() | {"/static/words.js"}
    assert all(client.get(path).status_code == 200 for path in WRITTEN)


def test_the_models_are_described(client: TestClient) -> None:
    models = client.get("/page/about").json()["models"]
    assert [(model["id"], model["level"], model["layers"]) for model in models] == [
        ("word", "word", 1), ("char", "char", 1), ("byte", "byte", 1), ("deep", "word", 3)
    ]  # fmt: skip


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("model", ["word", "char", "byte", "deep"])
def test_the_bits_are_those_of_score(client: TestClient, runs: dict[str, Path], model: str, text: str) -> None:
    lm = elman.load(runs[model])
    found = asked(client, "surprise", model=model, text=text)
    scores = list(lm.full_scores(text, eos=False, base=2))
    assert [token["bits"] for token in found["tokens"]] == pytest.approx([-s.log_prob for s in scores], abs=1e-9)
    assert [token["known"] for token in found["tokens"]] == [not s.oov for s in scores]
    assert [token["id"] for token in found["tokens"]] == lm.tokenizer.encode(text).tolist()
    assert found["before"] + "".join(token["text"] for token in found["tokens"]) == text


@pytest.mark.parametrize("model", ["word", "char", "byte", "deep"])
def test_the_next_tokens_are_those_of_next(client: TestClient, runs: dict[str, Path], model: str) -> None:
    lm, text = elman.load(runs[model]), "the cat sat on the mat"
    ids = lm.tokenizer.encode(text).tolist()
    for at in (0, 2, len(ids)):
        found = asked(client, "next", model=model, text=text, at=at, top=7)
        expected = lm.next(lm.tokenizer.decode(ids[:at]), None)
        assert [token["token"] for token in found["tokens"]] == [each.token for each in expected[:7]]
        p = np.array([each.probability for each in expected])
        assert [token["probability"] for token in found["tokens"]] == pytest.approx(p[:7], abs=1e-12)
        assert found["entropy"] == pytest.approx(-(p * np.log2(p)).sum(), abs=1e-9)
        if at == len(ids):
            assert (found["actual"], found["rank"]) == (None, None)
        else:
            assert found["actual"]["id"] == ids[at]
            names = [each.token for each in expected]
            assert found["rank"] == names.index(found["actual"]["token"]) + 1
    assert asked(client, "next", model=model, text=text)["at"] == len(ids)


def test_the_bits_and_the_next_tokens_of_a_mixture_are_its_own(word_run: Path) -> None:
    text, parts = "the cat sat on the mat", ["ngram", "cache"]
    lm = elman.load(word_run, parts)
    assert lm.company
    app = application(load_models([word_run], parts), LIMITS, None, True, pytest.fail)
    with TestClient(app, base_url="http://localhost") as client:
        assert client.get("/page/about").json()["models"][0]["mixture"] == pytest.approx(lm.company.weights)
        bits = [token["bits"] for token in asked(client, "surprise", text=text)["tokens"]]
        assert bits == pytest.approx([-s.log_prob for s in lm.full_scores(text, eos=False, base=2)], abs=1e-6)
        tokens = asked(client, "next", text=text, at=2, top=5)["tokens"]
        expected = lm.next("the cat", 5)
        assert [(token["token"], token["probability"]) for token in tokens] == [
            (each.token, pytest.approx(each.probability)) for each in expected
        ]
        alone = elman.load(word_run).next("the cat", 5)
        assert tokens[0]["probability"] != pytest.approx(alone[0].probability, rel=1e-3)
        assert asked(client, "gradient", text=text, at=2)["target"]["token"] == "sat"


@pytest.mark.parametrize("weight", ["W_h", "W_e", "e", "h"])
@pytest.mark.parametrize(("model", "layer"), [("word", 0), ("deep", 0), ("deep", 2)])
def test_a_gradient_is_that_of_the_lens(
    client: TestClient, runs: dict[str, Path], model: str, layer: int, weight: str
) -> None:
    lm, text, at = elman.load(runs[model]), "the cat sat on the mat", 4
    ids = [lm.tokenizer.eos, *lm.tokenizer.encode(text).tolist()]
    for target in (None, 3):
        asked_for = {"target": target, "weight": weight, "layer": layer or None}
        found = asked(client, "gradient", model=model, text=text, at=at, **asked_for)
        predicted = ids[at + 1] if target is None else target
        x, y = np.array(ids[: at + 1])[:, None], np.array([*ids[1 : at + 1], predicted])[:, None]
        flow = decompose(lm.p, x, y, layer=layer)
        assert (found["first"], found["target"]["id"], found["layer"]) == (-1, predicted, layer)
        norms = [-np.inf if norm is None else norm for norm in found["log10_norms"]]
        assert norms == pytest.approx(flow.log10_norms(weight)[at], abs=1e-4)
        if weight in ("W_h", "W_e"):
            assert found["shares"] == pytest.approx(flow.shares_of_loss(weight, at), abs=1e-4)
        else:
            assert found["shares"] is None


def test_the_gradient_of_a_long_text_has_its_last_steps(client: TestClient, runs: dict[str, Path]) -> None:
    lm, text = elman.load(runs["char"]), "the cat sat on the mat and the dog ran under the moon " * 7
    whole = asked(client, "gradient", model="char", text=text, at=MOST_STEPS + 60)
    assert (whole["first"], len(whole["log10_norms"])) == (60, MOST_STEPS)
    ids = [lm.tokenizer.eos, *lm.tokenizer.encode(text).tolist()][: MOST_STEPS + 62]
    flow = decompose(lm.p, np.array(ids[:-1])[:, None], np.array(ids[1:])[:, None])
    assert whole["log10_norms"][-30:] == pytest.approx(flow.log10_norms("W_h")[-1, -30:], abs=1e-3)
    likeliest = asked(client, "gradient", model="char", text="the c")["target"]
    assert likeliest["token"] == lm.next("the c", 1)[0].token


WRONG: list[tuple[str, dict[str, Any], int, str | None, str]] = [
    ("surprise", {"text": 3}, 400, "text", "text"),
    ("surprise", {"text": "a " * 401}, 400, "text", "a text has 401 tokens"),
    ("surprise", {"text": "a", "at": 1}, 400, "at", "not known"),
    ("surprise", {"model": "none"}, 404, "model", "does not exist"),
    ("next", {"text": "the cat", "at": 3}, 404, "at", "from 0 to 2"),
    ("next", {"top": 0}, 400, "top", "from 1 to"),
    ("gradient", {"target": 10**6}, 400, "target", "from 0 to"),
    ("check", {"page": "x"}, 400, "page", "not known"),
    ("check", {"text": "<!-- elman: what -->\n$a = b$"}, 400, "text", "line 1"),
    ("gradient", {"weight": "U"}, 400, "weight", "one of W_h"),
    ("gradient", {"model": "deep", "layer": 3}, 404, "layer", "from 0 to 2"),
    ("gradient", {"layer": 1}, 404, "layer", "from 0 to 0"),
]


@pytest.mark.parametrize(("what", "body", "status", "param", "sentence"), WRONG)
def test_wrong_fields_are_refused(
    client: TestClient, what: str, body: dict[str, Any], status: int, param: str, sentence: str
) -> None:
    answer = client.post(f"/page/{what}", json=body)
    assert answer.status_code == status
    assert answer.json()["error"]["param"] == param
    assert sentence in answer.json()["error"]["message"]


PAGE = r"""$$ z = W x $$
$$ J = z^T z $$
$$ \frac{\partial J}{\partial x} = 2 W z $$
![a picture](docs/check.png) <script>alert(1)</script>
"""


def test_a_page_is_checked_as_elman_check_does(client: TestClient) -> None:
    found = asked(client, "check", text=PAGE)
    page = page_of(PAGE)
    expected = as_json(check(page))
    assert found["claims"] == expected["claims"]
    assert found["summary"] == expected["summary"]
    assert found["claims"][-1]["fix"] == "2 W^T z"
    assert "<script" not in found["html"]
    assert "data:" not in found["html"]  # no file of this machine is read
    assert "&lt;script&gt;" in found["html"]
    assert asked(client, "check", text="dJ/dx = 2 W^T z\n")["claims"]
    assert asked(client, "check")["claims"] == []
    answer = client.post("/page/check", content=b'{"text": "\\ud800"}', headers={"Content-Type": "application/json"})
    assert answer.status_code == 400


def test_a_check_that_nobody_waits_for_is_ended() -> None:
    async def checks() -> None:
        pool = CheckPool()
        long = "\n\n".join(PAGE.replace("z", f"z_{k}") for k in range(200))
        tasks = [asyncio.create_task(pool.check(long)) for _ in range(3)]
        while not pool.running:
            await asyncio.sleep(0.01)
        processes = list(pool.running)
        for task in tasks:
            task.cancel()
        assert all(
            isinstance(each, asyncio.CancelledError) for each in await asyncio.gather(*tasks, return_exceptions=True)
        )
        assert all(process.returncode is not None for process in processes)
        assert not pool.running
        assert (await pool.check(PAGE))["wrong"] == 1
        assert (await pool.check(PAGE))["wrong"] == 1
        (process,) = pool.idle
        process.kill()
        await process.wait()
        assert (await pool.check(PAGE))["wrong"] == 1  # by another process
        await pool.close()

    asyncio.run(checks())


def test_a_pool_that_is_closed_has_no_worker_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither one that is still starting nor one whose caller was cancelled twice, as when the server's grace ends."""
    workers: list[asyncio.subprocess.Process] = []
    started = check_pool.start_worker

    async def recorded() -> asyncio.subprocess.Process:
        workers.append(await started())
        return workers[-1]

    async def cancelled(task: asyncio.Task[object]) -> None:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    async def checks() -> None:
        pool = CheckPool()
        task = asyncio.create_task(pool.check(PAGE))
        await asyncio.sleep(0)
        await cancelled(task)
        await pool.close()
        task = asyncio.create_task(pool.check(PAGE))
        while not pool.running:
            await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.sleep(0)
        await cancelled(task)
        await pool.close()
        assert [worker.returncode for worker in workers] == [-signal.SIGKILL] * 2

    monkeypatch.setattr(check_pool, "start_worker", recorded)
    asyncio.run(checks())


def test_without_models_only_pages_are_checked() -> None:
    app = application({}, LIMITS, None, True, pytest.fail, notes="$a = b$")
    with TestClient(app, base_url="http://localhost") as client:
        assert client.get("/page/about").json() == {"models": [], "notes": "$a = b$"}
        for path in ("/v1/models", "/page/surprise", "/tokenizer_info"):
            assert client.get(path).status_code == 404
        described = client.get("/openapi.json").json()
        assert described["paths"].keys() == {"/page/about", "/page/check", "/health", "/metrics"}
        assert "CompletionRequest" not in client.get("/docs").text
        assert client.get("/health").json() == {"status": "ok"}
        assert asked(client, "check", text=PAGE)["wrong"] == 1


def test_other_bodies_and_methods_are_refused(client: TestClient) -> None:
    assert client.post("/page/surprise", content=b"{}", headers={"Content-Type": "text/plain"}).status_code == 415
    assert client.post("/page/surprise", json={"text": "a" * 20_000}).status_code == 413
    assert client.get("/page/surprise").status_code == 405
    assert client.get("/static/../app.py").status_code == 404
    assert client.get("/static/nothing.js").status_code == 404


def test_the_files_need_no_key_and_their_questions_do(runs: dict[str, Path]) -> None:
    app = application(load_models([runs["word"]]), LIMITS, "secret", False, pytest.fail)
    with TestClient(app, base_url="http://anything") as client:
        assert all(client.get(path).status_code == 200 for path in FILES)
        for method, path in (("GET", "/page/about"), ("POST", "/page/surprise"), ("POST", "/page/next")):
            assert client.request(method, path).status_code == 401
        right = {"Authorization": "Bearer secret"}
        assert client.post("/page/next", json={}, headers=right).status_code == 200


def test_a_network_that_overflows_is_an_error(word_run: Path) -> None:
    (model,) = load_models([word_run]).values()
    model.lm.p.U[:] = 3e38
    model.lm.p.U[0] = -3e38
    app = application({"big": model}, LIMITS, None, True, pytest.fail)
    with TestClient(app, base_url="http://localhost") as client:
        for what in ("surprise", "next", "gradient"):
            answer = client.post(f"/page/{what}", json={"text": "the cat"})
            assert answer.status_code in (200, 500)  # what is still a number in float64 is answered
            assert "NaN" not in answer.text
