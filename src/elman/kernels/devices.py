"""Which device computes: the CPU by Elman's own backends, or another by PyTorch."""

from __future__ import annotations

import importlib
import importlib.util
import os
from functools import cache
from typing import Any

from elman.errors import ConfigError, MissingExtraError

OLDEST_TRITON = (3, 3)
"""That of PyTorch 2.7; it is the first that launches a grid as one that waits for itself."""


@cache
def on_device(device: str) -> Any:
    """The torch backend on a device, as PyTorch names it: cpu, cuda, cuda:1. Raises MissingExtraError."""
    return _module().TorchBackend(device)


def chosen_device(name: str | None) -> Any:
    """The torch backend that `--device` names; None for the CPU's own backends.

    cuda, cuda:N; auto: cuda where there is one; cpu or None: the CPU. Raises MissingExtraError where PyTorch is not
    installed, ConfigError for a device that is not there.
    """
    if name in (None, "cpu") or (name == "auto" and importlib.util.find_spec("torch") is None):
        return None
    assert name is not None
    kind, _, number = name.partition(":")
    if name != "auto" and (kind != "cuda" or not (number or "0").isdigit()):
        raise ConfigError(f"device is {name!r}; choose cpu, cuda, cuda:N (the GPU of that number) or auto")
    count = _module().gpus()
    if name == "auto":
        return on_device("cuda") if count else None
    if int(number or 0) >= count:
        raise ConfigError(f"device is {name}, but PyTorch sees {count} GPUs here: leave --device out to use the CPU")
    return on_device(name)


@cache
def triton_kernels(device: str, name: str) -> Any:
    """The module of Elman's Triton kernels of this name for a kind of device; None where there are none.

    There are for cuda, and for cpu where TRITON_INTERPRET asks for Triton's interpreter; none without Triton or with
    one older than OLDEST_TRITON, and none where ELMAN_TRITON is 0. Read once. For other devices nothing of Triton is
    imported.
    """
    interpreted = os.environ.get("TRITON_INTERPRET", "0") not in ("", "0")
    wanted = device == "cuda" or (device == "cpu" and interpreted)
    if not wanted or os.environ.get("ELMAN_TRITON") == "0" or importlib.util.find_spec("triton") is None:
        return None
    number = importlib.import_module("triton").__version__.split(".")
    if (int(number[0]), int(number[1])) < OLDEST_TRITON:
        return None
    return importlib.import_module(f"elman.kernels.triton_{name}")


def _module() -> Any:
    try:
        importlib.import_module("torch")
    except ImportError:
        raise MissingExtraError("a device other than the CPU needs PyTorch: pip install 'elman[torch]'") from None
    return importlib.import_module("elman.kernels.torch_backend")
