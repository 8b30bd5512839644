"""Logarithms of 1 - σ(z) at points where σ(z) is nearly one, and formulas in boxes."""

from __future__ import annotations

import pytest

from elman.notes import check
from elman.notes.judge.verdict import Verdict
from elman.notes.page.reader import page_of

PAGE = r"""$u = \max(0, z)$ is not used here. $z = w^T x$, $s = z^2$, $\hat{{q}} = \sigma({times} s)$ and
$J = -\ln(1 - \hat{{q}})$ where $w$ and $x$ are columns.

{open} \frac{{\partial J}}{{\partial w}} = {right} \hat{{q}} z x {close}

{open} \frac{{\partial J}}{{\partial w}} = {wrong} \hat{{q}} z x {close}
"""


def verdicts(times: int, opened: str = "$$", closed: str = "$$") -> list[Verdict]:
    """The verdicts of the gradient as it is, and of half of it."""
    page = PAGE.format(times=times, right=2 * times, wrong=times, open=opened, close=closed)
    return [c.verdict for c in check(page_of(page)).claims if "partial" in c.left]


@pytest.mark.parametrize("times", [9, 12, 16])  # the digits of 1 - σ are lost at one point, or it is zero there
def test_points_at_which_a_logarithm_has_no_value_decide_nothing(times: int) -> None:
    right, wrong = verdicts(times)
    assert right is Verdict.HOLDS
    assert wrong.is_wrong


def test_a_formula_between_dollars_in_a_box_is_read() -> None:
    right, wrong = verdicts(2, "$$\n\\colorbox{yellow}\n{\n$", "$\n}\n$$")
    assert right is Verdict.HOLDS
    assert wrong.is_wrong
