"""SGD and Adam on tensors.

Rates and factors are numbers of the host or of the device; nothing waits for those of the device.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import torch
from torch import Tensor

from elman.kernels.triton_modules import triton_module

Number: TypeAlias = float | Tensor  # type: ignore[misc,unused-ignore]  # PyTorch is not there for the type checker


def sgd(w: Tensor, g: Tensor, rate: Number, rows: Tensor | None = None) -> None:
    """w ← w - rate g, in place; or w[rows] alone, where g has only those rows and no row occurs twice.

    Nothing is changed where rate is 0, whatever g is, nor in rows below 0.
    """
    kernels = triton_module(w.device.type, "update")
    if kernels and kernels.takes(w, rate):
        kernels.sgd(w, g, rate, rows)
        return
    step = torch.where(rate != 0, g * rate, 0) if isinstance(rate, Tensor) else g * rate
    if rows is None:
        w.sub_(step)
    else:
        w[rows] -= torch.where((rows >= 0)[:, None], step, 0)


def adam(
    w: Tensor, g: Tensor, m: Tensor, v: Tensor, rate: Number, beta: tuple[float, float], eps: Number, scale: Number,
    rows: Tensor | None = None,
) -> None:  # fmt: skip
    """Adam's step in place on the gradient scale·g, called g here; only on these rows of w, m and v, if given.

    m ← β1 m + (1-β1) g    v ← β2 v + (1-β2) g²    w ← w - rate m/(√v + ε)

    Nothing is changed where scale is 0, whatever g is, nor in rows below 0.
    """
    kernels = triton_module(w.device.type, "update")
    if kernels and kernels.takes(w, scale):
        kernels.adam(w, g, m, v, rate, beta, eps, scale, rows)
        return
    if rows is None:
        _adam(w, g, m, v, rate, beta, eps, scale, None)
        return
    parts = [array[rows] for array in (w, m, v)]
    _adam(parts[0], g, parts[1], parts[2], rate, beta, eps, scale, (rows >= 0)[:, None])
    for array, part in zip((w, m, v), parts, strict=True):
        array[rows] = part


def _adam(
    w: Tensor, g: Tensor, m: Tensor, v: Tensor, rate: Number, beta: tuple[float, float], eps: Number, scale: Number,
    changed: Any,
) -> None:  # fmt: skip
    """Adam on whole arrays, only where `changed` (None: everywhere)."""
    if isinstance(scale, Tensor):
        changed = scale > 0 if changed is None else changed & (scale > 0)
    g = g * scale
    m_ = beta[0] * m + (1 - beta[0]) * g
    v_ = beta[1] * v + (1 - beta[1]) * g * g
    w_ = w - rate * m_ / (v_.sqrt() + eps)
    for old, new in ((w, w_), (m, m_), (v, v_)):
        old.copy_(new if changed is None else torch.where(changed, new, old))
