"""Random values of given letters, the same wherever a check asks for them."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import numpy as np

from elman.calculus.functions import Array


class RandomValues:
    """Makes the values of given letters from their names, and keeps them for one check."""

    def __init__(self) -> None:
        self._made: dict[tuple[object, ...], Array] = {}

    def value(self, name: str, time: int, shape: tuple[int, int], seed: int, kind: str, axis: int) -> Array:
        """The value of a letter at a time step, of this shape.

        `kind`: "" normal, "positive" normal made positive, "share" between 0 and 1, "target" distributions along
        `axis`, "definite" a matrix whose symmetric part is positive definite: its determinant is positive, and no
        transpose is hidden; "symmetric" a symmetric one that is positive definite.
        """
        key = (name, time, shape, seed, kind, axis)
        if key not in self._made:
            self._made[key] = _random_value(name, time, shape, seed, kind, axis)
        return self._made[key]


def labels(among: Sequence[float], time: int, shape: tuple[int, int], seed: int) -> Array:
    """The values of a letter that is one of some numbers: each of them in turn, from step to step, entry to entry, and
    point to point.
    """
    places = time + seed + np.arange(shape[0] * shape[1]).reshape(shape)
    return np.asarray(np.asarray(among)[places % len(among)])


def _random_value(name: str, time: int, shape: tuple[int, int], seed: int, kind: str, axis: int) -> Array:
    generator = np.random.default_rng([zlib.crc32(name.encode()), time + 7, seed])
    value = generator.normal(size=shape) * 0.9 + 0.1
    if 1 not in shape:  # so that a recurrence, and a softmax at its end, stays within what float64 represents
        value *= 1.2 / np.sqrt(min(shape))
    if shape[0] == shape[1] and shape[0] > 1:
        value += np.eye(shape[0])  # well away from singular
    if kind == "target":
        value = np.exp(value)
        value /= value.sum(axis, keepdims=True)
    elif kind == "definite":
        value = (value - value.T) / 2 + value @ value.T / shape[0] + np.eye(shape[0])
    elif kind == "symmetric":
        value = value @ value.T / shape[0] + np.eye(shape[0])
    elif kind == "share":
        value = 1 / (1 + np.exp(-value))
    elif kind == "positive":
        value = np.abs(value) + 0.2
    value.setflags(write=False)
    return value
