"""A claim that fails under a reading which rests on a guess is not called wrong; its wrong twin is."""

from __future__ import annotations

import pytest

from elman.notes import check
from elman.notes.judge.verdict import Claim, Verdict
from elman.notes.page.reader import page_of

CASE = r"""
$$ q_k = \frac{e^{u_k}}{\sum_j e^{u_j}} $$

When $k \neq l$, the derivative is that of the denominator alone, and the result is:

$$ \frac{\partial q_k}{\partial u_l} = RIGHT $$
"""
ENERGY = r"""
The energy of one site is $F_{{\rm site}_i} = -b_i s_i$, and of all of them

$$ F_{\rm sites} = \sum_{i=1}^n F_{{\rm site}_i} = -\sum_{i=1}^n b_i s_i $$
"""
ROWS = r"""
$$ a_t = V h_{t-1} + U x_t, \quad h_t = \tanh(a_t) $$

$$ \frac{\partial a_t}{\partial a_{t-1}} = \frac{\partial a_t}{\partial h_{t-1}} \frac{\partial h_{t-1}}{\partial a_{t-1}} $$

$$ \begin{aligned} \frac{\partial a_t}{\partial h_{t-1}} &= \begin{bmatrix} v_{11} & \ldots & v_{1n} \\ v_{n1} & \ldots & v_{nn} \end{bmatrix} \\ &= V \end{aligned} $$
"""  # fmt: skip # noqa: E501


def claims(text: str) -> list[Claim]:
    return [c for c in check(page_of(text)).claims if c.verdict is not Verdict.NOT_A_CLAIM]


def page(*formulas: str) -> str:
    return "\n\n".join(f"$$ {formula} $$" for formula in formulas)


GUESSED = {
    "a letter that only one side has": (
        page(r"q = \ln r_1", r"\frac{\partial q}{\partial r_1} = \frac{v}{r_1}"),
        "one side alone depends on v",
    ),
    "a threshold that is called a weight": (
        page(r"y = u^T x - \theta", r"-\theta = -1 \cdot u_{n+1}"),
        "one side alone depends on u_{n+1}",
    ),
    "a chain through a letter without an equation": (
        page(
            r"p = \tanh(m n)",
            r"\frac{\partial p}{\partial m} = \frac{\partial p}{\partial k} \frac{\partial k}{\partial m}",
        ),
        "one side alone depends on k",
    ),
    "an equation of one entry below a sum": (ENERGY, "is for one i"),
    "an index that occurs twice, and no sum": (
        page(
            r"E = -y_k \log p_k", r"p = \mathrm{softmax}(V s)", r"\frac{\partial E}{\partial V} = (p - y) \otimes s"
        ),
        "the equation of E is for one k",
    ),
    "a path that is held fixed": (
        "With $A \\in \\mathbb{R}^{N \\times D}$:\n\n"
        + page(
            r"m_j = \frac{1}{N} \sum_{i=1}^N A_{ij}", r"u_{ij} = s_j (A_{ij} - m_j)",
            r"\frac{\partial u_{ij}}{\partial A_{ij}} = s_j",
        ),
        "it holds with the other letters in the equation of u held fixed",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", GUESSED)
def test_what_rests_on_a_guess_is_not_called_wrong(name: str) -> None:
    text, reason = GUESSED[name]
    found = claims(text)
    assert not any(c.is_wrong for c in found)
    assert found[-1].verdict is Verdict.NOT_CHECKED
    assert reason in found[-1].diagnosis


def test_a_row_goes_on_with_the_left_side_of_its_display() -> None:
    assert not any(c.is_wrong for c in claims(ROWS))
    assert claims(ROWS)[-1].left == r"\frac{\partial a_t}{\partial h_{t-1}}"


WRONG = {
    "a letter of the page": page(r"q = \ln r_1", r"\frac{\partial q}{\partial r_1} = -\frac{1}{r_1}"),
    "a chain of the page": page(
        r"k = m n", r"p = \tanh(k)", r"\frac{\partial p}{\partial m} = 2 \frac{\partial p}{\partial k} n"
    ),
    "one entry": page(r"p = \mathrm{softmax}(u)", r"E = -\ln p_k", r"\frac{\partial E}{\partial u_j} = [j = k] - p_j"),
    "a function of one number": page(r"v = S x, \quad r = x^T x", r"\tanh'(x) = 1 + \tanh(x) \cdot \tanh(x)"),
    "a path that is held fixed": "With $A \\in \\mathbb{R}^{N \\times D}$:\n\n"
    + page(
        r"m_j = \frac{1}{N} \sum_{i=1}^N A_{ij}",
        r"u_{ij} = s_j (A_{ij} - m_j)",
        r"\frac{\partial u_{ij}}{\partial A_{ij}} = 2 s_j",
    ),
    "a case": CASE.replace("RIGHT", "q_k q_l"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_rests_on_the_page_is_called_wrong(name: str) -> None:
    assert claims(WRONG[name])[-1].is_wrong


def test_a_case_that_a_sentence_states_is_that_of_the_display_below() -> None:
    assert claims(CASE.replace("RIGHT", "-q_k q_l"))[-1].good


def test_a_number_in_code_is_an_example_where_the_page_differentiates_by_its_letter() -> None:
    text = "```\nu = -2\nv = 5\n```\n\n" + page(r"f = u v", r"\frac{\partial f}{\partial u} = v")
    report = check(page_of(text))
    assert report.claims[0].verdict is Verdict.NOT_A_CLAIM
    assert report.claims[-1].good


DECLARED_TWICE = r"""
With $X \in \mathbb{R}^{n \times d}$ and $M \in \mathbb{R}^{d \times k}$ the layer is

$$ Z = X M $$

For one example $M \in \mathbb{R}^{k \times d}$.
"""


def test_a_letter_that_is_declared_twice_clashes_with_nothing() -> None:
    assert not any(c.is_wrong for c in claims(DECLARED_TWICE))
    assert "declares M as [d,k] and as [k,d]" in claims(DECLARED_TWICE)[0].diagnosis


def test_a_shape_that_is_declared_once_clashes() -> None:
    once = DECLARED_TWICE.replace(r"\mathbb{R}^{d \times k}", r"\mathbb{R}^{k \times d}", 1)
    assert claims(once)[0].is_wrong


def test_an_update_in_rows_is_no_claim() -> None:
    rows = (
        r"\begin{aligned} w_{ji} &= w_{ji} - \mu \frac{\partial E}{\partial w_{ji}} \\"
        r"&= w_{ji} + \mu d_j x_{ji} \end{aligned}"
    )
    assert not any(c.is_wrong for c in claims(page(r"E = \sum_j w_{ji} x_{ji}", rows)))


def test_an_assignment_in_code_is_no_claim() -> None:
    text = page(r"S = X W") + "\n\n```\ndS = dS / N\n```\n"
    assert not any(c.is_wrong for c in claims(text))


WORKED = {
    "a row": (
        r"a = \left[\frac{1}{1 + e^{-2.0}}, \frac{1}{1 + e^{-2.4}}\right] \approx [0.8808, LAST]", "0.9168", "0.9084"
    ),
    "a matrix": (
        r"V = \begin{bmatrix} 0.5 - 0.0005 & 0.6 - 0.0009 \\ 0.7 - 0.00004 & 0.8 \end{bmatrix} "
        r"\approx \begin{bmatrix} 0.4995 & 0.5991 \\ LAST & 0.8 \end{bmatrix}",
        "0.69996",
        "0.6996",
    ),
    "a product": (
        r"z = [1, 2] \cdot \begin{bmatrix} 0.5 & 0.6 \\ 0.7 & 0.8 \end{bmatrix} + [0.1, 0.2] = [2.0, LAST]",
        "2.4",
        "2.2",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", WORKED)
def test_the_arithmetic_of_arrays_is_checked_entry_by_entry(name: str) -> None:
    formula, right, wrong = WORKED[name]
    assert claims(page(formula.replace("LAST", right)))[-1].good
    found = claims(page(formula.replace("LAST", wrong)))[-1]
    assert found.is_wrong
    assert found.counterexample is not None
    assert found.counterexample.entry is not None


def test_worked_numbers_without_a_value_are_not_checked() -> None:
    found = claims(page(r"c = \frac{0.5}{0} = 0.25"))[-1]
    assert not found.is_wrong


def test_a_vector_may_be_none_of_those_of_a_sum() -> None:
    model = r"$$ J = -\ln \sigma(u_o^T v) - \sum_{s=1}^S \ln \sigma(-u_s^T v) $$"
    claims = (
        r"\frac{\partial J}{\partial u_o} = (\sigma(u_o^T v) - 1) v",
        r"\frac{\partial J}{\partial u_s} = \sigma(u_s^T v) v",
    )
    for claim in claims:
        right, wrong = (
            check(page_of(f"{model}\n\n$$ {text} $$")).claims[-1] for text in (claim, claim.replace("=", "= 2"))
        )
        assert right.verdict is Verdict.NOT_CHECKED
        assert "say so" in right.diagnosis
        assert wrong.is_wrong
    softmax = r"$$ J = -u_o^T v + \ln \sum_s e^{u_s^T v} $$" + "\n\n" + r"$$ \frac{\partial J}{\partial u_o} = -v $$"
    assert check(page_of(softmax)).claims[-1].is_wrong  # it is among those below the logarithm
    loss = r"$$ J = \ln \frac{e^{s_o}}{\sum_j e^{s_j}} + \sum_k s_k^2 $$"
    both = loss + "\n\n" + r"$$ \frac{\partial J}{\partial s_o} = 1 $$"
    assert check(page_of(both)).claims[-1].is_wrong  # and below it alone, where there is another sum


SOLVED = r"""
$x_n \in \mathbb{R}^d$ and $r_n \in \mathbb{R}$ are given; $m \in \mathbb{R}^d$ and $S \in \mathbb{R}^{d\times d}$ are sought.

$$ \frac{\partial L}{\partial S} = \sum_{n=1}^N r_n \left( S - (x_n - m)(x_n - m)^T \right) $$

Let $\frac{\partial L}{\partial S} = 0$. We get

$$ \sum_{n=1}^N r_n S = \sum_{n=1}^N r_n (x_n - m)(x_n - m)^T $$
"""  # fmt: skip # noqa: E501


def test_what_follows_from_a_derivative_that_is_zero_is_no_identity() -> None:
    last = claims(SOLVED)[-1]
    assert last.verdict is Verdict.NOT_CHECKED
    assert last.diagnosis.startswith(r"it holds where \frac{\partial L}{\partial S} is zero")
    assert (
        "is zero" not in claims(SOLVED.replace("Let", "## Other parameters\n\nLet").replace("= 0", "= c"))[-1].diagnosis
    )


def test_values_that_an_example_gives_are_not_wrong() -> None:
    text = r"""
$$r(a|z) = \frac{\exp(u^\top g(z, a))}{\sum_{c} \exp(u^\top g(z, c))}$$

Suppose:
$$g(z, a_1) = 2, \quad g(z, a_2) = 5, \quad u = 1$$
"""
    assert not [c for c in check(page_of(text, "markdown")).claims if c.verdict.is_wrong]
