"""Pages that speak of all examples and of one: z = X w, and then z = w^T x; σ' of the scores of all of them."""

from __future__ import annotations

import pytest

from elman.notes import check
from elman.notes.judge.verdict import Claim, Verdict
from elman.notes.page.reader import page_of


def claims(text: str) -> list[Claim]:
    return [c for c in check(page_of(text)).claims if c.verdict is not Verdict.NOT_A_CLAIM]


REGRESSION = r"""
Let $X \in \mathbb{R}^{m \times n}$ be the data, an example a row, and $w \in \mathbb{R}^n$ the weights. The scores are

$$ z = X w $$

and the predictions $p = \sigma(z)$, where

$$ \frac{d\sigma(z)}{dz} = \sigma(z)(1 - \sigma(z)) $$

The loss is

$$ L = -\frac{1}{m} \sum_{i=1}^{m} \left( y_i \log p_i + (1 - y_i) \log(1 - p_i) \right) $$

and its gradient

$$ \frac{\partial L}{\partial w} = \frac{1}{m} X^T (p - y) $$

For one example, $z = w^T x$ and

$$ \frac{\partial L}{\partial p} = -\frac{y}{p} + \frac{1 - y}{1 - p} $$

$$ \frac{\partial p}{\partial z} = p (1 - p) $$

$$ \frac{\partial z}{\partial w} = x $$
"""


def test_one_example_below_all_of_them_is_no_mistake() -> None:
    found = claims(REGRESSION)
    assert not any(c.is_wrong for c in found)
    assert sum(c.good for c in found) >= len(found) - 1


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        (r"\sigma(z)(1 - \sigma(z))", r"\sigma(z)(1 + \sigma(z))"),
        (r"= \frac{1}{m} X^T (p - y)", r"= \frac{1}{m} X^T (y - p)"),
    ],
)
def test_slips_on_such_a_page_are_found(right: str, wrong: str) -> None:
    assert right in REGRESSION
    assert any(c.is_wrong for c in claims(REGRESSION.replace(right, wrong)))


SCORES = r"""
With $W \in \mathbb{R}^{k \times n}$, $x \in \mathbb{R}^n$, $z \in \mathbb{R}^k$ and $a \in \mathbb{R}^k$,

$$ z = W x, \quad a = \sigma(z) $$

$$ \sigma'(z) = \sigma(z) (1 - \sigma(z)) $$

$$ \frac{\partial J}{\partial z} = \frac{\partial J}{\partial a} \odot a \odot (1 - a) $$

$$ \sigma'(z) = RIGHT $$
"""


def test_a_rule_for_the_function_is_one_of_numbers_and_a_product_of_columns_is_not() -> None:
    assert all(c.good for c in claims(SCORES.replace("RIGHT", r"a \odot (1 - a)")))
    assert any(c.is_wrong for c in claims(SCORES.replace("RIGHT", "a (1 - a)")))


def test_a_sum_over_examples_that_do_not_have_its_index() -> None:
    text = r"""
$$ J = \frac{1}{2m} \sum_{i=1}^{m} \sum_{k=1}^{K} (a_k - y_k)^2 $$

$$ \frac{\partial J}{\partial a_k} = \frac{1}{m} (a_k - y_k) $$
"""
    found = claims(text)[-1]
    assert found.verdict is Verdict.NOT_CHECKED
    assert "has this index" in found.diagnosis
    assert claims(text.replace(r"\sum_{i=1}^{m} \sum", r"\sum"))[-1].good
