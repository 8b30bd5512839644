"""Sizes with scripts as bounds, a sign above a ∂, and empty columns of a table."""

from __future__ import annotations

import pytest

from elman.notes import check
from elman.notes.judge.verdict import Verdict
from elman.notes.page.reader import page_of

LAYER = r"$$ u_k = \sum_{j=1}^{m_{l}} V_{kj} h_j $$" + "\n\n"


@pytest.mark.parametrize(
    "bound", ["m_{l+1}", "m_{(l+1)}", "m^{[l+1]}", "M^{(l+1)}", "m_{out}", "M'", r"m_{\text{out}}"]
)
def test_a_bound_is_a_size_with_scripts(bound: str) -> None:
    claim = rf"$$ \frac{{\partial E}}{{\partial h_i}} = \sum_{{k=1}}^{{{bound}}} \frac{{\partial E}}{{\partial u_k}} "
    right, wrong = (check(page_of(f"{LAYER}{claim}{weight} $$")).claims[-1] for weight in ("V_{ki}", "V_{ki}^2"))
    assert right.verdict is Verdict.HOLDS
    assert wrong.verdict is not Verdict.HOLDS


def test_a_power_is_no_size() -> None:
    claim = check(page_of(r"$$ s = \sum_{k=1}^{n^2} x_k $$")).claims[-1]
    assert claim.verdict is Verdict.NOT_READ


def test_a_minus_before_the_sign_of_a_derivative() -> None:
    page = r"$$ E = -\sum_i t_i \ln q_i $$" + "\n\n" + r"$$ \frac{\partial E}{\partial q_j} = "
    right = check(page_of(page + r"\frac{-\partial \sum_i t_i \ln q_i}{\partial q_j} $$")).claims[-1]
    wrong = check(page_of(page + r"\frac{-\partial \sum_i t_i q_i}{\partial q_j} $$")).claims[-1]
    assert right.verdict is Verdict.HOLDS
    assert wrong.is_wrong


def test_an_empty_column_of_a_table_is_none() -> None:
    product = r"$$ \begin{pmatrix} a && b \end{pmatrix} \begin{pmatrix} 2 & \\ 3 & \end{pmatrix} = "
    assert check(page_of(f"{product} 2 a + 3 b $$")).claims[-1].verdict is Verdict.HOLDS
    assert check(page_of(f"{product} 2 a + 4 b $$")).claims[-1].is_wrong


def test_a_sign_behind_a_sum() -> None:
    page = r"$$ r = \frac{1}{n} \sum_{i=1}^n (u_i - m)^2 $$" + "\n\n" + r"$$ \frac{\partial r}{\partial m} = "
    assert check(page_of(page + r"\frac{\sum_{i=1}^n -2 (u_i - m)}{n} $$")).claims[-1].verdict is Verdict.HOLDS
    assert check(page_of(page + r"\frac{\sum_{i=1}^n -3 (u_i - m)}{n} $$")).claims[-1].is_wrong
