"""How h^(t) depends on h^(i): the Jacobians, their singular values and Lyapunov exponents, and their bound.

    ∂h^(t)/∂h^(i) = A^(t) A^(t-1) … A^(i+1)        A^(s) = ∂h^(s)/∂h^(s-1) = diag(σ'(z^(s))) W_h

In a stack these are of one layer: its h^(t) depends on its own h^(i) through its own recurrence alone.

Two numbers of W_h are easily confused. The *spectral radius*, its largest |eigenvalue|, gives the growth of W_h^k for
large k. The *largest singular value* σ_max is the most by which one product with W_h stretches a vector; its k-th power
bounds the norm of W_h^k for every k.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from elman.errors import ShapeError
from elman.gradient_flow.trajectory import LARGEST_SLOPE, Doubles, Floats, Trajectory
from elman.kernels.blas_threads import on_one_thread

EIGENVALUES_UP_TO = 64
"""Up to so many units the spectral radius comes from all eigenvalues; above, from Gelfand's formula."""
SQUARINGS = 18
EXACT_RANGE = np.log(1e10)
"""If the singular values span less than this, one SVD gives them all; in a wider span it loses the small ones."""
SWEEPS = 8
"""The most QR sweeps over a triangle before its singular values are computed in blocks."""
CONVERGED = 1e-12
"""The sweeps end when no logarithm changes by more than this."""
MARGIN = 10.0
"""In nats: after the sweeps, singular values further apart than this do not influence each other."""


@on_one_thread
def spectral_radius(W_h: Floats) -> float:
    """The largest |eigenvalue| of W_h.

    Above EIGENVALUES_UP_TO units it is ‖W_h^k‖^(1/k), which converges to it (Gelfand's formula), with
    k = 2^SQUARINGS by repeated squaring. That is up to ten times as fast as all eigenvalues at 512 units, and right to
    four digits: the relative error is about ln(‖W_h^k‖/ρ^k)/k.
    """
    A = W_h.astype(np.float64)
    if len(A) <= EIGENVALUES_UP_TO:
        return float(np.abs(np.linalg.eigvals(A)).max())
    log_norm = 0.0
    for m in range(SQUARINGS + 1):
        norm = np.linalg.norm(A)
        if norm == 0:
            return 0.0  # nilpotent
        log_norm += float(np.log(norm)) / 2**m
        if m < SQUARINGS:
            A /= norm
            A = A @ A
    return float(np.exp(log_norm))


@on_one_thread
def largest_singular_value(W_h: Floats) -> float:
    """σ_max, the most by which W_h stretches a vector; at least the spectral radius."""
    A = W_h.astype(np.float64)
    norm = np.linalg.norm(A)
    if norm == 0 or not np.isfinite(norm):
        return float(norm)
    A /= norm  # so that no square of an entry overflows or underflows
    return float(norm * np.sqrt(np.linalg.eigvalsh(A.T @ A)[-1]))  # three times as fast as the singular values


def bound(activation: str, sigma_max: float, k: int | Doubles) -> Doubles:
    """An upper bound on ‖∂h^(t)/∂h^(t-k)‖_2: (σ_max/4)^k for sigmoid, σ_max^k for tanh and relu.

    If σ_max < 4 (sigmoid) or σ_max < 1 (tanh, relu), the gradient vanishes; above, it may explode but need not
    (Pascanu, Mikolov and Bengio 2013, section 2.1). k is a number or an array of lags.
    """
    with np.errstate(over="ignore"):
        result: Doubles = np.asarray(LARGEST_SLOPE[activation] * sigma_max, np.float64) ** k
    return result


@dataclass(frozen=True)
class Saturation:
    """The derivative σ'(z) over a trajectory; its largest value is 1/4 for sigmoid, 1 for tanh and relu.

    mean       the mean of σ'(z)
    by_step    [T], the mean of σ'(z) at each time step
    flat       the share of (step, sequence, unit) with σ' under a tenth of its largest value: saturated, or relu at 0
    """

    mean: float
    by_step: Doubles
    flat: float


def saturation(trajectory: Trajectory) -> Saturation:
    """The mean of σ'(z), as a whole and at each step, and the share of saturated units."""
    slope = trajectory.slope
    flat = slope < LARGEST_SLOPE[trajectory.p.activation] / 10
    return Saturation(float(slope.mean()), slope.mean(axis=(1, 2)), float(flat.mean()))


@on_one_thread
def lyapunov_spectrum(trajectory: Trajectory, count: int | None = None, sequence: int = 0, skip: int = 0) -> Doubles:
    """The `count` largest Lyapunov exponents, in nats per step, in descending order, [count]; all Dh if None.

    They are the mean growth rates of 1, 2, … directions under A^(1), A^(2), …, by QR (Benettin et al. 1980; Vogt et al.
    2022 for recurrent networks). The first `skip` steps turn the directions but are not counted. From the T
    steps of one text they are estimates for that text. 0 is ideal; -∞ where a direction becomes zero (relu at 0).
    Raises ShapeError for a count, sequence or skip out of range.
    """
    p = trajectory.p
    count = p.Dh if count is None else count
    if not 1 <= count <= p.Dh or not 0 <= skip < trajectory.T or not 0 <= sequence < trajectory.B:
        raise ShapeError(
            f"count, skip, sequence are {count}, {skip}, {sequence}, expected 1 ≤ count ≤ Dh = {p.Dh}, "
            f"0 ≤ skip < T = {trajectory.T}, 0 ≤ sequence < B = {trajectory.B}"
        )
    slopes, W_h = trajectory.log2_slope[:, sequence] * np.log(2), trajectory.weights.W_h.astype(np.float64)
    Q = np.linalg.qr(np.random.default_rng(0).standard_normal((p.Dh, count)))[0]
    growth = np.zeros(count)
    for t in range(trajectory.T):
        scale = _finite(slopes[t].max())
        Q, R = _qr(np.exp(slopes[t] - scale)[:, None] * (W_h @ Q))
        if t >= skip:
            with np.errstate(divide="ignore"):
                growth += np.log(np.abs(np.diag(R))) + scale
    return np.sort(growth / (trajectory.T - skip))[::-1]


@on_one_thread
def jacobian_singular_values(
    trajectory: Trajectory, t: int | None = None, lags: Sequence[int] | None = None, sequence: int = 0
) -> Doubles:
    """log10 of the singular values of ∂h^(t)/∂h^(t-k), in descending order, [len(lags),Dh]: one row for each lag k.

    t counts from 0 and is the last step if None; lags are 0 … t + 1 if None, and lag t + 1 reaches h_0. The product is
    stored as Q·D·R with D as logarithms, so that it neither overflows nor loses small values beside large ones. Each
    step costs one QR of [Dh,Dh]; each lag in `lags` one SVD or, if the values span many decades, QR sweeps of the
    triangle. A value that one step shrinks to less than Dh·2^-52 of the largest is rounding error, and becomes -∞.
    Raises ShapeError for t, a sequence or a lag out of range.
    """
    t = trajectory.T - 1 if t is None else t
    chosen_lags = list(range(t + 2)) if lags is None else list(lags)
    if not 0 <= t < trajectory.T or not 0 <= sequence < trajectory.B or any(not 0 <= k <= t + 1 for k in chosen_lags):
        raise ShapeError(
            f"t, sequence, lags are {t}, {sequence}, {chosen_lags}, expected 0 ≤ t < T = {trajectory.T}, "
            f"0 ≤ sequence < B = {trajectory.B}, 0 ≤ lag ≤ t + 1"
        )
    Dh = trajectory.p.Dh
    slopes, W_hT = trajectory.log2_slope[:, sequence] * np.log(2), trajectory.weights.W_h.T.astype(np.float64)
    Q, product = np.eye(Dh), _ScaledTriangle(np.zeros(Dh), np.eye(Dh))
    log10_values = {0: np.zeros(Dh)}
    for k in range(1, max(chosen_lags, default=0) + 1):
        slope = slopes[t - k + 1]  # of A^T, A = ∂h^(t-k+1)/∂h^(t-k): the transposed product grows on its left
        scale = _finite(slope.max())
        Q, R = _qr(W_hT @ (np.exp(slope - scale)[:, None] * Q))
        product = product.after(R, scale)
        if k in chosen_lags:
            log10_values[k] = product.log_singular_values() / np.log(10)
    return np.array([log10_values[k] for k in chosen_lags]).reshape(len(chosen_lags), Dh)


@dataclass(frozen=True)
class _ScaledTriangle:
    """The triangular matrix diag(exp(scale)) M, where the largest entry of each row of M is 1."""

    scale: Doubles  # [n], -∞ for a row of zeros
    M: Doubles  # [n,n], upper triangular

    @classmethod
    def of(cls, scale: Doubles, M: Doubles) -> _ScaledTriangle:
        largest = np.abs(M).max(axis=1)
        safe = np.where(largest > 0, largest, 1.0)
        with np.errstate(divide="ignore"):
            return cls(np.where(largest > 0, scale + np.log(safe), -np.inf), M / safe[:, None])

    def after(self, R: Doubles, log_factor: float) -> _ScaledTriangle:
        """The product exp(log_factor) R · self, for an upper triangular R.

        Row j of the product is a sum over the rows l ≥ j of self; it is computed relative to their largest scale.
        """
        base = np.maximum.accumulate(self.scale[::-1])[::-1]
        finite = np.where(np.isneginf(base), 0.0, base)
        M = np.empty_like(self.M)
        for rows in _row_blocks(finite):  # the rows of a block share one base
            top = finite[rows].max()
            M[rows] = (R[rows] * np.exp(np.minimum(self.scale - top, 0.0))) @ self.M
            finite[rows] = top
        return _ScaledTriangle.of(np.where(np.isneginf(base), -np.inf, finite) + log_factor, M)

    def log_singular_values(self) -> Doubles:
        """ln of the singular values, in descending order, [n]."""
        scale, M = self.scale, self.M
        alive = ~np.isneginf(scale)
        if not alive.any():
            return np.full(len(scale), -np.inf)
        top = float(scale[alive].max())
        with np.errstate(divide="ignore"):
            if float(np.ptp(scale[alive])) < EXACT_RANGE and alive.all():
                values = np.linalg.svd(np.exp(scale - top)[:, None] * M, compute_uv=False)
                return np.asarray(top + np.log(values))
            before = np.sort(scale)[::-1]
            each = self
            for _ in range(SWEEPS):
                # (diag(e^s) M)^T = M^T diag(e^s) = Q (R diag(e^s)): the same singular values, closer to diagonal
                order = np.argsort(-each.scale, kind="stable")
                R = _without_rounding(np.asarray(np.linalg.qr(each.M[order].T, mode="r")), len(order))
                descending = each.scale[order]
                row = np.maximum.accumulate(descending[::-1])[::-1]
                row = np.where(np.isneginf(row), 0.0, row)
                each = _ScaledTriangle.of(row, np.triu(R * np.exp(np.minimum(descending[None, :] - row[:, None], 0.0))))
                now = np.sort(each.scale)[::-1]
                with np.errstate(invalid="ignore"):
                    moved = np.abs(np.where(now == before, 0.0, now - before)).max()
                before = now
                if moved < CONVERGED:
                    return before
            return each._by_windows()

    def _by_windows(self) -> Doubles:
        """ln of the singular values where the sweeps have made all but close values almost diagonal.

        One SVD for each MARGIN of the scale, of the diagonal block that extends a MARGIN further on either side.
        """
        descending = np.maximum.accumulate(self.scale[::-1])[::-1]
        result = np.full(len(descending), -np.inf)
        n, start = int((~np.isneginf(descending)).sum()), 0
        while start < n:
            top = float(descending[start])
            end = int((descending[:n] >= top - MARGIN).sum())
            low, high = int((descending[:n] > top + MARGIN).sum()), int((descending[:n] >= top - 2 * MARGIN).sum())
            block = np.exp(self.scale[low:high] - top)[:, None] * self.M[low:high, low:high]
            values = np.linalg.svd(block, compute_uv=False)
            result[start:end] = top + np.log(values[start - low : end - low])
            start = end
        return np.sort(result)[::-1]


def _row_blocks(base: Doubles) -> list[slice]:
    """Consecutive rows whose (descending) bases are within a factor of e^20."""
    blocks, start = [], 0
    for j in range(1, len(base) + 1):
        if j == len(base) or base[start] - base[j] > 20:
            blocks.append(slice(start, j))
            start = j
    return blocks


def _qr(A: Doubles) -> tuple[Doubles, Doubles]:
    Q, R = np.linalg.qr(A)
    return Q, _without_rounding(R, len(A))


def _without_rounding(R: Doubles, rows: int) -> Doubles:
    """R with 0 in place of rounding errors, so that a direction that becomes zero (relu at 0) is exactly zero."""
    R[np.abs(R) < rows * np.finfo(np.float64).eps * np.abs(R).max(initial=0)] = 0
    return R


def _finite(value: float) -> float:
    return value if np.isfinite(value) else 0.0
