"""Every contribution against the gradient of its own loss: does step i work with ∂J^(t)/∂W or against it?

    G^(t) = ∂J^(t)/∂W = Σ_i C^(i),  C^(i) = Σ_b δ_b^T h_b      ⟨C^(i), C^(j)⟩ = Σ_bc (δ_ib·δ_jc) (h_ib·h_jc)

so that ⟨C^(i), G^(t)⟩, a row sum, needs the Gram matrix of the δ^(t,·) and no matrix of W's size.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from elman.gradient_flow.decomposition import Flow
from elman.gradient_flow.sweep import sweep
from elman.gradient_flow.trajectory import Doubles

NAMES = ("W_h", "W_e")
BLOCK_NUMBERS = 2**24
"""The most numbers of δ that are kept at once: a block of losses is swept together."""


@dataclass(frozen=True)
class Within:
    """Of each loss. log10_norms [T]: of ∂J^(t)/∂W · cosines [T,T], entry [t,i]: of ∂J^(t)/∂W|_(i) to it, 0 if one is 0.

    The share of step i in loss t is cosine · ‖contribution‖ / ‖∂J^(t)/∂W‖; over i ≤ t the shares sum to 1.
    """

    cosines: Doubles
    log10_norms: Doubles

    def shares(self, log10_contributions: Doubles) -> Doubles:
        """[T,T], from the log10 norms of the contributions."""
        with np.errstate(invalid="ignore", over="ignore"):
            size = np.power(10.0, log10_contributions - self.log10_norms[:, None])
            return np.where(self.cosines == 0, 0.0, self.cosines * size)


def within_losses(flow: Flow) -> dict[str, Within]:
    """For W_h and W_e. Costs the sweep once more, and T³·B²·Dh/3 operations for the Gram matrices."""
    way = flow.trajectory
    T, B, Dh = way.T, way.B, way.p.Dh
    inputs = {"W_h": way.h[:-1], "W_e": way.e}
    grams = {}
    for name in NAMES:
        rows = inputs[name].reshape(T * B, -1).astype(np.float64)
        grams[name] = rows @ rows.T
    found = {name: Within(np.zeros((T, T)), np.full(T, -np.inf)) for name in NAMES}
    step = max(1, BLOCK_NUMBERS // (T * B * Dh))
    for first in range(0, T, step):
        last = min(first + step, T)
        deltas = np.zeros((last - first, last, B, Dh))
        exponents = np.full((last - first, last), -np.inf)
        for lag in sweep(way, first, last):
            t = np.arange(lag.first, lag.first + len(lag.delta))
            deltas[t - first, t - lag.k] = lag.delta
            exponents[t - first, t - lag.k] = np.where(np.isneginf(lag.log2_delta), -np.inf, lag.delta_exponent)
        for loss in range(first, last):
            _of_loss(deltas[loss - first, : loss + 1], exponents[loss - first, : loss + 1], grams, found, loss)
    return found


def _of_loss(delta: Doubles, exponent: Doubles, grams: dict[str, Doubles], found: dict[str, Within], t: int) -> None:
    """delta [t+1,B,Dh] times 2^exponent [t+1], into row t of what is found."""
    top = exponent.max()
    if np.isneginf(top):
        return
    steps, B, Dh = delta.shape
    rows = (delta * np.exp2(exponent - top)[:, None, None]).reshape(steps * B, Dh)
    gram = rows @ rows.T
    for name, within in found.items():
        products = gram * grams[name][: steps * B, : steps * B]
        among = products.reshape(steps, B, steps, B).sum(axis=(1, 3))  # ⟨C^(i), C^(j)⟩
        along, own, whole = among.sum(axis=1), np.diag(among), float(among.sum())
        if whole <= 0:
            continue
        size = np.sqrt(np.maximum(own, 0) * whole)
        within.cosines[t, :steps] = np.clip(np.divide(along, size, out=np.zeros(steps), where=size > 0), -1, 1)
        within.log10_norms[t] = np.log10(whole) / 2 + top * np.log10(2)
