"""The sampled output layer, for training alone: a softmax over some tokens (docs/derivation.md, section 13).

The tokens are those that are to be predicted in a window, and others that are drawn: Jean, Cho, Memisevic and Bengio,
"On using very large target vocabulary for neural machine translation" (2015). Their weights are those of Horvitz and
Thompson (1952), so that the sum under the softmax has the mean of the full one. Evaluation uses the full layer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from elman.kernels import Kernels
from elman.model.embedding import Rows
from elman.model.output.gradients import OutputGradients

Floats = NDArray[np.floating[Any]]
Integers = NDArray[np.integer[Any]]


@dataclass(frozen=True)
class Drawn:
    """Tokens that were drawn, int [S], with repetitions; and ln π [V], π being how likely a token is among them."""

    tokens: Integers
    log_inclusion: Floats


@dataclass(slots=True)
class SampledOutput:
    """θ = U_C h + b_C - ln π_C over C, the distinct tokens of y and those drawn; π is 1 for those of y; J = -ln ŷ_y.

    U [V,Dh], b_2 [V]; h [N,Dh], y int [N]; arrays of the host.
    """

    U: Floats
    b_2: Floats
    drawn: Drawn
    kernels: Kernels

    def backward(self, h: Floats, y: Integers, scale: float) -> tuple[Floats, Floats, OutputGradients]:
        """J [N], and scale times the gradients of the sum of J: dh [N,Dh], and the rows C of those of U and b_2."""
        some = self.kernels.group(np.concatenate([y, self.drawn.tokens]), len(self.U))
        C, targets = some.index, some.inverse[: len(y)]
        correction = self.drawn.log_inclusion[C].astype(self.b_2.dtype)
        correction[targets] = 0  # they are always there: π = 1
        # δ1 = ŷ - y     dh = δ1 U_C     dU_C = δ1^T h^T     db_C = δ1^T 1
        b_C = self.b_2[C] - correction
        J, dh, dU, db_2 = self.kernels.softmax_cross_entropy(h, self.U[C], b_C, targets, scale)
        return J, dh, OutputGradients(Rows(C, dU, self.U.shape), Rows(C, db_2, self.b_2.shape))
