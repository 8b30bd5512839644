"""`decompose_loss`: the gradient of one loss by time step, for what looks at one prediction at a time.

It costs one row of the sweep of `decompose`: T products of one row, T·Dh·(Dh+d) operations.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from elman.errors import ConfigError, ShapeError
from elman.gradient_flow.reach import lag_within
from elman.gradient_flow.sweep import log2_norms, sweep
from elman.gradient_flow.trajectory import Doubles, Floats, Integers, Trajectory
from elman.kernels.blas_threads import on_all_threads
from elman.model.parameters import Parameters

SUMS = ("W_h", "W_e")
"""Weights: the gradient of the loss is the sum of the contributions of all steps, so each has a signed share of it."""


@dataclass(frozen=True)
class LossGradient:
    """What each step i of T contributes to the gradient of the last loss, J^(T-1).

    J            that loss, in nats
    log10_norms  by name (W_h, W_e, e, h), [T]: log10 of the norms of the contributions; -∞ where one is zero
    shares       for W_h and W_e, [T]: the signed part of ∂J^(T-1)/∂W that each step makes up; they sum to 1
    """

    J: float
    log10_norms: Mapping[str, Doubles]
    shares: Mapping[str, Doubles]

    def reach(self, name: str = "W_h", share: float = 0.95) -> int:
        """The smallest number of steps back within which this share of the sum of all norms lies. Raises ConfigError
        for an unknown name and for a share that is not over 0 and at most 1.
        """
        if name not in self.log10_norms:
            raise ConfigError(f"name is {name!r}; choose one of {', '.join(self.log10_norms)}")
        return lag_within(self.log10_norms[name][::-1], share)


@on_all_threads
def decompose_loss(
    parameters: Parameters, x: Integers, y: Integers, h_0: Floats | None = None, *, layer: int = 0
) -> LossGradient:  # fmt: skip
    """Decomposes the gradient of the last loss of one sequence by time step. x, y int [T,1]; h_0 [1,Dh] or None; layer:
    which one of a stack, the first is 0.

    The norms and shares are those of `decompose` (`Flow.log10_norms`, `Flow.shares_of_loss`) for t = T - 1. Raises
    ConfigError for a layer that the parameters do not have, ShapeError for shapes or ids that do not match them.
    """
    trajectory = Trajectory.of(parameters, x, y, h_0, layer)
    if trajectory.B != 1:
        raise ShapeError(f"x has {trajectory.B} sequences; give one, as [T,1]")
    T, Dh = trajectory.T, trajectory.p.Dh
    deltas, exponents = np.zeros((T, Dh)), np.full(T, -np.inf)
    log2 = {name: np.full(T, -np.inf) for name in (*SUMS, "e", "h")}
    inputs = {"W_h": trajectory.h[:-1, 0].astype(np.float64), "W_e": trajectory.e[:, 0].astype(np.float64)}  # [T,·]
    with np.errstate(divide="ignore"):
        log2_inputs = {name: np.log2(np.linalg.norm(rows, axis=1)) for name, rows in inputs.items()}
    for errors in sweep(trajectory, T - 1, T):
        i = T - 1 - errors.k
        if np.isneginf(errors.log2_delta[0]):
            continue
        deltas[i], exponents[i] = errors.delta[0, 0], errors.delta_exponent[0]
        for name in SUMS:
            log2[name][i] = errors.log2_delta[0] + log2_inputs[name][i]
        log2["e"][i] = log2_norms(errors.de, errors.de_exponent)[0]
        log2["h"][i] = log2_norms(errors.gamma, errors.gamma_exponent)[0]
    shares = {name: _shares(deltas, exponents, rows) for name, rows in inputs.items()}
    return LossGradient(
        float(trajectory.J[-1]), {name: norms * np.log10(2) for name, norms in log2.items()}, shares
    )  # fmt: skip


def _shares(deltas: Doubles, exponents: Doubles, inputs: Doubles) -> Doubles:
    """⟨δ_i^T x_i, G⟩ / ‖G‖² for G = Σ_i δ_i^T x_i, [T]. The δ are deltas [T,Dh] times 2^exponents; inputs [T,·]."""
    top = exponents.max()
    if np.isneginf(top):
        return np.zeros(len(deltas))
    rows = deltas * np.exp2(exponents - top)[:, None]
    G = rows.T @ inputs
    along: Doubles = ((rows @ G) * inputs).sum(axis=1)
    whole = float(np.vdot(G, G))
    return along / whole if whole > 0 else along
