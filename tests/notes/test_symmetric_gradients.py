"""A gradient that is its own transpose shows no layout."""

from __future__ import annotations

from elman.notes import check
from elman.notes.judge.verdict import Claim, Verdict
from elman.notes.page.reader import page_of

NUMERATOR = r"$$ \frac{\partial}{\partial B} \ln |B| = B^{-1} $$ $$ \frac{\partial}{\partial B} a^T B c = c a^T $$"


def last(text: str) -> Claim:
    return check(page_of(text)).claims[-1]


def test_a_symmetric_gradient_in_either_layout() -> None:
    assert last(NUMERATOR).verdict is Verdict.HOLDS
    assert last(NUMERATOR + r"$$ \frac{\partial}{\partial B} (v^T B v) = v v^T $$").verdict is Verdict.HOLDS
    assert last(NUMERATOR + r"$$ \frac{\partial}{\partial B} (v^T B v) = 3 v v^T $$").is_wrong
