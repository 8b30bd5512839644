"""Derivatives in all spellings: fractions, on the line, nabla, second ones; by an entry, by a transpose."""

from __future__ import annotations

import pytest
from reading import read, refused

from elman.calculus.expression import Derivative, Entry, Index, Product, Symbol, Transpose
from elman.calculus.syntax.parse import parse

E, Y = Symbol("E"), Symbol("y")


@pytest.mark.parametrize(
    "formula",
    [
        r"\frac{\partial E}{\partial y}", r"\frac{\partial}{\partial y} E", r"\dfrac{d E}{d y}", r"\frac{dE}{dy}",
        r"\frac{\mathrm{d} E}{\mathrm{d} y}", r"\frac{\mathrm d}{\mathrm d y} E", r"\partial E / \partial y", "∂E/∂y",
        r"{\partial E}/{\partial y}", "dE/dy", r"\nabla_y E", r"\nabla_{y} E", r"{\nabla}_{y} E",
        r"\nabla_\boldsymbol{y} E",
        r"\frac{\partial E(y)}{\partial y}", r"\nabla_y E(y)", r"\frac{\partial{E}}{\partial{y}}",
    ],
)  # fmt: skip
def test_all_spellings_are_one_derivative(formula: str) -> None:
    assert parse(formula) == Derivative(E, Y)


def test_nabla_takes_a_product_that_begins_with_a_transpose() -> None:
    product = Product(Transpose(Symbol("c")), Y, "")
    assert parse(r"\nabla_y c^T y") == Derivative(product, Y)
    assert parse(r"\nabla_y c^T u") == Product(Derivative(Transpose(Symbol("c")), Y), Symbol("u"), "")
    assert parse(r"\nabla_y E^T y") == Product(Derivative(Transpose(E), Y), Y, "")


def test_by_an_entry_by_a_transpose_and_of_a_transpose() -> None:
    assert parse(r"\frac{\partial E}{\partial W_{ij}}") == Derivative(E, Entry(Symbol("W"), (Index("i"), Index("j"))))
    assert parse(r"\frac{\partial E}{\partial y^T}") == Derivative(E, Transpose(Y))
    assert parse(r"\partial (A y)/\partial y^T", form="latex") == parse(r"\frac{\partial A y}{\partial y^T}")


@pytest.mark.parametrize(
    "formula", [r"\frac{\partial^2 E}{\partial y^2}", r"\nabla_y^2 E", r"\frac{d^2}{dy^2} E", "∂²E/∂y²"]
)
def test_a_second_derivative_is_one_of_a_derivative(formula: str) -> None:
    assert parse(formula) == Derivative(Derivative(E, Y), Y)


def test_a_mixed_second_derivative() -> None:
    assert parse(r"\frac{\partial^2 E}{\partial x \partial y}") == Derivative(Derivative(E, Y), Symbol("x"))


def test_a_bare_nabla_is_left_to_the_page() -> None:
    assert parse(r"\nabla E") == Derivative(E, Symbol(""))
    assert parse(r"\nabla^2 E") == Derivative(Derivative(E, Symbol("")), Symbol(""))


def test_how_far_a_sign_of_differentiation_reaches() -> None:
    assert read(r"\frac{\partial}{\partial y} (a + b) c") == ["∂(a + b)/∂y c"]
    assert read(r"\frac{\partial}{\partial y} a b + c") == ["∂(a b)/∂y + c"]
    assert read(r"\nabla_y \|y\|^2 c") == ["∂‖y‖^2/∂y c"]


def test_a_value_at_a_point_spoils_its_own_part_alone() -> None:
    formula = r"g = \left.\frac{\partial E}{\partial y}\right|_{y = a} = 2 a"
    assert [why for _, why in refused(formula)] == [
        "a value at a point, written |_{x = a}, is not read: write the point into it"
    ]


@pytest.mark.parametrize(
    ("formula", "why"),
    [
        (r"\frac{\partial^2 E}{\partial y}", "write as many"),
        (r"\partial E", "∂ needs its denominator"),
        (r"\mathrm{d} (E + y)", "a differential needs its denominator"),
        (r"\frac{\partial E}{\partial y + z}", "by one symbol"),
    ],
)
def test_what_is_no_derivative_is_refused(formula: str, why: str) -> None:
    ((_, reason),) = refused(formula)
    assert why in reason
