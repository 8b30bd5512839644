"""Products of matrices as tuples of factors, and the expressions that they make.

While a matrix form is built, a product is the tuple of its factors, from left to right: (A, x) is A x. `Powered` is
such a product to an entrywise power: ((A, x), 2) is (A x)^{∘2}. `as_expression` and `entrywise_product` turn them into
expressions without needless parentheses: (X, X, y) becomes X^2 y, and x, (A x)^2, y^-1 become (A x)^{∘2} ∘ x / y.
"""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from typing import NamedTuple

from elman.calculus.expression import Add, Call, Expression, Inverse, Negative, Number, Power, Product, Subtract, Symbol

MatrixProduct = tuple[Expression, ...]
ONE = Number(Fraction(1))


class Powered(NamedTuple):
    """A column, a matrix or a scalar, as the product `base`, to an entrywise power."""

    base: MatrixProduct
    exponent: Fraction = Fraction(1)


# --- products by juxtaposition ---


def product(factors: Iterable[Expression]) -> Expression:
    """The product of at least one factor; a dot separates a first factor that is itself a product (a scalar)."""
    first, *rest = factors
    for k, e in enumerate(rest):
        dotted = k == 0 and isinstance(first, Product) and first.operator in ("", "·")
        first = Product(first, e, "·" if dotted else "")
    return first


def factors(e: Expression) -> MatrixProduct:
    """The factors of a product by juxtaposition, from left to right; `e` alone where it is none."""
    if isinstance(e, Product) and e.operator == "":
        return (*factors(e.left), e.right)
    return (e,)


def powers_joined(factors: MatrixProduct) -> MatrixProduct:
    """X X X as X^3, X^T X^T as (X^T)^2. A factor beside its equal is square, so it has powers."""
    result: list[Expression] = []
    counts: list[int] = []
    for e in factors:
        if result and result[-1] == e:
            counts[-1] += 1
        else:
            result.append(e)
            counts.append(1)
    return tuple(e if n == 1 else Power(e, Number(Fraction(n))) for e, n in zip(result, counts, strict=True))


def as_expression(factors: MatrixProduct) -> Expression:
    """The product of at least one factor, equal neighbours as powers."""
    return product(powers_joined(factors))


def scaled(coefficient: Fraction, factors: MatrixProduct) -> Expression:
    """A number times a product: 2 A x, -A x."""
    if coefficient < 0:
        return negative(scaled(-coefficient, factors))
    if not factors:
        return Number(coefficient)
    return product(factors if coefficient == 1 else (Number(coefficient), *factors))


# --- products entry by entry ---


def hadamard(expressions: Iterable[Expression]) -> Expression:
    """The product entry by entry of at least one expression."""
    first, *rest = expressions
    for e in rest:
        first = Product(first, e, "∘")
    return first


def display_rank(f: Powered) -> int:
    """The place of a factor in a product entry by entry: products, symbols, functions, sums, derivatives."""
    if len(f.base) > 1:
        return 0
    e = f.base[-1]
    if isinstance(e, Call):
        return 4 if e.primes else 2
    return 3 if isinstance(e, Add | Subtract) else 1


def entrywise_product(factors: Iterable[Powered]) -> Expression:
    """The product entry by entry, negative powers below a fraction line."""
    ordered = sorted(factors, key=display_rank)
    above = [to_power(as_expression(f.base), f.exponent) for f in ordered if f.exponent > 0]
    below = [to_power(as_expression(f.base), -f.exponent) for f in ordered if f.exponent < 0]
    result = hadamard(above) if above else ONE
    return quotient(result, hadamard(below)) if below else result


def as_matrix_product(factors: Iterable[Powered]) -> MatrixProduct:
    """A product entry by entry as a matrix product: the base of a single factor, or else one factor."""
    factors = tuple(factors)
    if len(factors) == 1 and factors[0].exponent == 1:
        return factors[0].base
    return (entrywise_product(factors),)


def diagonal_matrix(factors: Iterable[Powered]) -> Expression:
    """diag(v) of a vector; D itself of the diagonal of a diagonal matrix D."""
    v = entrywise_product(factors)
    if isinstance(v, Call) and v.function == "diag" and v.operand == "matrix" and _is_diagonal(v.arguments[0]):
        return v.arguments[0]
    return Call("diag", (v,), operand="vector")


def _is_diagonal(e: Expression) -> bool:
    """Whether a matrix is one that is given as diagonal, or its inverse."""
    return _is_diagonal(e.of) if isinstance(e, Inverse) else isinstance(e, Symbol) and e.structure == "diagonal"


def diagonal_of(factors: MatrixProduct) -> Expression:
    """diag(A), the diagonal of a matrix as a column."""
    return Call("diag", (as_expression(factors),), operand="matrix")


# --- signs, quotients, powers ---


def negative(e: Expression) -> Expression:
    """-e, without a double sign."""
    if isinstance(e, Negative):
        return e.of
    if isinstance(e, Number):
        return Number(-e.value)
    return Negative(e)


def signed_sum(terms: Iterable[tuple[Fraction, Expression]]) -> Expression:
    """A sum of terms with the signs 1 or -1, a positive one first where there is one."""
    ordered = sorted(terms, key=lambda term: term[0] < 0)
    sign, result = ordered[0]
    if sign < 0:
        result = negative(result)
    for sign, e in ordered[1:]:
        result = Subtract(result, e) if sign < 0 else Add(result, e)
    return result


def quotient(above: Expression, below: Expression) -> Expression:
    """above / below."""
    return Product(above, below, "/")


def inverse(e: Expression) -> Expression:
    """The inverse of a matrix, without a double inverse."""
    return e.of if isinstance(e, Inverse) else Inverse(e)


def to_power(e: Expression, exponent: Fraction, elementwise: bool = True) -> Expression:
    """`e` to a positive power."""
    if exponent == 1:
        return e
    if exponent == Fraction(1, 2):
        return Call("sqrt", (e,))
    return Power(e, Number(exponent), elementwise=elementwise)
