"""Gradients by a matrix for which a page writes a number: a shape that is wrong whatever the sizes are."""

from __future__ import annotations

import pytest

from elman.notes import check
from elman.notes.judge.verdict import Verdict
from elman.notes.page.reader import page_of

FORWARD = r"""$$\mathbf{A} \mathbf{A}^\top = \mathbf{C}$$

$$e = (\mathbf{x} - \mathbf{m})^\top \mathbf{C}^{-1} (\mathbf{x} - \mathbf{m})$$

$$J = \log |\mathbf{A}| + \frac{k}{2} e$$

"""
FORM = r"(\mathbf{x} - \mathbf{m})^\top B (\mathbf{x} - \mathbf{m})"
NUMBER = rf"$$\frac{{\partial J}}{{\partial \mathbf{{A}}}} = -k {FORM}$$"


def last(formula: str, forward: str = FORWARD) -> Verdict:
    return check(page_of(forward + formula)).claims[-1].verdict


def test_a_number_for_the_gradient_by_a_matrix_is_a_wrong_shape() -> None:
    claim = check(page_of(FORWARD + NUMBER)).claims[-1]
    assert claim.verdict is Verdict.SHAPE
    assert claim.diagnosis == "the gradient by the matrix A is a matrix, and the right side is a number"


@pytest.mark.parametrize(
    "formula",
    [
        NUMBER.replace(r"(\mathbf{x} - \mathbf{m})^\top B (\mathbf{x} - \mathbf{m})", r"B (\mathbf{x} - \mathbf{m})"),
        NUMBER.replace(
            r"(\mathbf{x} - \mathbf{m})^\top B (\mathbf{x}", r"(\mathbf{x} - \mathbf{m})^\top b (\mathbf{x}"
        ),
        NUMBER.replace(r"\mathbf{x}", "x").replace(r"\mathbf{m}", "m"),
    ],
)
def test_a_shape_that_letters_may_have_otherwise_is_not_called_wrong(formula: str) -> None:
    assert last(formula) is not Verdict.SHAPE


def test_the_letter_may_be_a_number_where_nothing_says_that_it_is_a_matrix() -> None:
    forward = FORWARD.replace(r"\mathbf{A} \mathbf{A}^\top", r"\mathbf{A} \mathbf{D}")
    assert last(NUMBER, forward) is not Verdict.SHAPE
