"""A formula without a page: which letters are functions, and what a sum over i ≠ j runs over."""

from __future__ import annotations

import pytest

from elman.calculus.derive_formula import derive
from elman.calculus.expression import Apply, BigSum, walk
from elman.calculus.syntax.names import Names
from elman.calculus.syntax.single_formula import parse_formula
from elman.errors import FormulaError


def functions(formula: str, *known: str) -> list[str]:
    e = parse_formula(formula, Names.of(known))
    return [node.name for node in walk(e) if isinstance(node, Apply)]


@pytest.mark.parametrize(
    ("formula", "applied"),
    [
        (r"\Psi(z)", ["Psi"]),
        (r"q \left( \theta \right)", ["q"]),
        (r"a^T \varphi(M z + d)", ["phi"]),
        ("g(M z)", ["g"]),
        ("a (z + d)", []),
        (r"\beta (z - d)", []),
        (r"\Psi (z) + \Psi", []),
        (r"\sigma(z)", []),
        (r"\left( z \right)", []),
    ],
)
def test_a_letter_before_a_letter_in_parentheses_is_a_function(formula: str, applied: list[str]) -> None:
    assert functions(formula) == applied


def test_a_declared_letter_is_no_function() -> None:
    assert functions("M (z)", "M") == []
    assert derive("M (z)", "z", shapes={"M": "m,n"}).text == "M^T"


def test_an_unknown_function_is_refused_by_name() -> None:
    with pytest.raises(FormulaError, match="column 1: the function Psi is not known: write what it is, or a product"):
        derive(r"\Psi(z)", "z")


def test_a_sum_over_a_condition_runs_over_both_indices() -> None:
    sums = [n.index for n in walk(parse_formula(r"\sum_{i \neq j} z_i z_j", Names())) if isinstance(n, BigSum)]
    assert sorted(sums) == ["i", "j"]
    inner = parse_formula(r"\sum_j \sum_{i \neq j} z_i z_j", Names())
    assert [n.index for n in walk(inner) if isinstance(n, BigSum)] == ["j", "i"]
