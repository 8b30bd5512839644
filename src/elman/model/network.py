"""The forward pass: embedding, layer and output put together (docs/derivation.md, section 1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from elman.arguments import require_array
from elman.errors import ShapeError
from elman.kernels.token_ids import check_token_ids
from elman.model.embedding import Embedded
from elman.model.parameters import Parameters

Floats = NDArray[np.floating[Any]]
Integers = NDArray[np.integer[Any]]


@dataclass
class DropoutMasks:
    """Inverted dropout: each entry is 0 or 1/keep. on_e [T,B,d], on_h [T,B,Dh]."""

    on_e: Floats
    on_h: Floats

    @classmethod
    def draw(cls, p: Parameters, T: int, B: int, rate: float, generator: np.random.Generator) -> DropoutMasks:
        """The masks of one window from one generator: first that of e, then that of h."""
        mask = p.kernels.dropout_mask
        return cls(mask((T, B, p.d), rate, generator, p.E), mask((T, B, p.Dh), rate, generator, p.E))


@dataclass(slots=True)
class Forward:
    """The results of a forward pass that the backward pass needs.

    embedded  e, and how its rows belong to the window
    h         [T+1,B,Dh], with h[0] = h_0
    h_out     [T,B,Dh], h^(1) to h^(T) after dropout: the input of the output layer
    """

    embedded: Embedded
    h: Floats
    h_out: Floats


def hidden_states(p: Parameters, x: Integers, h_0: Floats, masks: DropoutMasks | None = None) -> Forward:
    """The states of x int [T,B] from h_0 [B,Dh]. Nothing is checked (`checked`)."""
    embedded = p.embedding.forward(x, masks.on_e if masks else None)  # e = E x
    h = p.layer.forward(embedded, h_0)  # h = σ(W_h h^(t-1) + W_e e + b_1)                        [T+1,B,Dh]
    return Forward(embedded, h, h[1:] * masks.on_h if masks else h[1:])


def hidden_states_of_reals(p: Parameters, x: Floats, h_0: Floats) -> Forward:
    """The states of x [T,B,V], real numbers in place of one-hot columns: e = E x is then a mixture of tokens."""
    embedded = p.embedding.forward_of_reals(x)  # e = E x
    h = p.layer.forward(embedded, h_0)  # h = σ(W_h h^(t-1) + W_e e + b_1)                        [T+1,B,Dh]
    return Forward(embedded, h, h[1:])


def losses(p: Parameters, x: Integers, y: Integers, h_0: Floats | None = None) -> tuple[Floats, Floats]:
    """J [T,B], the cross-entropy of every token in nats (float64), and h_T [B,Dh].

    x, y int [T,B]; h_0 [B,Dh] or None for zeros. Raises ShapeError for shapes, types or ids that do not fit.
    """
    forward = hidden_states(p, x, checked(p, x, y, h_0))
    J = p.output.forward(forward.h_out.reshape(-1, p.Dh), p.kernels.array(y.reshape(-1)))  # J = -ln ŷ_y     [T·B]
    return p.kernels.host(J).reshape(y.shape), forward.h[-1]


def log_probabilities(p: Parameters, h: Floats) -> Floats:
    """ln ŷ [..,V] of h [..,Dh], on the host."""
    return p.output.log_probabilities(h)


def checked(p: Parameters, x: Integers, y: Integers, h_0: Floats | None, first: int = 0) -> Floats:
    """h_0 [B,Dh], zeros for None. Raises ShapeError if x int [T,B], y int [T-first,B] or h_0 do not fit p."""
    if not isinstance(p, Parameters):
        raise ShapeError(f"p is {type(p).__name__}, expected elman.Parameters")
    for name, ids in (("x", x), ("y", y)):
        require_array(name, ids, "of token ids [T,B]")
    for name, ids, fewer in (("x", x, 0), ("y", y, first)):
        if ids.ndim != 2 or ids.size == 0 or ids.shape != (len(x) - fewer, *x.shape[1:]):
            same = "the same for x and y" if not first else f"y {first} steps shorter than x"
            raise ShapeError.of(name, ids.shape, f"[T,B], {same}, with T and B at least 1")
        check_token_ids(name, ids, p.V)
    B = x.shape[1]
    if h_0 is None:
        return p.initial_state(B)
    require_array("h_0", h_0, "[B,Dh]")
    if tuple(h_0.shape) != (B, p.Dh):
        raise ShapeError.of("h_0", tuple(h_0.shape), f"[B,Dh] = {(B, p.Dh)}")
    return cast(Floats, p.kernels.array(h_0, p.W_h))
