"""Transposes where a person would write them: (A B)^T as B^T A^T, (U^T δ^T ∘ h)^T as (δ U) ∘ h^T.

There are two ways to write a transpose. `transpose_expression` uses as few transposes as possible, for derivatives in
numerator layout; `move_transpose_inward` keeps (h ∘ (1 - h))^T together, for gradients that are rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

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
    Symbol,
    Transpose,
    walk,
)
from elman.calculus.matrix_form.matrix_products import MatrixProduct, factors, product

IsScalar = Callable[[Expression], bool]


def count_transposes(e: Expression | Iterable[Expression]) -> int:
    """How many transposes are written in an expression or in the factors of a product."""
    parts = (e,) if isinstance(e, Expression) else e
    return sum(isinstance(node, Transpose) for part in parts for node in walk(part))


# --- the transpose of one factor, and of a product of factors ---


def transpose_factor(e: Expression) -> Expression:
    """The transpose of one factor of a product: A of A^T, and S of a matrix S whose symmetry shows."""
    if isinstance(e, Transpose):
        return e.of
    return e if is_symmetric(e) else Transpose(e)


def transpose_product(factors: MatrixProduct) -> MatrixProduct:
    """The transpose of a product: its factors transposed, in reverse order."""
    return tuple(transpose_factor(e) for e in reversed(factors))


def is_symmetric(e: Expression) -> bool:
    """Whether the symmetry of a matrix shows: I, diag(v), X^T X, A + A^T, and what is made of these."""
    rule = _SYMMETRIC.get(type(e))
    return rule is not None and rule(e)


def _is_palindrome(e: Product) -> bool:
    chain = factors(e)
    return len(chain) > 1 and all(transpose_factor(a) == b for a, b in zip(chain, reversed(chain), strict=True))


_SYMMETRIC: dict[type[Expression], Callable[[Any], bool]] = {
    Identity: lambda e: True,
    Number: lambda e: True,
    Symbol: lambda e: bool(e.structure),
    Call: lambda e: e.function == "diag" and e.operand == "vector",
    Inverse: lambda e: is_symmetric(e.of),
    Negative: lambda e: is_symmetric(e.of),
    Power: lambda e: not e.elementwise and is_symmetric(e.of),
    Add: lambda e: (is_symmetric(e.left) and is_symmetric(e.right)) or transpose_factor(e.left) == e.right,
    Subtract: lambda e: is_symmetric(e.left) and is_symmetric(e.right),
    Product: lambda e: e.operator == "" and _is_palindrome(e),
}


# --- with as few transposes as possible ---


def transpose_expression(e: Expression, is_scalar: IsScalar) -> Expression:
    """The transpose of an expression, written with as few transposes as possible."""
    if is_scalar(e):
        return e
    rule = _TRANSPOSES.get(type(e))
    return transpose_factor(e) if rule is None else rule(e, is_scalar)


def _negative(e: Negative, is_scalar: IsScalar) -> Expression:
    return Negative(transpose_expression(e.of, is_scalar))


def _sum(e: Add | Subtract, is_scalar: IsScalar) -> Expression:
    left, right = transpose_expression(e.left, is_scalar), transpose_expression(e.right, is_scalar)
    inside = replace(e, left=left, right=right)
    only_products = all(len(_numerator(summand)) > 1 for summand in _summands(e))
    if not only_products and count_transposes(inside) > count_transposes(e) + 1:
        return Transpose(e)
    first_has_more = isinstance(e, Add) and count_transposes(left) > count_transposes(right)
    return Add(right, left) if first_has_more else inside


def _product(e: Product, is_scalar: IsScalar) -> Expression:
    if e.operator == "":
        chain = factors(e)
        front = next((k for k, f in enumerate(chain) if not is_scalar(f)), len(chain))
        return product([*chain[:front], *(transpose_expression(f, is_scalar) for f in reversed(chain[front:]))])
    if e.operator == "·" and is_scalar(e.left):
        return replace(e, right=transpose_expression(e.right, is_scalar))
    if e.operator == "/" and is_scalar(e.right):
        return replace(e, left=transpose_expression(e.left, is_scalar))
    return transpose_factor(e)


def _power(e: Power, is_scalar: IsScalar) -> Expression:
    return transpose_factor(e) if e.elementwise else replace(e, of=transpose_expression(e.of, is_scalar))


_TRANSPOSES: dict[type[Expression], Callable[[Any, IsScalar], Expression]] = {
    Negative: _negative,
    Add: _sum,
    Subtract: _sum,
    Product: _product,
    Power: _power,
}


def _summands(e: Expression) -> list[Expression]:
    return [*_summands(e.left), *_summands(e.right)] if isinstance(e, Add | Subtract) else [e]


def _numerator(e: Expression) -> MatrixProduct:
    return _numerator(e.left) if isinstance(e, Product) and e.operator == "/" else factors(e)


# --- with what has no transposes kept together ---


def _no_scalar(e: Expression) -> bool:
    return isinstance(e, Number)


def move_transpose_inward(e: Expression, is_scalar: IsScalar = _no_scalar) -> Expression:
    """A transpose moved inward where that reads better, and removed from a scalar; any other expression as it is."""
    if not isinstance(e, Transpose):
        return e
    of = e.of
    if is_scalar(of) or is_symmetric(of):
        return of
    rule = _INWARD.get(type(of))
    return e if rule is None else rule(of, is_scalar)


def _inward(e: Expression, is_scalar: IsScalar) -> Expression:
    return move_transpose_inward(Transpose(e), is_scalar)


def _inward_sum(of: Add | Subtract, is_scalar: IsScalar) -> Expression:
    if not count_transposes(of):
        return Transpose(of)
    return replace(of, left=_inward(of.left, is_scalar), right=_inward(of.right, is_scalar))


def _inward_product(of: Product, is_scalar: IsScalar) -> Expression:
    if of.operator == "∘":
        return _transposed_hadamard(of, is_scalar)
    if of.operator == "/" and is_scalar(of.right):
        return replace(of, left=_inward(of.left, is_scalar))
    if of.operator not in ("", "·"):
        return Transpose(of)
    if is_scalar(of.left):
        return replace(of, right=_inward(of.right, is_scalar))
    if is_scalar(of.right):
        return replace(of, left=_inward(of.left, is_scalar))
    left = of.left
    if isinstance(left, Product) and left.operator in ("", "·") and is_scalar(left.left):  # (s A) B is s (A B)
        return replace(left, right=_inward_product(replace(of, left=left.right), is_scalar))
    return replace(of, left=_inward(of.right, is_scalar), right=_inward(left, is_scalar))


_INWARD: dict[type[Expression], Callable[[Any, IsScalar], Expression]] = {
    Transpose: lambda of, is_scalar: of.of,
    Negative: lambda of, is_scalar: Negative(_inward(of.of, is_scalar)),
    Add: _inward_sum,
    Subtract: _inward_sum,
    Product: _inward_product,
}


def _transposed_hadamard(e: Product, is_scalar: IsScalar) -> Expression:
    """(U^T δ^T ∘ h ∘ (1 - h))^T as (δ U) ∘ (h ∘ (1 - h))^T: factors with transposes one by one, the others together."""
    all_factors = _hadamard_factors(e)
    result = [_inward(f, is_scalar) for f in all_factors if count_transposes(f)]
    others = [f for f in all_factors if not count_transposes(f)]
    if others:
        result.append(Transpose(_joined(others)))
    return _joined(result)


def _hadamard_factors(e: Expression) -> list[Expression]:
    if isinstance(e, Product) and e.operator == "∘":
        return [*_hadamard_factors(e.left), *_hadamard_factors(e.right)]
    return [e]


def _joined(parts: Sequence[Expression]) -> Expression:
    """a ∘ (b ∘ c)."""
    total = parts[-1]
    for part in reversed(parts[:-1]):
        total = Product(part, total, "∘")
    return total
