"""The forward half: one equation a line, in the letters of docs/derivation.md."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from elman.errors import ShapeError
from elman.kernels import Backend, Groups, backend_of
from elman.model.parameters import Parameters

Floats = NDArray[np.floating[Any]]
Integers = NDArray[np.integer[Any]]


@dataclass
class DropoutMasks:
    """Inverted dropout, drawn outside: each entry is 0 or 1/keep. on_e [T,B,d], on_h [T,B,Dh]."""

    on_e: Floats
    on_h: Floats

    @classmethod
    def draw(cls, p: Parameters, T: int, B: int, rate: float, generator: np.random.Generator) -> DropoutMasks:
        """Masks for one window, from one generator: first those of e, then those of h."""
        mask = backend_of(p.W_h).dropout_mask
        return cls(mask((T, B, p.d), rate, generator, p.E), mask((T, B, p.Dh), rate, generator, p.E))


@dataclass
class Forward:
    """What the backward half needs again.

    words  which tokens of x are the same; None for real inputs
    e      [n,d], a row for each distinct one; with dropout, and of real inputs, [T·B,d], a row for each token
    h      [T+1,B,Dh] with h[0] = h_0
    h_out  [T,B,Dh], dropped out
    x      [T·B,V], real inputs; None for tokens
    """

    words: Groups | None
    e: Floats
    h: Floats
    h_out: Floats
    x: Floats | None = None


def hidden_states(
    p: Parameters, x: Integers, h_0: Floats, masks: DropoutMasks | None = None, kernels: Backend | None = None
) -> Forward:
    """e, h and what the output layer sees of h, for x [T,B]."""
    kernels = kernels or backend_of(p.W_h)
    words = kernels.group(x.reshape(-1), p.V)
    rows: Integers | None = words.inverse.reshape(x.shape)
    e = p.E[words.index]  # e = E x                                                  [n,d]
    if masks:
        e, rows = e[words.inverse] * masks.on_e.reshape(-1, p.d), None  # [T·B,d]
    u = kernels.product(e, p.W_e, b_transposed=True, bias=p.b_1)  # W_e e + b_1     [n,Dh] or [T·B,Dh]
    u = u if rows is not None else u.reshape(*x.shape, p.Dh)
    h = kernels.recurrence(u, p.W_h, h_0, p.activation, rows)  # h = σ(W_h h^(t-1) + u)
    h_out = h[1:] * masks.on_h if masks else h[1:]
    return Forward(words, e, h, h_out)


def hidden_states_of_reals(p: Parameters, x: Floats, h_0: Floats, kernels: Backend | None = None) -> Forward:
    """The same for x [T,B,V] of real numbers in place of one-hot columns: e = E x is then a mixture of tokens."""
    kernels = kernels or backend_of(p.W_h)
    T, B, V = x.shape
    flat = kernels.array(np.ascontiguousarray(x.reshape(T * B, V), p.dtype))
    e = kernels.product(flat, p.E)  # e = E x, read as rows                              [T·B,d]
    u = kernels.product(e, p.W_e, b_transposed=True, bias=p.b_1)
    h = kernels.recurrence(u.reshape(T, B, p.Dh), p.W_h, h_0, p.activation)
    return Forward(None, e, h, h[1:], flat)


def losses(
    p: Parameters, x: Integers, y: Integers, h_0: Floats | None = None, kernels: Backend | None = None
) -> tuple[Floats, Floats]:
    """J [T,B], the cross-entropy of every token in nats (float64), and h_T [B,Dh].

    x, y int [T,B]; h_0 [B,Dh] or None for zeros. Raises ShapeError for shapes, types or ids that do not fit.
    """
    kernels = kernels or backend_of(p.W_h)
    h_0 = checked(p, x, y, h_0)
    forward = hidden_states(p, x, h_0, kernels=kernels)
    J = kernels.cross_entropy(forward.h_out.reshape(-1, p.Dh), p.U, p.b_2, kernels.array(y.reshape(-1)))  # -ln ŷ_y
    return kernels.host(J).reshape(y.shape), forward.h[-1]


def log_probabilities(p: Parameters, h: Floats) -> Floats:
    """ln ŷ = θ - ln Σ exp θ, with θ = U h + b_2: [..,V] for h [..,Dh]."""
    theta = h @ p.U.T + p.b_2
    theta -= theta.max(axis=-1, keepdims=True)
    theta -= np.log(np.exp(theta).sum(axis=-1, keepdims=True))
    result: Floats = theta
    return result


def checked(p: Parameters, x: Integers, y: Integers | None, h_0: Floats | None, first: int = 0) -> Floats:
    """h_0, zeros where None; raises ShapeError where x, y [T-first,B] or h_0 do not fit the parameters."""
    for name, ids in (("x", x), ("y", y)):
        if ids is None:
            continue
        if ids.ndim != 2 or ids.size == 0 or (ids is not x and ids.shape != (len(x) - first, *x.shape[1:])):
            same = "the same for x and y" if not first else f"y {first} steps shorter than x"
            raise ShapeError.of(name, ids.shape, f"[T,B], {same}, with T and B at least 1")
        if not np.issubdtype(ids.dtype, np.integer):
            raise ShapeError(f"{name} holds {ids.dtype}, expected whole numbers: token ids")
        if int(ids.min()) < 0 or int(ids.max()) >= p.V:
            wrong = int(ids.min()) if int(ids.min()) < 0 else int(ids.max())
            raise ShapeError(f"{name} holds token id {wrong}, expected ids from 0 to {p.V - 1}")
    B = x.shape[1]
    if h_0 is None:
        return p.initial_state(B)
    if tuple(h_0.shape) != (B, p.Dh):
        raise ShapeError.of("h_0", tuple(h_0.shape), f"[B,Dh] = {(B, p.Dh)}")
    return cast(Floats, backend_of(p.W_h).array(h_0, p.W_h))
