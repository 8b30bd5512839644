"""A loss of all examples whose gradient alone a page states: ∂C/∂b = Σ_i ∂C_i/∂b."""

from __future__ import annotations

import pytest

from elman.notes import check
from elman.notes.judge.verdict import Claim, Verdict
from elman.notes.page.reader import page_of

PAGE = r"""
The loss of example $i$ is

$$ C_i = \frac{1}{2} (u_i - t_i)^2 $$

with $u_i = w^T x_i + b$, where $x_i$ is a vector. Over all examples,

$$ \frac{\partial C}{\partial b} = @\sum_{i=1}^n \frac{\partial C_i}{\partial b} = @\sum_{i=1}^n (u_i - t_i) $$

$$ \frac{\partial C}{\partial w} = @\sum_{i=1}^n \frac{\partial C_i}{\partial u_i} x_i $$

$$ \frac{\partial C}{\partial w} = @\sum_{i=1}^n (u_i - t_i) x_i $$
"""


def claims(text: str) -> list[Claim]:
    return [c for c in check(page_of(text)).claims if c.verdict is not Verdict.NOT_A_CLAIM]


@pytest.mark.parametrize("factor", ["", r"\frac{1}{n} "])
def test_the_loss_of_all_examples_is_the_sum_that_its_gradient_says(factor: str) -> None:
    page = PAGE.replace("@", factor)
    assert all(c.good for c in claims(page))
    wrong = claims(page.replace("(u_i - t_i) x_i", "(u_i + t_i) x_i"))
    assert [c.is_wrong for c in wrong] == [False] * (len(wrong) - 1) + [True]


def test_a_total_that_the_page_defines_stays_what_it_is() -> None:
    page = PAGE.replace("@", "").replace("Over all", r"$C = 3 \sum_{i=1}^n C_i$. Over all")
    assert any(c.is_wrong for c in claims(page))
