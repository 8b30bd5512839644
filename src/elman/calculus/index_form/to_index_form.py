"""From an expression to its index form: a matrix product is a sum over a shared index, a transpose swaps two names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction

from elman.calculus.expression import (
    Add,
    BigSum,
    Call,
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
)
from elman.calculus.functions import ELEMENTWISE
from elman.calculus.index_form.terms import (
    DELTA,
    DET,
    DIMENSION,
    FUNCTION,
    INVERSE,
    SOFTMAX,
    SYMBOL,
    Factor,
    Ix,
    Sum,
    Term,
    constant,
    fresh,
    multiply,
    of_argument,
    one_term,
    rename,
    summed,
    to_power,
)
from elman.calculus.shapes.inference import Shape, Shapes
from elman.errors import FormulaError

_MAX_POWER = 8
POINT = Symbol("u")


@dataclass(frozen=True, slots=True)
class Lowered:
    """An index form with the index of its rows and of its columns, None along a dimension of 1."""

    sum: Sum
    row: Ix | None
    column: Ix | None

    def swapped(self) -> Lowered:
        """The transpose."""
        return Lowered(self.sum, self.column, self.row)


def lower(shapes: Shapes) -> Lowered:
    """The index form of `shapes.tree`; `FormulaError` for what has none, such as a power of more than 8 matrices."""
    return _Lowering(shapes).visit(shapes.tree)


def written(s: Symbol, shape: Shape) -> Expression:
    """A symbol as a column vector where it is a row, else as it is."""
    return Transpose(s) if shape[0] == "1" != shape[1] else s


def symbol_factor(s: Symbol, shape: Shape, row: Ix | None, column: Ix | None) -> Factor:
    """An entry of a symbol."""
    return Factor(SYMBOL, tuple(i for i in (row, column) if i is not None), atom=written(s, shape))


def function_slope(name: str, argument: Sum) -> Sum:
    """f'(argument) of an elementwise function; σ' and tanh' stay functions, which the printer spells out."""
    if name in ("sigmoid", "tanh"):
        return Sum((Term(Fraction(1), (of_argument(FUNCTION, argument, name=name + "'"),)),))
    return _pointwise(ELEMENTWISE[name].derivative(POINT), argument)


def _pointwise(e: Expression, u: Sum) -> Sum:
    """An expression of the one symbol `POINT`, entry by entry."""
    match e:
        case Number():
            return constant(e.value)
        case Symbol():
            return rename(u, {})
        case Add():
            return Sum(_pointwise(e.left, u).terms + _pointwise(e.right, u).terms)
        case Subtract():
            return Sum(_pointwise(e.left, u).terms + _pointwise(e.right, u).scaled(Fraction(-1)).terms)
        case Product():
            return multiply(_pointwise(e.left, u), _pointwise(e.right, u))
        case Power():
            assert isinstance(e.exponent, Number)
            return to_power(_pointwise(e.of, u), e.exponent.value)
        case Call():
            return apply(e.function, _pointwise(e.arguments[0], u))
    raise AssertionError(e)


def apply(name: str, u: Sum) -> Sum:
    """An elementwise function of an index form."""
    if name == "sqrt":
        return to_power(u, Fraction(1, 2))
    return Sum((Term(Fraction(1), (of_argument(FUNCTION, u, name=name),)),))


@dataclass
class _Lowering:
    shapes: Shapes
    indices: Mapping[str, Ix] = field(default_factory=dict)

    def visit(self, e: Expression) -> Lowered:
        method: Callable[[_Lowering, Expression], Lowered] = _LOWER[type(e)]
        return method(self, e)

    def frame(self, e: Expression) -> tuple[Ix | None, Ix | None]:
        """Fresh indices for the shape of a node."""
        row, column = self.shapes.of(e)
        return (None if row == "1" else fresh(row)), (None if column == "1" else fresh(column))

    def symbol(self, e: Symbol) -> Lowered:
        row, column = self.frame(e)
        return Lowered(Sum((Term(Fraction(1), (symbol_factor(e, self.shapes.of(e), row, column),)),)), row, column)

    def add(self, e: Add | Subtract) -> Lowered:
        a, b = self.visit(e.left), self.visit(e.right)
        row, column, second = _aligned(a, b)
        sign = Fraction(-1 if isinstance(e, Subtract) else 1)
        return Lowered(Sum(a.sum.terms + second.scaled(sign).terms), row, column)

    def product(self, e: Product) -> Lowered:
        a, b = self.visit(e.left), self.visit(e.right)
        if e.operator == "⊗" and a.column is None and b.column is None:
            return Lowered(multiply(a.sum, b.sum), a.row, b.row)
        if e.operator in ("", "·") and not (_is_scalar(a) or _is_scalar(b)):
            if a.column is None or b.row is None:
                return Lowered(multiply(a.sum, b.sum), a.row, b.column)
            right = rename(b.sum, {b.row: a.column})
            return Lowered(multiply(a.sum, right, (a.column,)), a.row, b.column)
        row, column, second = _aligned(a, b)
        if e.operator == "/":
            second = to_power(second, Fraction(-1))
        return Lowered(multiply(a.sum, second), row, column)

    def power(self, e: Power) -> Lowered:
        if not self.shapes.is_matrix_power(e):
            a = self.visit(e.of)
            if isinstance(e.exponent, Number):
                return Lowered(to_power(a.sum, e.exponent.value), a.row, a.column)
            n = self.visit(e.exponent)
            return Lowered(apply("exp", multiply(n.sum, apply("ln", a.sum))), a.row, a.column)
        assert isinstance(e.exponent, Number)
        times = int(e.exponent.value)
        if abs(times) > _MAX_POWER:
            raise FormulaError(f"of matrices, powers up to {_MAX_POWER} are differentiated", e.span[0] + 1)
        one = _inverted if times < 0 else (lambda x: x)
        if times == 0:
            return self.identity(e)
        result = one(self.visit(e.of))
        for _ in range(abs(times) - 1):
            other = one(self.visit(e.of))
            assert result.column is not None
            assert other.row is not None
            right = rename(other.sum, {other.row: result.column})
            result = Lowered(multiply(result.sum, right, (result.column,)), result.row, other.column)
        return result

    def identity(self, e: Expression) -> Lowered:
        row, column = self.frame(e)
        if row is None or column is None:
            return Lowered(constant(1), None, None)
        return Lowered(Sum((Term(Fraction(1), (Factor(DELTA, (row, column)),)),)), row, column)

    def call(self, e: Call) -> Lowered:
        name = e.function
        if e.primes > 1 or (e.primes and name not in ELEMENTWISE):
            raise FormulaError("only the first derivative of an elementwise function is read", e.span[0] + 1)
        a = self.visit(e.arguments[0])
        both = tuple(i for i in (a.row, a.column) if i is not None)
        if name in ELEMENTWISE:
            if e.primes:
                return Lowered(_pointwise(ELEMENTWISE[name].derivative(POINT), a.sum), a.row, a.column)
            return Lowered(apply(name, a.sum), a.row, a.column)
        if name == "softmax":
            if not both:
                return Lowered(constant(1), None, None)
            along_rows = e.axis == 1 if len(both) == 2 else a.row is None
            order = both[::-1] if along_rows and len(both) == 2 else both
            return Lowered(Sum((Term(Fraction(1), (of_argument(SOFTMAX, a.sum, order),)),)), a.row, a.column)
        if name == "cross_entropy":
            b = self.visit(e.arguments[1])
            row, column, second = _aligned(a, b)
            over = tuple(i for i in (row, column) if i is not None)
            return _scalar(multiply(a.sum.scaled(Fraction(-1)), apply("ln", second), over))
        if name == "trace":
            return _scalar(a.sum if a.row is None or a.column is None else _diagonal(a))
        if name == "det":
            if a.row is None or a.column is None:
                return a
            f = of_argument(DET, a.sum, (a.row, a.column))
            return _scalar(Sum((Term(Fraction(1), (Factor(DET, (), Fraction(1), "", None, f.argument),)),)))
        if name == "diag":
            return self.diag(a)
        if name == "norm":
            return _scalar(to_power(summed(to_power(a.sum, Fraction(2)), both), Fraction(1, 2)))
        if name == "norm1":
            return _scalar(summed(apply("abs", a.sum), both))
        over = both if e.axis is None else tuple(i for i in ((a.row,), (a.column,))[e.axis] if i is not None)
        result = summed(a.sum, over)
        if name == "mean":
            shares = tuple(Factor(DIMENSION, (), Fraction(-1), i.dim) for i in over)
            result = Sum(tuple(Term(t.coefficient, t.factors + shares, t.dummies) for t in result.terms))
        return Lowered(result, None if a.row in over else a.row, None if a.column in over else a.column)

    def diag(self, a: Lowered) -> Lowered:
        if a.row is not None and a.column is not None:
            return Lowered(rename(a.sum, {a.column: a.row}), a.row, None)
        i = a.row or a.column
        if i is None:
            return a
        j = fresh(i.dim)
        return Lowered(multiply(a.sum, Sum((Term(Fraction(1), (Factor(DELTA, (i, j)),)),))), i, j)

    def entry(self, e: Entry) -> Lowered:
        a = self.visit(e.of)
        if len(e.indices) == 1:
            old = a.row if a.row is not None else a.column
            new = self.bound(e.indices[0])
            return Lowered(rename(a.sum, {old: new} if old else {}), None, a.column if a.row is not None else None)
        pairs = zip((a.row, a.column), e.indices, strict=True)
        return _scalar(rename(a.sum, {old: self.bound(i) for old, i in pairs if old is not None}))

    def bound(self, i: Index) -> Ix:
        return self.indices[str(i.variable)]

    def big_sum(self, e: BigSum) -> Lowered:
        outer = self.indices
        index = fresh(self.shapes.size(e))
        self.indices = {**outer, e.index: index}
        a = self.visit(e.body)
        self.indices = outer
        return Lowered(summed(a.sum, (index,)), a.row, a.column)


def _is_scalar(a: Lowered) -> bool:
    return a.row is None and a.column is None


def _scalar(sum_: Sum) -> Lowered:
    return Lowered(sum_, None, None)


def _diagonal(a: Lowered) -> Sum:
    assert a.row is not None
    assert a.column is not None
    return summed(rename(a.sum, {a.column: a.row}), (a.row,))


def _aligned(a: Lowered, b: Lowered) -> tuple[Ix | None, Ix | None, Sum]:
    """The indices of a broadcast result, and `b` written in them."""
    mapping: dict[Ix, Ix] = {}
    if b.row is not None and a.row is not None:
        mapping[b.row] = a.row
    if b.column is not None and a.column is not None:
        mapping[b.column] = a.column
    return a.row or b.row, a.column or b.column, rename(b.sum, mapping)


def _inverted(a: Lowered) -> Lowered:
    """The inverse; a number in front of a single symbol and a transpose come out of it."""
    if a.row is None or a.column is None:
        return Lowered(to_power(a.sum, Fraction(-1)), None, None)
    t = one_term(a.sum) if len(a.sum.terms) == 1 else None
    order: tuple[Ix, Ix] = (a.row, a.column)
    outside = Fraction(1)
    if t is not None and t.coefficient not in (0, 1):
        outside = 1 / t.coefficient
        a = Lowered(a.sum.scaled(outside), a.row, a.column)
    single = t is not None and len(t.factors) == 1 and not t.dummies
    if t is not None and single and t.factors[0].indices == (a.column, a.row):  # (X^T)^-1 = (X^-1)^T
        order = order[::-1]
    f = of_argument(INVERSE, a.sum, order)
    return Lowered(Sum((Term(outside, (f,)),)), a.row, a.column)


_LOWER: dict[type, Callable[..., Lowered]] = {
    Number: lambda self, e: _scalar(constant(e.value)),
    Symbol: _Lowering.symbol,
    Ones: lambda self, e: Lowered(constant(1), self.frame(e)[0], None),
    Identity: _Lowering.identity,
    Entry: _Lowering.entry,
    Iverson: lambda self, e: _scalar(
        Sum((Term(Fraction(1), (Factor(DELTA, (self.bound(e.left), self.bound(e.right))),)),))
    ),
    Negative: lambda self, e: Lowered((a := self.visit(e.of)).sum.scaled(Fraction(-1)), a.row, a.column),
    Add: _Lowering.add,
    Subtract: _Lowering.add,
    Product: _Lowering.product,
    Transpose: lambda self, e: self.visit(e.of).swapped(),
    Inverse: lambda self, e: _inverted(self.visit(e.of)),
    Power: _Lowering.power,
    Call: _Lowering.call,
    BigSum: _Lowering.big_sum,
}
