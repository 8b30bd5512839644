"""Shared by the Triton kernels of the recurrence: f, f' and the product of two tiles (f: model/activations.py)."""

from __future__ import annotations

import triton
import triton.language as tl


@triton.jit
def activate(z, ACTIVATION: tl.constexpr):
    """f(z), without overflow for any z; NaN where z is NaN."""
    if ACTIVATION == "relu":
        return tl.where(z < 0, 0.0, z)
    if ACTIVATION == "sigmoid":
        e = tl.exp(-tl.abs(z))
        return tl.where(z < 0, e, 1.0) / (1.0 + e)
    e = tl.exp(-2.0 * tl.abs(z))
    far = (1.0 - e) / (1.0 + e)
    small = tl.where(tl.abs(z) < 0.1, z, 0.0)  # there 1 - e would subtract two close numbers
    s = small * small
    near = small * (1.0 + s * (-1 / 3 + s * (2 / 15 - s * (17 / 315))))
    return tl.where(tl.abs(z) < 0.1, near, tl.where(z < 0, -far, far))


@triton.jit
def derivative(h, ACTIVATION: tl.constexpr):
    """f'(z) from h = f(z)."""
    if ACTIVATION == "relu":
        return tl.where(h > 0, 1.0, 0.0)
    if ACTIVATION == "sigmoid":
        return h * (1.0 - h)
    return 1.0 - h * h


@triton.jit
def dot(x, M, PRECISION: tl.constexpr, WIDEN: tl.constexpr):
    """x M of two tiles: factors in the type of M, sums in float32."""
    x = x.to(M.dtype)
    if WIDEN:  # the interpreter reads bfloat16 as integers; products of two bfloat16 are exact in float32
        return tl.dot(x.to(tl.float32), M.to(tl.float32), input_precision="ieee")
    return tl.dot(x, M, input_precision=PRECISION)


INTERPRETED = not isinstance(activate, triton.JITFunction)
"""Whether the kernels of this process run in Triton's interpreter, on a CPU."""
