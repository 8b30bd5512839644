"""The recurrence and its gradient on tensors: by Triton kernels where they run, else by plain PyTorch operations."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from elman.kernels.torch_products import input_precision, product
from elman.kernels.triton_modules import triton_module
from elman.model.activations import FUNCTIONS

APPLY: dict[str, Callable[[Tensor], Tensor]] = {
    "sigmoid": torch.Tensor.sigmoid_, "tanh": torch.Tensor.tanh_, "relu": torch.Tensor.relu_,
}  # fmt: skip
"""f in place: PyTorch's own, in one pass."""


def recurrence(u: Tensor, W_h: Tensor, h_0: Tensor, activation: str) -> Tensor:
    """h [T+1,B,Dh] from u [T,B,Dh]: h[0] = h_0, h[t+1] = f(W_h h[t] + u[t]).

    If u is float32 and W_h bfloat16, the factors of each product are bfloat16 and all else is float32.
    """
    kernels = triton_module(u.device.type, "recurrence")
    if kernels and kernels.takes(u, W_h):
        computed: Tensor = kernels.recurrence(u, W_h, h_0, activation, input_precision())
        return computed
    apply = APPLY[activation]
    h = u.new_empty((len(u) + 1, *u.shape[1:]))
    h[0] = h_0
    for t in range(len(u)):
        apply(product(h[t].to(W_h.dtype), W_h.T, plus=u[t], out=h[t + 1]))  # h = f(W_h h^(t-1) + W_e e + b_1)
    return h


def recurrence_gradient(dh: Tensor, h: Tensor, W_h: Tensor, activation: str, cut: float = 0.0) -> Tensor:
    """dz [T,B,Dh]: dz[t] = (dh[t] + dz[t+1] W_h) ∘ f'(z[t]), f' from h[t+1]; the sum clipped to ±cut where cut > 0."""
    kernels = triton_module(dh.device.type, "recurrence")
    if kernels and kernels.takes(dh, W_h):
        computed: Tensor = kernels.recurrence_gradient(dh, h, W_h, activation, cut, input_precision())
        return computed
    dz: Tensor = FUNCTIONS[activation].derivative(h[1:])  # f'(z) from h
    for t in range(len(dh) - 1, -1, -1):
        # γ^(t) = dh^(t) + δ2^(t+1) W_h
        gamma = product(dz[t + 1].to(W_h.dtype), W_h, plus=dh[t]) if t < len(dh) - 1 else dh[t]
        dz[t] *= gamma.clamp(-cut, cut) if cut else gamma
    return dz
