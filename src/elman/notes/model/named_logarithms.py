"""Logarithms that a page defines as a whole, as in ln p = …: each is read as one letter, and p as its exponential."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from elman.calculus.expression import (
    Call,
    Derivative,
    Entry,
    Expression,
    Symbol,
    children,
    symbols,
    with_children,
)
from elman.notes.model.page_model import Statement
from elman.notes.model.statement_kinds import defined_letter


def with_named_logarithms(statements: Sequence[Statement]) -> tuple[Statement, ...]:
    """The statements with a letter for each logarithm of a letter that is a left side, unless the letter itself is one,
    or a derivative is by it.
    """
    left = [s.parts[0] for s in statements if len(s.parts) > 1]
    defined = {letter.name for e in left if (letter := defined_letter(e)) is not None}
    nodes = [n for s in statements for n in s.nodes()]
    by = {letter.name for n in nodes if isinstance(n, Derivative) for letter in symbols(n.wrt)}
    within = {n.of.name for n in nodes if isinstance(n, Entry) and isinstance(n.of, Symbol)}
    named = {letter.name for e in left if (letter := _of_logarithm(e)) is not None}
    named -= defined | by | within
    if not named:
        return tuple(statements)
    return tuple(s.with_parts(_named(part, named) for part in s.parts) for s in statements)


def _of_logarithm(e: Expression) -> Symbol | None:
    """The letter whose logarithm an expression is."""
    if not isinstance(e, Call) or e.function != "ln" or e.primes:
        return None
    return e.arguments[0] if isinstance(e.arguments[0], Symbol) else None


def _named(e: Expression, named: set[str]) -> Expression:
    """`e` with the letter ln p for the logarithm, and its exponential for p."""
    letter = _of_logarithm(e)
    if letter is not None and letter.name in named:
        return replace(_letter(letter), span=e.span)
    if isinstance(e, Symbol) and e.name in named:
        return Call("exp", (_letter(e),), span=e.span)
    return with_children(e, tuple(_named(child, named) for child in children(e)))


def _letter(of: Symbol) -> Symbol:
    return replace(of, name=f"ln_{of.name}", latex=rf"\log {of.latex}")
