"""A number in place of the letter of a function, g(z) = 1/(1 + e^-1), beside worked examples."""

from __future__ import annotations

import pytest

from elman.notes import check
from elman.notes.judge.verdict import Verdict
from elman.notes.page.reader import page_of

PAGE = "# The sigmoid\n\n$$g(z) = \\frac{{1}}{{1+e^{{-z}}}}$$\n\n{}\n\n$$g({})=\\frac{{1}}{{1+e^{{-1}}}}{}$$"


def last(between: str = "Again:", argument: str = "z", behind: str = "") -> Verdict:
    return check(page_of(PAGE.format(between, argument, behind))).claims[-1].verdict


def test_a_number_in_place_of_the_letter_of_a_function_is_a_slip() -> None:
    assert last() is Verdict.ARGUMENT
    assert last(behind=r" \quad , z \in R") is Verdict.ARGUMENT


@pytest.mark.parametrize(
    ("between", "argument", "behind"),
    [("Let $z = 1$:", "z", ""), ("Again:", "1", ""), ("Again:", "z", r" \approx 0.73"), ("Again:", "x", "")],
)
def test_a_worked_example_is_none(between: str, argument: str, behind: str) -> None:
    assert last(between, argument, behind) is not Verdict.ARGUMENT


def test_a_constant_is_no_slip_beside_the_letter_itself() -> None:
    page = "$$g(z) = z$$\n\n$$g(z) = 2 z$$\n\n$$g(z) = 1$$\n\n$$g(z)=1 ./(1+\\exp(-z)) \\quad , z\\in R$$"
    assert not any(c.verdict is Verdict.ARGUMENT for c in check(page_of(page)).claims)
