"""Symmetric and diagonal matrices: simpler answers, and the gradients by them."""

from __future__ import annotations

import numpy as np
import pytest
from click.testing import CliRunner

from elman.calculus.derive_formula import Derived, derive
from elman.calculus.values.evaluate import evaluate
from elman.calculus.values.verify import points
from elman.cli import main
from elman.errors import FormulaError


@pytest.mark.parametrize(
    ("formula", "wrt", "gradient"),
    [
        ("x^T A x", "x", "2 A x"),
        ("(x - m)^T A^{-1} (x - m)", "x", "2 A^{-1} (x - m)"),
        ("tr(X^T A X B)", "X", "2 A X B"),
        ("tr(A X)", "X", "A"),
        ("x^T A B A^{-1} y", "x", "A B A^{-1} y"),
    ],
)
def test_a_symmetric_matrix_is_its_own_transpose(formula: str, wrt: str, gradient: str) -> None:
    found = derive(formula, wrt, shapes={"x": "n", "m": "n"}, symmetric=["A", "B"][: formula.count("B") + 1])
    assert found.text == gradient
    assert found.error < 1e-10


SYMMETRIC = [
    ("x^T A x", "x x^T"),
    ("x^T A y", "1/2 (x y^T + y x^T)"),
    (r"\ln \det A", "A^{-1}"),
    ("tr(A B)", "1/2 (B + B^T)"),
    ("tr(A^2)", "2 A"),
    ("x^T A^{-1} x", "-A^{-1} x x^T A^{-1}"),
]


def slope(found: Derived, direction: np.ndarray) -> tuple[float, float]:  # type: ignore[type-arg]
    """The change of f along a direction: by central differences, and by the gradient."""
    (point,) = points(found.shapes, set(), seed=3, count=1)
    a = point.values[found.wrt]
    moved = [evaluate(found.shapes.tree, point.scope({found.wrt: a + sign * 1e-6 * direction})) for sign in (1, -1)]
    gradient = found.evaluate({s.name: v for s, v in point.values.items()})
    return ((moved[0] - moved[1]) / 2e-6).item(), float((gradient * direction).sum())


@pytest.mark.parametrize(("formula", "gradient"), SYMMETRIC)
def test_the_gradient_by_a_symmetric_matrix_is_symmetric(formula: str, gradient: str) -> None:
    found = derive(formula, "A", shapes={"A": "4,4"}, symmetric=["A"])
    assert found.text == gradient
    step = np.random.default_rng(1).normal(size=(4, 4))
    change, along_gradient = slope(found, step + step.T)
    assert np.isclose(change, along_gradient, rtol=1e-6, atol=1e-7)
    (said,) = found.conventions
    assert said.startswith("A is symmetric: the gradient is the symmetric G with df = tr(G dA)")


@pytest.mark.parametrize(
    ("formula", "gradient"),
    [("x^T D y", "diag(x ∘ y)"), ("tr(D^2)", "2 D"), (r"\ln \det D", "D^{-1}")],
)
def test_the_gradient_by_a_diagonal_matrix_is_diagonal(formula: str, gradient: str) -> None:
    found = derive(formula, "D", shapes={"D": "4,4"}, diagonal=["D"])
    assert found.text == gradient
    change, along_gradient = slope(found, np.diag([1.0, -2.0, 0.5, 3.0]))
    assert np.isclose(change, along_gradient, rtol=1e-6, atol=1e-7)


def test_what_cannot_be_symmetric_is_refused() -> None:
    with pytest.raises(FormulaError, match=r"A is \[m,n\], and a symmetric matrix is square"):
        derive("a^T A b", "a", shapes={"A": "m,n"}, symmetric=["A"])
    with pytest.raises(FormulaError, match="S is given as symmetric and is not in this formula; there are A, a"):
        derive("a^T A a", "a", symmetric=["S"])
    assert (
        derive("a^T A b", "a", symmetric=["A"]).shapes.symbols["A"][0]
        == derive("a^T A b", "a", symmetric=["A"]).shapes.symbols["A"][1]
    )


def test_the_command_takes_structures() -> None:
    done = CliRunner().invoke(main, ["derive", "x^T A x", "--wrt", "A", "--symmetric", "A"])
    assert "x x^T" in done.output
    assert "convention   A is symmetric" in done.output
