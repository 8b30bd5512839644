"""Definitions that a derivation states by putting what a letter is in its place.

∂E/∂z ∂z/∂w = ∂E/∂z ∂(w x + b)/∂w says that z is w x + b, whatever else the page says of z, and ∂E/∂z ∂z/∂w = g ∂z/∂w
that g is ∂E/∂z.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise

from elman.calculus.expression import (
    Derivative,
    Dots,
    Entry,
    Expression,
    Symbol,
    base_of,
    factors_of,
    has_derivative,
    transform,
    walk,
)
from elman.notes.model.page_model import Definition, Statement, free_indices
from elman.notes.model.statement_kinds import defined_letter, indices_of


def definitions_by_substitution(s: Statement) -> Iterator[Definition]:
    """The definitions that the parts of a chain of equations give, each with the part that has the value; none under a
    condition, as ∂L/∂z_i for i ≠ y is that of some terms of L.
    """
    if s.relation.conditions:
        return
    for k, (above, below) in enumerate(pairwise(s.parts)):
        if s.relation.operators[k] not in ("=", ":=") or isinstance(above, Dots):
            continue
        found = _substituted(above, below)
        if found is None:
            continue
        of, value = found
        letter, indices = defined_letter(of), indices_of(of)
        own = letter is not None and all(not isinstance(n, Symbol) or n.name != letter.name for n in walk(value))
        if letter is not None and own and free_indices(value) <= set(indices):
            yield Definition(letter.name, letter.time, value, s.number, k + 1, indices)


def names_by_substitution(statements: Sequence[Statement]) -> Iterator[Definition]:
    """The letters that a derivation puts in the place of a derivative, of a loss: after Σ_q ∂E/∂z_q ∂z_q/∂w, g of
    Σ_q g_q ∂z_q/∂w names ∂E/∂z.
    """
    for s, before in zip(statements, (None, *statements), strict=False):
        if s.relation.conditions:
            continue
        for k, (above, below) in enumerate(pairwise(s.parts)):
            if k == 0 and before is not None and _goes_on_with(s, before):
                above = before.parts[-1]
            if s.relation.operators[k] not in ("=", ":=") or isinstance(above, Dots):
                continue
            for d in dict.fromkeys(n for n in walk(above) if isinstance(n, Derivative) and n.at is None):
                letter = _put_for(d, above, below)
                if letter is not None:
                    named = replace(d, wrt=base_of(d.wrt), span=(0, 0))
                    yield Definition(letter.name, letter.time, named, s.number, k + 1)


def _goes_on_with(s: Statement, before: Statement) -> bool:
    """Whether a statement begins with = and goes on with the one before it."""
    first = s.continued
    return first is not None and (before.number == first.number or before.continued == first)


def _put_for(d: Derivative, above: Expression, below: Expression) -> Symbol | None:
    """The letter, with the indices of what a derivative is by, that is there for it in the next part alone."""
    if d == above or not isinstance(d.of, Symbol):
        return None
    known = {n.name for n in walk(above) if isinstance(n, Symbol)}
    for n in dict.fromkeys(walk(below)):
        letter = defined_letter(n)
        if letter is None or letter.name in known or indices_of(n) != indices_of(d.wrt):
            continue
        if _with(above, d, n) == below:
            return letter
    return None


def _substituted(above: Expression, below: Expression) -> tuple[Expression, Expression] | None:
    """The letter and what it is, where one part of a derivation differs from the next in that alone."""
    letters = [n for n in walk(above) if isinstance(n, Derivative) and defined_letter(n.of) is not None]
    written_out = [n for n in walk(below) if isinstance(n, Derivative) and _is_value(n.of)]
    for one in letters:
        for other in written_out:
            if one.wrt == other.wrt and one.at == other.at and _with(above, one, other) == below:
                return one.of, other.of
    return _at_the_end(above, below)


def _at_the_end(above: Expression, below: Expression) -> tuple[Expression, Expression] | None:
    """The letter z and what it is in ∂E/∂z ∂z/∂w = (a - t) ∂(w x)/∂w, where the row below also puts another factor in
    the place of ∂E/∂z; None for any other two parts.
    """
    first, second = factors_of(above), factors_of(below)
    if len(first) != 2 or len(second) != 2:
        return None
    (outer, one), (_, other) = first, second
    if not isinstance(outer, Derivative) or not isinstance(one, Derivative) or not isinstance(other, Derivative):
        return None
    same = one.wrt == other.wrt and one.of == outer.wrt and one.at is None and other.at is None
    is_letter = isinstance(one.of, Symbol) and one.of != other.of
    return (one.of, other.of) if same and is_letter and _is_value(other.of) and not has_derivative(second[0]) else None


def _is_value(e: Expression) -> bool:
    """Whether an expression may be what a letter is: one that is computed, without derivatives."""
    return not isinstance(e, Symbol | Entry) and not has_derivative(e) and not any(isinstance(n, Dots) for n in walk(e))


def _with(e: Expression, one: Expression, other: Expression) -> Expression:
    return transform(e, lambda node: other if node == one else node)
