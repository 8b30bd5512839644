"""The gate of the GPU benchmark: each side's gradients are checked before it is timed, and failures are reported."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from gpu_sides import Built, UnsupportedError, loop_gradients, set_products
from torch import Tensor

import elman
from elman.cli.bench import Shape, problem
from elman.kernels import device_kernels, host_kernels
from elman.training.defaults import operations_per_token

TOLERANCE = {"float32": 2e-4, "tf32": 0.05, "bf16": 0.05, "float16": 0.05}
"""float32: relative to the largest entry, for sums in different orders; else ‖g - g64‖ / ‖g64‖."""
ROUNDING = 1e-5
"""A smaller error is due to float32 itself, not to a lower precision."""
ON_NUMPY = 3e11
"""Up to so many operations a step, NumPy is the reference: a few seconds."""


class WrongError(Exception):
    """The result of a side differs from that of float64."""


def reason(error: Exception) -> str:
    """One line that says why something was not measured."""
    if isinstance(error, torch.OutOfMemoryError):
        return "out of memory"
    line = (str(error).strip().splitlines() or [""])[0][:160]
    return line if isinstance(error, (UnsupportedError, WrongError)) else f"{type(error).__name__}: {line}"


@contextmanager
def reporting(name: str, missing: dict[str, str]) -> Iterator[None]:
    """Prints an error of the block at once, and keeps it as the reason why the side is not measured."""
    try:
        yield
    except Exception as error:  # the other sides go on, whatever it is
        missing[name] = reason(error)
        print(f"  {name:<48}not measured: {missing[name]}", flush=True)


def free() -> None:
    """Releases the device memory that is no longer used."""
    gc.collect()
    torch.cuda.empty_cache()


def largest_error(arrays: dict[str, Any], exact: dict[str, Tensor], precision: str) -> float:
    """The largest error of the arrays; raises WrongError if one is above the tolerance."""
    worst = 0.0
    for name, expected in exact.items():
        given = torch.as_tensor(arrays[name], device=expected.device)
        if given.shape != expected.shape:
            raise WrongError(f"{name} has shape {tuple(given.shape)}, expected {tuple(expected.shape)}")
        difference = given.double() - expected
        order = float("inf") if precision == "float32" else 2
        error = float(torch.linalg.vector_norm(difference, order) / torch.linalg.vector_norm(expected, order))
        if not error <= TOLERANCE[precision]:
            raise WrongError(f"off by {error:.1e} in {name if name in ('J', 'h') else '∂J/∂' + name}")
        worst = max(worst, error)
    return worst


def prepared(
    shape: Shape, chosen: dict[str, Any], device: str
) -> tuple[dict[str, Built], dict[str, float], dict[str, str]]:
    """(built, errors, missing): the sides that pass the gate, their errors, and why the others are not measured."""
    task, exact = problem(*shape), exact_gradients(shape, device)
    built: dict[str, Built] = {}
    errors: dict[str, float] = {}
    missing: dict[str, str] = {}
    for name, (precision, build) in chosen.items():
        with reporting(name, missing):
            set_products(precision)
            side = build(task, device)
            errors[name] = largest_error(side.arrays, exact, precision)
            side.arrays = {}
            built[name] = side
        side = None
        free()
    for name in [name for name in built if name.startswith("elman") and chosen[name][0] != "float32"]:
        precision = chosen[name][0]
        with reporting(name, missing):
            set_products(precision)
            loop = largest_error(loop_gradients(task, device, precision), exact, precision)
            theirs = max(loop, errors.get(f"torch nn.RNN {precision}", 0.0), ROUNDING)
            if errors[name] > 2 * theirs:
                raise WrongError(f"off by {errors[name]:.1e}, PyTorch in the same precision by {theirs:.1e}")
        if name in missing:
            del built[name]
        free()
    return built, errors, missing


def exact_gradients(shape: Shape, device: str) -> dict[str, Tensor]:
    """J and all gradients in float64, as tensors on the device; prints what computed them."""
    V, d, Dh, B, T = shape
    p, x, y = problem(*shape)
    on_host = operations_per_token(V, d, Dh) * T * B <= ON_NUMPY
    print("  the gate: float64", "on NumPy" if on_host else "by Elman's PyTorch kernels", flush=True)
    kernels = host_kernels() if on_host else device_kernels(device)
    J, gradients, _ = elman.loss_and_gradients(p.astype("float64").on(kernels), x, y)
    assert gradients.E is not None  # nothing is tied
    arrays = {name: getattr(gradients, name) for name in ("W_e", "W_h", "b_1", "U", "b_2")}
    arrays |= {"J": J, "E": gradients.E.dense()}
    return {name: torch.as_tensor(value, device=device) for name, value in arrays.items()}
