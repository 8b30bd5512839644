"""The gradients of the seed's network from its forward equations: definitions expanded, differentiated, abbreviated."""

from __future__ import annotations

import pytest

from elman.calculus.derive_formula import derivative
from elman.calculus.expression import Expression, Index, Symbol
from elman.calculus.matrix_form.abbreviations import abbreviate, expand, in_matrix_form
from elman.calculus.printing.render import text
from elman.calculus.shapes.inference import declared
from elman.calculus.syntax.names import Names
from elman.calculus.syntax.parse import parse
from elman.errors import FormulaError

SHAPES = declared(
    {"x": "V,B", "y": "V,B", "E": "d,V", "e": "d,B", "W_e": "Dh,d", "W_h": "Dh,Dh", "b_1": "Dh", "h": "Dh,B",
     "z": "Dh,B", "U": "V,Dh", "b_2": "V", "theta": "V,B", "y_hat": "V,B"}
)  # fmt: skip
NAMES = Names.of(SHAPES, ["h", "e", "z", "x", "y", "theta", "y_hat"])


def read(formula: str) -> Expression:
    return parse(formula, NAMES, "latex")


T = Index("t")
FORWARD: dict[Symbol, Expression] = {
    Symbol("e", T): read("E x^{(t)}"),
    Symbol("z", T): read("W_h h^{(t-1)} + W_e e^{(t)} + b_1"),
    Symbol("h", T): read(r"\sigma(z^{(t)})"),
    Symbol("theta", T): read(r"U h^{(t)} + b_2"),
    Symbol("y_hat", T): read(r"\mathrm{softmax}(\theta^{(t)})"),
}
LOSS = read(r"\mathrm{CE}(y^{(t)}, \hat{y}^{(t)})")


@pytest.mark.parametrize(
    ("wrt", "expected"),
    [
        (r"\theta^{(t)}", "ŷ^(t) - y^(t)"),
        ("U", "(ŷ^(t) - y^(t)) h^(t)^T"),
        ("b_2", "(ŷ^(t) - y^(t)) 1_B"),
        ("h^{(t)}", "U^T (ŷ^(t) - y^(t))"),
        ("z^{(t)}", "(U^T (ŷ^(t) - y^(t))) ∘ h^(t) ∘ (1 - h^(t))"),
        ("W_h", "((U^T (ŷ^(t) - y^(t))) ∘ h^(t) ∘ (1 - h^(t))) h^(t-1)^T"),
        ("W_e", "((U^T (ŷ^(t) - y^(t))) ∘ h^(t) ∘ (1 - h^(t))) e^(t)^T"),
        ("e^{(t)}", "W_e^T ((U^T (ŷ^(t) - y^(t))) ∘ h^(t) ∘ (1 - h^(t)))"),
        ("E", "W_e^T ((U^T (ŷ^(t) - y^(t))) ∘ h^(t) ∘ (1 - h^(t))) x^(t)^T"),
        ("h^{(t-1)}", "W_h^T ((U^T (ŷ^(t) - y^(t))) ∘ h^(t) ∘ (1 - h^(t)))"),
    ],
)
def test_gradient_of_the_loss_at_one_step(wrt: str, expected: str) -> None:
    symbol = read(wrt)
    assert isinstance(symbol, Symbol)
    loss = expand(LOSS, FORWARD, frozenset({symbol}))
    found = derivative(loss, symbol, SHAPES)
    assert found.error < 1e-9
    assert found.expression is not None
    assert text(abbreviate(found.expression, FORWARD, SHAPES)) == expected


def test_definitions_that_are_circular_are_refused() -> None:
    a, b = Symbol("a"), Symbol("b")
    with pytest.raises(FormulaError, match="definitions are circular"):
        expand(a, {a: b, b: a})


def test_a_bias_times_ones_is_a_bias() -> None:
    assert text(in_matrix_form(parse("W X + b 1_B^T"), declared({"W": "m,n", "X": "n,B", "b": "m"}))) == "W X + b"
