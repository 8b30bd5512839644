"""What stands under a logarithm is positive at the points that a claim is tried at, so that it has a real value."""

from __future__ import annotations

import pytest

from elman.notes import check
from elman.notes.judge.verdict import Verdict
from elman.notes.page.reader import page_of


@pytest.mark.parametrize(
    ("loss", "by", "gradient", "wrong"),
    [
        (r"\ln (w^T x)", "w", r"\frac{x}{w^T x}", r"\frac{w}{w^T x}"),
        (r"\ln (a b c)", "a", r"\frac{1}{a}", r"\frac{1}{b}"),
        (r"\ln \frac{u}{s + r}", "s", r"-\frac{1}{s + r}", r"\frac{1}{s + r}"),
        (r"\sqrt{u v}", "u", r"\frac{v}{2 \sqrt{u v}}", r"\frac{u}{2 \sqrt{u v}}"),
    ],
)
def test_letters_of_a_product_under_a_logarithm(loss: str, by: str, gradient: str, wrong: str) -> None:
    page = rf"$$ L = {loss} $$" + "\n\n" + rf"$$ \frac{{\partial L}}{{\partial {by}}} = {{}} $$"
    right = check(page_of(page.replace("{}", gradient))).claims[-1]
    assert right.verdict is Verdict.HOLDS
    assert check(page_of(page.replace("{}", wrong))).claims[-1].is_wrong


def test_a_function_that_the_page_does_not_define_is_positive_there() -> None:
    page = "Let $\\phi$ be any function.\n\n$$ L = \\ln \\phi(u) $$\n\n"
    gradient = r"$$ \frac{\partial L}{\partial u} = "
    assert check(page_of(page + gradient + r"\frac{\phi'(u)}{\phi(u)} $$")).claims[-1].verdict is Verdict.HOLDS
    assert not check(page_of(page + gradient + r"\frac{1}{\phi(u)} $$")).claims[-1].good


def test_a_matrix_of_a_quadratic_form_under_a_logarithm_makes_it_positive() -> None:
    page = (
        "Let $v \\in \\mathbb{R}^{n}$ and $S \\in \\mathbb{R}^{n \\times n}$.\n\n$$ f = \\ln (1 + v^T S^{-1} v) $$\n\n"
    )
    gradient = r"$$ \frac{\partial f}{\partial v} = \frac{(S^{-1} + S^{-T}) v}{"
    assert check(page_of(page + gradient + "1 + v^T S^{-1} v} $$")).claims[-1].verdict is Verdict.HOLDS
    assert check(page_of(page + gradient + "2 + v^T S^{-1} v} $$")).claims[-1].is_wrong
