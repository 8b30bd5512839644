"""Functions of whole matrices as index forms: `MATRIX_FUNCTIONS` has one function for each."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

from elman.calculus.expression import Call
from elman.calculus.index_form.arithmetic import apply, as_argument, compound, multiply, to_power
from elman.calculus.index_form.forms import IndexForm
from elman.calculus.index_form.terms import (
    Delta,
    Determinant,
    DimensionSize,
    Softmax,
    Sum,
    Term,
    constant,
    fresh,
    is_number,
    rename,
    single,
    summed,
    value_of,
)

_MINUS = Fraction(-1)


def _softmax(e: Call, a: IndexForm) -> IndexForm:
    if a.is_scalar:
        return IndexForm(constant(1))
    order = a.axes[::-1] if e.axis == 1 else a.axes  # the sum of the exponentials runs along the first index
    return a._replace(sum=single(compound(Softmax, a.sum, order)))


def _cross_entropy(e: Call, a: IndexForm, b: IndexForm) -> IndexForm:
    """-Σ a ln b."""
    b = b.aligned_with(a)
    return IndexForm(multiply(a.sum.scaled(Fraction(-1)), apply("ln", b.sum), b.axes))


def _trace(e: Call, a: IndexForm) -> IndexForm:
    if a.row is None or a.column is None:
        return IndexForm(a.sum)
    return IndexForm(summed(rename(a.sum, {a.column: a.row}), (a.row,)))


def _det(e: Call, a: IndexForm) -> IndexForm:
    if a.row is None or a.column is None:
        return a
    argument, _ = as_argument(a.sum, (a.row, a.column))
    return IndexForm(single(Determinant((), argument)))


def _diag(e: Call, a: IndexForm) -> IndexForm:
    """The diagonal of a matrix as a column, or the matrix with a vector on its diagonal."""
    if a.row is not None and a.column is not None:
        return IndexForm(rename(a.sum, {a.column: a.row}), a.row)
    if a.is_scalar:
        return a
    (i,) = a.axes
    j = fresh(i.dim)
    return IndexForm(multiply(a.sum, single(Delta((i, j)))), i, j)


def _norm(e: Call, a: IndexForm) -> IndexForm:
    """The square root of Σ a^2."""
    return IndexForm(to_power(summed(to_power(a.sum, Fraction(2)), a.axes), Fraction(1, 2)))


def _norm1(e: Call, a: IndexForm) -> IndexForm:
    """Σ |a|."""
    return IndexForm(summed(apply("abs", a.sum), a.axes))


def _sum(e: Call, a: IndexForm) -> IndexForm:
    """The sum of all entries, or down each column (axis 0), or along each row (axis 1)."""
    over = a.axes if e.axis is None else tuple(i for i in ((a.row, a.column)[e.axis],) if i is not None)
    return IndexForm(summed(a.sum, over), None if a.row in over else a.row, None if a.column in over else a.column)


def _mean(e: Call, a: IndexForm) -> IndexForm:
    """The sum, divided by the sizes of the dimensions that it runs along."""
    total = _sum(e, a)
    shares = tuple(DimensionSize((), i.dim, exponent=Fraction(-1)) for i in a.axes if i not in total.axes)
    return total._replace(sum=Sum(tuple(Term(t.coefficient, t.factors + shares, t.dummies) for t in total.sum.terms)))


def _max(e: Call, a: IndexForm, b: IndexForm) -> IndexForm:
    """c + relu(d - c), where c is the argument that does not vary, else the first."""
    a, b = (b, a) if is_number(b.sum) else (a, b)
    b = b.aligned_with(a)
    return b._replace(sum=_sum_of(a.sum, apply("relu", _sum_of(b.sum, a.sum.scaled(_MINUS)))))


def _min(e: Call, a: IndexForm, b: IndexForm) -> IndexForm:
    """c - relu(c - d), where c is the argument that does not vary, else the first."""
    a, b = (b, a) if is_number(b.sum) else (a, b)
    b = b.aligned_with(a)
    return b._replace(sum=_sum_of(a.sum, apply("relu", _sum_of(a.sum, b.sum.scaled(_MINUS))).scaled(_MINUS)))


def _clip(e: Call, a: IndexForm, low: IndexForm, high: IndexForm) -> IndexForm:
    """min(max(a, low), high); between two numbers, low + relu(a - low) - relu(a - high)."""
    if is_number(low.sum) and is_number(high.sum) and value_of(low.sum) <= value_of(high.sum):
        bends = [apply("relu", _sum_of(a.sum, bound.sum.scaled(_MINUS))) for bound in (low, high)]
        return a._replace(sum=_sum_of(low.sum, _sum_of(bends[0], bends[1].scaled(_MINUS))))
    return _min(e, _max(e, a, low), high)


def _sum_of(a: Sum, b: Sum) -> Sum:
    return Sum(a.terms + rename(b, {}).terms)


MATRIX_FUNCTIONS: dict[str, Callable[..., IndexForm]] = {
    "softmax": _softmax,
    "cross_entropy": _cross_entropy,
    "trace": _trace,
    "det": _det,
    "diag": _diag,
    "norm": _norm,
    "norm1": _norm1,
    "sum": _sum,
    "mean": _mean,
    "max": _max,
    "min": _min,
    "clip": _clip,
}
