"""Entries of a matrix that are written with a number: x_{i1} and x_{11} on a page with x_{ij}.

The reader takes x_{i1} for a letter of its own, with the label i1. Where the page has x with two running indices, or
x_{i1} in an equation of y_ij, and no number of it is defined by itself, it is the entry in row i and column 1.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from elman.calculus.expression import Derivative, Entry, Expression, Index, Symbol
from elman.calculus.syntax.names import INDEX_LETTERS
from elman.notes.model.page_model import Statement
from elman.notes.model.statement_kinds import is_numeric

_NUMBERED = re.compile(r"(?P<stem>.*[^\d_])_(?P<indices>\d[A-Za-z\d]|[A-Za-z]\d|\d+_\d+)")

Shapes = Mapping[str, tuple[str, str]]


def with_numbered_entries(statements: Sequence[Statement], shapes: Shapes) -> tuple[Statement, ...]:
    """The statements with entries for such letters."""
    nodes = [n for s in statements for n in s.nodes()]
    matrices = {name: letter for s in statements for name, letter in _beside_an_index(s)}
    matrices |= dict(_of_two_indices(nodes))
    if not matrices:
        return tuple(statements)
    used = {i.variable for n in nodes if isinstance(n, Entry) for i in n.indices if i.variable}
    timed = {n.name for n in nodes if isinstance(n, Symbol) and n.time is not None}
    by_themselves = {split[0] for s in statements if (split := _defined(s)) is not None}
    by_indices = {letter for s in statements if (letter := _defined_by_indices(s)) is not None}
    letters = set(matrices) - timed - (by_themselves - by_indices)

    def change(e: Expression) -> Expression:
        split = _split(e)
        if split is None or split[0] not in letters or (isinstance(e, Symbol) and e.name in shapes):
            return e
        stem, indices = split
        if not all(i.variable is None or i.variable in used | INDEX_LETTERS for i in indices):
            return e
        return Entry(matrices[stem], indices, span=e.span)

    return tuple(s.transformed(change) for s in statements)


def largest_numbers(statements: Sequence[Statement]) -> dict[str, tuple[int, int]]:
    """The largest numbers that the entries of each matrix have as indices, 0 where they have none."""
    found: dict[str, tuple[int, int]] = {}
    for n in (n for s in statements for n in s.nodes()):
        if isinstance(n, Entry) and isinstance(n.of, Symbol) and len(n.indices) == 2:
            row, column = (i.offset if i.variable is None else 0 for i in n.indices)
            rows, columns = found.get(n.of.name, (0, 0))
            found[n.of.name] = max(row, rows), max(column, columns)
    return {name: numbers for name, numbers in found.items() if any(numbers)}


def _of_two_indices(nodes: Sequence[Expression]) -> Iterator[tuple[str, Symbol]]:
    """The letters that have two running indices, by name."""
    for n in nodes:
        if not isinstance(n, Entry) or not isinstance(n.of, Symbol) or len(n.indices) != 2:
            continue
        if n.of.time is None and all(i.variable is not None for i in n.indices):
            yield n.of.name, n.of


def _beside_an_index(s: Statement) -> Iterator[tuple[str, Symbol]]:
    """The letters x of x_{i1} in an equation of y_ij, by name."""
    left = s.parts[0]
    if not s.is_equation or not isinstance(left, Entry) or not isinstance(left.of, Symbol) or len(left.indices) != 2:
        return
    running = {i.variable for i in left.indices} - {None}
    for n in s.nodes():
        split = _split(n)
        if split is not None and isinstance(n, Symbol) and not running.isdisjoint(i.variable for i in split[1]):
            yield split[0], Symbol(split[0], latex=re.sub(r"_\s*\{[^{}]*\}\s*$", "", n.latex))


def _defined(s: Statement) -> tuple[str, tuple[Index, ...]] | None:
    """The stem of a numbered letter, and its indices, that an equation defines by itself."""
    if not s.is_equation or len(s.parts) < 2 or isinstance(s.parts[1], Derivative) or is_numeric(s.parts[1]):
        return None
    return _split(s.parts[0])


def _defined_by_indices(s: Statement) -> str | None:
    """The letter x of an equation x_ij = …"""
    left = s.parts[0]
    if not s.is_equation or not isinstance(left, Entry) or not isinstance(left.of, Symbol) or len(left.indices) != 2:
        return None
    return left.of.name if all(i.variable is not None for i in left.indices) else None


def _split(e: Expression) -> tuple[str, tuple[Index, ...]] | None:
    """Stem and indices of a letter with a number below it: x and (i, 1) of x_i1; None for anything else."""
    match = _NUMBERED.fullmatch(e.name) if isinstance(e, Symbol) and e.time is None else None
    if match is None:
        return None
    written = match["indices"].split("_") if "_" in match["indices"] else match["indices"]
    return match["stem"], tuple(Index(None, int(c)) if c.isdigit() else Index(c) for c in written)
