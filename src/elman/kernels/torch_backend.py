"""The recurrence in plain PyTorch operations, on any device and in any precision that they know.

Only `elman.torch` comes here: nothing on the plain path imports PyTorch.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

ACTIVATE: dict[str, Callable[[Tensor], Tensor]] = {
    "sigmoid": torch.Tensor.sigmoid_, "tanh": torch.Tensor.tanh_, "relu": torch.Tensor.relu_,
}  # fmt: skip


def activation_gradient(h: Tensor, activation: str) -> Tensor:
    """f'(z), told from h = f(z) alone: h∘(1-h), 1-h∘h, or 1 where h > 0."""
    if activation == "sigmoid":
        return h * (1 - h)
    if activation == "tanh":
        return 1 - h * h
    return (h > 0).to(h.dtype)


def recurrence(u: Tensor, W_h: Tensor, h_0: Tensor, activation: str) -> Tensor:
    """h [T+1,B,Dh] from u [T,B,Dh]: h[0] = h_0, h[t+1] = f(W_h h[t] + u[t])."""
    activate = ACTIVATE[activation]
    h = u.new_empty((len(u) + 1, *u.shape[1:]))
    h[0] = h_0
    for t in range(len(u)):
        activate(torch.addmm(u[t], h[t], W_h.T, out=h[t + 1]))  # z = W_h h^(t-1) + W_e e + b_1
    return h


def recurrence_gradient(dh: Tensor, h: Tensor, W_h: Tensor, activation: str) -> Tensor:
    """dz [T,B,Dh]: dz[t] = (dh[t] + dz[t+1] W_h) ∘ f'(z[t]), f' taken from h[t+1]."""
    dz = activation_gradient(h[1:], activation)
    dz[-1] *= dh[-1]
    for t in range(len(dh) - 2, -1, -1):
        dz[t] *= torch.addmm(dh[t], dz[t + 1], W_h)  # γ^(t) = dh^(t) + δ2^(t+1) W_h
    return dz
