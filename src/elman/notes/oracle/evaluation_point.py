"""A point at which a model is looked at, what a complex step moves there, and what it gives."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from elman.calculus.functions import Array
from elman.calculus.syntax.written_sizes import is_number, is_written
from elman.calculus.values.environment import Occurrence
from elman.errors import FormulaError

STEP = 1e-20
HORIZON = 4  # time steps
PRIMES = (3, 5, 7, 2, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43)
ELSEWHERE = (97, 101, 103, 107, 109, 113, 127)  # for a number under a 1 or an I that no shape has
LARGEST = 5_000  # entries of an array that is moved entry by entry


class OutOfRangeError(FormulaError):
    """A time step at which a symbol does not exist: before the first, or after the loss."""


class UncheckedError(FormulaError):
    """What the checker does not look at: nothing is said of whether it holds."""


class UndefinedError(FormulaError):
    """A symbol that the page neither declares nor defines; `name` is which."""

    def __init__(self, name: str, column: int | None) -> None:
        super().__init__(f"{name} is not defined on this page", column)
        self.name = name


class CycleError(FormulaError):
    """A definition that leads back to itself at the same time step; `names` are those on the way."""

    def __init__(self, names: list[str]) -> None:
        super().__init__("defined in a circle: " + " → ".join(names))
        self.names = names


@dataclass(frozen=True, slots=True)
class EvaluationPoint:
    """Where the model is looked at: sizes by name, the seed of the random values, and how a softmax runs.

    `literal`: a factor of 784 is 784, though a size of 784 is another here, and one of 4 is the size M where M = 4.
    """

    sizes: tuple[tuple[str, int], ...]
    seed: int = 0
    softmax_axis: int | None = None
    label: str = ""
    literal: bool = False

    def size(self, name: str) -> int:
        """The size behind a name or a product of names and numbers, `4*H`; `KeyError` for a name that is none."""
        known = dict(self.sizes)
        total = 1
        for factor in name.replace(" ", "").split("*"):
            if is_number(factor):
                total *= int(factor)
            elif factor in known or not is_written(factor):
                total *= known[factor]
            else:
                total *= ELSEWHERE[zlib.crc32(factor.encode()) % len(ELSEWHERE)]
        return total

    def written(self, number: int) -> int:
        """What stands for a size written as a number, 784; the number itself where no shape has it."""
        return dict(self.sizes).get(str(number), number)


@dataclass(frozen=True, slots=True)
class Moved:
    """What a complex step moves: a name, at a time step (None: it has none).

    `at`: only where the equations of this time step use it. `equation`: only where the equation of this name, which
    has no time step, uses it.
    """

    name: str
    time: int | None = None
    at: int | None = None
    equation: str | None = None

    def reaches(self, occurrence: Occurrence | None) -> bool:
        """Whether a use of the name in this equation is moved."""
        if self.equation is not None:
            return occurrence == Occurrence(self.equation)
        return self.at is None or (occurrence is not None and occurrence.time == self.at)


@dataclass(frozen=True, slots=True)
class Jacobian:
    """∂of/∂wrt entry by entry: `tensor` [r,c,m,n], for `wrt` [r,c] and `of` [m,n]."""

    tensor: Array

    @property
    def scalar(self) -> bool:
        """Whether it is the gradient of a scalar."""
        return bool(self.tensor.shape[2:] == (1, 1))

    def matrix(self) -> Array | None:
        """As a matrix: a scalar's gradient in the shape of what it is by (denominator layout), ∂y/∂x of two columns as
        [y,x] (numerator layout); None where it has four indices.
        """
        r, c, m, n = self.tensor.shape
        found: Array | None = None
        if (m, n) == (1, 1):
            found = self.tensor[:, :, 0, 0]
        elif (r, c) == (1, 1):
            found = self.tensor[0, 0]
        elif c == 1 and n == 1:
            found = self.tensor[:, 0, :, 0].T
        return found


def check_extent(m: int, n: int) -> None:
    """Raises `UncheckedError` for an array that is too large to be moved entry by entry."""
    if m * n > LARGEST:
        raise UncheckedError("an array here is too large to be looked at: write a name for a product of sizes")


@lru_cache(maxsize=4096)
def random_value(name: str, time: int, shape: tuple[int, int], seed: int, kind: str, axis: int) -> Array:
    """A given letter's value, the same wherever it is asked for: normal; of a target, a distribution along `axis`; else
    positive.
    """
    rng = np.random.default_rng([zlib.crc32(name.encode()), time + 7, seed])
    value = rng.normal(size=shape) * 0.9 + 0.1
    if 1 not in shape:
        value *= 1.2 / np.sqrt(
            min(shape)
        )  # so that a recurrence, and a softmax at its end, stays within what float64 holds
    if shape[0] == shape[1] and shape[0] > 1:
        value += np.eye(shape[0])  # well away from singular
    if kind == "target":
        value = np.exp(value)
        value /= value.sum(axis, keepdims=True)
    elif kind == "positive":
        value = np.abs(value) + 0.2
    value.setflags(write=False)
    return value
