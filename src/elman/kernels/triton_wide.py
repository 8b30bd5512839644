"""Triton kernels for CUDA: the recurrence of many units and its gradient, all T steps in one launch.

A program computes a tile of rows and units through all steps. Each unit needs all units of the step before, so between
steps programs wait for each other: only those of the same rows, since rows of a batch do not depend on each other. The
state passes from program to program through global memory.

Programs that wait for each other must all run at once. So there are no more of them than the GPU has multiprocessors,
and the launch is cooperative: CUDA refuses it if they do not fit, and never starts only some. The host never waits.

Triton's interpreter runs one program after another, so there each step is a launch of its own.
"""

from __future__ import annotations

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

from elman.kernels.triton_functions import INTERPRETED, activate, derivative, dot

TILES = ((16, 16), (16, 32), (32, 32), (32, 64), (64, 64))
"""Rows and units of a program: 16 is the minimum of a product on tensor cores, and squares read the least memory."""
STRIP = 16 * 1024
"""Bytes of the state and of W_h that a program reads at a time, at most."""
PROCESSORS = 132
"""Multiprocessors assumed in Triton's interpreter, without a GPU."""


@triton.jit
def _place(B, Dh, ROWS: tl.constexpr, COLS: tl.constexpr):
    """A program's tile of rows, the number of tiles of units, and its rows [ROWS] and units [COLS]."""
    tiles = tl.cdiv(Dh, COLS)
    rows = tl.program_id(0) // tiles
    b, j = rows * ROWS + tl.arange(0, ROWS), tl.program_id(0) % tiles * COLS + tl.arange(0, COLS)
    return rows, tiles, b, j


@triton.jit
def _product(
    x, M, b, j, B, Dh, width, along, across, ROWS: tl.constexpr, COLS: tl.constexpr, K: tl.constexpr,
    PRECISION: tl.constexpr, WIDEN: tl.constexpr,
):  # fmt: skip
    """Σ_k x_bk M_kj [ROWS,COLS] over k < width, for x [B,Dh] and M [Dh,Dh] in memory; M_kj at along·k + across·j.

    Other programs wrote x, so it is read past the first-level cache, which may hold old values.
    """
    total = tl.zeros((ROWS, COLS), tl.float32)
    b, j = b[:, None], j[None, :]
    for start in range(0, width, K):
        k = start + tl.arange(0, K)
        x_k = tl.load(x + b * Dh + k[None, :], (b < B) & (k[None, :] < Dh), 0.0, cache_modifier=".cg")  # [ROWS,K]
        k = k[:, None]
        total += dot(x_k, tl.load(M + k * along + j * across, (k < Dh) & (j < Dh), 0.0), PRECISION, WIDEN)
    return total


@triton.jit
def _wait(arrived, count):
    """Waits until this many programs have arrived: all may then read what each stored before."""
    tl.debug_barrier()  # every thread of this program has stored
    tl.atomic_add(arrived, 1, sem="release", scope="gpu")
    while tl.atomic_add(arrived, 0, sem="acquire", scope="gpu") < count:  # Triton compiles this to a load
        pass
    tl.debug_barrier()


@triton.jit
def recurrence_program(
    u, W_h, h, arrived, first, last, B, Dh, along, across, ROWS: tl.constexpr, COLS: tl.constexpr, K: tl.constexpr,
    ACTIVATION: tl.constexpr, PRECISION: tl.constexpr, WIDEN: tl.constexpr,
):  # fmt: skip
    """h[t+1] = f(u[t] + h[t] W_h^T) for t = first … last-1. The pointers are u[first] and h[first]."""
    rows, tiles, b, j = _place(B, Dh, ROWS, COLS)
    at, inside = b[:, None] * Dh + j[None, :], (b < B)[:, None] & (j < Dh)[None, :]
    for t in range(first, last):
        z = tl.load(u + at, inside, 0.0).to(tl.float32)
        z += _product(h, W_h, b, j, B, Dh, Dh, along, across, ROWS, COLS, K, PRECISION, WIDEN)
        u += B * Dh  # pointers are advanced, since T·B·Dh may exceed 32 bits
        h += B * Dh
        tl.store(h + at, activate(z, ACTIVATION).to(h.dtype.element_ty), inside)
        if t + 1 < last:
            _wait(arrived + rows, (t + 1) * tiles)


@triton.jit
def recurrence_gradient_program(
    dh, h, W_h, dz, arrived, first, last, B, Dh, along, across, cut, ROWS: tl.constexpr, COLS: tl.constexpr,
    K: tl.constexpr, ACTIVATION: tl.constexpr, CUT: tl.constexpr, PRECISION: tl.constexpr, WIDEN: tl.constexpr,
):  # fmt: skip
    """dz[t] = (dh[t] + dz[t+1] W_h) ∘ f'(from h[t+1]), clipped to ±cut if CUT, for t = T-1-s, s = first … last-1.

    The pointers are dh[t], h[t+1] and dz[t] for s = first.
    """
    rows, tiles, b, j = _place(B, Dh, ROWS, COLS)
    at, inside = b[:, None] * Dh + j[None, :], (b < B)[:, None] & (j < Dh)[None, :]
    for s in range(first, last):
        gamma = tl.load(dh + at, inside, 0.0).to(tl.float32)
        width = Dh if s > 0 else 0  # no gradient arrives from after the last step
        gamma += _product(dz + B * Dh, W_h, b, j, B, Dh, width, along, across, ROWS, COLS, K, PRECISION, WIDEN)
        if CUT:
            gamma = tl.where(gamma > cut, cut, tl.where(gamma < -cut, -cut, gamma))  # NaN stays NaN
        dz_t = gamma * derivative(tl.load(h + at, inside, 0.0).to(tl.float32), ACTIVATION)
        tl.store(dz + at, dz_t.to(dz.dtype.element_ty), inside)
        dh -= B * Dh
        dz -= B * Dh
        h -= B * Dh
        if s + 1 < last:
            _wait(arrived + rows, (s + 1) * tiles)


def takes(u: Tensor, W_h: Tensor) -> bool:
    """Whether the programs for this many rows and units fit the device of u [T,B,Dh]."""
    return tile(u.shape[1], len(W_h), processors(u)) is not None


def fill(u: Tensor, W_h: Tensor, h: Tensor, activation: str, precision: str) -> None:
    """h[1:] from h[0] and u, for `triton_recurrence.recurrence`."""
    T, B, Dh = u.shape
    across, along = W_h.stride()  # entry (k, j) of W_h^T
    chosen = options(u, W_h, precision)
    programs, arrived = grid(u, chosen)
    for first, last in launches(T):
        recurrence_program[programs](
            u[first], W_h, h[first], arrived, first, last, B, Dh, along, across, ACTIVATION=activation, **chosen
        )


def fill_gradient(
    dh: Tensor, h: Tensor, W_h: Tensor, dz: Tensor, activation: str, cut: float, precision: str
) -> None:  # fmt: skip
    """dz from dh and h, for `triton_recurrence.recurrence_gradient`."""
    T, B, Dh = dh.shape
    along, across = W_h.stride()
    chosen = options(dh, W_h, precision)
    programs, arrived = grid(dh, chosen)
    for first, last in launches(T):
        t = T - 1 - first
        recurrence_gradient_program[programs](
            dh[t], h[t + 1], W_h, dz[t], arrived, first, last, B, Dh, along, across, cut, ACTIVATION=activation,
            CUT=cut > 0, **chosen,
        )  # fmt: skip


def launches(T: int) -> list[tuple[int, int]]:
    """The steps (first, last) of each launch: all in one; in the interpreter one each, so that no program waits."""
    return [(t, t + 1) for t in range(T)] if INTERPRETED else [(0, T)]


def grid(u: Tensor, chosen: dict[str, Any]) -> tuple[tuple[int], Tensor]:
    """The number of programs, and for each tile of rows the number of programs that have arrived: 0."""
    _, B, Dh = u.shape
    rows = triton.cdiv(B, chosen["ROWS"])
    return (rows * triton.cdiv(Dh, chosen["COLS"]),), torch.zeros(rows, dtype=torch.int32, device=u.device)


def processors(u: Tensor) -> int:
    """The number of multiprocessors of the device of u."""
    if u.device.type != "cuda":
        return PROCESSORS
    return int(torch.cuda.get_device_properties(u.device).multi_processor_count)


def tile(B: int, Dh: int, processors: int) -> tuple[int, int] | None:
    """Rows and units of a program: the smallest tile whose programs all run at once; None if there is none."""
    room = (each for each in TILES if triton.cdiv(B, each[0]) * triton.cdiv(Dh, each[1]) <= processors)
    return next(room, None)


def options(u: Tensor, W_h: Tensor, precision: str) -> dict[str, Any]:
    """The launch options: K, how many units of the step before a product reads at a time, and the pipeline's stages.

    Chosen by the reports of ptxas for sm_80 and sm_90: a thread spills 24 bytes at most. Pipelined copies bypass the
    first-level cache only if each has 16 bytes, which Triton knows if Dh is a multiple of 16; other sizes have no
    pipeline.
    """
    smallest = tile(u.shape[1], len(W_h), processors(u))
    assert smallest is not None, "`takes` was asked before"
    ROWS, COLS = smallest
    half = W_h.dtype == torch.bfloat16
    most = STRIP // (ROWS * u.element_size() + COLS * W_h.element_size())
    if not half and precision == "ieee":  # without tensor cores all K products of a sum are unrolled
        most = min(most, 2**16 // (ROWS * COLS))
    return {
        "ROWS": ROWS, "COLS": COLS, "K": min(128, 2 ** (most.bit_length() - 1)), "PRECISION": precision,
        "WIDEN": half and INTERPRETED, "num_warps": 8, "num_stages": 1 if len(W_h) % 16 else 4,
        "enable_fp_fusion": True, "launch_cooperative_grid": True,
    }  # fmt: skip
