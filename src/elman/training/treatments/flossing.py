"""Gradient flossing: before training, Lyapunov exponents are pushed to 0 (Engelken 2023, "preflossing").

A^(t) = diag(σ'(z^(t))) W_h is ∂h^(t)/∂h^(t-1). K directions Q^(0) are carried along and made orthonormal at every step,

    A^(t) Q^(t-1) = Q^(t) R^(t)      λ_k = 1/T Σ_t ln R^(t)_kk      L = mean over the sequences of 1/K Σ_k λ_k²

λ_k > 0: a direction grows in the forward pass, and a gradient in the backward pass; λ_k < 0: it shrinks. The
gradient of L is exact. Back through a QR M = Q R, with a bar for ∂L/∂ (Walter and Lehmann 2010; Seeger et al. 2017),

    M̄ = (Q̄ + Q copyltu(R R̄^T - Q̄^T Q)) R^-T      copyltu(X): the lower triangle, mirrored

then Q̄^(t-1) = A^(t)T M̄, and by s = σ'(z^(t)), a function of h^(t), into the states and through time as any other loss.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from elman.config import TrainingConfig
from elman.errors import ConfigError
from elman.model.activations import FUNCTIONS
from elman.model.bptt import through_time
from elman.model.network import hidden_states
from elman.model.parameters import Gradients, Parameters
from elman.training.optimizer import Adam
from elman.training.problem import Problem

Floats = NDArray[np.floating[Any]]
Doubles = NDArray[np.float64]
Integers = NDArray[np.integer[Any]]

SEQUENCES = 4
"""How many sequences of a batch are used."""
RATE = 3e-3
"""Adam's."""
CLIP = 1.0


@dataclass(frozen=True)
class Flossing:
    """L, the exponents λ [B,K] in it, and its gradients."""

    L: float
    exponents: Doubles
    gradients: Gradients


def floss(p: Parameters, problem: Problem, settings: TrainingConfig) -> list[float]:
    """Updates E, W_e, W_h and b_1 in place for `settings.floss` steps; returns L before each."""
    optimizer, losses = Adam(p), []
    count = settings.floss_exponents or max(1, p.Dh // 4)
    for step in range(settings.floss):
        x = problem.batch(0, step % len(problem)).x[:, :SEQUENCES]
        found = flossing(p, x, count)
        losses.append(found.L)
        norm = found.gradients.norm()
        if np.isfinite(norm):
            optimizer.step(p, found.gradients, RATE, min(1.0, CLIP / norm) if norm else 1.0)
    return losses


def flossing(p: Parameters, x: Integers, count: int) -> Flossing:
    """L of the `count` largest exponents over x [T,B] from states of 0, and its gradients (of the output layer: 0)."""
    T, B = x.shape
    forward = hidden_states(p, x, p.initial_state(B))
    h, W_h = forward.h[1:].astype(np.float64), p.W_h.astype(np.float64)
    f = FUNCTIONS[p.activation]
    derivative, by_h = f.derivative(h), f.derivative_by_h(h)  # σ', ∂σ'/∂h
    start = np.linalg.qr(np.random.default_rng(0).standard_normal((p.Dh, count)))[0]
    Q, R, ahead = [np.broadcast_to(start, (B, p.Dh, count))], [], []
    for t in range(T):
        ahead.append(W_h @ Q[t])  # [B,Dh,K]
        q, r = np.linalg.qr(derivative[t][..., None] * ahead[t])
        sign = np.where(np.diagonal(r, axis1=1, axis2=2) < 0, -1.0, 1.0)
        Q.append(q * sign[:, None, :])
        R.append(r * sign[:, :, None])
    diagonals = np.array([np.diagonal(r, axis1=1, axis2=2) for r in R])  # [T,B,K]
    if not (diagonals > 0).all():
        raise ConfigError(
            f"one of the {count} flossed directions becomes 0 at once (σ' or W_h is 0 there): take fewer "
            "--floss-exponents, or a smaller --init-scale"
        )
    exponents = np.log(diagonals).mean(axis=0)
    by_diagonal = 2 * exponents / (B * count * T) / diagonals  # R̄_kk
    dW_h, dh, Q_bar = np.zeros_like(W_h), np.zeros_like(h), np.zeros((B, p.Dh, count))
    for t in range(T - 1, -1, -1):
        # R R̄^T, R̄ being diagonal, is R with its columns scaled
        X = R[t] * by_diagonal[t][:, None, :] - Q_bar.mT @ Q[t + 1]
        mirrored = np.tril(X) + np.tril(X, -1).mT
        M_bar = np.linalg.solve(R[t], (Q_bar + Q[t + 1] @ mirrored).mT).mT  # (…) R^-T
        dh[t] = (M_bar * ahead[t]).sum(axis=2) * by_h[t]  # s̄ ds/dh
        scaled = derivative[t][..., None] * M_bar
        dW_h += (scaled @ Q[t].mT).sum(axis=0)
        Q_bar = W_h.T @ scaled
    L = float((exponents**2).mean())
    found = through_time(p, forward, L, dh.astype(p.dtype), p.output.zero_gradients(), 0.0)
    found.gradients.W_h += dW_h.astype(p.dtype)
    return Flossing(L, exponents, found.gradients)
