"""1{y = j} of a class j, and p(y = j | x; θ) of an example."""

from __future__ import annotations

import pytest

from elman.notes import check
from elman.notes.judge.verdict import Claim, Verdict
from elman.notes.page.reader import page_of

CHANCE = r"\frac{e^{\omega_j^T u^{(i)}}}{\sum_{l=1}^k e^{\omega_l^T u^{(i)}}}"
LOSS = rf"J(\omega) = -\frac{{1}}{{m}} \sum_{{i=1}}^m \sum_{{j=1}}^k 1\{{c^{{(i)}} = j\}} \ln {CHANCE}"


def last(*formulas: str) -> Claim:
    return check(page_of("\n\n".join(f"$$ {formula} $$" for formula in formulas))).claims[-1]


@pytest.mark.parametrize("chance", ["r_j^{(i)}", r"p(c^{(i)} = j | u^{(i)}; \omega)"])
def test_the_gradient_of_softmax_regression(chance: str) -> None:
    def claim(sign: str) -> Claim:
        inner = rf"u^{{(i)}} \left( 1\{{c^{{(i)}} = j\}} {sign} {chance} \right)"
        gradient = rf"\nabla_{{\omega_j}} J(\omega) = -\frac{{1}}{{m}} \sum_{{i=1}}^m {inner}"
        return last(f"{chance} = {CHANCE}", LOSS, gradient)

    assert claim("-").verdict is Verdict.HOLDS
    assert claim("+").is_wrong


def test_a_chance_has_the_index_of_its_example() -> None:
    page = (
        r"p(u_n | \omega) = \sum_{k=1}^K w_k f(u_n | v_k)",
        r"E = \sum_{n=1}^N \ln p(u_n | \omega)",
        r"\frac{\partial E}{\partial w_k} = ",
    )
    assert last(page[0], page[1], page[2] + r"\sum_{n=1}^N \frac{f(u_n | v_k)}{p(u_n | \omega)}").good
    assert not last(page[0], page[1], page[2] + r"\sum_{n=1}^N \frac{w_k f(u_n | v_k)}{p(u_n | \omega)}").good
