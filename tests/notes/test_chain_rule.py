"""The chain rule of letters that the page gives no equations: it holds as it stands, unless the page knows better."""

from __future__ import annotations

import pytest

from elman.notes import check
from elman.notes.judge.verdict import Claim
from elman.notes.page.reader import page_of


def d(above: str, below: str) -> str:
    return rf"\frac{{\partial {above}}}{{\partial {below}}}"


def last(*formulas: str) -> Claim:
    return check(page_of("\n\n".join(f"$$ {formula} $$" for formula in formulas))).claims[-1]


ONE_WAY = rf"{d('E', 'w')} = {d('E', 'v')} {d('v', 'u')} {d('u', 'w')}"


@pytest.mark.parametrize(
    "claim",
    [
        ONE_WAY,
        rf"{d('E', 'w')} = {d('u', 'w')} * {d('v', 'u')} * {d('E', 'v')}",
        rf"{d('E', 'w')} = {d('E', 'v_1')} \cdot {d('v_1', 'w')} + {d('E', 'v_2')} \cdot {d('v_2', 'w')}",
        rf"{d('E', 'w_i')} = \sum_k {d('E', 'v_k')} {d('v_k', 'w_i')}",
    ],
)
def test_the_chain_rule_holds_for_any_functions(claim: str) -> None:
    found = last(claim)
    assert found.good
    assert "chain rule" in found.reading


@pytest.mark.parametrize(
    "claim",
    [
        rf"{d('E', 'w')} = {d('E', 'v')} {d('u', 'w')}",
        rf"{d('E', 'w')} = {d('E', 'v')} {d('v', 'u')}",
        rf"{d('E', 'w')} = {d('E', 'v')} {d('v', 'w')} + {d('E', 'v')} {d('v', 'w')}",
        rf"{d('E', 'w')} = {d('E', 'u')} {d('u', 'v')} {d('v', 'w')} + {d('E', 'v')} {d('v', 'x')} {d('x', 'w')}",
        rf"{d('E', 'w_i')} = {d('E', 'v_k')} {d('v_k', 'w_i')}",
        rf"{d('E', 'w')} = {d('E', 'v')} - {d('v', 'w')}",
    ],
)
def test_what_is_no_chain_rule_does_not_hold_so(claim: str) -> None:
    found = last(claim)
    assert not (found.good and "any functions" in found.reading)


def test_an_equation_with_another_way_speaks_against_it() -> None:
    other = ("u = A w", "v = B u + C w", r"E = \frac12 v^T v")
    assert not last(*other, ONE_WAY).good
    assert last("u = A w", "v = B u", r"E = \frac12 v^T v", ONE_WAY).good


def test_an_equation_without_the_letter_speaks_against_it() -> None:
    assert not last("v = B x", r"E = \frac12 v^T v", ONE_WAY).good
