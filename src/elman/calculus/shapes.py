"""Which shape every part of a formula has, told from the formula: dimensions are names, made equal where they must be.

Symbols without a declared shape follow the usual convention: a lower-case Latin letter is a column vector [n,1], an
upper-case letter a matrix [m,n], a lower-case Greek letter a scalar. Where that does not fit, the fewest symbols that
make it fit are read otherwise.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from elman.calculus.expression import (
    Add,
    BigSum,
    Call,
    Derivative,
    Dots,
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
    transform,
    walk,
)
from elman.calculus.functions import ELEMENTWISE
from elman.calculus.names import GREEK, fold
from elman.errors import FormulaError

Shape = tuple[str, str]
SCALAR: Shape = ("1", "1")
_POOL = ("m", "n", "p", "q", "r", "k", "l", "s", "u", "v", "w")
_MAX_TRIES = 400


@dataclass(frozen=True, slots=True)
class Shapes:
    """The shapes found: `tree` is the formula with every size of a 1 or an I written, `symbols` the shape behind each
    name, `assumed` those of them that no one declared; `of` tells the shape of a node of `tree`.
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
        """The names of all dimensions, without 1, in order of appearance."""
        found = [d for shape in (*self.symbols.values(), *self._nodes.values()) for d in shape if not d.isdigit()]
        return tuple(dict.fromkeys(found))


def shape_text(shape: Shape) -> str:
    """[m,n], as pages write it."""
    return f"[{shape[0]},{shape[1]}]"


def declared(shapes: Mapping[str, str | tuple[object, ...]] | None) -> dict[str, Shape]:
    """Declared shapes in one form: `"m,n"`, `"[m,n]"`, `("m", "n")`; `"n"` is a column, `"1"` or `""` a scalar.

    Raises `FormulaError` for what is no shape.
    """
    found: dict[str, Shape] = {}
    for name, given in (shapes or {}).items():
        parts = given.strip(" []()").split(",") if isinstance(given, str) else [str(part) for part in given]
        dims = [fold(part.strip()) for part in parts if part.strip()]
        if len(dims) > 2 or not all(d.isdigit() or d.isidentifier() for d in dims):
            raise FormulaError(f"the shape {given!r} of {name} is not read: write m,n or n or 1")
        found[name] = (*dims, "1", "1")[:2] if len(dims) < 2 else (dims[0], dims[1])
    return found


def infer(e: Expression, shapes: Mapping[str, Shape] | None = None, more: tuple[Symbol, ...] = ()) -> Shapes:
    """The shapes of everything in `e` (and of the symbols `more`, which need not occur), by name of dimension.

    Raises `FormulaError`, with the column, where they do not fit under any reading of the undeclared symbols.
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
        for kinds in itertools.islice(_readings(open_names), _MAX_TRIES if strict else 1):
            attempt = _Inference(fixed, dict(zip(open_names, kinds, strict=True)), strict)
            try:
                attempt.visit(tree)
            except FormulaError as error:
                first = first or error
                continue
            return attempt.result(tree, names, open_names)
    assert first is not None
    raise first


def _sized(node: Expression, counter: Iterator[int]) -> Expression:
    if isinstance(node, Ones | Identity) and node.dim is None:
        return type(node)(f"?{next(counter)}o", span=node.span)
    return node


def _kinds(name: str) -> tuple[str, ...]:
    word = name.split("_")[0]
    if word in GREEK and word[0].islower():
        return ("scalar", "column", "matrix")
    if word[0].isupper():
        return ("matrix", "scalar", "column")
    return ("column", "scalar", "matrix")


def _readings(names: list[str]) -> Iterator[tuple[str, ...]]:
    """Readings of the undeclared symbols, the fewest changes first."""
    usual = [_kinds(name) for name in names]
    for changes in range(min(len(names), 3) + 1):
        for places in itertools.combinations(range(len(names)), changes):
            for choice in itertools.product((1, 2), repeat=changes):
                kinds = [k[0] for k in usual]
                for place, which in zip(places, choice, strict=True):
                    kinds[place] = usual[place][which]
                yield tuple(kinds)


class _Inference:
    """One attempt under one reading: union-find over the names of dimensions."""

    def __init__(self, fixed: Mapping[str, Shape], kinds: Mapping[str, str], strict: bool) -> None:
        self.parent: dict[str, str] = {}
        self.strict = strict
        self.counter = itertools.count()
        self.shapes: dict[str, Shape] = dict(fixed)
        for name, kind in kinds.items():
            row = "1" if kind == "scalar" else self.fresh()
            self.shapes[name] = (row, self.fresh() if kind == "matrix" else "1")
        self.nodes: dict[int, Shape] = {}
        self.powers: set[int] = set()
        self.sums: dict[int, str] = {}
        self.indices: dict[str, str] = {}

    def fresh(self) -> str:
        return f"?{next(self.counter)}"

    def find(self, d: str) -> str:
        while d in self.parent:
            d = self.parent[d]
        return d

    def can(self, a: str, b: str) -> bool:
        """Makes two dimensions equal, if they may be."""
        a, b = self.find(a), self.find(b)
        if a == b:
            return True
        if a.startswith("?") and b != "1":
            self.parent[a] = b
            return True
        if b.startswith("?") and a != "1":
            self.parent[b] = a
            return True
        return False

    def shown(self, s: Shape) -> str:
        return "[" + ",".join("·" if d.startswith("?") else d for d in map(self.find, s)) + "]"

    def misfit(self, e: Expression, a: Shape, what: str, b: Shape, hint: str) -> FormulaError:
        return FormulaError(f"{self.shown(a)} {what} {self.shown(b)} does not fit: {hint}", e.span[0] + 1)

    def is_scalar(self, s: Shape) -> bool:
        return self.find(s[0]) == self.find(s[1]) == "1"

    def visit(self, e: Expression) -> Shape:
        method = _VISIT.get(type(e))
        if method is None:
            what = "an ellipsis" if isinstance(e, Dots) else "a derivative" if isinstance(e, Derivative) else "this"
            raise FormulaError(f"{what} cannot stand in what is differentiated", e.span[0] + 1)
        shape: Shape = method(self, e)
        self.nodes[id(e)] = shape
        return shape

    def symbol(self, e: Symbol) -> Shape:
        return self.shapes[e.name]

    def same(self, a: Shape, b: Shape) -> bool:
        return self.can(a[0], b[0]) and self.can(a[1], b[1])

    def sum(self, e: Add | Subtract) -> Shape:
        a, b = self.visit(e.left), self.visit(e.right)
        if self.is_scalar(a) or self.is_scalar(b):
            return a if self.is_scalar(b) else b
        result = []
        for x, y in zip(a, b, strict=True):
            x, y = self.find(x), self.find(y)
            if x != "1" and y != "1" and not self.can(x, y):
                raise self.misfit(e, a, "plus", b, "a sum needs equal shapes, a column, a row or a scalar")
            result.append(y if x == "1" else x)
        if [self.find(d) for d in result] not in ([self.find(d) for d in a], [self.find(d) for d in b]):
            raise self.misfit(e, a, "plus", b, "a row and a column do not add")
        return result[0], result[1]

    def product(self, e: Product) -> Shape:
        a, b = self.visit(e.left), self.visit(e.right)
        one_is_scalar = self.is_scalar(a) or self.is_scalar(b)
        larger = b if self.is_scalar(a) else a
        if e.operator in ("", "·"):
            if one_is_scalar:
                return larger
            if not self.can(a[1], b[0]):
                raise self.misfit(e, a, "times", b, "the inner dimensions differ")
            return a[0], b[1]
        if e.operator == "⊗":
            if one_is_scalar:
                return larger
            if self.find(a[1]) == "1" and self.find(b[1]) == "1":
                return a[0], b[0]
            raise self.misfit(e, a, "⊗", b, "an outer product takes two column vectors")
        if one_is_scalar or self.same(a, b):
            return larger
        hint = "divide by a scalar, or entry by entry" if e.operator == "/" else "equal shapes are needed"
        raise self.misfit(e, a, "over" if e.operator == "/" else "∘", b, hint)

    def power(self, e: Power) -> Shape:
        a, n = self.visit(e.of), self.visit(e.exponent)
        if not self.is_scalar(n):
            raise FormulaError(f"an exponent must be a scalar, not {self.shown(n)}", e.span[0] + 1)
        if e.elementwise or "1" in (self.find(a[0]), self.find(a[1])):
            return a
        if self.can(a[0], a[1]):
            if not isinstance(e.exponent, Number) or e.exponent.value.denominator != 1:
                raise FormulaError("a matrix takes a whole number as its power", e.span[0] + 1)
            self.powers.add(id(e))
        return a

    def square(self, a: Shape, e: Expression, what: str) -> None:
        if not self.can(a[0], a[1]):
            raise FormulaError(f"{what} needs a square matrix, not {self.shown(a)}", e.span[0] + 1)

    def inverse(self, e: Inverse) -> Shape:
        a = self.visit(e.of)
        self.square(a, e, "an inverse")
        return a

    def call(self, e: Call) -> Shape:
        shapes = [self.visit(argument) for argument in e.arguments]
        a = shapes[0]
        if e.function in ELEMENTWISE:
            return a
        if self.strict and self.is_scalar(a) and e.function in ("softmax", "sum", "mean", "cross_entropy", "diag"):
            raise FormulaError(f"{e.function} of a scalar", e.span[0] + 1)
        if e.function == "softmax":
            return a
        if e.function == "cross_entropy":
            if not (self.same(a, shapes[1]) or self.is_scalar(shapes[1])):
                raise self.misfit(e, a, "∘", shapes[1], "a cross-entropy needs equal shapes")
        elif e.function in ("trace", "det"):
            self.square(a, e, "a trace" if e.function == "trace" else "a determinant")
        elif e.function == "diag":
            if self.find(a[1]) == "1":
                return a[0], a[0]
            if self.find(a[0]) == "1":
                return a[1], a[1]
            self.square(a, e, "diag")
            return a[0], "1"
        elif e.axis is not None:
            return ("1", a[1]) if e.axis == 0 else (a[0], "1")
        return SCALAR

    def entry(self, e: Entry) -> Shape:
        a = self.visit(e.of)
        places = [1] if len(e.indices) == 1 and self.find(a[0]) == "1" else [0, 1][: len(e.indices)]
        if len(e.indices) > 2:
            raise FormulaError("a matrix has two indices", e.span[0] + 1)
        for place, index in zip(places, e.indices, strict=True):
            if not self.can(a[place], self.index(index, e)):
                raise FormulaError(f"the index {index} does not run along {self.shown(a)}", e.span[0] + 1)
        return SCALAR if len(places) == 2 or "1" in map(self.find, a) else ("1", a[1])

    def index(self, i: Index, e: Expression) -> str:
        if i.variable is None or i.offset or i.variable not in self.indices:
            raise FormulaError(f"the index {i} is bound by no sum", e.span[0] + 1)
        return self.indices[i.variable]

    def iverson(self, e: Iverson) -> Shape:
        if not self.can(self.index(e.left, e), self.index(e.right, e)):
            raise FormulaError("these indices run over different dimensions", e.span[0] + 1)
        return SCALAR

    def big_sum(self, e: BigSum) -> Shape:
        used = {i.variable for node in walk(e.body) if isinstance(node, Entry) for i in node.indices}
        if e.index not in used or (e.lower is not None and e.lower != Index(None, 1)):
            raise FormulaError("this sum runs over no index of an entry: write its terms", e.span[0] + 1)
        before = self.indices
        size = self.fresh()
        if e.upper is not None:
            size = fold(str(e.upper))
        self.indices = {**before, e.index: size}
        self.sums[id(e)] = size
        shape = self.visit(e.body)
        self.indices = before
        return shape

    def result(self, tree: Expression, names: list[str], open_names: list[str]) -> Shapes:
        """The outcome, with the nameless dimensions named."""
        taken = {self.find(d) for s in (*self.shapes.values(), *self.nodes.values()) for d in s} | set(names)
        order = [self.find(d) for name in names for d in self.shapes[name]]
        order += [self.find(d) for s in self.nodes.values() for d in s]
        free = list(dict.fromkeys(d for d in order if d.startswith("?")))
        pool = (name for name in (("n", *_POOL) if len(free) == 1 else _POOL) if name not in taken)
        more = (f"n{k}" for k in itertools.count(1))
        called = dict(zip(free, itertools.chain(pool, more), strict=False))

        def named(s: Shape) -> Shape:
            a, b = self.find(s[0]), self.find(s[1])
            return called.get(a, a), called.get(b, b)

        def sized(node: Expression) -> Expression:
            if isinstance(node, Ones | Identity) and node.dim is not None:
                return replace(node, dim=named((node.dim, "1"))[0])
            return node

        symbols = {name: named(self.shapes[name]) for name in names}
        again = _Inference(symbols, {}, False)  # now with every dimension named
        final = transform(tree, sized)
        again.visit(final)
        nodes = {key: (again.find(a), again.find(b)) for key, (a, b) in again.nodes.items()}
        sums = {key: again.find(d) for key, d in again.sums.items()}
        return Shapes(final, symbols, {n: symbols[n] for n in open_names}, nodes, frozenset(again.powers), sums)


_VISIT: dict[type, Callable[..., Shape]] = {
    Number: lambda self, e: SCALAR,
    Symbol: _Inference.symbol,
    Ones: lambda self, e: (e.dim, "1"),
    Identity: lambda self, e: (e.dim, e.dim),
    Entry: _Inference.entry,
    Iverson: _Inference.iverson,
    Negative: lambda self, e: self.visit(e.of),
    Add: _Inference.sum,
    Subtract: _Inference.sum,
    Product: _Inference.product,
    Transpose: lambda self, e: self.visit(e.of)[::-1],
    Inverse: _Inference.inverse,
    Power: _Inference.power,
    Call: _Inference.call,
    BigSum: _Inference.big_sum,
}
