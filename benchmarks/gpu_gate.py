"""What the GPU benchmark's sides pass before they are timed, and how it is said that one did not."""

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
"""float32: of the largest entry, two sums of the same gradient in different orders; else ‖g - g64‖ of ‖g64‖."""
ROUNDING = 1e-5
"""An error under this is float32's own: no other precision is blamed for it."""
ON_NUMPY = 3e11
"""Operations of a step up to which NumPy is the reference: a few seconds."""


class WrongError(Exception):
    """What a side found is not what float64 finds."""


def reason(error: Exception) -> str:
    """Why something was not measured, in a line."""
    if isinstance(error, torch.OutOfMemoryError):
        return "out of memory"
    line = (str(error).strip().splitlines() or [""])[0][:160]
    return line if isinstance(error, (UnsupportedError, WrongError)) else f"{type(error).__name__}: {line}"


@contextmanager
def naming(name: str, missing: dict[str, str]) -> Iterator[None]:
    """What fails within is said at once, and kept as the reason why the side is not measured."""
    try:
        yield
    except Exception as error:  # whatever it is, the other sides go on
        missing[name] = reason(error)
        print(f"  {name:<48}not measured: {missing[name]}", flush=True)


def free() -> None:
    """Gives back the memory that nobody holds any more."""
    gc.collect()
    torch.cuda.empty_cache()


def off(found: dict[str, Any], exact: dict[str, Tensor], precision: str) -> float:
    """The largest error over the arrays; raises WrongError where one is over its tolerance."""
    worst = 0.0
    for name, expected in exact.items():
        given = torch.as_tensor(found[name], device=expected.device)
        if given.shape != expected.shape:
            raise WrongError(f"{name} has the shape {tuple(given.shape)}, not {tuple(expected.shape)}")
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
    """The sides that passed the gate, their errors, and why the others are not measured."""
    given, exact = problem(*shape), exact_gradients(shape, device)
    built: dict[str, Built] = {}
    errors: dict[str, float] = {}
    missing: dict[str, str] = {}
    for name, (precision, build) in chosen.items():
        with naming(name, missing):
            set_products(precision)
            side = build(given, device)
            errors[name] = off(side.found, exact, precision)
            side.found = {}
            built[name] = side
        side = None
        free()
    for name in [name for name in built if name.startswith("elman") and chosen[name][0] != "float32"]:
        precision = chosen[name][0]
        with naming(name, missing):
            set_products(precision)
            loop = off(loop_gradients(given, device, precision), exact, precision)
            theirs = max(loop, errors.get(f"torch nn.RNN {precision}", 0.0), ROUNDING)
            if errors[name] > 2 * theirs:
                raise WrongError(f"off by {errors[name]:.1e}, PyTorch in the same precision by {theirs:.1e}")
        if name in missing:
            del built[name]
        free()
    return built, errors, missing


def exact_gradients(shape: Shape, device: str) -> dict[str, Tensor]:
    """J and all gradients in float64, as tensors on the device; whose they are is printed."""
    V, d, Dh, B, T = shape
    p, x, y = problem(*shape)
    on_host = operations_per_token(V, d, Dh) * T * B <= ON_NUMPY
    print("  the gate: float64", "on NumPy" if on_host else "by Elman's PyTorch kernels", flush=True)
    kernels = host_kernels() if on_host else device_kernels(device)
    J, gradients, _ = elman.loss_and_gradients(p.astype("float64").on(kernels), x, y)
    assert gradients.E is not None  # nothing is tied
    found = {name: getattr(gradients, name) for name in ("W_e", "W_h", "b_1", "U", "b_2")}
    found |= {"J": J, "E": gradients.E.dense()}
    return {name: torch.as_tensor(value, device=device) for name, value in found.items()}
