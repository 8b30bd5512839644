"""Triton kernels for CUDA: all T steps of the recurrence, or of its gradient, in one launch.

Rows of a batch do not depend on each other, so a program computes a tile of rows through all T steps: it waits for no
other program, and the state stays in registers from one step to the next. This works while one program's registers hold
the states and the sums of its rows, [ROWS,Dh] each: up to WIDEST units. W_h stays in registers too if it fits; else it
is read tile by tile at every step. More units go to triton_wide.py, where programs do wait for each other. (The gain on
a GPU has not been measured.)

With TRITON_INTERPRET=1 in the environment before Triton is imported the same kernels run on a CPU, in NumPy; the tests
use that. Only torch_recurrence.py imports this file, for tensors that these kernels take.
"""

from __future__ import annotations

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

from elman.kernels import triton_wide
from elman.kernels.triton_functions import INTERPRETED, activate, derivative, dot

WIDEST = 256
"""The most units: at 512, states, sums and a strip of W_h spill some 300 bytes a thread (ptxas, sm_90, 16 warps)."""
TYPES = {(torch.float32, torch.float32), (torch.bfloat16, torch.bfloat16), (torch.float32, torch.bfloat16)}
"""The supported types of the states and of W_h."""
ROWS = 16
"""Sequences of a program: the fewest rows of a product on tensor cores."""


@triton.jit
def _matrix(M, k, along, across, Dh, K: tl.constexpr, D: tl.constexpr):
    """Rows k to k + K of a matrix [Dh,Dh] whose entry (i, j) is at along·i + across·j: [K,D], 0 outside."""
    i, j = k + tl.arange(0, K)[:, None], tl.arange(0, D)[None, :]
    return tl.load(M + i * along + j * across, mask=(i < Dh) & (j < Dh), other=0.0)


@triton.jit
def _product(
    x, M, whole, along, across, Dh, K: tl.constexpr, D: tl.constexpr,
    PRECISION: tl.constexpr, WIDEN: tl.constexpr,
):  # fmt: skip
    """x M [ROWS,D] for x [ROWS,D] float32, in M's own type with float32 sums; `whole` is M where K is all of D."""
    if K == D:
        total = dot(x, whole, PRECISION, WIDEN)
    else:
        parts = tl.reshape(x, (x.shape[0], D // K, K))
        part = tl.arange(0, D // K)[None, :, None]
        total = tl.zeros_like(x)
        for p in range(D // K):
            x_p = tl.sum(tl.where(part == p, parts, 0.0), 1)  # the p-th K columns: registers cannot be indexed
            total += dot(x_p, _matrix(M, p * K, along, across, Dh, K, D), PRECISION, WIDEN)
    return total


@triton.jit
def recurrence_program(
    u, W_h, h, T, B, Dh, along, across, D: tl.constexpr, K: tl.constexpr,
    ROWS: tl.constexpr, ACTIVATION: tl.constexpr, PRECISION: tl.constexpr, WIDEN: tl.constexpr,
):  # fmt: skip
    """h[t+1] = f(u[t] + h[t] W_h^T) for t = 0 … T-1; u [T,B,Dh], h [T+1,B,Dh] with h[0] given."""
    b, j = tl.program_id(0) * ROWS + tl.arange(0, ROWS)[:, None], tl.arange(0, D)[None, :]
    at, inside = b * Dh + j, (b < B) & (j < Dh)
    whole = _matrix(W_h, 0, along, across, Dh, K, D)
    h_t = tl.load(h + at, mask=inside, other=0.0).to(tl.float32)
    for _ in range(T):
        z = tl.load(u + at, mask=inside, other=0.0).to(tl.float32)
        z += _product(h_t, W_h, whole, along, across, Dh, K, D, PRECISION, WIDEN)
        h_t = activate(z, ACTIVATION)
        u += B * Dh  # pointers are advanced, since T·B·Dh may exceed 32 bits
        h += B * Dh
        tl.store(h + at, h_t.to(h.dtype.element_ty), mask=inside)


@triton.jit
def recurrence_gradient_program(
    dh, h, W_h, dz, T, B, Dh, along, across, cut, D: tl.constexpr,
    K: tl.constexpr, ROWS: tl.constexpr, ACTIVATION: tl.constexpr, CUT: tl.constexpr, PRECISION: tl.constexpr,
    WIDEN: tl.constexpr,
):  # fmt: skip
    """dz[t] = (dh[t] + dz[t+1] W_h) ∘ f'(from h[t+1]) for t = T-1 … 0, clipped to ±cut if CUT.

    The pointers are those of t = T-1.
    """
    b, j = tl.program_id(0) * ROWS + tl.arange(0, ROWS)[:, None], tl.arange(0, D)[None, :]
    at, inside = b * Dh + j, (b < B) & (j < Dh)
    whole = _matrix(W_h, 0, along, across, Dh, K, D)
    dz_t = tl.zeros((ROWS, D), tl.float32)
    for _ in range(T):
        gamma = tl.load(dh + at, mask=inside, other=0.0).to(tl.float32)
        gamma += _product(dz_t, W_h, whole, along, across, Dh, K, D, PRECISION, WIDEN)  # γ^(t) = dh^(t) + δ2^(t+1) W_h
        if CUT:
            gamma = tl.where(gamma > cut, cut, tl.where(gamma < -cut, -cut, gamma))  # NaN stays NaN
        dz_t = gamma * derivative(tl.load(h + at, mask=inside, other=0.0).to(tl.float32), ACTIVATION)
        tl.store(dz + at, dz_t.to(dz.dtype.element_ty), mask=inside)
        dh -= B * Dh
        dz -= B * Dh
        h -= B * Dh


def takes(u: Tensor, W_h: Tensor) -> bool:
    """Whether these kernels do a recurrence of these types and sizes.

    All float32 or all bfloat16, or u, h and their gradients float32 and W_h bfloat16; up to WIDEST units, or what
    fits triton_wide.py.
    """
    if (u.dtype, W_h.dtype) not in TYPES:
        return False
    return len(W_h) <= WIDEST or triton_wide.takes(u, W_h)


def recurrence(u: Tensor, W_h: Tensor, h_0: Tensor, activation: str, precision: str = "ieee") -> Tensor:
    """h [T+1,B,Dh] from u [T,B,Dh]: h[0] = h_0, h[t+1] = f(W_h h[t] + u[t]).

    h has the type of u, float32 or bfloat16. If W_h is bfloat16, both factors of each product are; sums and all else
    are float32. precision: ieee, or tf32 for factors of float32 rounded to 10 bits.
    """
    u = u.contiguous()
    T, B, Dh = u.shape
    h = u.new_empty((T + 1, B, Dh))
    h[0] = h_0
    if u.numel():
        with torch.cuda.device_of(u):
            (triton_wide.fill if Dh > WIDEST else _fill)(u, W_h, h, activation, precision)
    return h


def recurrence_gradient(
    dh: Tensor, h: Tensor, W_h: Tensor, activation: str, cut: float = 0.0, precision: str = "ieee"
) -> Tensor:
    """dz [T,B,Dh]: dz[t] = (dh[t] + dz[t+1] W_h) ∘ f'(z[t]), f' from h[t+1]; the sum clipped to ±cut if cut > 0."""
    dh, h = dh.contiguous(), h.contiguous()
    dz = torch.empty_like(dh)
    if dz.numel():
        fill = triton_wide.fill_gradient if len(W_h) > WIDEST else _fill_gradient
        with torch.cuda.device_of(dh):
            fill(dh, h, W_h, dz, activation, float(cut), precision)
    return dz


def _fill(u: Tensor, W_h: Tensor, h: Tensor, activation: str, precision: str) -> None:
    """h[1:] from h[0] and u."""
    T, B, Dh = u.shape
    across, along = W_h.stride()  # entry (i, j) of W_h^T
    recurrence_program[(triton.cdiv(B, ROWS),)](
        u, W_h, h, T, B, Dh, along, across, ACTIVATION=activation, **options(W_h, precision)
    )


def _fill_gradient(
    dh: Tensor, h: Tensor, W_h: Tensor, dz: Tensor, activation: str, cut: float, precision: str
) -> None:  # fmt: skip
    """dz from dh and h."""
    T, B, Dh = dh.shape
    along, across = W_h.stride()
    recurrence_gradient_program[(triton.cdiv(B, ROWS),)](
        dh[-1], h[-1], W_h, dz[-1], T, B, Dh, along, across, cut, ACTIVATION=activation, CUT=cut > 0,
        **options(W_h, precision),
    )  # fmt: skip


def options(W_h: Tensor, precision: str) -> dict[str, Any]:
    """The launch options: K, how many rows of W_h a product reads at a time, and the number of warps.

    Chosen by the reports of ptxas for sm_80 and sm_90: a thread spills 32 bytes at most, at 256 units.
    """
    D, half = max(16, triton.next_power_of_2(len(W_h))), W_h.dtype == torch.bfloat16
    on_tensor_cores = half or precision != "ieee"
    at_once = 128 if on_tensor_cores else 64
    K = D if at_once >= D else 32 if half else 16
    return {
        "D": D, "K": K, "ROWS": ROWS, "PRECISION": precision, "WIDEN": half and INTERPRETED,
        "num_warps": 16 if D == WIDEST else 8, "enable_fp_fusion": True,
    }  # fmt: skip
