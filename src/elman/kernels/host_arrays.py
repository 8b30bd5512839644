"""Making and moving NumPy arrays: what the NumPy and the native kernels share."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]


def kept_of(rate: float) -> int:
    """How many of 2^16 equally likely numbers keep an entry at a dropout of `rate`: at least one."""
    return max(1, round((1 - rate) * 2**16))


class HostArrays:
    """`protocol.Arrays` for NumPy arrays."""

    xp = np

    def array(self, values: Any, like: Floats | None = None) -> Any:
        """The values themselves, in the type of `like` if given."""
        return values if like is None else np.asarray(values, like.dtype)

    def host(self, array: Any) -> NDArray[Any]:
        """The array itself."""
        same: NDArray[Any] = array
        return same

    def zeros(self, shape: tuple[int, ...], like: Floats) -> Floats:
        """Zeros in the type of `like`."""
        return np.zeros(shape, like.dtype)

    def counter(self) -> Any:
        """0."""
        return 0

    def dropout_mask(self, shape: tuple[int, ...], rate: float, generator: np.random.Generator, like: Floats) -> Floats:
        """Inverted dropout: each entry is 0 or 1/keep. A random 64-bit number makes four entries, 16 bits each."""
        kept, size = kept_of(rate), math.prod(shape)
        drawn = generator.bit_generator.random_raw(-(-size // 4)).view(np.uint16)[:size]
        entries: Floats = np.multiply(drawn < kept, like.dtype.type(2**16 / kept), dtype=like.dtype)
        return entries.reshape(shape)
