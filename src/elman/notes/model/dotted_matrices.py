"""Matrices that a page writes out with dots for what it leaves out: ∂y/∂x = [w_11 … w_1n; ⋮; w_m1 … w_mn].

They are read where they say what the derivative of a letter is that the page defines. Elsewhere they show the reader
what a letter looks like, or how derivatives are laid out, and say nothing that an equation does not say: there they are
an ellipsis. A matrix of the entries of a letter is the letter. Where the entries are written with the small letter of a
matrix W that the page has, and this small letter means nothing else, w_ij is an entry of W wherever it stands.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from elman.calculus.expression import (
    Derivative,
    Dots,
    Entry,
    Expression,
    Index,
    Pattern,
    Symbol,
    Transpose,
    has_derivative,
)
from elman.notes.model.page_model import Statement, letter_of


def with_dotted_matrices(statements: Sequence[Statement], declared: Collection[str]) -> tuple[Statement, ...]:
    """The statements with such matrices as letters; `declared` are the letters whose shapes the page says."""
    if not any(isinstance(node, Pattern) for s in statements for node in s.nodes()):
        return tuple(statements)
    left = (letter_of(s.parts[0]) for s in statements if s.is_equation)
    defined = {letter.name for letter in left if letter is not None}
    shown = [s if _is_of_derivative(s, defined) else s.transformed(_as_ellipsis) for s in statements]
    capitals = dict(_capitals(shown, declared))

    def change(node: Expression) -> Expression:
        if isinstance(node, Entry) and isinstance(node.of, Symbol) and node.of.name in capitals:
            return Entry(Symbol(capitals[node.of.name], node.of.time), node.indices, span=node.span)
        return _whole(node) if isinstance(node, Pattern) else node

    return tuple(s.transformed(change) for s in shown)


def _is_of_derivative(s: Statement, defined: Collection[str]) -> bool:
    """Whether a statement is about a derivative of one of the letters `defined`, or of an expression."""
    if not s.is_equation or len(s.parts) < 2 or not has_derivative(s.parts[0]):
        return False
    of = letter_of(s.parts[0].of) if isinstance(s.parts[0], Derivative) else None
    return of is None or of.name in defined


def _as_ellipsis(node: Expression) -> Expression:
    return Dots(span=node.span) if isinstance(node, Pattern) else node


def _own_entry(e: Pattern) -> Entry | None:
    """The entry x_i or w_ij that a matrix writes out; None where its cells are anything else."""
    cell = e.body
    if not isinstance(cell, Entry) or not isinstance(cell.of, Symbol) or cell.column:
        return None
    runs = {Index(index) for index in (e.row, e.column) if index}
    return cell if len(cell.indices) == len(runs) and set(cell.indices) == runs else None


def _whole(e: Pattern) -> Expression:
    """The letter that a matrix writes out, or its transpose; a single row may be either, and stays."""
    cell = _own_entry(e)
    if cell is None or not e.row:
        return e
    return cell.of if cell.indices[0] == Index(e.row) else Transpose(cell.of, span=e.span)


def _capitals(statements: Sequence[Statement], declared: Collection[str]) -> Iterator[tuple[str, str]]:
    """The small letters that are written out as matrices, each with the capital that is this matrix."""
    nodes = [node for s in statements for node in s.nodes()]
    patterns = (_own_entry(node) for node in nodes if isinstance(node, Pattern) and node.row and node.column)
    written = {cell.of.name for cell in patterns if cell is not None and isinstance(cell.of, Symbol)}
    entries = [node for node in nodes if isinstance(node, Entry) and isinstance(node.of, Symbol)]
    names = [node.name for node in nodes if isinstance(node, Symbol)]
    for name in sorted(written):
        own = [node for node in entries if isinstance(node.of, Symbol) and node.of.name == name]
        capital = name.upper()
        only_entries = len(own) == names.count(name) and all(len(node.indices) == 2 for node in own)
        if len(name) == 1 and name != capital and only_entries and name not in declared and capital in names:
            yield name, capital
