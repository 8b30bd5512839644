"""The activation functions f and their derivatives: each formula once, for NumPy arrays and PyTorch tensors.

             f(z)             f'(z) from h = f(z)     ∂f'/∂h     largest f'
    sigmoid  1/(1 + exp(-z))  h∘(1-h)                 1 - 2h     1/4
    tanh     tanh(z)          1 - h∘h                 -2h        1
    relu     max(z, 0)        1 where h > 0, else 0   0          1

The second derivative is f''(z) = f'(z) ∘ ∂f'/∂h. (f is σ in docs/derivation.md, section 1.)

Kernels in another language write f and f' themselves: C++ in native/vector.h, Triton in triton_functions.py, and
PyTorch has its own in-place f (torch_recurrence.py). tests/model/test_activations.py compares them with this file.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]
Doubles = NDArray[np.float64]


@dataclass(frozen=True)
class Activation:
    """One activation function f, elementwise, with h = f(z). Arrays may have any shape.

    apply           z becomes f(z), in place (NumPy arrays)
    derivative      f'(z) from h (NumPy arrays or tensors)
    derivative_by_h ∂f'/∂h from h (NumPy arrays or tensors); f''(z) = f'(z) ∘ ∂f'/∂h
    log2_derivative log2 f'(z) from z, float64: also where f'(z) from h would round to 0; -∞ where f' is 0
    largest         the largest value of f'
    """

    apply: Callable[[Floats], object]
    derivative: Callable[[Any], Any]
    derivative_by_h: Callable[[Any], Any]
    log2_derivative: Callable[[Floats], Doubles]
    largest: float


def _sigmoid(z: Floats) -> None:
    np.negative(z, out=z)
    with np.errstate(over="ignore"):  # exp(-z) may overflow to ∞: then 1/(1 + ∞) = 0 is the right answer
        np.exp(z, out=z)
    z += 1
    np.reciprocal(z, out=z)


def _log2_sigmoid_derivative(z: Floats) -> Doubles:
    size = np.abs(z, dtype=np.float64)
    result: Doubles = (-size - 2 * np.log1p(np.exp(-size))) / np.log(2)  # ln f' = -|z| - 2 ln(1 + exp(-|z|))
    return result


def _log2_tanh_derivative(z: Floats) -> Doubles:
    size = 2 * np.abs(z, dtype=np.float64)  # 1 - tanh²(z) = 4 s(2z) s(-2z), s being the sigmoid
    result: Doubles = (-size - 2 * np.log1p(np.exp(-size))) / np.log(2) + 2
    return result


def _relu_derivative(h: Any) -> Any:
    positive = h > 0
    return positive.astype(h.dtype) if isinstance(h, np.ndarray) else positive.to(h.dtype)


def _zeros(h: Any) -> Any:
    return np.zeros_like(h) if isinstance(h, np.ndarray) else h.new_zeros(h.shape)


FUNCTIONS: dict[str, Activation] = {
    "sigmoid": Activation(
        apply=_sigmoid,
        derivative=lambda h: h * (1 - h),
        derivative_by_h=lambda h: 1 - 2 * h,
        log2_derivative=_log2_sigmoid_derivative,
        largest=0.25,
    ),
    "tanh": Activation(
        apply=lambda z: np.tanh(z, out=z),
        derivative=lambda h: 1 - h * h,
        derivative_by_h=lambda h: -2 * h,
        log2_derivative=_log2_tanh_derivative,
        largest=1.0,
    ),
    "relu": Activation(
        apply=lambda z: np.maximum(z, 0, out=z),
        derivative=_relu_derivative,
        derivative_by_h=_zeros,
        log2_derivative=lambda z: np.where(z > 0, 0.0, -np.inf),
        largest=1.0,
    ),
}
"""By the names of `config.ACTIVATIONS`."""
