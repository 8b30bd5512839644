"""How pages type their formulas: points, words, differentials, delimiters. Each kind as a small page that is right, and
with a mistake that must be marked.
"""

from __future__ import annotations

import pytest

from elman.notes import check
from elman.notes.judge.verdict import GOOD, Claim, Verdict
from elman.notes.page.reader import page_of


def claims(text: str) -> list[Claim]:
    return [c for c in check(page_of(text)).claims if c.verdict is not Verdict.NOT_A_CLAIM]


# What is written → the page, what is right on it, and what is wrong in its place.
PAGES = {
    "a point for a product": (
        r"$$J = \sum_k c_k.u_k^2$$ $$\frac{\partial J}{\partial u_j} = 2.c_j.u_j$$", "2.c_j.u_j", "2.c_j.c_j",
    ),
    "two sentences in one formula": (
        r"$$f = a x. g = b x$$ $$\frac{\partial g}{\partial x} = b$$", "= b$$", "= a$$",
    ),
    "a case behind a point": (
        r"$$f = \max(0, x)$$ $$\frac{\partial f}{\partial x} = \begin{cases} 1. x > 0 \\ 0. x \le 0 \end{cases}$$",
        r"1. x > 0 \\ 0. x", r"0. x > 0 \\ 1. x",
    ),
    "transposes and products of arrays": (
        r"$$J = \|A q\|^2$$ $$\frac{\partial J}{\partial q} = 2 A.T.\mathrm{dot}(A q)$$", "2 A.T", "3 A.T",
    ),
    "a word by which a derivative is": (
        r"$$act_j = \sum_i M_{ji} g_i$$ $$J = \frac{1}{2} \sum_j (act_j - t_j)^2$$"
        r"$$\frac{\partial J}{\partial M_{ji}} = \frac{\partial J}{\partial act_j} g_i$$"
        r"$$\frac{\partial J}{\partial act_j} = act_j - t_j$$",
        "= act_j - t_j$$", "= act_j + t_j$$",
    ),
    "a word that is defined": (
        r"$$cost = \|R s - g\|^2$$ $$\frac{\partial cost}{\partial s} = 2 R^T (R s - g)$$", "= 2 R^T", "= R^T",
    ),
    "a word with what it depends on": (
        r"$$cost = \|R s - g\|^2$$ $$\frac{\partial cost(s)}{\partial s} = 2 R^T (R s - g)$$", "= 2 R^T", "= R^T",
    ),
    "letters in a row are no word where each stands alone": (
        r"$$y = wx + b, \quad J = (y - t)^2, \quad r = bx$$ $$\frac{\partial J}{\partial w} = 2 (wx + b - t) x$$",
        "2 (wx + b - t) x", "2 (wx + b - t) w",
    ),
    "a sum that is a letter": (
        r"$$sum = \sum_k e^{u_k}$$ $$\frac{\partial sum}{\partial u_j} = e^{u_j}$$", "= e^{u_j}", "= u_j",
    ),
    "upright differentials": (
        r"$$Y = A X, \quad J = \|Y\|^2$$ $$\mathrm{d} Y = 2 Y$$ $$\mathrm{d} X = A^T \mathrm{d} Y$$",
        "A^T", "2 A^T",
    ),
    "a ∂ that is forgotten below": (
        r"$$f = x^3$$ $$\frac{\partial f}{x} = 3 x^2$$", "3 x^2", "2 x^2",
    ),
    "a ∂ that is forgotten above": (
        r"$$f = x^3$$ $$\frac{f}{\partial x} = 3 x^2$$", "3 x^2", "2 x^2",
    ),
    "cases below headings": (
        "$$q_j = \\frac{e^{u_j}}{\\sum_l e^{u_l}}$$\n\n## $k = m$\n\n"
        "$$\\frac{\\partial q_k}{\\partial u_m} = q_k (1 - q_k)$$\n\n## The case $k \\neq m$\n\n"
        "$\\frac{\\partial q_k}{\\partial u_m} = -q_k q_m$",
        "-q_k q_m", "q_k q_m",
    ),
    "brackets with two backslashes": (
        r"\\(f = a x^2\\) and \\[\frac{\partial f}{\partial x} = 2 a x\\]", "2 a x", "a x",
    ),
    "spaces within dollars": (
        r"$f = a x^2$ and $ \frac{\partial f}{\partial x} = 2 a x$", "2 a x", "a x",
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", PAGES)
def test_what_is_right_holds(kind: str) -> None:
    text, right, _ = PAGES[kind]
    assert text.count(right) == 1
    found = claims(text)
    assert [(c.left, c.formula, str(c.verdict), c.diagnosis) for c in found if c.verdict not in GOOD] == []
    end = text.index(right) + len(right.rstrip("$"))
    assert any(c.start < end <= c.end for c in found)


@pytest.mark.parametrize("kind", PAGES)
def test_a_mistake_in_it_is_marked(kind: str) -> None:
    text, right, wrong = PAGES[kind]
    place = text.index(right)
    marked = [c for c in claims(text.replace(right, wrong)) if c.is_wrong]
    assert marked
    assert all(c.start < place + len(wrong) and place < c.end for c in marked)


def test_prices_are_no_formulas() -> None:
    assert page_of("It was $ 5 and is \\pm $ 6 now; the \\textbf price is $ 7 today or so $ it is").formulas == ()
