"""The one check of token ids, before they are used as indices."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from elman.errors import ShapeError

Integers = NDArray[np.integer[Any]]


def check_token_ids(name: str, ids: Integers, V: int) -> None:
    """Raises ShapeError unless `ids`, at least one, are whole numbers from 0 to V - 1. `name` is for the message."""
    if not np.issubdtype(ids.dtype, np.integer):
        raise ShapeError(f"{name} holds {ids.dtype}, expected whole numbers: token ids")
    smallest, largest = int(ids.min()), int(ids.max())
    if smallest < 0 or largest >= V:
        wrong = smallest if smallest < 0 else largest
        raise ShapeError(f"{name} holds token id {wrong}, expected ids from 0 to {V - 1}")
