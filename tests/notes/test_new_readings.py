"""Kinds of lines of new pages that were called wrong although they are right, each beside one that is wrong."""

from __future__ import annotations

import pytest

from elman.notes import check
from elman.notes.judge.verdict import Claim, Verdict
from elman.notes.page.reader import page_of


def claims(text: str) -> list[Claim]:
    return [c for c in check(page_of(text)).claims if c.verdict is not Verdict.NOT_A_CLAIM]


def verdicts(text: str) -> list[Verdict]:
    return [c.verdict for c in claims(text)]


KERNEL = r"""
$$k(u, v) = (u^T v + 1)^2$$

$$s(u) = \sum_{i=1}^M c_i k(u_i, u) + d$$

$$r_i = s(u_i) - t_i = \sum_{j=1}^M c_j k(INNER) + d - t_i$$
"""


def test_a_function_applied_to_an_example_runs_over_the_other_ones() -> None:
    assert set(verdicts(KERNEL.replace("INNER", "u_j, u_i"))) == {Verdict.HOLDS}
    assert claims(KERNEL.replace("INNER", "u_j, 2 u_i"))[-1].verdict.is_wrong


def test_a_letter_in_a_line_between_double_dollars_may_be_a_function() -> None:
    text = r"""
- **$$g$$** is the activation
- **$$s_k$$** is the state

$$s_k = g(A s_{k-1} + c)$$

For the activation tanh we have $$g'(r) = 1 - \tanh^2(r)$$, at most one.
"""
    assert claims(text)[-1].verdict is Verdict.NOT_CHECKED


SIZES = r"""
$$p_t = \tanh(A \odot p_{t-1} + c)$$

| Letter | Sizes |
|---|---|
| $p_t$ | $(hd \times hd) SIGN (hd \times 1) + (hd \times 1) = (hd \times 1)$ |
| $c$ | $(hd \times 1)$ |
"""


@pytest.mark.parametrize("sign", [r"\odot", r"\cdot", ""])
def test_sizes_in_brackets_with_signs_between_them_are_no_claim(sign: str) -> None:
    assert not any(v.is_wrong for v in verdicts(SIZES.replace("SIGN", sign)))
    assert len(claims(SIZES.replace("SIGN", sign))) == 1


def test_the_derivative_of_what_stands_behind_words_is_not_what_stands_behind_them() -> None:
    text = r"""
$$q = \tanh(r)$$

$$\frac{\partial q}{\partial r} = \text{derivative of } \tanh(r) = 1 - q^2$$
"""
    assert verdicts(text)[0] is Verdict.HOLDS
    assert verdicts(text)[-1] is Verdict.HOLDS
    assert Verdict.NOT_READ in verdicts(text)
    assert claims(text.replace("1 - q^2", "1 + q^2"))[-1].verdict.is_wrong


@pytest.mark.parametrize("line", ["Q^2 = Q", "Q^T = Q", "Q^T Q = I"])
def test_an_equation_of_one_given_letter_says_what_it_is_like(line: str) -> None:
    text = rf"Let $Q \in \mathbb{{R}}^{{n \times n}}$ be a projection with ${line}$, as seen above."
    assert verdicts(text) == [Verdict.NOT_CHECKED] or verdicts(text) == []


def test_an_identity_of_one_letter_is_checked() -> None:
    text = r"Let $Q \in \mathbb{R}^{n \times n}$. Then $$(Q^T)^T + Q = 3 Q$$"
    assert claims(text)[-1].verdict.is_wrong


def test_two_members_of_a_family_may_be_equal() -> None:
    text = r"""
Let $$r = \frac{r_1 + r_2}{2}$$ of two optima $r_1$ and $r_2$. So we have $$r_1 = \kappa r_2$$ and then $$r_1 = r_2$$.

## Dual

$$r = \sum_{i=1}^N g_i y_i x_i$$
"""
    assert not any(v.is_wrong for v in verdicts(text))


SQUARE = r"""
Let $M \in \mathbb{R}^{m \times n}$ and $f(u) = \|M u - b\|$.

SAID

$$\frac{d}{du}(u^T M u) = (M u)^T + u^T M$$
"""


@pytest.mark.parametrize(
    "said",
    [
        r"Examples: For $u \in \mathbb{R}^n$, and $M$ a square matrix, the value is a number.",
        r"Now let $M$ be a square matrix and $u \in \mathbb{R}^n$.",
    ],
)
def test_a_matrix_that_is_said_to_be_square_is_another_one(said: str) -> None:
    assert claims(SQUARE.replace("SAID", said))[-1].verdict is Verdict.NOT_CHECKED


def test_a_matrix_of_two_sizes_is_no_square_one() -> None:
    assert claims(SQUARE.replace("SAID", r"Let $u \in \mathbb{R}^n$."))[-1].verdict.is_wrong


def test_a_letter_declared_many_formulas_below_is_another_one() -> None:
    letters = ", ".join(f"$c_{{{k}}}$" for k in range(1, 15))
    text = rf"""
# First

Let $f(X) = A X B$ with $A, B, X \in \mathbb{{R}}^{{n \times n}}$.

# Rules

$$\langle A, X \rangle = \mathrm{{Tr}}(A^T X)$$

Then come {letters}. The data are $X \in \mathbb{{R}}^{{N \times d}}$ and $w \in \mathbb{{R}}^d$.

$$L(w) = \|X w - y\|^2$$
"""
    assert not any(v.is_wrong for v in verdicts(text))


def test_a_bare_nabla_does_not_say_that_a_declared_shape_is_wrong() -> None:
    text = r"""
A linear function of $X$ has $A \in \mathbb{R}^{m \times n}$, which is

$$A = \nabla f(X)$$

The loss is $L(w) = \|Z w - y\|^2$ with $Z \in \mathbb{R}^{N \times d}$, $w \in \mathbb{R}^d$.

$$\nabla_w L(w) = 2 Z^T (Z w - y)$$
"""
    assert not any(v.is_wrong for v in verdicts(text))


NUMERATOR = r"""
Let $M \in \mathbb{R}^{n \times n}$ and $u, v \in \mathbb{R}^n$.

- $\frac{d}{du}(u^T M u) = (M u)^T + u^T M$
- $\frac{d}{du}(v^T M u) = v^T M$
- $\frac{d}{du}(M u) = LAST$
"""


def test_a_jacobian_that_is_written_out_is_one_in_numerator_layout() -> None:
    assert verdicts(NUMERATOR.replace("LAST", "M")) == [Verdict.HOLDS] * 3
    assert verdicts(NUMERATOR.replace("LAST", "M^T"))[-1] is Verdict.TRANSPOSED


def test_a_jacobian_has_a_shape_of_its_own() -> None:
    text = r"""
The Jacobian matrix $J \in \mathbb{R}^{m \times n}$ of $g(u)$ with $u \in \mathbb{R}^p$ is

$$g = M u$$

$$J = \frac{\partial g}{\partial u}$$
"""
    assert not any(v.is_wrong for v in verdicts(text))


def test_the_other_parameters_of_a_function_are_held_fixed() -> None:
    text = r"""
$$v = g(u) = u^2$$

Now suppose that

$$g(u, v) = u^2 v + \sin v$$

$$\frac{\partial g}{\partial u} = SLOPE$$
"""
    assert verdicts(text.replace("SLOPE", "2 u v"))[-1] is Verdict.NOT_CHECKED
    assert verdicts(text.replace("SLOPE", "3 u v"))[-1].is_wrong


POINT = r"""
We want the derivative of $r(u) = \sin(u^2)$ WHERE.
First $\frac{\partial s}{\partial u} = \frac{\partial u^2}{\partial u}
= 2u = 6$.
"""


def test_a_number_behind_a_derivative_may_be_its_value_at_a_point() -> None:
    assert not any(v.is_wrong for v in verdicts(POINT.replace("WHERE", "at u=3")))
    assert verdicts(POINT.replace("WHERE", "by hand"))[-1].is_wrong


def test_negative_values_of_an_example_are_values() -> None:
    text = r"""
The function is $g = p r$ with $p = u + v$.

- $u = -2$ and $r = -4$

- $\frac{\partial g}{\partial p} = r = -4$
"""
    assert verdicts(text)[-1] is Verdict.HOLDS
    assert verdicts(text.replace("= r = -4", "= r = -5"))[-1] is not Verdict.HOLDS


def test_a_difference_of_a_letter_is_no_product() -> None:
    text = r"""
Let $V = U^{-1}$. Then

$$\text{tr}(V^{-1} \Delta V) = \text{tr}(-U^{-1} \Delta U)$$
"""
    assert claims(text)[-1].verdict is Verdict.NOT_CHECKED


def test_f_composed_with_g_is_a_function() -> None:
    text = r"""
$$r = f \circ g(u) = f(g(u))$$
$$r' = f'(g(u)) \cdot g'(u)$$
"""
    assert not any(v.is_wrong for v in verdicts(text))


def test_a_row_between_two_equal_ones_is_wrong_alone() -> None:
    text = r"""
$$\begin{aligned} s &= \frac{(u + k)^2 - u^2}{(u + k) - u} \\
&= \frac{u^2 + k^2 + 2 u k - u^2}{u - u - k} \\
&= \frac{k (2 u + k)}{k} \end{aligned}$$
"""
    assert sum(v.is_wrong for v in verdicts(text)) == 1


@pytest.mark.parametrize(
    ("line", "wrong"),
    [
        (r"2.0 \times (-0.20) = -0.39", False),
        (r"2.0 \times (-0.20) = -0.38", True),
        (r"0.9 \cdot 0.5 + 0.3 = 0.76", True),
        (r"1 / 1.368 = 0.732", True),
    ],
)
def test_worked_numbers_may_be_computed_from_rounded_ones(line: str, wrong: bool) -> None:
    assert claims(rf"The gradient is $$g = {line}$$")[-1].verdict.is_wrong is wrong
