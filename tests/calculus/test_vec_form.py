"""The derivative of a matrix by a matrix with Kronecker products, for columns stacked."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from elman.calculus.derive_formula import derive
from elman.cli import main
from elman.errors import FormulaError

SHAPES = {"A": "m,n", "B": "p,q", "C": "n,n", "X": "n,p", "Y": "n,n", "Z": "p,n"}


@pytest.mark.parametrize(
    ("formula", "wrt", "expected"),
    [
        ("X", "X", "I_p ⊗ I_n"),
        ("A X", "X", "I_p ⊗ A"),
        ("A X B", "X", "B^T ⊗ A"),
        ("A Z^T B", "Z", "(B^T ⊗ A) K"),
        ("Y^2", "Y", "Y^T ⊗ I_n + I_n ⊗ Y"),
        ("Y^{-1}", "Y", "-Y^{-T} ⊗ Y^{-1}"),
        ("Y^{-2}", "Y", "-(Y^{-T})^2 ⊗ Y^{-1} - Y^{-T} ⊗ (Y^{-1})^2"),
        ("2 C Y - Y C", "Y", "2 (I_n ⊗ C) - C^T ⊗ I_n"),
        ("tr(Y) C", "Y", "vec(C) vec(I_n)^T"),
        (r"A \sigma(X)", "X", ""),
    ],
)
def test_the_vec_form(formula: str, wrt: str, expected: str) -> None:
    found = derive(formula, wrt, shapes=SHAPES)
    assert found.expression is None
    assert found.vec == expected  # an answer only after its value was compared with the index form's


@pytest.mark.parametrize("formula", [r"\operatorname{vec}(A X B)", r"\mathrm{vec} \left( A X B \right)", "vec(A X B)"])
def test_vec_of_a_whole_formula(formula: str) -> None:
    assert derive(formula, "X", shapes=SHAPES).vec == "B^T ⊗ A"


def test_vec_of_a_part_is_refused_by_name() -> None:
    with pytest.raises(FormulaError, match="vec"):
        derive(r"\operatorname{vec}(X) + \operatorname{vec}(Y)", "X")


def test_only_a_matrix_by_a_matrix_has_one() -> None:
    assert derive("a^T X b", "X").vec == ""
    assert derive("a^T X", "X").vec == ""


def test_the_command_prints_it() -> None:
    done = CliRunner().invoke(main, ["derive", "A X^T", "--wrt", "X"])
    assert "columns stacked, ∂vec(f)/∂vec(X)^T:" in done.output
    assert "⊗ A) K   with K vec(X) = vec(X^T)" in done.output
