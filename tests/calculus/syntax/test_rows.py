"""Rows, parts and conditions of a formula: what is divided where, and what is left of one that is read in part."""

from __future__ import annotations

import pytest
from reading import read, refused

from elman.calculus.expression import Dots, Iverson
from elman.calculus.printing.render import text
from elman.calculus.syntax.names import Names
from elman.calculus.syntax.parse import read_formula

ROWS = [
    (r"u = A v \\ w = B u", ["u = A v", "w = B u"]),
    (r"u &= A v \\ &= B w", ["u = A v = B w"]),
    (r"u = A v + \\ B w", ["u = A v + B w"]),
    (r"u &= A v \\ & \quad + B w \\ &= c", ["u = A v + B w = c"]),
    (r"u &= A v & w &= B u", ["u = A v", "w = B u"]),
    (r"u = A v, \quad w = B u.", ["u = A v", "w = B u"]),
    (r"u = A v \implies w = B u", ["u = A v", "w = B u"]),
    (r"\because u = A v \\ \therefore w = B u", ["u = A v", "w = B u"]),
    (r"u = A v \text{ and with the second row } w = B u", ["u = A v", "w = B u"]),
    (r"u = A v \qquad (3)", ["u = A v"]),
    (r"u = A v \tag{3b}\label{eq:u}", ["u = A v"]),
    (r"u_k = v_k, \quad k = 1, \dots, K", ["u_k = v_k"]),
    (r"u_k = v_k \quad \forall k \in \{1, \dots, K\}", ["u_k = v_k"]),
    (r"\begin{array}{rcl} u & = & A v \\ w & = & B u \end{array}", ["u = A v", "w = B u"]),
    (r"\left\{ \begin{aligned} u &= A v \\ w &= B u \end{aligned} \right.", ["u = A v", "w = B u"]),
    (r"\begin{cases} u = A v \\ w = B u \end{cases}", ["u = A v", "w = B u"]),
    (r"u = A v = \newline = B w", ["u = A v = B w"]),
    (r"u = \left( a \\ + b \right) c", ["u = (a + b) c"]),
    (r"u = \left[ a, b + 1 \right] A, \quad v = [a]", ["u = [a, b + 1] A", "v = a"]),
    ("u = A v，其中 w = B u", ["u = A v", "w = B u"]),
    (r"u_i = v_i \text{ for all } i", ["u_i = v_i"]),
    (r"u = A v \text{ for } w = B u", ["u = A v", "w = B u"]),
]


@pytest.mark.parametrize(("formula", "statements"), ROWS)
def test_a_formula_is_divided_into_its_statements(formula: str, statements: list[str]) -> None:
    assert read(formula) == statements


def test_a_display_that_begins_with_a_sign_goes_on_with_the_one_above() -> None:
    (relation,) = read_formula(r"= A v \\ = B w").relations
    assert relation.continues
    assert isinstance(relation.parts[0], Dots)
    assert relation.operators == ("=", "=")
    assert not read_formula("u = A v").relations[0].continues


# --- recovery ---


def test_a_part_that_cannot_be_read_leaves_the_others() -> None:
    formula = r"u = A v = \unknown{w} = B w"
    assert [text(r) for r in read_formula(formula).relations] == ["u = A v = B w"]
    assert refused(formula) == [(r"\unknown{w}", r"the command \unknown is not read")]


def test_a_row_that_cannot_be_read_leaves_the_others() -> None:
    formula = r"u = A v \\ w = (B u \\ s = C w"
    assert [text(r) for r in read_formula(formula).relations] == ["u = A v", "s = C w"]
    assert refused(formula) == [("w = (B u", "( is not closed")]


def test_an_unread_part_says_what_it_would_define() -> None:
    (missing,) = read_formula(r"g = \unknown").not_read
    assert missing.left is not None
    assert text(missing.left) == "g"


def test_an_inequality_is_not_carried_over_an_unread_part() -> None:
    assert [text(r) for r in read_formula(r"a < \unknown{b} = c").relations] == []
    assert [text(r) for r in read_formula(r"a = \unknown{b} < c").relations] == ["a < c"]


def test_half_of_a_table_is_no_value() -> None:
    assert read(r"A = \begin{matrix} 1 & 2 \\ 3 & 4 \end{matrix}") == ["A = [1, 2; 3, 4]"]
    says = r"& separates the cells of a table: write its rows within \begin{matrix} … \end{matrix}"
    assert refused(r"A = 1 & 2") == [("1", says)]


# --- conditions ---

CONDITIONS = [
    (r"a_i = b_i, \quad i = j", "a_i = b_i, i = j"),
    (r"a_i = b_i \quad (i \neq j)", "a_i = b_i, i ≠ j"),
    (r"a_i = b_i c_j (i \neq j)", "a_i = b_i c_j, i ≠ j"),
    (r"a_i = b_i \text{ if } i = j", "a_i = b_i, i = j"),
    (r"a_i = b_i \text{ for } i \ne j", "a_i = b_i, i ≠ j"),
    (r"\text{if } i = j, \quad a_i = b_i", "a_i = b_i, i = j"),
    (r"i \neq j: a_i = b_i", "a_i = b_i, i ≠ j"),
    (r"a_i = b_i \text{ if $i = j$}", "a_i = b_i, i = j"),
    (r"a = b, \quad x > 0", "a = b, x > 0"),
    (r"a = b \quad \text{if } y = 1", "a = b, y = 1"),
    ("a_i = b_i 当 i = j", "a_i = b_i, i = j"),
]


@pytest.mark.parametrize(("formula", "statement"), CONDITIONS)
def test_a_condition_belongs_to_its_relation(formula: str, statement: str) -> None:
    assert read(formula) == [statement]


def test_rows_that_differ_by_their_condition_have_one_left_side() -> None:
    rows = r"\frac{\partial a_i}{\partial z_j} &= a_i, & i = j \\ &= -a_j, & i \ne j"
    assert read(rows) == ["∂a_i/∂z_j = a_i, i = j", "∂a_i/∂z_j = -a_j, i ≠ j"]


def test_a_row_without_a_condition_goes_on_under_that_of_the_row_above() -> None:
    assert read(r"a_i &= b_i, & i = j \\ &= c_i") == ["a_i = b_i = c_i, i = j"]


def test_otherwise_is_where_the_condition_above_does_not_hold() -> None:
    rows = r"a_i &= b_i & \text{if } i = j \\ &= c_i & \text{otherwise}"
    assert read(rows) == ["a_i = b_i, i = j", "a_i = c_i, i ≠ j"]


def test_a_second_equation_is_no_condition() -> None:
    assert read(r"a = b, \quad c = d") == ["a = b", "c = d"]
    assert read("a = b, i = j", Names.of({"i", "j"})) == ["a = b", "i = j"]


def test_a_condition_that_cannot_be_read_is_not_forgotten() -> None:
    reading = read_formula(r"a_i = b_i \text{ if } i \in S")
    (condition,) = reading.relations[0].conditions
    assert isinstance(condition, Dots)
    assert len(reading.not_read) == 1


def test_indices_are_told_from_values() -> None:
    (condition,) = read_formula("a_i = b_i, i = j").relations[0].conditions
    assert condition == Iverson(condition.left, condition.right, "=")  # type: ignore[attr-defined]
