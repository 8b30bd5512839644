"""Primes: (1 / (1 + e^{-x}))' in a derivation of σ(x)' is a derivative by x and no transpose, and g^{'}(z), which is
read as a function g_prime, is the derivative of g at z.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from elman.calculus.expression import Apply, Call, Derivative, Entry, Expression, Symbol, Transpose, symbols
from elman.notes.model.page_model import Statement

_PRIME = "_prime"  # at the end of a name


def with_primes_of_expressions(statements: Sequence[Statement]) -> tuple[Statement, ...]:
    """The statements, those about f(x)' that have no letter but x with derivatives for their transposes."""
    return tuple(map(_with_derivatives, statements))


def _with_derivatives(s: Statement) -> Statement:
    by = _argument(s.parts[0])
    if by is None:
        return s
    nodes = list(s.nodes())
    if {n for part in s.parts for n in symbols(part)} != {by} or any(isinstance(n, Entry) for n in nodes):
        return s
    if not any(isinstance(n, Transpose) for n in nodes):
        return s

    def change(node: Expression) -> Expression:
        return Derivative(node.of, by, span=node.span) if isinstance(node, Transpose) else node

    return s.transformed(change)


def _argument(left: Expression) -> Symbol | None:
    """The letter x of σ(x)' and σ'(x); None for any other left side."""
    if isinstance(left, Derivative) and isinstance(left.of, Call | Apply):
        return left.wrt if isinstance(left.wrt, Symbol) else None
    if isinstance(left, Call | Apply) and left.primes == 1 and len(left.arguments) == 1:
        return left.arguments[0] if isinstance(left.arguments[0], Symbol) else None
    return None


def with_primed_functions(statements: Sequence[Statement]) -> tuple[Statement, ...]:
    """The statements with derivatives of functions for functions with a prime as a part of their name, where the page
    applies the function without one, too.
    """
    applied = {n.name for s in statements for n in s.nodes() if isinstance(n, Apply)}
    primed = {name for name in applied if name.endswith(_PRIME) and name.removesuffix(_PRIME) in applied}
    if not primed:
        return tuple(statements)

    def change(node: Expression) -> Expression:
        if not isinstance(node, Apply) or node.name not in primed:
            return node
        name, latex = node.name.removesuffix(_PRIME), node.latex.partition("^")[0].partition("'")[0]
        return replace(node, name=name, primes=node.primes + 1, latex=latex)

    return tuple(s.transformed(change) for s in statements)
