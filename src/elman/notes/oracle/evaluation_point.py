"""Where a model is evaluated, which value a complex step perturbs there, and the derivative that results."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from elman.calculus.functions import Array
from elman.calculus.values.environment import Occurrence
from elman.errors import FormulaError

STEP = 1e-20  # of the complex step
HORIZON = 4  # time steps
MOST_STEPS = 200  # examples, where nothing recurs
LARGEST = 5_000  # entries of an array that is perturbed entry by entry


class OutOfRangeError(FormulaError):
    """A time step at which a symbol does not exist: before the first, or after the loss."""


class NothingToCompareError(FormulaError):
    """A claim without a time step or index at which it is to be true: i ≠ j where there is one entry."""


class UncheckedError(FormulaError):
    """A claim that the checker does not evaluate: whether it holds stays open."""


class UndefinedError(FormulaError):
    """A symbol that the page neither declares nor defines; `name` is which."""

    def __init__(self, name: str, column: int | None) -> None:
        super().__init__(f"{name} is not defined on this page", column)
        self.name = name


class UnknownSizeError(FormulaError):
    """A size that no shape of the page has."""


class FourIndicesError(FormulaError):
    """A derivative that has four indices, and so is no matrix: of a matrix by a matrix, of a column by a matrix."""


class InfiniteError(FormulaError):
    """A value that is infinite or no real number: of ln(1 - σ(z)) at a large z."""


class CycleError(FormulaError):
    """A definition that leads back to itself at the same time step; `names` are those on the way."""

    def __init__(self, names: list[str]) -> None:
        super().__init__("defined in a circle: " + " → ".join(names))
        self.names = names


@dataclass(frozen=True, slots=True)
class EvaluationPoint:
    """Where a model is evaluated: sizes by name, the seed of the random values, and the axis of a softmax.

    `literal` decides how a factor that is also a size is read: by default a factor of 784 is the size written as 784,
    and one of 4 is the number 4; where `literal`, 784 is the number, and 4 is the size M of a page that says M = 4.
    """

    sizes: tuple[tuple[str, int], ...]
    seed: int = 0
    softmax_axis: int | None = None
    label: str = ""
    literal: bool = False


@dataclass(frozen=True, slots=True)
class Moved:
    """What a complex step perturbs: a name, at a time step (None: it has no time steps).

    `at`: only where the equations of this time step use it. `equation`: only where the equation of this name uses it,
    at the time step `at` (None: it has none). `stepped` is what takes real steps besides, for the derivative of a
    derivative.
    """

    name: str
    time: int | None = None
    at: int | None = None
    equation: str | None = None
    stepped: Moved | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The names that are perturbed."""
        return (self.name,) if self.stepped is None else (self.name, self.stepped.name)

    def reaches(self, occurrence: Occurrence | None) -> bool:
        """Whether a use of the name in this equation is perturbed."""
        if self.equation is not None:
            return occurrence == Occurrence(self.equation, self.at)
        return self.at is None or (occurrence is not None and occurrence.time == self.at)


@dataclass(frozen=True, slots=True)
class Jacobian:
    """∂of/∂wrt entry by entry: `tensor` […,r,c,m,n], for `wrt` [r,c] and `of` [m,n]."""

    tensor: Array

    def matrix(self) -> Array | None:
        """As a matrix: a scalar's gradient in the shape of what it is by (denominator layout), ∂y/∂x of two columns as
        [y,x] (numerator layout), ∂y^T/∂x as [x,y]; None where it has four indices.
        """
        r, c, m, n = self.tensor.shape[-4:]
        found: Array | None = None
        if (m, n) == (1, 1):
            found = self.tensor[..., 0, 0]
        elif (r, c) == (1, 1):
            found = self.tensor[..., 0, 0, :, :]
        elif c == 1 and n == 1:
            found = np.swapaxes(self.tensor[..., 0, :, 0], -1, -2)
        elif c == 1 and m == 1:
            found = self.tensor[..., 0, 0, :]
        return found


def check_extent(m: int, n: int) -> None:
    """Raises `UncheckedError` for an array [m,n] that is too large to be perturbed entry by entry."""
    if m * n > LARGEST:
        raise UncheckedError(
            f"an array of more than {LARGEST} entries would be needed: write a name for a product of sizes"
        )
