"""Which tokens of a window are the same, so that what is the same for all of them is computed once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.integer[Any]]


@dataclass(frozen=True, kw_only=True)
class Groups:
    """N tokens, n of them distinct.

    index [n]    the distinct tokens, each once. On a device n is the smaller of N and V, since it must be known before
                 the tokens are: the tokens that occur come first, then others, a token k as k - V, which indexes the
                 same row
    inverse [N]  which of them each token is: tokens = index[inverse]
    """

    index: Integers
    inverse: Integers


@dataclass(frozen=True, kw_only=True)
class OrderedGroups(Groups):
    """On the host: `index` is ascending, and the positions of each token are listed.

    order [N]    positions, those of the first distinct token first, each token's ascending
    start [n+1]  where each token's positions begin in `order`
    """

    order: Integers
    start: Integers

    @classmethod
    def of(cls, tokens: Integers) -> OrderedGroups:
        """The groups of tokens [N], by NumPy."""
        index, inverse, counts = np.unique(tokens, return_inverse=True, return_counts=True)
        start = np.concatenate([[0], np.cumsum(counts)])
        return cls(index=index, inverse=inverse, order=np.argsort(tokens, kind="stable"), start=start)
