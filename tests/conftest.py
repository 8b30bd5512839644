"""What the tests share: small networks, small texts, and the command line run as a user runs it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from command_line import TEXT, Run
from forked_calls import ForkedCalls
from networks import all_kernels

import elman
from elman.kernels import choose_again, host_kernels, native_built

os.environ["ELMAN_LANG"] = "en"
"""The tests read English, whatever the locale is; those of Chinese say so."""


@pytest.fixture(scope="session")
def command() -> Iterator[Run]:
    """`elman …` in a process of its own; returns what it printed and its exit code.

    On one thread where the call does not ask for more: the tests run on all processors beside each other.
    """
    with ForkedCalls() as calls:

        def run(*arguments: object, stdin: str | bytes | None = None, cwd: Path | None = None):
            environment = {"PYTHONIOENCODING": "utf-8"} | os.environ | {"OPENBLAS_NUM_THREADS": "1"}
            given = stdin.encode() if isinstance(stdin, str) else stdin or b""
            done = calls.run([*map(str, arguments)], given, cwd, environment)
            return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())

        yield run


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A text of 120 lines of 14 words."""
    path = tmp_path_factory.mktemp("corpus") / "farm.txt"
    path.write_text(TEXT)
    return path


@pytest.fixture(scope="session")
def word_run(command: Run, corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small word-level run, trained on the corpus."""
    out = tmp_path_factory.mktemp("runs") / "word"
    done = command(
        "train", corpus, "--out", out, "--epochs", 4, "--hidden", 16, "--batch-size", 4, "--bptt", 8, "--threads", 2
    )
    assert done.returncode == 0, done.stderr
    return out


@pytest.fixture(scope="session")
def deep_run(command: Run, corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same of three layers."""
    out = tmp_path_factory.mktemp("runs") / "deep"
    small = ("--epochs", 4, "--hidden", 16, "--batch-size", 4, "--bptt", 8)
    done = command("train", corpus, "--out", out, "--layers", 3, *small)
    assert done.returncode == 0, done.stderr
    return out


@pytest.fixture(scope="session")
def char_run(command: Run, corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small char-level run, trained on the corpus."""
    out = tmp_path_factory.mktemp("runs") / "char"
    done = command(
        "train", corpus, "--out", out, "--level", "char", "--epochs", 1, "--hidden", 32, "--embed", 8,
        "--batch-size", 4, "--bptt", 16,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return out


@pytest.fixture
def lm(word_run: Path) -> elman.LanguageModel:
    return elman.load(word_run)


@pytest.fixture(params=all_kernels(), scope="module")
def every_kernels(request: pytest.FixtureRequest) -> Iterator[str]:
    """Each of them in turn, chosen as a user would, by the environment; afterwards the usual one again."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ELMAN_BACKEND", "numpy" if request.param == "numpy" else "native")
        if request.param != "numpy":
            patch.setenv("ELMAN_ISA", request.param)
        choose_again()
        assert request.param in host_kernels().name
        yield request.param
    if native_built():
        from elman.kernels import native_kernels

        native_kernels.use_instruction_set(native_kernels.instruction_sets()[0])
    choose_again()
