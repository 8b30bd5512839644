"""Notations of pages that were not seen before: each with a right claim that holds or stays open, and a wrong one that
is marked.
"""

from __future__ import annotations

import pytest

from elman.notes import check
from elman.notes.judge.verdict import UNJUDGED, Claim, Verdict
from elman.notes.page.reader import page_of


def claims(*paragraphs: str) -> list[Claim]:
    page = page_of("\n\n".join(paragraphs))
    return [c for c in check(page).claims if c.verdict is not Verdict.NOT_A_CLAIM]


def last(*paragraphs: str) -> Claim:
    return claims(*paragraphs)[-1]


# --- names ---

PRODUCT = r"$P \in \mathbb{R}^{m \times n}$, $Q \in \mathbb{R}^{n \times m}$, so that $PQ \in \mathbb{R}^{m \times m}$."


@pytest.mark.parametrize(("right", "verdict"), [("Q^T", Verdict.HOLDS), ("-Q^T", Verdict.SIGN)])
def test_a_product_whose_shape_is_declared_is_no_name(right: str, verdict: Verdict) -> None:
    assert last(PRODUCT, rf"$$\nabla_P \operatorname{{tr}} PQ = {right}$$").verdict is verdict


def test_a_name_of_two_letters_that_have_no_shapes_stays_a_name() -> None:
    shapes = r"$PQ \in \mathbb{R}^{m \times m}$ and $v \in \mathbb{R}^m$."
    claim = last(shapes, "$$f = v^T PQ v$$", r"$$\nabla_v f = (PQ + PQ^T) v$$")
    assert claim.verdict is Verdict.HOLDS


# --- indices ---


def test_an_index_with_the_sign_for_minus() -> None:
    found = claims("$$a_t = w a_{t−1} + u$$", r"$$\frac{\partial a_t}{\partial a_{t−1}} = w$$")
    assert not [c for c in found if c.is_wrong or c.verdict in UNJUDGED]


# --- pages that stopped the check ---


def test_entries_of_different_shapes_have_no_value() -> None:
    found = claims(
        r"$\mathbf{C} \in \mathbb{R}^{m \times n}$",
        r"$$\mathbf{C}_k = \sum_{i=1}^{k} s_i \mathbf{a}_i \mathbf{b}_i^T$$",
        r"$$L = \mathbf{p}^T \mathbf{C} \mathbf{q}, \quad \nabla_{\mathbf{p}} L = \mathbf{C}\mathbf{q}$$",
    )
    assert not [c for c in found if c.is_wrong]


def test_a_condition_with_a_word_that_is_no_letter() -> None:
    found = claims(
        "$$y = V h$$",
        r"$$\frac{\partial y}{\partial h} = 2 V \ (\text{granted} \ y = V h)$$",
        r"$$\frac{\partial y}{\partial h} = V$$",
    )
    assert found[1].verdict in UNJUDGED
    assert found[-1].verdict is Verdict.HOLDS


# --- letters that are defined anew ---

LAYER = r"$W \in \mathbb{R}^{m \times n}$, $x \in \mathbb{R}^n$, $s \in \mathbb{R}^m$, $s = W x$, $E = v^T a$."
FIRST = (LAYER, "## The tanh", r"$$a = \tanh(s)$$", r"$$\frac{\partial E}{\partial s} = v \odot (1 - a^2)$$")


@pytest.mark.parametrize(("heading", "marked"), [("## The ReLU", False), ("## Again", True)])
def test_a_heading_that_names_its_function_begins_a_new_definition(heading: str, marked: bool) -> None:
    claim = last(*FIRST, heading, r"$$a = \operatorname{ReLU}(s)$$")
    assert claim.is_wrong is marked


def test_letters_that_are_new_below_a_heading_begin_a_new_definition() -> None:
    gated = (r"$$g = \sigma(U x)$$", r"$$a = g \odot \tanh(g)$$")
    assert not [c for c in claims(*FIRST, "## With a gate", *gated) if c.is_wrong]
    assert last(*FIRST, "## Again", r"$$a = -\tanh(s)$$").is_wrong


# --- what is written in a line ---

DENSITY = r"$$p = \frac{1}{\sqrt{2 \pi \sigma^2}} e^{-(u-c)^2 / 2\sigma^2}$$"


@pytest.mark.parametrize(("below", "holds"), [(r"\sigma^2", True), (r"2\sigma^2", False)])
def test_a_divisor_of_two_and_a_deviation(below: str, holds: bool) -> None:
    claim = last(DENSITY, rf"$$\frac{{\partial \ln p}}{{\partial c}} = \frac{{u-c}}{{{below}}}$$")
    assert claim.is_wrong is not holds


def test_a_mean_and_a_half_in_a_line() -> None:
    mean = (r"$$J = 1/2k \sum_{i=1}^k (v t_i - s_i)^2$$", r"$$\frac{dJ}{dv} = \frac1k \sum_{i=1}^k (v t_i - s_i) t_i$$")
    assert last(*mean).verdict is Verdict.HOLDS
    assert last("$$R = 1/2 v^2$$", r"$$\frac{dR}{dv} = v$$").verdict is Verdict.HOLDS


@pytest.mark.parametrize(("number", "right"), [("0.405", True), ("0.176", True), ("0.585", True), ("0.276", False)])
def test_a_logarithm_of_numbers_may_be_to_another_base(number: str, right: bool) -> None:
    assert last(rf"$$a = \log(\frac{{3}}{{2}}) \approx {number}$$").is_wrong is not right
    assert last(rf"$$a = \ln(\frac{{3}}{{2}}) \approx {number}$$").is_wrong is (number != "0.405")


def test_a_function_of_a_word_is_not_read_and_one_of_a_letter_is() -> None:
    found = claims(r"We have $k = 3$, $\text{count(Ann)} = 2, \text{count(Bob)} = 1$.")
    assert not [c for c in found if c.is_wrong]
    assert last(r"$$q = \text{softmax(s)}$$", r"$$\frac{\partial q_i}{\partial s_j} = q_i q_j$$").is_wrong


# --- what is no claim, or another letter ---


def test_growth_is_no_claim() -> None:
    assert not claims(r"It takes $O(k^2 + k) = O(k^2)$ steps, $\mathcal{O}(BD + BD) = \mathcal{O}(BD)$ in all.")


def test_a_small_difference_is_a_name() -> None:
    assert not claims(r"A change $\delta A$ changes $f$ by $\delta f = f(A+\delta A) - f(A)$.")


@pytest.mark.parametrize(("right", "wrong"), [(r"P^{-1} (I - M P^{-1})", False), (r"-P^{-1} (I - M P^{-1})", True)])
def test_a_bare_nabla_is_by_the_argument(right: str, wrong: bool) -> None:
    stated = r"We have $q(P) = \log \det P + \operatorname{tr}(P^{-1} M)$, where $P$ and $M$ are $k \times k$ matrices."
    assert last(stated, rf"$$\nabla q = {right}$$").is_wrong is wrong


def test_the_other_of_two_choices_is_no_slip() -> None:
    first = r"Most networks use $$r(s) = \sigma(s)$$"
    assert last(first, r"or the hyperbolic tangent $$r(s) = \tanh(s).$$").verdict in UNJUDGED
    assert last(first, r"and so $$r(s) = \tanh(s).$$").is_wrong


@pytest.mark.parametrize(
    ("right", "wrong"), [(r"\mathbf{F}c + \mathbf{G}c", False), (r"\mathbf{F}c + \mathbf{G}", True)]
)
def test_a_small_letter_is_a_number_rather_than_a_matrix(right: str, wrong: bool) -> None:
    assert last(rf"$$c(\mathbf{{F}} + \mathbf{{G}}) = {right}$$").is_wrong is wrong


def test_a_primed_letter_beside_transposes_is_no_transpose() -> None:
    traces = r"$$\operatorname{tr} M = \operatorname{tr} M^T$$"
    claim = last(traces, r"$$\frac{\partial |M|}{\partial M_{ij}} = M'_{ij}$$")
    assert claim.verdict in UNJUDGED


# --- numbers, entries, shapes ---


NUMBERS = r"$$M=\begin{bmatrix} 1 & 3 \\ 3 & 2\end{bmatrix}$$"


def test_one_example_in_numbers_after_the_other() -> None:
    first = r"Take $$M=\begin{bmatrix} 4 & -5 \\ -2 & 3\end{bmatrix}$$"
    claim = r"has $$v^T M v = |M| v^T v$$"
    assert last(first, "For example", NUMBERS, claim).verdict in UNJUDGED
    assert last(NUMBERS, claim).is_wrong


def test_an_example_in_numbers_says_nothing_of_the_matrix_above() -> None:
    found = claims(
        "## Gradients",
        r"$$g = v^T M v$$",
        r"where $M = M^T$.",
        "## An example",
        NUMBERS.replace("3 & 2", "4 & 2"),
    )
    assert not [c for c in found if c.is_wrong]


def test_an_entry_of_what_is_a_number_elsewhere() -> None:
    page = r"For $u(s) = s^3$ it is $3 s^2$; in general $(\partial u / \partial s)_{ij} = \partial u_i / \partial s_j$."
    assert not [c for c in claims(page) if c.is_wrong]


def test_an_unknown_function_may_have_any_shape() -> None:
    shapes = r"$W \in \mathbb{R}^{3 \times 3}$. $z \in \mathbb{R}^m$, $x \in \mathbb{R}^n$, "
    assert not [c for c in claims(shapes + r"$z = f(x)$.") if c.is_wrong]
    assert [c for c in claims(shapes + r"$z = \tanh(x)$.") if c.is_wrong]


def test_a_star_on_a_page_about_convolutions() -> None:
    shapes = r"with $W \in \mathbb{R}^{3 \times 3}$ and $S \in \mathbb{R}^{5 \times 5}$."
    assert last(f"The convolution $$R = W * S$$ {shapes}").verdict in UNJUDGED
    assert last(f"The product $$R = W * S$$ {shapes}").is_wrong


def test_the_loss_of_all_beside_that_of_one() -> None:
    total = r"$$C^N=\frac{1}{2}\sum_{n=1}^N\sum_{k=1}^K(s_k^n-r_k^n)^2$$"
    one = r"$$C^n=\frac{1}{2}\sum_{k=1}^K(s_k^n-r_k^n)^2$$"
    assert not [c for c in claims(total, one) if c.is_wrong]


def test_a_value_for_one_of_several_numbers() -> None:
    first = (r"The best is $$a = 1$$", r"Of the other $$b + a = 3 \Rightarrow b = 3 - a.$$")
    page = claims(*first, r"$$0 = 12a - 24 \Rightarrow a = 2 \Rightarrow b = 3 - a = 1.$$")
    assert not [c for c in page if c.is_wrong]


def test_a_differential_of_the_loss_beside_gradients_of_the_same_name() -> None:
    page = (
        r"$Y = W H$ with $W \in \mathbb{R}^{n \times m}$ and $H \in \mathbb{R}^{m \times k}$.",
        r"$$L = \operatorname{tr}(Y^T Y), \quad dY = 2 Y, \quad dH = W^T dY$$",
        r"$$dL = \operatorname{tr}(dY^T dY) = \operatorname{tr}(dY^T W dH)$$",
    )
    assert last(*page).verdict is Verdict.NOT_CHECKED
    assert "a differential here" in last(*page).diagnosis
    assert last(*page[:2], r"$$dH = -W^T dY$$").is_wrong


def test_a_matrix_of_derivatives_beside_one_by_an_entry() -> None:
    shape = r"In tensor notation, with $A \in \mathbb{R}^{n \times n}$:"
    row = r"$$\frac{\partial}{\partial A} \operatorname{tr} A = \frac{\partial A_{jj}}{\partial A_{rs}} = \delta_{rs}$$"
    assert [c.verdict for c in claims(shape, row)] == [Verdict.HOLDS, Verdict.HOLDS]
    assert last(shape, row.replace(r"\delta_{rs}", r"2 \delta_{rs}")).is_wrong
    by_entry = (
        r"$$\frac{\partial}{\partial A_{rs}} \operatorname{tr} A^2 = \frac{\partial (A_{ij} A_{ji})}{\partial A_{rs}}"
    )
    assert [c.verdict for c in claims(shape, by_entry + " = 2 A_{sr}$$")] == [Verdict.HOLDS, Verdict.HOLDS]
    assert last(shape, by_entry + " = 2 A_{rs}$$").is_wrong


def test_words_on_the_left_side_begin_a_new_chain() -> None:
    found = claims("$$S = V V^T$$", r"$$\text{交叉项}" + " = " + r"\sum_i a_i b_i = \sum_i b_i a_i$$")
    assert not [c for c in found if c.is_wrong]
    rows = r"交叉项 = \\ & \sum_{i} a_i b_i \\ = & \sum_{i} a_i c_i"
    assert claims("$$S = V V^T$$", rf"$$\begin{{aligned}} {rows} \end{{aligned}}$$")[-1].left != "S"


@pytest.mark.parametrize(("sign", "right"), [("-", True), ("+", False)])
@pytest.mark.parametrize(
    "pairs", [r"\sum_{i=1}^{n} \sum_{j=i+1}^{n} c_i c_j", r"\sum_{i=1}^{n} \sum_{j=1}^{i-1} c_i c_j"]
)
def test_a_sum_over_pairs_leaves_out_the_squares(pairs: str, sign: str, right: bool) -> None:
    claim = last(
        rf"$$P = {pairs}$$", rf"$$2 P = \left(\sum_{{i=1}}^{{n}} c_i\right)^2 {sign} \sum_{{i=1}}^{{n}} c_i^2$$"
    )
    assert (claim.verdict is Verdict.HOLDS, claim.is_wrong) == (right, not right)


@pytest.mark.parametrize(
    ("said", "open_"),
    [
        ("An n-dimensional vector $p$", True),
        (r"$p \in \mathbb{R}^n$", False),
        ("An n-dimensional column vector $p$", False),
    ],
)
def test_vectors_of_which_the_size_alone_is_said_may_be_rows(said: str, open_: bool) -> None:
    claim = last(f"{said}, an input $x$ and a number $c$:", r"$$g(x) = \sum_{k=1}^{n} p_k x_k + c = x p^T + c$$")
    assert (claim.verdict is Verdict.NOT_CHECKED, claim.is_wrong) == (open_, not open_)
