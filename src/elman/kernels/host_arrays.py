"""What backends answer about arrays where those are NumPy's own."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]


class HostArrays:
    """The array half of a backend that computes on NumPy arrays."""

    xp = np

    def array(self, values: Any, like: Floats | None = None) -> Any:
        """The values themselves, in the type of `like` where it is given."""
        return values if like is None else np.asarray(values, like.dtype)

    def host(self, array: Any) -> NDArray[Any]:
        """The array itself."""
        held: NDArray[Any] = array
        return held

    def zeros(self, shape: tuple[int, ...], like: Floats) -> Floats:
        """Zeros in the type of `like`."""
        return np.zeros(shape, like.dtype)
