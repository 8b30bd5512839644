"""Values of expressions: every value is [..., m, n], a scalar [..., 1, 1]; leading axes are evaluated all at once.

The leading axes carry the perturbations of a complex step, so one pass gives the derivative by every entry.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache

import numpy as np

from elman.calculus.expression import (
    Add,
    BigSum,
    Call,
    Derivative,
    Dots,
    Entry,
    Expression,
    Identity,
    Index,
    Inverse,
    Iverson,
    Negative,
    Number,
    Ones,
    Power,
    Product,
    Subtract,
    Symbol,
    Transpose,
    children,
    walk,
    with_children,
)
from elman.calculus.functions import ELEMENTWISE, Array
from elman.errors import FormulaError


def _no_derivative(e: Derivative, scope: Scope) -> Array:
    raise FormulaError("a derivative stands where a value is needed", e.span[0] + 1)


def _no_dimension(name: str) -> int:
    raise FormulaError(f"the dimension {name} is not known")


@dataclass(frozen=True, slots=True)
class Scope:
    """Where values come from: `symbol` gives them, `dimension` the sizes behind names, `indices` the bound variables.

    `softmax_axis` is 0 where a softmax runs down each column (the default), 1 where it runs along each row.
    """

    symbol: Callable[[Symbol, Scope], Array]
    dimension: Callable[[str], int] = _no_dimension
    derivative: Callable[[Derivative, Scope], Array] = _no_derivative
    indices: Mapping[str, int] = field(default_factory=dict)
    softmax_axis: int | None = None

    def bind(self, name: str, value: int) -> Scope:
        """The same scope with one index bound."""
        return replace(self, indices={**self.indices, name: value})


def values_scope(values: Mapping[str, Array], softmax_axis: int | None = None) -> Scope:
    """A scope of named matrices [..., m, n]; names of dimensions are taken from no one."""

    def symbol(s: Symbol, scope: Scope) -> Array:
        key = s.name if s.time is None else f"{s.name}^({s.time})"
        if key not in values:
            raise FormulaError(f"{key} has no value", s.span[0] + 1)
        return values[key]

    return Scope(symbol, softmax_axis=softmax_axis)


def evaluate(e: Expression, scope: Scope) -> Array:
    """The value of `e`, [..., m, n]; `FormulaError` where shapes do not fit, with the column of the node that fails."""
    method = _EVALUATE.get(type(e))
    if method is None:
        raise FormulaError("an ellipsis has no value" if isinstance(e, Dots) else "this has no value", e.span[0] + 1)
    return method(e, scope)


def is_scalar(a: Array) -> bool:
    """Whether `a` holds 1 × 1 matrices."""
    return a.shape[-2:] == (1, 1)


def shape_text(a: Array) -> str:
    """Its shape, as pages write it: [3,5]."""
    return f"[{a.shape[-2]},{a.shape[-1]}]"


def transpose(a: Array) -> Array:
    """Each matrix turned."""
    return np.swapaxes(a, -1, -2)


class MisfitError(FormulaError):
    """Two shapes that do not go together, `left` and `right`, each (rows, columns); `what` says how they met."""

    def __init__(self, a: Array, b: Array, what: str, hint: str, column: int) -> None:
        super().__init__(f"{shape_text(a)} {what} {shape_text(b)} does not fit: {hint}", column)
        self.left, self.right = a.shape[-2:], b.shape[-2:]
        self.what, self.hint = what, hint


def _misfit(e: Expression, a: Array, b: Array, what: str, hint: str) -> MisfitError:
    return MisfitError(a, b, what, hint, e.span[0] + 1)


def multiply(a: Array, b: Array, e: Expression) -> Array:
    """The matrix product, or a scaling where one side is a scalar."""
    if a.shape[-1] == b.shape[-2]:
        return a @ b
    if is_scalar(a) or is_scalar(b):
        return a * b
    raise _misfit(e, a, b, "times", "the inner dimensions differ")


def hadamard(a: Array, b: Array, e: Expression) -> Array:
    """Entry by entry; the shapes must agree, or one side be a scalar."""
    if a.shape[-2:] == b.shape[-2:] or is_scalar(a) or is_scalar(b):
        return a * b
    raise _misfit(e, a, b, "∘", "an entry-by-entry product needs equal shapes")


def add(a: Array, b: Array, e: Expression) -> Array:
    """The sum; a scalar, one column or one row is added to all."""
    for i in (-2, -1):
        if a.shape[i] != b.shape[i] and 1 not in (a.shape[i], b.shape[i]):
            raise _misfit(e, a, b, "plus", "a sum needs equal shapes, a column, a row or a scalar")
    if (a.shape[-2] == b.shape[-1] == 1 or a.shape[-1] == b.shape[-2] == 1) and not (is_scalar(a) or is_scalar(b)):
        raise _misfit(e, a, b, "plus", "a row and a column do not add")
    return a + b


def _matched(e: Add | Subtract | Product, scope: Scope) -> tuple[Array, Array]:
    """Both sides, where one may be a vector of ones or an identity whose size the other gives."""
    left, right = e.left, e.right
    is_sum = isinstance(e, Add | Subtract)
    if isinstance(right, Identity) and right.dim is None:
        a = evaluate(left, scope)
        return a, np.eye(a.shape[-1])
    if isinstance(left, Identity) and left.dim is None:
        b = evaluate(right, scope)
        return np.eye(b.shape[-2]), b
    if not is_sum and isinstance(right, Ones) and right.dim is None:
        a = evaluate(left, scope)
        return a, np.ones((a.shape[-1], 1))
    if not is_sum and isinstance(left, Transpose) and isinstance(left.of, Ones) and left.of.dim is None:
        b = evaluate(right, scope)
        return np.ones((1, b.shape[-2])), b
    return evaluate(left, scope), evaluate(right, scope)


def _number(e: Number, scope: Scope) -> Array:
    return np.array([[float(e.value)]])


def _symbol(e: Symbol, scope: Scope) -> Array:
    return scope.symbol(e, scope)


def _size(dim: str | None, e: Expression, scope: Scope) -> int:
    if dim is None:
        raise FormulaError("the size cannot be told: write it, as in 1_n", e.span[0] + 1)
    return int(dim) if dim.isdigit() else scope.dimension(dim)


def _ones(e: Ones, scope: Scope) -> Array:
    return np.ones((_size(e.dim, e, scope), 1))


def _identity(e: Identity, scope: Scope) -> Array:
    return np.eye(_size(e.dim, e, scope))


def _entry(e: Entry, scope: Scope) -> Array:
    a = evaluate(e.of, scope)
    try:
        at = [i.at(dict(scope.indices)) - (i.variable is None) for i in e.indices]  # numbers count from 1
    except KeyError as error:
        raise FormulaError(f"the index {error.args[0]} is bound nowhere", e.span[0] + 1) from None
    if len(at) == 1 and a.shape[-2] == 1 and a.shape[-1] > 1:
        at = [0, *at]  # an entry of a row
    if len(at) > 2 or any(not 0 <= i < n for i, n in zip(at, a.shape[-2:], strict=False)):
        raise FormulaError(f"an index leaves the shape {shape_text(a)}", e.span[0] + 1)
    row = a[..., at[0] : at[0] + 1, :]
    return row if len(at) == 1 else row[..., at[1] : at[1] + 1]


def _iverson(e: Iverson, scope: Scope) -> Array:
    try:
        return np.array([[float(e.left.at(dict(scope.indices)) == e.right.at(dict(scope.indices)))]])
    except KeyError as error:
        raise FormulaError(f"the index {error.args[0]} is bound nowhere", e.span[0] + 1) from None


def _add(e: Add, scope: Scope) -> Array:
    a, b = _matched(e, scope)
    return add(a, b, e)


def _subtract(e: Subtract, scope: Scope) -> Array:
    a, b = _matched(e, scope)
    return add(a, -b, e)


def _product(e: Product, scope: Scope) -> Array:
    a, b = _matched(e, scope)
    return combine(a, b, e)


def combine(a: Array, b: Array, e: Product) -> Array:
    """The product of two values by the operator of `e`."""
    if e.operator in ("", "·"):
        if a.shape[-2:] == b.shape[-2:] and a.shape[-2] == 1 and _open_entries(e.left) and _open_entries(e.right):
            return a * b  # y_j ln ŷ_j of a batch: the index of the sequence is left open
        return multiply(a, b, e)
    if e.operator == "∘":
        return hadamard(a, b, e)
    if e.operator == "/":
        if is_scalar(b) or is_scalar(a) or a.shape[-2:] == b.shape[-2:]:
            return a / b
        raise _misfit(e, a, b, "over", "divide by a scalar, or entry by entry")
    if a.shape[-1] == 1 and b.shape[-1] == 1:
        return a @ transpose(b)
    if is_scalar(a) or is_scalar(b):
        return a * b
    raise _misfit(e, a, b, "⊗", "an outer product takes two column vectors")


def _open_entries(e: Expression) -> bool:
    """Whether all that `e` is made of are numbers and entries with one index."""
    if isinstance(e, Entry):
        return len(e.indices) == 1
    below = children(e)
    return isinstance(e, Number | Iverson) or (bool(below) and all(_open_entries(child) for child in below))


def _power(e: Power, scope: Scope) -> Array:
    a, n = evaluate(e.of, scope), evaluate(e.exponent, scope)
    if not is_scalar(n):
        raise FormulaError(f"an exponent must be a scalar, not {shape_text(n)}", e.span[0] + 1)
    if e.elementwise or a.shape[-1] != a.shape[-2] or is_scalar(a):
        whole = isinstance(e.exponent, Number) and e.exponent.value.denominator == 1
        return a ** int(e.exponent.value) if whole else a**n  # type: ignore[attr-defined]
    if not isinstance(e.exponent, Number) or e.exponent.value.denominator != 1 or abs(e.exponent.value) > 64:
        raise FormulaError("a matrix takes a whole number of at most 64 as its power", e.span[0] + 1)
    return np.linalg.matrix_power(a, int(e.exponent.value))


def square(a: Array, e: Expression, what: str) -> Array:
    """`a`, if its matrices are square."""
    if a.shape[-1] != a.shape[-2]:
        raise FormulaError(f"{what} needs a square matrix, not {shape_text(a)}", e.span[0] + 1)
    return a


def _inverse(e: Inverse, scope: Scope) -> Array:
    try:
        return np.linalg.inv(square(evaluate(e.of, scope), e, "an inverse"))
    except np.linalg.LinAlgError:
        raise FormulaError("this matrix is singular", e.span[0] + 1) from None


def _softmax(a: Array, axis: int) -> Array:
    exp = np.exp(a - a.real.max(axis, keepdims=True))
    result: Array = exp / exp.sum(axis, keepdims=True)
    return result


def softmax_axis(e: Call, a: Array, default: int | None) -> int:
    """0 down each column, 1 along each row: as stated, else as the page reads it; a vector has only one way."""
    if e.axis is None and 1 in a.shape[-2:]:
        return 0 if a.shape[-1] == 1 else 1
    return e.axis if e.axis is not None else default or 0


def _call(e: Call, scope: Scope) -> Array:
    a, *rest = (evaluate(argument, scope) for argument in e.arguments)
    if e.primes:
        return _primed(e, a, scope)
    if e.function in ELEMENTWISE:
        return ELEMENTWISE[e.function].value(a)
    axes = (-2, -1) if e.axis is None else (-2 + e.axis,)
    if e.function == "softmax":
        return _softmax(a, softmax_axis(e, a, scope.softmax_axis) - 2)
    if e.function == "cross_entropy":
        return -hadamard(a, np.log(rest[0]), e).sum((-2, -1), keepdims=True)
    if e.function == "trace":
        return np.trace(square(a, e, "a trace"), axis1=-2, axis2=-1)[..., None, None]
    if e.function == "det":
        return np.asarray(np.linalg.det(square(a, e, "a determinant")))[..., None, None]
    if e.function == "diag":
        if a.shape[-1] == 1 or a.shape[-2] == 1:
            v = a if a.shape[-1] == 1 else transpose(a)
            return v * np.eye(v.shape[-2])
        return np.diagonal(square(a, e, "diag"), axis1=-2, axis2=-1)[..., :, None]
    if e.function == "norm":
        return np.sqrt((a * a).sum((-2, -1), keepdims=True))
    if e.function == "norm1":
        return (a * np.sign(a.real)).sum((-2, -1), keepdims=True)
    return a.sum(axes, keepdims=True) if e.function == "sum" else a.mean(axes, keepdims=True)


_POINT = Symbol("u")


def _primed(e: Call, a: Array, scope: Scope) -> Array:
    """f'(A), entry by entry, from the table's derivative."""
    if e.primes > 1 or e.function not in ELEMENTWISE:
        raise FormulaError("only the first derivative of an elementwise function has a value", e.span[0] + 1)
    slope = ELEMENTWISE[e.function].derivative(_POINT)
    value = evaluate(slope, replace(scope, symbol=lambda s, _: a))
    return np.broadcast_to(value, a.shape) if value.shape[-2:] != a.shape[-2:] else value


def sum_range(e: BigSum, scope: Scope) -> range:
    """The values that the index of `e` takes; entries count from 0, time steps as they are written."""
    if e.lower is not None and e.upper is not None:
        entries = {i.variable for node in _entries(e.body) for i in node.indices}
        low = e.lower.at(dict(scope.indices))
        high = _upper(e.upper, scope)
        return range(low - 1, high) if e.index in entries else range(low, high + 1)
    size = _index_size(e.body, e.index, scope)
    if size is None:
        raise FormulaError(f"over what does {e.index} run? Write its bounds", e.span[0] + 1)
    return range(size)


def _upper(i: Index, scope: Scope) -> int:
    if i.variable is None or i.variable in scope.indices:
        return i.at(dict(scope.indices))
    return scope.dimension(i.variable) + i.offset


def _entries(e: Expression) -> list[Entry]:
    return [node for node in walk(e) if isinstance(node, Entry)]


def _index_size(body: Expression, index: str, scope: Scope) -> int | None:
    for node in _entries(body):
        for place, i in enumerate(node.indices):
            if i == Index(index):
                a = evaluate(node.of, scope)
                single_row = len(node.indices) == 1 and a.shape[-2] == 1
                return int(a.shape[-1] if single_row else a.shape[-2 + place])
    return None


@lru_cache(maxsize=1024)
def _whole(e: BigSum) -> tuple[Expression, tuple[BigSum, ...]] | None:
    """Nested sums over all entries of matrices as one expression in the matrices, and the sums; None where they are not that.

    Σ_b Σ_j y_jb ln ŷ_jb is the sum of the entries of y ∘ ln ŷ: one product in the place of V · B.
    """
    sums: list[BigSum] = []
    body: Expression = e
    while isinstance(body, BigSum):
        sums.append(body)
        body = body.body
    places = {entry.indices for entry in _entries(body)}
    bound = {Index(s.index) for s in sums}
    if len(places) != 1 or set(next(iter(places))) != bound or len(next(iter(places))) != len(bound):
        return None
    order = next(iter(places))

    def change(node: Expression) -> Expression | None:
        if isinstance(node, Entry):
            return node.of
        if isinstance(node, Number):
            return node
        if (
            not isinstance(node, Add | Subtract | Negative | Product | Call)
            or isinstance(node, Call)
            and node.function not in ELEMENTWISE
        ):
            return None
        below = [change(child) for child in children(node)]
        if any(child is None for child in below):
            return None
        new = with_children(node, tuple(child for child in below if child is not None))
        return replace(new, operator="∘") if isinstance(new, Product) and new.operator != "/" else new

    whole = change(body)
    return None if whole is None else (whole, tuple(sorted(sums, key=lambda s: order.index(Index(s.index)))))


def _all_entries(e: BigSum, scope: Scope) -> Array | None:
    """The value of nested sums over entries, all at once."""
    found = _whole(e)
    if found is None or any(s.index in scope.indices for s in found[1]):
        return None
    value = evaluate(found[0], scope)
    if len(found[1]) == 1 and value.shape[-2] == 1:
        return None
    for axis, s in enumerate(found[1]):
        size = value.shape[-2 + axis]
        over = range(size) if s.lower is None or s.upper is None else sum_range(s, scope)
        if over.start < 0 or over.stop > size:
            raise FormulaError(f"the index {s.index} leaves the shape {shape_text(value)}", e.span[0] + 1)
        part = value[..., over.start : over.stop, :] if axis == 0 else value[..., over.start : over.stop]
        value = np.broadcast_to(part.sum(-2 + axis, keepdims=True), (*part.shape[:-2], *_reduced(part, axis)))
    return value


def _reduced(part: Array, axis: int) -> tuple[int, int]:
    return (1, part.shape[-1]) if axis == 0 else (part.shape[-2], 1)


def _big_sum(e: BigSum, scope: Scope) -> Array:
    at_once = _all_entries(e, scope)
    if at_once is not None:
        return at_once
    over = sum_range(e, scope)
    if len(over) > 10_000:
        raise FormulaError(f"a sum of {len(over)} terms is too long to be added one by one", e.span[0] + 1)
    terms = [evaluate(e.body, scope.bind(e.index, i)) for i in over]
    if not terms:
        return np.zeros((1, 1))
    total = terms[0]
    for term in terms[1:]:
        total = total + term
    return total


_EVALUATE: dict[type, Callable[..., Array]] = {
    Number: _number,
    Symbol: _symbol,
    Ones: _ones,
    Identity: _identity,
    Entry: _entry,
    Iverson: _iverson,
    Negative: lambda e, scope: -evaluate(e.of, scope),
    Add: _add,
    Subtract: _subtract,
    Product: _product,
    Transpose: lambda e, scope: transpose(evaluate(e.of, scope)),
    Inverse: _inverse,
    Power: _power,
    Call: _call,
    BigSum: _big_sum,
    Derivative: lambda e, scope: scope.derivative(e, scope),
}
