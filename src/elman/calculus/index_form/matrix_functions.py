"""Functions of whole matrices as index forms: `MATRIX_FUNCTIONS` has one function for each."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

from elman.calculus.expression import Call
from elman.calculus.index_form.arithmetic import (
    apply,
    as_argument,
    compound,
    minus,
    multiply,
    plus,
    to_power,
    to_symbolic_power,
)
from elman.calculus.index_form.forms import IndexForm
from elman.calculus.index_form.terms import (
    Delta,
    Determinant,
    DimensionSize,
    MatrixFunction,
    OfMatrix,
    OfVector,
    Softmax,
    Sum,
    TensorIndex,
    Term,
    constant,
    fresh,
    is_number,
    only_factor,
    rename,
    single,
    summed,
    value_of,
)
from elman.errors import FormulaError

_MINUS = Fraction(-1)


def _softmax(e: Call, a: IndexForm) -> IndexForm:
    if a.is_scalar:
        return IndexForm(constant(1))
    order = a.axes[::-1] if e.axis == 1 else a.axes  # the sum of the exponentials runs along the first index
    return a._replace(sum=single(compound(Softmax, a.sum, order)))


def _cross_entropy(e: Call, a: IndexForm, b: IndexForm) -> IndexForm:
    """-Σ a ln b."""
    b = b.aligned_with(a)
    return IndexForm(multiply(a.sum.scaled(_MINUS), apply("ln", b.sum), b.axes))


def _trace(e: Call, a: IndexForm) -> IndexForm:
    if a.row is None or a.column is None:
        return IndexForm(a.sum)
    return IndexForm(summed(rename(a.sum, {a.column: a.row}), (a.row,)))


def _det(e: Call, a: IndexForm) -> IndexForm:
    if a.row is None or a.column is None:
        return a
    argument, _ = as_argument(a.sum, (a.row, a.column))
    inner = only_factor(argument)
    if isinstance(inner, MatrixFunction) and inner.name == "power":
        return IndexForm(to_symbolic_power(single(Determinant((), inner.argument)), inner.power))  # det X^k = (det X)^k
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


def _taken_over(e: Call, a: IndexForm) -> tuple[TensorIndex, ...]:
    """The indices that a function runs along: both, or that of its axis."""
    return tuple(i for axis, i in enumerate((a.row, a.column)) if i is not None and e.axis in (None, axis))


def _without(over: tuple[TensorIndex, ...], a: IndexForm, result: Sum) -> IndexForm:
    """The `result` of a function of `a` that runs along some of its indices."""
    return IndexForm(result, None if a.row in over else a.row, None if a.column in over else a.column)


def _sum(e: Call, a: IndexForm) -> IndexForm:
    """The sum of all entries, or down each column (axis 0), or along each row (axis 1)."""
    over = _taken_over(e, a)
    return _without(over, a, summed(a.sum, over))


def _mean(e: Call, a: IndexForm) -> IndexForm:
    """The sum, divided by the sizes of the dimensions that it runs along."""
    total = _sum(e, a)
    shares = tuple(DimensionSize((), i.dim, exponent=Fraction(-1)) for i in a.axes if i not in total.axes)
    return total._replace(sum=Sum(tuple(Term(t.coefficient, t.factors + shares, t.dummies) for t in total.sum.terms)))


def _max(e: Call, a: IndexForm, b: IndexForm) -> IndexForm:
    """c + relu(d - c), where c is the argument that does not vary, else the first."""
    a, b = (b, a) if is_number(b.sum) else (a, b)
    b = b.aligned_with(a)
    return b._replace(sum=plus(a.sum, apply("relu", minus(b.sum, a.sum))))


def _min(e: Call, a: IndexForm, b: IndexForm) -> IndexForm:
    """c - relu(c - d), where c is the argument that does not vary, else the first."""
    a, b = (b, a) if is_number(b.sum) else (a, b)
    b = b.aligned_with(a)
    return b._replace(sum=minus(a.sum, apply("relu", minus(a.sum, b.sum))))


def _clip(e: Call, a: IndexForm, low: IndexForm, high: IndexForm) -> IndexForm:
    """min(max(a, low), high); between two numbers, low + relu(a - low) - relu(a - high)."""
    if is_number(low.sum) and is_number(high.sum) and value_of(low.sum) <= value_of(high.sum):
        above_low, above_high = (apply("relu", minus(a.sum, bound.sum)) for bound in (low, high))
        return a._replace(sum=plus(low.sum, minus(above_low, above_high)))
    return _min(e, _max(e, a, low), high)


def _inner(e: Call, a: IndexForm, b: IndexForm) -> IndexForm:
    """Σ a b over all entries."""
    b = b.aligned_with(a)
    return IndexForm(multiply(a.sum, b.sum, a.axes or b.axes))


def _logsumexp(e: Call, a: IndexForm) -> IndexForm:
    if len(a.axes) == 1:
        return _of_vector("logsumexp", a)
    total = _sum(e, a._replace(sum=apply("exp", a.sum)))
    return total._replace(sum=apply("ln", total.sum))


def _norminf(e: Call, a: IndexForm) -> IndexForm:
    """The largest modulus of the entries of a vector."""
    if a.is_scalar:
        return IndexForm(apply("abs", a.sum))
    if len(a.axes) == 2:
        raise FormulaError("the norm ∞ is read of a vector: of a matrix it has several meanings", e.span[0] + 1)
    return _of_vector("norminf", a)


def _of_vector(name: str, a: IndexForm) -> IndexForm:
    return IndexForm(of_vector(name, a.sum, a.axes[0]))


def of_vector(name: str, sum_: Sum, along: TensorIndex) -> Sum:
    """The function `name` of the vector along an index."""
    argument, (_, *others) = as_argument(sum_, (along,))
    return single(OfVector(tuple(others), argument, name, along.dim))


def _prod(e: Call, a: IndexForm) -> IndexForm:
    """The product of all entries, or down each column (axis 0), or along each row (axis 1)."""
    over, result = _taken_over(e, a), a.sum
    for i in over:
        result = of_vector("prod", result, i)
    return _without(over, a, result)


def _normp(e: Call, a: IndexForm, p: IndexForm) -> IndexForm:
    """(Σ |a|^p)^(1/p)."""
    powers = to_symbolic_power(apply("abs", a.sum), p.sum)
    return IndexForm(to_symbolic_power(summed(powers, a.axes), to_power(p.sum, _MINUS)))


def _norm2(e: Call, a: IndexForm) -> IndexForm:
    """The norm of a vector; of a matrix its largest singular value."""
    return _of_matrix("spectral", a) if len(a.axes) == 2 else _norm(e, a)


def _nuclear(e: Call, a: IndexForm) -> IndexForm:
    """The sum of the singular values; a vector has one, its norm."""
    return _of_matrix("nuclear", a) if len(a.axes) == 2 else _norm(e, a)


def _of_matrix(name: str, a: IndexForm) -> IndexForm:
    assert a.row is not None
    assert a.column is not None
    argument, _ = as_argument(a.sum, (a.row, a.column))
    return IndexForm(single(OfMatrix((), argument, name, a.row.dim, a.column.dim)))


def _of_square(e: Call, a: IndexForm) -> IndexForm:
    """expm, logm."""
    if a.row is None or a.column is None:
        return IndexForm(apply("exp" if e.function == "expm" else "ln", a.sum))
    return a._replace(sum=single(compound(MatrixFunction, a.sum, (a.row, a.column), name=e.function)))


def _singular_vectors(e: Call, a: IndexForm) -> IndexForm:
    """polar, leading."""
    if a.row is None or a.column is None:
        raise FormulaError(f"{e.function} takes a matrix", e.span[0] + 1)
    return a._replace(sum=single(compound(MatrixFunction, a.sum, (a.row, a.column), name=e.function)))


def _pinv(e: Call, a: IndexForm) -> IndexForm:
    """The pseudoinverse: x^T / (x^T x) of a column, and a factor of its own of a matrix."""
    if a.row is None or a.column is None:
        below = summed(to_power(a.sum, Fraction(2)), a.axes)
        return IndexForm(multiply(a.sum, to_power(below, _MINUS)), a.column, a.row)
    factor = compound(MatrixFunction, a.sum, (a.row, a.column), name="pinv")  # its transpose
    return IndexForm(single(factor), a.column, a.row)


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
    "prod": _prod,
    "inner": _inner,
    "logsumexp": _logsumexp,
    "norm2": _norm2,
    "norminf": _norminf,
    "normp": _normp,
    "nuclear": _nuclear,
    "logdet": lambda e, a: IndexForm(apply("ln", _det(e, a).sum)),
    "expm": _of_square,
    "logm": _of_square,
    "pinv": _pinv,
    "polar": _singular_vectors,
    "leading": _singular_vectors,
    "max": _max,
    "min": _min,
    "clip": _clip,
}
