"""What a letter is: a number, a column, a row, a matrix, or a family of columns; and what the evidence for each costs.

A cost of 0 is the usual reading; the reading of a formula is the cheapest one that fits. Declared letters have no cost:
they are what they are declared to be.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Literal, TypeAlias

from elman.calculus.expression import (
    BigProduct,
    BigSum,
    Derivative,
    Entry,
    Expression,
    Inverse,
    Ones,
    Product,
    Symbol,
    Transpose,
    walk,
)
from elman.calculus.syntax.names import GREEK, LOSSES, fold
from elman.calculus.syntax.written_sizes import size_of

Kind: TypeAlias = Literal["number", "column", "row", "matrix", "family"]
Costs: TypeAlias = Mapping[str, float]  # by kind

_LOWER: Costs = {"column": 0, "number": 0.4, "row": 1.3, "matrix": 3}
_UPPER: Costs = {"matrix": 0, "column": 2.4, "number": 3, "row": 3}
_GREEK: Costs = {"number": 0, "column": 1.2, "row": 2.5, "matrix": 3}
_GREEK_NUMBER: Costs = {**_GREEK, "column": 1.6}
_GREEK_UPPER: Costs = {"matrix": 0, "number": 2.5, "column": 2.5, "row": 3}
_ONE_NUMBER: Costs = {"number": 0, "column": 3, "row": 4, "matrix": 5}
_USUALLY_NUMBERS = frozenset({"alpha", "epsilon", "varepsilon", "eta", "lambda", "kappa", "tau", "rho", "gamma"})

_STATE: Costs = {"column": 0, "matrix": 0.5, "number": 1.2, "row": 1.5}
_ONE_INDEX: Costs = {"column": 0, "family": 1, "row": 2, "matrix": 2}
_ONE_INDEX_UPPER: Costs = {"matrix": 0, "column": 1, "family": 1.2, "row": 3}
_OPAQUE: Costs = {"number": 0, "column": 1.5, "matrix": 3}
_ENTRY: Costs = {"number": 0, "column": 3, "matrix": 3, "row": 4}
_NOT_THE_SIZE = 3.0
_ROW_AND_COLUMN = 2  # digits


def all_cost(cost: float) -> dict[str, float]:
    """One cost for each kind that words can name: a number, a column, a row, a matrix."""
    return dict.fromkeys(("number", "column", "row", "matrix"), cost)


def is_called_a_loss(name: str) -> bool:
    """Whether a letter has the name of a loss, a number."""
    return name.split("_")[0] in LOSSES


def usual_costs(name: str) -> Costs:
    """The costs of a letter by its case and alphabet alone."""
    word = name.split("_")[0]
    if name.endswith(("_max", "_min")):
        return _ONE_NUMBER
    if word in GREEK:
        if word[0].isupper():
            return _GREEK_UPPER
        return _GREEK_NUMBER if word in _USUALLY_NUMBERS else _GREEK
    return _UPPER if word[:1].isupper() else _LOWER


def evidence(
    expressions: Iterable[Expression],
    sizes: Iterable[str] = (),
    defined: Iterable[str] = (),
    hints: Mapping[str, Costs] | None = None,
) -> dict[str, Costs]:
    """The costs of every letter of some expressions, in the order of appearance.

    `sizes` are names of sizes beside those that the expressions use as such, `defined` the letters that have a
    definition, `hints` costs that replace those found here.
    """
    expressions = tuple(expressions)
    nodes = [node for e in expressions for node in walk(e)]
    names = dict.fromkeys(node.name for node in nodes if isinstance(node, Symbol))
    transposed = {n.of.name for n in nodes if isinstance(n, Transpose) and isinstance(n.of, Symbol)}
    indexed: dict[str, set[int]] = {}
    for node in nodes:
        letter = _letter(node.of) if isinstance(node, Entry) else None
        if isinstance(node, Entry) and letter:
            indexed.setdefault(letter, set()).add(len(node.indices))
    as_sizes = {*sizes, *_sizes_of(nodes), *sizes_of_bounds(expressions)} - transposed - set(indexed)
    opaque = _only_differentiated(nodes) - set(defined)
    whole = {_letter(n.of) for n in nodes if isinstance(n, Transpose | Inverse)}
    entries = _numbered_entries(names, whole)
    states = set(_states(nodes)) - transposed
    found: dict[str, Costs] = {}
    for name in names:
        costs = usual_costs(name)
        if name in indexed:
            costs = _indexed(name, indexed[name])
        elif fold(name) in as_sizes:
            costs = {kind: cost + _NOT_THE_SIZE for kind, cost in costs.items()} | {"number": 0}
        elif name in entries:
            costs = _ENTRY
        elif name in opaque:
            costs = _OPAQUE
        elif name in states:
            costs = _STATE
        elif name in transposed:
            costs = {kind: cost for kind, cost in costs.items() if kind != "number"}
        found[name] = {**costs, **(hints or {}).get(name, {})}
    return found


def _states(nodes: Iterable[Expression]) -> Iterator[str]:
    """The capitals with time steps that are multiplied entry by entry with a small letter: C of f_t ∘ C_{t-1}."""
    for node in nodes:
        if isinstance(node, Product) and node.operator == "∘":
            for one, other in ((node.left, node.right), (node.right, node.left)):
                if not (isinstance(one, Symbol) and isinstance(other, Symbol)) or one.time is None:
                    continue
                if usual_costs(one.name) == _UPPER and usual_costs(other.name) == _LOWER:
                    yield one.name


def _numbered_entries(names: Iterable[str], whole: Collection[str | None]) -> set[str]:
    """X_11, X_12, X_21 and so on: names of one letter with two digits, of several rows and columns. They are the
    entries of a matrix, unless one of them is used as a `whole`, transposed or inverted: a block.
    """
    grids: dict[str, dict[str, str]] = {}
    for name in names:
        letter, _, place = name.rpartition("_")
        if len(place) == _ROW_AND_COLUMN and place.isdigit() and letter:
            grids.setdefault(letter, {})[name] = place
    found = set[str]()
    for grid in grids.values():
        rows, columns = ({place[k] for place in grid.values()} for k in range(_ROW_AND_COLUMN))
        if len(rows) > 1 and len(columns) > 1 and not grid.keys() & whole:
            found |= grid.keys()
    return found


def _letter(e: Expression) -> str | None:
    while isinstance(e, Transpose):
        e = e.of
    return e.name if isinstance(e, Symbol) else None


def _indexed(name: str, counts: set[int]) -> Costs:
    """A letter with one index is a column of numbers, or has a column for each index; one with two is a matrix."""
    if counts != {1}:
        return {"matrix": 0}
    return _ONE_INDEX_UPPER if usual_costs(name)["matrix"] == 0 else _ONE_INDEX


def sizes_of_bounds(expressions: Iterable[Expression]) -> list[str]:
    """The sizes that the bounds of sums name, in the order of appearance."""
    nodes = (n for e in expressions for n in walk(e) if isinstance(n, BigSum | BigProduct))
    return list(dict.fromkeys(size_of(n.upper.variable) for n in nodes if n.upper is not None and n.upper.variable))


def _sizes_of(nodes: Iterable[Expression]) -> set[str]:
    """The names of the sizes of vectors of ones."""
    return {node.dim for node in nodes if isinstance(node, Ones) and node.dim}


def _only_differentiated(nodes: Iterable[Expression]) -> set[str]:
    """The letters that stand nowhere but above the bar of a derivative: losses that are defined elsewhere."""
    nodes = list(nodes)
    above = Counter(n.of.name for n in nodes if isinstance(n, Derivative) and isinstance(n.of, Symbol))
    uses = Counter(n.name for n in nodes if isinstance(n, Symbol))
    return {name for name, count in above.items() if uses[name] == count}
