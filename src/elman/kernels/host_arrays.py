"""What backends answer about arrays where those are NumPy's own."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]


def kept_of(rate: float) -> int:
    """How many of 2^16 numbers keep an entry, at a dropout of `rate`: at least one."""
    return max(1, round((1 - rate) * 2**16))


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

    def counter(self) -> Any:
        """0, to be counted up from."""
        return 0

    def dropout_mask(self, shape: tuple[int, ...], rate: float, generator: np.random.Generator, like: Floats) -> Floats:
        """Inverted dropout: each entry 0 or 1/keep. Four entries a drawn number, 16 bits each."""
        kept, size = kept_of(rate), math.prod(shape)
        drawn = generator.bit_generator.random_raw(-(-size // 4)).view(np.uint16)[:size]
        entries: Floats = np.multiply(drawn < kept, like.dtype.type(2**16 / kept), dtype=like.dtype)
        return entries.reshape(shape)

    def zeros(self, shape: tuple[int, ...], like: Floats) -> Floats:
        """Zeros in the type of `like`."""
        return np.zeros(shape, like.dtype)
