"""The signed share of each step in the gradient of one loss: does step i add to ∂J^(t)/∂W or take away from it?

    G^(t) = ∂J^(t)/∂W = Σ_i C^(i),  C^(i) = Σ_b δ_b^T h_b      ⟨C^(i), C^(j)⟩ = Σ_bc (δ_ib·δ_jc) (h_ib·h_jc)

so that ⟨C^(i), G^(t)⟩, a row sum, needs the Gram matrix of the δ^(t,·) and no matrix of W's size.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from elman.gradient_flow.decomposition import Flow
from elman.gradient_flow.sweep import sweep
from elman.gradient_flow.trajectory import Doubles
from elman.kernels.blas_threads import on_all_threads
from elman.representation import short_repr

NAMES = ("W_h", "W_e")
BLOCK_NUMBERS = 2**24
"""The most numbers of δ that are in memory at once: the losses are swept in blocks."""


@dataclass(frozen=True)
class LossShares:
    """For each loss t, how each step i ≤ t contributes to its own gradient G^(t) = ∂J^(t)/∂W.

    cosines      [T,T], entry [t,i]: the cosine between ∂J^(t)/∂W|_(i) and G^(t); 0 if one of them is 0
    log10_norms  [T]: log10 ‖G^(t)‖

    The signed share of step i in loss t is cosine · ‖contribution‖ / ‖G^(t)‖; over i ≤ t the shares sum to 1.
    """

    cosines: Doubles
    log10_norms: Doubles

    __repr__ = short_repr

    def shares(self, log10_contributions: Doubles) -> Doubles:
        """The signed shares [T,T], from the log10 norms of the contributions [T,T] (`Flow.log10_norms`)."""
        with np.errstate(invalid="ignore", over="ignore"):
            size = np.power(10.0, log10_contributions - self.log10_norms[:, None])
            return np.where(self.cosines == 0, 0.0, self.cosines * size)


@on_all_threads
def loss_shares(flow: Flow) -> dict[str, LossShares]:
    """For W_h and W_e. Costs a second sweep, and T³·B²·Dh/3 operations for the Gram matrices."""
    trajectory = flow.trajectory
    T, B, Dh = trajectory.T, trajectory.B, trajectory.p.Dh
    inputs = {"W_h": trajectory.h[:-1], "W_e": trajectory.e}
    grams = {}
    for name in NAMES:
        rows = inputs[name].reshape(T * B, -1).astype(np.float64)
        grams[name] = rows @ rows.T  # [T·B,T·B]
    result = {name: LossShares(np.zeros((T, T)), np.full(T, -np.inf)) for name in NAMES}
    block = max(1, BLOCK_NUMBERS // (T * B * Dh))
    for first in range(0, T, block):
        last = min(first + block, T)
        deltas = np.zeros((last - first, last, B, Dh))
        exponents = np.full((last - first, last), -np.inf)
        for errors in sweep(trajectory, first, last):
            losses = np.arange(errors.first, errors.first + len(errors.delta))
            exponent = np.where(np.isneginf(errors.log2_delta), -np.inf, errors.delta_exponent)
            deltas[losses - first, losses - errors.k] = errors.delta
            exponents[losses - first, losses - errors.k] = exponent
        for t in range(first, last):
            _fill_row(result, t, deltas[t - first, : t + 1], exponents[t - first, : t + 1], grams)
    return result


def _fill_row(
    result: dict[str, LossShares], t: int, delta: Doubles, exponent: Doubles, grams: dict[str, Doubles]
) -> None:
    """Writes loss t into its row. Its δ^(t,i) are delta [t+1,B,Dh] times 2^exponent [t+1]."""
    top = exponent.max()
    if np.isneginf(top):
        return
    steps, B, Dh = delta.shape
    rows = (delta * np.exp2(exponent - top)[:, None, None]).reshape(steps * B, Dh)
    gram = rows @ rows.T
    for name, shares in result.items():
        products = gram * grams[name][: steps * B, : steps * B]
        between_steps = products.reshape(steps, B, steps, B).sum(axis=(1, 3))  # ⟨C^(i), C^(j)⟩     [t+1,t+1]
        along, own, whole = between_steps.sum(axis=1), np.diag(between_steps), float(between_steps.sum())
        if whole <= 0:
            continue
        size = np.sqrt(np.maximum(own, 0) * whole)
        shares.cosines[t, :steps] = np.clip(np.divide(along, size, out=np.zeros(steps), where=size > 0), -1, 1)
        shares.log10_norms[t] = np.log10(whole) / 2 + top * np.log10(2)
