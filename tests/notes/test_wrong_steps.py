"""Rows of a derivation that the rows around them contradict, whatever their left side is."""

from __future__ import annotations

import pytest

from elman.notes import check
from elman.notes.judge.verdict import Claim, Verdict
from elman.notes.page.reader import page_of

LEFT = r"\frac{\partial F}{\partial u}"  # F does not depend on u, as the page is read
UNKNOWN = r"F = \sum_{k=1}^{Q} \ln c"


def claims(*formulas: str) -> list[Claim]:
    text = "\n\n".join(f"$$ {formula} $$" for formula in (UNKNOWN, *formulas))
    return [c for c in check(page_of(text)).claims if c.verdict is not Verdict.NOT_A_CLAIM]


@pytest.mark.parametrize(
    ("first", "wrong", "right"),
    [
        (
            r"\frac{1}{s} \sum_{k=1}^{K} (a_k - r)",
            r"\frac{1}{s} \sum_{k=1}^{K} a_k - \sum_{k=1}^{K} r",
            r"\frac{1}{s} \left( \sum_{k=1}^{K} a_k - \sum_{k=1}^{K} r \right)",
        ),
        (
            r"\sum_{k=1}^{K} a_k d - \sum_{k=1}^{K} (g - r d) d",
            r"\sum_{k=1}^{K} a_k d - \sum_{k=1}^{K} g d - \sum_{k=1}^{K} r d^2",
            r"\sum_{k=1}^{K} a_k d - \sum_{k=1}^{K} g d + \sum_{k=1}^{K} r d^2",
        ),
        (
            r"\sum_{k=1}^{K} 2 (a_k - r g)",
            r"2 \left( \sum_{k=1}^{K} a_k - \sum_{k=1}^{K} 2 r g \right)",
            r"2 \left( \sum_{k=1}^{K} a_k - \sum_{k=1}^{K} r g \right)",
        ),
    ],
    ids=["parentheses", "sign", "number"],
)
def test_a_row_that_a_small_slip_tells_from_the_one_before_is_wrong(first: str, wrong: str, right: str) -> None:
    last = claims(f"{LEFT} = {first}", f"= {wrong}")[-1]
    assert last.is_wrong
    assert last.fix is not None
    assert "follow from the row before it" in last.diagnosis
    assert not claims(f"{LEFT} = {first}", f"= {right}")[-1].is_wrong


def test_a_row_between_two_equal_ones_is_wrong() -> None:
    rows = (f"{LEFT} = (s - p) (q + p)", "= s q + s p - p^2", "= s q + s p - p q - p^2")
    found = claims(*rows)
    assert [c.is_wrong for c in found[1:]] == [False, True, False]
    assert "before and behind it are equal" in found[2].diagnosis


def test_no_row_of_a_right_derivation_is_wrong() -> None:
    rows = (f"{LEFT} = (s - p) (q + p)", "= s q - p q + s p - p^2", "= q (s - p) + p (s - p)")
    assert not any(c.is_wrong for c in claims(*rows))


@pytest.mark.parametrize(
    "rows",
    [
        (f"{LEFT} = q \\sum_{{k=1}}^{{K}} y_k - y_j", "= q - y_j"),  # the entries of y sum to 1
        (f"{LEFT} = a^2 b - c", "= a b - c"),  # a is 0 or 1
        (f"{LEFT} = \\sum_{{k=1}}^{{K}} a_k (a_k - m)", "= \\sum_{k=1}^{K} (a_k - m)^2"),  # m is their mean
        (f"{LEFT} = A A^T b - c", "= b - c"),  # A is orthogonal
    ],
)
def test_what_the_text_may_suppose_is_no_slip(rows: tuple[str, str]) -> None:
    assert not claims(*rows)[-1].is_wrong


def test_a_claim_that_is_repeated_and_what_is_set_to_zero_are_wrong_too() -> None:
    wrong = r"2 \left( \sum_{k=1}^{K} a_k - \sum_{k=1}^{K} 2 r g \right)"
    inner = r"\sum_{k=1}^{K} a_k - \sum_{k=1}^{K} 2 r g"
    found = claims(f"{LEFT} = \\sum_{{k=1}}^{{K}} 2 (a_k - r g)", f"= {wrong}", f"{LEFT} = {wrong}", f"{inner} = 0")
    assert [c.is_wrong for c in found[1:]] == [False, True, True, True]
    assert "line 5" in found[-1].diagnosis
    assert "line 5" in found[-2].diagnosis


def test_a_factor_that_is_right_may_be_set_to_zero() -> None:
    """The sign before it does not matter then."""
    inner = r"\sum_{k=1}^{K} a_k - \sum_{k=1}^{K} r g"
    rows = (f"{LEFT} = \\sum_{{k=1}}^{{K}} 2 (a_k - r g)", rf"= 3 \left( {inner} \right)", f"{inner} = 0")
    found = claims(*rows)
    assert not any(c.is_wrong for c in found if c.line == 9)


@pytest.mark.parametrize(
    ("left", "wrong"),
    [(r"\frac{E}{v_j}", True), (r"\frac{\partial E}{\partial v_j}", False), (r"\frac{s_j}{v_j}", False)],
)
def test_a_quotient_of_a_loss_by_what_it_is_differentiated_by_is_no_derivative(left: str, wrong: bool) -> None:
    page = rf"""
$$ E = \frac{{1}}{{2}} (\sum_j v_j s_j - d)^2 $$
$$ \frac{{\partial E}}{{\partial v_j}} = (\sum_k v_k s_k - d) s_j $$
So the gradient is given by ${left} = r s_j$, where $r$ is the error.
"""
    found = [c for c in check(page_of(page)).claims if c.formula.strip() == "r s_j"]
    assert [c.is_wrong for c in found] == [wrong]
