"""All δ^(t,i) = ∂J^(t)/∂z^(i), one lag k = t - i after the other and every t at once, scales kept as logarithms.

    δ^(t,t) = dh^(t) ∘ σ'(z^(t))        γ^(t,i) = δ^(t,i+1) W_h        δ^(t,i) = γ^(t,i) ∘ σ'(z^(i))

(docs/derivation.md, section 6.) A layer below others has their part in γ^(t,i) besides: δ^(t,i) W_e of the layer above,
through all paths (section 11). Going from lag k to k+1 is one product over the (T-k)·B rows of lag k, and the same
product gives ∂J^(t)/∂e^(i) = δ^(t,i) W_e. Each row t is a mantissa times a power of two of its own, so nothing
overflows and nothing rounds to zero at any lag; scaling by powers of two is exact.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from elman.gradient_flow.trajectory import Doubles, Floats, Trajectory
from elman.representation import short_repr

RANGE = 2.0**40
"""A row is rescaled when the square of its norm leaves [1/RANGE, RANGE]."""
NEAR = 8
"""Weights whose largest entry is within 2^±NEAR are used unscaled: one step with them cannot leave the range."""
SMALLEST_SQUARE = {"float32": 1e-26, "float64": 1e-280}
"""A smaller sum of squares may have lost terms to underflow, and is computed again, scaled."""


LOST = 4000
"""A mantissa shifted down by so many powers of two is 0 in every precision."""


@dataclass(frozen=True)
class LagErrors:
    """δ^(t,i), γ^(t,i) and ∂J^(t)/∂e^(i) at one lag k = t - i, for the r losses t = first, first + 1, …

    A value is its mantissa times 2^exponent, one exponent a row. The arrays are overwritten at the next lag.

    delta, gamma               mantissas [r,B,Dh]
    de                         mantissas [r,B,d]
    above                      of the layer above, at this lag; None for the last layer
    delta_exponent and others  [r]
    log2_delta                 [r]: log2 ‖δ‖
    """

    k: int
    first: int
    delta: Floats
    delta_exponent: Doubles
    log2_delta: Doubles
    gamma: Floats
    gamma_exponent: Doubles
    de: Floats
    de_exponent: Doubles
    above: LagErrors | None = None

    __repr__ = short_repr

    @property
    def steps(self) -> slice:
        """The steps i of the rows."""
        start = self.first - self.k
        return slice(start, start + len(self.delta))


def sweep(trajectory: Trajectory, first: int = 0, last: int | None = None) -> Iterator[LagErrors]:
    """The lags 0, 1, … of the losses J^(t) with first ≤ t < last, as long as a loss has a step i ≥ 0.

    Costs B·(T-k)·2·Dh·(Dh+d) operations for lag k, and four arrays of T·B rows; as much for each layer above.
    """
    p, layer, B, Dh, d = trajectory.p, trajectory.weights, trajectory.B, trajectory.p.Dh, trajectory.e.shape[-1]
    last = trajectory.T if last is None else last
    over = sweep(trajectory.above, first, last) if trajectory.above else None
    above: LagErrors | None = None
    (W_h, W_e), (up_h, up_e) = scaled_weights(layer.W_h, layer.W_e)
    weights = np.concatenate([W_h, W_e], axis=1)
    slope, slope_exponent = scaled_slope(trajectory)
    rows = last - first
    products = [np.empty((rows, B, Dh + d), p.dtype) for _ in range(2)]
    delta_buffer = np.empty((rows, B, Dh), p.dtype)

    gamma, exponent = trajectory.dh[first:last].copy(), np.zeros(rows)
    _rescale(gamma, exponent, np.full(rows, True))
    for k in range(last):
        low = max(k, first)  # rows t ≥ low still have a step t - k
        steps = slice(low - k, last - k)
        if over is not None:
            above = part = next(over)
            gamma, exponent = _sum(gamma, exponent, part.de, part.de_exponent)
            while p.skip and part.above is not None:  # every layer above reads this h
                part = part.above
                gamma, exponent = _sum(gamma, exponent, part.de, part.de_exponent)
        delta = np.multiply(gamma, slope[steps], out=delta_buffer[: last - low])
        delta_exponent = exponent + slope_exponent[steps]
        log2_delta = _normalise(delta, delta_exponent)
        product = products[k % 2][: last - low]
        np.matmul(delta.reshape(-1, Dh), weights, out=product.reshape(-1, Dh + d))
        next_exponent = delta_exponent + up_h
        de, de_exponent = product[..., Dh:], delta_exponent + up_e
        yield LagErrors(k, low, delta, delta_exponent, log2_delta, gamma, exponent, de, de_exponent, above)
        finished = max(k + 1, first) - low  # 1 if the first row has reached i = 0, else 0
        gamma, exponent = product[finished:, :, :Dh], next_exponent[finished:]


def log2_norms(rows: Floats, exponent: Doubles) -> Doubles:
    """log2 of the norm of each row times 2^exponent, [r] for rows [r,…]; -∞ for a row of zeros."""
    squares = _squares(rows)
    small = squares < SMALLEST_SQUARE[rows.dtype.name]
    with np.errstate(divide="ignore"):
        result: Doubles = np.log2(squares) / 2 + exponent
        if small.any():
            rescaled, shifted = rows[small], exponent[small]
            _rescale(rescaled, shifted, np.full(len(rescaled), True))
            result[small] = np.log2(_squares(rescaled)) / 2 + shifted
    return result


def dots(a: Floats, b: Floats) -> Doubles:
    """⟨a, b⟩ of each row, [r] for a and b [r,B,n]; b may be [B,n], the same for all rows."""
    result: Doubles = np.vecdot(a, b).sum(axis=1, dtype=np.float64)
    return result


def scaled_weights(*weights: Floats) -> tuple[list[Floats], list[int]]:
    """Each matrix divided by a power of two where its largest entry is far from 1, and the exponents."""
    exponents = [int(np.frexp(max(w.max(), -w.min()))[1]) for w in weights]
    shifts = [s if abs(s) > NEAR else 0 for s in exponents]
    return [np.ldexp(w, -s) if s else w for w, s in zip(weights, shifts, strict=True)], shifts


def scaled_slope(trajectory: Trajectory) -> tuple[Floats, Doubles]:
    """σ' [T,B,Dh] over 2^exponent [T], with the largest of each time step in (1/2, 1]; and the exponents."""
    largest = np.ceil(trajectory.log2_slope.max(axis=(1, 2)))
    largest[np.isneginf(largest)] = 0
    slope = np.exp2(trajectory.log2_slope - largest[:, None, None])
    return slope.astype(trajectory.p.dtype), largest


def _sum(a: Floats, a_exponent: Doubles, b: Floats, b_exponent: Doubles) -> tuple[Floats, Doubles]:
    """a 2^a_exponent + b 2^b_exponent [r,B,n], and its exponents [r]: the larger of the two, zeros aside."""
    axes = tuple(range(1, a.ndim))
    a_exponent, b_exponent = (
        np.where(np.abs(rows).max(axis=axes, initial=0) > 0, exponent, -np.inf)
        for rows, exponent in ((a, a_exponent), (b, b_exponent))
    )
    exponent = np.maximum(a_exponent, b_exponent)
    exponent[np.isneginf(exponent)] = 0

    def shifted(rows: Floats, own: Doubles) -> Floats:
        shift = np.maximum(own - exponent, -LOST).astype(np.int64)
        result: Floats = np.ldexp(rows, shift.reshape(-1, *[1] * len(axes)))
        return result

    return shifted(a, a_exponent) + shifted(b, b_exponent), exponent


def _squares(rows: Floats) -> Doubles:
    """‖row‖², [r] for rows [r,…], the last sum in float64."""
    flat = np.vecdot(rows, rows)
    result: Doubles = flat.reshape(len(rows), -1).sum(axis=1, dtype=np.float64)
    return result


def _normalise(rows: Floats, exponent: Doubles) -> Doubles:
    """Rescales in place the rows whose norm is far from 1; returns log2 of the norm of each row times 2^exponent."""
    squares = _squares(rows)
    far = (squares < 1 / RANGE) | (squares > RANGE)
    if far.any():
        _rescale(rows, exponent, far)
        squares[far] = _squares(rows[far])
    with np.errstate(divide="ignore"):
        result: Doubles = np.log2(squares) / 2 + exponent
    return result


def _rescale(rows: Floats, exponent: Doubles, which: np.ndarray[tuple[int], np.dtype[np.bool]]) -> None:
    """Brings the largest entry of each of these rows into [1/2, 1), in place; a row of zeros stays as it is."""
    chosen = rows[which]
    _, shift = np.frexp(np.abs(chosen).reshape(len(chosen), -1).max(axis=1, initial=0))
    rows[which] = np.ldexp(chosen, -shift.reshape(-1, *[1] * (rows.ndim - 1)))
    exponent[which] += shift
