"""What the tests share: small networks, small texts, and the command line run as a user runs it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

import elman
from elman import kernels
from elman.kernels import backend, native_built
from elman.model import reference

Run = Callable[..., subprocess.CompletedProcess[str]]

TEXT = "\n".join(
    f"the {animal} {verb} on the {place} and the {place} {verb} under the {animal}"
    for animal in ("cat", "dog", "ox", "hen", "bee")
    for verb in ("sat", "ran", "fell", "slept")
    for place in ("mat", "roof", "hill", "lake", "moon", "tree")
) + "\n"  # fmt: skip


@pytest.fixture(scope="session")
def command() -> Run:
    """`elman …` in a process of its own; returns what it printed and its exit code."""

    def run(*arguments: object, stdin: str | bytes | None = None, cwd: Path | None = None, timeout: float = 120):
        environment = os.environ | {"PYTHONIOENCODING": "utf-8", "OPENBLAS_NUM_THREADS": "2"}
        done = subprocess.run(
            [sys.executable, "-m", "elman", *map(str, arguments)],
            input=stdin.encode() if isinstance(stdin, str) else stdin or b"",
            capture_output=True, cwd=cwd, timeout=timeout, env=environment, check=False,
        )  # fmt: skip
        return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())

    return run


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
    done = command("train", corpus, "--out", out, "--epochs", 4, "--hidden", 16, "--batch-size", 4, "--bptt", 8)
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


@pytest.fixture(scope="session")
def lm(word_run: Path) -> elman.LanguageModel:
    return elman.load(word_run)


def backends() -> list[str]:
    """What the numerical tests run over: every instruction set of this machine, and NumPy."""
    if not native_built():
        return ["numpy"]
    from elman.kernels import native_backend

    return [*native_backend.instruction_sets(), "numpy"]


@pytest.fixture(params=backends(), scope="module")
def every_backend(request: pytest.FixtureRequest) -> Iterator[str]:
    """Each of them in turn, chosen as a user would, by the environment; afterwards the usual one again."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ELMAN_BACKEND", "numpy" if request.param == "numpy" else "native")
        if request.param != "numpy":
            patch.setenv("ELMAN_ISA", request.param)
        choose_backend_anew()
        assert request.param in backend().name
        yield request.param
    if native_built():
        from elman.kernels import native_backend

        native_backend.use_instruction_set(native_backend.instruction_sets()[0])
    choose_backend_anew()


def choose_backend_anew() -> None:
    """Forgets which backend was chosen: the environment is read again."""
    backend.cache_clear()
    kernels._native_module.cache_clear()


def as_reference(p: elman.Parameters) -> reference.Model:
    """The same parameters as on the page: feature-major, biases as columns."""
    return reference.Model(p.E.T, p.W_e, p.W_h, p.b_1[:, None], p.U, p.b_2[:, None], p.activation)


def problem(
    V: int = 13, d: int = 5, Dh: int = 7, B: int = 3, T: int = 11, *, activation: str = "sigmoid", tie: bool = False,
    dtype: str = "float64", seed: int = 0,
) -> tuple[elman.Parameters, np.ndarray, np.ndarray, np.ndarray]:  # fmt: skip
    """Parameters (biases not zero), x and y [T,B] and h_0 [B,Dh]; pairwise different primes unless told."""
    generator = np.random.default_rng(seed)
    p = elman.Parameters.initialise(V, d, Dh, activation=activation, tie=tie, seed=seed, dtype=dtype)
    p.b_1 += generator.normal(size=Dh).astype(dtype) / 2
    p.b_2 += generator.normal(size=V).astype(dtype) / 2
    x, y = generator.integers(0, V, (2, T, B))
    return p, x, y, generator.random((B, Dh)).astype(dtype)
