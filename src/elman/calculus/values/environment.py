"""Where the values in an expression come from, and the errors for shapes and indices that do not fit."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from elman.calculus.expression import Apply, Derivative, Expression, Index, Symbol
from elman.calculus.functions import Array
from elman.errors import FormulaError


def _no_derivative(e: Derivative, scope: Environment) -> Array:
    raise FormulaError("a derivative is given where a value is expected", e.span[0] + 1)


def _no_function(e: Apply, arguments: tuple[Array, ...]) -> Array:
    raise FormulaError(f"the function {e.name} has no value: write what {e.name} is", e.span[0] + 1)


def _itself(number: int) -> int:
    return number


def _no_dimension(name: str) -> int:
    raise FormulaError(f"the dimension {name} is not known")


@dataclass(frozen=True, slots=True)
class Occurrence:
    """The equation whose right side is being evaluated: the name that it defines, and the time step of its left side.

    `equation` is None for a formula that defines nothing, `time` for an equation that has no time step.
    """

    equation: str | None = None
    time: int | None = None


@dataclass(frozen=True, slots=True)
class Environment:
    """Where the values in an expression come from.

    `symbol` gives the value of a symbol, `derivative` that of a derivative, `function` that of a function that is not
    in `functions.py` from the values of its arguments, `dimension` the size behind a name; `indices` are the bound
    variables, and `axes` those that take all values of a range at once: every value then has an axis for each of them
    before its last two, in this order, of length 1 where it does not depend on it. `occurrence` is the equation being
    evaluated, where equations define symbols. `softmax_axis` is 0 where a softmax runs down each column (the default),
    1 where it runs along each row. `terms` is the product of the lengths of the enclosing sums, each added up term by
    term. `written` gives the size that is used for one written as a number (784), and the number itself where it is the
    size of nothing; a factor of 784 is replaced by it, too, and one of 4 is not; where `literal`, it is the other way
    round.
    """

    symbol: Callable[[Symbol, Environment], Array]
    dimension: Callable[[str], int] = _no_dimension
    derivative: Callable[[Derivative, Environment], Array] = _no_derivative
    indices: Mapping[str, int] = field(default_factory=dict)
    softmax_axis: int | None = None
    terms: int = 1
    written: Callable[[int], int] = _itself
    literal: bool = False
    occurrence: Occurrence | None = None
    function: Callable[[Apply, tuple[Array, ...]], Array] = _no_function
    axes: Mapping[str, range] = field(default_factory=dict)

    def bind(self, name: str, value: int) -> Environment:
        """The same environment with one more index bound."""
        return replace(self, indices={**self.indices, name: value})

    def along(self, name: str, over: range) -> Environment:
        """The same environment with one more axis, the last one."""
        others = {other: value for other, value in self.indices.items() if other != name}
        return replace(self, indices=others, axes={**self.axes, name: over})


def index_value(i: Index, indices: Mapping[str, int], e: Expression) -> int:
    """The value of an index in `e`; raises `FormulaError` for one that is not bound."""
    try:
        return i.at(indices)
    except KeyError as error:
        raise FormulaError(f"the index {error.args[0]} is bound nowhere", e.span[0] + 1) from None


def is_scalar(a: Array) -> bool:
    """Whether `a` holds 1 × 1 matrices."""
    return bool(a.shape[-2:] == (1, 1))


def are_alike(a: Array, b: Array) -> bool:
    """Whether two values have one shape, or one of them is a scalar."""
    return a.shape[-2:] == b.shape[-2:] or is_scalar(a) or is_scalar(b)


def shape_text(a: Array) -> str:
    """The shape of `a`, as pages write it: [3,5]."""
    return f"[{a.shape[-2]},{a.shape[-1]}]"


class OrderError(FormulaError):
    """A product of matrices over an index, which does not say in which order they are multiplied."""


class NoAxisError(FormulaError):
    """What has no value for all values of an index at once: it is evaluated for one after the other then."""

    def __init__(self) -> None:
        super().__init__("")


class OutsideError(FormulaError):
    """An index outside an array of this `shape`."""

    def __init__(self, reason: str, column: int, shape: tuple[int, ...]) -> None:
        super().__init__(reason, column)
        self.shape = shape


class MisfitError(FormulaError):
    """Two shapes that do not fit, `left` and `right`, each (rows, columns); `what` is the operation between them."""

    def __init__(self, a: Array, b: Array, what: str, hint: str, column: int) -> None:
        super().__init__(f"{shape_text(a)} {what} {shape_text(b)} does not fit: {hint}", column)
        self.left, self.right = a.shape[-2:], b.shape[-2:]
        self.what, self.hint = what, hint
