"""Values of expressions: every value is [..., m, n], a scalar [..., 1, 1], with leading axes evaluated all at once.

The leading axes carry the perturbations of a complex step, so one pass gives the derivative by every entry.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np

from elman.calculus.expression import (
    Add,
    Apply,
    BigProduct,
    BigSum,
    Call,
    Cases,
    Comparison,
    Constant,
    Derivative,
    Dots,
    Entry,
    Expression,
    Identity,
    Inverse,
    Iverson,
    Matrix,
    Negative,
    Number,
    Ones,
    Pattern,
    Power,
    Product,
    Subtract,
    Symbol,
    Transpose,
    last_of,
    leaves_entries_open,
    transform,
    walk,
)
from elman.calculus.functions import ELEMENTWISE, Array
from elman.calculus.syntax.names import TIME_LETTERS
from elman.calculus.syntax.written_sizes import LARGEST, is_number
from elman.calculus.values.axes import entry_along, place_along, require_closed, with_axes
from elman.calculus.values.environment import Environment, OutsideError, are_alike, index_value, is_scalar, shape_text
from elman.calculus.values.matrix_analysis import matrix_power
from elman.calculus.values.matrix_functions import MATRIX_FUNCTIONS, hadamard, misfit, softmax, softmax_axis, square
from elman.calculus.values.sums import big_product, big_sum, index_size
from elman.errors import FormulaError


def evaluate(e: Expression, scope: Environment) -> Array:
    """The value of `e`, [..., m, n]; `FormulaError`, with the column of the node, if shapes do not fit."""
    rule = _NODES.get(type(e))
    if rule is None:
        raise FormulaError("an ellipsis has no value" if isinstance(e, Dots) else "this has no value", e.span[0] + 1)
    try:
        return rule(e, scope)
    except np.linalg.LinAlgError:
        raise FormulaError("this has no value: a matrix in it is singular", e.span[0] + 1) from None


def transpose(a: Array) -> Array:
    """Each matrix transposed."""
    return np.swapaxes(a, -1, -2)


def multiply(a: Array, b: Array, e: Expression) -> Array:
    """The matrix product, or a scaling where one side is a scalar."""
    if is_scalar(a) or is_scalar(b):
        return a * b
    if a.shape[-1] == b.shape[-2]:
        return a @ b
    raise misfit(e, a, b, "times", "the inner dimensions differ")


def add(a: Array, b: Array, e: Expression) -> Array:
    """The sum; a scalar, one column or one row is added to all."""
    for i in (-2, -1):
        if a.shape[i] != b.shape[i] and 1 not in (a.shape[i], b.shape[i]):
            raise misfit(e, a, b, "plus", "a sum needs equal shapes, a column, a row or a scalar")
    if (a.shape[-2] == b.shape[-1] == 1 or a.shape[-1] == b.shape[-2] == 1) and not (is_scalar(a) or is_scalar(b)):
        raise misfit(e, a, b, "plus", "a row and a column do not add")
    return a + b


def _matched(e: Add | Subtract | Product, scope: Environment) -> tuple[Array, Array]:
    """The values of both sides; the size of a vector of ones or an identity may follow from the other side."""
    left, right = e.left, e.right
    is_sum = isinstance(e, Add | Subtract)
    if isinstance(right, Identity) and right.dim is None:
        a = evaluate(left, scope)
        return a, np.eye(a.shape[-1])
    if isinstance(left, Identity) and left.dim is None:
        b = evaluate(right, scope)
        return np.eye(b.shape[-2]), b
    if is_sum and _has_open_identity(right) and not _has_open_identity(left):
        a = evaluate(left, scope)
        return a, _beside(right, a, scope)
    if is_sum and _has_open_identity(left) and not _has_open_identity(right):
        b = evaluate(right, scope)
        return _beside(left, b, scope), b
    if not is_sum and isinstance(right, Ones) and right.dim is None:
        a = evaluate(left, scope)
        return a, np.ones((a.shape[-1], 1))
    if not is_sum and isinstance(left, Transpose) and isinstance(left.of, Ones) and left.of.dim is None:
        b = evaluate(right, scope)
        return np.ones((1, b.shape[-2])), b
    return evaluate(left, scope), evaluate(right, scope)


def _has_open_identity(e: Expression) -> bool:
    """Whether a factor of `e` is an identity whose size does not follow from the other factors: λ I, 2 I / n."""
    if isinstance(e, Product) and e.operator in ("", "·", "/"):
        return _has_open_identity(e.left) or _has_open_identity(e.right)
    return _has_open_identity(e.of) if isinstance(e, Negative) else isinstance(e, Identity) and e.dim is None


def _beside(e: Expression, other: Array, scope: Environment) -> Array:
    """The value of an `e` with an open identity, where it is added to `other`: λ I has the size of A in A + λ I."""
    number = evaluate(
        transform(e, lambda node: _ONE if isinstance(node, Identity) and node.dim is None else node), scope
    )
    square = other.shape[-1] == other.shape[-2]
    return number * np.eye(other.shape[-1]) if is_scalar(number) and square else evaluate(e, scope)


_ONE = Number(Fraction(1))


def _number(e: Number, scope: Environment) -> Array:
    value = e.value
    if (value > LARGEST) != scope.literal and value > 1 and value.denominator == 1:
        value = Fraction(scope.written(int(value)))
    return np.array([[float(value)]])


def _symbol(e: Symbol, scope: Environment) -> Array:
    return with_axes(scope.symbol(e, scope), scope)


def _derivative(e: Derivative, scope: Environment) -> Array:
    require_closed(e, scope)
    return with_axes(scope.derivative(e, scope), scope)


def _size(dim: str | None, e: Expression, scope: Environment) -> int:
    if dim is None:
        raise FormulaError("the size does not follow from the formula: write it, as in 1_n", e.span[0] + 1)
    return scope.written(int(dim)) if is_number(dim) else scope.dimension(dim)


def _ones(e: Ones, scope: Environment) -> Array:
    return np.ones((_size(e.dim, e, scope), 1))


def _identity(e: Identity, scope: Environment) -> Array:
    return np.eye(_size(e.dim, e, scope))


def _entry(e: Entry, scope: Environment) -> Array:
    if not scope.axes.keys().isdisjoint([i.variable for i in e.indices]):
        require_closed(e.of, scope)
        return entry_along(e, evaluate(e.of, replace(scope, axes={})), scope)
    a = evaluate(e.of, scope)
    return a[(..., *entry_slices(e, a.shape[-2:], scope.indices))]


def entry_slices(e: Entry, shape: tuple[int, ...], indices: Mapping[str, int]) -> tuple[slice, slice]:
    """The rows and columns of a matrix of this shape that `e` names: an entry, a row or a column.

    Raises `FormulaError` for an index that is not bound, and `OutsideError` for one outside the shape.
    """
    at = [index_value(i, indices, e) - (i.variable is None) for i in e.indices]  # numbers count from 1
    if e.column and 0 <= at[0] < shape[1]:
        return slice(None), slice(at[0], at[0] + 1)
    if len(at) == 1 and shape[0] == 1 and shape[1] > 1:
        at = [0, *at]  # an entry of a row
    if len(at) > 2 or any(not 0 <= i < n for i, n in zip(at, shape, strict=False)):
        raise OutsideError(f"an index leaves the shape [{shape[0]},{shape[1]}]", e.span[0] + 1, shape)
    return slice(at[0], at[0] + 1), slice(None) if len(at) == 1 else slice(at[1], at[1] + 1)


def _iverson(e: Iverson, scope: Environment) -> Array:
    left, right = place_along(e.left, e, scope), place_along(e.right, e, scope)
    if {e.left.variable, e.right.variable}.isdisjoint(TIME_LETTERS):  # entries count from 0, written numbers from 1
        left, right = left - (e.left.variable is None), right - (e.right.variable is None)
    return np.asarray(_COMPARE[e.operator](left, right), np.float64)


def _comparison(e: Comparison, scope: Environment) -> Array:
    a, b = evaluate(e.left, scope).real, evaluate(e.right, scope).real
    if not are_alike(a, b):
        raise misfit(e, a, b, e.operator, "a comparison entry by entry needs equal shapes")
    value: Array = _COMPARE[e.operator](a, b).astype(np.float64)
    return value


def _constant(e: Constant, scope: Environment) -> Array:
    return np.array([[CONSTANTS[e.name]]])


def _matrix(e: Matrix, scope: Environment) -> Array:
    if len({len(row) for row in e.rows}) != 1:
        raise FormulaError("the rows of this matrix have different lengths", e.span[0] + 1)
    rows = [_joined([evaluate(entry, scope) for entry in row], -1, e) for row in e.rows]
    return _joined(rows, -2, e)


def _pattern(e: Pattern, scope: Environment) -> Array:
    """A matrix by the formula of its cells, as large as the letters with its indices say."""
    rows = [scope]
    if e.row:
        run = _run(e, e.row, scope)
        rows = [scope.bind(e.row, i).bind(last_of(e.row), run - 1) for i in range(run)]
    columns = range(_run(e, e.column, scope)) if e.column else None
    if columns:
        rows = [at.bind(last_of(e.column), len(columns) - 1) for at in rows]
    cells = [[at] if columns is None else [at.bind(e.column, j) for j in columns] for at in rows]
    return _joined([_joined([evaluate(e.body, at) for at in row], -1, e) for row in cells], -2, e)


def _run(e: Pattern, index: str, scope: Environment) -> int:
    """How far an index of a matrix runs."""
    entries = [n for n in walk(e.body) if isinstance(n, Entry)]
    for name in (e.row, e.column) if e.is_square else (index,):
        size = index_size(entries, name, scope, evaluate)
        if size is not None:
            return size
    raise FormulaError("how many rows and columns this matrix has is not said: declare its shape", e.span[0] + 1)


def _joined(parts: list[Array], axis: int, e: Expression) -> Array:
    """Blocks side by side (-1) or below each other (-2)."""
    across = -3 - axis
    if len({part.shape[across] for part in parts}) != 1:
        raise FormulaError("the blocks of this matrix do not fit together", e.span[0] + 1)
    leading = np.broadcast_shapes(*(part.shape[:-2] for part in parts))
    return np.concatenate([np.broadcast_to(part, (*leading, *part.shape[-2:])) for part in parts], axis)


def _apply(e: Apply, scope: Environment) -> Array:
    return scope.function(e, tuple(evaluate(argument, scope) for argument in e.arguments))


def _cases(e: Cases, scope: Environment) -> Array:
    """The first value whose condition holds; entry by entry where a condition has entries."""
    chosen: list[tuple[Array, Array]] = []
    for condition, case in zip(e.conditions, e.values, strict=True):
        holds = np.asarray(evaluate(condition, scope).real != 0)
        if holds.any():
            chosen.append((holds, evaluate(case, scope)))
        if holds.all():
            break
    else:
        raise FormulaError("no case of this holds for all entries: add a last one, otherwise", e.span[0] + 1)
    result = chosen.pop()[1]
    for holds, value in reversed(chosen):
        for part in (holds, result):
            if not are_alike(value, part):
                raise misfit(e, value, part, "beside", "the cases need equal shapes")
        result = np.asarray(np.where(holds, value, result))
    return result


def _add(e: Add, scope: Environment) -> Array:
    a, b = _matched(e, scope)
    return add(a, b, e)


def _subtract(e: Subtract, scope: Environment) -> Array:
    a, b = _matched(e, scope)
    return add(a, -b, e)


def _product(e: Product, scope: Environment) -> Array:
    a, b = _matched(e, scope)
    return combine(a, b, e)


def combine(a: Array, b: Array, e: Product) -> Array:
    """The product of two values by the operator of `e`."""
    if e.operator in ("", "·"):
        if (
            a.shape[-2:] == b.shape[-2:]
            and a.shape[-2] == 1 < a.shape[-1]
            and leaves_entries_open(e.left)
            and leaves_entries_open(e.right)
        ):
            return a * b  # y_j ln ŷ_j of a batch: the index of the sequence is left open
        if e.operator == "·" and a.shape[-1] == b.shape[-1] == 1 and a.shape[-2] == b.shape[-2] > 1:
            return transpose(a) @ b  # the dot product of two columns
        return multiply(a, b, e)
    if e.operator == "@":
        return _at(a, b, e)
    if e.operator == "∘":
        return hadamard(a, b, e)
    if e.operator == "/":
        if are_alike(a, b):
            return a / b
        raise misfit(e, a, b, "over", "divide by a scalar, or entry by entry")
    if a.shape[-1] == 1 and b.shape[-1] == 1:
        return a @ transpose(b)
    if is_scalar(a) or is_scalar(b):
        return a * b
    raise misfit(e, a, b, "⊗", "an outer product takes two column vectors")


def _at(a: Array, b: Array, e: Product) -> Array:
    """A @ B as in Python, where a vector has no direction: a column on the left may stand for a row, a row on the right
    for a column.
    """
    if a.shape[-1] != b.shape[-2] and a.shape[-1] == 1 and a.shape[-2] == b.shape[-2]:
        return transpose(a) @ b
    if a.shape[-1] != b.shape[-2] and b.shape[-2] == 1 and a.shape[-1] == b.shape[-1]:
        return a @ transpose(b)
    return multiply(a, b, e)


def _power(e: Power, scope: Environment) -> Array:
    a, n = evaluate(e.of, scope), evaluate(e.exponent, scope)
    if not is_scalar(n):
        raise FormulaError(f"an exponent must be a scalar, not {shape_text(n)}", e.span[0] + 1)
    if e.elementwise or a.shape[-1] != a.shape[-2] or is_scalar(a):
        whole = isinstance(e.exponent, Number) and e.exponent.value.denominator == 1 and abs(e.exponent.value) < 1000
        return a ** int(e.exponent.value) if whole else a**n  # type: ignore[attr-defined]
    return matrix_power(a, n)


def _inverse(e: Inverse, scope: Environment) -> Array:
    a = evaluate(e.of, scope)
    if a.shape[-1] == 1 and a.shape[-2] > 1:  # of a column: entry by entry
        return 1 / a
    try:
        return np.linalg.inv(square(a, e, "an inverse"))
    except np.linalg.LinAlgError:
        raise FormulaError("this matrix is singular", e.span[0] + 1) from None


def _call(e: Call, scope: Environment) -> Array:
    a, *rest = (evaluate(argument, scope) for argument in e.arguments)
    if e.primes:
        return _primed(e, a, scope)
    if e.function == "ln" and isinstance(e.arguments[0], Subtract):
        lost = np.abs(a) < _CANCELLED * np.abs(evaluate(e.arguments[0].left, scope))
        a = np.where(lost, np.nan, a)  # of ln(1 - σ(z)) at a large z the digits of 1 - σ(z) are lost
    if e.function in ELEMENTWISE:
        return ELEMENTWISE[e.function].value(a)
    if e.function == "softmax":
        return softmax(a, softmax_axis(e, a, scope.softmax_axis) - 2)
    return MATRIX_FUNCTIONS[e.function](e, a, *rest)


_CANCELLED = 1e-6  # a difference that is so much smaller than what it is of has too few digits for a logarithm
_POINT = Symbol("u")


def _primed(e: Call, a: Array, scope: Environment) -> Array:
    """f'(A), entry by entry, from the table's derivative."""
    if e.primes > 1 or e.function not in ELEMENTWISE:
        raise FormulaError("only the first derivative of an elementwise function has a value", e.span[0] + 1)
    slope = ELEMENTWISE[e.function].derivative(_POINT)
    value = evaluate(slope, replace(scope, symbol=lambda s, _: a, axes={}))
    return np.broadcast_to(value, a.shape) if value.shape[-2:] != a.shape[-2:] else value


CONSTANTS = {"e": math.e, "pi": math.pi}

# The sign of a comparison → the comparison.
_COMPARE: dict[str, Callable[[Any, Any], Any]] = {
    "=": operator.eq,
    "≠": operator.ne,
    "<": operator.lt,
    "≤": operator.le,
    ">": operator.gt,
    "≥": operator.ge,
}

# A node → the rule for its value.
_NODES: dict[type[Expression], Callable[..., Array]] = {
    Number: _number,
    Symbol: _symbol,
    Ones: _ones,
    Identity: _identity,
    Entry: _entry,
    Iverson: _iverson,
    Comparison: _comparison,
    Constant: _constant,
    Matrix: _matrix,
    Pattern: _pattern,
    Negative: lambda e, scope: -evaluate(e.of, scope),
    Add: _add,
    Subtract: _subtract,
    Product: _product,
    Transpose: lambda e, scope: transpose(evaluate(e.of, scope)),
    Inverse: _inverse,
    Power: _power,
    Call: _call,
    Apply: _apply,
    Cases: _cases,
    BigSum: lambda e, scope: big_sum(e, scope, evaluate),
    BigProduct: lambda e, scope: big_product(e, scope, evaluate),
    Derivative: _derivative,
}
