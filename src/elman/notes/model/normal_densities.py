"""The density N(x | m, S) of a normal distribution, on a page that does not write it out.

It is det(2π S)^{-1/2} e^{-(x - m)^T S^{-1} (x - m) / 2}, for numbers as for columns. S is the covariance: where the
third argument may be something else, as the σ of N(x | m, σ), the density stays a function that is not known.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

from elman.calculus.expression import (
    Apply,
    Call,
    Constant,
    Expression,
    Identity,
    Inverse,
    Negative,
    Number,
    Power,
    Product,
    Subtract,
    Symbol,
    Transpose,
    base_of,
    walk,
)
from elman.notes.model.page_model import Statement

DENSITY = "normal"
_TWO, _HALF = Number(Fraction(2)), Number(Fraction(1, 2))
_COVARIANCES = frozenset(("Sigma", "S", "C", "K", "V", "R", "Q", "P"))


def with_normal_densities(statements: Sequence[Statement]) -> tuple[Statement, ...]:
    """The statements with such densities written out, where no equation says what N(x | m, S) is."""
    if any(isinstance(s.parts[0], Apply) and s.parts[0].name == DENSITY for s in statements if len(s.parts) > 1):
        return tuple(statements)
    return tuple(s.transformed(_written_out) for s in statements)


def _written_out(node: Expression) -> Expression:
    if not isinstance(node, Apply) or node.name != DENSITY or not _is_covariance(node.arguments[-1]):
        return node
    x, mean, covariance = node.arguments
    apart = Subtract(x, mean)
    squared = Product(Product(Transpose(apart), Inverse(covariance)), apart)
    exponent = Negative(Product(_HALF, squared))
    spread = Product(Product(_TWO, Constant("pi")), covariance)
    factor = Power(Call("det", (spread,)), Negative(_HALF))
    return replace(Product(factor, Call("exp", (exponent,))), span=node.span)


def _is_covariance(e: Expression) -> bool:
    """Whether an expression is a covariance, or the square of a deviation: Σ_k, Λ^{-1}, σ^2, σ^2 I."""
    letter = base_of(e)
    if isinstance(letter, Symbol):
        stem, _, label = letter.name.partition("_")
        return stem in _COVARIANCES or "squared" in label
    return any(isinstance(n, Inverse | Identity) or (isinstance(n, Power) and n.exponent == _TWO) for n in walk(e))
