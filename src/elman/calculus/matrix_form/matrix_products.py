"""Chains of matrices, and the expressions they make: products without needless parentheses and transposes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
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
Part = tuple[Chain, Fraction]  # a column, or a matrix from one index to another, and its power entry by entry
ONE = Number(Fraction(1))


def turned(e: Expression) -> Expression:
    """The transpose of one element of a chain."""
    if isinstance(e, Transpose):
        return e.of
    return e if is_symmetric(e) else Transpose(e)


def is_symmetric(e: Expression) -> bool:
    """Whether `e` is written so that its symmetry shows: I, diag(v), X^T X, A + A^T and what is made of such."""
    match e:
        case Identity() | Number():
            return True
        case Call():
            return e.function == "diag" and e.latex == "vector"
        case Inverse() | Negative():
            return is_symmetric(e.of)
        case Power(elementwise=False):
            return is_symmetric(e.of)
        case Add():
            return (is_symmetric(e.left) and is_symmetric(e.right)) or turned(e.left) == e.right
        case Subtract():
            return is_symmetric(e.left) and is_symmetric(e.right)
        case Product(operator=""):
            chain = factors(e)
            return len(chain) > 1 and all(turned(a) == b for a, b in zip(chain, reversed(chain), strict=True))
    return False


def turned_chain(chain: Chain) -> Chain:
    """The transpose of a product."""
    return tuple(turned(e) for e in reversed(chain))


def transposes(e: Expression | Chain) -> int:
    """How many transposes are written in an expression or a chain."""
    parts = e if isinstance(e, tuple) else (e,)
    return sum(isinstance(node, Transpose) for part in parts for node in walk(part))


def product(chain: Iterable[Expression]) -> Expression:
    """A chain as one product. A product as its first element, a scalar, is set off by a dot."""
    first, *rest = chain
    for k, e in enumerate(rest):
        dotted = k == 0 and isinstance(first, Product) and first.operator in ("", "·")
        first = Product(first, e, "·" if dotted else "")
    return first


def factors(e: Expression) -> Chain:
    """The factors of a product by juxtaposition, from left to right."""
    if isinstance(e, Product) and e.operator == "":
        return (*factors(e.left), e.right)
    return (e,)


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


def scaled(coefficient: Fraction, chain: Chain) -> Expression:
    """A number times a chain: 2 A x, -A x."""
    if coefficient < 0:
        return negative(scaled(-coefficient, chain))
    if not chain:
        return Number(coefficient)
    return product(chain if coefficient == 1 else (Number(coefficient), *chain))


def over(above: Expression, below: Expression) -> Expression:
    """A quotient."""
    return Product(above, below, "/")


def inverse(e: Expression) -> Expression:
    """The inverse of a matrix."""
    return e.of if isinstance(e, Inverse) else Inverse(e)


def transposed(e: Expression, is_scalar: Callable[[Expression], bool]) -> Expression:
    """The transpose of an expression, written with as few transposes as can be."""
    if is_scalar(e):
        return e
    match e:
        case Negative():
            return Negative(transposed(e.of, is_scalar))
        case Add() | Subtract():
            left, right = transposed(e.left, is_scalar), transposed(e.right, is_scalar)
            inside = replace(e, left=left, right=right)
            products = all(len(_numerator(part)) > 1 for part in _parts(e))
            if not products and transposes(inside) > transposes(e) + 1:
                return Transpose(e)
            first_has_more = isinstance(e, Add) and transposes(left) > transposes(right)
            return Add(right, left) if first_has_more else inside
        case Product(operator=""):
            chain = factors(e)
            front = next((k for k, f in enumerate(chain) if not is_scalar(f)), len(chain))
            return product([*chain[:front], *(transposed(f, is_scalar) for f in reversed(chain[front:]))])
        case Product(operator="·") if is_scalar(e.left):
            return replace(e, right=transposed(e.right, is_scalar))
        case Product(operator="/") if is_scalar(e.right):
            return replace(e, left=transposed(e.left, is_scalar))
        case Power(elementwise=False):
            return replace(e, of=transposed(e.of, is_scalar))
    return turned(e)


def _parts(e: Expression) -> list[Expression]:
    """The parts of a sum."""
    return [*_parts(e.left), *_parts(e.right)] if isinstance(e, Add | Subtract) else [e]


def _numerator(e: Expression) -> Chain:
    return _numerator(e.left) if isinstance(e, Product) and e.operator == "/" else factors(e)


def powered(e: Expression, exponent: Fraction, elementwise: bool = True) -> Expression:
    """`e` to a positive power."""
    if exponent == 1:
        return e
    if exponent == Fraction(1, 2):
        return Call("sqrt", (e,))
    return Power(e, Number(exponent), elementwise=elementwise)


def rank(part: Part) -> int:
    """Where a part stands in a product entry by entry: products first, then symbols, functions, sums, slopes."""
    e = part[0][-1]
    if len(part[0]) > 1:
        return 0
    if isinstance(e, Call):
        return 4 if e.primes else 2
    return 3 if isinstance(e, Add | Subtract) else 1


def entrywise(parts: list[Part]) -> Expression:
    """Parts multiplied entry by entry, negative powers below a fraction line."""
    ordered = sorted(parts, key=rank)
    above = [powered(expression(c), e) for c, e in ordered if e > 0]
    below = [powered(expression(c), -e) for c, e in ordered if e < 0]
    result = hadamard(above) if above else ONE
    return over(result, hadamard(below)) if below else result


def parts_chain(parts: list[Part]) -> Chain:
    """Parts as a chain: the product that a single one is, or one element."""
    if len(parts) == 1 and parts[0][1] == 1:
        return parts[0][0]
    return (entrywise(parts),)


def diag(parts: list[Part]) -> Expression:
    """diag(v)."""
    return Call("diag", (entrywise(parts),), latex="vector")


def diagonal(chain: Chain) -> Expression:
    """The diagonal of a matrix, as a column."""
    return Call("diag", (expression(chain),), latex="matrix")
