"""The full output layer: a softmax over the whole vocabulary, and its cross-entropy (docs/derivation.md, section 4)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from elman.kernels import Kernels
from elman.representation import short_repr

Floats = NDArray[np.floating[Any]]
Integers = NDArray[np.integer[Any]]


def shapes(V: int, Dh: int) -> dict[str, tuple[int, ...]]:
    """The shapes of the parameters."""
    return {"U": (V, Dh), "b_2": (V,)}


@dataclass(slots=True)
class FullOutput:
    """θ = U h + b_2, ŷ = softmax(θ), J = -ln ŷ_y. U [V,Dh], b_2 [V]; h [N,Dh], y int [N]."""

    U: Floats
    b_2: Floats
    kernels: Kernels

    __repr__ = short_repr

    def log_probabilities(self, h: Floats) -> Floats:
        """ln ŷ [..,V] of h [..,Dh]; on the host."""
        theta: Floats = h @ self.U.T + self.b_2  # θ = U h + b_2                                     [..,V]
        theta -= theta.max(axis=-1, keepdims=True)
        theta -= np.log(np.exp(theta).sum(axis=-1, keepdims=True))  # ln ŷ = θ - ln Σ exp θ
        return theta

    def forward(self, h: Floats, y: Integers) -> Floats:
        """J [N] in nats, float64."""
        return self.kernels.cross_entropy(h, self.U, self.b_2, y)  # J = -ln ŷ_y

    def backward(self, h: Floats, y: Integers, scale: float) -> tuple[Floats, Floats, Floats, Floats]:
        """J [N], and scale times the gradients of the sum of J: dh [N,Dh], dU [V,Dh], db_2 [V].

        One pass makes all four, since the logits [N,V] are too large to keep.
        """
        # δ1 = ŷ - y     dh = δ1 U     dU = δ1^T h^T     db_2 = δ1^T 1
        return self.kernels.softmax_cross_entropy(h, self.U, self.b_2, y, scale)
