"""From an expression to its index form.

A matrix product is a sum over a shared index, and a transpose swaps the index of the rows with that of the columns: for
example, x^T A becomes Σ_i x_i A_ij with no row index and the column index j.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from elman.calculus.expression import (
    Add,
    BigProduct,
    BigSum,
    Call,
    Cases,
    Comparison,
    Constant,
    Entry,
    Expression,
    Identity,
    Index,
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
    walk,
)
from elman.calculus.functions import ELEMENTWISE
from elman.calculus.index_form.arithmetic import (
    apply,
    apply_written_derivative,
    compound,
    multiply,
    to_power,
    to_symbolic_power,
    with_groups_opened,
)
from elman.calculus.index_form.conditions import first_that_holds, indices_compared, values_compared
from elman.calculus.index_form.forms import IndexForm, inverse_of, matrix_product
from elman.calculus.index_form.matrix_functions import MATRIX_FUNCTIONS, of_vector
from elman.calculus.index_form.simplify import simplify
from elman.calculus.index_form.terms import (
    Delta,
    DimensionSize,
    MatrixFunction,
    NamedConstant,
    Sum,
    SymbolEntry,
    TensorIndex,
    constant,
    fresh,
    rename,
    single,
    summed,
)
from elman.calculus.shapes.inference import Shape, Shapes
from elman.calculus.syntax.names import fold
from elman.errors import FormulaError

_MAX_POWER = 8


def _whole(exponent: Expression) -> int | None:
    """The value of a whole number such as 3 or -2; None for any other exponent."""
    if isinstance(exponent, Negative):
        of = _whole(exponent.of)
        return None if of is None else -of
    if isinstance(exponent, Number) and exponent.value.denominator == 1:
        return int(exponent.value)
    return None


def to_index_form(shapes: Shapes) -> IndexForm:
    """The index form of `shapes.tree`; `FormulaError` for what has none, such as a power of more than 8 matrices."""
    return _Converter(shapes).convert(shapes.tree)


def as_atom(s: Symbol, shape: Shape) -> Expression:
    """A symbol as a column or a matrix: the transpose of a row, anything else as it is."""
    return Transpose(s) if shape[0] == "1" != shape[1] else s


@dataclass
class _Converter:
    """Converts expressions; `bound` are the indices of the sums around."""

    shapes: Shapes
    bound: Mapping[str, TensorIndex] = field(default_factory=dict)

    def convert(self, e: Expression) -> IndexForm:
        rule = _NODES.get(type(e))
        if rule is None:
            what = _WITHOUT.get(type(e), "this")
            raise FormulaError(f"{what} is not differentiated: write it with sums and functions", e.span[0] + 1)
        return rule(self, e)

    def axes_of(self, e: Expression) -> tuple[TensorIndex | None, TensorIndex | None]:
        """Fresh indices for the rows and the columns of a node."""
        rows, columns = self.shapes.of(e)
        return (None if rows == "1" else fresh(rows)), (None if columns == "1" else fresh(columns))

    # --- one method a node ---

    def number(self, e: Number) -> IndexForm:
        return IndexForm(constant(e.value))

    def constant(self, e: Constant) -> IndexForm:
        return IndexForm(single(NamedConstant((), e.name)))

    def symbol(self, e: Symbol) -> IndexForm:
        if e.name in self.shapes.sizes:
            return IndexForm(single(DimensionSize((), fold(e.name))))
        row, column = self.axes_of(e)
        indices = tuple(i for i in (row, column) if i is not None)
        return IndexForm(single(SymbolEntry(indices, as_atom(e, self.shapes.of(e)))), row, column)

    def ones(self, e: Ones) -> IndexForm:
        return IndexForm(constant(1), self.axes_of(e)[0])

    def identity(self, e: Expression) -> IndexForm:
        row, column = self.axes_of(e)
        if row is None or column is None:
            return IndexForm(constant(1))
        return IndexForm(single(Delta((row, column))), row, column)

    def entry(self, e: Entry) -> IndexForm:
        a = self.convert(e.of)
        if e.column:
            renamed = rename(a.sum, {a.column: self.bound_index(e.indices[0])} if a.column else {})
            return IndexForm(renamed, a.row)
        if len(e.indices) == 1:
            old = a.row or a.column
            renamed = rename(a.sum, {old: self.bound_index(e.indices[0])} if old else {})
            return IndexForm(renamed, None, a.column if a.row is not None else None)
        pairs = zip((a.row, a.column), e.indices, strict=True)
        return IndexForm(rename(a.sum, {old: self.bound_index(i) for old, i in pairs if old is not None}))

    def iverson(self, e: Iverson) -> IndexForm:
        return IndexForm(indices_compared(e.operator, self.bound_index(e.left), self.bound_index(e.right)))

    def comparison(self, e: Comparison) -> IndexForm:
        a, b = self.convert(e.left), self.convert(e.right)
        b = b.aligned_with(a)
        return b._replace(sum=values_compared(e.operator, a.sum, b.sum))

    def cases(self, e: Cases) -> IndexForm:
        return first_that_holds([self.convert(v) for v in e.values], [self.convert(c) for c in e.conditions])

    def bound_index(self, i: Index) -> TensorIndex:
        return self.bound[str(i.variable)]

    def negative(self, e: Negative) -> IndexForm:
        a = self.convert(e.of)
        return a._replace(sum=a.sum.scaled(Fraction(-1)))

    def add(self, e: Add | Subtract) -> IndexForm:
        a = self.convert(e.left)
        b = self.convert(e.right).aligned_with(a)
        sign = Fraction(-1 if isinstance(e, Subtract) else 1)
        return b._replace(sum=Sum(a.sum.terms + b.sum.scaled(sign).terms))

    def product(self, e: Product) -> IndexForm:
        a, b = self.convert(e.left), self.convert(e.right)
        if e.operator == "⊗" and a.column is None and b.column is None:
            return IndexForm(multiply(a.sum, b.sum), a.row, b.row)
        if e.operator in ("", "·") and not (a.is_scalar or b.is_scalar):
            return matrix_product(a, b)
        b = b.aligned_with(a)
        second = to_power(b.sum, Fraction(-1)) if e.operator == "/" else b.sum
        return b._replace(sum=multiply(a.sum, second))

    def transpose(self, e: Transpose) -> IndexForm:
        return self.convert(e.of).transposed()

    def inverse(self, e: Inverse) -> IndexForm:
        return inverse_of(self.convert(e.of))

    def power(self, e: Power) -> IndexForm:
        if self.shapes.is_matrix_power(e):
            return self.matrix_power(e)
        a = self.convert(e.of)
        if isinstance(e.exponent, Number):
            return a._replace(sum=to_power(a.sum, e.exponent.value))
        exponent = self.convert(e.exponent)
        if isinstance(e.of, Constant) and e.of.name == "e":
            return exponent._replace(sum=apply("exp", exponent.sum))
        if not exponent.is_scalar and not a.is_scalar:
            exponent = exponent.aligned_with(a)
        return (exponent if a.is_scalar else a)._replace(sum=to_symbolic_power(a.sum, exponent.sum))

    def matrix_power(self, e: Power) -> IndexForm:
        times = _whole(e.exponent)
        if times is None or abs(times) > _MAX_POWER:
            a = self.convert(e.of)
            assert a.row is not None
            assert a.column is not None
            exponent = simplify(self.convert(e.exponent).sum)
            factor = compound(MatrixFunction, a.sum, (a.row, a.column), name="power", power=exponent)
            return a._replace(sum=single(factor))
        if times == 0:
            return self.identity(e)
        factors = [self.convert(e.of) for _ in range(abs(times))]
        result, *rest = [inverse_of(a) for a in factors] if times < 0 else factors
        for a in rest:
            result = matrix_product(result, a)
        return result

    def call(self, e: Call) -> IndexForm:
        if e.primes > 1 or (e.primes and e.function not in ELEMENTWISE):
            raise FormulaError("only the first derivative of an elementwise function is read", e.span[0] + 1)
        if e.function in ELEMENTWISE:
            a = self.convert(e.arguments[0])
            applied = apply_written_derivative if e.primes else apply
            return a._replace(sum=applied(e.function, a.sum))
        return MATRIX_FUNCTIONS[e.function](e, *(self.convert(argument) for argument in e.arguments))

    def big_sum(self, e: BigSum) -> IndexForm:
        outer = self.bound
        index = fresh(self.shapes.size(e))
        self.bound = {**outer, e.index: index}
        a = self.convert(e.body)
        self.bound = outer
        if any(isinstance(node, Iverson) and node.operator != "=" for node in walk(e.body)):
            a = a._replace(sum=with_groups_opened(a.sum))  # Σ_(i≠j) is Σ without what has i = j
        return a._replace(sum=summed(a.sum, (index,)))

    def big_product(self, e: BigProduct) -> IndexForm:
        outer = self.bound
        index = fresh(self.shapes.size(e))
        self.bound = {**outer, e.index: index}
        a = self.convert(e.body)
        self.bound = outer
        return a._replace(sum=of_vector("prod", a.sum, index))


# A node that has no entries as sums of products → how it is called.
_WITHOUT: dict[type[Expression], str] = {Matrix: "a matrix by its entries", Pattern: "a matrix by its entries"}

_NODES: dict[type[Expression], Callable[[_Converter, Any], IndexForm]] = {
    Number: _Converter.number,
    Constant: _Converter.constant,
    Symbol: _Converter.symbol,
    Ones: _Converter.ones,
    Identity: _Converter.identity,
    Entry: _Converter.entry,
    Iverson: _Converter.iverson,
    Comparison: _Converter.comparison,
    Cases: _Converter.cases,
    BigProduct: _Converter.big_product,
    Negative: _Converter.negative,
    Add: _Converter.add,
    Subtract: _Converter.add,
    Product: _Converter.product,
    Transpose: _Converter.transpose,
    Inverse: _Converter.inverse,
    Power: _Converter.power,
    Call: _Converter.call,
    BigSum: _Converter.big_sum,
}
