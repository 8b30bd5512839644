"""A letter that is a number in one section, and a vector in bold in the next; and A = L L^T written from the right."""

from __future__ import annotations

from elman.notes import check
from elman.notes.judge.verdict import Claim
from elman.notes.page.reader import page_of

ONE = r"""## One variable

$$ f(u) = -\frac{1}{2 s^2} (u - c)^2 $$

$$ \frac{\partial f}{\partial u} = -\frac{1}{s^2} (u - c) $$

$$ \frac{\partial f}{\partial c} = \frac{1}{s^2} (u - c) $$

## Several variables

"""
SEVERAL = r"""$$ g = -\frac{1}{2} (\mathbf{u} - \mathbf{c})^T \mathbf{Q} (\mathbf{u} - \mathbf{c}) $$

$$ \frac{\partial g}{\partial \mathbf{u}} = -\frac{1}{2} (\mathbf{Q} + \mathbf{Q}^T) (\mathbf{u} - \mathbf{c}) $$

$$ \frac{\partial g}{\partial \mathbf{Q}} = {} $$
"""
RIGHT = r"-\frac{1}{2} (\mathbf{u} - \mathbf{c}) (\mathbf{u} - \mathbf{c})^T"
NUMBER = r"-\frac{1}{2} (\mathbf{u} - \mathbf{c})^2"


def claims(text: str) -> list[Claim]:
    return list(check(page_of(text)).claims)


def test_a_bold_letter_below_a_heading_is_a_vector() -> None:
    assert all(c.good for c in claims(ONE + SEVERAL.replace("{}", RIGHT)))
    assert not claims(ONE + SEVERAL.replace("{}", NUMBER))[-1].good


def test_fonts_that_are_mixed_make_one_letter() -> None:
    page = "# A\n\n$$ f = w^T x + b $$\n\n# B\n\n$$ \\frac{\\partial f}{\\partial \\mathbf{w}} = \\mathbf{x} $$"
    assert claims(page)[-1].good


FACTOR = r"""$$ \mathbf{R}^\top \mathbf{R} = \bm{\Lambda} $$

$$ f = -\frac{1}{2} \log |\Lambda| - \frac{1}{2} (\mathbf{u} - \mathbf{c})^T \Lambda^{-1} (\mathbf{u} - \mathbf{c}) $$

$$ \frac{\partial f}{\partial \mathbf{u}} = """


def test_a_product_of_a_factor_says_what_a_letter_is() -> None:
    assert claims(FACTOR + r"-(\mathbf{R}^\top \mathbf{R})^{-1} (\mathbf{u} - \mathbf{c}) $$")[-1].good
    assert claims(FACTOR + r"-(\mathbf{R} \mathbf{R}^\top)^{-1} (\mathbf{u} - \mathbf{c}) $$")[-1].is_wrong


def test_a_gradient_that_is_a_row_is_compared_as_a_row() -> None:
    given = "$$ \\phi = \\frac{1}{2} r^T S r $$\n\nThe matrix $S$ is symmetric.\n\n"
    by_r = r"$$ \frac{\partial \phi}{\partial r} = "
    assert claims(given + by_r + "r^T S $$")[-1].good
    assert claims(given + by_r + "\\frac{1}{3} r^T S $$")[-1].is_wrong
