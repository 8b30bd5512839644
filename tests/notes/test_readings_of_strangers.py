"""How strangers write derivatives: cases without conditions, squares, updates, cells, dy for a gradient, any loss.

Each page is a small one of our own, with right variants that hold and wrong ones that are marked.
"""

from __future__ import annotations

import pytest

from elman.notes import check
from elman.notes.judge.verdict import UNJUDGED, Claim, Verdict
from elman.notes.page.page import Page
from elman.notes.page.reader import page_of


def claims(text: str | Page) -> list[Claim]:
    page = text if isinstance(text, Page) else page_of(text)
    return [c for c in check(page).claims if c.verdict is not Verdict.NOT_A_CLAIM]


def page(*formulas: str) -> str:
    return "\n\n".join(f"$$ {formula} $$" for formula in formulas)


def last(*formulas: str) -> Claim:
    return claims(page(*formulas))[-1]


# --- entries ---

SOFTMAX = r"o_j = \frac{\mbox{e}^{z_j}}{\sum_k \mbox{e}^{z_k}}"
OWN_ENTRY = r"\frac{\partial}{\partial z_i} o_i = o_i - o_i^2"


def test_an_upright_e_is_eulers_number() -> None:
    found = claims(page(SOFTMAX, r"\frac{\partial o_i}{\partial z_j} = o_i (\delta_{ij} - o_j)"))
    assert [c.verdict for c in found] == [Verdict.HOLDS, Verdict.HOLDS]


def test_beside_the_case_of_equal_indices_two_indices_differ() -> None:
    other = last(SOFTMAX, OWN_ENTRY, r"\frac{\partial}{\partial z_i} o_j = -o_j \cdot o_i")
    assert other.verdict is Verdict.HOLDS
    assert "where j ≠ i" in other.reading


def test_a_case_of_different_indices_is_marked_where_it_is_wrong_for_them() -> None:
    assert last(SOFTMAX, OWN_ENTRY, r"\frac{\partial}{\partial z_i} o_j = o_j \cdot o_i").is_wrong


def test_without_the_case_of_equal_indices_the_formula_is_for_all() -> None:
    assert last(SOFTMAX, r"\frac{\partial}{\partial z_i} o_j = -o_j \cdot o_i").is_wrong


ROWS = (
    r"\sigma(B_{nr}) = \frac{e^{B_{nr}}}{\sum_{q=1}^{R} e^{B_{nq}}}",
    r"E_n = -\sum_{r=1}^{R} T_{nr} \log(\sigma(B_{nr}))",
)


@pytest.mark.parametrize(
    ("right", "holds"),
    [
        (r"-\sum_{q=1}^{R} T_{nq} \frac{\partial \log(\sigma(B_{nq}))}{\partial B_{nr}}", True),
        (r"-\sum_{q=1}^{R} T_{nq} (\delta_{qr} - \sigma(B_{nr}))", True),
        (r"-\sum_{q=1}^{R} T_{nq} (\delta_{qr} - \sigma(B_{nq}))", False),
    ],
)
def test_a_softmax_that_is_written_of_one_entry(right: str, holds: bool) -> None:
    claim = last(*ROWS, rf"\frac{{\partial E_n}}{{\partial B_{{nr}}}} = {right}")
    assert (claim.verdict is Verdict.HOLDS) is holds


def test_such_a_softmax_of_another_letter() -> None:
    text = (*ROWS, r"p_j = \sigma(w_j)", r"\frac{\partial p_j}{\partial w_i} = p_j (\delta_{ij} - \sigma(w_i))")
    assert last(*text).verdict is Verdict.HOLDS


# --- squares ---

FACTORS = (
    r"\hat{s}_{pq} = u_p^T v_q = \sum_{k=1}^k{u_{pk}v_{kq}}",
    r"d_{pq}^2 = (s_{pq} - \hat{s}_{pq})^2 = (s_{pq} - \sum_{k=1}^K{u_{pk}v_{kq}})^2",
    r"\frac{\partial}{\partial u_{pk}}d_{pq}^2 = -2(s_{pq} - \hat{s}_{pq})(v_{kq}) = -2 d_{pq} v_{kq}",
)


def test_an_equation_of_squares_defines_what_is_squared() -> None:
    assert [c.verdict for c in claims(page(*FACTORS))[-2:]] == [Verdict.HOLDS, Verdict.HOLDS]


@pytest.mark.parametrize("sign", ["-", "+"])
def test_the_last_part_of_an_update_is_equal_to_the_one_before(sign: str) -> None:
    update = rf"u'_{{pk}} = u_{{pk}} {sign} \eta \frac{{\partial}}{{\partial u_{{pk}}}}d_{{pq}}^2"
    claim = last(*FACTORS, rf"{update} = u_{{pk}} + 2\eta d_{{pq}} v_{{kq}}")
    assert claim.verdict is (Verdict.HOLDS if sign == "-" else Verdict.SIGN)


def test_a_wrong_variable_and_what_follows_from_it() -> None:
    wrong = r"\frac{\partial}{\partial v_{pk}}d_{pq}^2 = -2(s_{pq} - \hat{s}_{pq})(u_{pk}) = -2 d_{pq} u_{pk}"
    first, second = claims(page(*FACTORS, wrong))[-2:]
    assert first.is_wrong
    assert second.is_wrong
    assert "it follows from the row above, which does not hold" in second.diagnosis


NORM = (
    r"m_j = \frac{1}{N} \sum_{i=1}^N a_{i,j}",
    r"s^2_j = \frac{1}{N} \sum_{i=1}^N (a_{i,j} - m_j)^2",
    r"\hat{a}_{i,j} = \frac{a_{i,j} - m_j}{\sqrt{s_j^2 + \epsilon}}",
    r"v_{i,j} = c_j \hat{a}_{i,j} + b_j",
    r"\frac{\partial E}{\partial \hat{a}_{i,j}} = dv_{i,j} c_j",
    r"\frac{\partial \hat{a}_{i,j}}{\partial s^2_j} = -\frac{1}{2} (a_{i,j} - m_j) (s^2_j + \epsilon)^{-3/2}",
    r"\frac{\partial \hat{a}_{i,j}}{\partial m_j} = -(s^2_j + \epsilon)^{-1/2}",
    r"\frac{\partial \hat{a}_{i,j}}{\partial a_{i,j}} = (s^2_j + \epsilon)^{-1/2}",
    r"\frac{\partial E}{\partial a_{i,j}} = \frac{\partial E}{\partial \hat{a}_{i,j}} \frac{1}{\sqrt{s^2_j + \epsilon}}"
    r" + \frac{\partial E}{\partial s^2_j} \cdot \frac{2(a_{i,j} - m_j)}{N}"
    r" + \frac{\partial E}{\partial m_j} \cdot \frac{1}{N}",
)


def test_a_variance_with_an_index_and_derivatives_that_hold_it_fixed() -> None:
    found = claims(page(*NORM))
    assert {c.verdict for c in found} == {Verdict.HOLDS}
    assert "held fixed" in found[-2].reading


def test_an_equation_for_any_loss_is_marked_where_one_path_is_missing() -> None:
    wrong = NORM[-1].replace(r"\frac{\partial E}{\partial m_j} \cdot", "")
    assert last(*NORM, wrong).is_wrong


# --- any loss ---


@pytest.mark.parametrize(
    ("claim", "holds"),
    [
        (r"\frac{\partial E}{\partial b_j} = \sum_{i=1}^N dv_{i,j}", True),
        (r"\frac{\partial E}{\partial c_j} = \sum_{i=1}^N dv_{i,j} \cdot u_{i,j}", True),
        (r"\frac{\partial E}{\partial u_{i,j}} = dv_{i,j} \cdot b_j", False),
    ],
)
def test_dv_is_the_gradient_by_v(claim: str, holds: bool) -> None:
    text = (r"v_{ij} = c_j u_{ij} + b_j", r"\frac{\partial E}{\partial u_{i,j}} = dv_{i,j} \cdot c_j")
    assert last(*text, claim).verdict is (Verdict.HOLDS if holds else Verdict.ARGUMENT)


CELL = (
    r"r_t = \sigma(A x_t + B h_{t-1} + a)",
    r"n_t = \tanh(C x_t + r_t \odot (D h_{t-1} + c))",
    r"g_t = (1 - r_t) \odot n_t + r_t \odot h_{t-1}",
    r"\frac{\partial L}{\partial n_t} = \frac{\partial L}{\partial g_t} \times \frac{\partial g_t}{\partial n_t}",
)


@pytest.mark.parametrize(
    ("by", "through", "holds"), [("C", "n_t", True), ("c", "n_t", True), ("B", "r_t", True), ("B", "n_t", False)]
)
def test_a_cell_is_one_step_with_a_given_state(by: str, through: str, holds: bool) -> None:
    chain = rf"\frac{{\partial L}}{{\partial {through}}} \times \frac{{\partial {through}}}{{\partial {by}}}"
    claim = last(*CELL, rf"\frac{{\partial L}}{{\partial {by}}} = {chain}")
    assert (claim.verdict is Verdict.HOLDS) is holds
    assert claim.verdict is Verdict.HOLDS or claim.verdict in UNJUDGED or claim.is_wrong


# --- names at the end of a chain, columns, functions ---

HEADS = (
    "Let $Q, K, V \\in \\mathbb{R}^{n \\times h}$.\n\n$$S = Q K^T, \\quad A = S \\odot S, \\quad C = A V$$\n\n"
    "- $\\frac{\\partial L}{\\partial V} = A^T \\frac{\\partial L}{\\partial C} = \\zeta_1 \\in "
    "\\mathbb{R}^{n \\times h}$\n"
    "- $\\frac{\\partial L}{\\partial A} = \\frac{\\partial L}{\\partial C} V^T = \\zeta_2$\n"
    "- $\\frac{\\partial L}{\\partial S} = 2 S \\odot \\zeta_2 = \\zeta_3$\n"
)


def test_a_letter_at_the_end_of_a_chain_names_the_gradient() -> None:
    found = claims(HEADS + "- $\\frac{\\partial L}{\\partial K} = \\zeta_3^T Q$\n")
    assert {c.verdict for c in found} == {Verdict.HOLDS}
    assert any("ζ_2 names it" in c.reading for c in found)


def test_a_wrong_use_of_such_a_letter_is_marked() -> None:
    wrong = claims(HEADS + "- $\\frac{\\partial L}{\\partial K} = \\zeta_3 Q$\n")[-1]
    assert wrong.verdict is Verdict.MISSING_TRANSPOSE
    assert wrong.fix == r"\zeta_3^T Q"


def test_the_inverse_of_a_column_is_entry_by_entry() -> None:
    text = (
        "Let $W \\in \\mathbb{R}^{n \\times n}$.\n\n$$R = W \\bold{1_n}, \\quad G = R^{-1}$$\n\n"
        "$$\\frac{\\partial L}{\\partial R} = -(R \\odot R)^{-1} \\odot \\frac{\\partial L}{\\partial G}$$\n\n"
        "$$\\frac{\\partial L}{\\partial R} = (R \\odot R)^{-1} \\odot \\frac{\\partial L}{\\partial G}$$"
    )
    right, wrong = claims(text)[-2:]
    assert right.verdict is Verdict.HOLDS
    assert wrong.is_wrong


def test_indices_in_brackets_are_indices() -> None:
    text = (
        r"g^{(t)} = \tanh(a^{(t)})",
        r"\frac{\partial g_{[p]}^{(t)}}{\partial a_{[m]}^{(t)}} = \delta_{pm} (1 - (g_{[p]}^{(t)})^2)",
    )
    assert last(*text).verdict is Verdict.HOLDS


SCORES = (
    "$$q_k = \\frac{e^{s_k}}{\\sum_j e^{s_j}}$$\n\nHere $s_j = w_j x + b_j$ is the score.\n\n"
    "$$\\frac{\\partial s_k}{\\partial b_j} = \\delta_{jk}$$\n\n"
)


@pytest.mark.parametrize(("right", "holds"), [(r"x \delta_{jk}", True), (r"b_j \delta_{jk}", False)])
def test_an_equation_by_entries_within_a_line_defines_what_nothing_else_does(right: str, holds: bool) -> None:
    claim = claims(SCORES + rf"$$\frac{{\partial s_k}}{{\partial w_j}} = {right}$$")[-1]
    assert (claim.verdict is Verdict.HOLDS) is holds


def test_a_function_that_the_text_only_mentions_is_a_function() -> None:
    text = (
        "The activation $\\phi$ and the loss $l$ are any.\n\n$$h = \\phi (z), \\quad E = l(h, y)$$\n\n"
        "$$\\frac{\\partial E}{\\partial z} = \\frac{\\partial E}{\\partial h} \\odot \\phi'(z)$$"
    )
    assert claims(text)[-1].verdict is Verdict.HOLDS


def test_the_derivative_of_one_function_may_be_of_a_number() -> None:
    text = "Let $x \\in \\mathbb{R}^{d}$.\n\n$$\\frac{d}{dx} \\sigma(x) = \\sigma(x)(1-\\sigma(x))$$\n\n"
    wrong = "$$\\frac{d}{dx} \\sigma(x) = \\sigma(x)(1+\\sigma(x))$$"
    right = claims(text)[-1]
    assert right.verdict is Verdict.HOLDS
    assert right.reading == "x a number"
    assert claims(text + wrong)[-1].verdict is not Verdict.HOLDS


# --- doubts ---


def test_the_entry_of_a_one_hot_letter_that_is_1() -> None:
    text = "$y$ is a one-hot vector.\n\n$$-\\sum_{w} y_w \\log(p_w) = -y_o\\log(p_o)$$"
    assert claims(text)[-1].verdict is Verdict.NOT_CHECKED


def test_a_loss_is_not_differentiated_by_what_does_not_depend_on_the_left_side() -> None:
    text = (
        r"C = A B", r"\frac{\partial f(C)}{\partial A} = \frac{\partial f(C)}{\partial C} B^T",
        r"G = X W^T", r"\frac{\partial f(G)}{\partial W} = (\frac{\partial f(G)}{\partial C})^T A",
    )  # fmt: skip
    assert last(*text).verdict in UNJUDGED


# --- names, products and lists ---


def test_letters_above_a_weight_name_it_and_numbers_below_a_state_are_its_steps() -> None:
    network = (r"h_t = \tanh(W^{xh} x_t + W^{hh} h_{t-1})", r"y_t = W^{hy} h_t", r"J_t = g(y_t)")
    paths = r"\frac{\partial J_2}{\partial y_2} \frac{\partial y_2}{\partial h_2}"
    by_both = (
        rf"\frac{{\partial J_2}}{{\partial W^{{hh}}}} = {paths} \frac{{\partial h_2}}{{\partial W^{{hh}}}}"
        rf" + {paths} \frac{{\partial h_2}}{{\partial h_1}} \frac{{\partial h_1}}{{\partial W^{{hh}}}}"
    )
    assert last(*network, by_both).verdict is Verdict.HOLDS
    assert not last(*network, by_both.replace("_1}", "_2}")).good


def test_a_point_before_a_star_is_an_entrywise_product() -> None:
    model = (r"z = W x", r"a = \sigma(z)", r"E = \frac12 \|a - y\|^2")
    assert last(*model, r"\frac{\partial E}{\partial z} = (a - y) .* a . * (1 - a)").verdict is Verdict.HOLDS
    assert last(*model, r"\frac{\partial E}{\partial z} = (y - a) .* a . * (1 - a)").is_wrong


def test_the_formula_of_a_list_item_defines_its_letter() -> None:
    listed = (
        "- $u_t = A x_t + B h_{t-1}$\n- $h_t = \\tanh(u_t)$\n- $\\frac{\\partial h_t}{\\partial u_t} = 1 - h_t^2$\n"
    )
    assert [c.verdict for c in claims(listed)] == [Verdict.HOLDS] * 3
    assert claims(listed.replace("1 - h_t^2", "1 - h_t"))[-1].is_wrong


def test_layers_may_be_numbered_by_an_ell() -> None:
    layers = (r"z^{\ell} = W^{\ell} a^{\ell-1} + b^{\ell}", r"a^{\ell} = \sigma(z^{\ell})")
    right = r"\frac{\partial a^{\ell}}{\partial z^{\ell}} = a^{\ell} \odot (1 - a^{\ell})"
    assert last(*layers, right).verdict is Verdict.HOLDS
    assert last(*layers, right.replace("(1 -", "(2 -")).is_wrong


@pytest.mark.parametrize(("claim", "holds"), [("1 - a^2", True), ("a^2 - 1", False), ("1 - a", False), ("a", False)])
def test_an_entrywise_derivative_is_compared_entry_by_entry(claim: str, holds: bool) -> None:
    found = last("u = A x + b", r"a = \tanh(u)", rf"\frac{{\partial a}}{{\partial u}} = {claim}")
    assert found.good if holds else found.is_wrong


def test_what_the_text_calls_a_mistake_is_no_claim() -> None:
    text = (
        page("y = x^2", r"\frac{dy}{dx} = 2 x")
        + "\n\nwhich is often wrongly written as\n\n"
        + page(r"\frac{dy}{dx} = x")
    )
    assert [c.verdict for c in claims(text)] == [Verdict.HOLDS, Verdict.HOLDS]
    assert claims(text.replace("wrongly ", ""))[-1].is_wrong


SOFTMAX_ROWS = (
    r"s_{nr} = \frac{e^{B_{nr}}}{\sum_{q=1}^{R} e^{B_{nq}}}",
    r"E(B_n, T_n) = -\sum_{r=1}^{R} T_{nr} \log s_{nr}",
)


@pytest.mark.parametrize(("factor", "holds"), [(r"(s_{nq} - \delta_{qr})", False), (r"(\delta_{qr} - s_{nr})", True)])
def test_the_loss_of_one_row_by_an_entry_of_that_row(factor: str, holds: bool) -> None:
    claim = last(*SOFTMAX_ROWS, rf"\frac{{\partial E}}{{\partial B_{{nr}}}} = -\sum_{{q=1}}^{{R}} T_{{nq}} {factor}")
    assert (claim.verdict is Verdict.HOLDS) is holds


def test_two_cases_joined_by_or_are_not_judged_as_one() -> None:
    text = page(SOFTMAX, r"\frac{\partial o_i}{\partial z_j} = o_i (1 - o_j) \ \text{or} \ -o_i o_j")
    assert not any(c.is_wrong for c in claims(text))


LOGITS = r"""Let $M \in \mathbb{R}^{d \times c}$, $v \in \mathbb{R}^d$ and $u \in \mathbb{R}^c$, $u = M^T v$, and

$$J = \log \sum_i e^{u_i} - u_k$$

$$M = \begin{pmatrix} M_{11} & M_{12} & M_{13} \\ M_{21} & M_{22} & M_{23} \end{pmatrix}$$

In an example with $k = 3$:

$$\frac{\partial J}{\partial M_{21}} = v_2 \frac{e^{u_1}}{e^{u_1} + e^{u_2} + e^{u_3}}$$

"""


def test_an_index_that_nothing_binds_has_the_value_of_the_example() -> None:
    assert claims(LOGITS)[-1].verdict is Verdict.HOLDS
    assert claims(LOGITS)[-1].reading.count("entry 3 is that of k") == 1
    assert claims(LOGITS.replace("= v_2", "= -v_2"))[-1].is_wrong


VECTOR = r"""
$$z \rightarrow \begin{pmatrix} z_1 \\ z_2 \end{pmatrix}$$

$$\begin{pmatrix} z_1^2 z_2 \\ z_2^2 \end{pmatrix} = \begin{pmatrix} g_1 \\ g_2 \end{pmatrix}$$

so that $g$ depends on $z$:

"""


@pytest.mark.parametrize(("right", "holds"), [("2 z_1 z_2", True), ("2 z_1", False)])
def test_a_matrix_of_own_entries_on_the_right_side_is_what_is_defined(right: str, holds: bool) -> None:
    claim = claims(VECTOR + page(rf"\frac{{\partial g_1}}{{\partial z_1}} = {right}"))[-1]
    assert (claim.verdict is Verdict.HOLDS) is holds


def test_what_is_not_real_has_no_derivative() -> None:
    found = claims(page(r"p = \tanh(y) - 2", r"E = -\log p", r"\frac{dE}{dy} = -\frac{1 - (p + 2)^2}{p}"))
    assert not any(c.is_wrong for c in found)


ROWS_OF_EXAMPLES = r"""Let $X \in \mathbb{R}^{N \times d}$ and $t \in \mathbb{R}^N$.

$$y_n = \sigma(x_n \cdot w^T), \quad E_n = -t_n \log y_n$$

$$m_j = \frac{1}{N} \sum_n x_{nj}$$

"""


@pytest.mark.parametrize(
    ("claim", "holds"),
    [
        (r"\frac{\partial E_n}{\partial w} = -t_n (1 - y_n) x_n", True),
        (r"\frac{\partial E_n}{\partial w} = -(t_n - y_n) x_n", False),
    ],
)
def test_an_example_in_each_row(claim: str, holds: bool) -> None:
    text = ROWS_OF_EXAMPLES.replace("$X \\in", "$x \\in")
    assert (claims(text + page(claim))[-1].verdict is Verdict.HOLDS) is holds


def test_a_vector_by_entries_may_be_a_row() -> None:
    text = ROWS_OF_EXAMPLES.replace("$X \\in", "$x \\in")
    (mean,) = (c for c in claims(text + page(r"m = \frac{1}{N} \sum_n x_n")) if "x_n$" in c.formula or c.left == "m")
    assert not mean.is_wrong


def test_behind_the_name_of_a_difference_a_derivation_is_checked() -> None:
    page = "$$ E = \\frac{1}{2} (u v - t)^2 $$\n\n$$ \\Delta u = -\\eta \\frac{\\partial E}{\\partial u} = "
    assert check(page_of(page + "-\\eta (u v - t) v $$")).claims[-1].good
    assert check(page_of(page + "\\eta (u v - t) v $$")).claims[-1].is_wrong
    change = "$$ E = \\frac{1}{2} (u v - t)^2 $$\n\n$$ \\Delta E = E(u + h) - E(u) = h (u v - t) v $$"
    assert not any(c.is_wrong for c in check(page_of(change)).claims)


def test_layers_with_numbers_beside_a_letter_for_any_layer_in_the_text() -> None:
    given = (
        "We write $h^{[l]}$ for layer $l$, and $h^{[l]}_k$ for its unit $k$.\n\n"
        "$$ s^{[1]} = V^{[1]} u + c^{[1]}, \\quad h^{[1]} = g(s^{[1]}) $$\n\n"
        "$$ s^{[2]} = V^{[2]} h^{[1]} + c^{[2]}, \\quad h^{[2]} = g(s^{[2]}) $$\n\n"
        "$$ C = \\frac{1}{2} (h^{[2]} - t)^2 $$\n\nHere $h^{[2]}$ and $t$ are numbers.\n\n"
        "$$ V^{[l]} = V^{[l]} - \\eta \\frac{\\partial C}{\\partial V^{[l]}} $$\n\n"
        "$$ \\frac{\\partial C}{\\partial V^{[2]}} = "
    )
    assert claims(given + "(h^{[2]} - t) g'(s^{[2]}) {h^{[1]}}^T $$")[-1].good
    assert claims(given + "(t - h^{[2]}) g'(s^{[2]}) {h^{[1]}}^T $$")[-1].is_wrong
