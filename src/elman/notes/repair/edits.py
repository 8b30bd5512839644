"""Edits of formulas with their names, edits of time steps and bounds, and variants of an expression kept by value."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from elman.calculus.expression import (
    BigSum,
    Derivative,
    Entry,
    Expression,
    Index,
    Product,
    Symbol,
    symbols,
    walk,
)
from elman.calculus.functions import Array
from elman.notes.judge.verdict import Verdict
from elman.notes.model.page_model import free_indices, free_times

EDIT = 4  # the cost of an edit
REGROUP = 1  # the cost of other parentheses than the written ones
_KEPT = 500  # variants of one node that are kept, the cheapest


@dataclass(frozen=True, slots=True)
class Edit:
    """One edit: its kind, and words for it."""

    kind: Verdict
    words: str


@dataclass(frozen=True, slots=True)
class Variant:
    """An expression near the written one: its value [m,n], the cost of its edits, and the edits."""

    value: Array
    cost: int
    expression: Expression
    edits: tuple[Edit, ...] = ()


def flatten(e: Product) -> tuple[list[Expression], list[str], set[tuple[int, int]]]:
    """The factors of a chain, the operators between them, and the written groups (first factor, last factor)."""
    factors: list[Expression] = []
    operators: list[str] = []
    groups: set[tuple[int, int]] = set()

    def visit(node: Expression) -> tuple[int, int]:
        if isinstance(node, Product) and node.operator in ("", "·", "@", "∘", "⊗"):
            first, _ = visit(node.left)
            operators.append("·" if node.operator == "@" else node.operator)  # a repair runs on columns [n,1]
            _, last = visit(node.right)
            groups.add((first, last))
            return first, last
        factors.append(node)
        return len(factors) - 1, len(factors) - 1

    visit(e)
    return factors, operators, groups


def times_around(*expressions: Expression) -> tuple[Index, ...]:
    """The time steps in expressions, and those one before and after."""
    found = dict.fromkeys(t for e in expressions for t in _times_in(e))
    return tuple(dict.fromkeys(Index(t.variable, t.offset + d) for d in (0, -1, 1) for t in found))


def _times_in(e: Expression) -> Iterator[Index]:
    for node in walk(e):
        if isinstance(node, Symbol) and node.time is not None:
            yield node.time
        if isinstance(node, Derivative) and node.at is not None:
            yield node.at


def shifted(e: Expression) -> Iterator[Expression]:
    """`e` one time step earlier, later, or at a step of its own."""
    if isinstance(e, Symbol) and e.time is not None:
        for offset in (-1, 1):
            yield replace(e, time=Index(e.time.variable, e.time.offset + offset))
    if isinstance(e, Entry) and isinstance(e.of, Symbol):
        for other in shifted(e.of):
            yield replace(e, of=other)
    if isinstance(e, Derivative):
        if e.at is not None:
            for offset in (-1, 1):
                yield replace(e, at=Index(e.at.variable, e.at.offset + offset))
            yield replace(e, at=None)
        for other in shifted(e.wrt):
            yield replace(e, wrt=other)
        for other in shifted(e.of):
            yield replace(e, of=other)


def bounds(e: BigSum) -> Iterator[BigSum]:
    """The sum with one bound moved by one."""
    for name in ("lower", "upper"):
        bound: Index | None = getattr(e, name)
        if bound is not None:
            for offset in (-1, 1):
                moved = Index(bound.variable, bound.offset + offset)
                yield replace(e, lower=moved) if name == "lower" else replace(e, upper=moved)


def over_other_indices(e: BigSum) -> Iterator[BigSum]:
    """Σ_l a_il for Σ_j a_il: a sum of which no letter has the index, over each of the indices that they have."""
    free = free_indices(e.body)
    if e.index not in free | free_times(e.body) | {s.name for s in symbols(e.body)}:
        yield from (replace(e, index=index) for index in sorted(free))


def placed(letter: Symbol, e: Symbol) -> Symbol:
    """`letter` with the time step that `e` has, if it has time steps at all."""
    return replace(letter, time=e.time, below=e.below, span=e.span) if letter.time is not None else letter


def distinct(variants: Iterable[Variant]) -> list[Variant]:
    """The cheapest variant of each value, the cheapest first."""
    best: dict[tuple[object, bytes], Variant] = {}
    keys: dict[tuple[object, ...], tuple[object, bytes] | None] = {}  # most variants have the very bits of another one
    for v in variants:
        bits = (v.value.shape, v.value.dtype, v.value.tobytes())
        if bits not in keys:
            keys[bits] = _key(v.value)
        key = keys[bits]
        if key is not None and (key not in best or v.cost < best[key].cost):
            best[key] = v
    return sorted(best.values(), key=lambda v: v.cost)[:_KEPT]


def _key(value: Array) -> tuple[object, bytes] | None:
    """What values that are equal to rounding have in common; None for one that is not finite."""
    if not np.isfinite(value).all():
        return None
    return value.shape, (np.round(value.real, 8) + 0.0).tobytes()
