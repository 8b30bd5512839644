"""Functions that a page defines by an equation, f(x) = x^2, and losses written with what they depend on, L(y, ŷ).

f(x) is the letter f, whose equation has the letter x; f(W x) is that equation with W x for x. A function that the page
never defines stays as it is, but for a loss: L(y, ŷ) and L are one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from elman.calculus.expression import Apply, Derivative, Expression, Symbol, transform, walk
from elman.notes.model.page_model import Statement

_DEEPEST = 4  # functions within functions that are replaced by their equations


@dataclass(frozen=True, slots=True)
class _Function:
    """f(x) = value; `value` is None where the page gives the letter no plain value."""

    name: str
    parameters: tuple[Expression, ...]
    value: Expression | None


def with_letters_for_functions(statements: Sequence[Statement]) -> tuple[Statement, ...]:
    """The statements with every application of a function that the page defines replaced."""
    known = {f.name: f for f in map(_function, reversed(statements)) if f is not None}
    losses = _losses(statements) - set(known)
    if not known and not losses:
        return tuple(statements)
    found = []
    for s in statements:
        function = _function(s)
        if function is not None:
            known = {**known, function.name: function}
        parts = tuple(_replaced(part, known, losses, k == 0) for k, part in enumerate(s.parts))
        found.append(replace(s, relation=replace(s.relation, parts=parts)))
    return tuple(found)


def _function(s: Statement) -> _Function | None:
    """The function that a statement defines: f(x, y) = …"""
    left = s.parts[0]
    if len(s.parts) < 2 or not isinstance(left, Apply) or left.primes or s.relation.operators[0] not in ("=", ":="):
        return None
    if not all(isinstance(a, Symbol) for a in left.arguments):
        return None
    value = s.parts[1]
    plain = not any(isinstance(n, Derivative) or (isinstance(n, Apply) and n.name == left.name) for n in walk(value))
    return _Function(left.name, left.arguments, value if plain else None)


def _losses(statements: Sequence[Statement]) -> set[str]:
    """Functions of letters that are differentiated, or that stand without arguments elsewhere: L(y, ŷ)."""
    found, plain, other = set[str](), set[str](), set[str]()
    for part in (part for s in statements for part in s.parts):
        for node in walk(part):
            if isinstance(node, Derivative) and isinstance(node.of, Apply):
                found.add(node.of.name)
            if isinstance(node, Symbol):
                plain.add(node.name)
            if isinstance(node, Apply) and not (all(isinstance(a, Symbol) for a in node.arguments) and not node.primes):
                other.add(node.name)
    applied = {n.name for s in statements for part in s.parts for n in walk(part) if isinstance(n, Apply)}
    return (found | (plain & applied)) - other


def _replaced(
    e: Expression, known: Mapping[str, _Function], losses: set[str], is_left: bool, depth: int = 0
) -> Expression:
    def change(node: Expression) -> Expression:
        if not isinstance(node, Apply):
            return node
        letter = Symbol(node.name, latex=node.latex or node.name, span=node.span)
        if node.name in losses:
            return letter
        function = known.get(node.name)
        if function is None:
            return node
        if node.arguments == function.parameters or (is_left and node is e):
            return _derivative(letter, function, node.primes) or node
        if node.primes or function.value is None or depth >= _DEEPEST:
            return node
        within = dict(zip(function.parameters, node.arguments, strict=False))
        if len(node.arguments) != len(function.parameters):
            return node
        value = transform(function.value, lambda n: within.get(n, n) if isinstance(n, Symbol) else n)
        return replace(_replaced(value, known, losses, False, depth + 1), span=node.span)

    return transform(e, change)


def _derivative(letter: Symbol, function: _Function, primes: int) -> Expression | None:
    """f'(x) as ∂f/∂x; None where f has several arguments."""
    if primes == 0:
        return letter
    if primes > 1 or len(function.parameters) != 1:
        return None
    return Derivative(letter, function.parameters[0], span=letter.span)
