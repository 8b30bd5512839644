"""Code: NumPy, PyTorch, and the mathematics that people write in a block of code."""

from __future__ import annotations

import pytest
from reading import read

from elman.calculus.derive_formula import derive
from elman.calculus.expression import Product, Symbol
from elman.calculus.syntax.parse import parse, read_formula
from elman.errors import FormulaError

CODE = [
    ("dV = P^T @ dO", "dV = P^T dO"),
    ("dS = P ⊙ (dP - rowsum(dP ⊙ P))", "dS = P ∘ (dP - sum_{row}(dP ∘ P))"),
    ("dW = xᵀ @ dz", "dW = x^T dz"),
    ("y = np.where(u > 0, u, 0.1 * u)", "y = {u if u > 0; 1/10 ∘ u otherwise}"),
    ("db = colsum(dz)", "db = sum_{col}(dz)"),
    ("f = np.linalg.slogdet(Y)[1]", "f = ln(abs(det(Y)))"),
    ("f = np.linalg.norm(u, 1)", "f = ‖u‖_1"),
    ("L = F.cross_entropy(z, y)", "L = CE(y, softmax(z))"),
    ("L = F.mse_loss(z, y)", "L = mean((z - y)^{∘2})"),
    ("C = np.einsum('ij,jk->ik', A, B)", "C = A B"),
    ("C = np.einsum('ji,jk->ik', A, B)", "C = A^T B"),
    ("C = np.einsum('i,j->ij', a, b)", "C = a ⊗ b"),
    ("dz = (z > 0) * dh", "dz = [z > 0] ∘ dh"),
    ("g = lambda_ * theta", "g = λ ∘ θ"),
    ("∂L/∂W = xᵀ δ", "∂L/∂W = x^T δ"),
    ("f = xᵀA x", "f = x^T A x"),
]


@pytest.mark.parametrize(("formula", "meaning"), CODE)
def test_code_is_read(formula: str, meaning: str) -> None:
    assert read(formula, form="code") == [meaning]


@pytest.mark.parametrize("formula", ["x @ y", "np.dot(x, y)", "torch.matmul(x, y)"])
def test_the_product_of_python_is_left_to_the_shapes(formula: str) -> None:
    assert parse(formula) == Product(Symbol("x"), Symbol("y"), "@")


def test_places_are_those_of_the_source() -> None:
    formula = "dV = Pᵀ @ dO"
    ((_, (start, end)),) = (r.regions for r in read_formula(formula, form="code").relations)
    assert formula[start:end] == "Pᵀ @ dO"


@pytest.mark.parametrize("formula", ["np.einsum('ijk,jk->i', A, B)", "np.linalg.norm(u, 3)", "import os"])
def test_other_code_is_refused(formula: str) -> None:
    with pytest.raises(FormulaError):
        read_formula(formula, form="python")


BY_NAME = [
    ("F.cross_entropy(logits, target)", "logits", "softmax(logits) - target"),
    ("F.mse_loss(pred, target)", "pred", "2 (pred - target) / n"),
    ("F.softmax(scores, dim=-1)", "scores", "diag(softmax(scores)) - softmax(scores) softmax(scores)^T"),
    ("torch.logsumexp(theta, dim=0)", "theta", "softmax(θ)"),
    ("torch.sum(W @ inputs)", "inputs", "W^T 1_m"),
]


@pytest.mark.parametrize(("formula", "wrt", "gradient"), BY_NAME)
def test_a_derivative_by_a_variable_of_code(formula: str, wrt: str, gradient: str) -> None:
    assert derive(formula, wrt).text == gradient


def test_the_letters_of_a_word_are_no_symbol_in_latex() -> None:
    with pytest.raises(FormulaError, match="by one symbol, and xy is none"):
        derive(r"x^T y", "xy")
