"""The shape of every part of a formula. Dimensions are names; those that must be equal are joined.

Symbols without a declared shape are what fits best: a lower-case Latin letter is a column [n,1] before it is a number,
an upper-case letter a matrix [m,n], a lower-case Greek letter a number (`kinds.py`).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from elman.calculus.expression import (
    BigProduct,
    BigSum,
    Expression,
    Identity,
    Ones,
    Power,
    Symbol,
    transform,
    walk,
)
from elman.calculus.shapes.kinds import evidence
from elman.calculus.shapes.resolve import explicit
from elman.calculus.shapes.rules import ConflictError, Inference
from elman.calculus.shapes.search import Choices, Found, Outcome, Variable, readings
from elman.calculus.shapes.unification import SCALAR, Shape
from elman.calculus.syntax.names import GREEK_LETTERS, fold
from elman.calculus.syntax.written_sizes import is_number, is_written, size_of
from elman.errors import FormulaError

__all__ = ["SCALAR", "Shape", "Shapes", "declared", "in_words", "infer", "other_readings", "shape_text"]
_POOL = ("m", "n", "p", "q", "r", "k", "l", "s", "u", "v", "w")
_MAX_TRIES = 2000
_OF_A_COLUMN, _OF_A_MATRIX = 0.1, 0.3  # what is differentiated is a number, if nothing else speaks against it
_CLOSE = 0.45  # a reading that costs at most this much more is usual, too


@dataclass(frozen=True, slots=True)
class Shapes:
    """The shapes in a formula.

    `tree` is the formula with the size of every 1 and I filled in, and with dot products and absolute values written as
    such; `symbols` the shape of each name, `assumed` the shapes of undeclared names, `sizes` the names that are sizes
    of the formula, `families` the matrices of which an entry with one index is a column. `of` gives the shape of a node
    of `tree`.
    """

    tree: Expression
    symbols: Mapping[str, Shape]
    assumed: Mapping[str, Shape]
    sizes: frozenset[str]
    families: frozenset[str]
    _nodes: Mapping[int, Shape]
    _matrix_powers: frozenset[int]
    _sums: Mapping[int, str]

    def of(self, node: Expression) -> Shape:
        """The names of the dimensions of a node of `tree`: ("n", "1")."""
        return self._nodes[id(node)]

    def size(self, node: BigSum | BigProduct) -> str:
        """The dimension that the index of a sum runs along."""
        return self._sums[id(node)]

    def is_matrix_power(self, node: Power) -> bool:
        """Whether this power multiplies a square matrix by itself, rather than each entry."""
        return id(node) in self._matrix_powers

    def dimensions(self) -> tuple[str, ...]:
        """The names of all dimensions, numbers beyond 9 among them, in order of appearance."""
        return tuple(d for d in self._all_sizes() if not is_number(d))

    def literal_sizes(self) -> tuple[str, ...]:
        """The sizes that are numbers from 1 to 9, and mean that number of entries."""
        return tuple(d for d in self._all_sizes() if is_number(d))

    def words(self, name: str, shown: str) -> str:
        """What a letter is, written as `shown`: "x is a column of n"."""
        if name in self.sizes:
            return f"{shown} is a size"
        columns = f" with a column {shown}_i for each i" if name in self.families else ""
        return in_words(shown, self.symbols[name]) + columns

    def _all_sizes(self) -> tuple[str, ...]:
        shapes = (*self.symbols.values(), *self._nodes.values())
        return tuple(dict.fromkeys(d for shape in shapes for d in shape))


def shape_text(shape: Shape) -> str:
    """[m,n], as pages write it."""
    return f"[{shape[0]},{shape[1]}]"


def in_words(name: str, shape: Shape) -> str:
    """What a letter is: "x is a column of n"."""
    rows, columns = shape
    if shape == SCALAR:
        return f"{name} is a number"
    if "1" in shape:
        return f"{name} is a column of {rows}" if columns == "1" else f"{name} is a row of {columns}"
    return f"{name} is a matrix of {rows} × {columns}"


def declared(shapes: Mapping[str, str | tuple[object, ...]] | None) -> dict[str, Shape]:
    """Declared shapes in one form: `"m,n"`, `"[m,n]"`, `("m", "n")`; `"n"` is a column, `"1"` or `""` a scalar.

    A name may be written as in LaTeX or as a Greek letter: `\\beta` and `β` are beta.

    Raises `FormulaError` for what is no shape, and for a size of 0.
    """
    found: dict[str, Shape] = {}
    if not isinstance(shapes, Mapping | None) or not all(isinstance(name, str) for name in shapes or ()):
        raise FormulaError('the shapes are not read: write them by name, as in {"X": "m,n"}')
    for name, given in (shapes or {}).items():
        if not isinstance(given, str | tuple | list):
            raise FormulaError(f"the shape {given!r} of {name} is not read: write m,n or n or 1")
        parts = given.strip(" []()").split(",") if isinstance(given, str) else [str(part) for part in given]
        written = [part.strip() for part in parts if part.strip()]
        if len(written) > 2 or not all(is_written(d) or d.isidentifier() for d in written):
            raise FormulaError(f"the shape {given!r} of {name} is not read: write m,n or n or 1")
        try:
            dims = [size_of(d) for d in written]
        except FormulaError as error:
            raise FormulaError(f"the shape {given!r} of {name} is not read: {error.reason}") from None
        rows, columns = [*dims, "1", "1"][:2]
        found[GREEK_LETTERS.get(name, name.removeprefix("\\"))] = rows, columns
    return found


def infer(e: Expression, shapes: Mapping[str, Shape] | None = None, more: tuple[Symbol, ...] = ()) -> Shapes:
    """The shapes of everything in `e` (and of the symbols `more`, which need not occur), by name of dimension.

    Raises `FormulaError`, with the column, if they fit under no assumption on the undeclared symbols.
    """
    problem = _Problem.of(e, shapes or {}, more)
    return problem.named(next(problem.readings()).result)


def other_readings(
    e: Expression, shapes: Mapping[str, Shape] | None = None, more: tuple[Symbol, ...] = ()
) -> Iterator[Shapes]:
    """The other usual readings of a formula: those that `infer` would take next."""
    problem = _Problem.of(e, shapes or {}, more)
    found = problem.readings()
    best = next(found)
    for other in itertools.takewhile(lambda r: r.cost <= best.cost + _CLOSE, found):
        yield problem.named(other.result)


@dataclass(frozen=True, slots=True)
class _Problem:
    """A formula whose shapes are asked for: `fixed` are the declared shapes of its names."""

    tree: Expression
    names: tuple[str, ...]
    fixed: Mapping[str, Shape]

    @classmethod
    def of(cls, e: Expression, shapes: Mapping[str, Shape], more: tuple[Symbol, ...]) -> _Problem:
        given = {fold(name): shape for name, shape in shapes.items()}
        counter = itertools.count()
        tree = transform(e, lambda node: _sized(node, counter))
        nodes = [node for node in walk(tree) if isinstance(node, Symbol)]
        names = tuple(dict.fromkeys(s.name for s in [*nodes, *more]))
        return cls(tree, names, {name: given[fold(name)] for name in names if fold(name) in given})

    def readings(self) -> Iterator[Found[Inference]]:
        """The readings that fit, cheapest first."""
        sizes = {d for shape in self.fixed.values() for d in shape}
        letters = evidence([self.tree, *map(Symbol, self.names)], sizes)
        options = {Variable("letter", name): costs for name, costs in letters.items() if name not in self.fixed}
        return readings(self.attempt, options, _MAX_TRIES)

    def attempt(self, choices: Choices) -> Outcome[Inference]:
        """One reading."""
        found = Inference(self.fixed, choices)
        try:
            shape = found.visit(self.tree)
        except ConflictError as error:
            return Outcome(self.letters(error.among), error=error)
        except FormulaError as error:
            return Outcome((), error=error)
        if not found.is_scalar(shape):
            found.doubt(_OF_A_COLUMN if "1" in found.shape(shape) else _OF_A_MATRIX, self.tree)
        for name in self.names:
            found.symbol(Symbol(name))
        return Outcome(self.letters(found.doubtful), found, found.cost)

    def letters(self, among: Iterable[Expression]) -> tuple[Variable, ...]:
        """The undeclared letters of some expressions, in their order."""
        found = dict.fromkeys(n.name for e in among for n in walk(e) if isinstance(n, Symbol))
        return tuple(Variable("letter", name) for name in found if name not in self.fixed)

    def named(self, found: Inference) -> Shapes:
        """The shapes that a reading found, with names for the dimensions that have none."""
        shapes = (*found.shapes.values(), *found.nodes.values())
        taken = {found.find(d) for s in shapes for d in s} | set(self.names)
        order = [found.find(d) for name in self.names for d in found.shapes[name]]
        order += [found.find(d) for s in found.nodes.values() for d in s]
        free = list(dict.fromkeys(d for d in order if d.startswith("?")))
        pool = (name for name in (("n", *_POOL) if len(free) == 1 else _POOL) if name not in taken)
        called = dict(zip(free, itertools.chain(pool, (f"n{k}" for k in itertools.count(1))), strict=False))

        def size(d: str) -> str:
            return called.get(found.find(d), found.find(d))

        def sized(node: Expression) -> Expression:
            if isinstance(node, Ones | Identity) and node.dim is not None:
                return replace(node, dim=size(node.dim))
            return node

        symbols = {name: (size(rows), size(columns)) for name in self.names for rows, columns in [found.shapes[name]]}
        tree = transform(self.tree, sized)
        tree = explicit(tree, Inference(symbols, found.choices))
        again = Inference(symbols, found.choices)  # now with every dimension named
        again.visit(tree)
        nodes = {key: again.shape(s) for key, s in again.nodes.items()}
        sums = {key: again.find(d) for key, d in again.sums.items()}
        assumed = {n: symbols[n] for n in self.names if n not in self.fixed}
        known = {d for s in (*symbols.values(), *nodes.values()) for d in s}
        as_sizes = frozenset(n for n, s in assumed.items() if s == SCALAR and fold(n) in known)
        families = frozenset(n for n in assumed if found.choices[Variable("letter", n)] == "family")
        return Shapes(tree, symbols, assumed, as_sizes, families, nodes, frozenset(again.powers), sums)


def _sized(node: Expression, counter: Iterator[int]) -> Expression:
    if isinstance(node, Ones | Identity) and node.dim is None:
        return type(node)(f"?{next(counter)}o", span=node.span)
    return node
