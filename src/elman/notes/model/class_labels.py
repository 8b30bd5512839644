"""1{y^{(i)} = j} and 1{y_i = j}, where j runs over classes: entry j of a vector that is 1 at the class of example i.

What holds for every such vector whose entries sum to 1 holds for the class labels.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from fractions import Fraction

from elman.calculus.expression import (
    BigSum,
    Comparison,
    Entry,
    Expression,
    Index,
    Iverson,
    Number,
    Subtract,
    Symbol,
)
from elman.notes.model.page_model import Statement, free_indices

_POINTER = re.compile(r"(?P<letter>[A-Za-z]+)_(?P<example>[a-z])")


def with_class_labels(statements: Sequence[Statement]) -> tuple[Statement, ...]:
    """The statements with an entry of such a vector for each indicator of a class."""
    nodes = [n for s in statements for n in s.nodes()]
    if not any(isinstance(n, Comparison | Iverson) for n in nodes):
        return tuple(statements)
    used = {i.variable for n in nodes if isinstance(n, Entry) for i in n.indices}
    return tuple(_read(s, used) for s in statements)


def _read(s: Statement, used: set[str | None]) -> Statement:
    running = {n.index for n in s.nodes() if isinstance(n, BigSum)}
    running |= {i for part in s.parts for i in free_indices(part)}

    def change(e: Expression) -> Expression:
        for label, index in _sides(e):
            entry = _entry(label, index, used) if index.variable in running else None
            if entry is not None:
                return entry if _operator(e) == "=" else Subtract(Number(Fraction(1)), entry, span=e.span)
        return e

    return s.transformed(change)


def _operator(e: Expression) -> str:
    return e.operator if isinstance(e, Comparison | Iverson) else ""


def _sides(e: Expression) -> Iterator[tuple[Symbol, Index]]:
    """Both ways to read an equation of a label and an index, y^{(i)} = j; the label y_i of an index has a name."""
    if isinstance(e, Comparison) and e.operator in ("=", "≠"):
        for label, other in ((e.left, e.right), (e.right, e.left)):
            if isinstance(label, Symbol) and isinstance(other, Symbol) and other.time is None:
                yield label, Index(other.name)
    elif isinstance(e, Iverson) and e.operator in ("=", "≠"):
        for one, index in ((e.left, e.right), (e.right, e.left)):
            if one.variable is not None and not one.offset:
                yield Symbol(one.variable), index


def _entry(label: Symbol, index: Index, used: set[str | None]) -> Entry | None:
    """The entry of the vector of a label: y^{(i)} at a step, or y_i, which nothing has as an index."""
    if label.time is not None and label.time.variable is not None:
        own = Symbol(f"{label.name}_class", label.time, label.latex, span=label.span)
        return Entry(own, (index,), span=label.span)
    match = _POINTER.fullmatch(label.name)
    if match is None or label.name in used:
        return None
    own = Symbol(f"{match['letter']}_class", latex=match["letter"], span=label.span)
    return Entry(own, (Index(match["example"]), index), span=label.span)
