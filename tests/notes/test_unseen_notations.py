"""Notations of pages that were not seen before: each with a right claim that holds or stays open, and a wrong one that
is marked.
"""

from __future__ import annotations

import pytest

from elman.notes import check
from elman.notes.judge.verdict import UNJUDGED, Claim, Verdict
from elman.notes.page.reader import page_of


def claims(text: str) -> list[Claim]:
    return [c for c in check(page_of(text)).claims if c.verdict is not Verdict.NOT_A_CLAIM]


def last(text: str) -> Claim:
    return claims(text)[-1]


# --- names ---

PRODUCT = "$P \\in \\mathbb{R}^{m \\times n}$, $Q \\in \\mathbb{R}^{n \\times m}$, so that $PQ \\in \\mathbb{R}^{m \\times m}$.\n\n"


@pytest.mark.parametrize(("right", "holds"), [("Q^T", True), ("-Q^T", False)])
def test_a_product_whose_shape_is_declared_is_no_name(right: str, holds: bool) -> None:
    claim = last(f"{PRODUCT}$$\\nabla_P \\operatorname{{tr}} PQ = {right}$$")
    assert claim.verdict is (Verdict.HOLDS if holds else Verdict.SIGN)


def test_a_name_of_two_letters_that_have_no_shapes_stays_a_name() -> None:
    page = "$PQ \\in \\mathbb{R}^{m \\times m}$ and $v \\in \\mathbb{R}^m$.\n\n$$f = v^T PQ v$$\n\n"
    assert last(page + "$$\\nabla_v f = (PQ + PQ^T) v$$").verdict is Verdict.HOLDS


# --- indices ---


def test_an_index_with_the_sign_for_minus() -> None:
    found = claims("$$a_t = w a_{t−1} + u$$\n\n$$\\frac{\\partial a_t}{\\partial a_{t−1}} = w$$")
    assert not [c for c in found if c.is_wrong or c.verdict in UNJUDGED]
