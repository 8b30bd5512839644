"""`derive`: a formula and a symbol → the derivative in a layout, simplified and verified, in every form of print."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from html import escape
from typing import Any

import numpy as np

from elman.calculus.conventions import conventions
from elman.calculus.differentiation import (
    Frame,
    arranged,
    error_at,
    problem_of,
    result_axes,
    result_shape,
    shape_of,
    slopes_of_index_form,
    slopes_within_structure,
    value_at,
    with_structures,
)
from elman.calculus.expression import Call, Expression, Symbol, symbols, transform
from elman.calculus.functions import Array
from elman.calculus.index_form.layout import arrange, arrange_second
from elman.calculus.index_form.terms import Sum, TensorIndex
from elman.calculus.index_form.value import index_value
from elman.calculus.matrix_form.vec_form import VecTerm, vec_form, vec_text, vec_value
from elman.calculus.printing.index_text import index_text
from elman.calculus.printing.mathml import mathml
from elman.calculus.printing.python import python
from elman.calculus.printing.render import factor_text, latex, text
from elman.calculus.shapes.inference import Shape, Shapes, declared, other_readings
from elman.calculus.syntax.names import GREEK, GREEK_LETTERS, Names, canonical, fold
from elman.calculus.syntax.parse import looks_like_python, parse
from elman.calculus.syntax.single_formula import parse_formula
from elman.calculus.syntax.written_sizes import is_number, is_written
from elman.calculus.values.evaluate import evaluate
from elman.calculus.values.verify import SamplePoint, complex_step, points, relative_error
from elman.errors import DerivationError, FormulaError
from elman.notebook_html import block, in_wanted_language, label
from elman.representation import LONGEST_LINE, cut
from elman.translation import joined, listed, translate

TOLERANCE = 1e-8


@dataclass(frozen=True)
class Derived:
    """A derivative by `wrt`, or a second one by `wrt` and `again`: `expression` is its matrix form, or None if it has
    only an index form.

    `shape` are the names of its dimensions: two for a matrix form, else one for each index. `shapes` are the shapes of
    the formula's symbols, `assumed` those that were not declared, `distributions` the symbols whose columns sum to
    1. `error` is the largest difference from the complex step, relative to the largest entry (or to 0.001 where
    all are smaller), over `points` random points. `letters` are the indices of the entry of `wrt` that it is by, if
    any.
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
    again: Symbol | None = None
    _by_again: Frame = (None, None)
    letters: tuple[str, ...] = ()

    def __repr__(self) -> str:
        shape = f"[{','.join(self.shape)}]"
        return f"<Derived {cut(self.text, LONGEST_LINE)}: {shape}, {self.layout} layout, error {self.error:.1e}>"

    @in_wanted_language
    def _repr_html_(self) -> str:
        """For notebooks: the formula, its derivative, and how it was verified."""
        by = listed([mathml(s, None, False) for s in (self.wrt, self.again) if s is not None])
        words = label("The derivative of {formula} with respect to {letters}:")
        lines = [f"<p>{words.format(formula=mathml(self.source, None, False), letters=by)}</p>"]
        lines.append(
            f"<p>{escape(self.text) if self.expression is None or self.letters else mathml(self.expression)}</p>"
        )
        notes = [label(f"shape [{','.join(self.shape)}] in {self.layout} layout")]
        if self.assumptions:
            notes.append(joined((label("taken"), joined(map(translate, self.assumptions), "; ")), ": "))
        notes.append(label(f"verified at {self.points} random points, largest relative error {self.error:.1e}"))
        return block("", *lines, "".join(f'<p class="elman-soft">{escape(note)}</p>' for note in notes))

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
                other = self._under(known)
            except (FormulaError, DerivationError):
                continue
            if other.text != self.text:
                return _listed([shapes.words(name, text(Symbol(name))) for name in changed]), other
        return None

    def _under(self, shapes: Mapping[str, Shape]) -> Derived:
        """The same derivative with other shapes."""
        if self.again is None:
            return derivative(self.source, self.wrt, shapes, self.layout, self.distributions)
        return second_derivative(self.source, (self.wrt, self.again), shapes, self.layout, self.distributions)

    @cached_property
    def conventions(self) -> tuple[str, ...]:
        """What it takes for granted, in sentences: which derivative a function has where it has none."""
        return conventions(self.shapes, tuple(s for s in (self.wrt, self.again) if s is not None))

    @cached_property
    def text(self) -> str:
        """The derivative as Unicode text: `2 A^T (A x - b)`, or its index form."""
        return self.index if self.expression is None or self.letters else text(self.expression)

    @cached_property
    def latex(self) -> str:
        """The derivative as LaTeX."""
        return _index_latex(self.index) if self.expression is None or self.letters else latex(self.expression)

    @cached_property
    def numpy(self) -> str:
        """The derivative as NumPy code on arrays [m,n]; empty where it has no matrix form."""
        if self.expression is None:
            return ""
        return python(self.expression, lambda e: shape_of(self.shapes, e))

    @cached_property
    def index(self) -> str:
        """The index form: `∂f_i/∂X_{jk} = …`, repeated indices summed as written."""
        above = [i for i in self._of if i is not None]
        below = [i for i in self._by if i is not None]
        below_again = [i for i in self._by_again if i is not None]
        taken = {s.name for s in symbols(self.source)}
        letters = [c for c in ("i", "j", "k", "l", "u", "v", "w") if c not in {*taken, *self.letters}]
        names = dict(
            zip([*above, *below_again] if self.letters else [*above, *below, *below_again], letters, strict=False)
        )
        names.update(zip(below, self.letters, strict=False))
        left = "f" + _script([names[i] for i in above])
        right = "∂" + _with_indices(self.wrt, [names[i] for i in below])
        if self.again is not None:
            left, right = "²" + left, f"{right} ∂{_with_indices(self.again, [names[i] for i in below_again])}"
        return f"∂{left}/{right} = {index_text(self._index, names, taken)}"

    @cached_property
    def vec(self) -> str:
        """∂vec(F)/∂vec(X)^T of a matrix by a matrix, with Kronecker products: `I_p ⊗ A`; empty for any other
        derivative, and where there is no such form. vec stacks columns, and K vec(X) is vec(X^T).
        """
        (i, j), (k, m) = self._of, self._by
        if i is None or j is None or k is None or m is None or self.again is not None:
            return ""
        terms = vec_form(self._index, (i, j), (k, m), lambda e: shape_of(self.shapes, e))
        if terms is None or not self._has_value(terms, (i, j, k, m)):
            return ""
        return vec_text(terms, lambda e, is_factor: factor_text(e) if is_factor else text(e))

    def _has_value(self, terms: tuple[VecTerm, ...], axes: tuple[TensorIndex, ...]) -> bool:
        """Whether a vec form has the value of the index form at a random point."""
        (point,) = points(self.shapes, set(self.distributions), count=1)
        true = index_value(self._index, axes, lambda s: point.values[s], point.sizes)
        rows, columns = true.shape[2:]
        flat = true.transpose(1, 0, 3, 2).reshape(true.shape[0] * true.shape[1], rows * columns)
        value = vec_value(terms, lambda e: evaluate(e, point.scope()), rows, columns)
        return relative_error(np.broadcast_to(value, flat.shape), flat) <= TOLERANCE

    def evaluate(self, values: Mapping[str, Any]) -> Array:
        """The value of the derivative, from a value of every symbol ("h^(t-1)" at a time step): [m,n], or an axis for
        each index.

        A number is a scalar, a vector a column. Raises `FormulaError` for a symbol without value and for shapes that do
        not fit.
        """
        point = point_of(self.shapes, values)
        if self.expression is not None:
            return np.array(np.broadcast_to(evaluate(self.expression, point.scope()), self._sizes(point)))
        return value_at(None, self._index, (*self._of, *self._by, *self._by_again), point)

    def _sizes(self, point: SamplePoint) -> tuple[int, ...]:
        return tuple(int(d) if is_number(d) else point.sizes[d] for d in self.shape)

    def json(self) -> dict[str, Any]:
        """The derivative and its verification for machines."""
        return {
            "formula": text(self.source),
            "wrt": text(self.wrt) if self.again is None else [text(self.wrt), text(self.again)],
            "layout": self.layout,
            "form": "index" if self.expression is None or self.letters else "matrix",
            "shape": list(self.shape),
            "text": self.text,
            "latex": self.latex,
            "numpy": self.numpy,
            "index": self.index,
            "vec": self.vec,
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
    wrt: str | Symbol | Sequence[str | Symbol],
    layout: str = "denominator",
    shapes: Mapping[str, str | tuple[object, ...]] | None = None,
    form: str = "auto",
    distributions: Iterable[str] | None = None,
    strict: bool = False,
    symmetric: Iterable[str] = (),
    diagonal: Iterable[str] = (),
) -> Derived:
    """∂formula/∂wrt, in the `layout` denominator, numerator or shape, with its verification.

    Two symbols give the second derivative: `wrt=("x", "x")` is a Hessian, `("x", "y")` is ∂²f/∂x_i ∂y_j with its rows
    along x and its columns along y, in every layout.

    `formula` is LaTeX or the Python-like form (`form`: latex, python, auto). `shapes` are the known shapes of its
    symbols ({"X": "m,n", "c": "1"}); one table may serve several formulas, unless `strict`, which refuses a shape for
    a name that the formula does not have. The columns of `distributions` are taken to sum to 1: by default those of
    the first argument of a cross-entropy.

    `symmetric` and `diagonal` are the names of matrices of these kinds. The gradient by a symmetric matrix A is the
    symmetric G with df = tr(G dA), that by a diagonal matrix is diagonal.

    Raises `FormulaError`, with its column, for a formula that cannot be parsed, whose shapes do not fit or that has no
    derivative here; `DerivationError` if the result fails its check.
    """
    known = declared(shapes)
    if not isinstance(formula, str | Expression):
        raise FormulaError(f"the formula is {type(formula).__name__}, expected a text or an expression")
    if not isinstance(wrt, str | Symbol) and not (
        isinstance(wrt, Sequence) and all(isinstance(each, str | Symbol) for each in wrt)
    ):
        raise FormulaError(f"wrt is {type(wrt).__name__}, expected the name of a symbol, or several")
    if isinstance(formula, str) and form == "auto" and looks_like_python(formula):
        form = "python"
    wanted = [wrt] if isinstance(wrt, str | Symbol) else list(wrt)
    entry = _entry(wanted[0], formula, known, form) if len(wanted) == 1 else None
    by = [_symbol(w, known, form) for w in ([entry[0]] if entry is not None else wanted)]
    if isinstance(formula, str):
        timed = [s.name for s in by if s.time is not None]
        formula = parse_formula(formula, Names.of({*(s.name for s in by), *known}, timed), form)
    if strict:
        _check_shapes_are_used(formula, known)
    structures = {**dict.fromkeys(symmetric, "symmetric"), **dict.fromkeys(diagonal, "diagonal")}
    _check_are_used(formula, structures)
    formula = with_structures(transform(formula, _with_spectral_norms), structures)
    if len(by) == 1:
        found = derivative(formula, by[0], known, layout, distributions)
        return found if entry is None else _by_entry(found, entry[1])
    if len(by) != 2:
        raise FormulaError(f"a derivative is by one symbol or by two, not by {len(by)}")
    return second_derivative(formula, (by[0], by[1]), known, layout, distributions)


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


def second_derivative(
    formula: Expression,
    wrt: tuple[Symbol, Symbol],
    shapes: Mapping[str, Shape],
    layout: str = "denominator",
    distributions: Iterable[str] | None = None,
) -> Derived:
    """The second derivative of a parsed expression by two symbols, or twice by one."""
    try:
        return _second_derivative(formula, wrt, shapes, layout, distributions)
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
    problem = problem_of(formula, (wrt,), shapes, layout, distributions, axis)
    by = problem.frame(wrt)
    result = problem.differentiated(problem.sum, wrt, by)
    order = arrange(problem.of, by, layout)
    expression = problem.matrix_form(result, by, order)
    axes = result_axes(order if expression is not None else None, problem.of, by)
    error, checked = 0.0, 0
    for point in problem.points():
        checked += 1
        slopes = slopes_within_structure(complex_step(problem.shapes, wrt, point), problem.structure(wrt))
        true = arranged(slopes, problem.of, by, axes)
        error = max(error, error_at(expression, result, axes, point, true))
    found = Derived(
        formula, wrt, layout, expression, result_shape(axes), problem.shapes, problem.used_distributions(), error,
        checked, shapes, result, problem.of, by,
    )  # fmt: skip
    return _verified(found)


def _second_derivative(
    formula: Expression,
    wrt: tuple[Symbol, Symbol],
    shapes: Mapping[str, Shape],
    layout: str,
    distributions: Iterable[str] | None,
) -> Derived:
    problem = problem_of(formula, wrt, shapes, layout, distributions)
    first_by, by = (problem.frame(symbol) for symbol in wrt)
    first = problem.differentiated(problem.sum, wrt[0], first_by)
    result = problem.differentiated(first, wrt[1], by)
    order = arrange_second(problem.of, first_by, by, layout)
    both: Frame = (first_by[0] or first_by[1], by[0] or by[1]) if order is not None else (None, None)
    expression = problem.matrix_form(result, both, order)
    axes = result_axes(order if expression is not None else None, problem.of, first_by, by)
    of_first = tuple(i for i in (*problem.of, *first_by) if i is not None)
    error, checked = 0.0, 0
    for point in problem.points():
        checked += 1
        slopes = slopes_within_structure(complex_step(problem.shapes, wrt[0], point), problem.structure(wrt[0]))
        value = index_value(first, of_first, lambda s, at=point: at.values[s], point.sizes)  # type: ignore[misc]
        error = max(error, relative_error(value, arranged(slopes, problem.of, first_by, of_first)))
        true = slopes_of_index_form(first, of_first, wrt[1], by, point, axes, problem.structure(wrt[1]))
        error = max(error, error_at(expression, result, axes, point, true))
    found = Derived(
        formula, wrt[0], layout, expression, result_shape(axes), problem.shapes, problem.used_distributions(), error,
        checked, shapes, result, problem.of, first_by, wrt[1], by,
    )  # fmt: skip
    return _verified(found)


def _verified(found: Derived) -> Derived:
    """The derivative, if its error is small; else `DerivationError`."""
    if not found.error <= TOLERANCE:
        shown = text(found.expression) if found.expression is not None else "its index form"
        by = text(found.wrt) if found.again is None else f"{text(found.wrt)} and {text(found.again)}"
        raise DerivationError(
            f"the derivative of {text(found.source)} by {by} failed its check ({shown}): please report it"
        )
    return found


def _with_spectral_norms(node: Expression) -> Expression:
    """‖X‖_2 as the norm of a vector or the largest singular value of a matrix."""
    if isinstance(node, Call) and node.function == "norm" and node.latex == "‖_2":
        return replace(node, function="norm2")
    return node


_ENTRY = re.compile(r"(\\?[A-Za-z]+)_(?:\{([a-z](?: ?,? ?[a-z])?)\}|([a-z]))|(\w+)\[([a-z](?:, ?[a-z])?)\]")


def _entry(
    wrt: str | Symbol, formula: str | Expression, known: Mapping[str, Shape], form: str
) -> tuple[str, tuple[str, ...]] | None:
    """X and the letters i, j where a derivative is by the entry X_{ij} or X[i, j] of a letter of the formula."""
    match = _ENTRY.fullmatch(wrt.strip()) if isinstance(wrt, str) else None
    if match is None or not isinstance(formula, str):
        return None
    name, letters = match.group(1) or match.group(4), match.group(2) or match.group(3) or match.group(5)
    indices = tuple(c for c in letters if c.isalpha())
    there = {fold(s.name) for s in symbols(parse_formula(formula, Names.of(known), form))}
    base = GREEK_LETTERS.get(name, name.removeprefix("\\"))
    if fold(base + "".join(indices)) in there or fold(base) not in there or len(set(indices)) < len(indices):
        return None
    return name, indices


def _by_entry(found: Derived, letters: tuple[str, ...]) -> Derived:
    """A derivative by a symbol as one by its entry at the indices `letters`."""
    below = sum(d != "1" for d in found.shapes.symbols[found.wrt.name])
    if below != len(letters):
        rows, columns = found.shapes.symbols[found.wrt.name]
        raise FormulaError(
            f"{text(found.wrt)} is [{rows},{columns}], so its entries have {below} indices, not {len(letters)}"
        )
    return replace(found, letters=letters)


def _symbol(wrt: str | Symbol, known: Mapping[str, Shape], form: str) -> Symbol:
    if isinstance(wrt, Symbol):
        return wrt
    if wrt.isidentifier() and wrt.split("_")[0] in GREEK:
        return Symbol(canonical(wrt))  # beta, as for a shape
    found = parse(wrt, Names.of(known), form if wrt.isidentifier() else "auto")
    if not isinstance(found, Symbol):
        raise FormulaError(f"a derivative is by one symbol, and {wrt} is none", 1)
    return found


def _check_are_used(formula: Expression, structures: Mapping[str, str]) -> None:
    """Refuses a name that the formula does not have."""
    names = sorted({s.name for s in symbols(formula)})
    for name, structure in structures.items():
        if fold(name) not in map(fold, names):
            raise FormulaError(
                f"{name} is given as {structure} and is not in this formula; there are {', '.join(names)}"
            )


def _check_shapes_are_used(formula: Expression, shapes: Mapping[str, Shape]) -> None:
    """Refuses a shape for a name that the formula does not have: it would be ignored."""
    names = sorted({s.name for s in symbols(formula)})
    unknown = [name for name in shapes if fold(name) not in {fold(n) for n in names}]
    if unknown:
        raise FormulaError(
            f"a shape is given for {unknown[0]}, which is not in this formula; there are {', '.join(names)}"
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


def _with_indices(s: Symbol, letters: list[str]) -> str:
    name = text(s)
    return (f"{{{name}}}" if "_" in name and letters else name) + _script(letters)


def _script(letters: list[str]) -> str:
    joined = "".join(letters)
    return "" if not joined else f"_{joined}" if len(joined) == 1 else f"_{{{joined}}}"


def _index_latex(shown: str) -> str:
    left, _, right = shown.partition(" = ")
    above, _, below = left.partition("/")
    whole = f"\\frac{{{above}}}{{{below}}} = {right}"
    whole = whole.replace("∂²", r"\partial^2 ")
    signs = {"∂": r"\partial ", "∑": r"\sum", **{c: f"\\{name} " for c, name in GREEK_LETTERS.items()}}
    return "".join(signs.get(c, c) for c in whole)


__all__ = ["Derived", "derivative", "derive", "point_of"]
