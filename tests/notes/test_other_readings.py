"""Claims that hold in another usual reading: a sum to the end, an aside, a number for a vector; and clashes that are
none.
"""

from __future__ import annotations

import pytest

from elman.notes import check
from elman.notes.judge.verdict import Claim, Verdict
from elman.notes.page.reader import page_of


def claims(text: str) -> list[Claim]:
    return list(check(page_of(text)).claims)


def last(*formulas: str) -> Claim:
    return claims("\n\n".join(f"$$ {formula} $$" for formula in formulas))[-1]


LOSS = r"H = -\sum_{i=1}^n y_i \ln p_i + (1 - y_i) \ln(1 - p_i)"


def test_a_sum_runs_over_the_terms_that_have_its_index() -> None:
    assert last(LOSS, r"\frac{\partial H}{\partial p_i} = \frac{1-y_i}{1-p_i} - \frac{y_i}{p_i}").good
    assert last(LOSS, r"\frac{\partial H}{\partial p_i} = \frac{1-y_i}{1-p_i} + \frac{y_i}{p_i}").is_wrong


def test_a_letter_under_a_logarithm_as_1_minus_p_is_between_0_and_1() -> None:
    given = r"E = -t \ln q - (1 - t) \ln(1 - q)"
    assert last(given, r"\frac{\partial E}{\partial q} = \frac{q - t}{q (1 - q)}").good
    assert last(given, r"\frac{\partial E}{\partial q} = \frac{t - q}{q (1 - q)}").is_wrong


def test_a_sum_may_be_meant_to_the_end() -> None:
    model = r"E = \sum_i (a_i r_i + b^2 c_i)"
    claim = r"\frac{\partial E}{\partial b} = \sum_i 0 a_i + 2 b c_i"
    assert last(model, claim).good
    assert not last(model, claim.replace("2 b", "3 b")).good


ASIDE = r"""\begin{aligned}
\frac{\partial}{\partial u_i} \ln \sum_k e^{u_k}
&= \frac{1}{\sum_k e^{u_k}} \sum_k \frac{\partial}{\partial u_i} e^{u_k} \\
\frac{\partial}{\partial u_i} u_k &= \begin{cases} 1 & i = k \\ 0 & i \ne k \end{cases} \\
&= \frac{e^{u_i}}{\sum_k e^{u_k}}
\end{aligned}"""


def test_a_derivation_goes_on_behind_an_aside() -> None:
    assert [c.verdict for c in claims(f"$$ {ASIDE} $$")] == [Verdict.HOLDS] * 3
    assert claims(f"$$ {ASIDE.replace('{e^{u_i}}', '{e^{2 u_i}}')} $$")[-1].is_wrong


def test_primes_of_expressions_are_derivatives_beside_a_prime_of_a_function() -> None:
    derivation = (
        r"\sigma(x)' = \left(\frac{1}{1 + e^{-x}}\right)' = \frac{-(1 + e^{-x})'}{(1 + e^{-x})^2}"
        r" = \frac{e^{-x}}{(1 + e^{-x})^2} = \sigma(x)(1 - \sigma(x))"
    )
    text = r"$$ \sigma(x) = \frac{1}{1 + e^{-x}} $$" + f"\n\n$$ {derivation} $$\n\n$$ z = A x $$\n"
    assert all(c.good for c in claims(text)[1:5])
    assert claims(text.replace("{-(1 + e", "{(1 + e"))[2].is_wrong


@pytest.mark.parametrize("heading", ["# Another exercise", ""])
def test_a_shape_declared_under_a_later_heading_is_no_evidence(heading: str) -> None:
    text = (
        "# Products\n\nLet $A \\in \\mathbb{R}^{n \\times n}$. Then $$ (A B)^T = B^T A^T $$\n\n"
        f"{heading}\n\nLet $B \\in \\mathbb{{R}}^{{m \\times n}}$. $$ (B A B^T)^T = B A^T B^T $$\n"
    )
    found = claims(text)
    assert found[0].is_wrong != bool(heading)
    assert found[-1].good


def test_what_a_row_writes_out_and_is_not_read_leaves_the_next_open() -> None:
    model = (r"z^{(l+1)} = W^{(l)} a^{(l)}", r"a^{(l)} = \tanh(z^{(l)})")
    left = r"\frac{\partial z_k^{(l+1)}}{\partial a_i^{(l)}}"
    assert last(*model, rf"{left} = W_{{k,i}}^{{(l+1)}}").is_wrong
    written = r"\frac{\partial (\sum_{j=0}^{r_l} W_{k,j}^{(l+1)} a_j^{(l)})}{\partial a_i^{(l)}}"
    assert not last(*model, rf"{left} = {written} = W_{{k,i}}^{{(l+1)}}").is_wrong


CELL = (
    r"g_t = \sigma(W_g [h_{t-1}, x_t] + b_g)",
    r"i_t = \sigma(W_i [h_{t-1}, x_t] + b_i)",
    r"\tilde{c}_t = \tanh(W_c \cdot [h_{t-1}, x_t] + b_c)",
    r"c_t = g_t \odot c_{t-1} + i_t \odot \tilde{c}_t",
    r"h_t = \tanh(c_t)",
)


def test_states_in_brackets_behind_a_matrix_are_one_column() -> None:
    assert all(c.good for c in claims("\n\n".join(f"$$ {formula} $$" for formula in CELL)))
    assert last(*CELL, r"\frac{\partial c_t}{\partial \tilde{c}_t} = i_t").good
    assert last(*CELL, r"\frac{\partial c_t}{\partial \tilde{c}_t} = -i_t").is_wrong


def test_sums_of_derivatives_are_true_in_either_layout() -> None:
    shapes = r"$X \in \mathbb{R}^{n \times d}$, $W \in \mathbb{R}^{d \times m}$, $b \in \mathbb{R}^m$"
    model = f"Let $Z = X W + b$ with {shapes}."
    claim = r"$$ \frac{\partial L}{\partial b} = \sum_{i=1}^n \frac{\partial L}{\partial Z_i} $$"
    assert claims(f"{model}\n\n{claim}")[-1].verdict is Verdict.HOLDS
    assert not claims(f"{model}\n\n{claim.replace('=1', '=2')}")[-1].good


@pytest.mark.parametrize(
    "where",
    [
        r"where $E = \frac{1}{2} (q - t)^2$, $q = \tanh(s)$, and $s = v^T u + c$.",
        r"其中 $E = \frac{1}{2} (q - t)^2$，$q = \tanh(s)$，$s = v^T u + c$。",
    ],
)
def test_a_list_behind_where_defines_its_letters(where: str) -> None:
    def claim(sign: str) -> Claim:
        return claims(rf"$$ \frac{{\partial E}}{{\partial v}} = (q - t) (1 {sign} q^2) u $$" + f"\n\n{where}")[0]

    assert claim("-").verdict is Verdict.HOLDS
    assert claim("+").is_wrong


def test_a_condition_in_a_list_defines_nothing() -> None:
    text = r"$$ r = a^2 b $$" + "\n\n" + r"If $r = 4$, $a = 2$." + "\n\n" + r"$$ \frac{\partial r}{\partial b} = a^2 $$"
    assert claims(text)[-1].verdict is Verdict.HOLDS


def test_a_loss_is_what_is_written_out_behind_its_name() -> None:
    model = (r"q = v^T u + c", r"E = MSE(t, q) = \frac{1}{2} (t - q)^2")
    assert last(*model, r"\frac{\partial E}{\partial v} = (q - t) u").verdict is Verdict.HOLDS
    assert last(*model, r"\frac{\partial E}{\partial v} = (t - q) u").is_wrong
