"""Answers in the form that a person would write."""

from __future__ import annotations

import pytest
from differences import check_gradient

from elman.calculus.derive_formula import derive


@pytest.mark.parametrize(
    ("formula", "wrt", "shapes", "gradient"),
    [
        (
            r"-(t^T \ln \sigma(X w) + (1 - t)^T \ln(1 - \sigma(X w)))",
            "w",
            {"X": "m,n", "t": "m", "w": "n"},
            "X^T (σ(X w) - t)",
        ),
        (
            r"-y \ln \sigma(w^T x) - (1 - y) \ln(1 - \sigma(w^T x))",
            "w",
            {"y": "1", "x": "n", "w": "n"},
            "(σ(w^T x) - y) x",
        ),
        (r"\ln(1 + \exp(-y (w^T x)))", "w", {"y": "1", "x": "n", "w": "n"}, "-y σ(-y (w^T x)) x"),
        (r"\mathbf{1}^T \ln \sigma(X w)", "w", {"X": "m,n", "w": "n"}, "X^T (1 - σ(X w))"),
        (r"\mathrm{tr}(A)^2", "A", {"A": "n,n"}, "2 tr(A) I_n"),
        ("(a^T x + b)^3", "x", {"a": "n", "x": "n", "b": "1"}, "3 (a^T x + b)^2 a"),
        (r"\|x\|^4", "x", {"x": "n"}, "4 ‖x‖^2 x"),
    ],
)
def test_gradients_as_a_person_writes_them(formula: str, wrt: str, shapes: dict[str, str], gradient: str) -> None:
    found = derive(formula, wrt, shapes=shapes)
    assert found.text == gradient
    assert found.error < 1e-12
    check_gradient(found)
