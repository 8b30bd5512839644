"""What test_triton.py runs in a process of its own: on a CPU in Triton's interpreter, or on a GPU where there is one.

Each kernel against NumPy in float64, with the tolerances of test_kernels.py, and through torch_recurrence.py.
The interpreter knows no TF32, and cuts a float32 off to a bfloat16 where a GPU rounds it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from elman.config import ACTIVATIONS
from elman.kernels import numpy_kernels, torch_recurrence
from elman.kernels import triton_recurrence as kernels

EXACT = numpy_kernels.NumpyKernels()
DEVICE = "cpu" if kernels.INTERPRETED else "cuda"
TOLERANCE = {torch.float32: float(np.sqrt(5000) * np.finfo(np.float32).eps / 2), torch.bfloat16: 4 * 2**-8}
TYPES = pytest.mark.parametrize("dtype", list(TOLERANCE), ids=["float32", "bfloat16"])
SHAPES = [(1, 1, 1), (3, 17, 33), (17, 3, 17), (33, 1, 3), (2, 33, 16), (2, 16, 130), (3, 2, 256)]  # T, B, Dh


def tensor(values: Any, dtype: Any = torch.float32) -> Any:
    return torch.as_tensor(values, device=DEVICE).to(dtype)


def normal(generator: np.random.Generator, dtype: Any, *size: int, scale: float = 1.0) -> Any:
    return tensor(generator.standard_normal(size) * scale, dtype)


def doubles(*tensors: Any) -> list[np.ndarray]:
    return [each.double().cpu().numpy() for each in tensors]


def error(found: Any, expected: np.ndarray) -> float:
    assert found.shape == expected.shape
    return float(np.abs(doubles(found)[0] - expected).max() / max(np.abs(expected).max(), 1e-30))


@TYPES
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_recurrence_and_its_gradient(activation: str, shape: tuple[int, int, int], dtype: Any) -> None:
    T, B, Dh = shape
    generator = np.random.default_rng(sum(shape))
    u, h_0, dh = (normal(generator, dtype, *size) for size in ((T, B, Dh), (B, Dh), (T, B, Dh)))
    W_h = normal(generator, dtype, Dh, Dh, scale=0.5 * Dh**-0.5)
    h = torch_recurrence.recurrence(u, W_h, h_0, activation)
    assert h.dtype == dtype
    assert torch.equal(h[0], h_0)
    assert error(h, EXACT.recurrence(*doubles(u, W_h, h_0), activation)) < TOLERANCE[dtype]
    for cut in (0.0, 0.5):
        dz = torch_recurrence.recurrence_gradient(dh, h, W_h, activation, cut)
        assert dz.dtype == dtype
        assert error(dz, EXACT.recurrence_gradient(*doubles(dh, h, W_h), activation, cut)) < TOLERANCE[dtype]
        assert not cut or dz.abs().max() <= cut
    assert torch.equal(h, kernels.recurrence(u, W_h, h_0, activation))  # it was chosen
    assert torch.equal(dz, kernels.recurrence_gradient(dh, h, W_h, activation, cut))
    assert torch.equal(h, kernels.recurrence(u, W_h.T.contiguous().T, h_0, activation))  # W_h in either order


@pytest.mark.parametrize("Dh", [1, 33, 256])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_float32_beside_a_W_h_of_bfloat16(activation: str, Dh: int) -> None:
    generator = np.random.default_rng(Dh)
    u, h_0, dh = (normal(generator, torch.float32, *size) for size in ((3, 17, Dh), (17, Dh), (3, 17, Dh)))
    W_h = normal(generator, torch.bfloat16, Dh, Dh, scale=0.5 * Dh**-0.5)
    h = torch_recurrence.recurrence(u, W_h, h_0, activation)
    dz = torch_recurrence.recurrence_gradient(dh, h, W_h, activation, 0.5)
    assert h.dtype == dz.dtype == torch.float32
    assert error(h, EXACT.recurrence(*doubles(u, W_h, h_0), activation)) < TOLERANCE[torch.bfloat16]
    assert error(dz, EXACT.recurrence_gradient(*doubles(dh, h, W_h), activation, 0.5)) < TOLERANCE[torch.bfloat16]
    assert torch.equal(h, kernels.recurrence(u, W_h, h_0, activation))  # it was chosen
    assert not kernels.takes(u.bfloat16(), W_h.float())


def test_tf32_by_name_and_by_pytorchs_switch(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = np.random.default_rng(0)
    u, W_h, h_0 = (normal(generator, torch.float32, *size, scale=0.3) for size in ((3, 5, 20), (20, 20), (5, 20)))
    h = kernels.recurrence(u, W_h, h_0, "tanh", "tf32")
    assert error(h, EXACT.recurrence(*doubles(u, W_h, h_0), "tanh")) < 4 * 2**-11
    asked = []
    monkeypatch.setattr(kernels, "options", lambda W_h, precision: asked.append(precision) or OPTIONS(W_h, precision))
    before = torch.get_float32_matmul_precision()
    try:
        for precision in ("highest", "high"):
            torch.set_float32_matmul_precision(precision)
            torch_recurrence.recurrence(u, W_h, h_0, "tanh")
    finally:
        torch.set_float32_matmul_precision(before)
    assert asked == ["ieee", "tf32"]


OPTIONS = kernels.options


def test_small_and_large_arguments_keep_their_digits() -> None:
    sizes = np.concatenate([np.logspace(-30, 38, 64), np.logspace(-1.5, 0, 64)])
    z = tensor(np.concatenate([sizes, -sizes]))[None, None]
    W_h, h_0 = torch.zeros(256, 256, device=DEVICE), torch.zeros_like(z[0])
    eps = float(np.finfo(np.float32).eps)
    for activation in ACTIVATIONS:
        found = doubles(kernels.recurrence(z, W_h, h_0, activation))[0]
        with np.errstate(under="ignore", over="ignore"):
            true = EXACT.recurrence(*doubles(z, W_h, h_0), activation)
        assert (np.abs(found - true) <= 4 * eps * np.abs(true) + np.finfo(np.float32).tiny).all(), activation


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_what_is_no_number_is_not_hidden(activation: str) -> None:
    u, W_h, h_0 = tensor(np.zeros((3, 2, 4))), tensor(np.eye(4)), tensor(np.ones((2, 4)))
    u[1, 0, 2] = float("nan")
    h = kernels.recurrence(u, W_h, h_0, activation)
    assert torch.isnan(h[2, 0, 2])
    assert not torch.isnan(h[:, 1]).any()
    dz = kernels.recurrence_gradient(torch.where(torch.isnan(u), u, 1.0), torch.ones_like(h) / 2, W_h, activation, 0.1)
    assert torch.isnan(dz[1, 0, 2])
    assert not torch.isnan(dz[2]).any()


def test_float64_runs_on_plain_operations() -> None:
    generator = np.random.default_rng(5)
    u, h_0 = normal(generator, torch.float64, 2, 3, 5), normal(generator, torch.float64, 3, 5)
    W_h = normal(generator, torch.float64, 5, 5, scale=5**-0.5)
    assert not kernels.takes(u, W_h)
    h = torch_recurrence.recurrence(u, W_h, h_0, "tanh")
    assert error(h, EXACT.recurrence(*doubles(u, W_h, h_0), "tanh")) < 1e-12
    dz = torch_recurrence.recurrence_gradient(u, h, W_h, "tanh")
    assert error(dz, EXACT.recurrence_gradient(*doubles(u, h, W_h), "tanh")) < 1e-12
