"""Expressions: printing and parsing agree, shapes follow from the formula, errors give the column."""

from __future__ import annotations

import numpy as np
import pytest

from elman.calculus.expression import Call, Expression, Index, Ones, Power, Symbol, Transpose
from elman.calculus.printing.python import python
from elman.calculus.printing.render import latex, names_of, text
from elman.calculus.shapes.inference import declared, infer
from elman.calculus.syntax.names import Names
from elman.calculus.syntax.parse import parse, parse_statements
from elman.calculus.values.environment import Environment
from elman.calculus.values.evaluate import evaluate
from elman.errors import FormulaError

NAMES = Names.of(
    ["W_h", "W_e", "W_he", "delta_1", "delta_2", "y_hat", "h", "x", "b_1", "theta", "Dh", "U"],
    ["h", "delta_1", "delta_2"],
)

# LaTeX that prints as itself; as text; as NumPy code.
PRINTS = [
    ("a^T X b", "a^T X b", "a.T @ X @ b"),
    (r"W_h^T \delta_2^T", "W_h^T δ_2^T", "W_h.T @ delta_2.T"),
    (r"{\delta_1^{(t)}}^T", "δ_1^(t)^T", "delta_1[t].T"),
    (r"h^{(t-1)} \circ (1 - h^{(t-1)})", "h^(t-1) ∘ (1 - h^(t-1))", "h[t-1] * (1 - h[t-1])"),
    (r"h_{t-1}^T", "h_{t-1}^T", "h[t-1].T"),
    (r"\hat{y} - y", "ŷ - y", "y_hat - y"),
    (r"(A B)^T C", "(A B)^T C", "(A @ B).T @ C"),
    (r"A (B + C) - (D - E)", "A (B + C) - (D - E)", "A @ (B + C) - (D - E)"),
    (r"(a \circ b)^T c", "(a ∘ b)^T c", "(a * b).T @ c"),
    (r"(a b^T) \circ (c d^T)", "(a b^T) ∘ (c d^T)", "a @ b.T * (c @ d.T)"),
    (r"a \otimes b", "a ⊗ b", "a @ b.T"),
    (r"\sigma(W_h h + b_1)", "σ(W_h h + b_1)", "sigmoid(W_h @ h + b_1)"),
    (r"\sigma'(\theta)", "σ'(θ)", "sigmoid(theta) * (1 - sigmoid(theta))"),
    (r"\mathrm{softmax}_{row}(X)", "softmax_{row}(X)", "softmax(X, axis=1)"),
    (r"\frac{A x}{\|x\|}", "A x / ‖x‖", "A @ x / np.linalg.norm(x)"),
    (r"\frac{1}{2} \|A x - b\|^2", "1/2 ‖A x - b‖^2", "1 / 2 * np.linalg.norm(A @ x - b)**2"),
    (r"x^{\circ 2}", "x^{∘2}", "x**2"),
    (r"X^{-T} a", "X^{-T} a", "np.linalg.inv(X).T @ a"),
    (r"\mathrm{tr}(A X) - \ln(\det(X))", "tr(A X) - ln(det(X))", "np.trace(A @ X) - np.log(np.linalg.det(X))"),
    (r"2 \cdot 3 x", "2 · 3 x", "2 * 3 * x"),
    (r"\mathbf{1}_n^T x", "1_n^T x", "np.ones((n, 1)).T @ x"),
    (r"-a - b (-c)", "-a - b (-c)", "-a - b @ (-c)"),
    (r"\sum_{i=1}^n x_i y_i", "∑_{i=1}^n x_i y_i", None),
    (r"\frac{\partial J}{\partial W_h}|_{(i)}", "∂J/∂W_h|_{(i)}", None),
    (r"\mathrm{CE}(y, \mathrm{softmax}(\theta))", "CE(y, softmax(θ))", "-np.sum(y * np.log(softmax(theta)))"),
]


@pytest.mark.parametrize(("shown", "plain", "code"), PRINTS)
def test_prints_in_three_forms_and_reads_them_back(shown: str, plain: str, code: str | None) -> None:
    e = parse(shown, NAMES, "latex")
    assert latex(e) == shown
    assert text(e) == plain
    assert parse(text(e), NAMES, "latex") == e
    if code is not None:
        assert python(e) == code


@pytest.mark.parametrize(
    ("e", "shown"),
    [
        (Symbol("delta_1"), r"\delta_1"),
        (Symbol("y_hat"), r"\hat{y}"),
        (Symbol("theta_hat_1"), r"\hat{\theta}_1"),
        (Symbol("W_he"), "W_{he}"),
        (Symbol("loss"), r"\mathrm{loss}"),
        (Symbol("h", Index("t", -1)), "h^{(t-1)}"),
        (Symbol("h", Index("t", -1), below=True), "h_{t-1}"),
        (Transpose(Symbol("delta_1", Index("t"))), r"{\delta_1^{(t)}}^T"),
        (Transpose(Symbol("W_h")), "W_h^T"),
    ],
)
def test_names_become_latex(e: Expression, shown: str) -> None:
    assert latex(e) == shown
    assert parse(shown, names_of(e), "latex") == e


def test_what_people_type_is_read() -> None:
    assert parse("h^(t-1)", Names.of(["h"], ["h"])) == Symbol("h", Index("t", -1))
    assert parse("1^T x") == parse(r"\mathbf{1}^T x")
    assert parse("np.ones((n, 1))", form="python") == Ones("n")
    assert parse("h[t-1]", form="python") == Symbol("h", Index("t", -1))
    assert parse("lambda_ * x", form="python").left == Symbol("lambda")  # type: ignore[attr-defined]
    assert isinstance(parse("np.linalg.matrix_power(A, 2)", form="python"), Power)
    assert isinstance(parse("np.diagflat(a)", form="python"), Call)
    for code in ("2 * np.diagflat(x) @ A", "np.diag(A)"):
        assert python(parse(code, form="python")) == code
    ((relation),) = parse_statements(r"∂J/∂W_h|_{(i)} = \delta_2^T h^T", NAMES)
    assert relation.operators == ("=",)


@pytest.mark.parametrize(
    ("formula", "given", "expected"),
    [
        ("a^T X b", {}, {"a": ("m", "1"), "X": ("m", "n"), "b": ("n", "1")}),
        ("x^T A x", {}, {"x": ("n", "1"), "A": ("n", "n")}),
        ("c X b", {"b": "n"}, {"c": ("1", "1"), "X": ("m", "n")}),
        ("W x + b", {"W": "Dh,d"}, {"x": ("d", "1"), "b": ("Dh", "1")}),
        (r"CE(y, softmax(\theta))", {}, {"theta": ("n", "1"), "y": ("n", "1")}),
        (r"A + \lambda I", {}, {"A": ("n", "n"), "lambda": ("1", "1")}),
        (r"W X + b 1_B^T", {}, {"W": ("m", "n"), "X": ("n", "B"), "b": ("m", "1")}),
        ("tr(A B)", {"A": "m,n"}, {"B": ("n", "m")}),
    ],
)
def test_shapes_follow_from_the_formula(
    formula: str, given: dict[str, str], expected: dict[str, tuple[str, str]]
) -> None:
    found = infer(parse(formula), declared(given)).symbols
    assert {name: found[name] for name in expected} == expected


def test_sizes_of_ones_and_identities_are_told() -> None:
    shapes = infer(parse(r"A \mathbf{1} + I b"), declared({"A": "m,n"}))
    assert latex(shapes.tree) == r"A \mathbf{1}_n + I_m b"
    assert shapes.assumed == {"b": ("m", "1")}


@pytest.mark.parametrize(
    ("formula", "given", "column"),
    [
        ("A x + B y", {"A": "m,n", "B": "p,q", "x": "n", "y": "q"}, 1),
        ("c + A B", {"A": "m,n", "B": "p,q", "c": "1"}, 5),
        (r"x \circ A", {"A": "m,n", "x": "p"}, 1),
        ("2 \\det(A)", {"A": "m,n"}, 3),
        ("y_j", {}, 1),
    ],
)
def test_a_misfit_says_where(formula: str, given: dict[str, str], column: int) -> None:
    with pytest.raises(FormulaError) as caught:
        infer(parse(formula), declared(given))
    assert caught.value.column == column


def test_sums_within_sums_are_bounded_together() -> None:
    nested = "\\sum_{i=1}^{4} \\sum_{j=1}^{4} " * 6 + "x"
    with pytest.raises(FormulaError, match="a sum of 16384 terms is too long"):
        evaluate(parse(nested), Environment(lambda s, _: np.ones((1, 1))))


def test_a_sum_from_an_unknown_bound_is_told() -> None:
    with pytest.raises(FormulaError, match="column 1: the bound k of a sum is not known"):
        evaluate(parse(r"\sum_{i=k}^{4} x"), Environment(lambda s, _: np.ones((1, 1))))
