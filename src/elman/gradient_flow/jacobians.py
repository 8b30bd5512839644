"""How h^(i) acts on h^(t): the Jacobians, their singular values and Lyapunov exponents, and what bounds them.

    ∂h^(t)/∂h^(i) = A^(t) A^(t-1) … A^(i+1)        A^(s) = ∂h^(s)/∂h^(s-1) = diag(σ'(z^(s))) W_h

Two numbers of W_h that are easily confused: the *spectral radius*, its largest |eigenvalue|, says what W_h^k tends to
as k grows; the *largest singular value* σ_max is the most that one product with W_h stretches, and bounds every k.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from elman.errors import ShapeError
from elman.gradient_flow.lapack import on_one_thread
from elman.gradient_flow.trajectory import LARGEST_SLOPE, Doubles, Floats, Trajectory

FEW = 64
SQUARINGS = 18
EXACT_RANGE = np.log(1e10)
"""Singular values closer together than this are left to one ordinary SVD; wider apart, small ones would drown in it."""
SWEEPS = 8
SETTLED = 1e-12
MARGIN = 10.0
"""In nats. Singular values further apart than this do not feel each other, after the sweeps."""


@on_one_thread
def spectral_radius(W_h: Floats) -> float:
    """The largest |eigenvalue| of W_h.

    Of more than FEW units as ‖W_h^k‖^(1/k), which tends to it (Gelfand's formula), by squaring k = 2^SQUARINGS: up to
    ten times as fast as all eigenvalues at 512, and, growing as it does with ln(‖W_h^k‖/ρ^k)/k, right to four digits.
    """
    A = W_h.astype(np.float64)
    if len(A) <= FEW:
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
    """σ_max, the most that W_h stretches a vector; at least the spectral radius."""
    A = W_h.astype(np.float64)
    norm = np.linalg.norm(A)
    if norm == 0 or not np.isfinite(norm):
        return float(norm)
    A /= norm  # so that no square of an entry over- or underflows
    return float(norm * np.sqrt(np.linalg.eigvalsh(A.T @ A)[-1]))  # a third of the time of singular values


def bound(activation: str, sigma_max: float, k: int | Doubles) -> Doubles:
    """What ‖∂h^(t)/∂h^(t-k)‖_2 cannot exceed: (σ_max/4)^k for sigmoid, σ_max^k for tanh and relu.

    So σ_max < 4, or 1, suffices for the gradient to vanish; above it explosion is possible, not certain (Pascanu,
    Mikolov and Bengio 2013, section 2.1). k a number or an array of lags.
    """
    with np.errstate(over="ignore"):
        result: Doubles = np.asarray(LARGEST_SLOPE[activation] * sigma_max, np.float64) ** k
    return result


@dataclass(frozen=True)
class Saturation:
    """How steep σ is where the units stand. By the largest slope (1/4 for sigmoid, 1 for tanh and relu).

    mean       of σ'(z), not by the largest slope
    by_step    [T], the mean of σ' at each time step
    flat       share of (step, sequence, unit) whose σ' is under a tenth of the largest: saturated, or a relu at 0
    """

    mean: float
    by_step: Doubles
    flat: float


def saturation(way: Trajectory) -> Saturation:
    """The slopes along a trajectory."""
    slope = way.slope
    flat = slope < LARGEST_SLOPE[way.p.activation] / 10
    return Saturation(float(slope.mean()), slope.mean(axis=(1, 2)), float(flat.mean()))


@on_one_thread
def lyapunov_spectrum(way: Trajectory, count: int | None = None, sequence: int = 0, skip: int = 0) -> Doubles:
    """The `count` largest Lyapunov exponents, nats per step, falling, [count]; all where None.

    The mean growth of 1, 2, … directions under A^(1), A^(2), …, by QR (Benettin et al. 1980; Vogt et al. 2022 for
    recurrent networks). The first `skip` steps turn the directions but are not counted. Over T steps of one text they
    are estimates for that text. 0 is healthy; -∞ where a direction dies at once (a relu at 0).
    """
    p = way.p
    count = p.Dh if count is None else count
    if not 1 <= count <= p.Dh or not 0 <= skip < way.T or not 0 <= sequence < way.B:
        raise ShapeError(
            f"count, skip, sequence are {count}, {skip}, {sequence}, expected 1 ≤ count ≤ Dh = {p.Dh}, "
            f"0 ≤ skip < T = {way.T}, 0 ≤ sequence < B = {way.B}"
        )
    slopes, W_h = way.log2_slope[:, sequence] * np.log(2), p.W_h.astype(np.float64)
    Q = np.linalg.qr(np.random.default_rng(0).standard_normal((p.Dh, count)))[0]
    growth = np.zeros(count)
    for t in range(way.T):
        scale = _finite(slopes[t].max())
        Q, R = _qr(np.exp(slopes[t] - scale)[:, None] * (W_h @ Q))
        if t >= skip:
            with np.errstate(divide="ignore"):
                growth += np.log(np.abs(np.diag(R))) + scale
    return np.sort(growth / (way.T - skip))[::-1]


@on_one_thread
def jacobian_singular_values(
    way: Trajectory, t: int | None = None, lags: Sequence[int] | None = None, sequence: int = 0
) -> Doubles:
    """log10 of the singular values of ∂h^(t)/∂h^(t-k), falling, [len(lags), Dh]; row for each lag k, all to t if None.

    t and t - k are time steps from 0, the last if None; k = t + 1 reaches h_0. The product is carried as Q·D·R with D
    on a logarithmic scale, so that it neither overflows nor loses small values beside large ones: each step one QR
    of [Dh,Dh]; each lag asked for one SVD, or, where the values are far apart, QR sweeps of the triangle.
    What one step shrinks to under Dh·2^-52 of what it stretches most cannot be told from 0, and is given as -∞.
    """
    t = way.T - 1 if t is None else t
    wanted = list(range(t + 2)) if lags is None else list(lags)
    if not 0 <= t < way.T or not 0 <= sequence < way.B or any(not 0 <= k <= t + 1 for k in wanted):
        raise ShapeError(
            f"t, sequence, lags are {t}, {sequence}, {wanted}, expected 0 ≤ t < T = {way.T}, "
            f"0 ≤ sequence < B = {way.B}, 0 ≤ lag ≤ t + 1"
        )
    Dh = way.p.Dh
    slopes, W_hT = way.log2_slope[:, sequence] * np.log(2), way.p.W_h.T.astype(np.float64)
    Q, graded = np.eye(Dh), _Graded(np.zeros(Dh), np.eye(Dh))
    found = {0: np.zeros(Dh)}
    for k in range(1, max(wanted, default=0) + 1):
        slope = slopes[t - k + 1]  # of A^T, A = ∂h^(t-k+1)/∂h^(t-k): the product grows on the right, its transpose left
        scale = _finite(slope.max())
        Q, R = _qr(W_hT @ (np.exp(slope - scale)[:, None] * Q))
        graded = graded.after(R, scale)
        if k in wanted:
            found[k] = graded.log_singular_values() / np.log(10)
    return np.array([found[k] for k in wanted]).reshape(len(wanted), Dh)


@dataclass(frozen=True)
class _Graded:
    """The matrix diag(exp(scale)) M, the largest entry of each row of M being 1."""

    scale: Doubles  # [n], -∞ for a row of zeros
    M: Doubles  # [n,n], upper triangular

    @classmethod
    def of(cls, scale: Doubles, M: Doubles) -> _Graded:
        largest = np.abs(M).max(axis=1)
        safe = np.where(largest > 0, largest, 1.0)
        with np.errstate(divide="ignore"):
            return cls(np.where(largest > 0, scale + np.log(safe), -np.inf), M / safe[:, None])

    def after(self, R: Doubles, log_factor: float) -> _Graded:
        """exp(log_factor) R times this one, for an upper triangular R.

        Row j of the product mixes the rows l ≥ j of this one; each is taken by the largest scale among them.
        """
        base = np.maximum.accumulate(self.scale[::-1])[::-1]
        finite = np.where(np.isneginf(base), 0.0, base)
        M = np.empty_like(self.M)
        for rows in _blocks(finite):  # within a block of rows one base will do
            top = finite[rows].max()
            M[rows] = (R[rows] * np.exp(np.minimum(self.scale - top, 0.0))) @ self.M
            finite[rows] = top
        return _Graded.of(np.where(np.isneginf(base), -np.inf, finite) + log_factor, M)

    def log_singular_values(self) -> Doubles:
        """ln of the singular values, falling, [n]."""
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
                # (diag(e^s) M)^T = M^T diag(e^s) = Q (R diag(e^s)): the same singular values, nearer to diagonal
                order = np.argsort(-each.scale, kind="stable")
                R = _without_rounding(np.asarray(np.linalg.qr(each.M[order].T, mode="r")), len(order))
                falling = each.scale[order]
                row = np.maximum.accumulate(falling[::-1])[::-1]
                row = np.where(np.isneginf(row), 0.0, row)
                each = _Graded.of(row, np.triu(R * np.exp(np.minimum(falling[None, :] - row[:, None], 0.0))))
                now = np.sort(each.scale)[::-1]
                with np.errstate(invalid="ignore"):
                    moved = np.abs(np.where(now == before, 0.0, now - before)).max()
                before = now
                if moved < SETTLED:
                    return before
            return each._by_windows()

    def _by_windows(self) -> Doubles:
        """The same where sweeps have made the matrix all but diagonal, save for values that lie close together.

        One SVD for each MARGIN of the scale, of the diagonal block that reaches a MARGIN further on either side.
        """
        falling = np.maximum.accumulate(self.scale[::-1])[::-1]
        result = np.full(len(falling), -np.inf)
        n, start = int((~np.isneginf(falling)).sum()), 0
        while start < n:
            top = float(falling[start])
            end = int((falling[:n] >= top - MARGIN).sum())
            low, high = int((falling[:n] > top + MARGIN).sum()), int((falling[:n] >= top - 2 * MARGIN).sum())
            block = np.exp(self.scale[low:high] - top)[:, None] * self.M[low:high, low:high]
            values = np.linalg.svd(block, compute_uv=False)
            result[start:end] = top + np.log(values[start - low : end - low])
            start = end
        return np.sort(result)[::-1]


def _blocks(base: Doubles) -> list[slice]:
    """Runs of rows whose falling bases lie within a factor of e^20."""
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
    """With 0 for what in R is rounding: a direction that dies (relu at 0) is then seen to."""
    R[np.abs(R) < rows * np.finfo(np.float64).eps * np.abs(R).max(initial=0)] = 0
    return R


def _finite(value: float) -> float:
    return value if np.isfinite(value) else 0.0
