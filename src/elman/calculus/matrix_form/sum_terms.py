"""The summands of a matrix form, and what several of them have in common.

For example, 2 A x and -4 B x are the summands (2, (), (A, x)) and (-4, (), (B, x)): their common coefficient is 2, and
`to_matrix_form.py` finds the common suffix, so that the sum becomes 2 (A - 2 B) x.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from elman.calculus.expression import Add, Expression, Negative, Product, Subtract
from elman.calculus.matrix_form.matrix_products import (
    MatrixProduct,
    Powered,
    as_expression,
    as_matrix_product,
    factors,
    negative,
    signed_sum,
    to_power,
)


@dataclass(frozen=True, slots=True)
class Summand:
    """A number times scalars times a matrix product (`product`) or a product entry by entry (`hadamard`).

    Both are empty where the summand is a scalar; at most one of them is not.
    """

    coefficient: Fraction
    scalars: tuple[Powered, ...]
    product: MatrixProduct = ()
    hadamard: tuple[Powered, ...] = ()

    def matrix_product(self) -> MatrixProduct:
        """The matrix product; a product entry by entry as its one factor."""
        return self.product or (as_matrix_product(self.hadamard) if self.hadamard else ())

    def with_product(self, product: MatrixProduct) -> Summand:
        """The same number and scalars times another product."""
        return replace(self, product=product, hadamard=())

    def with_hadamard(self, factors: tuple[Powered, ...]) -> Summand:
        """The same number and scalars times another product entry by entry."""
        if len(factors) == 1 and factors[0].exponent == 1:
            return self.with_product(factors[0].base)
        return replace(self, product=(), hadamard=factors)

    def without_sign(self) -> Summand:
        """The same with a positive coefficient."""
        return replace(self, coefficient=abs(self.coefficient))

    def hadamard_factors(self) -> tuple[Powered, ...]:
        """The factors of a product entry by entry; the whole matrix product as one where it is none."""
        if self.hadamard or len(self.product) != 1:
            return self.hadamard or ((Powered(self.product),) if self.product else ())
        stack, found = [self.product[0]], []
        while stack:
            e = stack.pop()
            if isinstance(e, Product) and e.operator == "∘":
                stack += [e.right, e.left]
            else:
                found.append(Powered(factors(e)))
        return tuple(found)


def scalar(f: Powered) -> Expression:
    """A scalar with its power."""
    return to_power(as_expression(f.base), f.exponent, elementwise=False)


def common_factors(listed: Iterable[Sequence[Powered]]) -> tuple[Powered, ...]:
    """The factors that are in every list, each as often as all lists have it."""
    first, *others = (Counter(factors) for factors in listed)
    for other in others:
        first &= other
    return tuple(first.elements())


def without(factors: Iterable[Powered], common: Iterable[Powered]) -> tuple[Powered, ...]:
    """`factors` without `common`, each removed as often as it is in `common`."""
    rest = list(factors)
    for factor in common:
        rest.remove(factor)
    return tuple(rest)


def powers_added(factors: Iterable[Powered]) -> list[Powered]:
    """Equal scalars as one with the sum of the exponents."""
    powers: dict[MatrixProduct, Fraction] = {}
    for base, exponent in factors:
        powers[base] = powers.get(base, Fraction(0)) + exponent
    return [Powered(base, exponent) for base, exponent in powers.items() if exponent]


def common_coefficient(coefficients: Sequence[Fraction]) -> Fraction:
    """What to take out of a sum: the greatest common divisor, with a minus where no coefficient is positive."""
    sign = -1 if all(c < 0 for c in coefficients) else 1
    sizes = {abs(c) for c in coefficients}
    if len(sizes) == 1:
        return sign * sizes.pop()
    if all(c.denominator == 1 for c in sizes):
        return Fraction(sign * math.gcd(*(int(c) for c in sizes)))
    return Fraction(sign)


def summands(e: Expression) -> list[Expression]:
    """The summands of a sum, in order: a, -b and c of a - b + c."""
    if isinstance(e, Negative):
        return [negative(part) for part in summands(e.of)]
    if isinstance(e, Subtract):
        return [*summands(e.left), *(negative(part) for part in summands(e.right))]
    return [*summands(e.left), *summands(e.right)] if isinstance(e, Add) else [e]


def sum_in_order(terms: Sequence[Expression]) -> Expression:
    """The sum of at least one term in the given order, without parentheses: a - b + c of a, -b, c."""
    total, *rest = terms
    for term in rest:
        total = _added(total, term, negative=False)
    return total


def _added(a: Expression, b: Expression, negative: bool) -> Expression:
    """a + b, or a - b where `negative`."""
    if isinstance(b, Negative):
        return _added(a, b.of, not negative)
    if isinstance(b, Add | Subtract):
        return _added(_added(a, b.left, negative), b.right, negative != isinstance(b, Subtract))
    return Subtract(a, b) if negative else Add(a, b)


def flat_sum(terms: Iterable[tuple[Fraction, Expression]]) -> Expression:
    """A sum of sums without parentheses; each term has the sign 1 or -1."""
    flat: list[tuple[Fraction, Expression]] = []
    for term in terms:
        stack = [term]
        while stack:
            sign, e = stack.pop()
            if isinstance(e, Add | Subtract):
                stack.append((-sign if isinstance(e, Subtract) else sign, e.right))
                stack.append((sign, e.left))
            else:
                flat.append((sign, e))
    return signed_sum(flat)
