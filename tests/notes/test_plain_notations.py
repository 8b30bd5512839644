"""Notations of pages that were not written for a checker: images of formulas, blocks of code that are mathematics, and
signs that Markdown escapes. Each has a right claim that holds, and a wrong one that is marked.
"""

from __future__ import annotations

import pytest

from elman.notes import check
from elman.notes.judge.verdict import Claim, Verdict
from elman.notes.page.reader import page_of


def claims(*paragraphs: str) -> list[Claim]:
    page = page_of("\n\n".join(paragraphs))
    return [c for c in check(page).claims if c.verdict is not Verdict.NOT_A_CLAIM]


def last(*paragraphs: str) -> Claim:
    return claims(*paragraphs)[-1]


@pytest.mark.parametrize(("factor", "wrong"), [("2", False), ("3", True)])
def test_an_image_of_a_formula_is_read_by_its_title_alone(factor: str, wrong: bool) -> None:
    address = r"https://host.example/gif.latex?\begin{align}r&space;&=&space;s^2\end{align}"
    title = rf"\begin{{align}} r &= s^2 \\ \frac{{\partial r}}{{\partial s}} &= {factor} s \end{{align}}"
    found = claims(f'<img src="{address}" title="{title}">')
    assert len(found) == 2
    assert found[-1].is_wrong is wrong


def test_text_behind_an_address_is_read() -> None:
    found = claims(r"见[这里](https://host.example/a)，其中$$r = s^2$$，于是$$\frac{\partial r}{\partial s} = 2 s$$")
    assert [c.verdict for c in found] == [Verdict.HOLDS, Verdict.HOLDS]


@pytest.mark.parametrize(("right", "wrong"), [("2p·q₁", False), ("2p·q₂", True)])
def test_a_framed_line_with_lowered_signs(right: str, wrong: bool) -> None:
    block = f"```\n┌────────────┐\n│ r = p²·q₁ + q₂ │\n│ ∂r/∂p = {right} │\n└────────────┘\n```"
    assert last(block).is_wrong is wrong


@pytest.mark.parametrize(("right", "wrong"), [("v × cosh", False), ("2 × v × cosh", True)])
def test_a_label_before_a_line_of_a_block_and_a_shape_behind_it(right: str, wrong: bool) -> None:
    block = f"```\nLayer 1: u₁ = v × sinh(k)    (n, 1)\n\nResult: ∂u₁/∂k = {right}(k)\n```"
    assert last(block).is_wrong is wrong


@pytest.mark.parametrize(("factor", "wrong"), [("2/n", False), ("1/n", True)])
def test_the_bounds_of_a_sum_as_lowered_and_raised_signs(factor: str, wrong: bool) -> None:
    block = f"```\nE = 1/n × Σᵢ₌₁ⁿ (k·uᵢ - vᵢ)²\n∂E/∂k = {factor} × Σᵢ₌₁ⁿ (k·uᵢ - vᵢ)·uᵢ\n```"
    assert last(block).is_wrong is wrong


@pytest.mark.parametrize(("sign", "wrong"), [("", False), ("-", True)])
def test_words_in_derivatives_and_below_letters_of_a_block(sign: str, wrong: bool) -> None:
    block = f"```\nCost = (y_pred - y_true)²\n∂Cost/∂y_pred = {sign}2 × (y_pred - y_true)\n```"
    assert last(block).is_wrong is wrong


@pytest.mark.parametrize(("factor", "wrong"), [("2", False), ("3", True)])
def test_a_letter_below_the_sign_of_a_derivative(factor: str, wrong: bool) -> None:
    assert last("$$r = q^2 u$$", rf"$$\partial_q r = {factor} q u$$").is_wrong is wrong
    assert last("$$r = q^2 u$$", rf"$$\frac{{\partial r}}{{\partial_q}} = {factor} q u$$").is_wrong is wrong


@pytest.mark.parametrize(("right", "wrong"), [("-2s + u", False), ("2s + u", True)])
def test_a_derivative_of_a_sum_that_begins_with_a_sign(right: str, wrong: bool) -> None:
    claim = last(rf"$$\frac{{\partial}}{{\partial s}} -s^2 + us = {right}$$")
    assert claim.verdict is not Verdict.NOT_READ
    assert claim.is_wrong is wrong


def test_signs_that_markdown_escapes_and_arrows() -> None:
    found = claims(r"$$r = q\_{1}^2 + u\_2 \dArr$$", r"$$\frac{\partial r}{\partial q_1} = 2 q_1 \qed$$")
    assert [c.verdict for c in found] == [Verdict.HOLDS, Verdict.HOLDS]


# --- what was called wrong and is right ---


@pytest.mark.parametrize(("factor", "wrong"), [("2", False), ("3", True)])
def test_a_quotient_of_deltas_is_a_derivative(factor: str, wrong: bool) -> None:
    chain = r"$$\frac{\delta R}{\delta u} = \frac{\delta R}{\delta e} \frac{\delta e}{\delta u}$$"
    found = claims("$$e = g u - h$$", "$$R = e^2$$", chain, rf"$$\frac{{\delta R}}{{\delta u}} = {factor} e g$$")
    assert not found[2].is_wrong
    assert found[3].is_wrong is wrong


def test_a_prime_behind_what_the_derivative_of_a_function_is_of() -> None:
    right = r"\left(\frac{1}{1 + e^{-u}}\right)' = \frac{e^{-u}}{(1 + e^{-u})^2}"
    found = claims(rf"$$\sigma'(u) = {right}$$")
    assert [c.verdict for c in found] == [Verdict.HOLDS, Verdict.HOLDS]
    assert claims(rf"$$\sigma'(u) = {right.replace('^2', '^3')}$$")[-1].is_wrong


@pytest.mark.parametrize("title", ["- Skip connection", "- 跳跃连接", "**Example 2**:"])
def test_another_model_in_an_item_or_example_is_no_mistake(title: str) -> None:
    shapes = r"$V \in \mathbb{R}^{m \times m}$, $b, c \in \mathbb{R}^m$"
    first, other = r"$$a = \tanh(V b + c)$$", r"$$a = \tanh(V b + c + b)$$"
    assert not last(shapes, first, title, other).is_wrong
    assert last(shapes, first, "So", other).is_wrong


def test_a_function_by_its_value_at_another_point_is_not_defined() -> None:
    found = claims(r"$$f(u) = f(q) + f'(q)(u - q)$$", r"$$f(u) = f(q) + f'(q)(u - q) + \frac{1}{2} f''(q)(u - q)^2$$")
    assert not [c for c in found if c.is_wrong or c.verdict is Verdict.HOLDS]


def test_no_function_is_differentiated_by_itself() -> None:
    found = claims(r"$$f(K) = \log \det K$$", r"$$\frac{d w}{d f} = 2 f$$", r"$$\nabla f = K^{-1}$$")
    assert not found[-1].is_wrong


def test_a_variance_of_what_is_in_brackets_is_no_product() -> None:
    found = claims(r"$$g = \sqrt{Var[x]}$$", "$$y = g x$$", r"$$\frac{\partial y}{\partial x} = g$$")
    assert found[0].verdict is Verdict.NOT_READ
    assert found[-1].verdict is Verdict.HOLDS


# --- layers and dress ---

LAYERS = r"$$s^\ell = V^\ell u^{\ell-1} + c^\ell, \quad u^\ell = \sigma(s^\ell)$$"
OUTPUT = r"$$g_i = \frac{e^{s^L_i}}{\sum_k e^{s^L_k}}, \quad E = -\sum_i t_i \log g_i$$"
NAMED = r"$$\epsilon^\ell = \frac{\partial E}{\partial s^\ell}$$"


@pytest.mark.parametrize(("right", "wrong"), [("g_i - t_i", False), ("t_i - g_i", True)])
def test_the_last_of_layers_that_a_script_letter_numbers(right: str, wrong: bool) -> None:
    claim = last(LAYERS, OUTPUT, NAMED, rf"$$\epsilon^L_i = {right}$$")
    assert claim.verdict is (Verdict.SIGN if wrong else Verdict.HOLDS)


@pytest.mark.parametrize(("right", "wrong"), [("u^L_i - t_i", False), ("t_i - u^L_i", True)])
def test_a_last_layer_with_a_softmax_of_its_own(right: str, wrong: bool) -> None:
    layers, output, named = (text.replace(r"\ell", "l").replace("g_i", "u^L_i") for text in (LAYERS, OUTPUT, NAMED))
    assert last(layers, output, named, rf"$$\epsilon^L_i = {right}$$").is_wrong is wrong


@pytest.mark.parametrize(("sign", "wrong"), [("-", False), ("", True)])
def test_a_function_in_a_frame_of_operators(sign: str, wrong: bool) -> None:
    loss = r"$$E = -\sum_{i=1}^N t_i \mathop{log}(g_i)$$"
    assert last(loss, rf"$$\frac{{\partial E}}{{\partial g_i}} = {sign}\frac{{t_i}}{{g_i}}$$").is_wrong is wrong


def test_a_font_around_a_list_and_signs_by_name() -> None:
    found = claims(
        r"$$g(\mathbf{u, v}) = u^T v$$", r"$$r(k) = \begin{cases} k^2 & k \gt 0 \\ 0 & k \lt 0 \end{cases}$$"
    )
    assert found[0].verdict is Verdict.HOLDS
    assert Verdict.NOT_READ not in [c.verdict for c in found]


@pytest.mark.parametrize(("right", "wrong"), [(r"\hat{t} - t", False), (r"t - \hat{t}", True), (r"\hat{t} + t", True)])
def test_the_loss_of_a_softmax_is_a_number_without_a_transpose(right: str, wrong: bool) -> None:
    page = ("$$q = V u + c$$", r"$$\hat{t} = softmax(q)$$", r"$$E = -t \log \hat{t}$$")
    claim = last(*page, rf"$$\frac{{\partial E}}{{\partial q}} = {right}$$")
    assert claim.verdict is Verdict.HOLDS if not wrong else claim.is_wrong


def test_the_losses_of_steps_are_numbers_without_a_transpose() -> None:
    page = (r"$$\hat{q}_t = softmax(V s_t)$$", r"$$E_t(q_t, \hat{q}_t) = -q_t \log \hat{q}_t$$", "$$E = \\sum_t E_t$$")
    found = claims(*page, r"$$\frac{\partial E_t}{\partial V} = (\hat{q}_t - q_t) \otimes s_t$$")
    assert found[-1].verdict is Verdict.HOLDS


@pytest.mark.parametrize(("right", "wrong"), [(r"\hat{t}_k - t_k", False), (r"t_k - \hat{t}_k", True)])
def test_a_loss_that_is_defined_by_its_arguments_and_differentiated_without(right: str, wrong: bool) -> None:
    softmax = r"\hat{t}_i = \frac{e^{q_i}}{\sum_j e^{q_j}}"
    loss = rf"$$CE(t, \hat{{t}}) = -\sum_i t_i \log(\hat{{t}}_i), \quad {softmax}$$"
    assert last(loss, rf"$$\frac{{\partial CE}}{{\partial q_k}} = {right}$$").is_wrong is wrong


@pytest.mark.parametrize(("sign", "wrong"), [("-", False), ("+", True)])
def test_what_a_sum_of_entries_is_divided_by_counts_them(sign: str, wrong: bool) -> None:
    page = (r"$$e = \frac{1}{N} \sum_i u_i, \quad h_i = u_i - e$$", "$$R = f(h)$$")
    inner = rf"\frac{{\partial R}}{{\partial h_i}} {sign} \frac{{1}}{{N}} \sum_j \frac{{\partial R}}{{\partial h_j}}"
    assert last(*page, rf"$$\frac{{\partial R}}{{\partial u_i}} = {inner}$$").is_wrong is wrong


@pytest.mark.parametrize(("entry", "wrong"), [("q", False), ("p", True)])
def test_the_softmax_of_an_entry_in_the_middle_of_a_definition(entry: str, wrong: bool) -> None:
    softmax = r"$$c_p = \sigma(u_p) = \frac{e^{u_p}}{\sum_q e^{u_q}}$$"
    row = rf"$$\frac{{\partial g}}{{\partial u_q}} = \frac{{\partial u_p}}{{\partial u_q}} - \sigma(u_{entry})$$"
    found = claims(softmax, r"$$g = \ln c_p$$", row)
    assert found[1].good
    assert found[-1].is_wrong is wrong


@pytest.mark.parametrize(("sign", "wrong"), [("-", False), ("", True)])
def test_a_delta_before_what_is_differentiated(sign: str, wrong: bool) -> None:
    left = r"\frac{\delta}{\delta a} \left( \frac{1}{1 + a^2} \right)"
    right = rf"\frac{{{sign}1}}{{(1 + a^2)^2}} \frac{{\delta}}{{\delta a}} \left( 1 + a^2 \right)"
    assert last(f"$${left} = {right}$$").is_wrong is wrong


def test_the_last_entry_is_not_any_one() -> None:
    shares = r"$$p_k = \frac{s_k}{\sum_{k=1}^{K} s_k}$$"
    assert not last(shares, r"$$1 - p_K = \frac{\sum_{k=1}^{K-1} s_k}{s_K} p_K$$").is_wrong


def test_a_letter_that_code_sets_twice_is_not_wrong() -> None:
    block = "```python\nR = P * Q\n```"
    assert not any(c.is_wrong for c in claims(block, "And of matrices:", block.replace("*", "@")))


def test_a_sign_for_differentials_is_no_letter() -> None:
    assert not last(r"$$d\sigma(V y) = \sigma'(V y) \odot dV y$$").is_wrong


def test_a_gradient_in_an_update_may_be_a_row() -> None:
    loss = r"$$E = \frac{1}{m} \sum_{i=1}^m (y_i - v x_i)^2$$"
    assert not last(loss, r"$$v_{new} = v_{old} - \eta \cdot \frac{dE}{dv}$$").is_wrong


@pytest.mark.parametrize(("right", "verdict"), [("k", False), ("2k", True)])
def test_the_derivative_behind_a_function_is_of_this_one(right: str, verdict: bool) -> None:
    first = r"$$g_c(v) = c + v \quad \rightarrow \quad \frac{dg}{dv} = 1$$"
    found = claims(first, rf"$$g_k(v) = k v \quad \rightarrow \quad \frac{{dg}}{{dv}} = {right}$$")
    assert found[1].good
    assert found[-1].is_wrong is verdict


@pytest.mark.parametrize(("sign", "wrong"), [("-", False), ("+", True)])
def test_a_rule_for_the_derivative_of_a_function_whose_values_are_a_letter(sign: str, wrong: bool) -> None:
    loss = r"$$E = -\sum_{i=1}^{n} (t^{(i)} \log\sigma^{(i)} + (1 - t^{(i)}) \log(1 - \sigma^{(i)}))$$"
    found = claims(loss, rf"The derivative is $\sigma'(v) = \sigma(v)(1 {sign} \sigma(v))$.")
    assert [c.verdict for c in found[:1]] == [Verdict.HOLDS]
    assert found[-1].is_wrong is wrong
    other = claims(loss.replace(r"\sigma", "p"), r"The derivative is $p'(v) = p(v)(1 - p(v))$.")
    assert not [c for c in other if c.is_wrong]


def test_rows_that_begin_with_the_differential_of_a_letter() -> None:
    rows = (
        r"ds &= \mathrm{tr}(\mathbf{C}^\top d(\mathbf{P}\mathbf{P}^\top)\mathbf{C}) \\",
        r"&= \mathrm{tr}(\mathbf{C}^\top (d(\mathbf{P})\mathbf{P}^\top + \mathbf{P}d(\mathbf{P}^\top))\mathbf{C}) \\",
        r"&= \mathrm{tr}(2\mathbf{P}^\top\mathbf{C}\mathbf{C}^\top d\mathbf{P})",
    )
    shape = r"Let $\mathbf{P} \in \mathbb{R}^{n \times k}$."
    found = claims(shape, "\n".join((r"$$\begin{align}", *rows, r"\end{align}$$")))
    assert [c.verdict for c in found[1:]] == [Verdict.NOT_CHECKED] * 2
    assert all("differential" in c.diagnosis for c in found[1:])
    size = r"$$ds = \frac{1}{d} \sum_{i=1}^d a_i, \quad ds = \frac{2}{d} \sum_{i=1}^d a_i$$"
    assert last(r"Let $a \in \mathbb{R}^d$.", size).is_wrong


def test_the_gradient_of_a_function_is_by_the_letter_that_it_is_applied_to() -> None:
    derivative = r"$$\frac{\partial E}{\partial u^{(k)}} = 2 u^{(k)}$$"
    found = claims(
        r"$$E = \sum_k (u^{(k)})^2$$", derivative, r"It takes $h(v)$ with the gradient $q(v) = \nabla h(v)$."
    )
    assert found[-1].verdict is Verdict.HOLDS
    again = r"For the model, it takes $h(u)$ with the gradient $q(u) = \nabla h(u)$."
    assert not [c for c in claims(r"It takes $h(v)$ with the gradient $q(v) = \nabla h(v)$.", again) if c.is_wrong]
