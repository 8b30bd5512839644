"""Chains that begin with ∂f/∂X and go on by the entries of X: ∂ tr(A X)/∂X = ∂(A_ij X_ji)/∂X_kl = A_lk = A^T.

All of such a chain is read for the entry in row k and column l, and a matrix in it, A^T, is the entry (A^T)_kl. A
transposed entry there, X_ij^T, is the entry of the transpose.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from elman.calculus.expression import (
    Derivative,
    Entry,
    Expression,
    Identity,
    Iverson,
    Number,
    Symbol,
    Transpose,
)
from elman.notes.model.page_model import Statement, free_indices


def with_chains_by_entries(statements: Sequence[Statement]) -> tuple[Statement, ...]:
    """The statements of a page with such chains by entries throughout."""
    by = dict(_entries(statements))
    return tuple(_by_entries(s, by[_place(s)]) if _place(s) in by else s for s in statements)


def _place(s: Statement) -> tuple[int, str]:
    """The formula of a statement, and the letter that its left side is differentiated by; "" for any other."""
    left = s.parts[0]
    if isinstance(left, Derivative) and isinstance(left.wrt, Symbol) and not free_indices(left.of):
        return s.formula.start, left.wrt.name
    return s.formula.start, ""


def _entries(statements: Sequence[Statement]) -> Iterator[tuple[tuple[int, str], Entry]]:
    """The entry by which a part of a chain is the derivative of an expression, by the place of the chain."""
    for s in statements:
        start, letter = _place(s)
        for part in s.parts[1:] if letter else ():
            by = part.wrt if isinstance(part, Derivative) else None
            if isinstance(by, Entry) and _is_of(by, letter):
                yield (start, letter), by


def _is_of(e: Entry, letter: str) -> bool:
    """Whether an entry is one of a matrix, in a row and a column that have different letters."""
    indices = {i.variable for i in e.indices}
    plain = all(i.variable and not i.offset for i in e.indices)
    return isinstance(e.of, Symbol) and e.of.name == letter and len(indices) == 2 == len(e.indices) and plain


def _by_entries(s: Statement, by: Entry) -> Statement:
    """A chain whose left side is the derivative by one entry."""
    s = s.transformed(_of_transpose)
    left, *rest = s.parts
    assert isinstance(left, Derivative)
    return s.with_parts((replace(left, wrt=replace(by, span=(0, 0))), *(_entry(part, by) for part in rest)))


def _of_transpose(e: Expression) -> Expression:
    if isinstance(e, Transpose) and isinstance(e.of, Entry) and len(e.of.indices) == 2:
        return replace(e.of, of=Transpose(e.of.of), span=e.span)
    return e


def _entry(part: Expression, by: Entry) -> Expression:
    """The entry of a part that is a matrix; a part by entries stays."""
    if free_indices(part) or isinstance(part, Number):
        return part
    if isinstance(part, Identity) and part.dim is None:
        row, column = by.indices
        return Iverson(row, column, span=part.span)
    return Entry(part, by.indices, span=part.span)
