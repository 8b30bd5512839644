"""Which kernels compute: on the CPU by the environment, on another device by its name."""

from __future__ import annotations

import importlib
import importlib.util
import os
from functools import lru_cache
from types import ModuleType
from typing import Any

from elman.errors import ConfigError, MissingExtraError
from elman.kernels.numpy_kernels import NumpyKernels
from elman.kernels.protocol import Kernels
from elman.thread_count import threads

KEPT = 16
"""Kernels that are kept, of those made for different precisions, thresholds or devices."""


def host_kernels(precision: str = "float32", skip_below: float = 0.0) -> Kernels:
    """The kernels for NumPy arrays: the native ones if they were built, else NumPy's.

    precision: bf16 for bfloat16 products; skip_below: see NativeKernels. ELMAN_BACKEND (native or numpy), ELMAN_ISA
    and ELMAN_THREADS in the environment choose among them; they are read once (`choose_again`). Raises ConfigError
    where only the native kernels could do what is asked and they are not in use.
    """
    for asked, what in ((precision == "bf16", "precision bf16"), (skip_below > 0, "skip-below")):
        if asked and not native_in_use():
            raise ConfigError(f"{what} needs the native kernels, which are not in use; `elman info` says why")
    return _host_kernels(precision == "bf16", skip_below)


@lru_cache(maxsize=KEPT)
def device_kernels(device: str) -> Any:
    """The TorchKernels of a device by its PyTorch name: cpu, cuda, cuda:1. Raises MissingExtraError without PyTorch."""
    return _torch_kernels().TorchKernels(device)


def chosen_device(name: str | None) -> Any:
    """The TorchKernels that `--device` names; None for the CPU.

    cuda, cuda:N; auto: cuda if there is one; cpu or None: the CPU. Raises MissingExtraError without PyTorch,
    ConfigError for a device that does not exist.
    """
    if name in (None, "cpu") or (name == "auto" and importlib.util.find_spec("torch") is None):
        return None
    assert name is not None
    kind, _, number = name.partition(":")
    if name != "auto" and (kind != "cuda" or not (number or "0").isdigit()):
        raise ConfigError(f"device is {name!r}; choose cpu, cuda, cuda:N (the GPU of that number) or auto")
    count = _torch_kernels().gpus()
    if name == "auto":
        return device_kernels("cuda") if count else None
    if int(number or 0) >= count:
        raise ConfigError(f"device is {name}, but PyTorch sees {count} GPUs here: leave --device out to use the CPU")
    return device_kernels(name)


def native_built() -> bool:
    """Whether this installation has the native kernels, in use or not."""
    return importlib.util.find_spec("elman.kernels._native") is not None


def native_in_use() -> bool:
    """Whether float32 runs on the native kernels."""
    return _native_kernels() is not None


def bf16_is_fast() -> bool:
    """Whether the native kernels are in use and this processor multiplies bfloat16 faster than float32."""
    native = _native_kernels()
    return native is not None and bool(native.bf16_is_fast())


def uses_tiles() -> bool:
    """Whether the native kernels are in use and multiply bfloat16 on matrix tiles."""
    native = _native_kernels()
    return native is not None and bool(native.uses_tiles())


def why_no_tiles() -> str:
    """Why the native kernels in use lack the matrix tiles of this processor; empty if they do not, or it has none."""
    native = _native_kernels()
    return "" if native is None else str(native.why_no_tiles())


def choose_again() -> None:
    """Forgets the kernels made so far: the next call reads the environment again. Existing networks keep theirs."""
    for made in (_host_kernels, device_kernels, _native_kernels):
        made.cache_clear()


@lru_cache(maxsize=KEPT)
def _host_kernels(bf16: bool, skip_below: float) -> Kernels:
    native = _native_kernels()
    made: Kernels = NumpyKernels() if native is None else native.NativeKernels(bf16, skip_below)
    return made


@lru_cache(maxsize=1)
def _native_kernels() -> ModuleType | None:
    """The module of the native kernels, set up by the environment; None if it was not built or is not wanted."""
    wanted = os.environ.get("ELMAN_BACKEND", "")
    if wanted not in ("", "native", "numpy"):
        raise ConfigError(f"ELMAN_BACKEND is {wanted!r}; choose native or numpy, or leave it unset")
    if wanted == "numpy":
        return None
    try:
        module = importlib.import_module("elman.kernels.native_kernels")
    except ImportError as error:
        if wanted == "native":
            raise ConfigError(
                f"ELMAN_BACKEND is native, but the native kernels are not available ({error}): "
                "install Elman where there is a C++ compiler, or leave ELMAN_BACKEND unset"
            ) from error
        return None
    module.use_threads(threads())
    if name := os.environ.get("ELMAN_ISA"):
        module.use_instruction_set(name)
    return module


def _torch_kernels() -> ModuleType:
    try:
        importlib.import_module("torch")
    except ImportError:
        raise MissingExtraError("a device other than the CPU needs PyTorch: pip install 'elman[torch]'") from None
    return importlib.import_module("elman.kernels.torch_kernels")
