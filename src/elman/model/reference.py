"""The slow, obvious reference: the formulas of docs/derivation.md, feature-major, loops and all.

Every array is as on the page: E [d,V], e [d,B], z and h [Dh,B], θ and ŷ [V,B], δ1 [B,V], δ2 and γ [B,Dh],
b_1 [Dh,1], b_2 [V,1]. J is the *sum* over the batch. Any dtype: float64, or complex128, in which a step of
1e-20 i in one entry gives that entry's derivative in the imaginary part of J, to machine precision.
It imports nothing of Elman and shares nothing with the fast path.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


@dataclass
class ReferenceLayer:
    """A recurrent layer above the first: its input is h of the layer below."""

    W_e: Array  # [Dh,Dh]
    W_h: Array  # [Dh,Dh]
    b_1: Array  # [Dh,1]


@dataclass
class ReferenceNetwork:
    """The parameters as on the page, and the name of σ."""

    E: Array  # [d,V]
    W_e: Array  # [Dh,d]
    W_h: Array  # [Dh,Dh]
    b_1: Array  # [Dh,1]
    U: Array  # [V,Dh]
    b_2: Array  # [V,1]
    activation: str = "sigmoid"
    above: tuple[ReferenceLayer, ...] = ()  # section 11 of the page


@dataclass
class Trace:
    """All values of a forward pass; lists run over t = 1..T, and h starts with h^(0).

    above: h of each layer above the first, in the same way.
    """

    x: list[Array]  # one-hot [V,B]
    y: list[Array]  # one-hot [V,B]
    e: list[Array]
    z: list[Array]
    h: list[Array]
    y_hat: list[Array]
    J: list[Any]  # scalars
    above: list[list[Array]] = field(default_factory=list)


def sigma(z: Array, activation: str) -> Array:
    """The activation; analytic, so that a complex step passes through it; relu depends on the real part."""
    if activation == "sigmoid":
        return np.asarray(1 / (1 + np.exp(-z)))
    if activation == "tanh":
        return np.asarray(np.tanh(z))
    return np.asarray(np.where(z.real > 0, z, 0))


def sigma_prime(h: Array, activation: str) -> Array:
    """σ'(z) from h: h∘(1-h), not z∘(1-z)."""
    if activation == "sigmoid":
        return np.asarray(h * (1 - h))
    if activation == "tanh":
        return np.asarray(1 - h * h)
    return np.asarray(h.real > 0, h.dtype)


def softmax(theta: Array) -> Array:
    """ŷ over the vocabulary axis, [V,B]."""
    shifted = np.exp(theta - theta.real.max(axis=0))
    return np.asarray(shifted / shifted.sum(axis=0))


def one_hot(tokens: Array, V: int, dtype: Any) -> Array:
    """[V,B] from token ids [B]."""
    return np.asarray(np.eye(V, dtype=dtype)[:, tokens])


def forward(m: ReferenceNetwork, x: Array, y: Array, h_0: Array) -> Trace:
    """The forward equations for x, y int [T,B] and h_0 [Dh,B]; with n layers [n·Dh,B], the first layer's rows first."""
    V, Dh = m.U.shape
    begin = [h_0[k : k + Dh] for k in range(0, len(h_0), Dh)]
    trace = Trace([], [], [], [], [begin[0]], [], [], [[h] for h in begin[1:]])
    for t in range(len(x)):
        x_t, y_t = one_hot(x[t], V, m.U.dtype), one_hot(y[t], V, m.U.dtype)
        e = m.E @ x_t
        z = m.W_h @ trace.h[-1] + m.W_e @ e + m.b_1
        h = sigma(z, m.activation)
        top = h
        for layer, states in zip(m.above, trace.above, strict=True):
            top = sigma(layer.W_h @ states[-1] + layer.W_e @ top + layer.b_1, m.activation)
            states.append(top)
        theta = m.U @ top + m.b_2
        y_hat = softmax(theta)
        J = -np.sum(y_t * np.log(y_hat))
        for name, value in (("x", x_t), ("y", y_t), ("e", e), ("z", z), ("h", h), ("y_hat", y_hat), ("J", J)):
            getattr(trace, name).append(value)
    return trace


def contributions(m: ReferenceNetwork, trace: Trace, t: int) -> list[dict[str, Array]]:
    """∂J^(t)/∂·|_(i) for i = 1..t, by name; t counts from 1. The i-th entry is the contribution of time step i.

    W_h [Dh,Dh], W_e [Dh,d], b_1 [Dh,1], E [d,V]; and e [d,B], gamma [B,Dh] (∂J^(t)/∂h^(i)), delta2 [B,Dh]; U and
    b_2 only in the last, h_0 [Dh,B] only in the first. Of the layers above: layers.1.W_h, …; gamma and delta2 are those
    of the first layer.
    """
    delta1 = (trace.y_hat[t - 1] - trace.y[t - 1]).T  # [B,V]
    ones = np.ones((delta1.shape[0], 1), delta1.dtype)
    gamma = delta1 @ m.U  # ∂J/∂h^(t) of the last layer [B,Dh]
    later: list[Any] = [0] * len(m.above) + [gamma]  # of each layer's ∂J/∂h^(i): the part from J and later steps
    by_step: list[dict[str, Array]] = []
    for i in range(t, 0, -1):
        above: dict[str, Array] = {}
        from_above: Any = 0  # of ∂J/∂h^(i), the part from the layer above
        for n in range(len(m.above), 0, -1):
            layer, h = m.above[n - 1], trace.above[n - 1]
            below = trace.above[n - 2] if n > 1 else trace.h
            delta2 = (later[n] + from_above) * sigma_prime(h[i], m.activation).T
            above[f"layers.{n}.W_h"] = delta2.T @ h[i - 1].T
            above[f"layers.{n}.W_e"] = delta2.T @ below[i].T
            above[f"layers.{n}.b_1"] = delta2.T @ ones
            later[n], from_above = delta2 @ layer.W_h, delta2 @ layer.W_e
        gamma = later[0] + from_above
        delta2 = gamma * sigma_prime(trace.h[i], m.activation).T  # [B,Dh]
        de = m.W_e.T @ delta2.T  # [d,B]
        terms = {
            "W_h": delta2.T @ trace.h[i - 1].T,
            "W_e": delta2.T @ trace.e[i - 1].T,
            "b_1": delta2.T @ ones,
            "e": de,
            "E": de @ trace.x[i - 1].T,
            "gamma": gamma,
            "delta2": delta2,
            **above,
        }
        if i == t:
            terms["U"] = delta1.T @ [trace.h, *trace.above][-1][t].T
            terms["b_2"] = delta1.T @ ones
        later[0] = delta2 @ m.W_h  # γ^(i-1) = δ2^(i) W_h, and of the layers above too
        if i == 1:
            terms["h_0"] = np.concatenate(later, axis=1).T
        by_step.append(terms)
    return by_step[::-1]


def gradients(m: ReferenceNetwork, x: Array, y: Array, h_0: Array) -> tuple[Any, dict[str, Array]]:
    """J = Σ_t J^(t), and its gradients by every parameter and h_0, as the plain double sum over t and i ≤ t."""
    trace = forward(m, x, y, h_0)
    total: dict[str, Array] = {}
    for t in range(1, len(x) + 1):
        for terms in contributions(m, trace, t):
            for name, term in terms.items():
                if name not in ("e", "gamma", "delta2"):
                    total[name] = total.get(name, 0) + term
    return sum(trace.J), total
