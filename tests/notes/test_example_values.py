"""The numbers of a worked example say which letters are numbers, vectors and matrices."""

from __future__ import annotations

import pytest

from elman.notes import check
from elman.notes.judge.verdict import Claim
from elman.notes.page.reader import page_of

GIVEN = """The input is $R = [2, 1]$ and the target $q = 0.4$. The weights are
$V = \\begin{bmatrix} 0.1 & 0.3 \\\\ 0.2 & 0.5 \\end{bmatrix}$ and $U = [0.7, 0.2]$, with
$c = [0.1, 0.4]$ and $g = 0.6$.

$$ s = R \\cdot V + c $$

$$ p = \\sigma(s) $$

$$ r = p \\cdot U^T + g $$

$$ E = \\frac{1}{2} (r - q)^2 $$

"""


def last(formula: str) -> Claim:
    return list(check(page_of(GIVEN + "$$ " + formula + " $$")).claims)[-1]


@pytest.mark.parametrize(
    ("left", "right", "wrong"),
    [
        (r"\frac{\partial E}{\partial U}", r"(r - q) \cdot p", r"(q - r) \cdot p"),
        (r"\frac{\partial E}{\partial p}", r"(r - q) \cdot U", r"(r - q) \cdot p"),
        (
            r"\frac{\partial E}{\partial V}",
            r"(r - q) R^T \cdot (U \odot \sigma'(s))",
            r"2 (r - q) R^T \cdot (U \odot \sigma'(s))",
        ),
    ],
)
def test_gradients_of_letters_with_values(left: str, right: str, wrong: str) -> None:
    assert last(f"{left} = {right}").good
    assert last(f"{left} = {wrong}").is_wrong


def test_a_row_of_numbers_may_be_written_for_a_column() -> None:
    page = (
        "Let $a = [1, 2, 3]$.\n\n$$ y = W a $$\n\n$$ f = y^T y $$\n\n$$ \\frac{\\partial f}{\\partial a} = 2 W^T W a $$"
    )
    assert check(page_of(page)).claims[-1].good


def test_zero_is_a_value_of_any_letter() -> None:
    page = "At first $w = 0$.\n\n$$ y = X w $$\n\n$$ f = y^T y $$\n\n$$ \\frac{\\partial f}{\\partial w} = 2 X^T X w $$"
    assert check(page_of(page)).claims[-1].good
