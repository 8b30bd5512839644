"""A letter with several equations: the one counts that has the letters by which the page differentiates."""

from __future__ import annotations

from elman.notes import check
from elman.notes.judge.verdict import Claim, Verdict
from elman.notes.page.reader import page_of

ROWS = r"""
Let $S \in \mathbb{R}^{k \times k}$ and $U \in \mathbb{R}^{k \times d}$. The softmax runs along each row.

$$ \begin{align*} P &= softmax(S) \\ O &= P U \end{align*} $$

$$ \begin{align*} P &= softmax(S) \\ &= A \odot (B^{-1} 1_k^T) \\ &= A \odot (Q 1_k^T) \\ &= A \odot R \end{align*} $$

where $A = exp(S)$, $B = A 1_k$, $Q = B^{-1}$, and $R = Q 1_k^T$. So

- $\frac{\partial L}{\partial P} = \frac{\partial L}{\partial O} U^T = \eta_1$
- $\frac{\partial L}{\partial R} = A \odot \eta_1 = \eta_2$
- $\frac{\partial L}{\partial Q} = \eta_2 1_k = \eta_3$
- $\frac{\partial L}{\partial B} = -(B \odot B)^{-1} \odot \eta_3 = \eta_4$
- $\frac{\partial L}{\partial A} = \eta_4 1_k^T + \eta_1 \odot R$
"""


def claims(text: str) -> list[Claim]:
    return [c for c in check(page_of(text)).claims if c.verdict is not Verdict.NOT_A_CLAIM]


def test_each_step_of_a_softmax_has_its_gradient() -> None:
    found = claims(ROWS)
    assert [c.formula for c in found if not c.good] == []
    assert any(c.formula == "Q" or c.left == "Q" for c in found)  # a definition, and no solution


def test_a_mistake_in_one_step_is_marked_alone() -> None:
    wrong = [c for c in claims(ROWS.replace(r"\eta_1 \odot R", r"\eta_2 \odot R")) if not c.good]
    assert [c.is_wrong for c in wrong] == [True]
    wrong = claims(ROWS.replace(r"{\partial O} U^T", r"{\partial O} O^T"))
    assert [c.is_wrong for c in wrong if not c.good] == [True]
