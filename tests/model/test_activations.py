"""f, f' and f'' of model/activations.py: against complex steps and differences, and in the kernels' own languages."""

from __future__ import annotations

import numpy as np
import pytest

from elman.config import ACTIVATIONS
from elman.kernels import host_kernels
from elman.model import reference
from elman.model.activations import FUNCTIONS

z = np.concatenate([np.linspace(-6, 6, 101), [-30.0, 30.0]])
z[z == 0] = 0.01  # relu has no derivative there
EPS = {"float32": float(np.finfo(np.float32).eps), "float64": float(np.finfo(np.float64).eps)}


def applied(z: np.ndarray, activation: str) -> np.ndarray:
    h = z.copy()
    FUNCTIONS[activation].apply(h)
    return h


def test_all_activations_are_there() -> None:
    assert tuple(FUNCTIONS) == ACTIVATIONS


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_the_derivatives(activation: str) -> None:
    f, h = FUNCTIONS[activation], applied(z, activation)
    assert np.allclose(h, reference.sigma(z, activation), rtol=1e-15)
    true = reference.sigma(z + 1e-20j, activation).imag / 1e-20
    near = np.abs(z) < 10  # further out, f' from h has no digits left
    assert np.allclose(f.derivative(h)[near], true[near], rtol=1e-10)
    assert np.allclose(np.exp2(f.log2_derivative(z)), true, rtol=1e-12)
    assert f.derivative(h).max() <= f.largest
    steepest = {"sigmoid": 0.5, "tanh": 0.0, "relu": 1.0}[activation]
    assert f.derivative(np.array([steepest])) == f.largest
    second = f.derivative(h) * f.derivative_by_h(h)  # f''
    step = 1e-5
    after, before = (f.derivative(applied(z + change, activation)) for change in (step, -step))
    assert np.allclose(second, (after - before) / (2 * step), atol=1e-9)


@pytest.mark.usefixtures("every_kernels")
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_the_kernels_have_the_same_functions(activation: str, dtype: str) -> None:
    """By a recurrence of one step from h = 0, and its gradient."""
    u, W_h, kernels = z.astype(dtype)[None, None], np.zeros((len(z), len(z)), dtype), host_kernels()
    h = kernels.recurrence(u, W_h, np.zeros((1, len(z)), dtype), activation)
    assert np.allclose(h[1, 0], applied(z, activation), rtol=8 * EPS[dtype], atol=EPS[dtype])
    dz = kernels.recurrence_gradient(np.ones_like(u), h, W_h, activation)
    assert np.allclose(dz[0, 0], FUNCTIONS[activation].derivative(h[1, 0].astype(float)), atol=EPS[dtype])


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_tensors_have_the_same_functions(activation: str) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed", exc_type=ImportError)
    from elman.kernels.torch_recurrence import APPLY

    f, h = FUNCTIONS[activation], applied(z, activation)
    assert np.allclose(APPLY[activation](torch.tensor(z)).numpy(), h, rtol=1e-14)
    for function in (f.derivative, f.derivative_by_h):
        assert np.array_equal(function(torch.tensor(h)).numpy(), function(h))
