"""Letters that a numbered list introduces, and losses with their parameters as a subscript."""

from __future__ import annotations

from elman.notes import check
from elman.notes.judge.verdict import GOOD
from elman.notes.page.reader import page_of


def test_a_loss_with_its_parameters_as_subscript_is_a_letter() -> None:
    rows = (
        r"D_{(g,c)} = \sum_{k=1}^{K} (s_k - g q_k - c)^2",
        r"\frac{\partial D_{(g,c)}}{\partial c} = -2 \sum_{k=1}^{K} (s_k - g q_k - c)",
    )
    text = "\n\n".join(f"$$ {row} $$" for row in rows)
    assert [c.verdict in GOOD for c in check(page_of(text)).claims] == [True, True]


LISTED = r"""
The output is $\hat{o} = p + r g$ of the unit.

Let:

1. $g = A \times \tanh(q)$ - where $q$ is the input
2. $A = \sigma(m)$ - where $\sigma$ is the sigmoid function

$$ \frac{dg}{dq} = A (1 - \tanh^2(q)) $$
"""


def test_the_items_of_a_list_that_let_announces_define_their_letters() -> None:
    found = check(page_of(LISTED)).claims
    assert [c.reading for c in found if c.left in ("g", "A")] == ["defines g", "defines A"]
    assert found[-1].verdict in GOOD


def test_an_item_of_another_list_is_a_claim() -> None:
    found = check(page_of(LISTED.replace("Let:", "We find that:"))).claims
    assert not any("defines g" in c.reading for c in found)
