"""How pages are read: each kind of notation that strangers use, as a small page with what is right."""

from __future__ import annotations

import pytest

from elman.notes import check
from elman.notes.judge.advice import with_advice
from elman.notes.judge.verdict import GOOD, Claim, Verdict
from elman.notes.page.reader import page_of


def claims(text: str) -> list[Claim]:
    return [c for c in check(page_of(text)).claims if c.verdict is not Verdict.NOT_A_CLAIM]


def page(*formulas: str) -> str:
    return "\n\n".join(f"$$ {formula} $$" if not formula.startswith("#") else formula for formula in formulas)


RIGHT = {
    "numbers": (r"u = a v + c, \quad J = \frac{1}{2} (u - s)^2", r"\frac{\partial J}{\partial a} = (u - s) v"),
    "a function of one number": (r"\frac{d}{dq} \frac{1}{q} = -\frac{1}{q^2}",),
    "by entries": (
        r"r_i = \sum_j A_{ij} s_j", r"J = \frac{1}{2} \sum_i (r_i - g_i)^2",
        r"\frac{\partial J}{\partial s_j} = \sum_i A_{ij} (r_i - g_i)",
    ),
    "softmax by entries": (
        r"q_j = \frac{e^{u_j}}{\sum_l e^{u_l}}", r"J = -\sum_j t_j \ln q_j",
        r"\frac{\partial J}{\partial u_j} = q_j - t_j",
    ),
    "one entry": (
        r"q = \mathrm{softmax}(u)", r"J = -\ln q_c", r"\frac{\partial J}{\partial u_j} = q_j - [j = c]",
    ),
    "cases behind a comma": (
        r"q = \mathrm{softmax}(u)",
        r"\frac{\partial q_k}{\partial u_l} = q_k (1 - q_l), \quad k = l",
        r"\frac{\partial q_k}{\partial u_l} = -q_k q_l, \quad k \neq l",
    ),
    "layers": (
        r"v^l = P^l g^{l-1} + c^l", r"g^l = \tanh(v^l)", r"e^l = \frac{\partial J}{\partial v^l}",
        r"\frac{\partial J}{\partial P^l} = e^l (g^{l-1})^T", r"e^l = (P^{l+1})^T e^{l+1} \odot \tanh'(v^l)",
    ),
    "examples": (
        r"p^{(i)} = \sigma(w^T x^{(i)})", r"J(w) = \frac{1}{m} \sum_{i=1}^m (p^{(i)} - y^{(i)})^2",
        r"\frac{\partial J}{\partial w} = \frac{2}{m} \sum_{i=1}^m (p^{(i)} - y^{(i)}) p^{(i)} (1 - p^{(i)}) x^{(i)}",
    ),
    "an unknown loss": (r"Y = X K", r"\frac{\partial J}{\partial K} = X^T \frac{\partial J}{\partial Y}"),
    "an unknown loss of examples": (
        r"g^{(i)} = K s^{(i)} + c, \quad r = \sum_{i=1}^m s^{(i)}",
        r"\frac{\partial J}{\partial c} = \sum_{i=1}^m \frac{\partial J}{\partial g^{(i)}}",
        r"\frac{\partial J}{\partial K} = \sum_{i=1}^m \frac{\partial J}{\partial g^{(i)}} (s^{(i)})^T",
    ),
    "an unknown loss beside other equations": (
        r"v = K s + c, \quad g = \tanh(v), \quad r = K s + g, \quad q = s s^T + K^T",
        r"\frac{\partial J}{\partial v} = \frac{\partial J}{\partial g} \odot (1 - g \odot g)",
        r"\frac{\partial J}{\partial K} = \frac{\partial J}{\partial v} s^T",
    ),
    "an unknown function": (
        r"g = \psi(v), \quad v = P x, \quad J = \rho(g, y)",
        r"\frac{\partial J}{\partial v} = \frac{\partial J}{\partial g} \odot \psi'(v)",
    ),
    "a function of the page": (r"f(x) = x^3", r"f'(x) = 3 x^2"),
    "functions within chains": (
        r"r = p(u) = u^3", r"u = q(s) = \sin s",
        r"\frac{\partial r}{\partial s} = \frac{\partial p(u)}{\partial u} \frac{\partial q(s)}{\partial s}",
        r"\frac{\partial p(u)}{\partial u} = 3 u^2", r"\frac{\partial q(s)}{\partial s} = \cos s",
    ),
    "a display that goes on": (r"f = \|A x\|^2", r"\frac{\partial f}{\partial x} = 2 A^T (A x)", r"= 2 A^T A x"),
    "a bare sum": (r"J = \sum (a^T x_i - b_i)^2", r"\frac{\partial J}{\partial a} = 2 \sum (a^T x_i - b_i) x_i"),
    "a solution": (
        r"J = \|X w - y\|^2 + \|w\|^2", r"\frac{\partial J}{\partial w} = 2 X^T (X w - y) + 2 w = 0",
        r"w = (X^T X + I)^{-1} X^T y",
    ),
    "an update": (
        r"J = \|W x - t\|^2", r"W := W - \eta \frac{\partial J}{\partial W}",
        r"\frac{\partial J}{\partial W} = 2 (W x - t) x^T",
    ),
    "worked numbers": (r"z = 0.5 \cdot 0.4 + 0.1 = 0.3",),
    "defined anew below a heading": (
        r"J = \|A x\|^2", r"\frac{\partial J}{\partial x} = 2 A^T A x", "## With a penalty",
        r"J = \|A x\|^2 + x^T x", r"\frac{\partial J}{\partial x} = 2 A^T A x + 2 x",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", RIGHT)
def test_what_is_right_holds(name: str) -> None:
    found = claims(page(*RIGHT[name]))
    assert found
    assert [(c.left, c.formula, str(c.verdict), c.diagnosis) for c in found if c.verdict not in GOOD] == []


WRONG = [
    ("numbers", r"(u - s) v", r"(u + s) v"),
    ("by entries", r"\sum_i A_{ij} (r_i", r"\sum_i A_{ji} (r_i"),
    ("softmax by entries", r"q_j - t_j", r"t_j - q_j"),
    ("one entry", r"q_j - [j = c]", r"q_j + [j = c]"),
    ("cases behind a comma", r"= -q_k q_l", r"= q_k q_l"),
    ("layers", r"(P^{l+1})^T e^{l+1}", r"P^{l+1} e^{l+1}"),
    ("examples", r"\frac{2}{m} \sum_{i=1}^m (p", r"\frac{1}{m} \sum_{i=1}^m (p"),
    ("an unknown loss", r"= X^T \frac", r"= X \frac"),
    ("an unknown loss of examples", r"\partial K} = \sum", r"\partial K} = -\sum"),
    ("an unknown loss beside other equations", r"(1 - g \odot g)", r"(1 + g \odot g)"),
    ("a function of the page", "3 x^2", "2 x^2"),
    ("functions within chains", "= 3 u^2", "= 3 u"),
    ("a display that goes on", r"= 2 A^T A x", r"= 2 A A^T x"),
    ("worked numbers", "= 0.3", "= 0.4"),
    ("defined anew below a heading", r"2 A^T A x + 2 x", r"2 A^T A x + x"),
]


@pytest.mark.parametrize(("name", "right", "wrong"), WRONG, ids=[w[0] for w in WRONG])
def test_what_is_wrong_is_marked(name: str, right: str, wrong: str) -> None:
    text = page(*RIGHT[name])
    assert text.count(right) == 1
    report = check(page_of(text.replace(right, wrong)))
    place = text.index(right)
    marked = [c for c in report.claims if c.is_wrong]
    assert marked
    assert all(c.start < place + len(wrong) and place < c.end for c in marked)


def test_a_function_that_is_defined_anew_and_not_read_is_unknown() -> None:
    formulas = (
        r"v = p(u) = u^3", r"\frac{\partial p(u)}{\partial u} = 3 u^2",
        r"w = p(u) = \badcommand u", r"\frac{\partial p(u)}{\partial u} = 3 u^2",
    )  # fmt: skip
    found = claims(page(*formulas))
    assert [c.verdict for c in found if c.left.startswith(r"\frac")] == [Verdict.HOLDS, Verdict.NOT_CHECKED]


def test_a_derivative_of_a_function_of_two_letters_is_not_taken_for_a_total_one() -> None:
    text = page(
        r"u = \frac{3}{w}", r"v = p(u, w) = \frac{u}{w}", r"\frac{\partial p(u, w)}{\partial w} = -\frac{u}{w^2}"
    )
    assert not [c for c in claims(text) if c.is_wrong]


def test_a_definition_that_a_chinese_page_introduces_is_no_solution() -> None:
    text = "令 $r = s^2$\n\n令 $s = 3 x + b$\n\n" + page(
        r"\frac{\partial r}{\partial x} = 6 s, \quad \frac{\partial r}{\partial s} = 2 s"
    )
    assert [c.diagnosis for c in claims(text) if not c.good] == []


def test_a_loss_of_two_letters_one_of_which_has_no_value_is_not_checked() -> None:
    formulas = (
        r"g = K s, \quad r = K q, \quad q = r + s",
        r"\frac{\partial J}{\partial g} = d, \quad \frac{\partial J}{\partial r} = q",
        r"\frac{\partial J}{\partial K} = \frac{\partial J}{\partial g} s^T",
    )
    last = claims(page(*formulas))[-1]
    assert last.verdict is Verdict.NOT_CHECKED
    assert "the equation of r" in last.diagnosis


NOT_CHECKED = [
    r"\frac{\partial L}{\partial w_{oji}} = \frac{\partial L}{\partial w_{ji}}",
    r"J = \sum_{i=1}^{N} \mathbb{E}[x_i]",
]


@pytest.mark.parametrize("formula", NOT_CHECKED)
def test_what_cannot_be_evaluated_is_not_called_wrong(formula: str) -> None:
    report = check(page_of(page(formula)))
    assert report.holds
    assert all(c.diagnosis for c in report.claims if not c.good)


def test_a_wrong_claim_shows_its_counterexample() -> None:
    (wrong,) = (c for c in claims(page(r"f = x^T x", r"\frac{\partial f}{\partial x} = 3 x")) if c.is_wrong)
    found = wrong.counterexample
    assert found is not None
    assert found.left is not None
    assert found.right == pytest.approx(1.5 * found.left, rel=1e-5)
    assert "x" in found.letters


def test_a_section_that_fails_throughout_is_not_trusted() -> None:
    formulas = [r"f = x^T A x"] + [rf"\frac{{\partial f}}{{\partial x}} = {k} b" for k in (3, 5, 7, 9)]
    report = check(page_of(page(*formulas)))
    assert report.holds
    assert {c.verdict for c in report.claims[1:]} == {Verdict.NOT_CHECKED}


@pytest.mark.parametrize(
    ("reason", "advice"),
    [
        ("the index k is bound nowhere", "put a sum over it"),
        ("the bound N of a sum is not known", "declare a shape"),
        ("y has no time step 0", "write the range"),
        ("this matrix is singular", "write what makes"),
    ],
)
def test_a_reason_says_what_to_write(reason: str, advice: str) -> None:
    assert with_advice(reason).startswith(f"{reason}: {advice}")


def test_a_reason_that_says_what_to_write_stays_as_it_is() -> None:
    reason = "over what does x run? Write its bounds"
    assert with_advice(reason) == reason


@pytest.mark.parametrize("wrong", ["x - a", "2 a", "a + x"])
def test_no_repair_is_empty(wrong: str) -> None:
    text = page(r"f = a^T x + g, \quad g = c^T c", rf"\frac{{\partial g}}{{\partial c}} = {wrong}")
    for claim in claims(text):
        assert all(" 0" not in f.formula and f.formula != "0" for f in claim.fixes)
        assert all("a - a" not in f.formula and "x - x" not in f.formula for f in claim.fixes)
