"""The output layer on tensors: loss and gradients from the logits, which exist only a chunk at a time."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from elman.kernels.numpy_kernels import LOGITS_BYTES
from elman.kernels.torch_products import factor, product
from elman.kernels.triton_modules import triton_module

DEVICE_LOGITS_BYTES = 256 * 2**20
"""The memory of a chunk of logits on a device, whose products want many rows; LOGITS_BYTES on a CPU."""


def softmax_cross_entropy(
    h: Tensor, U: Tensor, b_2: Tensor, y: Tensor, scale: float, precision: str
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """J [N] and scale times dh [N,Dh], dU [V,Dh], db_2 [V]."""
    J, dh = h.new_empty(len(h), dtype=torch.float64), torch.empty_like(h)
    dU, db_2 = torch.zeros_like(U), torch.zeros_like(b_2)
    h_, U_ = factor(h, precision), factor(U, precision)
    for part, theta in _logits(h_, U_, b_2):
        J[part], delta1 = _to_delta1(theta, y[part], scale, U_.dtype)
        product(delta1, U_, out=dh[part])  # ∂J/∂h = δ1 U
        product(delta1.T, h_[part], plus=dU, out=dU)  # ∂J/∂U = δ1^T h^T
        db_2 += delta1.sum(0, dtype=db_2.dtype)  # ∂J/∂b_2 = δ1^T 1_B
    return J, dh, dU, db_2


def cross_entropy(h: Tensor, U: Tensor, b_2: Tensor, y: Tensor, precision: str) -> Tensor:
    """J [N], float64."""
    logits = _logits(factor(h, precision), factor(U, precision), b_2)
    return torch.cat([_to_J(theta, y[part])[0] for part, theta in logits])


def cross_entropy_gradient(h: Tensor, U: Tensor, b_2: Tensor, y: Tensor, precision: str) -> tuple[Tensor, Tensor]:
    """J [N], float64, and dh = (ŷ - y) U [N,Dh]."""
    J, dh = h.new_empty(len(h), dtype=torch.float64), torch.empty_like(h)
    U_ = factor(U, precision)
    for part, theta in _logits(factor(h, precision), U_, b_2):
        J[part], delta1 = _to_delta1(theta, y[part], 1.0, U_.dtype)
        product(delta1, U_, out=dh[part])
    return J, dh


def _logits(h: Tensor, U: Tensor, b_2: Tensor) -> Iterator[tuple[slice, Tensor]]:
    """θ = U h + b_2 for a chunk of the rows of h at a time, and which rows they are."""
    limit = LOGITS_BYTES if h.device.type == "cpu" else DEVICE_LOGITS_BYTES
    at_once = max(1, limit // (len(U) * b_2.element_size()))
    chunks = -(-len(h) // at_once)
    rows = -(-len(h) // chunks)  # chunks of even size
    for start in range(0, len(h), rows):
        part = slice(start, min(start + rows, len(h)))
        yield part, product(h[part], U.T, plus=b_2)


def _to_J(theta: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """J and Σ exp(θ - max θ) of each row; θ becomes exp(θ - max θ), so that nothing overflows."""
    theta -= theta.amax(1, keepdim=True)
    at_target = theta.gather(1, y[:, None]).squeeze(1).double()
    total = theta.exp_().sum(1)
    return total.double().log() - at_target, total


def _to_delta1(theta: Tensor, y: Tensor, scale: float, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """J of each row and δ1 = scale (ŷ - y) in this type, in the memory of θ if the types agree."""
    kernels = triton_module(theta.device.type, "softmax")
    if kernels and theta.dtype == torch.float32:
        computed: tuple[Tensor, Tensor] = kernels.softmax_gradient(theta, y, scale, dtype)
        return computed
    J, total = _to_J(theta, y)
    theta *= (scale / total)[:, None]
    at_target = torch.expm1(-J) * scale  # ŷ - 1, without subtracting two close numbers
    return J, theta.scatter_(1, y[:, None], at_target.to(theta.dtype)[:, None]).to(dtype)
