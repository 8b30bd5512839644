"""Formulas as MathML: those that are read, and those that are only displayed."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from elman.calculus.printing.mathml import mathml
from elman.calculus.syntax.parse import parse
from elman.notes.report.displayed_math import displayed_math


@pytest.mark.parametrize(
    ("formula", "inside"),
    [
        (r"\begin{pmatrix} a & b \\ c & d \end{pmatrix}^T", "<mo>)</mo></mrow><mi>T</mi></msup>"),
        (r"\begin{cases} 1 & x > 0 \\ 0 & \text{else} \end{cases}", '<mtd style="text-align:left"><mn>1</mn></mtd>'),
        (r"\sqrt[3]{x}", "<mroot>"),
        (r"\underbrace{a + b}_{c}", "<munder>"),
        (r"a &= b \\ &= c", "<mtr>"),
        (r"\begin{aligned} a &= b \end{aligned}", "<mtable"),
        (r"a = b \label{x}", "<mi>a</mi><mo>=</mo><mi>b</mi>"),
        (r"\mathrm{softmax}_j", "<msub><mrow><mi>softmax</mi></mrow><mi>j</mi></msub>"),
        (r"ln\hat{y}", "<mi>ln</mi>"),
        (r"\boldsymbol{\theta}", "<mi>𝜽</mi>"),
        (r"\Delta x", '<mi mathvariant="normal">Δ</mi>'),
        (r"y_i \log p_i", '<mspace width="0.17em"/><mi>log</mi><mspace width="0.17em"/>'),
        (r"\log(p)", '<mi>log</mi><mo stretchy="false">(</mo>'),
        (r"2 \operatorname{Var} x", '<mspace width="0.17em"/><mi>Var</mi><mspace width="0.17em"/>'),
        (r"\text{<script>}", "<mtext>&lt;script&gt;</mtext>"),
    ],
)
def test_formulas_that_are_only_displayed(formula: str, inside: str) -> None:
    found = displayed_math(formula)
    assert found is not None
    assert inside in found
    ElementTree.fromstring(found)


@pytest.mark.parametrize(
    "formula", [r"\href{javascript:f()}{x}", r'\class{" onclick="f()}{x}', r"\style{background:url(//f())}{x}"]
)
def test_no_address_and_no_style_of_a_formula_is_kept(formula: str) -> None:
    assert "f()" not in str(displayed_math(formula))


@pytest.mark.parametrize(
    "formula",
    [
        r"\frac{a", r"a}", r"\left( a", r"x^", r"\frac{a}", r"a $ b", r"\newcommand{\a}{b} \a", r"\def\a{\a\a}\a", "",
        "{" * 2000, "x^{" * 500 + "}" * 500, r"\sqrt" * 1500, r"\text{" * 600, r"\begin{matrix}" * 40, "x" * 5000,
    ],
)  # fmt: skip
def test_formulas_that_cannot_be_displayed(formula: str) -> None:
    assert displayed_math(formula) is None


@pytest.mark.parametrize(
    "formula",
    [
        r"\frac{\partial J^{(t)}}{\partial W_h}|_{(t)}",
        r"(\delta_1 U) \circ (h \circ (1 - h))^T",
        r"-\sum_{j=1}^V y_j \ln \hat{y}_j",
        r"\|A x - b\|^2 + \det(X) X^{-1} 1_B^T",
        "a/(b+c)^T",
        r"\sigma'(z^{(t-1)})",
        r"[j=k] \mathbf{W} I_n",
    ],
)
def test_mathml_is_well_formed(formula: str) -> None:
    shapes = {(0, len(formula)): "[a,b]"}
    root = ElementTree.fromstring(mathml(parse(formula), shapes))
    counts = {"mfrac": 2, "msub": 2, "msup": 2, "msubsup": 3, "munder": 2, "mover": 2, "munderover": 3}
    for element in root.iter():
        if element.tag in counts:
            assert len(element) == counts[element.tag]


def test_mathml_of_scripts_and_shapes() -> None:
    found = mathml(parse(r"{W_h}^T x"), {(1, 4): "[m,n]", (8, 9): "[m,1]"})
    assert "[n,m]" in found
    assert "[m,1]" in found
    assert "<mo" in mathml(parse(r"(a+b)c"))
    assert displayed_math(r"[D_h,B], \dots") is not None
    assert displayed_math(r"\unknown{x}") is None
    assert "<mtext>mean of </mtext>" in str(displayed_math(r"\exp(\text{mean of }J)")).replace("\xa0", " ")


def test_a_script_on_a_function_stands_on_all_of_it() -> None:
    """<msup> has two children; a third, the argument, would be drawn as the script."""
    for formula in (r"\sigma'(z)^T", r"\mathrm{softmax}(z)_j", r"\tanh(z)^2"):
        root = ElementTree.fromstring(mathml(parse(formula)))
        for node in root.iter():
            if node.tag in ("msup", "msub"):
                assert len(node) == 2, formula
