"""Derivatives of matrices and columns that are no matrix, or a diagonal one: as factors of a chain, entry by entry."""

from __future__ import annotations

import pytest

from elman.notes import check
from elman.notes.judge.verdict import GOOD, Claim, Verdict
from elman.notes.page.reader import page_of

SHAPES = "```\nK.shape = [m,n]\nS.shape = [n,N]\nr.shape = [n,1]\nP.shape = [p,m]\n```\n\n"
FORWARD = r"$$F = K S, \quad G = \tanh(F), \quad H = P G, \quad v = K r, \quad g = \tanh(v)$$"


def last(formula: str) -> Claim:
    return check(page_of(f"{SHAPES}{FORWARD}\n\n$$ {formula} $$")).claims[-1]


@pytest.mark.parametrize(
    ("formula", "wrong", "reading"),
    [
        (r"\frac{\partial F}{\partial K} = S^T", "2 S^T", "factor"),
        (r"\frac{\partial H}{\partial G} = P^T", "-P^T", "factor"),
        (r"\frac{\partial v}{\partial K} = r^T", "2 r^T", "factor"),
        (r"\frac{\partial G}{\partial F} = 1 - G \odot G", r"1 + G \odot G", "entry by entry"),
        (r"\frac{\partial g}{\partial v} = 1 - g \odot g", r"1 + g \odot g", "entry by entry"),
        (r"\frac{\partial K}{\partial K} = 1", "2", "entry by entry"),
        (
            r"\frac{\partial H}{\partial K} = \frac{\partial H}{\partial G} \frac{\partial G}{\partial F} "
            r"\frac{\partial F}{\partial K}",
            r"\frac{\partial H}{\partial F} \frac{\partial G}{\partial F} \frac{\partial F}{\partial K}",
            "chain rule",
        ),
    ],
)
def test_it_is_judged(formula: str, wrong: str, reading: str) -> None:
    right = last(formula)
    assert right.verdict in GOOD, right.diagnosis
    assert reading in right.reading
    other = last(formula.partition("=")[0] + "= " + wrong)
    assert other.verdict not in GOOD


def test_a_matrix_that_is_differentiated_is_no_loss() -> None:
    assert last(r"\frac{\partial F}{\partial K} = 1_m 1_N^T S^T").verdict not in GOOD


def test_two_sides_that_are_zero_as_the_page_was_read_say_nothing() -> None:
    text = (
        r"$$q = c^3, \quad v = K r$$" + "\n\n" + r"$$\frac{\partial q}{\partial r} = K \frac{\partial q}{\partial v}$$"
    )
    claim = check(page_of(text)).claims[-1]
    assert claim.verdict is Verdict.NOT_CHECKED
    assert "does not depend on" in claim.diagnosis
