"""Whether the Triton kernels can run on a device; nothing of Triton is imported where they cannot."""

from __future__ import annotations

import importlib
import importlib.util
import os
from functools import lru_cache
from typing import Any

OLDEST_TRITON = (3, 3)
"""The Triton of PyTorch 2.7: the first with cooperative launches, in which programs may wait for each other."""


def find_triton_module(device: str, name: str) -> Any:
    """The module `triton_<name>` if its kernels run on this kind of device, else None.

    They run on cuda, and on cpu if TRITON_INTERPRET asks for Triton's interpreter; not without Triton, with a Triton
    older than OLDEST_TRITON, or if ELMAN_TRITON is 0.
    """
    interpreted = os.environ.get("TRITON_INTERPRET", "0") not in ("", "0")
    wanted = device == "cuda" or (device == "cpu" and interpreted)
    if not wanted or os.environ.get("ELMAN_TRITON") == "0" or importlib.util.find_spec("triton") is None:
        return None
    number = importlib.import_module("triton").__version__.split(".")
    if (int(number[0]), int(number[1])) < OLDEST_TRITON:
        return None
    return importlib.import_module(f"elman.kernels.triton_{name}")


triton_module = lru_cache(maxsize=16)(find_triton_module)
"""The same, looked up once for each kind of device and name."""
