"""Sums over a window around a place, Σ_{-m ≤ j ≤ m, j ≠ 0} f(x_{t+j}), and its list of letters x_{t-m}, …, x_{t+m}."""

from __future__ import annotations

import pytest

from elman.calculus.syntax.parse import parse
from elman.errors import FormulaError
from elman.notes import check
from elman.notes.page.reader import page_of

WINDOW = r"\sum_{\substack{-r \le k \le r \\ k \ne 0}}"
ALL = r"C_{all}(a, x_{t-r}, \ldots, x_{t+r}, B)"
PAGE = rf"""
$$ {ALL} = {WINDOW} C(a, x_{{t+k}}, B) $$

$$ \frac{{\partial {ALL}}}{{\partial a}} = {WINDOW} \frac{{\partial C(a, x_{{t+k}}, B)}}{{\partial a}} $$
"""


def test_a_loss_of_a_window_has_the_sum_of_the_gradients() -> None:
    assert [c.good for c in check(page_of(PAGE)).claims] == [True, True]
    wrong = PAGE.replace(f"= {WINDOW} \\frac", f"= 2 {WINDOW} \\frac")
    assert not check(page_of(wrong)).claims[-1].good


@pytest.mark.parametrize("below", [r"_{-r \leq k \leq r, k \neq 0}", r"_{k=-r, k \ne 0}^{r}", r"_{k=-r, k \neq 0}^r"])
def test_the_ways_to_write_a_window(below: str) -> None:
    assert parse(rf"\sum{below} f(x_{{t+k}})") == parse(r"\sum_k f(x_k)")


@pytest.mark.parametrize(
    "formula",
    [
        r"\sum_{-r \le k \le r} f(x_{t+k})",
        r"\sum_{-r \le k \le s, k \ne 0} f(x_{t+k})",
        r"\sum_{-r \le k \le r, k \ne 0} k f(x_{t+k})",
        r"\sum_{-r \le k \le r, k \ne 0} f(x_{t-k})",
    ],
)
def test_other_sums_with_such_bounds_are_refused(formula: str) -> None:
    with pytest.raises(FormulaError, match="index"):
        parse(formula)
