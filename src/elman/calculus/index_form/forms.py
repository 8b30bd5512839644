"""An index form with the index of its rows and that of its columns: products and inverses of such forms."""

from __future__ import annotations

from fractions import Fraction
from typing import NamedTuple

from elman.calculus.index_form.arithmetic import compound, multiply, to_power
from elman.calculus.index_form.terms import InverseEntry, Sum, TensorIndex, Term, rename


class IndexForm(NamedTuple):
    """A sum with the index of its rows and that of its columns, None along a dimension of 1."""

    sum: Sum
    row: TensorIndex | None = None
    column: TensorIndex | None = None

    @property
    def is_scalar(self) -> bool:
        """Whether it has no free index."""
        return self.row is None and self.column is None

    @property
    def axes(self) -> tuple[TensorIndex, ...]:
        """The indices that it has, that of the rows first."""
        return tuple(i for i in (self.row, self.column) if i is not None)

    def transposed(self) -> IndexForm:
        """The transpose."""
        return IndexForm(self.sum, self.column, self.row)

    def aligned_with(self, other: IndexForm) -> IndexForm:
        """The same form in the indices of `other`, where both have them."""
        mapping = {a: b for a, b in ((self.row, other.row), (self.column, other.column)) if a is not None and b}
        return IndexForm(rename(self.sum, mapping), other.row or self.row, other.column or self.column)


def matrix_product(a: IndexForm, b: IndexForm) -> IndexForm:
    """Σ_k a_ik b_kj; where one of them is a row or a column of one entry, the product of their entries."""
    if a.column is None or b.row is None:
        return IndexForm(multiply(a.sum, b.sum), a.row, b.column)
    right = rename(b.sum, {b.row: a.column})
    return IndexForm(multiply(a.sum, right, (a.column,)), a.row, b.column)


def inverse_of(a: IndexForm) -> IndexForm:
    """The inverse; a number in front of a matrix, and the transpose of a single symbol, are taken out of it."""
    if a.row is None or a.column is None:
        return IndexForm(to_power(a.sum, Fraction(-1)))
    order, outside = (a.row, a.column), Fraction(1)
    argument = a.sum
    if len(argument.terms) == 1:
        (t,) = argument.terms
        if t.coefficient not in (0, 1):
            outside = 1 / t.coefficient
            argument = argument.scaled(outside)
        if len(t.factors) == 1 and not t.dummies and t.factors[0].indices == (a.column, a.row):
            order = (a.column, a.row)  # (X^T)^-1 = (X^-1)^T
    return IndexForm(Sum((Term(outside, (compound(InverseEntry, argument, order),)),)), a.row, a.column)
