"""The forward pass: embedding, layers and output put together (docs/derivation.md, sections 1 and 11)."""

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
from elman.representation import short_repr

Floats = NDArray[np.floating[Any]]
Integers = NDArray[np.integer[Any]]


@dataclass
class DropoutMasks:
    """Inverted dropout, on what each layer and the output layer read: each entry is 0 or 1/keep.

    on_e [T,B,d] · on_h [T,B,Dh], of the last layer · between: of the h [T,B,Dh] that each layer above the first reads.
    """

    on_e: Floats
    on_h: Floats
    between: tuple[Floats, ...] = ()

    __repr__ = short_repr

    @classmethod
    def draw(
        cls, p: Parameters, T: int, B: int, rate: float, generator: np.random.Generator, fixed: bool = False
    ) -> DropoutMasks:  # fmt: skip
        """The masks of one window from one generator: that of e, that of the last h, then those between the layers.

        fixed: each is the same at all steps (variational dropout: Gal and Ghahramani 2016, on what is read alone).
        """

        def mask(size: int) -> Floats:
            drawn = p.kernels.dropout_mask((1 if fixed else T, B, size), rate, generator, p.E)
            whole: Floats = p.kernels.xp.broadcast_to(drawn, (T, B, size)) if fixed else drawn
            return whole

        on_e, on_h = mask(p.d), mask(p.Dh)
        return cls(on_e, on_h, tuple(mask(p.Dh) for _ in p.above))


@dataclass(slots=True)
class Forward:
    """The results of a forward pass that the backward pass needs.

    inputs  what each layer read: e, and h of the layer below (with skip connections s, the sum of the h below)
    states  h [T+1,B,Dh] of each layer, with h[0] = h_0
    h_out   [T,B,Dh], h^(1) to h^(T) of the last layer (or s) after dropout: the input of the output layer
    h_T     [B,Dh] or [B,n·Dh], the state to carry on with
    """

    inputs: tuple[Embedded, ...]
    states: tuple[Floats, ...]
    h_out: Floats
    h_T: Floats

    __repr__ = short_repr

    @property
    def embedded(self) -> Embedded:
        """e, and how its rows belong to the window."""
        return self.inputs[0]

    @property
    def h(self) -> Floats:
        """h [T+1,B,Dh] of the last layer, with h[0] = h_0."""
        return self.states[-1]


def hidden_states(p: Parameters, x: Integers, h_0: Floats, masks: DropoutMasks | None = None) -> Forward:
    """The states of x int [T,B] from h_0 [B,Dh]. Nothing is checked (`checked`)."""
    embedded = p.embedding.forward(x, masks.on_e if masks else None)  # e = E x
    return _through_layers(p, embedded, h_0, masks)


def hidden_states_of_reals(p: Parameters, x: Floats, h_0: Floats) -> Forward:
    """The states of x [T,B,V], real numbers in place of one-hot columns: e = E x is then a mixture of tokens."""
    return _through_layers(p, p.embedding.forward_of_reals(x), h_0)  # e = E x


def _through_layers(p: Parameters, embedded: Embedded, h_0: Floats, masks: DropoutMasks | None = None) -> Forward:
    """The states of every layer, the first of which reads e and each other one h of the layer below."""
    inputs: list[Embedded] = [embedded]
    states: list[Floats] = []
    s: Any = None  # what is read of the layer below
    for number, (layer, begin) in enumerate(zip(p.layers, layer_states(p, h_0), strict=True)):
        if number:
            inputs.append(read_forward(s, masks.between[number - 1] if masks else None))
        states.append(layer.forward(inputs[-1], begin))  # h = σ(W_h h^(t-1) + W_e e + b_1)        [T+1,B,Dh]
        h = states[-1][1:]
        s = s + h if p.skip and number else h  # s = h, or h + s of the layer below                  [T,B,Dh]
    h_T = joined(p, [each[-1] for each in states])
    return Forward(tuple(inputs), tuple(states), s * masks.on_h if masks else s, h_T)


def read_forward(h: Floats, mask: Floats | None) -> Embedded:
    """What the next layer reads, from h [T,B,Dh] of a layer: h after dropout, a row for each token."""
    h = h.reshape(-1, h.shape[-1])
    if mask is None:
        return Embedded(h, None, None)
    mask = mask.reshape(h.shape)
    return Embedded(h * mask, None, None, mask)


def read_backward(de: Floats, read: Embedded) -> Floats:
    """∂J/∂h of the layer below, from the gradient de [T·B,Dh] of what was read."""
    return de if read.mask is None else de * read.mask


def layer_states(p: Parameters, h: Floats) -> list[Floats]:
    """The h [..,Dh] of each layer in a state [..,n·Dh]."""
    return [h[..., number * p.Dh : (number + 1) * p.Dh] for number in range(p.depth)]


def joined(p: Parameters, by_layer: list[Floats]) -> Floats:
    """The state [B,n·Dh] of the h [B,Dh] of each layer: the inverse of `layer_states`."""
    if len(by_layer) == 1:
        return by_layer[0]
    whole: Floats = p.kernels.xp.concatenate(by_layer, -1)
    return whole


def losses(p: Parameters, x: Integers, y: Integers, h_0: Floats | None = None) -> tuple[Floats, Floats]:
    """J [T,B], the cross-entropy of every token in nats (float64), and h_T [B,Dh].

    x, y int [T,B]; h_0 [B,Dh] (a state of `Parameters`) or None for zeros. Raises ShapeError for shapes, types or ids
    that do not fit.
    """
    forward = hidden_states(p, x, checked(p, x, y, h_0))
    J = p.output.forward(forward.h_out.reshape(-1, p.Dh), p.kernels.array(y.reshape(-1)))  # J = -ln ŷ_y     [T·B]
    return p.kernels.host(J).reshape(y.shape), forward.h_T


def log_probabilities(p: Parameters, h: Floats) -> Floats:
    """ln ŷ [..,V] of a state [..,n·Dh], of which the output layer reads the last layer's h, [..,Dh], or with skip
    connections the sum of all; on the host.
    """
    by_layer = layer_states(p, h)
    return p.output.log_probabilities(sum(by_layer[1:], by_layer[0]) if p.skip else by_layer[-1])


def checked(p: Parameters, x: Integers, y: Integers, h_0: Floats | None, first: int = 0) -> Floats:
    """h_0 [B,Dh] ([B,n·Dh] with n layers), zeros for None.

    Raises ShapeError if x int [T,B], y int [T-first,B] or h_0 do not fit p.
    """
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
    if tuple(h_0.shape) != (B, p.state_size):
        letters = "[B,Dh]" if not p.above else f"[B,{p.depth}·Dh]"
        raise ShapeError.of("h_0", tuple(h_0.shape), f"{letters} = {(B, p.state_size)}")
    return cast(Floats, p.kernels.array(h_0, p.W_h))
