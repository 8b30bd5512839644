"""`decompose`: for each loss J^(t) and each step i ≤ t, the contribution of step i to the gradient of J^(t).

    ∂J^(t)/∂W_h|_(i) = δ^T h^(i-1)T    ∂J^(t)/∂W_e|_(i) = δ^T e^(i)T    ∂J^(t)/∂b_1|_(i) = δ^T 1_B
    ∂J^(t)/∂e^(i) = W_e^T δ^T          ∂J^(t)/∂h^(i) = γ               with δ = δ^(t,i), γ = γ^(t,i)

(docs/derivation.md, section 6; of a layer of a stack, section 11.)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from elman.errors import ConfigError, ShapeError
from elman.gradient_flow.contribution_norms import norms_and_cosines
from elman.gradient_flow.sweep import dots, sweep
from elman.gradient_flow.total_gradients import TotalGradients
from elman.gradient_flow.trajectory import Doubles, Floats, Integers, Trajectory
from elman.kernels.blas_threads import on_all_threads
from elman.kernels.contributions import NAMES
from elman.model.parameters import Parameters
from elman.notebook_html import Line, block, chart, in_wanted_language, label, table

WEIGHTS = ("W_h", "W_e", "b_1")


@dataclass(frozen=True)
class Flow:
    """The gradient of each loss, decomposed by time step. J^(t) is summed over the batch, in nats.

    Tables are [T,T]: entry [t,i] belongs to loss t and step i ≤ t, both from 0; above the diagonal there is nothing.
    `name` is one of W_h, W_e, b_1, e, h. For e and h the contribution is ∂J^(t)/∂e^(i) or ∂J^(t)/∂h^(i), where h^(i) is
    the state after step i.

    In a stack all letters are those of one layer (`trajectory.number`), and the contributions those through all paths:
    through this layer's later states and through every layer above. Above the first layer e is h of the layer below,
    and ∂J^(t)/∂e^(i) is the part of its gradient that comes through this layer.

    log2_norms_by_lag, cosines_by_lag: by name, [T,T] with entry [k,t] for lag k = t - i; -∞ and 0 where t < k.

    Methods raise ConfigError for an unknown name, and ShapeError for t or i outside 0 ≤ i ≤ t < T.
    """

    trajectory: Trajectory
    totals: TotalGradients
    log2_norms_by_lag: Mapping[str, Doubles]
    cosines_by_lag: Mapping[str, Doubles]

    def __repr__(self) -> str:
        trajectory = self.trajectory
        p = trajectory.p
        layer = f" layer={trajectory.number} of {p.depth}" if p.above else ""
        return f"<Flow T={trajectory.T} B={trajectory.B} d={p.d} Dh={p.Dh}{layer} {p.activation}>"

    @in_wanted_language
    def _repr_html_(self) -> str:
        """For notebooks: sizes, the mean loss, and the norms by lag over the three decades below the largest."""
        trajectory, lines = self.trajectory, []
        for name, dashed in (("W_h", False), ("W_e", True)):
            norms = self.log10_norms_by_lag(name)
            kept = int(np.flatnonzero(norms >= norms.max() - 3).max(initial=1)) + 1
            lines.append(Line(f"∂J/∂{name}", range(kept), norms[:kept].tolist(), dashed))
        mean = float(trajectory.J.sum() / trajectory.x.size)
        rows: list[tuple[str, object]] = [(label("time steps T"), self.T), (label("sequences B"), trajectory.B)]
        rows.append((label("mean J, nats per token"), mean))
        title = label(f"Gradient flow of layer {trajectory.number}" if trajectory.p.above else "Gradient flow")
        vertical = label("log10 of the norm of the contributions")
        return block(title, table(rows), chart(lines, label("lag, in steps back"), vertical))

    @property
    def T(self) -> int:
        """Number of time steps."""
        return self.trajectory.T

    def log10_norms(self, name: str) -> Doubles:
        """log10 of the norms, [T,T], exact beyond the range of a float64; -∞ where a contribution is zero."""
        result: Doubles = _by_step(self.log2_norms_by_lag[_checked_name(name)], -np.inf) * np.log10(2)
        return result

    def log10_norms_by_lag(self, name: str) -> Doubles:
        """log10 of Σ_t ‖contribution of step t-k to J^(t)‖ for each lag k, [T]; -∞ where all of them are zero."""
        by_lag = self.log2_norms_by_lag[_checked_name(name)]
        top = by_lag.max(axis=1)
        finite = np.where(np.isneginf(top), 0.0, top)
        with np.errstate(divide="ignore"):
            result: Doubles = (np.log2(np.exp2(by_lag - finite[:, None]).sum(axis=1)) + finite) * np.log10(2)
        return result

    def norms(self, name: str) -> Doubles:
        """The (Frobenius) norm of each contribution, [T,T]; 0 above the diagonal."""
        with np.errstate(over="ignore"):
            result: Doubles = np.exp2(_by_step(self.log2_norms_by_lag[_checked_name(name)], -np.inf))
        return result

    def cosines(self, name: str) -> Doubles:
        """The cosine between each contribution and the total, [T,T]; 0 where one of them is zero.

        The total is ∂J/∂· of J = Σ_t J^(t); for e and h it is ∂J/∂e^(i) or ∂J/∂h^(i) of the same step i.
        """
        return _by_step(self.cosines_by_lag[_checked_name(name)], 0.0)

    def shares(self, name: str) -> Doubles:
        """⟨contribution, total⟩ / ‖total‖², [T,T]: the signed part of the total that each contribution makes up.

        For weights all entries together sum to 1. For e and h each column i sums to 1, since each step has its own
        total, a sum over the losses t ≥ i.
        """
        cosines = self.cosines(name)
        with np.errstate(invalid="ignore", over="ignore"):
            size = np.exp2(_by_step(self.log2_norms_by_lag[name], -np.inf) - self.totals.log2_norms[name])
            return np.where(cosines == 0, 0.0, cosines * size)

    def shares_of_loss(self, name: str, t: int) -> Doubles:
        """The signed shares within one loss, [t+1]: ⟨∂J^(t)/∂W|_(i), ∂J^(t)/∂W⟩ / ‖∂J^(t)/∂W‖². They sum to 1.

        For W_h, W_e and b_1 only. Costs one row of the sweep, t products of B rows, and one matrix.
        """
        if name not in WEIGHTS:
            raise ConfigError(f"name is {name!r}; within one loss only {', '.join(WEIGHTS)} are sums over the steps")
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
        trajectory = self.trajectory
        mantissas, exponents = np.empty((t + 1, trajectory.B, trajectory.p.Dh)), np.empty(t + 1)
        for errors in sweep(trajectory, t, t + 1):
            mantissas[t - errors.k], exponents[t - errors.k] = errors.delta[0], errors.delta_exponent[0]
        return mantissas, exponents

    @on_all_threads
    def contribution(self, name: str, t: int, i: int) -> Doubles:
        """∂J^(t)/∂·|_(i), float64: W_h [Dh,Dh], W_e [Dh,d], b_1 [Dh], e [B,d], h [B,Dh].

        Computed on each call by t - i products of B rows; to store all of them would take T²·B·Dh/2 numbers.
        """
        _checked_name(name)
        self._check(t, i)
        errors = next(errors for errors in sweep(self.trajectory, t, t + 1) if errors.k == t - i)
        rows, exponent = errors.delta[0], errors.delta_exponent[0]
        if name == "h":
            rows, exponent = errors.gamma[0], errors.gamma_exponent[0]
        elif name == "e":
            rows, exponent = errors.de[0], errors.de_exponent[0]
        value = rows.astype(np.float64)
        if name in WEIGHTS:
            value = value.T @ self._inputs(name)[i].astype(
                np.float64
            )  # δ^T h^T, [Dh,B][B,Dh] in the letters of docs/derivation.md
        result: Doubles = np.ldexp(value, int(exponent))
        return result.reshape(-1) if name == "b_1" else result

    def total(self, name: str) -> Doubles:
        """∂J/∂· of J = Σ_t J^(t), float64: W_h [Dh,Dh], W_e [Dh,d], b_1 [Dh], e [T,B,d], h [T,B,Dh]."""
        with np.errstate(over="ignore"):
            result: Doubles = np.ldexp(self.totals.values[_checked_name(name)], self.totals.exponent)
        return result

    def _inputs(self, name: str) -> Floats:
        """What a weight is multiplied with at each step: h^(i-1), e^(i) or 1, [T,B,·]."""
        trajectory = self.trajectory
        if name == "b_1":
            return np.ones((trajectory.T, trajectory.B, 1), trajectory.p.dtype)
        return trajectory.h[:-1] if name == "W_h" else trajectory.e

    def _check(self, t: int, i: int) -> None:
        if not 0 <= i <= t < self.T:
            raise ShapeError(f"t, i are {t}, {i}, expected time steps with 0 ≤ i ≤ t < T = {self.T}")


@on_all_threads
def decompose(
    parameters: Parameters, x: Integers, y: Integers, h_0: Floats | None = None, *, layer: int = 0
) -> Flow:  # fmt: skip
    """Decomposes the gradient of each loss by time step. x, y int [T,B]; h_0 [B,Dh] (a state of `Parameters`) or None
    for zeros; layer: which one of a stack, the first is 0.

    The result is exact up to rounding: nothing is truncated or sampled. It is computed in the parameters' precision,
    float32 or float64. All losses are swept together in T products of at most T·B rows: T²·B·Dh·(Dh+d) operations, and
    as many again for each layer above. Memory: about a dozen arrays of T·B·Dh numbers, ten float64 tables [T,T], and
    2·T·B² numbers for Gram matrices where B > 1; no δ^(t,i) is stored. Where B > 1 and a contribution almost cancels
    over the batch, a weight's norm has half the digits.

    Raises ShapeError for shapes, types or token ids that do not match the parameters, ConfigError for a layer that they
    do not have.
    """
    trajectory = Trajectory.of(parameters, x, y, h_0, layer)
    totals = TotalGradients.of(trajectory)
    norms, cosines = norms_and_cosines(trajectory, totals)
    return Flow(trajectory, totals, dict(zip(NAMES, norms, strict=True)), dict(zip(NAMES, cosines, strict=True)))


def _checked_name(name: str) -> str:
    if name not in NAMES:
        raise ConfigError(f"name is {name!r}; choose one of {', '.join(NAMES)}")
    return name


def _by_step(by_lag: Doubles, elsewhere: float) -> Doubles:
    """The table [T,T] by t and i from the one by lag and t; `elsewhere` above the diagonal."""
    T = len(by_lag)
    t, i = np.tril_indices(T)
    table = np.full((T, T), elsewhere)
    table[t, i] = by_lag[t - i, t]
    return table
