"""Notations of pages that were not seen before: each with a right claim that holds or stays open, and a wrong one that
is marked.
"""

from __future__ import annotations

import pytest

from elman.notes import check
from elman.notes.judge.verdict import UNJUDGED, Claim, Verdict
from elman.notes.page.reader import page_of


def claims(*paragraphs: str) -> list[Claim]:
    page = page_of("\n\n".join(paragraphs))
    return [c for c in check(page).claims if c.verdict is not Verdict.NOT_A_CLAIM]


def last(*paragraphs: str) -> Claim:
    return claims(*paragraphs)[-1]


# --- names ---

PRODUCT = r"$P \in \mathbb{R}^{m \times n}$, $Q \in \mathbb{R}^{n \times m}$, so that $PQ \in \mathbb{R}^{m \times m}$."


@pytest.mark.parametrize(("right", "verdict"), [("Q^T", Verdict.HOLDS), ("-Q^T", Verdict.SIGN)])
def test_a_product_whose_shape_is_declared_is_no_name(right: str, verdict: Verdict) -> None:
    assert last(PRODUCT, rf"$$\nabla_P \operatorname{{tr}} PQ = {right}$$").verdict is verdict


def test_a_name_of_two_letters_that_have_no_shapes_stays_a_name() -> None:
    shapes = r"$PQ \in \mathbb{R}^{m \times m}$ and $v \in \mathbb{R}^m$."
    claim = last(shapes, "$$f = v^T PQ v$$", r"$$\nabla_v f = (PQ + PQ^T) v$$")
    assert claim.verdict is Verdict.HOLDS


# --- indices ---


def test_an_index_with_the_sign_for_minus() -> None:
    found = claims("$$a_t = w a_{t−1} + u$$", r"$$\frac{\partial a_t}{\partial a_{t−1}} = w$$")
    assert not [c for c in found if c.is_wrong or c.verdict in UNJUDGED]


# --- pages that stopped the check ---


def test_entries_of_different_shapes_have_no_value() -> None:
    found = claims(
        r"$\mathbf{C} \in \mathbb{R}^{m \times n}$",
        r"$$\mathbf{C}_k = \sum_{i=1}^{k} s_i \mathbf{a}_i \mathbf{b}_i^T$$",
        r"$$L = \mathbf{p}^T \mathbf{C} \mathbf{q}, \quad \nabla_{\mathbf{p}} L = \mathbf{C}\mathbf{q}$$",
    )
    assert not [c for c in found if c.is_wrong]


def test_a_condition_with_a_word_that_is_no_letter() -> None:
    found = claims(
        "$$y = V h$$",
        r"$$\frac{\partial y}{\partial h} = 2 V \ (\text{granted} \ y = V h)$$",
        r"$$\frac{\partial y}{\partial h} = V$$",
    )
    assert found[1].verdict in UNJUDGED
    assert found[-1].verdict is Verdict.HOLDS


# --- letters that are defined anew ---

LAYER = r"$W \in \mathbb{R}^{m \times n}$, $x \in \mathbb{R}^n$, $s \in \mathbb{R}^m$, $s = W x$, $E = v^T a$."
FIRST = (LAYER, "## The tanh", r"$$a = \tanh(s)$$", r"$$\frac{\partial E}{\partial s} = v \odot (1 - a^2)$$")


@pytest.mark.parametrize(("heading", "marked"), [("## The ReLU", False), ("## Again", True)])
def test_a_heading_that_names_its_function_begins_a_new_definition(heading: str, marked: bool) -> None:
    claim = last(*FIRST, heading, r"$$a = \operatorname{ReLU}(s)$$")
    assert claim.is_wrong is marked


def test_letters_that_are_new_below_a_heading_begin_a_new_definition() -> None:
    gated = (r"$$g = \sigma(U x)$$", r"$$a = g \odot \tanh(s)$$")
    slope = r"$$\frac{\partial E}{\partial s} = v \odot g \odot (1 - \tanh^2(s))$$"
    found = claims(*FIRST, "## With a gate", *gated, slope)
    assert not [c for c in found if c.is_wrong]
    assert last(*FIRST, "## With a gate", *gated, slope.replace("1 -", "1 +")).is_wrong
