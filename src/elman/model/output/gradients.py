"""The gradients of an output layer, by the names of its parameters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from elman.model.embedding import Rows
from elman.representation import short_repr

Floats = NDArray[np.floating[Any]]


@dataclass(slots=True)
class TailWeights:
    """The weights of a tail of an adaptive output layer, or their gradients: P [D,Dh], U [n,D], b_2 [n].

    Its n tokens are those that follow the tokens of the head, or of the tail before it, in the vocabulary.
    """

    P: Floats
    U: Floats
    b_2: Floats

    __repr__ = short_repr


@dataclass(slots=True)
class OutputGradients:
    """∂J/∂· of each parameter of an output layer. `Rows` where the others are zero; tails as in `Parameters`."""

    U: Floats | Rows
    b_2: Floats | Rows
    tails: Sequence[TailWeights] = ()

    __repr__ = short_repr
