"""Bounds of sums, indices that data give, vectors along matrices: each as a small page, and what is wrong there."""

from __future__ import annotations

import pytest

from elman.notes import check
from elman.notes.judge.verdict import GOOD, Claim, Verdict
from elman.notes.page.reader import page_of


def claims(*formulas: str) -> list[Claim]:
    text = "\n\n".join(f"$$ {formula} $$" for formula in formulas)
    return [c for c in check(page_of(text)).claims if c.verdict is not Verdict.NOT_A_CLAIM]


PAGES = {
    "a bound that nothing else names": (
        r"J = -\ln \sigma(g_o^T h) - \frac{1}{Q} \sum_{k=1}^Q \ln \sigma(-r_k^T h)",
        r"\frac{\partial J}{\partial h} = -(1 - \sigma(g_o^T h)) g_o + \frac{1}{Q} \sum_{k=1}^Q \sigma(r_k^T h) r_k",
    ),
    "a bound that is the size of a column": (
        r"J = \frac{1}{C} \sum_{c=1}^C (s_c - g_c)^2", r"\frac{\partial J}{\partial s} = \frac{2}{C} (s - g)",
    ),
    "an index that the data give": (
        r"q_{g_i} = \frac{e^{s_{g_i}}}{\sum_{j=1}^K e^{s_j}}", r"L_i = -\ln q_{g_i}",
        r"\frac{\partial L_i}{\partial s_k} = q_k - 1(g_i = k)",
    ),
    "a list whose letters have a subscript": (
        r"J = -\ln \sigma(a_o^T b_c) - \sum_{s=1}^K \ln \sigma(-a_{w_s}^T b_c)",
        r"\frac{\partial J}{\partial b_c} = -(1 - \sigma(a_o^T b_c)) a_o + \sum_{s=1}^K \sigma(a_{w_s}^T b_c) a_{w_s}",
        r"\frac{\partial J}{\partial a_{w_s}} = \sigma(a_{w_s}^T b_c) b_c",
    ),
    "an entry of a letter with a label": (
        r"z_2 = A s + c", r"J = -\ln \frac{e^{z_{2_c}}}{\sum_j e^{z_{2_j}}}",
        r"\frac{\partial J}{\partial z_{2_k}} = \frac{e^{z_{2_k}}}{\sum_j e^{z_{2_j}}} - 1(c = k)",
    ),
    "an entry at a time step": (
        r"s_t = \tanh(U x_t + W s_{t-1})", r"q_t = V s_t",
        r"\frac{\partial q_{t_l}}{\partial s_{t_m}} = V_{lm}",
    ),
    "a letter that is not a Greek one": (
        r"\xi_i = (y_i - t_i)^2", r"y_i = w^T x_i", r"\frac{\partial \xi_i}{\partial y_i} = 2 (y_i - t_i)",
    ),
    "the loss of an example and that of all": (
        r"L_i = (w^T x_i - y_i)^2", r"L = \frac{1}{N} \sum_{i=1}^N L_i",
        r"\frac{\partial L_i}{\partial w} = 2 (w^T x_i - y_i) x_i",
        r"\frac{\partial L}{\partial w} = \frac{2}{N} \sum_{i=1}^N (w^T x_i - y_i) x_i",
    ),
    "the loss of one example, of a number of them": (
        r"L_i = -\ln \frac{e^{s_{y_i}}}{\sum_j e^{s_j}}", r"L = \frac{1}{N} \sum_b L_i",
        r"\frac{\partial L_i}{\partial s_k} = \frac{e^{s_k}}{\sum_j e^{s_j}} - 1(k = y_i)",
    ),
    "a loss applied to an example and to all": (
        r"\ell(t_i, y_i) = -t_i \ln y_i", r"y_i = \sigma(z_i)",
        r"\ell(t, y) = -\frac{1}{N} \sum_{i=1}^N t_i \ln y_i",
        r"\frac{\partial \ell_i}{\partial z_i} = -t_i (1 - y_i)",
    ),
    "a label that is one of two numbers": (
        r"p = \begin{cases} \sigma(a) & \text{if } y = 1 \\ 1 - \sigma(a) & \text{if } y = -1 \end{cases}",
        r"J = \ln p",
        r"\frac{\partial J}{\partial a} = \begin{cases} 1 - \sigma(a) & \text{if } y = 1 \\"
        r" -\sigma(a) & \text{if } y = -1 \end{cases}",
    ),
    "the examples with a label": (
        r"J = \frac{1}{2} \sum_{i=1}^m 1\{y^{(i)} = 1\} (a - x^{(i)})^2",
        r"\frac{\partial J}{\partial a} = \sum_{i=1}^m 1\{y^{(i)} = 1\} (a - x^{(i)})",
    ),
    "two indices that spell a word": (
        r"p_{ij} = \frac{e^{a_{ij}}}{\sum_n e^{a_{in}}}", r"L = -\sum_i \sum_j g_{ij} \ln p_{ij}",
        r"\frac{\partial L}{\partial a_{kl}} = -g_{kl} + p_{kl} \sum_j g_{kj}",
    ),
    "a number for each column": (
        r"m_j = \frac{1}{N} \sum_{i=1}^N A_{ij}", r"R = A - m", r"G = R \odot m",
        r"\frac{\partial G_{ij}}{\partial A_{ij}} = m_j + \frac{1}{N} (A_{ij} - 2 m_j)",
    ),
    "a vector along the rows of a matrix": (
        r"m_j = \frac{1}{N} \sum_{i=1}^N A_{ij}", r"v_j = \frac{1}{N} \sum_{i=1}^N (A_{ij} - m_j)^2",
        r"R = (A - m) / \sqrt{v + \epsilon}", r"\frac{\partial R_{ij}}{\partial m_j} = -(v_j + \epsilon)^{-1/2}",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", PAGES)
def test_what_is_right_holds(name: str) -> None:
    found = claims(*PAGES[name])
    assert len(found) >= len(PAGES[name])
    assert [(c.left, c.formula, str(c.verdict), c.diagnosis) for c in found if c.verdict not in GOOD] == []


WRONG = [
    ("a bound that nothing else names", r"+ \frac{1}{Q}", r"- \frac{1}{Q}"),
    ("a bound that is the size of a column", r"\frac{2}{C} (s", r"\frac{1}{C} (s"),
    ("an index that the data give", r"q_k - 1(g", r"q_k + 1(g"),
    ("a list whose letters have a subscript", r"= \sigma(a_{w_s}^T b_c) b_c", r"= -\sigma(a_{w_s}^T b_c) b_c"),
    ("an entry of a letter with a label", r"- 1(c = k)", r"+ 1(c = k)"),
    ("an entry at a time step", r"= V_{lm}", r"= V_{ml}"),
    ("the loss of an example and that of all", r"= \frac{2}{N} \sum_{i=1}^N (w", r"= \sum_{i=1}^N (w"),
    ("the loss of one example, of a number of them", r"- 1(k = y_i)", r"+ 1(k = y_i)"),
    ("a loss applied to an example and to all", r"= -t_i (1 - y_i)", r"= t_i (1 - y_i)"),
    ("a label that is one of two numbers", r" -\sigma(a) &", r" \sigma(a) &"),
    ("the examples with a label", r"= \sum_{i=1}^m 1\{y^{(i)} = 1", r"= \sum_{i=1}^m 1\{y^{(i)} = 0"),
    ("two indices that spell a word", r"\sum_j g_{kj}", r"\sum_j g_{jk}"),
    ("a number for each column", r"- 2 m_j", r"- m_j"),
    ("a letter that is not a Greek one", r"= 2 (y_i", r"= (y_i"),
]


@pytest.mark.parametrize(("name", "right", "wrong"), WRONG, ids=[w[0] for w in WRONG])
def test_what_is_wrong_is_marked(name: str, right: str, wrong: str) -> None:
    formulas = [formula.replace(right, wrong) for formula in PAGES[name]]
    assert sum(a != b for a, b in zip(formulas, PAGES[name], strict=True)) == 1
    marked = [c for c in claims(*formulas) if c.is_wrong]
    assert [wrong.strip("+=- ") in f"= {c.formula}" for c in marked] == [True]
