"""Equations that are said of the point at which a gradient is zero: normal equations and solutions."""

from __future__ import annotations

import numpy as np
import pytest

from elman.notes import check
from elman.notes.judge.verdict import Claim, Verdict
from elman.notes.page.reader import page_of

LINE = r"""
$$ R = \sum_{k=1}^{K} (s_k - g q_k - c)^2 $$
$$ \frac{\partial R}{\partial g} = -2 \sum_{k=1}^{K} (s_k - g q_k - c) q_k $$
$$ \frac{\partial R}{\partial c} = -2 \sum_{k=1}^{K} (s_k - g q_k - c) $$
Setting the derivative to zero gives
$$ LAST $$
"""
PLANE = r"""
$D \in \mathbb{R}^{m \times n}$, $u \in \mathbb{R}^{n}$, $r \in \mathbb{R}^{m}$.
$$ R = \frac{1}{2} \| D u - r \|^2 $$
$$ \nabla_u R = D^T (D u - r) = 0 $$
$$ LAST $$
"""


def last(page: str, equation: str) -> Claim:
    return check(page_of(page.replace("LAST", equation))).claims[-1]


@pytest.mark.parametrize(
    "equation",
    [
        r"\sum_{k=1}^{K} s_k - g \sum_{k=1}^{K} q_k - K c = 0",
        r"K c = \sum_{k=1}^{K} (s_k - g q_k)",
        r"c = \frac{1}{K} \sum_{k=1}^{K} (s_k - g q_k)",
    ],
)
def test_an_equation_that_holds_where_the_derivative_is_zero_holds(equation: str) -> None:
    claim = last(LINE, equation)
    assert claim.verdict is Verdict.HOLDS
    assert "c" in claim.reading


@pytest.mark.parametrize(
    "equation",
    [
        r"\sum_{k=1}^{K} s_k + g \sum_{k=1}^{K} q_k - K c = 0",
        r"c = \frac{1}{K} \sum_{k=1}^{K} (s_k + g q_k)",
    ],
)
def test_an_equation_that_fails_where_the_derivative_is_zero_is_wrong(equation: str) -> None:
    claim = last(LINE, equation)
    assert claim.is_wrong
    assert "is zero" in claim.diagnosis


def test_an_equation_with_a_letter_of_its_own_is_not_wrong() -> None:
    assert not last(LINE, r"\sum_{k=1}^{K} s_k - K c = h").is_wrong


def test_an_equation_of_both_derivatives_is_not_wrong() -> None:
    """The letter c is replaced by its solution."""
    means = r"\frac{1}{K} \sum_{l=1}^{K} (s_l - g q_l)"
    assert not last(LINE, rf"\sum_{{k=1}}^{{K}} (s_k - g q_k - {means}) q_k = 0").is_wrong


@pytest.mark.parametrize("equation", [r"D^T D u = D^T r", r"u = (D^T D)^{-1} D^T r"])
def test_normal_equations_hold(equation: str) -> None:
    assert last(PLANE, equation).verdict is Verdict.HOLDS


@pytest.mark.parametrize("equation", [r"D^T D u = - D^T r", r"u = 2 (D^T D)^{-1} D^T r"])
def test_wrong_normal_equations_are_wrong(equation: str) -> None:
    assert last(PLANE, equation).is_wrong


def test_a_gradient_with_several_zeros_makes_no_equation_wrong() -> None:
    page = r"""
$$ R = (g^2 - s)^2 $$
$$ \frac{\partial R}{\partial g} = 4 (g^2 - s) g = 0 $$
$$ g^2 - s = 0 $$
"""
    assert not last(page, "").is_wrong


def test_the_zero_of_a_gradient_is_found_once_for_all_equations(monkeypatch: pytest.MonkeyPatch) -> None:
    solved: list[object] = []
    solve = np.linalg.solve
    monkeypatch.setattr(np.linalg, "solve", lambda a, b: solved.append(a) or solve(a, b))
    assert last(PLANE, "D^T D u = D^T r").verdict is Verdict.HOLDS
    once = len(solved)
    assert last(PLANE, "D^T D u = D^T r $$ Solving for u, $$ D^T r = D^T D u").verdict is Verdict.HOLDS
    assert 0 < len(solved) == 2 * once
