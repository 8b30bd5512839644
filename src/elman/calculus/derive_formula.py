"""`derive`: a formula and a symbol → the derivative in a layout, simplified and verified, in every form of print."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from elman.calculus.conventions import conventions
from elman.calculus.expression import BigSum, Call, Expression, Symbol, Transpose, symbols, walk
from elman.calculus.functions import Array
from elman.calculus.index_form.differentiate import differentiate
from elman.calculus.index_form.layout import LAYOUTS, arrange
from elman.calculus.index_form.simplify import simplify
from elman.calculus.index_form.terms import Sum, TensorIndex, fresh
from elman.calculus.index_form.to_index_form import as_atom, to_index_form
from elman.calculus.index_form.value import index_value
from elman.calculus.matrix_form.index_graph import NoMatrixFormError, Notation
from elman.calculus.matrix_form.to_matrix_form import matrix_form
from elman.calculus.matrix_form.transposes import transpose_expression
from elman.calculus.printing.index_text import index_text
from elman.calculus.printing.python import python
from elman.calculus.printing.render import latex, text
from elman.calculus.shapes.inference import SCALAR, Shape, Shapes, declared, infer, other_readings
from elman.calculus.syntax.names import GREEK, GREEK_LETTERS, Names, canonical, fold
from elman.calculus.syntax.parse import parse
from elman.calculus.syntax.single_formula import parse_formula
from elman.calculus.syntax.written_sizes import is_number, is_written
from elman.calculus.values.evaluate import evaluate
from elman.calculus.values.verify import SamplePoint, complex_step, points, relative_error
from elman.errors import DerivationError, FormulaError

TOLERANCE = 1e-8
Frame = tuple[TensorIndex | None, TensorIndex | None]


@dataclass(frozen=True)
class Derived:
    """A derivative: `expression` is its matrix form, or None if it has only an index form.

    `shape` are the names of its dimensions: two for a matrix form, else one for each index. `shapes` are the shapes of
    the formula's symbols, `assumed` those that were not declared, `distributions` the symbols whose columns sum to
    1. `error` is the largest difference from the complex step, relative to the largest entry (or to 0.001 where
    all are smaller), over `points` random points.
    """

    source: Expression
    wrt: Symbol
    layout: str
    expression: Expression | None
    shape: tuple[str, ...]
    shapes: Shapes
    distributions: tuple[str, ...]
    error: float
    points: int
    _declared: Mapping[str, Shape]
    _index: Sum
    _of: Frame
    _by: Frame

    @property
    def assumed(self) -> Mapping[str, Shape]:
        """The shapes that follow from the usual convention and from what fits."""
        return self.shapes.assumed

    @property
    def assumptions(self) -> tuple[str, ...]:
        """The same in words: "b is a number", "x is a column of n"."""
        return tuple(self.shapes.words(name, text(Symbol(name))) for name in self.assumed)

    @cached_property
    def other_reading(self) -> tuple[str, Derived] | None:
        """Another usual reading that has another derivative, with what it takes the letters for; None if there is
        none.
        """
        for shapes in other_readings(self.source, self._declared, (self.wrt,)):
            known = {**self._declared, **shapes.symbols}
            changed = [n for n, s in shapes.symbols.items() if _kind(s) != _kind(self.shapes.symbols[n])]
            if any(_kind(shapes.symbols[n]) == (True, False) for n in changed):
                continue  # rows are seldom meant
            try:
                other = derivative(self.source, self.wrt, known, self.layout, self.distributions)
            except (FormulaError, DerivationError):
                continue
            if other.text != self.text:
                return _listed([shapes.words(name, text(Symbol(name))) for name in changed]), other
        return None

    @cached_property
    def conventions(self) -> tuple[str, ...]:
        """What it takes for granted, in sentences: which derivative a function has where it has none."""
        return conventions(self.source)

    @cached_property
    def text(self) -> str:
        """The derivative as Unicode text: `2 A^T (A x - b)`, or its index form."""
        return self.index if self.expression is None else text(self.expression)

    @cached_property
    def latex(self) -> str:
        """The derivative as LaTeX."""
        return _index_latex(self.index) if self.expression is None else latex(self.expression)

    @cached_property
    def numpy(self) -> str:
        """The derivative as NumPy code on arrays [m,n]; empty where it has no matrix form."""
        if self.expression is None:
            return ""
        return python(self.expression, lambda e: _shape_of(self.shapes, e))

    @cached_property
    def index(self) -> str:
        """The index form: `∂f_i/∂X_{jk} = …`, repeated indices summed as written."""
        above = [i for i in self._of if i is not None]
        below = [i for i in self._by if i is not None]
        taken = {s.name for s in symbols(self.source)}
        letters = [c for c in ("i", "j", "k", "l", "u", "v", "w") if c not in taken]
        names = dict(zip([*above, *below], letters, strict=False))
        left = "f" + _script([names[i] for i in above])
        name = text(self.wrt)
        right = (f"{{{name}}}" if "_" in name and below else name) + _script([names[i] for i in below])
        return f"∂{left}/∂{right} = {index_text(self._index, names, taken)}"

    def evaluate(self, values: Mapping[str, Any]) -> Array:
        """The value of the derivative, from a value of every symbol ("h^(t-1)" at a time step): [m,n], or an axis for
        each index.

        A number is a scalar, a vector a column. Raises `FormulaError` for a symbol without value and for shapes that do
        not fit.
        """
        point = point_of(self.shapes, values)
        if self.expression is not None:
            return np.array(np.broadcast_to(evaluate(self.expression, point.scope()), self._sizes(point)))
        return _value(None, self._index, (*self._of, *self._by), point)

    def _sizes(self, point: SamplePoint) -> tuple[int, ...]:
        return tuple(int(d) if is_number(d) else point.sizes[d] for d in self.shape)

    def json(self) -> dict[str, Any]:
        """The derivative and its verification for machines."""
        return {
            "formula": text(self.source),
            "wrt": text(self.wrt),
            "layout": self.layout,
            "form": "index" if self.expression is None else "matrix",
            "shape": list(self.shape),
            "text": self.text,
            "latex": self.latex,
            "numpy": self.numpy,
            "index": self.index,
            "shapes": {name: list(shape) for name, shape in self.shapes.symbols.items()},
            "assumed": sorted(self.assumed),
            "assumptions": list(self.assumptions),
            "other_reading": self._other_json(),
            "distributions": list(self.distributions),
            "conventions": list(self.conventions),
            "verification": {"method": "complex step", "points": self.points, "largest_relative_error": self.error},
        }

    def _other_json(self) -> dict[str, str] | None:
        if self.other_reading is None:
            return None
        assumption, other = self.other_reading
        return {"assumption": assumption, "text": other.text, "latex": other.latex}


def derive(
    formula: str | Expression,
    wrt: str | Symbol,
    layout: str = "denominator",
    shapes: Mapping[str, str | tuple[object, ...]] | None = None,
    form: str = "auto",
    distributions: Iterable[str] | None = None,
    strict: bool = False,
) -> Derived:
    """∂formula/∂wrt, in the `layout` denominator, numerator or shape, with its verification.

    `formula` is LaTeX or the Python-like form (`form`: latex, python, auto). `shapes` are the known shapes of its
    symbols ({"X": "m,n", "c": "1"}); one table may serve several formulas, unless `strict`, which refuses a shape for
    a name that the formula does not have. The columns of `distributions` are taken to sum to 1: by default those of
    the first argument of a cross-entropy.

    Raises `FormulaError`, with its column, for a formula that cannot be parsed, whose shapes do not fit or that has no
    derivative here; `DerivationError` if the result fails its check.
    """
    known = declared(shapes)
    symbol = _symbol(wrt, known, form)
    if isinstance(formula, str):
        timed = [symbol.name] if symbol.time is not None else []
        formula = parse_formula(formula, Names.of({symbol.name, *known}, timed), form)
    if strict:
        _check_shapes_are_used(formula, known)
    return derivative(formula, symbol, known, layout, distributions)


def derivative(
    formula: Expression,
    wrt: Symbol,
    shapes: Mapping[str, Shape],
    layout: str = "denominator",
    distributions: Iterable[str] | None = None,
    axis: int = 0,
) -> Derived:
    """`derive` for a parsed expression; where `axis` is 1, the rows of the `distributions` sum to 1."""
    try:
        return _derivative(formula, wrt, shapes, layout, distributions, axis)
    except RecursionError:
        raise FormulaError("this derivative nests too deep to be written: name the parts of the formula") from None


def _derivative(
    formula: Expression,
    wrt: Symbol,
    shapes: Mapping[str, Shape],
    layout: str,
    distributions: Iterable[str] | None,
    axis: int,
) -> Derived:
    if layout not in LAYOUTS:
        raise FormulaError(f"the layout {layout!r} is not known: write one of {', '.join(LAYOUTS)}")
    _check_occurs(formula, wrt)
    found = infer(formula, shapes, (wrt,))
    if wrt.name in found.sizes:
        raise FormulaError(f"{text(wrt)} is a size of this formula: a derivative is by a quantity, not by a size")
    given = set(_first_of_cross_entropies(formula) if distributions is None else distributions)
    index_form = to_index_form(found)
    shape = found.symbols[wrt.name]
    by: Frame = (None if shape[0] == "1" else fresh(shape[0])), (None if shape[1] == "1" else fresh(shape[1]))
    of: Frame = (index_form.row, index_form.column)
    atoms = [_along(as_atom(s, found.symbols[s.name]), axis) for s in symbols(found.tree) if s.name in given]
    result = differentiate(simplify(index_form.sum), as_atom(wrt, shape), tuple(i for i in by if i is not None))
    result = simplify(result, atoms)
    order = arrange(of, by, layout)
    expression = None
    if order is not None:
        try:
            expression = _as_matrix(result, of, by, order, found, _notation(formula))
        except NoMatrixFormError:
            order = None
    axes = order if order is not None else tuple(i for i in (*of, *by) if i is not None)
    dims = tuple("1" if i is None else i.dim for i in axes)
    error, checked = 0.0, 0
    for point in points(found, given, axis):
        checked += 1
        true = _arranged(complex_step(found, wrt, point), of, by, axes)
        with np.errstate(all="ignore"):
            value = _value(expression, result, axes, point)
        if value.size == 1:
            value = np.broadcast_to(value, true.shape)
        if value.shape == true.shape and not np.isfinite(value).all():
            raise FormulaError("this derivative has no finite value at random points")
        error = max(error, relative_error(value, true))
    if not error <= TOLERANCE:
        shown = text(expression) if expression is not None else "its index form"
        raise DerivationError(
            f"the derivative of {text(formula)} by {text(wrt)} failed its check ({shown}): please report it"
        )
    used = tuple(sorted(name for name in given if name in found.symbols))
    return Derived(formula, wrt, layout, expression, dims, found, used, error, checked, shapes, result, of, by)


def _along(atom: Expression, axis: int) -> Expression:
    """A distribution as `simplify` takes it: the transpose of one whose rows sum to 1."""
    return Transpose(atom) if axis == 1 and isinstance(atom, Symbol) else atom


def _as_matrix(result: Sum, of: Frame, by: Frame, order: Frame, shapes: Shapes, notation: Notation) -> Expression:
    """The matrix form; the gradient of a scalar in numerator layout is the transpose of that in denominator layout."""

    def shape_of(e: Expression) -> Shape:
        return _shape_of(shapes, e)

    if of == (None, None) and order == by[::-1] != by:
        return transpose_expression(matrix_form(result, *by, shape_of, notation), lambda e: shape_of(e) == SCALAR)
    return matrix_form(result, *order, shape_of, notation)


def _value(
    expression: Expression | None, result: Sum, axes: tuple[TensorIndex | None, ...], point: SamplePoint
) -> Array:
    """The value of a result at a point, from its matrix form if it has one, else from its index form."""
    if expression is not None:
        return evaluate(expression, point.scope())
    return index_value(result, tuple(i for i in axes if i is not None), lambda s: point.values[s], point.sizes)


def _arranged(jacobian: Array, of: Frame, by: Frame, axes: tuple[TensorIndex | None, ...]) -> Array:
    """The complex step's [rows, columns of wrt, rows, columns of f] in the axes of the result; None is an axis of 1."""
    labels = (*by, *of)
    kept = [k for k, i in enumerate(labels) if i is not None]
    dense = jacobian.reshape([jacobian.shape[k] for k in kept])
    names = [labels[k] for k in kept]
    wanted = [i for i in axes if i is not None]
    dense = dense.transpose([names.index(i) for i in wanted])
    return dense.reshape([1 if i is None else dense.shape[wanted.index(i)] for i in axes])


def _shape_of(shapes: Shapes, e: Expression) -> Shape:
    """The shape of an expression in the symbols and the dimensions of a formula."""
    sizes = dict.fromkeys(shapes.dimensions(), SCALAR)
    found = infer(e, {**sizes, **shapes.symbols})
    return found.of(found.tree)


def _notation(formula: Expression) -> Notation:
    called = {node.function for node in walk(formula) if isinstance(node, Call)}
    has_sum = bool(called & {"sum", "mean"}) or any(isinstance(node, BigSum) for node in walk(formula))
    return Notation("norm" in called, has_sum)


def _first_of_cross_entropies(formula: Expression) -> set[str]:
    calls = [node for node in walk(formula) if isinstance(node, Call) and node.function == "cross_entropy"]
    return {c.arguments[0].name for c in calls if isinstance(c.arguments[0], Symbol)}


def _symbol(wrt: str | Symbol, known: Mapping[str, Shape], form: str) -> Symbol:
    if isinstance(wrt, Symbol):
        return wrt
    if wrt.isidentifier() and wrt.split("_")[0] in GREEK:
        return Symbol(canonical(wrt))  # beta, as for a shape
    found = parse(wrt, Names.of(known), form)
    if not isinstance(found, Symbol):
        raise FormulaError(f"a derivative is by one symbol, and {wrt!r} is none", 1)
    return found


def _check_shapes_are_used(formula: Expression, shapes: Mapping[str, Shape]) -> None:
    """Refuses a shape for a name that the formula does not have: it would be ignored."""
    names = sorted({s.name for s in symbols(formula)})
    unknown = [name for name in shapes if fold(name) not in {fold(n) for n in names}]
    if unknown:
        raise FormulaError(
            f"a shape is given for {unknown[0]}, which is not in this formula; there are {', '.join(names)}"
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


def point_of(shapes: Shapes, values: Mapping[str, Any]) -> SamplePoint:
    """A point with the given values, its sizes from their shapes; `FormulaError` if these contradict each other."""
    given = {fold(name): value for name, value in values.items()}
    sizes = {dim: int(dim) for dim in shapes.dimensions() if is_written(dim)}
    found: dict[Symbol, Array] = {}
    for s in symbols(shapes.tree):
        if s.name in shapes.sizes:
            continue  # its value is the size
        key = fold(s.name) if s.time is None else f"{fold(s.name)}^({s.time})"
        if key not in given:
            raise FormulaError(f"{s.name if s.time is None else f'{s.name}^({s.time})'} has no value")
        value = np.asarray(given[key])
        value = value.reshape(-1, 1) if value.ndim < 2 else value
        for dim, size in zip(shapes.symbols[s.name], value.shape, strict=True):
            if int(sizes.setdefault(dim, int(dim) if is_number(dim) else size)) != size:
                raise FormulaError(f"{s.name} is {list(value.shape)}, where {dim} is {sizes[dim]}")
        found[s] = value
    return SamplePoint(sizes, found)


def _kind(shape: Shape) -> tuple[bool, bool]:
    return shape[0] == "1", shape[1] == "1"


def _listed(parts: list[str]) -> str:
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)


def _script(letters: list[str]) -> str:
    joined = "".join(letters)
    return "" if not joined else f"_{joined}" if len(joined) == 1 else f"_{{{joined}}}"


def _index_latex(shown: str) -> str:
    left, _, right = shown.partition(" = ")
    above, _, below = left.partition("/")
    whole = f"\\frac{{{above}}}{{{below}}} = {right}"
    signs = {"∂": r"\partial ", "∑": r"\sum", **{c: f"\\{name} " for c, name in GREEK_LETTERS.items()}}
    return "".join(signs.get(c, c) for c in whole)


__all__ = ["Derived", "derivative", "derive", "point_of"]
