"""The shape of every part of a formula. Dimensions are names; those that must be equal are joined.

Symbols without a declared shape follow the usual convention: a lower-case Latin letter is a column vector [n,1], an
upper-case letter a matrix [m,n], a lower-case Greek letter a scalar. If that does not fit, another kind is assumed for
as few symbols as possible.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from elman.calculus.expression import (
    BigSum,
    Expression,
    Identity,
    Ones,
    Power,
    Symbol,
    transform,
    walk,
)
from elman.calculus.shapes.rules import SCALAR, Inference, Shape
from elman.calculus.syntax.names import GREEK, GREEK_LETTERS, fold
from elman.calculus.syntax.written_sizes import is_number, is_written, size_of
from elman.errors import FormulaError

__all__ = ["SCALAR", "Shape", "Shapes", "declared", "infer", "shape_text"]
_POOL = ("m", "n", "p", "q", "r", "k", "l", "s", "u", "v", "w")
_MAX_TRIES = 400


@dataclass(frozen=True, slots=True)
class Shapes:
    """The shapes in a formula.

    `tree` is the formula with the size of every 1 and I filled in, `symbols` the shape of each name, `assumed` the
    shapes of undeclared names. `of` gives the shape of a node of `tree`.
    """

    tree: Expression
    symbols: Mapping[str, Shape]
    assumed: Mapping[str, Shape]
    _nodes: Mapping[int, Shape]
    _matrix_powers: frozenset[int]
    _sums: Mapping[int, str]

    def of(self, node: Expression) -> Shape:
        """The names of the dimensions of a node of `tree`: ("n", "1")."""
        return self._nodes[id(node)]

    def size(self, node: BigSum) -> str:
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

    def _all_sizes(self) -> tuple[str, ...]:
        shapes = (*self.symbols.values(), *self._nodes.values())
        return tuple(dict.fromkeys(d for shape in shapes for d in shape))


def shape_text(shape: Shape) -> str:
    """[m,n], as pages write it."""
    return f"[{shape[0]},{shape[1]}]"


def declared(shapes: Mapping[str, str | tuple[object, ...]] | None) -> dict[str, Shape]:
    """Declared shapes in one form: `"m,n"`, `"[m,n]"`, `("m", "n")`; `"n"` is a column, `"1"` or `""` a scalar.

    A name may be written as in LaTeX or as a Greek letter: `\\beta` and `β` are beta.

    Raises `FormulaError` for what is no shape, and for a size of 0.
    """
    found: dict[str, Shape] = {}
    for name, given in (shapes or {}).items():
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
    given = {fold(name): shape for name, shape in (shapes or {}).items()}
    counter = itertools.count()
    tree = transform(e, lambda node: _sized(node, counter))
    nodes = [node for node in walk(tree) if isinstance(node, Symbol)]
    names = list(dict.fromkeys(s.name for s in [*nodes, *more]))
    open_names = [name for name in names if fold(name) not in given]
    fixed = {name: given[fold(name)] for name in names if fold(name) in given}
    first: FormulaError | None = None
    for strict in (True, False):
        for kinds in itertools.islice(_assumed_kinds(open_names), _MAX_TRIES if strict else 1):
            attempt = Inference(fixed, dict(zip(open_names, kinds, strict=True)), strict)
            try:
                attempt.visit(tree)
            except FormulaError as error:
                first = first or error
                continue
            return _outcome(attempt, tree, names, open_names)
    assert first is not None
    raise first


def _sized(node: Expression, counter: Iterator[int]) -> Expression:
    if isinstance(node, Ones | Identity) and node.dim is None:
        return type(node)(f"?{next(counter)}o", span=node.span)
    return node


def _usual_kinds(name: str) -> tuple[str, ...]:
    word = name.split("_")[0]
    if word in GREEK and word[0].islower():
        return ("scalar", "column", "matrix")
    if word[0].isupper():
        return ("matrix", "scalar", "column")
    return ("column", "scalar", "matrix")


def _assumed_kinds(names: list[str]) -> Iterator[tuple[str, ...]]:
    """Assumed kinds of the undeclared symbols: the usual ones first, then those with the fewest changes."""
    usual = [_usual_kinds(name) for name in names]
    for changes in range(min(len(names), 3) + 1):
        for places in itertools.combinations(range(len(names)), changes):
            for choice in itertools.product((1, 2), repeat=changes):
                kinds = [k[0] for k in usual]
                for place, which in zip(places, choice, strict=True):
                    kinds[place] = usual[place][which]
                yield tuple(kinds)


def _outcome(attempt: Inference, tree: Expression, names: list[str], open_names: list[str]) -> Shapes:
    """The shapes that an attempt found, with names for the dimensions that have none."""
    taken = {attempt.find(d) for s in (*attempt.shapes.values(), *attempt.nodes.values()) for d in s} | set(names)
    order = [attempt.find(d) for name in names for d in attempt.shapes[name]]
    order += [attempt.find(d) for s in attempt.nodes.values() for d in s]
    free = list(dict.fromkeys(d for d in order if d.startswith("?")))
    pool = (name for name in (("n", *_POOL) if len(free) == 1 else _POOL) if name not in taken)
    more = (f"n{k}" for k in itertools.count(1))
    called = dict(zip(free, itertools.chain(pool, more), strict=False))

    def named(s: Shape) -> Shape:
        a, b = attempt.find(s[0]), attempt.find(s[1])
        return called.get(a, a), called.get(b, b)

    def sized(node: Expression) -> Expression:
        if isinstance(node, Ones | Identity) and node.dim is not None:
            return replace(node, dim=named((node.dim, "1"))[0])
        return node

    symbols = {name: named(attempt.shapes[name]) for name in names}
    again = Inference(symbols, {}, False)  # now with every dimension named
    final = transform(tree, sized)
    again.visit(final)
    nodes = {key: (again.find(a), again.find(b)) for key, (a, b) in again.nodes.items()}
    sums = {key: again.find(d) for key, d in again.sums.items()}
    return Shapes(final, symbols, {n: symbols[n] for n in open_names}, nodes, frozenset(again.powers), sums)
