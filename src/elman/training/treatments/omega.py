"""Pascanu's regulariser Ω: the error should keep its length in the backward pass through time.

With γ^(i) = ∂J/∂h^(i), dz^(i) = γ^(i) ∘ σ'(z^(i)), and the part of it that goes on, dz^(i) W_h = γ^(i) ∂h^(i)/∂h^(i-1),
a row for each sequence,

    q^(i) = ‖dz^(i) W_h‖ / ‖γ^(i)‖
    ratio     Ω = mean over i and the sequences of (q^(i) - 1)²      (Pascanu, Mikolov and Bengio 2013, eq. 9)
    squared   Ω = mean of (q^(i)² - 1)²                              (their released code)

(Theirs is a sum over i, in the code divided by the number of steps; here it is the mean, so that the weight means
the same at every length.) The gradient is the immediate one of their eq. 10, with γ and dz held constant and W_h alone
varied; it is exact for that:

    ∂⁺Ω/∂W_h = Σ c^(i) dz^(i)T (dz^(i) W_h)      c = 2 (q - 1) / (q ‖γ‖²) or 4 (q² - 1) / ‖γ‖², over how many there are

It costs two products of T·B rows.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from elman.kernels import Kernels

Floats = NDArray[np.floating[Any]]

SMALLEST_SQUARE = 1e-20
"""Rows with ‖γ‖² under this are left out, as in the released code: their ratio is that of two roundings."""


def omega(
    dz: Floats, dh: Floats, W_h: Floats, kernels: Kernels, form: str = "ratio"
) -> tuple[float, Floats]:  # fmt: skip
    """Ω, and ∂⁺Ω/∂W_h [Dh,Dh].

    dz [T,B,Dh] = ∂J/∂z; dh [T,B,Dh], each step's own ∂J^(t)/∂h^(t), so that γ^(i) = dh^(i) + dz^(i+1) W_h.
    form: ratio or squared. Both results are 0 where every row of γ is too short to measure.
    """
    T, B, Dh = dz.shape
    rows = dz.reshape(T * B, Dh)
    onward = kernels.product(rows, W_h).reshape(T, B, Dh)  # dz W_h
    gamma = dh.astype(np.float64)
    gamma[:-1] += onward[1:]
    squares = np.vecdot(gamma, gamma)  # ‖γ‖², [T,B]
    measured = squares > SMALLEST_SQUARE
    count = int(measured.sum())
    if not count:
        return 0.0, np.zeros_like(W_h)
    wide = onward.astype(np.float64)
    squares[~measured] = 1.0
    q2 = np.where(measured, np.vecdot(wide, wide) / squares, 1.0)
    if form == "squared":
        value, factor = (q2 - 1) ** 2, 4 * (q2 - 1)
    else:
        q = np.sqrt(q2)
        value = (q - 1) ** 2
        factor = 2 * (q - 1) / np.where(q > 0, q, 1.0)  # at q = 0 dz W_h is 0, and so is the gradient
    c = factor / squares / count  # up to 1/SMALLEST_SQUARE, and dz as small: multiplied in float64
    scaled = (dz * c[..., None]).astype(dz.dtype).reshape(T * B, Dh)
    return float(value.sum() / count), kernels.product(scaled, onward.reshape(T * B, Dh), a_transposed=True)
