"""δh for ∂E/∂h, and D_j S_i for ∂S_i/∂a_j; a loss of all steps beside a claim about one."""

from __future__ import annotations

from elman.notes import check
from elman.notes.judge.verdict import Claim, Verdict
from elman.notes.page.reader import page_of

CELL = (
    r"g_t = \sigma(W_g x_t + U_g h_{t-1})",
    r"n_t = \tanh(W_n x_t + U_n h_{t-1})",
    r"c_t = g_t \odot c_{t-1} + n_t",
    r"h_t = \tanh(c_t)",
)


def claims(*formulas: str) -> list[Claim]:
    return list(check(page_of("\n\n".join(f"$$ {formula} $$" for formula in formulas))).claims)


def last(*formulas: str) -> Claim:
    return claims(*formulas)[-1]


def test_a_delta_before_a_letter_is_a_gradient() -> None:
    page = (*CELL, r"\delta h_t = \frac{\partial E}{\partial h_t}")
    assert last(*page, r"\delta n_t = \delta c_t").good
    assert last(*page, r"\delta g_t = \delta c_t \odot c_{t-1}").good
    assert not last(*page, r"\delta g_t = \delta c_t \odot c_t").good


def test_a_delta_that_is_not_explained_makes_letters() -> None:
    found = claims(*CELL, r"\delta c_t = \delta h_t \odot (1 - h_t^2)", r"\delta g_t = \delta c_t \odot c_{t-1}")
    assert not any(claim.is_wrong for claim in found)


def test_a_delta_that_stands_alone_is_a_factor() -> None:
    page = (r"f(a) = \delta a - \frac{1}{2} \delta^2", r"\frac{\partial f}{\partial a} = ")
    assert last(page[0], page[1] + r"\delta").verdict is Verdict.HOLDS
    assert last(page[0], page[1] + r"a").is_wrong


def test_an_operator_before_a_letter_is_a_derivative() -> None:
    page = (r"q_i = \frac{e^{b_i}}{\sum_k e^{b_k}}", r"D_j q_i = \frac{\partial q_i}{\partial b_j}")
    assert claims(*page)[-1].good
    assert last(*page, r"D_j q_i = q_i (\delta_{ij} - q_j)").verdict is Verdict.HOLDS
    assert last(*page, r"D_j q_i = q_j (\delta_{ij} - q_j)").is_wrong


def test_a_letter_on_the_left_alone_is_no_mistake() -> None:
    page = (r"q_i = \frac{e^{b_i}}{\sum_k e^{b_k}}", r"F_j q_i = 2 \frac{\partial q_i}{\partial b_j}")
    assert last(*page).verdict is Verdict.NOT_CHECKED


def test_a_claim_about_one_step_is_not_wrong_for_the_loss_of_all() -> None:
    def by(letter: str) -> str:
        return rf"\frac{{\partial E}}{{\partial {letter}}}"

    found = claims(
        *CELL,
        rf"{by('n_t')} = {by('c_t')}",
        rf"{by('g_t')} = {by('c_t')} \odot c_{{t-1}}",
        rf"{by('c_t')} = {by('h_t')} \odot (1 - h_t^2)",
    )
    assert [claim.good for claim in found[-3:-1]] == [True, True]
    assert not found[-1].is_wrong


def test_a_matrix_before_a_letter_is_no_sign() -> None:
    assert not last("f(x) = x^T A x", r"A x = \frac{\partial f}{\partial x}").good
