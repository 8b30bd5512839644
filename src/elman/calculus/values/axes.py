"""Expressions evaluated for all values of an index at once, along an axis, instead of one value after the other.

With the axes i and j, the value of W_{ij} x_j is [..., I, J, 1, 1]: one product instead of I · J. What has no value
along an axis raises a `FormulaError`, and is evaluated value by value then.
"""

from __future__ import annotations

import functools

import numpy as np

from elman.calculus.expression import (
    BigProduct,
    BigSum,
    Entry,
    Expression,
    Index,
    Pattern,
    Symbol,
    index_variables,
    walk,
)
from elman.calculus.functions import Array
from elman.calculus.syntax.names import TIME_LETTERS
from elman.calculus.values.environment import Environment, NoAxisError, OutsideError, index_value

_MOST_KNOWN = 4096  # expressions, for which it is known whether an index can be an axis
_SHORTEST = 2  # values of an index: one alone needs no axis


class Same:
    """An expression that is equal to itself alone, so that its hash costs no walk through its nodes."""

    __slots__ = ("of",)

    def __init__(self, of: Expression) -> None:
        self.of = of

    def __hash__(self) -> int:
        return id(self.of)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Same) and self.of is other.of


def can_be_axis(e: Expression, index: str, over: range) -> bool:
    """Whether `e` may have a value for all values of an index at once: the index stands only where entries are named
    or compared, and for no time step.
    """
    return len(over) >= _SHORTEST and index not in TIME_LETTERS and _names_entries(Same(e), index)


@functools.lru_cache(_MOST_KNOWN)
def _names_entries(e: Same, index: str) -> bool:
    """Whether an index is no letter, time step, bound or index of a sum or a table in an expression."""
    for node in walk(e.of):
        if isinstance(node, Symbol) and (node.name == index or (node.time and node.time.variable == index)):
            return False
        if isinstance(node, BigSum | BigProduct) and index in (node.index, *_variables(node.lower, node.upper)):
            return False
        if isinstance(node, Pattern) and index in (node.row, node.column):
            return False
    return True


def _variables(*bounds: Index | None) -> list[str | None]:
    return [bound.variable for bound in bounds if bound is not None]


def require_closed(e: Expression, scope: Environment) -> None:
    """Raises `NoAxisError` for an expression whose value depends on an axis, where this cannot be."""
    if scope.axes and not scope.axes.keys().isdisjoint(index_variables(e)):
        raise NoAxisError


def with_axes(a: Array, scope: Environment) -> Array:
    """A value that depends on no axis, with an axis of length 1 for each: its own leading axes stay before them."""
    if a.ndim == 2 or not scope.axes:
        return a
    return a.reshape(*a.shape[:-2], *(1 for _ in scope.axes), *a.shape[-2:])


def entry_along(e: Entry, a: Array, scope: Environment) -> Array:
    """The entries of a value `a`, [..., m, n], that depends on no axis, along the axes that `e` names.

    Raises `FormulaError` for an index that is not bound, and `OutsideError` for one outside the shape.
    """
    m, n = a.shape[-2:]
    places: list[int | range] = [_place(i, e, scope) for i in e.indices]
    axes: list[str | None] = list(scope.axes)
    at = [axes.index(i.variable) if i.variable in axes else None for i in e.indices]
    if e.column:
        places, at = [range(m), *places], [None, *at]
    elif len(places) == 1:
        along_row = m == 1 < n
        places, at = ([0, *places], [None, *at]) if along_row else ([*places, range(n)], [*at, None])
    if len(places) != 2 or any(not _is_inside(place, size) for place, size in zip(places, (m, n), strict=True)):
        raise OutsideError(f"an index leaves the shape [{m},{n}]", e.span[0] + 1, (m, n))
    rows, columns = (np.arange(p.start, p.stop) if isinstance(p, range) else np.array([p]) for p in places)
    lengths, leading = [1] * len(scope.axes), a.shape[:-2]
    for axis, numbers in zip(at, (rows, columns), strict=True):
        if axis is not None:
            lengths[axis] = len(numbers)
    if at[0] is not None and at[0] == at[1]:
        return a[..., rows, columns].reshape(*leading, *lengths, 1, 1)
    chosen = a[..., rows[:, None], columns]
    if at[1] is not None and (at[0] is None or at[0] > at[1]):
        chosen = np.swapaxes(chosen, -1, -2)
    shape = [1 if axis is not None else len(numbers) for axis, numbers in zip(at, (rows, columns), strict=True)]
    return chosen.reshape(*leading, *lengths, *shape)


def _is_inside(place: int | range, size: int) -> bool:
    first, last = (place.start, place.stop - 1) if isinstance(place, range) else (place, place)
    return first >= 0 and last < size


def _place(i: Index, e: Entry, scope: Environment) -> int | range:
    """The place of an index, counted from 0, or all its places along an axis."""
    over = _axis_of(i, scope)
    if over is not None:
        return range(over.start + i.offset, over.stop + i.offset)
    return index_value(i, scope.indices, e) - (i.variable is None)  # numbers count from 1


def _axis_of(i: Index, scope: Environment) -> range | None:
    return scope.axes.get(i.variable) if i.variable is not None else None


def place_along(i: Index, e: Expression, scope: Environment) -> Array:
    """The value of an index, [1,1], or all its values along an axis; raises `FormulaError` for one not bound."""
    over = _axis_of(i, scope)
    if over is not None:
        lengths = [len(over) if name == i.variable else 1 for name in scope.axes]
        return (np.arange(over.start, over.stop) + i.offset).reshape(*lengths, 1, 1)
    return np.array([[index_value(i, scope.indices, e)]])


def sum_along(value: Array, over: range) -> Array:
    """The sum of a value over its last axis, which takes the values of `over`; the axis is lost."""
    if value.ndim == 2 or value.shape[-3] == 1:
        return len(over) * (value if value.ndim == 2 else value[..., 0, :, :])
    return np.asarray(value.sum(-3))


def by_axes(value: Array, scope: Environment) -> Array:
    """A value of numbers with every axis of `scope` in its full length, one axis or two, as the entries of a column or
    of a matrix; of rows below each other and of columns side by side for one axis.
    """
    leading = value.shape[: max(value.ndim - 2 - len(scope.axes), 0)]
    lengths = [len(over) for over in scope.axes.values()]
    m, n = value.shape[-2:]
    value = np.broadcast_to(value, (*leading, *lengths, m, n))
    if len(lengths) == 2:
        if (m, n) != (1, 1):
            raise NoAxisError
        return value[..., 0, 0]
    return value[..., 0, :] if m == 1 else np.swapaxes(value[..., 0], -1, -2)
