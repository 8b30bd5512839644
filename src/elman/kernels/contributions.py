"""The input of the kernel that measures what every earlier step contributes to the gradient of every loss."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from elman.representation import short_repr

Floats = NDArray[np.floating[Any]]
Doubles = NDArray[np.float64]

NAMES = ("W_h", "W_e", "b_1", "e", "h")


@dataclass(frozen=True)
class Contributions:
    """δ^(t,t) = dh^(t) ∘ σ'(z^(t)), γ^(t,i) = δ^(t,i+1) W_h, δ^(t,i) = γ^(t,i) ∘ σ'(z^(i)), for all t and i ≤ t.

    dh, derivative [T,B,Dh]  ∂J^(t)/∂h^(t), and σ'(z^(t)) divided by 2^derivative_exponent [T]
    W_h [Dh,Dh], W_e [Dh,d]  divided by 2^up_h and 2^up_e
    along                    by name, the direction that the cosine is taken to: its product with δ (W_h, W_e, e),
                             Σ_b δ_b (b_1) or γ (h) is ⟨contribution, direction⟩; [T,B,Dh], for b_1 [Dh]
    grams                    for W_h and W_e: the products of the B rows of h^(i-1) and of e^(i), [T,B,B], float64
    """

    dh: Floats
    derivative: Floats
    derivative_exponent: Doubles
    W_h: Floats
    W_e: Floats
    up_h: int
    up_e: int
    along: Mapping[str, Floats]
    grams: Mapping[str, Doubles]

    __repr__ = short_repr
