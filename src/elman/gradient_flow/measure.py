"""Norms of all contributions, and cosines to the totals: by one native call where there is one, else lag by lag.

No matrix is made for a pair: a norm comes from Gram matrices, ‖Σ_b δ_b^T h_b^T‖² = Σ (δδ^T)∘(h^T h), and the product
with the total G from ⟨δ^T h^T, G⟩ = Σ δ∘(G h)^T, where G h is made once for each step; as is W_e g for ⟨δ W_e, g⟩.
"""

from __future__ import annotations

import numpy as np

from elman.gradient_flow.sweep import Lag, dots, log2_norms, scaled_slope, scaled_weights, sweep
from elman.gradient_flow.totals import Totals
from elman.gradient_flow.trajectory import Doubles, Floats, Trajectory
from elman.kernels import Contributions, backend
from elman.kernels.contributions import NAMES


def tables(way: Trajectory, totals: Totals) -> tuple[Doubles, Doubles]:
    """log2 of the norms, and the cosines, [5,T,T] by name, lag k = t - i and t; -∞ and 0 where t < k."""
    terms = _terms(way, totals)
    found = backend().contributions(terms)
    if found is not None:
        return found
    norms, cosines = np.full((len(NAMES), way.T, way.T), -np.inf), np.zeros((len(NAMES), way.T, way.T))
    for lag in sweep(way):
        for at, (norm, along) in enumerate(_measured(lag, terms)):
            norms[at, lag.k, lag.first :] = norm
            cosines[at, lag.k, lag.first :] = along
    return norms, cosines


def _terms(way: Trajectory, totals: Totals) -> Contributions:
    p, shape = way.p, way.dh.shape
    product = backend().product
    h, e = way.h[:-1], way.e
    unit = {name: totals.directions(name).astype(p.dtype) for name in NAMES}

    def along(rows: Floats, matrix: Floats) -> Floats:
        found: Floats = product(rows.reshape(-1, rows.shape[-1]), matrix, b_transposed=True).reshape(shape)
        return found

    slope, slope_exponent = scaled_slope(way)
    (W_h, W_e), (up_h, up_e) = scaled_weights(p.W_h, p.W_e)
    return Contributions(
        way.dh, slope, slope_exponent, W_h, W_e, up_h, up_e,
        along={
            "W_h": along(h, unit["W_h"]),  # (G h)^T     [T,B,Dh]
            "W_e": along(e, unit["W_e"]),
            "b_1": unit["b_1"],
            "e": along(unit["e"], p.W_e),
            "h": unit["h"],
        },
        grams={"W_h": _gram(h), "W_e": _gram(e)},
    )  # fmt: skip


def _gram(rows: Floats) -> Doubles:
    """[T,B,B] of the products of the rows [T,B,n] of each step, in float64."""
    rows = rows.astype(np.float64)
    result: Doubles = rows @ rows.swapaxes(1, 2) if rows.shape[1] > 1 else np.vecdot(rows, rows)[:, None]
    return result


def _measured(lag: Lag, terms: Contributions) -> list[tuple[Doubles, Doubles]]:
    """Of one lag and each name: log2 norms and cosines, a number a row."""
    steps, exponent, B = lag.steps, lag.delta_exponent, lag.delta.shape[1]
    along = {name: rows if name == "b_1" else rows[steps] for name, rows in terms.along.items()}
    found: dict[str, tuple[Doubles, Doubles]] = {}
    gram = lag.delta @ lag.delta.swapaxes(1, 2) if B > 1 else None
    for name in ("W_h", "W_e"):
        if gram is None:
            with np.errstate(divide="ignore"):
                norm = lag.log2_delta + np.log2(terms.grams[name][steps, 0, 0]) / 2
        else:
            squares = np.einsum("tbc,tbc->t", gram, terms.grams[name][steps])
            with np.errstate(divide="ignore"):
                norm = np.log2(np.maximum(squares, 0)) / 2 + exponent
        found[name] = norm, _cosine(dots(lag.delta, along[name]), norm - exponent)
    summed = lag.delta.sum(axis=1) if B > 1 else lag.delta[:, 0]
    norm = log2_norms(summed, exponent) if B > 1 else lag.log2_delta
    found["b_1"] = norm, _cosine(summed @ along["b_1"], norm - exponent)
    norm = log2_norms(lag.de, lag.de_exponent)
    found["e"] = norm, _cosine(dots(lag.delta, along["e"]), norm - exponent)
    norm = log2_norms(lag.gamma, lag.gamma_exponent)
    found["h"] = norm, _cosine(dots(lag.gamma, along["h"]), norm - lag.gamma_exponent)
    return [found[name] for name in NAMES]


def _cosine(along: Doubles, log2_norm: Doubles) -> Doubles:
    """⟨contribution, total/‖total‖⟩ / ‖contribution‖; 0 where the contribution is zero."""
    zero = np.isneginf(log2_norm)
    result: Doubles = np.where(zero, 0.0, along * np.exp2(-np.where(zero, 0.0, log2_norm)))
    return result
