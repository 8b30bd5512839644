"""A matrix that the words beside a claim call symmetric: "if A is symmetric", "for symmetric A", A = A^T."""

from __future__ import annotations

import pytest

from elman.notes import check
from elman.notes.page.reader import page_of

RULE = r"$\nabla_z z^T Q z = 2 Q z$"
SAID = (
    "If $Q$ is symmetric, RULE.",
    "For symmetric $Q$: RULE",
    "RULE when $Q$ is symmetric.",
    "RULE ($Q$ symmetric)",
    "RULE, since $Q = Q^T$.",
    "若 $Q$ 为对称矩阵，则 RULE。",
    "当 $Q$ 是对称阵时，RULE",
)
NOT_SAID = (
    "RULE",
    "$Q$ need not be symmetric. RULE",
    "$Q$ isn't symmetric. RULE",
    "For skew-symmetric $Q$: RULE",
    "For anti-symmetric $Q$: RULE",
    "RULE\n\n## The Hessian is symmetric",
    "The Hessian is symmetric.\n\nA rule of any $Q$ and $z$:\n\nRULE",
    "这里 $Q$ 不一定对称，RULE",
    "这里 $Q$ 并非对称，RULE",
    "若 $Q$ 反对称，则 RULE",
)


@pytest.mark.parametrize("text", SAID)
def test_it_holds_for_the_symmetric_matrix_that_is_meant(text: str) -> None:
    found = [c for c in check(page_of(text.replace("RULE", RULE))).claims if "2 Q z" in c.formula]
    assert [c.good for c in found] == [True]


@pytest.mark.parametrize("text", SAID)
def test_a_slip_beside_such_words_is_marked(text: str) -> None:
    rule = RULE.replace("2 Q z", "3 Q z")
    assert any(c.is_wrong for c in check(page_of(text.replace("RULE", rule))).claims)


@pytest.mark.parametrize("text", NOT_SAID)
def test_without_such_words_it_is_wrong(text: str) -> None:
    assert any(c.is_wrong for c in check(page_of(text.replace("RULE", RULE))).claims)
