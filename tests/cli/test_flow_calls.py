"""Invalid calls of `elman flow`: one sentence, exit code 2, and no file written."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from command_line import Run, fails


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("{run}", "--compare", "{run}"), "is RUN itself: add --init to compare it with its state before training"),
        (("{run}", "{corpus}", "--compare", "{run}/."), "is RUN itself: add --init to compare it"),
        (("{run}", "{corpus}", "--png", "plots.jpg"), "plots.jpg would be a folder: name a file that ends in .png"),
        (("{run}", "{corpus}", "--png", "a.png", "--format", "pdf"), "--format is for plots in a folder"),
        (("{run}", "{corpus}", "--png", "{corpus}"), "is a file: --png writes into a folder"),
        (("{run}", "{corpus}", "--tensorboard", "{corpus}"), "is a file: --tensorboard writes into a folder"),
        (("{run}", "{corpus}", "--html", "out", "--png", "out"), "out is named for two outputs"),
        (("{run}", "{corpus}", "--html", "a.png", "--png", "a.png"), "a.png is named for two outputs"),
        (("{run}", "{corpus}", "--start", "-1"), "-1 is not in the range"),
        (("{run}", "{corpus}", "--format", "gif", "--png", "plots"), "'gif' is not one of 'png', 'svg', 'pdf'"),
        (("{run}", "{corpus}", "--threads", "0"), "0 is not in the range"),
        (("{corpus}", "{corpus}"), "so it is no run: give a folder that `elman train` wrote"),
        ((), "Missing argument 'RUN'"),
    ],
)
def test_contradictory_options_are_refused(
    command: Run, char_run: Path, corpus: Path, tmp_path: Path, arguments: tuple[str, ...], sentence: str
) -> None:
    filled = [each.format(run=char_run, corpus=corpus) for each in arguments]
    fails(command("flow", *filled, cwd=tmp_path), sentence)
    assert not list(tmp_path.iterdir())


def test_the_text_is_never_overwritten(command: Run, char_run: Path, tmp_path: Path) -> None:
    text = tmp_path / "a.png"
    text.write_text("the cat sat on the mat\n")
    fails(command("flow", char_run, text, "--png", text), "is an input of this command: give another name")
    assert text.read_text() == "the cat sat on the mat\n"


def test_a_run_without_records_needs_a_text(command: Run, char_run: Path, corpus: Path, tmp_path: Path) -> None:
    bare = tmp_path / "bare"
    shutil.copytree(char_run, bare)
    (bare / "metrics.jsonl").unlink()
    for output in ((), ("--html", tmp_path / "flow.html"), ("--json",)):
        fails(command("flow", bare, *output), f"{bare} has no records of its training: name TEXT after RUN")
    assert not (tmp_path / "flow.html").exists()
    assert command("flow", bare, corpus, "--steps", 20).returncode == 0


def test_a_model_of_numbers_reads_no_text(command: Run, corpus: Path, tmp_path: Path) -> None:
    sizes = ("--hidden", 8, "--task-length", 10, "--batch-size", 2, "--epochs", 1)
    done = command("train", "--task", "adding", "--out", tmp_path / "run", *sizes)
    assert done.returncode == 0, done.stderr
    fails(command("flow", tmp_path / "run", corpus), "was trained on real numbers, not on tokens: leave TEXT out")
    assert command("flow", tmp_path / "run").returncode == 0


@pytest.mark.parametrize(
    ("option", "package", "extra"), [("--png", "matplotlib", "plots"), ("--tensorboard", "tensorboardX", "tensorboard")]
)
def test_a_missing_extra_is_named(
    char_run: Path, corpus: Path, tmp_path: Path, option: str, package: str, extra: str
) -> None:
    """Whether it is installed here or not: its import fails."""
    code = f"import sys; sys.modules[{package!r}] = None; from elman.cli import main; main(sys.argv[1:])"
    call = [sys.executable, "-c", code, "flow", str(char_run), str(corpus), option, str(tmp_path / "out")]
    environment = os.environ | {"PYTHONIOENCODING": "utf-8"}
    done = subprocess.run(call, capture_output=True, text=True, check=False, env=environment)
    fails(done, f"pip install 'elman[{extra}]'")
    assert not done.stdout
    assert not list(tmp_path.iterdir())
