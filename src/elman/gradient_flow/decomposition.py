"""`decompose`: for every loss J^(t) and every step i ≤ t, what step i contributes to the gradient of J^(t).

    ∂J^(t)/∂W_h|_(i) = δ^T h^(i-1)T    ∂J^(t)/∂W_e|_(i) = δ^T e^(i)T    ∂J^(t)/∂b_1|_(i) = δ^T 1_B
    ∂J^(t)/∂e^(i) = W_e^T δ^T          ∂J^(t)/∂h^(i) = γ               with δ = δ^(t,i), γ = γ^(t,i)

(docs/derivation.md, section 6.)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from elman.errors import ConfigError, ShapeError
from elman.gradient_flow.measure import tables
from elman.gradient_flow.sweep import dots, sweep
from elman.gradient_flow.totals import Totals
from elman.gradient_flow.trajectory import Doubles, Floats, Integers, Trajectory
from elman.kernels.contributions import NAMES
from elman.model.parameters import Parameters

WEIGHTS = ("W_h", "W_e", "b_1")


@dataclass(frozen=True)
class Flow:
    """The gradient of every loss, taken apart by time step. J^(t) is summed over the batch, in nats.

    Tables are [T,T]: entry [t,i] is about loss t and step i ≤ t, both from 0; above the diagonal nothing flows.
    `name` is one of W_h, W_e, b_1, e, h; for e and h the contribution is ∂J^(t)/∂e^(i), ∂J^(t)/∂h^(i), where h^(i) is
    the state that step i makes.

    log2_norms_by_lag, cosines_by_lag: by name, [T,T] with entry [k,t] for lag k = t - i; -∞ and 0 where t < k.
    """

    trajectory: Trajectory
    totals: Totals
    log2_norms_by_lag: Mapping[str, Doubles]
    cosines_by_lag: Mapping[str, Doubles]

    @property
    def T(self) -> int:
        """Number of time steps."""
        return self.trajectory.T

    def log10_norms(self, name: str) -> Doubles:
        """log10 of the norms, [T,T]; exact beyond the range of a float64. -∞ where nothing flows at all."""
        result: Doubles = _by_step(self.log2_norms_by_lag[_known(name)], -np.inf) * np.log10(2)
        return result

    def norms(self, name: str) -> Doubles:
        """The norm (Frobenius) of every contribution, [T,T]; 0 above the diagonal."""
        with np.errstate(over="ignore"):
            result: Doubles = np.exp2(_by_step(self.log2_norms_by_lag[_known(name)], -np.inf))
        return result

    def cosines(self, name: str) -> Doubles:
        """The cosine between every contribution and the total, [T,T]; 0 where one of them is zero.

        The total is ∂J/∂· of J = Σ_t J^(t), for e and h that by the step's own e^(i) or h^(i).
        """
        return _by_step(self.cosines_by_lag[_known(name)], 0.0)

    def shares(self, name: str) -> Doubles:
        """⟨contribution, total⟩ / ‖total‖², [T,T], signed: what each adds to the total, in its own direction.

        For weights all entries together sum to 1; for e and h each column i does, since every step has a total of its
        own, summed over the losses t ≥ i.
        """
        cosines = self.cosines(name)
        with np.errstate(invalid="ignore", over="ignore"):
            size = np.exp2(_by_step(self.log2_norms_by_lag[name], -np.inf) - self.totals.log2_norms[name])
            return np.where(cosines == 0, 0.0, cosines * size)

    def shares_of_loss(self, name: str, t: int) -> Doubles:
        """The same within one loss, [t+1]: ⟨∂J^(t)/∂W|_(i), ∂J^(t)/∂W⟩ / ‖∂J^(t)/∂W‖², which sum to 1. Weights alone.

        Costs one row of the sweep, t products of B rows, and one matrix.
        """
        if name not in WEIGHTS:
            raise ConfigError(f"name is {name!r}; within one loss only {', '.join(WEIGHTS)} have a sum over the steps")
        deltas, exponents = self.deltas(t)
        exponents[np.isneginf(exponents)] = 0
        deltas = np.ldexp(deltas, (exponents - exponents.max()).astype(np.int64)[:, None, None])
        inputs = self._inputs(name)[: t + 1].astype(np.float64)
        G = np.einsum("ibj,ibk->jk", deltas, inputs, optimize=True)
        along = dots(deltas, inputs @ G.T)
        whole = float(np.vdot(G, G))
        return along / whole if whole > 0 else along

    def deltas(self, t: int) -> tuple[Doubles, Doubles]:
        """δ^(t,i) for all i ≤ t: mantissas [t+1,B,Dh] and exponents [t+1], the value being mantissa · 2^exponent."""
        self._check(t, 0)
        way = self.trajectory
        mantissas, exponents = np.empty((t + 1, way.B, way.p.Dh)), np.empty(t + 1)
        for lag in sweep(way, t, t + 1):
            mantissas[t - lag.k], exponents[t - lag.k] = lag.delta[0], lag.delta_exponent[0]
        return mantissas, exponents

    def contribution(self, name: str, t: int, i: int) -> Doubles:
        """∂J^(t)/∂·|_(i), float64: W_h [Dh,Dh], W_e [Dh,d], b_1 [Dh], e [B,d], h [B,Dh].

        It is computed anew, t - i products of B rows, since keeping all of them would take T²·B·Dh/2 numbers.
        """
        _known(name)
        self._check(t, i)
        lag = next(lag for lag in sweep(self.trajectory, t, t + 1) if lag.k == t - i)
        rows, exponent = lag.delta[0], lag.delta_exponent[0]
        if name == "h":
            rows, exponent = lag.gamma[0], lag.gamma_exponent[0]
        elif name == "e":
            rows, exponent = lag.de[0], lag.de_exponent[0]
        value = rows.astype(np.float64)
        if name in WEIGHTS:
            value = value.T @ self._inputs(name)[i].astype(np.float64)  # δ^T h^T, [Dh,B][B,Dh] in the page's letters
        result: Doubles = np.ldexp(value, int(exponent))
        return result.reshape(-1) if name == "b_1" else result

    def total(self, name: str) -> Doubles:
        """∂J/∂· of J = Σ_t J^(t), float64: W_h [Dh,Dh], W_e [Dh,d], b_1 [Dh], e [T,B,d], h [T,B,Dh]."""
        with np.errstate(over="ignore"):
            result: Doubles = np.ldexp(self.totals.values[_known(name)], self.totals.exponent)
        return result

    def _inputs(self, name: str) -> Floats:
        """What a weight is multiplied with at every step: h^(i-1), e^(i) or 1, [T,B,·]."""
        way = self.trajectory
        if name == "b_1":
            return np.ones((way.T, way.B, 1), way.p.dtype)
        return way.h[:-1] if name == "W_h" else way.e

    def _check(self, t: int, i: int) -> None:
        if not 0 <= i <= t < self.T:
            raise ShapeError(f"t, i are {t}, {i}, expected time steps with 0 ≤ i ≤ t < T = {self.T}")


def decompose(parameters: Parameters, x: Integers, y: Integers, h_0: Floats | None = None) -> Flow:
    """Takes the gradient of every loss apart by time step. x, y int [T,B]; h_0 [B,Dh] or None for zeros.

    Exact: nothing is truncated or sampled; in float32 or float64, as the parameters are. All losses are swept
    together, T products of at most T·B rows: T²·B·Dh·(Dh+d) operations in all. Memory: about a dozen arrays of T·B·Dh
    numbers, ten tables of T² float64, and 2·T·B² for Gram matrices where B > 1; no δ^(t,i) is kept.
    Where B > 1, a weight's norm has half the digits if a contribution all but cancels over the batch.

    Raises ShapeError for shapes, types or token ids that do not fit.
    """
    way = Trajectory.of(parameters, x, y, h_0)
    totals = Totals.of(way)
    norms, cosines = tables(way, totals)
    return Flow(way, totals, dict(zip(NAMES, norms, strict=True)), dict(zip(NAMES, cosines, strict=True)))


def _known(name: str) -> str:
    if name not in NAMES:
        raise ConfigError(f"name is {name!r}; choose one of {', '.join(NAMES)}")
    return name


def _by_step(by_lag: Doubles, elsewhere: float) -> Doubles:
    """[T,T] by t and i, from [T,T] by lag and t."""
    T = len(by_lag)
    t, i = np.tril_indices(T)
    table = np.full((T, T), elsewhere)
    table[t, i] = by_lag[t - i, t]
    return table
