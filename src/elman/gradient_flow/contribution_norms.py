"""The norm of each contribution and its cosine to the total: in one native call where available, else lag by lag.

No matrix is formed for a pair (t, i). A norm comes from Gram matrices, ‖Σ_b δ_b^T h_b^T‖² = Σ (δδ^T)∘(h^T h). The
product with the total gradient G is ⟨δ^T h^T, G⟩ = Σ δ∘(G h)^T, where G h is computed once for each step; so is W_e g
for ⟨δ W_e, g⟩.
"""

from __future__ import annotations

import numpy as np

from elman.gradient_flow.sweep import LagErrors, dots, log2_norms, scaled_slope, scaled_weights, sweep
from elman.gradient_flow.total_gradients import TotalGradients
from elman.gradient_flow.trajectory import Doubles, Floats, Trajectory
from elman.kernels import Contributions
from elman.kernels.contributions import NAMES


def norms_and_cosines(trajectory: Trajectory, totals: TotalGradients) -> tuple[Doubles, Doubles]:
    """log2 of the norms, and the cosines to the totals, each [5,T,T] by name (NAMES), lag k = t - i, and t.

    Where t < k there is no contribution: -∞ and 0.
    """
    terms = _terms(trajectory, totals)
    p, T = trajectory.p, trajectory.T
    native = p.kernels.contributions_kernel(p.dtype) if trajectory.above is None else None  # it knows no layer above
    if native is not None:
        return native(terms)
    norms, cosines = np.full((len(NAMES), T, T), -np.inf), np.zeros((len(NAMES), T, T))
    for errors in sweep(trajectory):
        for n, (norm, cosine) in enumerate(_at_lag(errors, terms)):
            norms[n, errors.k, errors.first :] = norm
            cosines[n, errors.k, errors.first :] = cosine
    return norms, cosines


def _terms(trajectory: Trajectory, totals: TotalGradients) -> Contributions:
    """What norms and cosines are computed from."""
    p, layer, shape = trajectory.p, trajectory.weights, trajectory.dh.shape
    product = p.kernels.product
    h, e = trajectory.h[:-1], trajectory.e
    unit = {name: totals.directions(name).astype(p.dtype) for name in NAMES}

    def along(rows: Floats, matrix: Floats) -> Floats:
        result: Floats = product(rows.reshape(-1, rows.shape[-1]), matrix, b_transposed=True).reshape(shape)
        return result

    slope, slope_exponent = scaled_slope(trajectory)
    (W_h, W_e), (up_h, up_e) = scaled_weights(layer.W_h, layer.W_e)
    return Contributions(
        trajectory.dh, slope, slope_exponent, W_h, W_e, up_h, up_e,
        along={
            "W_h": along(h, unit["W_h"]),  # (G h)^T     [T,B,Dh]
            "W_e": along(e, unit["W_e"]),  # (G e)^T     [T,B,Dh]
            "b_1": unit["b_1"],  # [Dh]
            "e": along(unit["e"], layer.W_e),  # [T,B,Dh]
            "h": unit["h"],  # [T,B,Dh]
        },
        grams={"W_h": _gram(h), "W_e": _gram(e)},
    )  # fmt: skip


def _gram(rows: Floats) -> Doubles:
    """The inner products of the B rows of each step: [T,B,B] from [T,B,n], in float64."""
    rows = rows.astype(np.float64)
    result: Doubles = rows @ rows.swapaxes(1, 2) if rows.shape[1] > 1 else np.vecdot(rows, rows)[:, None]
    return result


def _at_lag(errors: LagErrors, terms: Contributions) -> list[tuple[Doubles, Doubles]]:
    """(log2 norms, cosines) of one lag for each of NAMES, each [r]."""
    steps, exponent, B = errors.steps, errors.delta_exponent, errors.delta.shape[1]
    along = {name: rows if name == "b_1" else rows[steps] for name, rows in terms.along.items()}
    result: dict[str, tuple[Doubles, Doubles]] = {}
    gram = errors.delta @ errors.delta.swapaxes(1, 2) if B > 1 else None  # [r,B,B]
    for name in ("W_h", "W_e"):
        if gram is None:
            with np.errstate(divide="ignore"):
                norm = errors.log2_delta + np.log2(terms.grams[name][steps, 0, 0]) / 2
        else:
            squares = np.einsum("tbc,tbc->t", gram, terms.grams[name][steps])
            with np.errstate(divide="ignore"):
                norm = np.log2(np.maximum(squares, 0)) / 2 + exponent
        result[name] = norm, _cosine(dots(errors.delta, along[name]), norm - exponent)
    batch_sum = errors.delta.sum(axis=1) if B > 1 else errors.delta[:, 0]  # [r,Dh]
    norm = log2_norms(batch_sum, exponent) if B > 1 else errors.log2_delta
    result["b_1"] = norm, _cosine(batch_sum @ along["b_1"], norm - exponent)
    norm = log2_norms(errors.de, errors.de_exponent)
    result["e"] = norm, _cosine(dots(errors.delta, along["e"]), norm - exponent)
    norm = log2_norms(errors.gamma, errors.gamma_exponent)
    result["h"] = norm, _cosine(dots(errors.gamma, along["h"]), norm - errors.gamma_exponent)
    return [result[name] for name in NAMES]


def _cosine(along: Doubles, log2_norm: Doubles) -> Doubles:
    """⟨contribution, total/‖total‖⟩ / ‖contribution‖; 0 where the contribution is zero."""
    zero = np.isneginf(log2_norm)
    result: Doubles = np.where(zero, 0.0, along * np.exp2(-np.where(zero, 0.0, log2_norm)))
    return result
