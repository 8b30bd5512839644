"""Which tokens of a window are the same: what is the same for all of them is computed once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.integer[Any]]


@dataclass(frozen=True)
class Groups:
    """N tokens, n of them distinct.

    index [n]    the distinct tokens, rising
    inverse [N]  which of them each one is: tokens = index[inverse]
    order [N]    positions, those of the first distinct token first, each token's rising
    start [n+1]  where each one's positions begin in `order`
    """

    index: Integers
    inverse: Integers
    order: Integers
    start: Integers

    @classmethod
    def of(cls, tokens: Integers) -> Groups:
        """The groups of tokens [N], by NumPy."""
        index, inverse, counts = np.unique(tokens, return_inverse=True, return_counts=True)
        start = np.concatenate([[0], np.cumsum(counts)])
        return cls(index, inverse, np.argsort(tokens, kind="stable"), start)
