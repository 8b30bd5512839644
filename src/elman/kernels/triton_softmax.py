"""A Triton kernel for CUDA: the loss and its gradient from the logits, in two passes over them.

With TRITON_INTERPRET=1 in the environment before Triton is imported it runs on a CPU, in NumPy; the tests use that.
Only torch_softmax.py imports this file.
"""

from __future__ import annotations

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

COLUMNS = 4096
"""How many logits of a row a program reads at a time, at most."""


@triton.jit
def softmax_program(theta, y, J, delta1, V, scale, BLOCK: tl.constexpr):
    """J of a row of logits, and δ1 = scale (ŷ - y): one pass for max and Σ, another for the gradient."""
    row = tl.program_id(0).to(tl.int64)
    theta += row * V
    delta1 += row * V
    target = tl.load(y + row)
    at_target = tl.load(theta + target)
    largest = at_target
    others = at_target * 0.0  # Σ exp(θ_j - max) over j ≠ y: 1 - ŷ_y from it needs no difference of close numbers
    for start in range(0, V, BLOCK):
        j = start + tl.arange(0, BLOCK)
        block = tl.load(theta + j, mask=j < V, other=float("-inf"))
        before = largest
        largest = tl.maximum(before, tl.max(block, 0))
        others = others * tl.exp(before - largest) + tl.sum(tl.where(j == target, 0.0, tl.exp(block - largest)), 0)
    total = others + tl.exp(at_target - largest)
    exact = others.to(tl.float64) + tl.exp((at_target - largest).to(tl.float64))
    tl.store(J + row, tl.log(exact) - (at_target - largest).to(tl.float64))
    for start in range(0, V, BLOCK):
        j = start + tl.arange(0, BLOCK)
        block = tl.load(theta + j, mask=j < V, other=float("-inf"))
        gradient = tl.where(j == target, -others, tl.exp(block - largest)) * (scale / total)
        tl.store(delta1 + j, gradient.to(delta1.dtype.element_ty), mask=j < V)


def softmax_gradient(theta: Tensor, y: Tensor, scale: float, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """J [N], float64, of the logits θ [N,V], float32, and δ1 = scale (ŷ - y) [N,V]; y int [N].

    δ1 overwrites θ if its type is float32; if it is bfloat16, θ is unchanged.
    """
    N, V = theta.shape
    J = theta.new_empty(N, dtype=torch.float64)
    delta1 = theta if dtype == theta.dtype else torch.empty_like(theta, dtype=dtype)
    if N:
        with torch.cuda.device_of(theta):
            softmax_program[(N,)](theta, y, J, delta1, V, float(scale), **options(V))
    return J, delta1


def options(V: int) -> dict[str, Any]:
    """The launch options: how many logits a program reads at a time, and its number of warps."""
    block = min(COLUMNS, triton.next_power_of_2(V))
    return {"BLOCK": block, "num_warps": 8 if block > 1024 else 4, "enable_fp_fusion": True}
