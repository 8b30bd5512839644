"""The kernels on matrix tiles, which the emulator executes where the processor has none (support/tile_emulator.py).

test_kernels.py runs every kernel on them; here are the emulator itself, the choice of the instruction set, and counts.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import tile_emulator

from elman.kernels import choose_again, why_no_tiles

native = pytest.importorskip(
    "elman.kernels.native_kernels", reason="the native kernels were not built", exc_type=ImportError
)
_native = native._native

WHY_NOT = tile_emulator.why_not(_native)
pytestmark = pytest.mark.skipif(bool(WHY_NOT), reason=WHY_NOT)


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tile_emulator.build(tmp_path_factory.mktemp("emulator"))


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("program") / "tiles"
    flags = ["-std=c++17", "-O1", "-mamx-tile", "-mamx-bf16"]
    source = tile_emulator.SOURCE.with_name("tile_program.cpp")
    subprocess.run([tile_emulator.compiler(), *flags, source, "-o", made], check=True)
    return made


def run(program: Path, case: str, emulator: Path | None) -> subprocess.CompletedProcess[str]:
    environment = os.environ | ({"LD_PRELOAD": str(emulator)} if emulator else {})
    return subprocess.run([program, case], capture_output=True, text=True, env=environment, check=False)


def numbers(text: str) -> list[list[float]]:
    return [[float.fromhex(word) for word in line.split()] for line in text.splitlines()]


def test_a_product_by_the_emulator(program: Path, emulator: Path) -> None:
    done = run(program, "product", emulator)
    assert done.returncode == 0, done.stderr
    *sums, shape = done.stdout.splitlines()
    # Row 0: 1 + the first three columns' even ones, and 3 odd twos in the last; row 1: 2 + 3, and 2 + 3 odd ones.
    assert numbers("\n".join(sums)) == [[2, 2, 2, 7, -1, -1], [5, 5, 5, 5, -2, -2]]
    assert shape == "2 16"


def test_rounding_of_the_emulator(program: Path, emulator: Path) -> None:
    """1 + 2^-25 + 2^-25: in one sum both are lost; 2^-25 + 2^-25 = 2^-24 in a sum of its own is a tie, to even too."""
    done = run(program, "rounding", emulator)
    assert done.returncode == 0, done.stderr
    assert numbers(done.stdout) == [[0.0], [1.0], [1.0]]


@pytest.mark.parametrize(
    ("case", "why"),
    [("unconfigured", "not configured"), ("released", "were released"), ("shapes", "rows of the second operand"),
     ("same", "the same tile"), ("too large", "larger than 16 rows"), ("no tile", "a tile is not configured")],
)  # fmt: skip
def test_wrong_use_ends_with_a_sentence(program: Path, emulator: Path, case: str, why: str) -> None:
    done = run(program, case, emulator)
    assert done.returncode == -6
    assert done.stderr.startswith("tile emulator: ")
    assert why in done.stderr


def test_other_illegal_instructions_stay_illegal(program: Path, emulator: Path) -> None:
    assert run(program, "other", emulator).returncode == -4
    assert run(program, "product", None).returncode == -4


def elman(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "elman", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env=os.environ | environment, check=False)


def test_emulated_tiles_are_used_only_when_asked_for(emulator: Path) -> None:
    preload = {"LD_PRELOAD": str(emulator)}
    assert tile_emulator.NAME in elman("info", ELMAN_ISA=tile_emulator.NAME, **preload).stdout
    assert tile_emulator.NAME not in elman("info", **preload).stdout
    without = elman("info", ELMAN_ISA=tile_emulator.NAME)
    assert without.returncode == 2
    assert f"instruction set '{tile_emulator.NAME}' is not available here" in without.stderr


def test_info_says_why_there_are_no_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    assert why_no_tiles() == ""  # this processor has none
    monkeypatch.setattr(_native, "tiles", lambda: "refused")
    assert why_no_tiles() == "the system refuses the processor's matrix tiles"
    monkeypatch.setattr(_native, "tiles", lambda: "permitted")
    assert why_no_tiles() == ""
    monkeypatch.setattr(_native, "compiled", lambda: ["avx512_bf16", "portable"])
    assert why_no_tiles() == "the compiler did not know the processor's matrix tiles"


def test_a_run_on_tiles(emulator: Path, tmp_path: Path, corpus: Path) -> None:
    """Training on emulated tiles reaches the loss of the vectors' bfloat16 instruction."""
    losses = []
    for name in (tile_emulator.NAME, "avx512_bf16"):
        done = elman(
            "train", corpus, "--out", tmp_path / name, "--epochs", 2, "--hidden", 24, "--batch-size", 4, "--bptt", 8,
            "--precision", "bf16", "--seed", 1, LD_PRELOAD=str(emulator), ELMAN_ISA=name,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        found = elman("evaluate", tmp_path / name, corpus, "--json", ELMAN_ISA="avx512_bf16")
        assert found.returncode == 0, found.stderr
        losses.append(json.loads(found.stdout)["nats_per_token"])
    assert losses[0] == pytest.approx(losses[1], rel=0.01)


@pytest.fixture
def tiles() -> Iterator[None]:
    tile_emulator.load()
    before, threads = _native.current(), _native.get_threads()
    native.use_instruction_set(tile_emulator.NAME)
    native.use_threads(2)
    choose_again()
    tile_emulator.counts()
    yield
    native.use_instruction_set(before)
    native.use_threads(threads)


@pytest.mark.parametrize(("M", "N", "K"), [(64, 96, 256), (33, 70, 45), (100, 300, 77)])
def test_a_product_has_no_tile_too_many(tiles: None, M: int, N: int, K: int) -> None:
    """As many products of tiles as the operands fill; each tile of B is used for two of A, and the other way round."""
    generator = np.random.default_rng(0)
    native.NativeKernels(True).product(generator.random((M, K), np.float32), generator.random((K, N), np.float32))
    counts = tile_emulator.counts()
    down, across, deep = -(-M // 16), -(-N // 16), -(-K // 32)
    assert counts["products"] == down * across * deep
    assert counts["configurations"] == counts["releases"] == 2  # one a thread
    assert counts["stores"] == counts["zeros"] == down * across
    assert counts["loads"] <= 1.5 * counts["products"] + 16 * deep
