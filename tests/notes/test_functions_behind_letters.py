"""A function c(R) = s = (R^T R)^{-1/2}: its value behind the letter s, c(y) and ∂c/∂y of other letters, functions of
layers.
"""

from __future__ import annotations

from elman.notes import check
from elman.notes.judge.verdict import Claim, Verdict
from elman.notes.page.reader import page_of


def claims(text: str) -> list[Claim]:
    return [c for c in check(page_of(text)).claims if c.verdict is not Verdict.NOT_A_CLAIM]


LEMMA = r"""Let $U = c(V) \cdot V$ where $c(V) \in \R$ and $V \in \R^n$.

$$ \frac{\partial U_k}{\partial V_i} = \frac{\partial c}{\partial V_i} V_k + \mathbf{1}[i=k] c(V) $$

$$ \frac{\text{d}u}{\text{d}v} = \frac{\text{d}c}{\text{d}v} \cdot v + c(v) $$

where $u = c(v) \cdot v$. Below, $$c(S) = (\tau + \epsilon)^{-1/2} = (\frac{1}{M} S^T S + \epsilon)^{-1/2}$$.
"""


def test_a_function_whose_formula_stands_below_and_behind_a_letter() -> None:
    found = [c for c in claims(LEMMA) if "partial" in c.left or "text" in c.left]
    assert [c.good for c in found] == [True, True]


def test_its_product_rule_is_no_other_one() -> None:
    for right, wrong in ((r"V_k +", r"V_i +"), (r"\cdot v + c(v)", r"\cdot v - c(v)")):
        assert right in LEMMA
        found = [c for c in claims(LEMMA.replace(right, wrong)) if "partial" in c.left or "text" in c.left]
        assert not all(c.good for c in found)


def test_the_function_of_a_layer() -> None:
    layers = r"""$$u^{\ell} = W^{\ell} r^{\ell-1} + b^{\ell}$$

$$r^{\ell} = \sigma^{\ell}(u^{\ell})$$

$$\eta^{\ell} = \frac{\partial C}{\partial u^{\ell}}$$

$$\eta^{\ell} = ((W^{\ell+1})^T \eta^{\ell+1}) \odot \sigma'(u^{\ell})$$"""
    assert [c.good for c in claims(layers)] == [True] * 4
    assert claims(layers.replace(r"(W^{\ell+1})^T", r"W^{\ell+1}"))[-1].is_wrong
