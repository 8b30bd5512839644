"""Shares of which all terms of the total are one: e^{z_i} / Σ_j e^{z_i}, where Σ_j e^{z_j} is meant.

Such a quotient is 1 over the number of terms, whatever its letters are, so that no definition means it.
"""

from __future__ import annotations

from dataclasses import replace

from elman.calculus.expression import BigSum, Entry, Index, Product, shift_time, transform, walk
from elman.calculus.printing.render import text
from elman.notes.judge.judgement import Judgement
from elman.notes.judge.verdict import Verdict
from elman.notes.model.page_model import free_indices
from elman.notes.repair.edits import EDIT, Edit
from elman.notes.repair.explanation import Candidate, Explanation


def with_equal_terms(j: Judgement) -> Explanation | None:
    """What is wrong with a definition that is such a share; None for any other claim."""
    if j.defines is None:
        return None
    share = next((n for n in walk(j.expression) if isinstance(n, Product) and _has_equal_terms(n)), None)
    if share is None:
        return None
    total = share.right
    assert isinstance(total, BigSum)
    (own,) = free_indices(total.body)
    repaired = replace(share, right=replace(total, body=shift_time(total.body, own, Index(total.index))))
    part = transform(j.expression, lambda node: repaired if node == share else node)
    words = (
        f"every term of the sum over {total.index} is {text(total.body)}, so that the quotient is 1 over their number, "
        f"whatever {text(total.body)} is: write {total.index} in the sum"
    )
    repair = Candidate(j.left, part, EDIT, (Edit(Verdict.FALSE, f"{total.index} in the sum"),))
    return Explanation(j, Verdict.FALSE, words, (repair,), j.reading)


def _has_equal_terms(e: Product) -> bool:
    """Whether a quotient is of an expression with one index by the sum of it over another index."""
    total = e.right
    if e.operator != "/" or not isinstance(total, BigSum) or total.body != e.left or not total.index:
        return False
    free = free_indices(total.body)
    return len(free) == 1 and total.index not in free and any(isinstance(n, Entry) for n in walk(total.body))
