"""Headings that say a case, as "k = i, l ≠ j": what stands below them is about that case alone."""

from __future__ import annotations

from elman.notes import check
from elman.notes.page.reader import page_of

FORWARD = r"""# A product

$X \in \mathbb{R}^{M \times N}$, $r_i = \sum_{q=1}^N x_{iq}^2$

$y_{ij} = r_i x_{ij}$

## Its derivative

"""
ZERO = "### $k \\neq i$\n\n$\\frac{\\partial y_{kl}}{\\partial x_{ij}} = 0$\n\n"
BESIDE = "### $k = i, l \\neq j$\n\n$\\frac{\\partial y_{kl}}{\\partial x_{ij}} = 2 x_{ij} x_{il}$\n\n"
ON = "### $k = i, l = j$\n\n$\\frac{\\partial y_{kl}}{\\partial x_{ij}} = 2 x_{ij}^2 + r_i$\n\n"
SAID_TWICE = ON.replace("l = j", r"l \neq j")


def verdicts(page: str) -> list[bool]:
    """Whether each claim about a derivative holds."""
    return [c.good for c in check(page_of(page)).claims if r"\partial" in c.left]


def test_a_case_that_is_said_twice_is_the_other_one_the_second_time() -> None:
    assert verdicts(FORWARD + ZERO + BESIDE + ON) == [True, True, True]
    assert verdicts(FORWARD + ZERO + BESIDE + SAID_TWICE) == [True, True, True]
    assert verdicts(FORWARD + ZERO + BESIDE + SAID_TWICE.replace("+ r_i", "+ 2 r_i")) == [True, True, False]


def test_a_case_is_not_the_other_one_where_a_heading_has_that() -> None:
    assert verdicts(FORWARD + ZERO + BESIDE + SAID_TWICE + ON) == [True, True, False, True]
    again = "## Once more\n\n$r_1$\n\n"
    assert verdicts(FORWARD + ZERO + BESIDE + again + BESIDE) == [True, True, True]
