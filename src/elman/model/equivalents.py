"""A sigmoid network is a tanh network (docs/derivation.md, section 8), and these are its weights.

σ(z) = (1 + tanh(z/2))/2. With g = 2h - 1 in place of h, a sigmoid network computes the same ŷ as a tanh network with

    W_h/4     W_e/2     b_1/2 + W_h 1/4     U/2     b_2 + U 1/2

whose first state is g = -1 where h = 0. Halving is exact in binary; the two sums are rounded. So the bias W_h 1/4 is
kept apart from b_1/2, which makes the way there and back exact but for b_2. With tied weights E is halved in place of
W_e, so that U and E stay one array.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from elman.model.parameters import Parameters

Floats = NDArray[np.floating[Any]]


def tanh_from_sigmoid(p: Parameters) -> tuple[Parameters, Floats]:
    """The tanh network of a sigmoid network, without its bias W_h 1/4, and that bias [Dh]; arrays of the host."""
    E, W_e = (p.E / 2, p.W_e) if p.tied else (p.E, p.W_e / 2)
    W_h, b_1 = p.W_h / 4, p.b_1 / 2
    U = E if p.tied else p.U / 2
    q = replace(p, E=E, W_e=W_e, W_h=W_h, b_1=b_1, U=U, b_2=p.b_2 + U.sum(axis=1), activation="tanh")
    return q, W_h.sum(axis=1)


def sigmoid_from_tanh(q: Parameters, bias: Floats) -> Parameters:
    """The sigmoid network of a tanh network whose hidden units have `bias` [Dh] besides b_1; arrays of the host."""
    E, W_e = (2 * q.E, q.W_e) if q.tied else (q.E, 2 * q.W_e)
    W_h, b_1 = 4 * q.W_h, 2 * q.b_1 + 2 * (bias - q.W_h.sum(axis=1))
    U = E if q.tied else 2 * q.U
    return replace(q, E=E, W_e=W_e, W_h=W_h, b_1=b_1, U=U, b_2=q.b_2 - q.U.sum(axis=1), activation="sigmoid")


def tanh_state(h: Floats) -> Floats:
    """g = 2h - 1, the state of the tanh network where the sigmoid network's is h."""
    g: Floats = 2 * h - 1
    return g
