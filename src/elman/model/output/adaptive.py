"""The adaptive output layer: a head of frequent tokens and tails of rarer ones (docs/derivation.md, section 12).

Grave, Joulin, Cissé, Grangier and Jégou, "Efficient softmax approximation for GPUs" (2017): exact probabilities, whose
work is that of the head at every step, and of a tail only at the steps whose token is in it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from elman.kernels import Kernels
from elman.model.output.full import log_softmax
from elman.model.output.gradients import OutputGradients, TailWeights
from elman.representation import short_repr

Floats = NDArray[np.floating[Any]]
Integers = NDArray[np.integer[Any]]

SHRINK = 4
"""Each tail has this many times fewer units than the one before it, and the first than the layer (Grave et al.)."""
NARROWEST = 16
"""Units of a tail, at least, where the layer has as many."""


def width(Dh: int, number: int) -> int:
    """D, the units of the tail of this number, from 1."""
    return max(int(Dh // SHRINK**number), min(NARROWEST, Dh))


def shapes(V: int, Dh: int, cutoffs: Sequence[int]) -> dict[str, tuple[int, ...]]:
    """The shapes of the parameters. cutoffs: where the head ends, and each tail but the last, in the vocabulary."""
    head = cutoffs[0] + len(cutoffs)  # its own tokens, and one entry for each tail
    found: dict[str, tuple[int, ...]] = {"U": (head, Dh), "b_2": (head,)}
    for number, (begin, end) in enumerate(pairwise([*cutoffs, V]), 1):
        D, n = width(Dh, number), end - begin
        found |= tail_shapes(number, n, D, Dh)
    return found


def tail_shapes(number: int, n: int, D: int, Dh: int) -> dict[str, tuple[int, ...]]:
    """Those of the tail of this number, from 1, of n tokens and D units."""
    return {f"tails.{number}.P": (D, Dh), f"tails.{number}.U": (n, D), f"tails.{number}.b_2": (n,)}


def equivalent_V(V: int, Dh: int, cutoffs: Sequence[int]) -> float:
    """The vocabulary size for which a full output layer does about as much work per token.

    Words are taken to be as frequent as their rank says (Zipf): those of ranks a to b are ln(b/a) / ln V of a text.
    """
    parts = [float(cutoffs[0] + len(cutoffs))]
    for number, (begin, end) in enumerate(pairwise([*cutoffs, V]), 1):
        D = width(Dh, number)
        parts.append(math.log(end / begin) / math.log(V) * ((end - begin) * D / Dh + D))
    return sum(parts)


@dataclass(slots=True)
class AdaptiveOutput:
    """Head θ = U h + b_2 over its tokens and the tails; tail k: θ = U_k P_k h + b_k over the tail's tokens.

    ŷ of a token of the head is softmax of the head; that of a token of tail k is the head's of the tail times the
    tail's of the token. J = -ln ŷ_y. U [C,Dh], b_2 [C] with C the head's tokens and one entry for each tail; tails as
    in `TailWeights`; h [N,Dh], y int [N].
    """

    U: Floats
    b_2: Floats
    tails: Sequence[TailWeights]
    kernels: Kernels

    __repr__ = short_repr

    def log_probabilities(self, h: Floats) -> Floats:
        """ln ŷ [..,V] of h [..,Dh]; on the host."""
        head = log_softmax(h @ self.U.T + self.b_2)  # [..,C]
        n = self.U.shape[0] - len(self.tails)
        parts = [head[..., :n]]
        for k, tail in enumerate(self.tails):
            of_tail = log_softmax(h @ tail.P.T @ tail.U.T + tail.b_2)
            of_tail += head[..., n + k, None]  # ln ŷ = ln p(tail) + ln p(token | tail)
            parts.append(of_tail)
        return np.concatenate(parts, axis=-1)

    def forward(self, h: Floats, y: Integers) -> Floats:
        """J [N] in nats, float64."""
        in_head, members = self._by_part(y)
        J = self.kernels.cross_entropy(h, self.U, self.b_2, in_head)
        for k, rows, y_k in members:
            tail = self.tails[k]
            g = self.kernels.product(h[rows], tail.P, b_transposed=True)  # g = P h                            [N_k,D]
            J[rows] += self.kernels.cross_entropy(g, tail.U, tail.b_2, y_k)  # the logarithms add
        return J

    def backward(self, h: Floats, y: Integers, scale: float) -> tuple[Floats, Floats, OutputGradients]:
        """J [N], and scale times the gradients of the sum of J: dh [N,Dh], and those of the weights."""
        product = self.kernels.product
        in_head, members = self._by_part(y)
        J, dh, dU, db_2 = self.kernels.softmax_cross_entropy(h, self.U, self.b_2, in_head, scale)
        found: dict[int, TailWeights] = {}
        for k, rows, y_k in members:
            tail = self.tails[k]
            h_k = h[rows]  # the rows whose token is in the tail                                              [N_k,Dh]
            g = product(h_k, tail.P, b_transposed=True)  # g = P h                                             [N_k,D]
            J_k, dg, dU_k, db_k = self.kernels.softmax_cross_entropy(g, tail.U, tail.b_2, y_k, scale)
            dP = product(dg, h_k, a_transposed=True)  # dP = dg^T h^T
            J[rows] += J_k
            dh[rows] += product(dg, tail.P)  # dh = δ1 U + dg P
            found[k] = TailWeights(dP, dU_k, db_k)
        tails = [found[k] if k in found else self._zeros_of(tail) for k, tail in enumerate(self.tails)]
        return J, dh, OutputGradients(dU, db_2, tails)

    def gradient(self, h: Floats, y: Integers) -> tuple[Floats, Floats]:
        """J [N], and the gradient dh [N,Dh] of the sum of J alone."""
        in_head, members = self._by_part(y)
        J, dh = self.kernels.cross_entropy_gradient(h, self.U, self.b_2, in_head)
        for k, rows, y_k in members:
            tail = self.tails[k]
            g = self.kernels.product(h[rows], tail.P, b_transposed=True)
            J_k, dg = self.kernels.cross_entropy_gradient(g, tail.U, tail.b_2, y_k)
            J[rows] += J_k
            dh[rows] += self.kernels.product(dg, tail.P)
        return J, dh

    def zero_gradients(self) -> OutputGradients:
        """The gradients of what does not depend on this layer."""
        dU, db_2 = map(self.kernels.xp.zeros_like, (self.U, self.b_2))
        return OutputGradients(dU, db_2, [self._zeros_of(tail) for tail in self.tails])

    def _by_part(self, y: Integers) -> tuple[Integers, list[tuple[int, Integers, Integers]]]:
        """The head's entry for each of y [N], the token itself or its tail; and the tails that have tokens in y.

        Of these: which tail, the positions in y of its tokens [N_k], and which of the tail's tokens each is [N_k].
        """
        xp, n = self.kernels.xp, self.U.shape[0] - len(self.tails)
        begin, in_head, members = n, y, []
        for k, tail in enumerate(self.tails):
            end = begin + tail.U.shape[0]
            inside = (y >= begin) & (y < end)
            in_head = xp.where(inside, n + k, in_head)
            rows = xp.where(inside)[0]
            if len(rows):
                members.append((k, rows, y[rows] - begin))
            begin = end
        return in_head, members

    def _zeros_of(self, tail: TailWeights) -> TailWeights:
        """The gradients of a tail none of whose tokens occurs."""
        return TailWeights(*map(self.kernels.xp.zeros_like, (tail.P, tail.U, tail.b_2)))
