"""Indicators, Kronecker's δ, cases, and matrices by entries."""

from __future__ import annotations

from dataclasses import replace

import pytest
from reading import NO_NAMES, read, refused

from elman.calculus.expression import Comparison, Expression, Index, Iverson, Number, Symbol
from elman.calculus.syntax.names import Names
from elman.calculus.syntax.parse import parse

SAME = Iverson(Index("i"), Index("j"))
POSITIVE = Comparison(Symbol("x"), Number(0), ">")  # type: ignore[arg-type]
INDICES = replace(NO_NAMES, indices=frozenset("ij"))


@pytest.mark.parametrize(
    "formula",
    [r"\mathbf{1}(i=j)", r"\mathbf 1(i=j)", r"1\{i=j\}", r"\mathbb{1}[i=j]", r"\mathbb 1_{i=j}", "[i=j]", "I(i=j)",
     r"\mathbb{I}(i = j)", r"1_{[i=j]}"],
)  # fmt: skip
def test_all_spellings_of_an_indicator_of_indices(formula: str) -> None:
    assert parse(formula) == SAME


@pytest.mark.parametrize("formula", [r"\mathbf{1}(x>0)", r"\mathbb{1}_{x>0}", r"[x > 0]", r"1_{x > 0}"])
def test_all_spellings_of_an_indicator_of_values(formula: str) -> None:
    assert parse(formula) == POSITIVE


def test_kronecker_is_of_indices_where_the_page_has_no_delta() -> None:
    assert parse(r"\delta_{ij}", INDICES) == SAME
    assert parse(r"\delta_{i,j}", INDICES) == SAME
    assert parse(r"\delta_{ij}") != SAME
    own = replace(Names.of({"delta"}), indices=frozenset("ij"))
    assert read(r"\delta_{ij}", own) == ["δ_{ij}"]


CASES: list[tuple[str, str]] = [
    (r"\begin{cases} u & \text{if } u > 0 \\ 0 & \text{otherwise} \end{cases}", "{u if u > 0; 0 otherwise}"),
    (r"\begin{cases} u, & u > 0, \\ -v, & u \le 0. \end{cases}", "{u if u > 0; -v if u ≤ 0}"),
    (r"\left\{ \begin{array}{ll} 1 & i = j \\ 0 & i \ne j \end{array} \right.", "{1 if i = j; 0 if i ≠ j}"),
    (r"\begin{cases} 1 & \text{for } i = j, \\ 0 & \text{else.} \end{cases}", "{1 if i = j; 0 otherwise}"),
    (r"\begin{cases} 1, \quad i = j \\ 0, \quad i \ne j \end{cases}", "{1 if i = j; 0 if i ≠ j}"),
    (r"\begin{cases} 1 & 若 u > 0 \\ 0 & 否则 \end{cases}", "{1 if u > 0; 0 otherwise}"),
    (r"\begin{cases} 1 & 0 < u < 1 \\ 0 & \text{otherwise} \end{cases}", "{1 if 0 < u, u < 1; 0 otherwise}"),
]


@pytest.mark.parametrize(("formula", "meaning"), CASES)
def test_cases_are_read_as_a_whole(formula: str, meaning: str) -> None:
    assert read(f"f = {formula}") == [f"f = {meaning}"]


MATRICES = [
    (r"\begin{pmatrix} 1 & u \\ 0 & v \end{pmatrix}", "[1, u; 0, v]"),
    (r"\left[ \begin{array}{cc} 1 & u \\ 0 & v \end{array} \right]", "[1, u; 0, v]"),
    (r"\begin{bmatrix} u_1 \\ u_2 \end{bmatrix}^T", "[u_1; u_2]^T"),
]


@pytest.mark.parametrize(("formula", "meaning"), MATRICES)
def test_a_matrix_by_entries(formula: str, meaning: str) -> None:
    assert read(formula) == [meaning]


@pytest.mark.parametrize(
    ("formula", "why"),
    [
        (r"f = \begin{cases} u & \text{if it rains} \\ 0 & \text{otherwise} \end{cases}", "condition"),
        (r"f = \begin{cases} u \\ 0 \end{cases}", "a case needs a condition"),
        (r"\begin{pmatrix} 1 & \dots \\ \vdots & 2 \end{pmatrix}", "dots"),
        (r"\begin{pmatrix} 1 & 2 \\ 3 \end{pmatrix}", "different lengths"),
    ],
)
def test_what_is_not_whole_is_refused(formula: str, why: str) -> None:
    ((_, reason),) = refused(formula)
    assert why in reason


def test_a_condition_is_an_expression() -> None:
    e: Expression = parse(r"u [i = j]")
    assert SAME in (e.right,)  # type: ignore[attr-defined]
