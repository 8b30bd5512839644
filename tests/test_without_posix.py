"""Elman where `fcntl`, `fork`, POSIX's functions and signals are missing, as on Windows (support/without_posix.py)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SUPPORT = Path(__file__).parent / "support" / "without_posix.py"
EXAMPLES = Path(__file__).parents[1] / "examples"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs /proc, to know what is in use"),
]


def without_posix(*arguments: object, stdin: str = "", code: int = 0) -> str:
    """What `python -m ARGUMENTS` prints there."""
    done = subprocess.run(
        [sys.executable, "-X", "warn_default_encoding", str(SUPPORT), *map(str, arguments)],
        input=stdin.encode(), capture_output=True, env=os.environ | {"PYTHONIOENCODING": "utf-8"}, check=False,
    )  # fmt: skip
    assert done.returncode == code, done.stderr.decode()
    return done.stdout.decode()


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, corpus: Path) -> Path:
    """A run that was trained, stopped and resumed there."""
    out = tmp_path_factory.mktemp("spawned") / "a run"
    small = ("--hidden", 16, "--batch-size", 4, "--bptt", 8, "--watch-gradients", 5)
    without_posix("elman", "train", corpus, "--out", out, "--epochs", 1, *small)
    without_posix("elman", "train", "--resume", out, "--epochs", 2)
    return out


def test_it_plays_another_system() -> None:
    code = "import os, sys; print(hasattr(os, 'fork'), sys.modules.get('fcntl'))"
    assert without_posix("timeit", "-n1", "-r1", code).splitlines()[0] == "False None"


def test_a_run_is_trained_resumed_and_used(run: Path, corpus: Path, tmp_path: Path) -> None:
    evaluated = json.loads(without_posix("elman", "evaluate", run, corpus, "--json"))
    assert 1 < evaluated["perplexity_including_oov"] < 20
    without_posix("elman", "generate", run, "the cat", "--seed", 1)
    assert without_posix("elman", "score", run, stdin="the cat sat\n").startswith("log10=")
    assert without_posix("elman", "metrics", run).startswith("kind,")
    without_posix("elman", "flow", run, corpus, "--html", tmp_path / "flow.html")
    without_posix("elman", "ngram", run, "--out", tmp_path / "farm.arpa")
    without_posix("elman", "export", run, "--to", "transformers", "--out", tmp_path / "exported")
    without_posix("elman", "info", run)


def test_two_processes_do_not_train_one_run(run: Path) -> None:
    """Without fcntl the lock is a file; it is gone after training."""
    assert not (run / "training" / "lock").exists()


def test_pages_are_checked_and_derived(tmp_path: Path) -> None:
    assert "2 do not" in without_posix("elman", "check", EXAMPLES / "wrong.md", "--html", tmp_path / "w.html", code=1)
    assert "a b^T" in without_posix("elman", "derive", "a^T X b", "--wrt", "X")
    without_posix("elman", "check", EXAMPLES / "wrong.md", "--fix", tmp_path / "fixed.md", code=1)
    assert "all 5 claims hold" in without_posix("elman", "check", tmp_path / "fixed.md")


def test_the_server_is_imported() -> None:
    pytest.importorskip("starlette")
    without_posix("elman", "serve", "--help")
    code = "import elman.serve.app, elman.serve.server, elman.serve.completions"
    without_posix("timeit", "-n1", "-r1", code)


def test_a_task_is_trained_in_a_folder_of_another_alphabet(tmp_path: Path) -> None:
    out = tmp_path / "путь 路径"
    without_posix("elman", "train", "--task", "xor", "--task-length", "10", "--hidden", 8, "--epochs", 1, "--out", out)
    assert (out / "model.safetensors").exists()
