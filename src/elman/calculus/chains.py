"""Chains of matrices, and the expressions they make: products without needless parentheses and transposes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from fractions import Fraction

from elman.calculus.expression import (
    Add,
    Call,
    Expression,
    Identity,
    Inverse,
    Negative,
    Number,
    Power,
    Product,
    Subtract,
    Transpose,
    walk,
)

Chain = tuple[Expression, ...]
ONE = Number(Fraction(1))


def turned(e: Expression) -> Expression:
    """The transpose of one element of a chain."""
    if isinstance(e, Transpose):
        return e.of
    if isinstance(e, Identity | Number) or (isinstance(e, Call) and e.function == "diag" and e.latex == "vector"):
        return e
    return Transpose(e)


def turned_chain(chain: Chain) -> Chain:
    """The transpose of a product."""
    return tuple(turned(e) for e in reversed(chain))


def transposes(e: Expression | Chain) -> int:
    """How many transposes are written in an expression or a chain."""
    parts = e if isinstance(e, tuple) else (e,)
    return sum(isinstance(node, Transpose) for part in parts for node in walk(part))


def product(chain: Iterable[Expression]) -> Expression:
    """A chain as one product, equal neighbours as powers."""
    elements = list(chain)
    joined: list[Expression] = []
    for e in elements:
        joined.append(e)
    result = joined[0]
    for e in joined[1:]:
        result = Product(result, e)
    return result


def powers_joined(chain: Chain) -> Chain:
    """X X X as X^3, X^T X^T as (X^T)^2; only for elements that are square because they stand behind themselves."""
    result: list[Expression] = []
    counts: list[int] = []
    for e in chain:
        if result and result[-1] == e:
            counts[-1] += 1
        else:
            result.append(e)
            counts.append(1)
    return tuple(e if n == 1 else Power(e, Number(Fraction(n))) for e, n in zip(result, counts, strict=True))


def expression(chain: Chain) -> Expression:
    """A chain of at least one element as an expression."""
    return product(powers_joined(chain))


def hadamard(parts: Iterable[Expression]) -> Expression:
    """Parts multiplied entry by entry."""
    first, *rest = parts
    for e in rest:
        first = Product(first, e, "∘")
    return first


def negative(e: Expression) -> Expression:
    """-e, the sign where one would write it."""
    if isinstance(e, Negative):
        return e.of
    if isinstance(e, Number):
        return Number(-e.value)
    return Negative(e)


def added(parts: Iterable[tuple[Fraction, Expression]]) -> Expression:
    """A sum of signed parts (the fractions are 1 or -1), one that is not negative in front where there is one."""
    listed = list(parts)
    listed.sort(key=lambda part: part[0] < 0)
    sign, result = listed[0]
    if sign < 0:
        result = negative(result)
    for sign, e in listed[1:]:
        result = Subtract(result, e) if sign < 0 else Add(result, e)
    return result


def scaled(coefficient: Fraction, e: Expression) -> Expression:
    """A number times an expression: 2 A x, A x / 2, -A x."""
    if coefficient < 0:
        return negative(scaled(-coefficient, e))
    if coefficient == 1:
        return e
    if e == ONE:
        return Number(coefficient)
    return _in_front(Number(coefficient), e)


def _in_front(scalar: Expression, e: Expression) -> Expression:
    """A scalar in front of the first factor of a product."""
    if isinstance(e, Product) and e.operator in ("", "·"):
        return replace(e, left=_in_front(scalar, e.left))
    if isinstance(e, Product) and e.operator == "/":
        return replace(e, left=_in_front(scalar, e.left)) if e.left != ONE else replace(e, left=scalar)
    return Product(scalar, e)


def over(above: Expression, below: Expression) -> Expression:
    """A quotient."""
    return Product(above, below, "/")


def inverse(e: Expression) -> Expression:
    """The inverse of a matrix."""
    return e.of if isinstance(e, Inverse) else Inverse(e)
