"""Cells with capital states, losses that a page names or only mentions, points for products entry by entry."""

from __future__ import annotations

import pytest

from elman.notes import check
from elman.notes.judge.verdict import Claim, Verdict
from elman.notes.page.reader import page_of

CELL = (
    r"p_t = \sigma(W_p [s_{t-1}, x_t] + b_p)",
    r"q_t = \sigma(W_q [s_{t-1}, x_t] + b_q)",
    r"\tilde{M}_t = \tanh(W_M [s_{t-1}, x_t] + b_M)",
    r"M_t = p_t \odot M_{t-1} + q_t \odot \tilde{M}_t",
    r"r_t = \sigma(W_r [s_{t-1}, x_t] + b_r)",
    r"s_t = r_t \odot \tanh(M_t)",
)


def claims(*formulas: str, words: str = "") -> list[Claim]:
    text = words + "\n\n" + "\n\n".join(f"$$ {formula} $$" for formula in formulas)
    return [c for c in check(page_of(text)).claims if c.verdict is not Verdict.NOT_A_CLAIM]


def last(*formulas: str, words: str = "") -> Claim:
    return claims(*formulas, words=words)[-1]


@pytest.mark.parametrize("sign", [r"\cdot", r"\odot"])
def test_gradients_of_one_step_of_a_cell_with_capital_states(sign: str) -> None:
    by_gate = rf"\frac{{dL}}{{d r_t}} = \frac{{dL}}{{d s_t}} {sign} \tanh(M_t)"
    by_state = rf"\frac{{dL}}{{d M_{{t-1}}}} = \frac{{dL}}{{d M_t}} {sign} p_t"
    assert [c.good for c in claims(*CELL, by_gate, by_state)[-2:]] == [True, True]
    for wrong in (by_gate.replace("M_t)", "s_t)"), by_state.replace("p_t", "q_t")):
        assert not last(*CELL, wrong).good


def test_a_sum_over_the_steps_is_not_about_one_step() -> None:
    by_bias = r"\frac{dL}{d b_r} = \frac{dL}{d r_t} \odot r_t \odot (1 - r_t)"
    assert not last(*CELL, r"L = \sum_t (s_t - y_t)^T (s_t - y_t)", by_bias).good


@pytest.mark.parametrize("name", [r"\sigma", r"\tanh"])
def test_the_derivative_of_a_function_by_its_argument(name: str) -> None:
    right = rf"{name}(u) (1 - {name}(u))" if name == r"\sigma" else r"1 - \tanh^2(u)"
    assert last(rf"\frac{{d {name}}}{{du}} = {right}").good
    assert last(rf"\frac{{d {name}}}{{du}} = {right.replace('1 -', '2 -')}").is_wrong


SCORES = (r"v = A s + c", r"q = \text{softmax}(v)")


@pytest.mark.parametrize("arguments", ["q, d", "d, q"])
def test_a_cross_entropy_by_its_name(arguments: str) -> None:
    loss = rf"E = \text{{crossentropy}}({arguments})"
    assert last(*SCORES, loss, r"\frac{\partial E}{\partial v} = q - d").good
    assert last(*SCORES, loss, r"\frac{\partial E}{\partial v} = d - q").is_wrong


def test_a_cross_entropy_that_the_words_name() -> None:
    right = (r"\frac{\partial E}{\partial v} = q - d", r"\frac{\partial E}{\partial c} = q - d")
    words = "We minimise the cross entropy of the outputs."
    assert [c.good for c in claims(*SCORES, *right, words=words)[-2:]] == [True, True]
    assert not last(*SCORES, *right).good
    assert not last(*SCORES, right[0], r"\frac{\partial E}{\partial c} = d - q", words=words).good


def test_a_step_that_the_sum_binds_is_none_of_the_left_side() -> None:
    rows = r"\frac{\partial E_t}{\partial W} = \sum_t \frac{\partial E_t}{\partial W}"
    found = last(r"z_t = W z_{t-1}", r"E_t = z_t^T z_t", rows)
    assert not found.is_wrong


def test_an_entrywise_point_needs_its_shapes() -> None:
    layers = (r"u^l = W^l a^{l-1} + b^l", r"a^l = \sigma(u^l)", r"\delta^l = \frac{\partial C}{\partial u^l}")
    back = r"\delta^l = ((W^{l+1})^T \delta^{l+1}) \cdot \sigma'(u^l)"
    assert last(*layers, back).good
    assert not last(*layers, back.replace(r"\sigma'(u^l)", r"\sigma(u^l)")).good
