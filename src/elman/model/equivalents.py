"""A sigmoid network is a tanh network (docs/derivation.md, section 8), and these are its weights.

σ(z) = (1 + tanh(z/2))/2. With g = 2h - 1 in place of h, a sigmoid network computes the same ŷ as a tanh network with

    W_h/4     W_e/2     b_1/2 + W_h 1/4     U/2     b_2 + U 1/2     and of a tail     P/2     b_2 + U P 1/2

whose first state is g = -1 where h = 0. A layer above the first reads g of the layer below in place of e, so its W_e
is W_e/4, and its bias has W_e 1/4 besides: with skip connections once for each layer below, as U 1/2 has. Halving is
exact in binary; the sums are rounded. So the biases W_h 1/4 and W_e 1/4 are kept apart from b_1/2, which makes the way
there and back exact but for b_2. With tied weights E is halved in place of the first W_e, so that U and E stay one
array.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from elman.model.output.gradients import TailWeights
from elman.model.parameters import LayerWeights, Parameters

Floats = NDArray[np.floating[Any]]


def tanh_from_sigmoid(p: Parameters) -> tuple[Parameters, list[Floats]]:
    """The tanh network of a sigmoid network, without the biases from h = (1 + g)/2, and these [Dh] for each layer.

    Arrays of the host.
    """
    E, W_e = (p.E / 2, p.W_e) if p.tied else (p.E, p.W_e / 2)
    W_h, b_1 = p.W_h / 4, p.b_1 / 2
    U = E if p.tied else p.U / 2
    above = [LayerWeights(w.W_e / 4, w.W_h / 4, w.b_1 / 2) for w in p.above]
    below = _below(p, p.depth)
    tails = [TailWeights(t.P / 2, t.U, t.b_2 + below * (t.U @ t.P.sum(axis=1) / 2)) for t in p.tails]
    b_2 = p.b_2 + below * U.sum(axis=1)
    q = replace(p, E=E, W_e=W_e, W_h=W_h, b_1=b_1, U=U, b_2=b_2, activation="tanh", above=above, tails=tails)
    return q, [W_h.sum(axis=1), *(_bias(w, _below(p, n)) for n, w in enumerate(above, 1))]


def sigmoid_from_tanh(q: Parameters, biases: Sequence[Floats]) -> Parameters:
    """The sigmoid network of a tanh network whose layers have the biases [Dh] besides b_1; arrays of the host."""
    E, W_e = (2 * q.E, q.W_e) if q.tied else (q.E, 2 * q.W_e)
    W_h, b_1 = 4 * q.W_h, 2 * q.b_1 + 2 * (biases[0] - q.W_h.sum(axis=1))
    U = E if q.tied else 2 * q.U
    above = [
        LayerWeights(4 * w.W_e, 4 * w.W_h, 2 * w.b_1 + 2 * (bias - _bias(w, _below(q, n))))
        for n, (w, bias) in enumerate(zip(q.above, biases[1:], strict=True), 1)
    ]
    below = _below(q, q.depth)
    tails = [TailWeights(2 * t.P, t.U, t.b_2 - below * (t.U @ t.P.sum(axis=1))) for t in q.tails]
    b_2 = q.b_2 - below * q.U.sum(axis=1)
    return replace(
        q, E=E, W_e=W_e, W_h=W_h, b_1=b_1, U=U, b_2=b_2, activation="sigmoid", above=above, tails=tails
    )  # fmt: skip


def _below(p: Parameters, number: int) -> int:
    """How many h are in what layer `number` reads (that of the output layer is the depth)."""
    return number if p.skip else 1


def _bias(above: LayerWeights, below: int) -> Floats:
    """Of a layer of the tanh network that reads g: what 1/2 in each h = g/2 + 1/2 adds to its z."""
    bias: Floats = above.W_h.sum(axis=1) + below * above.W_e.sum(axis=1)
    return bias


def tanh_state(h: Floats) -> Floats:
    """g = 2h - 1, the state of the tanh network where the sigmoid network's is h."""
    g: Floats = 2 * h - 1
    return g
