"""The recurrent layer: from vectors to states, and back through time (docs/derivation.md, sections 1 and 5 to 7)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from elman.kernels import Kernels
from elman.model.embedding import Embedded
from elman.representation import short_repr

Floats = NDArray[np.floating[Any]]
Integers = NDArray[np.integer[Any]]


def shapes(d: int, Dh: int) -> dict[str, tuple[int, ...]]:
    """The shapes of the parameters."""
    return {"W_e": (Dh, d), "W_h": (Dh, Dh), "b_1": (Dh,)}


@dataclass(slots=True)
class LayerGradients:
    """The gradients of a layer: of its weights, of h_0 [B,Dh], of its input e (in the shape of `Embedded.e`), and
    dz [T,B,Dh] = ∂J/∂z^(t).
    """

    W_e: Floats
    W_h: Floats
    b_1: Floats
    h_0: Floats
    e: Floats
    z: Floats

    __repr__ = short_repr


@dataclass(slots=True)
class RecurrentLayer:
    """h^(t) = f(z^(t)) with z^(t) = W_h h^(t-1) + W_e e^(t) + b_1. W_e [Dh,d], W_h [Dh,Dh], b_1 [Dh]."""

    W_e: Floats
    W_h: Floats
    b_1: Floats
    activation: str
    kernels: Kernels

    __repr__ = short_repr

    def forward(self, embedded: Embedded, h_0: Floats) -> Floats:
        """h [T+1,B,Dh], with h[0] = h_0 [B,Dh]."""
        u = self.kernels.product(embedded.e, self.W_e, b_transposed=True, bias=self.b_1)  # u = W_e e + b_1    [n,Dh]
        if embedded.rows is None:
            u = u.reshape(-1, *h_0.shape)  # [T,B,Dh]
        return self.kernels.recurrence(u, self.W_h, h_0, self.activation, embedded.rows)  # h = f(W_h h^(t-1) + u)

    def backward(self, dh: Floats, embedded: Embedded, h: Floats, cut: float = 0.0) -> LayerGradients:
        """All gradients from dh [T,B,Dh], each step's own ∂J^(t)/∂h^(t), and the states h [T+1,B,Dh].

        cut: the entries of ∂J/∂h are clipped to ±cut on their way back; 0: they are not.
        """
        N, Dh, kernels = dh.shape[0] * dh.shape[1], len(self.W_h), self.kernels
        dz = kernels.recurrence_gradient(dh, h, self.W_h, self.activation, cut)  # δ2 of every step          [T,B,Dh]
        rows = dz.reshape(N, Dh)
        dW_h = kernels.product(rows, h[:-1].reshape(N, Dh), a_transposed=True)  # Σ_i δ2^(i)T h^(i-1)T
        if embedded.rows is not None:  # a token's e^(i) is the same for all i: its δ2 are summed first          [n,Dh]
            rows = kernels.sum_rows(rows, embedded.words)
        dW_e = kernels.product(rows, embedded.e, a_transposed=True)  # Σ_i δ2^(i)T e^(i)T
        db_1 = kernels.sum_columns(rows)  # Σ_i δ2^(i)T 1_B
        de = kernels.product(rows, self.W_e)  # W_e^T δ2^(i)T, as rows                                         [n,d]
        dh_0 = kernels.product(dz[0], self.W_h)  # W_h^T δ2^(1)T, as rows                                      [B,Dh]
        return LayerGradients(dW_e, dW_h, db_1, dh_0, de, dz)
