"""Matrices with dots on pages, beside the marked page of them."""

from __future__ import annotations

from elman.notes import check
from elman.notes.judge.verdict import Verdict
from elman.notes.page.reader import page_of


def test_the_layout_of_a_derivative_of_any_letter_is_no_claim() -> None:
    page = (
        r"$$\frac{\partial r}{\partial \mathbf{v}} = \begin{bmatrix} \frac{\partial r}{\partial v_1} \\ \vdots \\"
        r" \frac{\partial r}{\partial v_d} \end{bmatrix}$$"
    )
    (claim,) = check(page_of(page)).claims
    assert claim.verdict is Verdict.NOT_A_CLAIM
