"""Sums, columns and rows that are written out with an ellipsis."""

from __future__ import annotations

import pytest

from elman.notes import check
from elman.notes.judge.verdict import Claim, Verdict
from elman.notes.page.reader import page_of

NEURON = r"s = v_1 u_1 + v_2 u_2 + \cdots + v_n u_n + c"
SOFTMAX = (r"q = \text{softmax}(s)", r"E = -t_1 \ln q_1 - t_2 \ln q_2 - ... - t_n \ln q_n")


def last(*formulas: str) -> Claim:
    return check(page_of("\n\n".join(f"$$ {formula} $$" for formula in formulas))).claims[-1]


@pytest.mark.parametrize(
    ("claim", "right", "wrong"),
    [
        (r"\frac{\partial s}{\partial v_2} = ", "u_2", "v_2"),
        (r"\frac{\partial s}{\partial v_i} = ", "u_i", "v_i"),
        (r"\frac{\partial s}{\partial v} = ", "u", "v"),
        (r"\frac{\partial s}{\partial c} = ", "1", "2"),
    ],
)
def test_a_sum_with_an_ellipsis_defines_a_letter(claim: str, right: str, wrong: str) -> None:
    assert last(NEURON, claim + right).verdict is Verdict.HOLDS
    assert last(NEURON, claim + wrong).verdict is not Verdict.HOLDS


def test_a_sum_with_an_ellipsis_is_a_claim() -> None:
    chain = r"\frac{\partial E}{\partial q_1} \frac{\partial q_1}{\partial s_i} + \dots"
    end = r" + \frac{\partial E}{\partial q_n} \frac{\partial q_n}{\partial s_i}"
    claim = r"\frac{\partial E}{\partial s_i} = "
    assert last(*SOFTMAX, claim + chain + end).verdict is Verdict.HOLDS
    assert last(*SOFTMAX, claim + chain.replace("q_1}{", "q_1^2}{") + end.replace("q_n}{", "q_n^2}{")).is_wrong
    assert last(*SOFTMAX, claim + r"q_i (t_1 + t_2 + \ldots + t_n) - t_i").verdict is Verdict.HOLDS
    assert last(*SOFTMAX, claim + r"q_i (t_1 + t_2 + \ldots + t_n) + t_i").is_wrong


@pytest.mark.parametrize(
    "column",
    [
        r"\begin{bmatrix} -t_1/q_1 \\ \vdots \\ -t_n/q_n \end{bmatrix}",
        r"\begin{pmatrix} -\frac{t_1}{q_1} & -\frac{t_2}{q_2} & \cdots & -\frac{t_n}{q_n} \end{pmatrix}^T",
        r"\begin{bmatrix} -t_1/q_1 & ... & -t_n/q_n \end{bmatrix}",
    ],
)
def test_a_column_with_an_ellipsis_is_compared_by_its_entries(column: str) -> None:
    claim = r"\frac{\partial E}{\partial q} = "
    assert last(*SOFTMAX, claim + column).verdict is Verdict.HOLDS
    wrong = last(*SOFTMAX, claim + column.replace("-t", "t").replace(r"-\frac", r"\frac"))
    assert wrong.is_wrong
    assert not wrong.fixes  # an entry in place of the column would be no repair


def test_what_does_not_count_on_stays_an_ellipsis() -> None:
    for terms in (
        r"v_1 u_1 + v_3 u_3 + \cdots + v_n u_n",
        r"v_1 u_1 + v_2 u_1 + \cdots + v_n u_n",
        r"v + \cdots + u_n",
    ):
        claim = last(f"s = {terms}", r"\frac{\partial s}{\partial v_1} = u_1")
        assert claim.verdict is Verdict.NOT_CHECKED


def test_vectors_with_numbers_stay_vectors() -> None:
    page = (r"m = \frac{1}{n} (\mathbf{x}_1 + \cdots + \mathbf{x}_n)", r"f = \mathbf{x}_1^T \mathbf{x}_1")
    assert last(*page, r"\frac{\partial f}{\partial \mathbf{x}_1} = 2 \mathbf{x}_1").verdict is Verdict.HOLDS


def test_entries_are_counted_from_0() -> None:
    page = (r"g(u) = \omega_0 u_0 + \omega_1 u_1 + \cdots + \omega_n u_n", r"H = \frac{1}{2} (g(u) - t)^2")
    for claim in (
        r"\frac{\partial H}{\partial \omega_j} = (g(u) - t) u_j",
        r"\frac{\partial H}{\partial \omega_0} = (g(u) - t) u_0",
    ):
        assert last(*page, claim).verdict is Verdict.HOLDS
        assert last(*page, claim.replace("- t", "+ t")).is_wrong
