"""What a script means: a time, a layer, an entry, a mark, a power, a transpose, or a part of the name."""

from __future__ import annotations

from dataclasses import replace

import pytest
from reading import NO_NAMES, read

from elman.calculus.expression import Call, Constant, Entry, Expression, Index, Symbol, Transpose
from elman.calculus.syntax.names import Names
from elman.calculus.syntax.parse import parse

LAYERS = replace(NO_NAMES, levels=frozenset({"l"}), squares=frozenset({"sigma"}))
X, T = Symbol("x"), Index("t")


@pytest.mark.parametrize("spelling", ["x^l", "x^{l}", "x^{(l)}", "x^{[l]}"])
def test_a_layer_is_above_in_any_brackets(spelling: str) -> None:
    assert parse(spelling, LAYERS) == Symbol("x", Index("l"))


def test_a_layer_with_a_step_and_a_transpose() -> None:
    assert parse("x^{l-1}", LAYERS) == Symbol("x", Index("l", -1))
    assert parse("x^{[l]T}", LAYERS) == Transpose(Symbol("x", Index("l")))
    assert read("x^l") == ["x^l"]  # a power, where l numbers nothing


def test_numbers_above_are_a_part_of_the_name() -> None:
    assert parse("W^{[1]}") == parse("W^{(1)}") == Symbol("W_1")
    assert parse("x^{[1]}", Names.of({"x"}, {"x"})) == Symbol("x", Index(None, 1))


@pytest.mark.parametrize(
    ("formula", "name"),
    [("x^*", "x_star"), ("x^+", "x_plus"), (r"x^\prime", "x_prime"), (r"\hat\theta^*", "theta_hat_star")],
)  # fmt: skip
def test_marks_make_another_letter(formula: str, name: str) -> None:
    assert parse(formula) == Symbol(name)


@pytest.mark.parametrize(
    ("formula", "name"),
    [
        ("U^{hx}", "U_hx"),
        (r"g^{\text{out}}", "g_out"),
        ("s_2^{label}", "s_2_label"),
        ("W^K", "W_K"),
        ("b^{in}", "b_in"),
    ],
)
def test_words_above_are_a_part_of_the_name(formula: str, name: str) -> None:
    assert parse(formula) == Symbol(name)


def test_a_word_above_beside_a_time_or_an_index() -> None:
    assert parse(r"s_t^{\text{true}}") == Symbol("s_true", T)
    assert parse("W_i^Q") == Entry(Symbol("W_Q"), (Index("i"),))


@pytest.mark.parametrize("formula", ["x^{ij}", "2^{ab}", "A^N", "e^{ab}", "A^{T}"])
def test_what_is_no_word_above_stays_a_power_or_a_transpose(formula: str) -> None:
    assert not isinstance(parse(formula), Symbol)


def test_a_transpose_in_parentheses_behind_a_layer() -> None:
    assert parse("(W^{(l)})^{(T)}") == Transpose(Symbol("W", Index("l")))


def test_a_square_may_be_a_letter_of_its_own() -> None:
    assert parse(r"\sigma^2", LAYERS) == Symbol("sigma_squared")


@pytest.mark.parametrize("spelling", ["x_{t,i}", "x_{t, i}", "{x_t}_i"])
def test_an_entry_at_a_time(spelling: str) -> None:
    assert parse(spelling) == Entry(Symbol("x", T), (Index("i"),))


@pytest.mark.parametrize(
    "spelling",
    ["x^T", r"x^\top", r"x^\mathsf{T}", r"x^{\intercal}", r"x^{\mathrm{T}}", "{x}^T", "xᵀ", "x{^T}", "x'", "x⊺"],
)
def test_all_spellings_of_a_transpose(spelling: str) -> None:
    if spelling == "x⊺":
        spelling = "x^⊺"
    assert parse(spelling, form="latex") == Transpose(X)


def test_a_script_in_braces_belongs_to_the_letter_before_it() -> None:
    assert parse(r"\delta{_2}") == Symbol("delta_2")
    assert read("y{^2}") == ["y^2"]


@pytest.mark.parametrize(
    ("formula", "meaning"),
    [
        ("e^{u}", Call("exp", (Symbol("u"),))),
        ("e^{(t)}", Symbol("e", T)),
        ("e^T", Transpose(Symbol("e"))),
        ("e_t", Symbol("e", T)),
        (r"\pi", Constant("pi")),
        (r"\pi_{in}", Symbol("pi_in")),
    ],
)
def test_e_and_pi_are_numbers_where_nothing_makes_letters_of_them(formula: str, meaning: Expression) -> None:
    assert parse(formula) == meaning


def test_the_page_makes_letters_of_e_pi_and_sigma() -> None:
    names = replace(NO_NAMES, letters=frozenset({"e", "pi", "sigma"}))
    assert read(r"e^{2} \pi \sigma (u)", names) == ["e^2 π σ u"]
