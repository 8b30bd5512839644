"""A formula as an index form, its derivatives, and how far their values are from those of the complex step."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from elman.calculus.expression import (
    BigSum,
    Call,
    Expression,
    Product,
    Symbol,
    Transpose,
    symbols,
    transform,
    walk,
)
from elman.calculus.functions import Array
from elman.calculus.index_form.arithmetic import multiply, plus, with_groups_opened
from elman.calculus.index_form.differentiate import differentiate
from elman.calculus.index_form.layout import LAYOUTS
from elman.calculus.index_form.simplify import simplify
from elman.calculus.index_form.terms import Delta, Sum, TensorIndex, fresh, rename, single
from elman.calculus.index_form.to_index_form import as_atom, to_index_form
from elman.calculus.index_form.value import index_value
from elman.calculus.matrix_form.index_graph import NoMatrixFormError, Notation
from elman.calculus.matrix_form.to_matrix_form import matrix_form
from elman.calculus.matrix_form.transposes import transpose_expression
from elman.calculus.printing.render import text
from elman.calculus.shapes.inference import SCALAR, Shape, Shapes, infer
from elman.calculus.syntax.names import fold
from elman.calculus.values.evaluate import evaluate
from elman.calculus.values.verify import STEP, SamplePoint, points, relative_error
from elman.errors import FormulaError

Frame = tuple[TensorIndex | None, TensorIndex | None]


@dataclass(frozen=True, slots=True)
class Problem:
    """A formula as an index form, with what its derivatives need."""

    formula: Expression
    shapes: Shapes
    sum: Sum
    of: Frame
    distributions: frozenset[str]
    axis: int

    def frame(self, wrt: Symbol) -> Frame:
        """Fresh indices for the rows and the columns of a symbol."""
        rows, columns = self.shapes.symbols[wrt.name]
        return (None if rows == "1" else fresh(rows)), (None if columns == "1" else fresh(columns))

    def differentiated(self, sum_: Sum, wrt: Symbol, by: Frame) -> Sum:
        """The derivative of an index form, simplified."""
        known = [
            _along(as_atom(s, self.shapes.symbols[s.name]), self.axis)
            for s in symbols(self.shapes.tree)
            if s.name in self.distributions
        ]
        atom = as_atom(wrt, self.shapes.symbols[wrt.name])
        result = differentiate(sum_, atom, tuple(i for i in by if i is not None))
        return simplify(_within_structure(result, by, self.structure(wrt)), known)

    def structure(self, wrt: Symbol) -> str:
        """What kind of matrix a symbol is given as: symmetric, diagonal, or "" for any."""
        return next((s.structure for s in symbols(self.shapes.tree) if s == wrt), "")

    def matrix_form(self, result: Sum, by: Frame, order: Frame | None) -> Expression | None:
        """The result as a matrix; None where it has no matrix form."""
        if order is None:
            return None
        try:
            return _as_matrix(result, self.of, by, order, self.shapes, _notation(self.formula))
        except NoMatrixFormError:
            return None

    def used_distributions(self) -> tuple[str, ...]:
        """The symbols of the formula whose columns sum to 1."""
        return tuple(sorted(name for name in self.distributions if name in self.shapes.symbols))

    def points(self) -> Iterator[SamplePoint]:
        """The points at which a result is verified."""
        return points(self.shapes, set(self.distributions), self.axis)


def _within_structure(derivative: Sum, by: Frame, structure: str) -> Sum:
    """The derivative by a matrix among the symmetric or the diagonal ones: (D_pq + D_qp) / 2, D_pq δ_pq."""
    rows, columns = by
    if not structure or rows is None or columns is None:
        return derivative
    if structure == "diagonal":
        return with_groups_opened(multiply(derivative, single(Delta((rows, columns)))))
    swapped = rename(derivative, {rows: columns, columns: rows})
    return plus(derivative, swapped).scaled(Fraction(1, 2))


def slopes_within_structure(slopes: Array, structure: str) -> Array:
    """The same of numbers, the first two axes the rows and the columns of the matrix."""
    if structure == "symmetric":
        return (slopes + slopes.swapaxes(0, 1)) / 2
    if structure == "diagonal":
        return slopes * np.eye(len(slopes)).reshape(*slopes.shape[:2], *(1 for _ in slopes.shape[2:]))
    return slopes


def with_structures(formula: Expression, structures: Mapping[str, str]) -> Expression:
    """The formula with its symbols marked as symmetric or diagonal, by name."""
    folded = {fold(name): structure for name, structure in structures.items()}

    def mark(node: Expression) -> Expression:
        if isinstance(node, Symbol) and fold(node.name) in folded:
            return replace(node, structure=folded[fold(node.name)])
        return node

    return transform(formula, mark) if folded else formula


def problem_of(
    formula: Expression,
    wrt: Sequence[Symbol],
    shapes: Mapping[str, Shape],
    layout: str,
    distributions: Iterable[str] | None,
    axis: int = 0,
) -> Problem:
    """A formula as an index form; `axis` is 1 where the rows of the distributions sum to 1.

    Raises `FormulaError` where it has no index form, or no derivative by one of `wrt`.
    """
    if layout not in LAYOUTS:
        raise FormulaError(f"the layout {layout!r} is not known: write one of {', '.join(LAYOUTS)}")
    for symbol in wrt:
        _check_occurs(formula, symbol)
    found = _with_square_structures(infer(formula, shapes, tuple(wrt)), formula, shapes, tuple(wrt))
    for symbol in wrt:
        if symbol.name in found.sizes:
            raise FormulaError(
                f"{text(symbol)} is a size of this formula: a derivative is by a quantity, not by a size"
            )
    _check_outer_products(found)
    given = frozenset(_first_of_cross_entropies(formula) if distributions is None else distributions)
    index_form = to_index_form(found)
    return Problem(formula, found, simplify(index_form.sum), (index_form.row, index_form.column), given, axis)


def _with_square_structures(
    found: Shapes, formula: Expression, shapes: Mapping[str, Shape], wrt: tuple[Symbol, ...]
) -> Shapes:
    """The shapes where symmetric and diagonal matrices are square."""
    square = dict(shapes)
    for s in sorted((s for s in symbols(found.tree) if s.structure), key=lambda s: s.name):
        rows, columns = found.symbols[s.name]
        if rows != columns and s.name not in found.assumed:
            raise FormulaError(f"{text(s)} is [{rows},{columns}], and a {s.structure} matrix is square")
        size = columns if rows == "1" else rows
        square[s.name] = (size, size)
    return infer(formula, square, wrt) if square != dict(shapes) else found


def _along(atom: Expression, axis: int) -> Expression:
    """A distribution as `simplify` takes it: the transpose of one whose rows sum to 1."""
    return Transpose(atom) if axis == 1 and isinstance(atom, Symbol) else atom


def result_axes(order: Frame | None, *frames: Frame) -> tuple[TensorIndex | None, ...]:
    """The axes of a result: rows and columns of a matrix form, or else all indices."""
    return order if order is not None else tuple(i for frame in frames for i in frame if i is not None)


def result_shape(axes: tuple[TensorIndex | None, ...]) -> tuple[str, ...]:
    """The names of the dimensions along the axes of a result."""
    return tuple("1" if i is None else i.dim for i in axes)


def error_at(
    expression: Expression | None, result: Sum, axes: tuple[TensorIndex | None, ...], point: SamplePoint, true: Array
) -> float:
    """How far the value of a result is from the true one, relative to the largest entry."""
    with np.errstate(all="ignore"):
        value = value_at(expression, result, axes, point)
    if value.size == 1:
        value = np.broadcast_to(value, true.shape)
    if value.shape == true.shape and not np.isfinite(value).all():
        raise FormulaError("this derivative has no finite value at random points")
    return relative_error(value, true)


def slopes_of_index_form(
    sum_: Sum,
    of: tuple[TensorIndex, ...],
    wrt: Symbol,
    by: Frame,
    point: SamplePoint,
    axes: tuple[TensorIndex | None, ...],
    structure: str,
) -> Array:
    """The derivative of an index form by complex step, with the axes `axes`; `structure` is that of `wrt`."""
    x = point.values[wrt]
    slopes = []
    for k in range(x.size):
        step = np.zeros(x.size, complex)
        step[k] = 1j * STEP
        moved = {**point.values, wrt: x + step.reshape(x.shape)}
        with np.errstate(all="ignore"):
            slopes.append(index_value(sum_, of, moved.__getitem__, point.sizes).imag / STEP)
    jacobian = slopes_within_structure(np.array(slopes).reshape(*x.shape, *slopes[0].shape), structure)
    return arranged(jacobian, of, by, axes)


def _as_matrix(result: Sum, of: Frame, by: Frame, order: Frame, shapes: Shapes, notation: Notation) -> Expression:
    """The matrix form; the gradient of a scalar in numerator layout is the transpose of that in denominator layout."""

    def shape(e: Expression) -> Shape:
        return shape_of(shapes, e)

    if of == (None, None) and order == by[::-1] != by:
        return transpose_expression(matrix_form(result, *by, shape, notation), lambda e: shape(e) == SCALAR)
    return matrix_form(result, *order, shape, notation)


def value_at(
    expression: Expression | None, result: Sum, axes: tuple[TensorIndex | None, ...], point: SamplePoint
) -> Array:
    """The value of a result at a point, from its matrix form if it has one, else from its index form."""
    if expression is not None:
        return evaluate(expression, point.scope())
    return index_value(result, tuple(i for i in axes if i is not None), lambda s: point.values[s], point.sizes)


def arranged(
    jacobian: Array, of: tuple[TensorIndex | None, ...], by: Frame, axes: tuple[TensorIndex | None, ...]
) -> Array:
    """The complex step's [rows and columns of wrt, axes of f] in the axes of the result; None is an axis of 1."""
    labels = (*by, *of)
    kept = [k for k, i in enumerate(labels) if i is not None]
    dense = jacobian.reshape([jacobian.shape[k] for k in kept])
    names = [labels[k] for k in kept]
    wanted = [i for i in axes if i is not None]
    dense = dense.transpose([names.index(i) for i in wanted])
    return dense.reshape([1 if i is None else dense.shape[wanted.index(i)] for i in axes])


def shape_of(shapes: Shapes, e: Expression) -> Shape:
    """The shape of an expression in the symbols and the dimensions of a formula."""
    sizes = dict.fromkeys(shapes.dimensions(), SCALAR)
    found = infer(e, {**sizes, **shapes.symbols})
    return found.of(found.tree)


def _notation(formula: Expression) -> Notation:
    called = {node.function for node in walk(formula) if isinstance(node, Call)}
    has_sum = bool(called & {"sum", "mean"}) or any(isinstance(node, BigSum) for node in walk(formula))
    return Notation(bool(called & {"norm", "norm2"}), has_sum)


def _first_of_cross_entropies(formula: Expression) -> set[str]:
    calls = [node for node in walk(formula) if isinstance(node, Call) and node.function == "cross_entropy"]
    return {c.arguments[0].name for c in calls if isinstance(c.arguments[0], Symbol)}


def _check_outer_products(found: Shapes) -> None:
    """Refuses A ⊗ X of letters that mean matrices: only as an outer product of columns is ⊗ known here."""
    for node in walk(found.tree):
        if not (isinstance(node, Product) and node.operator == "⊗"):
            continue
        for s in sorted(symbols(node), key=lambda s: s.name):
            if s.name in found.assumed and s.name[0].isupper() and "1" in found.symbols[s.name]:
                raise FormulaError(
                    f"⊗ of the matrix {text(s)} is a Kronecker product, which is not differentiated: if {text(s)} is a "
                    f"column, say its shape",
                    node.span[0] + 1,
                )


def _check_occurs(formula: Expression, wrt: Symbol) -> None:
    there = symbols(formula)
    if wrt in there:
        return
    times = sorted(str(s.time) for s in there if s.name == wrt.name and s.time is not None)
    if times:
        raise FormulaError(
            f"{wrt.name} occurs here at the times {', '.join(times)}: write one, as in {wrt.name}^({times[0]})"
        )
    raise FormulaError(
        f"{text(wrt)} does not occur in this formula; there are {', '.join(sorted(text(s) for s in there))}"
    )
