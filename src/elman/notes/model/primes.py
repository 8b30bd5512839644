"""Primes of whole expressions: (1 / (1 + e^{-x}))' in a derivation of σ(x)' is a derivative by x and no transpose."""

from __future__ import annotations

from collections.abc import Sequence

from elman.calculus.expression import Apply, Call, Derivative, Entry, Expression, Symbol, Transpose, symbols
from elman.notes.model.page_model import Statement


def with_primes_of_expressions(statements: Sequence[Statement]) -> tuple[Statement, ...]:
    """The statements, those about f(x)' that have no letter but x with derivatives for their transposes."""
    return tuple(map(_with_derivatives, statements))


def _with_derivatives(s: Statement) -> Statement:
    left = s.parts[0]
    if not (isinstance(left, Derivative) and isinstance(left.of, Call | Apply) and isinstance(left.wrt, Symbol)):
        return s
    by = left.wrt
    nodes = list(s.nodes())
    if {n for part in s.parts for n in symbols(part)} != {by} or any(isinstance(n, Entry) for n in nodes):
        return s
    if not any(isinstance(n, Transpose) for n in nodes):
        return s

    def change(node: Expression) -> Expression:
        return Derivative(node.of, by, span=node.span) if isinstance(node, Transpose) else node

    return s.transformed(change)
