"""Sums over an index: over time steps term by term, over all entries of matrices at once."""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Container, Iterable
from dataclasses import replace
from typing import TypeAlias

import numpy as np

from elman.calculus.expression import (
    Add,
    BigProduct,
    BigSum,
    Call,
    Entry,
    Expression,
    Index,
    Negative,
    Number,
    Product,
    Subtract,
    Symbol,
    children,
    walk,
    with_children,
)
from elman.calculus.functions import ELEMENTWISE, Array
from elman.calculus.syntax.names import TIME_LETTERS, fold
from elman.calculus.values.axes import Same, can_be_axis, sum_along
from elman.calculus.values.environment import Environment, NoAxisError, OrderError, OutsideError, shape_text
from elman.errors import FormulaError

_MOST_KNOWN = 2048  # sums whose entries are kept: a sum is evaluated again and again
MAX_TERMS = 10_000  # of a sum, multiplied by those of the sums around it
Evaluate: TypeAlias = Callable[[Expression, Environment], Array]


def sum_range(e: BigSum | BigProduct, scope: Environment, evaluate: Evaluate) -> range:
    """The values that the index of `e` takes; time steps as they are written, and entries from 0: 1 … V and 0 … V-1
    are all V entries. So are 0 … n: the letter then has an entry for the bias besides n others.
    """
    if e.lower is not None and e.upper is not None and not _counts_bias(e):
        entries = {i.variable for node in _entries(e.body) for i in node.indices}
        along = e.index in entries
        low, high = (_bound(i, e, scope, along) for i in (e.lower, e.upper))
        if not along:
            return range(low, high + 1)
        first = 0 if e.lower == Index(None, 0) else 1  # how the page counts entries
        low -= 0 if _is_place(e.lower, entries, scope) else first
        high -= 0 if _is_place(e.upper, entries, scope) else first
        return range(low, high + 1)
    size = index_size(_entries(e.body), e.index, scope, evaluate)
    if size is None:
        raise FormulaError(f"over what does {e.index or 'this sum'} run? Write its bounds", e.span[0] + 1)
    return range(size)


def _counts_bias(e: BigSum | BigProduct) -> bool:
    """Whether a sum is over entries 0 … n, with an index that is nothing else."""
    assert e.upper is not None
    entries = {i.variable for node in _entries(e.body) for i in node.indices}
    plain = e.index in entries and not any(isinstance(n, Symbol) and n.name == e.index for n in walk(e.body))
    return plain and e.lower == Index(None, 0) and e.upper.variable is not None and not e.upper.offset


def _is_place(bound: Index, entries: Container[str | None], scope: Environment) -> bool:
    """Whether a bound is the index of another entry, which counts from 0 here: i of Σ_{j=i+1}^n a_i a_j. The step t of
    a sum over the entries before it is counted as the page does.
    """
    known = bound.variable is not None and bound.variable in scope.indices
    return known and (bound.variable in entries or bound.variable not in TIME_LETTERS)


def _bound(i: Index, e: BigSum | BigProduct, scope: Environment, along: bool) -> int:
    """A bound of a sum as a number; `along` a matrix, a written size is the size used for it."""
    if i.variable is None:
        return scope.written(i.offset) if along and i.offset > 1 else i.offset
    if i.variable in scope.indices:
        return i.at(scope.indices)
    if i.variable in scope.axes:
        raise NoAxisError
    try:
        return scope.dimension(fold(i.variable)) + i.offset
    except FormulaError:
        raise FormulaError(f"the bound {i.variable} of a sum is not known", e.span[0] + 1) from None


def _entries(e: Expression) -> tuple[Entry, ...]:
    return _entries_of(Same(e))


@functools.lru_cache(_MOST_KNOWN)
def _entries_of(e: Same) -> tuple[Entry, ...]:
    return tuple(node for node in walk(e.of) if isinstance(node, Entry))


def index_size(entries: Iterable[Entry], index: str, scope: Environment, evaluate: Evaluate) -> int | None:
    """How far an index runs: the size along it of the first of `entries` that has it; None where none has."""
    for node in entries:
        for place, i in enumerate(node.indices):
            if i == Index(index):
                a = evaluate(node.of, scope)
                along_row = node.column or (len(node.indices) == 1 and a.shape[-2] == 1)
                return int(a.shape[-1] if along_row else a.shape[-2 + place])
    return None


@functools.lru_cache(_MOST_KNOWN)
def _whole_of(e: Same) -> tuple[Expression, tuple[BigSum, ...]] | None:
    assert isinstance(e.of, BigSum)
    return _whole(e.of)


def _whole(e: BigSum) -> tuple[Expression, tuple[BigSum, ...]] | None:
    """Nested sums over all entries of matrices as one expression in the matrices, with the sums; None for other sums.

    Σ_b Σ_j y_jb ln ŷ_jb is the sum of the entries of y ∘ ln ŷ: one product instead of V · B.
    """
    sums: list[BigSum] = []
    body: Expression = e
    while isinstance(body, BigSum):
        sums.append(body)
        body = body.body
    places = {entry.indices for entry in _entries(body)}
    bound = {Index(s.index) for s in sums}
    if len(places) != 1 or set(next(iter(places))) != bound or len(next(iter(places))) != len(bound):
        return None
    order = next(iter(places))

    def change(node: Expression) -> Expression | None:
        if isinstance(node, Entry):
            return None if node.column else node.of
        if isinstance(node, Number):
            return node
        if not isinstance(node, Add | Subtract | Negative | Product | Call) or (
            isinstance(node, Call) and node.function not in ELEMENTWISE
        ):
            return None
        below = [change(child) for child in children(node)]
        if any(child is None for child in below):
            return None
        new = with_children(node, tuple(child for child in below if child is not None))
        return replace(new, operator="∘") if isinstance(new, Product) and new.operator != "/" else new

    whole = change(body)
    return None if whole is None else (whole, tuple(sorted(sums, key=lambda s: order.index(Index(s.index)))))


def _all_entries(e: BigSum, scope: Environment, evaluate: Evaluate) -> Array | None:
    """The value of nested sums over entries, all at once."""
    found = _whole_of(Same(e))
    if found is None or any(s.index in scope.indices or s.index in scope.axes for s in found[1]):
        return None
    value = evaluate(found[0], scope)
    if len(found[1]) == 1 and value.shape[-2] == 1:
        return None
    for axis, s in enumerate(found[1]):
        size = value.shape[-2 + axis]
        over = range(size) if s.lower is None or s.upper is None else sum_range(s, scope, evaluate)
        if over.start < 0 or over.stop > size:
            raise OutsideError(
                f"the index {s.index} leaves the shape {shape_text(value)}", e.span[0] + 1, value.shape[-2:]
            )
        part = value[..., over.start : over.stop, :] if axis == 0 else value[..., over.start : over.stop]
        value = np.broadcast_to(part.sum(-2 + axis, keepdims=True), (*part.shape[:-2], *_reduced(part, axis)))
    return value


def _reduced(part: Array, axis: int) -> tuple[int, int]:
    return (1, part.shape[-1]) if axis == 0 else (part.shape[-2], 1)


def big_sum(e: BigSum, scope: Environment, evaluate: Evaluate) -> Array:
    """The value of a sum: over all entries of matrices or along an axis at once, or term by term."""
    value = _all_entries(e, scope, evaluate)
    if value is not None:
        return value
    over = sum_range(e, scope, evaluate)
    inside = _inside(e, over, scope)
    value = _along_axis(e, over, inside, evaluate)
    return _combined(e, over, inside, evaluate, operator.add, np.zeros((1, 1))) if value is None else value


def _along_axis(e: BigSum, over: range, inside: Environment, evaluate: Evaluate) -> Array | None:
    """The value of a sum whose terms have one along an axis; None for other sums."""
    if not can_be_axis(e.body, e.index, over) or e.index in inside.axes:
        return None
    try:
        return sum_along(evaluate(e.body, inside.along(e.index, over)), over)
    except FormulaError:  # of one term, or of none
        return None


def big_product(e: BigProduct, scope: Environment, evaluate: Evaluate) -> Array:
    """The value of a product over an index: of numbers, or of rows and columns entry by entry."""

    def times(a: Array, b: Array) -> Array:
        if 1 not in a.shape[-2:] or 1 not in b.shape[-2:]:
            raise OrderError("a product of matrices over an index has no value: write its factors", e.span[0] + 1)
        return np.asarray(a * b)

    over = sum_range(e, scope, evaluate)
    return _combined(e, over, _inside(e, over, scope), evaluate, times, np.ones((1, 1)))


def _combined(
    e: BigSum | BigProduct,
    over: range,
    inside: Environment,
    evaluate: Evaluate,
    combine: Callable[[Array, Array], Array],
    empty: Array,
) -> Array:
    """The terms of a sum or of a product, one by one."""
    terms = [evaluate(e.body, inside.bind(e.index, i)) for i in over]
    return functools.reduce(combine, terms) if terms else empty


def _inside(e: BigSum | BigProduct, over: range, scope: Environment) -> Environment:
    """The environment of the terms of a sum."""
    terms = scope.terms * max(len(over), 1)
    if terms > MAX_TERMS:
        raise FormulaError(f"a sum of {terms} terms is too long to be added one by one", e.span[0] + 1)
    return replace(scope, terms=terms)
