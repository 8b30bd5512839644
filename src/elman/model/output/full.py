"""The full output layer: a softmax over the whole vocabulary, and its cross-entropy (docs/derivation.md, section 4)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from elman.kernels import Kernels
from elman.model.output.gradients import OutputGradients
from elman.representation import short_repr

Floats = NDArray[np.floating[Any]]
Integers = NDArray[np.integer[Any]]


def shapes(V: int, Dh: int) -> dict[str, tuple[int, ...]]:
    """The shapes of the parameters."""
    return {"U": (V, Dh), "b_2": (V,)}


def log_softmax(theta: Floats) -> Floats:
    """ln softmax of each row of θ [..,n], in place."""
    theta -= theta.max(axis=-1, keepdims=True)
    theta -= np.log(np.exp(theta).sum(axis=-1, keepdims=True))  # ln ŷ = θ - ln Σ exp θ
    return theta


@dataclass(slots=True)
class FullOutput:
    """θ = U h + b_2, ŷ = softmax(θ), J = -ln ŷ_y. U [V,Dh], b_2 [V]; h [N,Dh], y int [N]."""

    U: Floats
    b_2: Floats
    kernels: Kernels

    __repr__ = short_repr

    def log_probabilities(self, h: Floats) -> Floats:
        """ln ŷ [..,V] of h [..,Dh]; on the host."""
        return log_softmax(h @ self.U.T + self.b_2)  # θ = U h + b_2                                     [..,V]

    def forward(self, h: Floats, y: Integers) -> Floats:
        """J [N] in nats, float64."""
        return self.kernels.cross_entropy(h, self.U, self.b_2, y)  # J = -ln ŷ_y

    def backward(self, h: Floats, y: Integers, scale: float) -> tuple[Floats, Floats, OutputGradients]:
        """J [N], and scale times the gradients of the sum of J: dh [N,Dh], and those of the weights.

        One pass makes all of them, since the logits [N,V] are too large to keep.
        """
        # δ1 = ŷ - y     dh = δ1 U     dU = δ1^T h^T     db_2 = δ1^T 1
        J, dh, dU, db_2 = self.kernels.softmax_cross_entropy(h, self.U, self.b_2, y, scale)
        return J, dh, OutputGradients(dU, db_2)

    def gradient(self, h: Floats, y: Integers) -> tuple[Floats, Floats]:
        """J [N], and the gradient dh [N,Dh] of the sum of J alone."""
        return self.kernels.cross_entropy_gradient(h, self.U, self.b_2, y)

    def zero_gradients(self) -> OutputGradients:
        """The gradients of what does not depend on this layer."""
        return OutputGradients(*map(self.kernels.xp.zeros_like, (self.U, self.b_2)))
