"""Names that a page gives to one thing after the other: functions of a chain, probabilities, letters of a rule."""

from __future__ import annotations

import pytest

from elman.notes import check
from elman.notes.judge.verdict import Claim, Verdict
from elman.notes.page.reader import page_of


def claims(text: str) -> list[Claim]:
    return [c for c in check(page_of(text)).claims if c.verdict is not Verdict.NOT_A_CLAIM]


def last(text: str) -> Claim:
    return claims(text)[-1]


TWO_CASES = r"""
First case. Let $u = f_1(v) = e^v$ and $v = f_2(w_k) = 3 w_k$. Then

$$ \frac{\partial f_1(v)}{\partial v} = e^v, \quad \frac{\partial f_2(w_k)}{\partial w_k} = 3 $$

Second case. Let $s = f_1(r) = r + c$, where $c$ is a constant, and $r = f_2(w_k) = w_k^2$. Then

$$ \frac{\partial f_1(r)}{\partial r} = FIRST $$

$$ \frac{\partial f_2(w_k)}{\partial w_k} = SECOND $$
"""


def two_cases(first: str, second: str) -> list[Claim]:
    return claims(TWO_CASES.replace("FIRST", first).replace("SECOND", second))[-2:]


def test_the_functions_of_a_second_case_are_other_ones() -> None:
    assert [c.verdict for c in two_cases("1", "2 w_k")] == [Verdict.HOLDS, Verdict.HOLDS]


@pytest.mark.parametrize(("first", "second"), [("2", "2 w_k"), ("1", "w_k")])
def test_a_slip_in_a_second_case_is_found(first: str, second: str) -> None:
    assert sum(c.is_wrong for c in two_cases(first, second)) == 1


def test_a_function_of_two_letters_within_a_chain_is_known() -> None:
    text = "Let $p = q(a, b) = \\frac{a}{b}$.\n\n$$ \\frac{\\partial q(a, b)}{\\partial b} = RIGHT $$\n"
    assert last(text.replace("RIGHT", r"-\frac{a}{b^2}")).good
    assert last(text.replace("RIGHT", r"\frac{a}{b^2}")).is_wrong


LIKELIHOOD = r"""
The prior is

$$ p(y) = \begin{cases} \psi & \text{if } y = 1 \\ 1 - \psi & \text{if } y = -1 \end{cases} $$

and the log-likelihood of the data

$$ l(\psi) = \log \prod_{i=1}^{m} p(x^{(i)}, y^{(i)}; \psi, \mu) $$

With the counts of both classes,

$$ m_1 = \sum_{i=1}^{m} \mathbb{1}\{y^{(i)} = 1\}, \quad m_2 = \sum_{i=1}^{m} \mathbb{1}\{y^{(i)} = -1\} $$

$$ \frac{\partial l}{\partial \psi} = \frac{m_1}{\psi} - \frac{m_2}{1 - \psi} $$
"""


def test_the_joint_probability_is_not_the_prior() -> None:
    assert not any(c.is_wrong for c in claims(LIKELIHOOD))


def test_probabilities_of_a_value_and_of_its_opposite_are_two() -> None:
    text = "$$ p(y=1) = \\psi $$\n\n$$ p(y=-1) = 1 - \\psi $$\n"
    assert [c.verdict for c in claims(text)] == [Verdict.HOLDS, Verdict.HOLDS]


RULE = r"""
$$ S = -\frac{1}{2} (z - b)^T P (z - b) $$

With the rule $\nabla_z z^T S z = 2 S z$ it follows that

$$ \nabla_z S = -\frac{1}{2} (P + P^T) (z - b) $$
"""


def test_a_letter_of_a_rule_may_be_another_one_than_that_of_the_page() -> None:
    found = claims(RULE)
    assert [c.verdict for c in found] == [Verdict.HOLDS, Verdict.NOT_CHECKED, Verdict.HOLDS]
    assert "held fixed" in found[1].diagnosis
    assert any(c.is_wrong for c in claims(RULE.replace("2 S z", "3 S z")))


AGAIN = r"""
First, let $u = 3 v$. Then, let $u = w^2$. Let $S = \sum_{k=1}^n e^{r_k}$.

Let $q = f(u) = \frac{e^{r_k}}{u}$, let $u = g(t) = t + c$, where $c$ is a constant, and let $t = h(s) = e^s$. Then

$$ \frac{\partial f(u)}{\partial u} = -\frac{e^{r_k}}{S^2} $$
"""


def test_a_letter_that_is_defined_again_and_again_mends_nothing() -> None:
    assert not any(c.is_wrong for c in claims(AGAIN))


NETWORK = r"""
$$ a^{(1)} = x, \quad z^{(2)} = \Theta^{(1)} a^{(1)}, \quad a^{(2)} = g(z^{(2)}) $$

$$ z^{(3)} = \Theta^{(2)} a^{(2)}, \quad a^{(3)} = g(z^{(3)}) = h_\Theta(x) $$

$$ g(z) = \frac{1}{1 + e^{-z}} $$

$$ C = \frac{1}{2} \sum_{k=1}^{K} (h_\Theta(x)_k - y_k)^2 $$

$$ \delta^{(3)} = (a^{(3)} - y) \odot g'(z^{(3)}) $$

$$ \delta^{(2)} = (\Theta^{(2)})^T \delta^{(3)} \odot g'(z^{(2)}) $$

$$ \frac{\partial C}{\partial \Theta^{(2)}} = \delta^{(3)} (a^{(2)})^T $$

$$ \frac{\partial C}{\partial \Theta^{(1)}} = \delta^{(2)} (a^{(1)})^T $$
"""


def test_layers_with_numbers_depend_on_each_other() -> None:
    found = claims(NETWORK)
    assert all(c.good for c in found), [(c.formula, c.diagnosis) for c in found if not c.good]


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        (r"\delta^{(3)} (a^{(2)})^T", r"\delta^{(2)} (a^{(2)})^T"),
        (r"\delta^{(2)} (a^{(1)})^T", r"\delta^{(2)} (a^{(2)})^T"),
        (r"(a^{(3)} - y) \odot", r"(y - a^{(3)}) \odot"),
    ],
)
def test_slips_between_layers_with_numbers_are_found(right: str, wrong: str) -> None:
    assert right in NETWORK
    assert any(c.is_wrong for c in claims(NETWORK.replace(right, wrong)))
