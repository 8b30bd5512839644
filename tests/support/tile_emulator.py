"""Matrix tiles in software (tile_emulator.cpp), for a processor that has none: the machine code of the kernels runs."""

from __future__ import annotations

import ctypes
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

NAME = "avx512_bf16_amx"
"""The instruction set of the kernels that uses tiles."""
SOURCE = Path(__file__).with_suffix(".cpp")
COUNTS = ("traps", "configurations", "releases", "zeros", "loads", "stores", "products", "bytes_loaded", "bytes_stored")


def why_not(native: object) -> str:
    """Why tiles cannot be emulated here for the module `_native`; empty if they can."""
    if NAME not in native.compiled():
        return f"the kernels were built without {NAME}"
    if sys.platform != "linux" or platform.machine() != "x86_64":
        return "tiles are emulated on Linux on x86-64 alone"
    if native.tiles() != "none":
        return "the processor has tiles"
    if "avx512_bf16" not in native.available():
        return "the vectors around the tiles need AVX-512 with bfloat16"
    return "" if compiler() else "no C++ compiler is installed"


def compiler() -> str | None:
    found = (shutil.which(name) for name in (os.environ.get("CXX", "c++"), "c++", "g++", "clang++"))
    return next(filter(None, found), None)


def build(folder: Path) -> Path:
    """The emulator as a shared library in this folder; for LD_PRELOAD too."""
    library = folder / "tile_emulator.so"
    flags = ["-std=c++17", "-O3", "-mavx2", "-mfma", "-ffp-contract=off", "-shared", "-fPIC"]
    subprocess.run([compiler() or "c++", *flags, SOURCE, "-o", library], check=True)
    return library


@cache
def load() -> ctypes.CDLL:
    """Loads the emulator into this process: `available` of the kernels then ends with the tiles' instruction set."""
    with tempfile.TemporaryDirectory() as folder:
        return ctypes.CDLL(str(build(Path(folder))), mode=ctypes.RTLD_GLOBAL)


def counts() -> dict[str, int]:
    """How many instructions were executed in this process since the last call."""
    numbers = (ctypes.c_uint64 * len(COUNTS))()
    load().elman_tile_counts(numbers)
    return dict(zip(COUNTS, numbers, strict=True))
