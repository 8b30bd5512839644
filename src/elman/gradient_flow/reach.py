"""How far back a gradient reaches, how fast it decays, what truncation would lose, and how much cancels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from elman.errors import ConfigError
from elman.gradient_flow.decomposition import WEIGHTS, Flow
from elman.gradient_flow.sweep import sweep
from elman.gradient_flow.trajectory import Doubles
from elman.kernels.blas_threads import on_all_threads


def norms_by_lag(flow: Flow, name: str = "W_h") -> Doubles:
    """log10 of Σ_t ‖contribution of step t-k to J^(t)‖, for each lag k, [T]; -∞ where all contributions are zero."""
    return flow.log10_norms_by_lag(name)


def reach(flow: Flow, name: str = "W_h", share: float = 0.95) -> int:
    """The smallest lag k such that the lags 0 … k make up this share of the sum of all contributions' norms."""
    return lag_within(norms_by_lag(flow, name), share)


def lag_within(log10_by_lag: Doubles, share: float) -> int:
    """The smallest lag k such that the lags 0 … k make up this share of the sum over all; log10_by_lag [T].

    Raises ConfigError for a share that is not over 0 and at most 1.
    """
    if not 0 < share <= 1:
        raise ConfigError(f"share is {share}; it must be over 0 and at most 1")
    top = log10_by_lag.max()
    if np.isneginf(top):
        return 0
    cumulative = np.cumsum(10 ** (log10_by_lag - top))
    return int(np.argmax(cumulative >= share * cumulative[-1] * (1 - 1e-12)))


def decay_rate(flow: Flow) -> float:
    """The factor by which ‖∂J^(t)/∂h^(i)‖ changes for each step back: below 1 it decays, above 1 it grows.

    A line is fitted to the mean of ln(‖γ^(t,t-k)‖ / ‖γ^(t,t)‖) over the lags k, each weighted by its T - k losses; the
    rate is exp of the line's gradient. Lag 0 is left out where T > 3: the first step back turns the error of the loss
    into the directions that W_h preserves, and does not predict the steps after it. Pairs whose γ^(t,i) is zero (relu
    at 0) are left out of the mean. Returns 0 where no gradient flows back, and 1 where T = 1.
    """
    by_lag = flow.log2_norms_by_lag["h"]
    T = flow.T
    lag, mean, weight = [], [], []
    for k in range(1 if T > 3 else 0, T):
        with np.errstate(invalid="ignore"):
            ratio = by_lag[k, k:] - by_lag[0, k:]
        ratio = ratio[np.isfinite(ratio)]
        if len(ratio):
            lag.append(k)
            mean.append(ratio.mean())
            weight.append(len(ratio))
    if len(lag) < 2:
        return 1.0 if T == 1 else 0.0
    x, y, w = np.array(lag, float), np.array(mean), np.array(weight, float)
    x -= np.average(x, weights=w)
    with np.errstate(over="ignore"):
        return float(np.exp2((w * x * y).sum() / (w * x * x).sum()))


def cancellation(flow: Flow, name: str = "W_h") -> float:
    """Σ‖contribution‖ / ‖Σ contribution‖: 1 if all point the same way, large if they cancel, ∞ if the sum is 0."""
    if name not in WEIGHTS:
        raise ConfigError(f"name is {name!r}; choose one of {', '.join(WEIGHTS)}")
    by_lag = norms_by_lag(flow, name)
    top = by_lag.max()
    if np.isneginf(top):
        return 1.0
    together = np.log10((10 ** (by_lag - top)).sum()) + top
    with np.errstate(over="ignore"):
        return float(np.power(10.0, together - flow.totals.log2_norms[name][0] * np.log10(2)))


@dataclass(frozen=True)
class Truncation:
    """∂J/∂W_h from the lags 0 … tau-1 only, compared with the full gradient.

    norm: ‖truncated‖ / ‖full‖ · angle between the two, degrees · lost: ‖full - truncated‖ / ‖full‖
    """

    tau: int
    norm: float
    angle: float
    lost: float


@on_all_threads
def truncation(flow: Flow, taus: Sequence[int] | None = None) -> list[Truncation]:
    """What is lost if the gradient of each loss goes back through only `tau` steps; tau = T is the full gradient.

    taus: 1, 2, 4, … T if None. Costs a second sweep up to the longest lag, and one product for each tau. (Cutting a
    text into windows of tau steps loses more: a loss near a window's start then has fewer steps before it.)
    Raises ConfigError for a tau outside 1 … T.
    """
    trajectory, T = flow.trajectory, flow.T
    wanted = [*(2**n for n in range(T.bit_length()) if 2**n < T), T] if taus is None else list(taus)
    if any(not 1 <= tau <= T for tau in wanted):
        raise ConfigError(f"tau is {wanted}; it must be from 1 to T = {T}")
    full = flow.totals.values["W_h"]
    whole = float(np.linalg.norm(full))
    h = trajectory.h[:-1].reshape(T * trajectory.B, -1).astype(np.float64)
    dz = np.zeros((T, trajectory.B, trajectory.p.Dh))
    result: dict[int, Truncation] = {}
    for errors in sweep(trajectory):
        scale = np.exp2(errors.delta_exponent - flow.totals.exponent)
        dz[errors.steps] += errors.delta * scale[:, None, None]
        tau = errors.k + 1
        if tau in wanted:
            part = dz.reshape(T * trajectory.B, -1).T @ h
            norm = float(np.linalg.norm(part))
            if whole == 0 or norm == 0:
                result[tau] = Truncation(tau, 0.0 if whole else 1.0, 0.0, 1.0 if whole else 0.0)
            else:
                lost = float(np.linalg.norm(full / whole - part / whole))
                apart = float(np.linalg.norm(full / whole - part / norm)) / 2  # the sine of half the angle
                result[tau] = Truncation(tau, norm / whole, float(np.degrees(2 * np.arcsin(min(1.0, apart)))), lost)
        if tau == max(wanted, default=0):
            break
    return [result[tau] for tau in wanted]
