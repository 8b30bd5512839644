"""Derivatives of sums over conditions, of products over an index, and of cases."""

from __future__ import annotations

from fractions import Fraction

import pytest
from differences import check_gradient

from elman.calculus.derive_formula import derive
from elman.calculus.expression import (
    Add,
    BigProduct,
    BigSum,
    Call,
    Cases,
    Comparison,
    Entry,
    Expression,
    Index,
    Iverson,
    Number,
    Power,
    Product,
    Symbol,
)

A, X, MATRIX = Symbol("a"), Symbol("x"), Symbol("X")
ROW, COLUMN = Index("i"), Index("j")
ZERO, ONE = Number(Fraction(0)), Number(Fraction(1))


def pairs(operator: str) -> Expression:
    """Σ_i Σ_j x_i x_j over the pairs in a relation."""
    product = Product(Entry(X, (ROW,)), Entry(X, (COLUMN,)))
    return BigSum("i", BigSum("j", Product(Iverson(ROW, COLUMN, operator), product)))


def total(*cases: tuple[Expression, Expression]) -> Expression:
    """The sum over the entries of cases: (value, condition)."""
    return Call("sum", (Cases(tuple(value for value, _ in cases), tuple(condition for _, condition in cases)),))


@pytest.mark.parametrize(
    ("formula", "gradient"),
    [
        (pairs("="), "2 x"),
        (pairs("≠"), "2 (sum(x) 1_n - x)"),
        (pairs("<"), "sum(x) 1_n - x"),
        (pairs(">"), "sum(x) 1_n - x"),
        (pairs("≤"), "sum(x) 1_n + x"),
        (pairs("≥"), "sum(x) 1_n + x"),
        (BigProduct("i", Entry(X, (ROW,))), "prod(x) / x"),
        (Call("ln", (BigProduct("i", Entry(X, (ROW,))),)), "1 / x"),
        (BigProduct("i", Add(Entry(A, (ROW,)), Entry(X, (ROW,)))), "prod(a + x) / (a + x)"),
        (total((X, Comparison(X, ZERO, ">")), (ZERO, ONE)), "step(x)"),
        (total((Power(X, Number(Fraction(2)), elementwise=True), Comparison(X, A, "≤")), (ZERO, ONE)), None),
        (Call("sum", (Product(Comparison(X, ZERO, "<"), X, "∘"),)), "step(-x)"),
    ],
)
def test_gradients_of_conditions(formula: Expression, gradient: str | None) -> None:
    found = derive(formula, "x")
    assert gradient in (None, found.text)
    assert found.error < 1e-12
    check_gradient(found)


@pytest.mark.parametrize(
    ("formula", "gradient"),
    [
        (r"\sum_{i \neq j} x_i x_j", "2 (sum(x) 1_n - x)"),
        (r"\sum_{i < j} x_i x_j", "sum(x) 1_n - x"),
        (r"\sum_i \sum_{j \neq i} x_i x_j", "2 (sum(x) 1_n - x)"),
        ("np.sum(np.where(x > 0, x, 0))", "step(x)"),
        (r"\prod_i x_i", "prod(x) / x"),
    ],
)
def test_conditions_as_people_write_them(formula: str, gradient: str) -> None:
    found = derive(formula, "x")
    assert found.text == gradient
    check_gradient(found)


def test_a_product_along_each_column_has_an_index_form() -> None:
    found = derive(BigSum("j", BigProduct("i", Entry(MATRIX, (ROW, COLUMN)))), "X")
    assert found.index == "∂f/∂X_{ij} = ∏_x (X_{xj}) X_{ij}^{-1}"
    check_gradient(found)


def test_an_answer_with_cases_says_what_holds_at_a_change() -> None:
    found = derive(total((X, Comparison(X, ZERO, ">")), (ZERO, ONE)), "x")
    assert found.conventions == ("where a condition changes, the derivative of the case that holds there is taken",)
