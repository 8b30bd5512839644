"""The slow, obvious reference: the formulas of docs/derivation.md, feature-major, loops and all.

Every array is as on the page: E [d,V], e [d,B], z and h [Dh,B], θ and ŷ [V,B], δ1 [B,V], δ2 and γ [B,Dh],
b_1 [Dh,1], b_2 [V,1]. J is the *sum* over the batch. Any dtype: float64, or complex128, in which a step of
1e-20 i in one entry gives that entry's derivative in the imaginary part of J, to machine precision.
It imports nothing of Elman and shares nothing with the fast path.
"""

from __future__ import annotations

import itertools
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
class ReferenceTail:
    """A tail of an adaptive output layer: tokens that follow those of the head, or of the tail before."""

    P: Array  # [D,Dh]
    U: Array  # [n,D]
    b_2: Array  # [n,1]


@dataclass
class ReferenceNetwork:
    """The parameters as on the page, and the name of σ. With tails U [C,Dh] and b_2 [C,1] are those of the head."""

    E: Array  # [d,V]
    W_e: Array  # [Dh,d]
    W_h: Array  # [Dh,Dh]
    b_1: Array  # [Dh,1]
    U: Array  # [V,Dh]
    b_2: Array  # [V,1]
    activation: str = "sigmoid"
    above: tuple[ReferenceLayer, ...] = ()  # section 11 of the page
    tails: tuple[ReferenceTail, ...] = ()  # section 12
    skip: bool = False  # what is read of a layer above the first is its h plus those below


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
    V, Dh = m.E.shape[1], m.U.shape[1]
    begin = [h_0[k : k + Dh] for k in range(0, len(h_0), Dh)]
    trace = Trace([], [], [], [], [begin[0]], [], [], [[h] for h in begin[1:]])
    for t in range(len(x)):
        x_t, y_t = one_hot(x[t], V, m.U.dtype), one_hot(y[t], V, m.U.dtype)
        e = m.E @ x_t
        z = m.W_h @ trace.h[-1] + m.W_e @ e + m.b_1
        h = sigma(z, m.activation)
        top = h
        for layer, states in zip(m.above, trace.above, strict=True):
            states.append(sigma(layer.W_h @ states[-1] + layer.W_e @ top + layer.b_1, m.activation))
            top = states[-1] + top if m.skip else states[-1]
        y_hat = probabilities(m, top)
        J = -np.sum(y_t * np.log(y_hat))
        for name, value in (("x", x_t), ("y", y_t), ("e", e), ("z", z), ("h", h), ("y_hat", y_hat), ("J", J)):
            getattr(trace, name).append(value)
    return trace


def read_of(m: ReferenceNetwork, trace: Trace, n: int, t: int) -> Array:
    """What is read of layer n at t: its h, or with skip connections the sum of h from the first layer to it."""
    h = [trace.h, *trace.above]
    return np.asarray(sum(h[k][t] for k in range(n + 1)) if m.skip else h[n][t])


def probabilities(m: ReferenceNetwork, h: Array) -> Array:
    """ŷ [V,B] of the last layer's h [Dh,B]; with tails, that of the tail times that of the token in it."""
    y_hat = softmax(m.U @ h + m.b_2)
    n = len(y_hat) - len(m.tails)
    of_tails = [y_hat[n + k] * softmax(tail.U @ (tail.P @ h) + tail.b_2) for k, tail in enumerate(m.tails)]
    return np.concatenate([y_hat[:n], *of_tails])


def output_gradients(m: ReferenceNetwork, h: Array, y: Array) -> tuple[Array, dict[str, Array]]:
    """∂J/∂h [B,Dh] of the output layer, and its gradients by name, from the last h [Dh,B] and the one-hot y [V,B]."""
    n = len(m.U) - len(m.tails)
    ends = [n]
    for tail in m.tails:
        ends.append(ends[-1] + len(tail.U))
    r = [y[begin:end] for begin, end in itertools.pairwise(ends)]  # the tails' rows of y
    c = np.concatenate([y[:n], *(r_k.sum(axis=0, keepdims=True) for r_k in r)])  # [C,B]: the token, or its tail
    ones = np.ones((y.shape[1], 1), y.dtype)
    delta1 = (softmax(m.U @ h + m.b_2) - c).T  # [B,C]
    gamma = delta1 @ m.U
    found = {"U": delta1.T @ h.T, "b_2": delta1.T @ ones}
    for k, (tail, r_k) in enumerate(zip(m.tails, r, strict=True)):
        g = tail.P @ h  # [D,B]
        inside = r_k.sum(axis=0)  # 1 for a sequence whose token is in the tail, else 0                          [B]
        delta = (softmax(tail.U @ g + tail.b_2) * inside - r_k).T  # [B,n]
        dg = delta @ tail.U  # [B,D]
        gamma = gamma + dg @ tail.P
        of = f"tails.{k + 1}."
        found |= {f"{of}P": dg.T @ h.T, f"{of}U": delta.T @ g.T, f"{of}b_2": delta.T @ ones}
    return gamma, found


def contributions(m: ReferenceNetwork, trace: Trace, t: int) -> list[dict[str, Array]]:
    """∂J^(t)/∂·|_(i) for i = 1..t, by name; t counts from 1. The i-th entry is the contribution of time step i.

    W_h [Dh,Dh], W_e [Dh,d], b_1 [Dh,1], E [d,V]; and e [d,B], gamma [B,Dh] (∂J^(t)/∂h^(i)), delta2 [B,Dh]; U, b_2
    and the tails' only in the last, h_0 [Dh,B] only in the first. Of the layers above: layers.1.W_h, …; gamma and
    delta2 are those of the first layer.
    """
    gamma, of_output = output_gradients(m, read_of(m, trace, len(m.above), t), trace.y[t - 1])  # ∂J/∂h^(t) [B,Dh]
    ones = np.ones((len(gamma), 1), gamma.dtype)
    later: list[Any] = [0] * len(m.above) + [gamma]  # of each layer's ∂J/∂h^(i): the part from J and later steps
    by_step: list[dict[str, Array]] = []
    for i in range(t, 0, -1):
        above: dict[str, Array] = {}
        from_above: Any = 0  # of ∂J/∂h^(i), the part from the layer above, or with skip connections from all
        if m.skip and i == t and m.above:
            from_above, later[-1] = gamma, 0
        for n in range(len(m.above), 0, -1):
            layer, h = m.above[n - 1], trace.above[n - 1]
            delta2 = (later[n] + from_above) * sigma_prime(h[i], m.activation).T
            above[f"layers.{n}.W_h"] = delta2.T @ h[i - 1].T
            above[f"layers.{n}.W_e"] = delta2.T @ read_of(m, trace, n - 1, i).T
            above[f"layers.{n}.b_1"] = delta2.T @ ones
            later[n] = delta2 @ layer.W_h
            from_above = delta2 @ layer.W_e + (from_above if m.skip else 0)
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
            terms |= of_output
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
