"""Functions: with and without parentheses, known and unknown, and letters that are applied or multiplied."""

from __future__ import annotations

from dataclasses import replace

import pytest
from reading import NO_NAMES, read, refused

from elman.calculus.expression import Apply, Call, Derivative, Product, Symbol
from elman.calculus.syntax.names import Names
from elman.calculus.syntax.parse import parse

PAGE = replace(NO_NAMES, functions=frozenset({"phi", "g"}), numbers=frozenset({"c"}))

WITHOUT_PARENTHESES = [
    (r"\mathrm{tr} B Y", "tr(B Y)"),
    (r"\ln\det B Y", "ln(det(B Y))"),
    (r"\ln b^T y", "ln(b^T y)"),
    (r"\cos b^T y + c", "cos(b^T y) + c"),
    (r"q_k \log r_k", "q_k ln(r_k)"),
    (r"\log u \log v", "ln(u) ln(v)"),
    (r"\log p (1 - y)", "ln(p) (1 - y)"),
    (r"\mathrm{tr} B (Y - Z)", "tr(B (Y - Z))"),
    (r"\ln \sigma(u^T v)", "ln(σ(u^T v))"),
    (r"\log a \cdot b", "ln(a) · b"),
    (r"\sin x / y", "sin(x) / y"),
    (r"\log \sum_j e^{s_j}", "ln(∑_j exp(s_j))"),
    (r"\tanh^2(u) + \sin^2 v", "tanh(u)^{∘2} + sin(v)^{∘2}"),
    (r"\log_2 u", "ln(u) / ln(2)"),
]


@pytest.mark.parametrize(("formula", "meaning"), WITHOUT_PARENTHESES)
def test_a_function_takes_the_product_to_its_right(formula: str, meaning: str) -> None:
    assert read(formula) == [meaning]


def test_a_function_of_the_page_is_applied_and_a_number_multiplied() -> None:
    z, y = Symbol("z"), Symbol("y")
    assert parse(r"\phi (z)", PAGE) == Apply("phi", (z,))
    assert parse("g(z, y)", PAGE) == Apply("g", (z, y))
    assert parse("c (z)", PAGE) == Product(Symbol("c"), z)


@pytest.mark.parametrize("formula", ["g'(z)", r"g^{\prime}(z)", "g′(z)"])
def test_primes_are_derivatives_of_a_function(formula: str) -> None:
    assert parse(formula, PAGE, "latex") == Apply("g", (Symbol("z"),), primes=1)


def test_a_prime_without_an_argument_is_left_to_the_page() -> None:
    assert parse("g'", PAGE) == Derivative(Symbol("g"), Symbol(""))
    assert read(r"\sigma' = \sigma (1 - \sigma)") == ["∂σ/∂ = σ (1 - σ)"]


@pytest.mark.parametrize("formula", [r"\operatorname{foo}(z)", r"\text{foo}(z)", r"\mathrm{foo}(z)", "foo(z)"])
def test_an_unknown_word_before_parentheses_is_a_function(formula: str) -> None:
    assert parse(formula, form="latex") == Apply("foo", (Symbol("z"),))


def test_an_operator_takes_what_is_behind_it() -> None:
    assert parse(r"\operatorname{vec} Y") == Apply("vec", (Symbol("Y"),))


def test_a_list_behind_a_letter_is_no_factor() -> None:
    assert parse(r"l(o, y)") == Apply("l", (Symbol("o"), Symbol("y")))
    assert parse(r"J(W, b)", Names.of({"J"})) == Symbol("J")
    assert read(r"J(W, b) = l(o, y)") == ["J = l(o, y)"]
    assert read(r"\frac{\partial L(y, \hat{y})}{\partial \hat{y}} = y") == ["∂L/∂ŷ = y"]
    assert read(r"J(\theta) = 1", Names.of({"J", "theta"})) == ["J = 1"]
    assert read(r"c(\theta) = 1", PAGE) == ["c θ = 1"]
    assert read(r"J(\theta) = 1, \quad \nabla_\theta J(\theta) = g") == ["J = 1", "∂J/∂θ = g"]


def test_a_word_that_is_declared_is_a_name() -> None:
    assert parse(r"\mathrm{loss}", Names.of({"loss"})) == Symbol("loss")
    assert read(r"\text{loss} = -\sum_i t_i") == ["loss = -∑_i t_i"]


def test_sums_along_rows_and_columns() -> None:
    assert parse(r"\mathrm{rowsum}(Y)") == Call("sum", (Symbol("Y"),), axis=1)


@pytest.mark.parametrize(
    ("formula", "why"),
    [
        (r"\arg\max_k s_k", r"\arg is not read"),
        (r"\operatorname{argmin} s", "argmin is not read"),
        (r"\max_i u_i", "a maximum over an index is not read"),
        (r"\lim_{u \to 0} u", r"\lim is not read"),
        (r"\mathbb{E}[u]", "an expectation"),
        (r"\mathbb{E}_{u \sim q}[u]", "an expectation"),
        (r"\sigma^{-1}(u)", "the inverse function of sigmoid is not read"),
        (r"\|u\|_{S}", "the norm S is not known"),
    ],
)
def test_what_is_no_function_here_is_refused_by_name(formula: str, why: str) -> None:
    ((_, reason),) = refused(formula)
    assert why in reason
