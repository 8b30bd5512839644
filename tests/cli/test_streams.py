"""What leaves the program: nothing that a terminal obeys, valid JSON, and a clean end where a stream takes no more."""

from __future__ import annotations

import json
import math
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from command_line import Run, fails
from terminals import ESCAPE, REVERSED, on_a_terminal, through_a_shell

from elman.cli import streams
from elman.wording import json_escaped, printable

ROOT = Path(__file__).parents[2]
STYLES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
"""What rich writes for colours and to move the cursor."""
OBEYED = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def is_safe(shown: str) -> bool:
    return not OBEYED.search(STYLES.sub("", shown))


def test_printable() -> None:
    assert printable("wörter, 你好, 👩‍🚀") == "wörter, 你好, 👩‍🚀"
    assert printable("\x1b[31m\x9b\x7f\u202eab\u2066") == r"\x1b[31m\x9b\x7f\u202eab\u2066"
    assert printable("a\nb\tc", keep="\n\t") == "a\nb\tc"
    assert printable("a\nb\r") == r"a\x0ab\x0d"
    assert printable("name-\udcff") == r"name-\xff"  # of a file name that is not UTF-8
    assert printable("\ud800") == r"\ud800"


def test_json_keeps_its_value_without_a_character_that_a_terminal_obeys() -> None:
    value = {"text": ESCAPE + REVERSED + "\x9b\u2028你"}
    escaped = json_escaped(json.dumps(value, ensure_ascii=False, indent=1))
    assert json.loads(escaped) == value
    assert is_safe(escaped)


def test_json_has_null_for_numbers_that_are_not_finite(capsys: pytest.CaptureFixture[str]) -> None:
    streams.show_json({"a": math.nan, "b": [1.5, -math.inf], "c": {"d": (math.inf, 2)}})
    assert json.loads(capsys.readouterr().out) == {"a": None, "b": [1.5, None], "c": {"d": [None, 2]}}


def test_all_output_of_the_command_line_goes_through_one_file() -> None:
    for path in (ROOT / "src" / "elman" / "cli").glob("*.py"):
        if path.name != "streams.py":
            text = path.read_text()
            assert not re.search(r"click\.s?echo|(?<![.\w])Console\(|sys\.std|json\.dumps", text), path


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory, command: Run) -> Path:
    """A run of level word whose tokens are terminal commands, in a folder with such a name."""
    folder = tmp_path_factory.mktemp("terminal")
    text = folder / "t.txt"
    text.write_text(f"{ESCAPE} {REVERSED}ab \x9b31m\n" * 60, encoding="utf-8")
    run = folder / f"run{REVERSED}\x1b[31m"
    options = ("--epochs", 1, "--hidden", 8, "--batch-size", 2, "--bptt", 4)
    done = command("train", text, "--out", run, "--level", "word", *options)
    assert done.returncode == 0, done.stderr
    assert is_safe(done.stderr)
    assert r"\u202e" in done.stderr
    return run


PAGE = f"# Notes {ESCAPE}\n\n$f(x) = x{REVERSED}^2$\n\n$$g = \\zzz{{{ESCAPE}}} + f$$\n\n$$h{REVERSED} = {{$$\n"


@pytest.mark.parametrize("arguments", [
    ["generate", "{run}", "", "--max-tokens", "20", "--unk"],
    ["generate", "{run}", "\x1b[2J", "--max-tokens", "2"],
    ["score", "{run}", "{text}", "--per-token"],
    ["score", "{run}", "{text}", "--nbest", "all"],
    ["score", "{run}", "{text}", "--json", "--per-token"],
    ["evaluate", "{run}", "no\x1b[31m"],
    ["info", "{run}"],
    ["flow", "{run}", "{text}", "--steps", "8"],
    ["train", "{text}", "--out", "{run}"],
    ["train", "{text}", "--out", "{run}2", "--epochs", "1", "--hidden", "8", "--batch-size", "2", "--bptt", "4"],
    ["check", "{page}", "-v"],
    ["derive", "{page}"],
    ["derive", "a\x1b[31m", "--wrt", "a"],
    ["dance\x1b[31m"],
])  # fmt: skip
def test_nothing_is_obeyed_by_a_terminal(hostile: Path, arguments: list[str]) -> None:
    page = hostile.parent / f"page{REVERSED}.md"
    page.write_text(PAGE)
    filled = [a.format(run=hostile, text=hostile.parent / "t.txt", page=page) for a in arguments]
    shown, _ = on_a_terminal(*filled)
    assert is_safe(shown), shown
    assert shown.strip()
    assert "Traceback" not in shown


def test_a_pipe_gets_the_text_as_it_is(hostile: Path, command: Run) -> None:
    assert command("generate", hostile, "\x1b[1m", "--max-tokens", 1).stdout.startswith("\x1b[1m")


CALLS = [["--help"], ["info"], ["generate", "{run}", "the"], ["check", str(ROOT / "examples" / "wrong.md")]]


@pytest.mark.parametrize("arguments", CALLS)
@pytest.mark.parametrize(("redirection", "sentence"), [
    (">/dev/full", "elman: cannot write to stdout: No space left on device"),
    (">&-", "elman: cannot write to stdout: it is closed"),
])  # fmt: skip
def test_a_stdout_that_takes_nothing(word_run: Path, arguments: list[str], redirection: str, sentence: str) -> None:
    fails(through_a_shell(redirection, *(a.format(run=word_run) for a in arguments)), sentence)


@pytest.mark.parametrize("arguments", CALLS)
def test_a_reader_that_goes_away_is_no_error(word_run: Path, arguments: list[str]) -> None:
    done = through_a_shell("| true", *(a.format(run=word_run) for a in arguments))
    assert (done.returncode, done.stderr) == (141, "")


@pytest.mark.parametrize("redirection", ["2>/dev/full", "2>&-", ">&- 2>&- <&-"])
def test_a_run_without_a_display_goes_on(corpus: Path, tmp_path: Path, redirection: str) -> None:
    out = tmp_path / "r"
    options = ("--epochs", 2, "--hidden", 8, "--batch-size", 4, "--bptt", 8)
    done = through_a_shell(redirection, "train", corpus, "--out", out, *options)
    assert (done.returncode, done.stderr) == (0, "")
    assert (out / "model.safetensors").stat().st_size > 0
    last = json.loads((out / "metrics.jsonl").read_text().splitlines()[-1])
    assert last["epoch"] == 2


@pytest.mark.parametrize("arguments", [["score", "{run}"], ["evaluate", "{run}", "-"], ["train", "-"]])
def test_a_missing_stdin(word_run: Path, arguments: list[str]) -> None:
    fails(through_a_shell("<&-", *(a.format(run=word_run) for a in arguments)), "elman: stdin is closed: name a file")


INTERRUPTED = """
import runpy, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background has it ignored
left, begun = int(sys.argv.pop(1)), False
def hook(event, arguments):
    global left, begun
    if event == "import":
        begun = begun or arguments[0] == "elman.cli.entry"
        left -= begun
        if begun and left == 0:
            signal.raise_signal(signal.SIGINT)
sys.addaudithook(hook)
runpy.run_module("elman", run_name="__main__", alter_sys=True)
"""


@pytest.mark.parametrize("imports", [1, 2, 30, 100, 200, 300])
def test_ctrl_c_while_modules_are_imported(word_run: Path, corpus: Path, imports: int) -> None:
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED, str(imports), "evaluate", word_run, corpus],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 130, done.stderr
    assert done.stderr in ("", "\nelman: stopped\n", "elman: stopped\n")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_run_whose_terminal_goes_is_saved(corpus: Path, tmp_path: Path, number: int) -> None:
    """As by SIGINT: after the step in hand, with everything saved."""
    out = tmp_path / "r"
    process = subprocess.Popen(
        [sys.executable, "-m", "elman", "train", corpus, "--out", out, "--epochs", "100000", "--hidden", "8",
         "--batch-size", "4", "--bptt", "8", "--patience", "0"],
        stderr=subprocess.PIPE, text=True, preexec_fn=lambda: signal.signal(number, signal.SIG_DFL),
    )  # fmt: skip
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith("run "):  # the handlers are set before the first line
            process.send_signal(number)
            process.stderr.close()  # and the display is gone
            break
    assert process.wait() == 130
    assert (out / "training" / "stopped.safetensors").exists()


def test_texts_that_are_not_utf8_are_refused_by_name(command: Run) -> None:
    fails(command("derive", "a\udcff", "--wrt", "a"), r"'a\xff' is not UTF-8")
    fails(command("derive", "a\udcff.md", "--wrt", "a"), r"'a\xff.md' is not UTF-8")


def test_a_locale_without_utf8_reads_texts_all_the_same(
    char_run: Path, command: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("LC_ALL", "C"), ("PYTHONUTF8", "0"), ("PYTHONCOERCECLOCALE", "0")):
        monkeypatch.setenv(name, value)
    typed = "th\xe9 \u2603"
    call = ("generate", char_run, typed.encode().decode(errors="surrogateescape"), "--max-tokens", 0)
    shown = command(*call)
    assert shown.stdout == f"{typed}\n"
    assert "2 of the prompt's 5 tokens" in shown.stderr
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    as_json = command(
        "generate", char_run, typed.encode().decode(errors="surrogateescape"), "--json", "--max-tokens", 0
    )
    assert as_json.stdout.isascii()
    assert json.loads(as_json.stdout)["prompt"] == typed
    assert command("derive", "σ(x)".encode().decode(errors="surrogateescape"), "--wrt", "x").returncode == 0
    fails(command("derive", "\udcff", "--wrt", "x"), r"'\xff' is not UTF-8")
