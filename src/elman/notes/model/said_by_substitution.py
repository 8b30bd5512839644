"""Definitions that a derivation states by putting what a letter is in its place.

∂E/∂z ∂z/∂w = ∂E/∂z ∂(w x + b)/∂w says that z is w x + b, whatever else the page says of z.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from elman.calculus.expression import (
    Derivative,
    Dots,
    Entry,
    Expression,
    Symbol,
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
