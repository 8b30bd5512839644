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
        r"$$f = a x. g = b x$$ $$\frac{\partial g}{\partial x} = b$$", "= b$$", "= 2 b$$",
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
    "a logarithm that is defined as a whole": (
        r"$$\log q(v \mid m, s) = -\frac{1}{2} \log s^2 - \frac{1}{2 s^2} (v - m)^2$$"
        r"$$\frac{\partial \log q(v \mid m, s)}{\partial m} = \frac{v - m}{s^2}$$",
        r"= \frac{v - m}{s^2}", r"= \frac{m - v}{s^2}",
    ),
    "a probability by its own letter": (
        r"$$P(A=a|B=b) = \frac{1}{1 + e^{-u v}}, \quad J = -\log P(A=a|B=b)$$"
        r"$$\frac{\partial J}{\partial u} = (P(A=a|B=b) - 1) v$$",
        r"- 1) v", r"- 1) u",
    ),
    "a derivative by a square": (
        r"$$J = \frac{a^2}{2 \sigma^{2}} + \log \sigma^2$$"
        r"$$\frac{\partial J}{\partial \sigma^2} = -\frac{a^2}{2 \sigma^{4}} + \frac{1}{\sigma^2}$$",
        r"-\frac{a^2}{2 \sigma^{4}}", r"-\frac{a^2}{\sigma^{4}}",
    ),
    "worked rows": (
        r"$$z = [1.5, 2.0] \cdot \begin{bmatrix} 0.5 & 1.0 \\ 0.2 & 0.4 \end{bmatrix} + [0.1, 0.2] = [1.25, 2.5]$$",
        "[1.25, 2.5]", "[1.25, 2.9]",
    ),
    "a row of derivatives": (
        r"$$J = a u^2 + b u v$$"
        r"$$[\frac{\partial J}{\partial u}, \frac{\partial J}{\partial v}] = [2 a u + b v, b u]$$",
        "2 a u + b v", "2 a u - b v",
    ),
    "softmax of an entry": (
        r"$$softmax(u_j) = \frac{e^{u_j}}{\sum_l e^{u_l}}$$"
        r"$$\frac{\partial softmax(u_j)}{\partial u_m} = softmax(u_j) (1(j = m) - softmax(u_m))$$",
        "- softmax(u_m))", "- softmax(u_j))",
    ),
    "numbers typed behind letters": (
        r"$$x_1 = a u, \quad x2 = x1^2$$ $$\frac{\partial x_2}{\partial u} = 2 x1 a$$", "2 x1 a", "2 x2 a",
    ),
    "braces that nobody sees": (
        r"$$J = a ( {b - c}(d) )$$ $$\frac{\partial J}{\partial c} = -a d$$ $$\frac{\partial J}{\partial d} = -a c$$",
        "= -a c", "= a (b - c)",
    ),
    "a product of what is listed": (
        r"$$J = g^T g, \quad g = \sin(u)$$"
        r"$$\frac{\partial J}{\partial u} = \text{prod}\left(\frac{\partial J}{\partial g}, "
        r"\frac{\partial g}{\partial u}\right) = 2 g \odot \cos(u)$$",
        r"= 2 g \odot", r"= g \odot",
    ),
    "the signs of programs": (
        r"$$q_k = v_k^2$$ $$\frac{\partial q_k}{\partial v_i} = 2 v_k 1(k == i)$$", "k == i", "k != i",
    ),
    "cases in words with signs": (
        r"$$q_k = v_k^2$$"
        r"$$\frac{\partial q_k}{\partial v_i} = "
        r"\begin{cases} 0, & \text{i $\ne$ k} \\ 2 v_k, & \text{if i = k} \end{cases}$$",
        "2 v_k, &", "v_k, &",
    ),
    "a word in brackets before a definition": (
        r"$$(Mean) \space u = \frac{1}{N} \sum_{j=1}^N v_j$$ $$\frac{\partial u}{\partial v_i} = \frac{1}{N}$$",
        r"v_i} = \frac{1}{N}", r"v_i} = \frac{2}{N}",
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


def test_a_row_behind_an_unread_one_goes_on_from_the_last_left_side() -> None:
    text = r"$f = a x^2$ $\frac{\partial f}{\partial x} = \lim_{h} a$ $= \foo x$ $= 2 a x$ $= a x$"
    found = [(c.left, c.formula, str(c.verdict)) for c in claims(text) if c.verdict is not Verdict.NOT_READ][1:]
    left = r"\frac{\partial f}{\partial x}"
    assert found[0] == (left, "2 a x", "holds")
    assert found[1][:2] == (left, "a x")
    assert found[1][2] != "holds"


def test_nothing_goes_on_from_a_left_side_that_is_unread() -> None:
    found = claims(r"$f = a x^2$ $\frac{\partial f}{\partial x}$ $\foo x = 3$ $= 2 a x$")
    assert [str(c.verdict) for c in found if c.formula == "2 a x"] == ["not checked"]


def test_the_maximum_of_all_entries_is_refused_by_name() -> None:
    (unread,) = (c for c in claims(r"$$m = 3 a$$ $$J = \max(z) + m$$") if c.verdict is Verdict.NOT_READ)
    assert "the max of all entries is not read: write a letter for it" in unread.diagnosis


def test_an_ellipsis_leaves_the_other_parts_of_its_chain() -> None:
    text = r"$$J = \sum_{k=1}^{n} u_k v_k = u_1 v_1 + \dots + u_n v_n$$"
    text += r"$$\frac{\partial J}{\partial u_j} = v_1 \dots v_n = v_j = 2 v_j$$"
    found = {c.formula: c.verdict for c in check(page_of(text)).claims}
    assert found["v_j"] is Verdict.HOLDS
    assert found["2 v_j"] not in GOOD
    assert found[r"v_1 \dots v_n"] is Verdict.NOT_A_CLAIM
