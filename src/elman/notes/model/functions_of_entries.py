"""Functions that a page writes of one entry although they depend on all: s(z_i) = e^{z_i} / Σ_j e^{z_j}.

Such an equation says what s(z_k) is for every entry of every letter; s(z) is the whole column, a softmax. Where a page
writes the softmax σ(z)_i = e^{z_i} / Σ_j e^{z_j}, σ(z) is no sigmoid from there on; nor is any other σ, unless that of
another letter stands above.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TypeGuard

from elman.calculus.expression import Apply, BigSum, Call, Entry, Expression, Index, Product, Symbol, transform, walk
from elman.notes.model.page_model import Statement
from elman.notes.model.statement_kinds import has_free_indices, is_of_entry


@dataclass(frozen=True, slots=True)
class _OfEntry:
    """f(X_ij) = value; `axis`, where f(X) is a softmax along it."""

    letter: str
    indices: tuple[Index, ...]
    value: Expression
    axis: int | None


def with_functions_of_entries(statements: Sequence[Statement]) -> tuple[Statement, ...]:
    """The statements with such functions replaced by what they are, but for the equations that say it; in
    a_i = s(z_i) = e^{z_i} / Σ_j e^{z_j}, which says what a_i is, too.
    """
    statements = _with_softmax_for_sigma(statements)
    found: dict[str, _OfEntry] = {}
    for s in statements:
        for left, value in pairwise(s.parts):
            if is_of_entry(left, value):
                assert isinstance(left, Call | Apply)
                entry = left.arguments[0]
                assert isinstance(entry, Entry)
                assert isinstance(entry.of, Symbol)
                found.setdefault(_name(left), _OfEntry(entry.of.name, entry.indices, value, _axis(entry, value)))
    if not found:
        return tuple(statements)

    def change(node: Expression) -> Expression:
        return _applied(node, found)

    changed = []
    for s in statements:
        says = len(s.parts) > 1 and is_of_entry(s.parts[0], s.parts[1])
        kept = s.parts[:1] if says else ()
        changed.append(s.with_parts((*kept, *(transform(part, change) for part in s.parts[len(kept) :]))))
    return tuple(changed)


def _with_softmax_for_sigma(statements: Sequence[Statement]) -> tuple[Statement, ...]:
    """The statements with softmax(z) for σ(z) from the equation on that says so; for any σ where none above is of
    another letter, and none of another letter has an equation of its own, σ(x) = 1 / (1 + e^{-x}).
    """
    named = next(((k, of) for k, s in enumerate(statements) if (of := _named_softmax(s)) is not None), None)
    if named is None:
        return tuple(statements)
    first, letter = named
    above = [n for s in statements[:first] for n in s.nodes() if is_sigma(n)]
    own = [s.parts[0] for s in statements if s.is_equation and is_sigma(s.parts[0])]
    others = any(letter not in walk(node) for node in (*above, *own))
    first = first if others else 0

    def change(node: Expression) -> Expression:
        if not is_sigma(node) or (others and letter not in walk(node)):
            return node
        (argument,) = node.arguments
        if isinstance(argument, Entry):
            return Entry(Call("softmax", (argument.of,), latex=node.latex), argument.indices, span=node.span)
        return replace(node, function="softmax")

    return (*statements[:first], *(s.transformed(change) for s in statements[first:]))


def is_sigma(e: Expression) -> TypeGuard[Call]:
    """Whether this is σ of one argument, and no derivative of it."""
    return isinstance(e, Call) and e.function == "sigmoid" and not e.primes and len(e.arguments) == 1


def _named_softmax(s: Statement) -> Symbol | None:
    """z, where a statement says σ(z)_i = e^{z_i} / Σ_j e^{z_j}."""
    for left, value in pairwise(s.parts):
        if isinstance(left, Entry) and is_sigma(left.of) and has_free_indices(left):
            (of,) = left.of.arguments
            if isinstance(of, Symbol) and _axis(Entry(of, left.indices), value) is not None:
                return of
    return None


def _name(e: Call | Apply) -> str:
    return e.function if isinstance(e, Call) else e.name


def _applied(node: Expression, known: Mapping[str, _OfEntry]) -> Expression:
    """The value of a function of an entry, where it is one of those that are known."""
    if not isinstance(node, Call | Apply) or node.primes or len(node.arguments) != 1 or _name(node) not in known:
        return node
    function, (argument,) = known[_name(node)], node.arguments
    if not (isinstance(argument, Entry) and isinstance(argument.of, Symbol)):
        whole = function.axis is not None
        return Call("softmax", (argument,), axis=function.axis or None, span=node.span) if whole else node
    if len(argument.indices) != len(function.indices):
        softmax = Call("softmax", (argument.of,))
        return node if function.axis is None else Entry(softmax, argument.indices, span=node.span)
    return replace(_at(function, argument), span=node.span)


def _at(function: _OfEntry, argument: Entry) -> Expression:
    """The value of a function at an entry; what its sums run over has a letter that the entry has not."""
    used = {i.variable for i in argument.indices}
    bound = {n.index for n in walk(function.value) if isinstance(n, BigSum)}
    fresh = {name: f"{name}1" if name in used else name for name in bound}
    to = {str(i.variable): new for i, new in zip(function.indices, argument.indices, strict=True)}
    to |= {name: Index(new) for name, new in fresh.items()}

    def change(node: Expression) -> Expression:
        if isinstance(node, Symbol) and node.name == function.letter:
            return argument.of
        if isinstance(node, BigSum):
            return replace(node, index=fresh[node.index])
        if isinstance(node, Entry):
            moved = (replace(to[i.variable], offset=i.offset) if i.variable in bound else _moved(i, to)
                     for i in node.indices)  # fmt: skip
            return replace(node, indices=tuple(moved))
        return node

    return transform(function.value, change)


def _moved(i: Index, to: Mapping[str, Index]) -> Index:
    new = to.get(i.variable or "")
    return i if new is None else replace(new, offset=new.offset + i.offset)


def _axis(entry: Entry, value: Expression) -> int | None:
    """The axis of the softmax that a value is of an entry: 1 along the rows of a matrix; None if it is no softmax."""
    if not (isinstance(value, Product) and value.operator == "/" and value.left == Call("exp", (entry,))):
        return None
    total = value.right
    if not isinstance(total, BigSum):
        return None
    for place, index in enumerate(entry.indices):
        moved = (*entry.indices[:place], Index(total.index), *entry.indices[place + 1 :])
        if index.variable and total.body == Call("exp", (replace(entry, indices=moved),)):
            return place
    return None
