"""Transposes where a person would write them: (A B)^T as B^T A^T, (U^T δ^T ∘ h)^T as (δ U) ∘ h^T."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from elman.calculus.expression import (
    Add,
    Expression,
    Negative,
    Product,
    Subtract,
    Transpose,
    walk,
)


def as_rows(e: Expression) -> Expression:
    """The transpose of a gradient, with every transpose where a person would write it."""
    return tidy(Transpose(e))


def tidy(e: Expression) -> Expression:
    """A transpose, moved inside where that reads better; anything else as it is."""
    if not isinstance(e, Transpose):
        return e
    of = e.of
    if isinstance(of, Transpose):
        return of.of
    if isinstance(of, Negative):
        return Negative(tidy(Transpose(of.of)))
    if isinstance(of, Add | Subtract) and _has_transposes(of):
        return replace(of, left=tidy(Transpose(of.left)), right=tidy(Transpose(of.right)))
    if isinstance(of, Product) and of.operator in ("", "·"):
        return replace(of, left=tidy(Transpose(of.right)), right=tidy(Transpose(of.left)))
    if isinstance(of, Product) and of.operator == "∘":
        return _hadamard_turned(of)
    return e


def _hadamard_turned(e: Product) -> Expression:
    """(Uᵀ δᵀ ∘ h ∘ (1 - h))ᵀ as (δ U) ∘ (h ∘ (1 - h))ᵀ: products turned one by one, the rest together."""
    factors: list[Expression] = []

    def visit(node: Expression) -> None:
        if isinstance(node, Product) and node.operator == "∘":
            visit(node.left)
            visit(node.right)
        else:
            factors.append(node)

    visit(e)
    turned = [f for f in factors if _has_transposes(f)]
    rest = [f for f in factors if not _has_transposes(f)]
    parts = [tidy(Transpose(f)) for f in turned]
    if rest:
        parts.append(Transpose(_joined(rest)))
    return _joined(parts)


def _joined(parts: Sequence[Expression]) -> Expression:
    total = parts[-1]
    for part in reversed(parts[:-1]):
        total = Product(part, total, "∘")
    return total


def _has_transposes(e: Expression) -> bool:
    return any(isinstance(node, Transpose) for node in walk(e))
