"""Triton kernels for CUDA: SGD and Adam, each in one pass, with rates and factors that stay on the device.

With TRITON_INTERPRET=1 in the environment before Triton is imported they run on a CPU, in NumPy; the tests use that.
Only torch_update.py imports this file.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

BLOCK = 1024
"""How many numbers a program updates."""
OPTIONS = {"BLOCK": BLOCK, "num_warps": 4, "enable_fp_fusion": True}


@triton.jit
def _place(index, width, blocks, ROWS: tl.constexpr, BLOCK: tl.constexpr):
    """The row that a program updates, the offsets it reads in g and writes in w, and which are inside the row."""
    program = tl.program_id(0).to(tl.int64)
    row, j = program // blocks, program % blocks * BLOCK + tl.arange(0, BLOCK)
    target = row
    if ROWS:
        target = tl.load(index + row)
    return target, row * width + j, target * width + j, j < width


@triton.jit
def sgd_program(w, g, index, rate, width, blocks, ROWS: tl.constexpr, BLOCK: tl.constexpr):
    """w ← w - rate g, unless rate is 0."""
    row, read, write, inside = _place(index, width, blocks, ROWS, BLOCK)
    step = tl.load(rate).to(tl.float32)
    if row >= 0 and step != 0:
        tl.store(w + write, tl.load(w + write, mask=inside) - step * tl.load(g + read, mask=inside), mask=inside)


@triton.jit
def adam_program(
    w, g, m, v, index, rate, eps, scale, beta_1, rest_1, beta_2, rest_2, width, blocks,
    ROWS: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """m ← β1 m + (1-β1) g    v ← β2 v + (1-β2) g²    w ← w - rate m/(√v + ε), with scale·g as g; not if scale is 0."""
    row, read, write, inside = _place(index, width, blocks, ROWS, BLOCK)
    factor = tl.load(scale).to(tl.float32)
    if row >= 0 and factor > 0:
        g_ = tl.load(g + read, mask=inside) * factor
        m_ = beta_1 * tl.load(m + write, mask=inside) + rest_1 * g_
        v_ = beta_2 * tl.load(v + write, mask=inside) + rest_2 * g_ * g_
        step = tl.load(rate).to(tl.float32) * m_ / (tl.sqrt(v_) + tl.load(eps).to(tl.float32))
        tl.store(w + write, tl.load(w + write, mask=inside) - step, mask=inside)
        tl.store(m + write, m_, mask=inside)
        tl.store(v + write, v_, mask=inside)


def takes(w: Tensor, factor: object) -> bool:
    """Whether these kernels do an update: float32 and contiguous weights, and a rate or factor on the device."""
    return w.dtype == torch.float32 and w.is_contiguous() and isinstance(factor, Tensor)


def sgd(w: Tensor, g: Tensor, rate: Tensor, rows: Tensor | None) -> None:
    """w ← w - rate g, in place; only in these rows, if given, and in none below 0; nothing if rate is 0."""
    programs, width, blocks = _sizes(w, rows)
    if programs:
        with torch.cuda.device_of(w):
            sgd_program[(programs,)](w, g.contiguous(), rows, rate, width, blocks, ROWS=rows is not None, **OPTIONS)


def adam(
    w: Tensor, g: Tensor, m: Tensor, v: Tensor, rate: Tensor, beta: tuple[float, float], eps: Tensor, scale: Tensor,
    rows: Tensor | None,
) -> None:  # fmt: skip
    """Adam's step in place, as in `torch_update.adam`; rate, ε and scale are float64 [] on the device."""
    programs, width, blocks = _sizes(w, rows)
    if programs:
        with torch.cuda.device_of(w):
            adam_program[(programs,)](
                w, g.contiguous(), m, v, rows, rate, eps, scale, beta[0], 1 - beta[0], beta[1], 1 - beta[1],
                width, blocks, ROWS=rows is not None, **OPTIONS,
            )  # fmt: skip


def _sizes(w: Tensor, rows: Tensor | None) -> tuple[int, int, int]:
    """The number of programs; the numbers in a row (without rows: in the array), and the programs for each row."""
    width = w.numel() if rows is None else w[0].numel()
    blocks = triton.cdiv(width, BLOCK)
    return (blocks if rows is None else len(rows) * blocks), width, blocks
