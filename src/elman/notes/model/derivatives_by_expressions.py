"""Derivatives by what is no letter: ∇_{Σ^{-1}} ln |Σ|, and ∂ ln σ(z)/∂σ(z) of a chain."""

from __future__ import annotations

from elman.calculus.expression import Call, Derivative, Entry, Expression, Inverse, Symbol
from elman.calculus.functions import ELEMENTWISE
from elman.notes.model.page_model import Statement

_INVERSE = "inverse"


def inverse_name(name: str) -> str:
    """The name of the letter that stands for the inverse of another."""
    return f"{name}_{_INVERSE}"


def with_letters_for_inverses(s: Statement) -> Statement | None:
    """The statement with a letter P for Σ^{-1}, and P^{-1} for Σ, where it differentiates by Σ^{-1}; None elsewhere."""
    inverted = {
        n.wrt.of.name
        for n in s.nodes()
        if isinstance(n, Derivative) and isinstance(n.wrt, Inverse) and isinstance(n.wrt.of, Symbol)
    }

    def change(node: Expression) -> Expression:
        if isinstance(node, Symbol) and node.name in inverted:
            latex = rf"{{{node.latex or node.name}}}^{{-1}}"
            return Inverse(Symbol(inverse_name(node.name), latex=latex, span=node.span), span=node.span)
        if isinstance(node, Inverse) and isinstance(node.of, Inverse):
            return node.of.of
        return node

    return s.transformed(change) if inverted else None


def with_derivatives_by_arguments(s: Statement) -> Statement | None:
    """The statement with f'(u) for ∂f(u)/∂u, where u is an expression and f works entry by entry; None for a statement
    without such a derivative.
    """

    def change(node: Expression) -> Expression:
        if not isinstance(node, Derivative) or node.at is not None or isinstance(node.wrt, Symbol | Entry):
            return node
        of = node.of
        if not isinstance(of, Call) or of.function not in ELEMENTWISE or of.primes or of.arguments != (node.wrt,):
            return node
        return Call(of.function, of.arguments, 1, latex=of.latex, span=node.span)

    changed = s.transformed(change)
    return changed if changed != s else None
