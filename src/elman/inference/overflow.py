"""Results that are no numbers: the weights are finite, but what is computed with them is not."""

from __future__ import annotations

from typing import Any

import numpy as np

from elman.errors import ShapeError


def require_numbers(values: Any, what: str) -> None:
    """Raises ShapeError where one of the values is NaN."""
    if np.isnan(values).any():
        raise ShapeError(
            f"{what} is not a number: the weights are so large that the network overflows; take another checkpoint, or "
            "train again with a smaller --lr or --clip"
        )
