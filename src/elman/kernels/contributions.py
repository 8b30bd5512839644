"""What a backend needs to tell what every earlier step contributes to every loss's gradient, all of it at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]
Doubles = NDArray[np.float64]

NAMES = ("W_h", "W_e", "b_1", "e", "h")


@dataclass(frozen=True)
class Contributions:
    """δ^(t,t) = dh^(t) ∘ σ'(z^(t)), γ^(t,i) = δ^(t,i+1) W_h, δ^(t,i) = γ^(t,i) ∘ σ'(z^(i)), for all t and i ≤ t.

    dh, slope [T,B,Dh]   ∂J^(t)/∂h^(t), and σ' over 2^slope_exponent [T]
    W_h, W_e             [Dh,Dh] and [Dh,d], over 2^up_h and 2^up_e
    along                by name, the direction that the cosine is taken to: what the product with δ (W_h, W_e, e), with
                         Σ_b δ_b (b_1) or with γ (h) gives ⟨contribution, direction⟩; [T,B,Dh], of b_1 [Dh]
    grams                for W_h and W_e, [T,B,B], float64: the products of the B rows of h^(i-1), of e^(i)
    """

    dh: Floats
    slope: Floats
    slope_exponent: Doubles
    W_h: Floats
    W_e: Floats
    up_h: int
    up_e: int
    along: Mapping[str, Floats]
    grams: Mapping[str, Doubles]
