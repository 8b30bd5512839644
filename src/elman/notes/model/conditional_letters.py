"""Letters with a bar in their parentheses: p(k | x_n), a probability, and V(x_n | μ_k), which stands for an expression.

P(Z = k | x), which a page calls P(k | x) later on, is one letter with it, where it conditions one capital on the same.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace

from elman.calculus.expression import BigProduct, BigSum, Entry, Expression, Index, Symbol, transform, walk
from elman.calculus.syntax.names import PROBABILITIES
from elman.notes.model.page_model import Statement, free_indices
from elman.notes.model.statement_kinds import has_free_indices

_OF_CAPITAL = re.compile(r"(?P<letter>[A-Za-z]+_)(?P<capital>[A-Z])(?P<given>given\w+_at)")
_CONDITIONAL = re.compile(r"(?P<letter>[A-Za-z]+)_\w+given\w+_at")


def with_short_posteriors(statements: Sequence[Statement]) -> tuple[Statement, ...]:
    """The statements with one letter for both."""
    names = {n.name for s in statements for n in s.nodes() if isinstance(n, Symbol)}
    long = defaultdict[str, set[str]](set)
    for name in names:
        match = _OF_CAPITAL.fullmatch(name)
        if match is not None and (short := match["letter"] + match["given"]) in names:
            long[short].add(name)
    shorter = {name: short for short, found in long.items() if len(found) == 1 for name in found}
    if not shorter:
        return tuple(statements)

    def change(node: Expression) -> Expression:
        return replace(node, name=shorter[node.name]) if isinstance(node, Symbol) and node.name in shorter else node

    return tuple(s.transformed(change) for s in statements)


def with_expressions_for_letters(statements: Sequence[Statement]) -> tuple[Statement, ...]:
    """The statements with what V(x_n | μ_k) stands for, where an equation says it, at the indices that it has."""
    meant: dict[str, tuple[Entry, Expression]] = {}
    for s in statements:
        if len(s.parts) == 2 and s.is_equation and (left := _stands_for(s.parts[0], s.parts[1])) is not None:
            meant.setdefault(_name(left), (left, s.parts[1]))
    if not meant:
        return tuple(statements)

    def change(node: Expression) -> Expression:
        if not isinstance(node, Entry) or _name(node) not in meant:
            return node
        left, value = meant[_name(node)]
        to = {str(i.variable): new for i, new in zip(left.indices, node.indices, strict=True)}
        return replace(_at(value, to), span=node.span)

    return tuple(s.transformed(change) for s in statements)


def _name(e: Entry) -> str:
    return e.of.name if isinstance(e.of, Symbol) else ""


def _stands_for(left: Expression, value: Expression) -> Entry | None:
    """V(x_n | μ_k), where it is no probability and the value has its indices and no others."""
    if not isinstance(left, Entry) or not isinstance(left.of, Symbol) or left.of.time is not None:
        return None
    match = _CONDITIONAL.fullmatch(left.of.name)
    if match is None or match["letter"] in PROBABILITIES or not has_free_indices(left):
        return None
    closed = not any(isinstance(n, BigSum | BigProduct) or n == left.of for n in walk(value))
    return left if closed and free_indices(value) == {i.variable for i in left.indices} else None


def _at(e: Expression, to: Mapping[str, Index]) -> Expression:
    """An expression with other indices."""

    def change(node: Expression) -> Expression:
        if not isinstance(node, Entry):
            return node
        moved = (to.get(i.variable or "", i) for i in node.indices)
        return replace(node, indices=tuple(moved))

    return transform(e, change)
