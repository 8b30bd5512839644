"""Sums along an axis have the values that they have term by term, with the perturbations of a complex step too."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import cast

import numpy as np
import pytest

from elman.calculus.expression import Apply, BigSum, Entry, Expression, Index, Product, Symbol, walk
from elman.calculus.functions import Array
from elman.calculus.syntax.names import Names
from elman.calculus.syntax.parse import parse
from elman.calculus.values import sums
from elman.calculus.values.environment import Environment
from elman.calculus.values.evaluate import evaluate
from elman.errors import FormulaError

RANDOM = np.random.default_rng(3)
PERTURBED = 1e-20j * np.eye(20).reshape(20, 4, 5)
VALUES = {
    "W": RANDOM.normal(size=(4, 5)) + PERTURBED,
    "A": RANDOM.normal(size=(4, 4)),
    "x": RANDOM.normal(size=(5, 1)),
    "y": RANDOM.normal(size=(1, 5)),
    "b": RANDOM.normal(size=(4, 1)),
    "c": RANDOM.normal(size=(1, 1)),
}
NAMES = replace(Names.of(VALUES, indices="ijk"), functions=frozenset({"f"}))
SUMS = [
    r"\sum_{j} W_{ij} x_j y_j",
    r"\sum_{k} (A_{kk} + c) b_k",
    r"\sum_{i} \sum_{j} b_i W_{ij} x_j c^2",
    r"\sum_{i} \tanh(\sum_{j} W_{ij} x_j + b_i)",
    r"\sum_{i} \sum_{k} A_{ki} A_{ik} b_i b_k",
    r"\sum_{i} \sum_{j} f(W_{ij} b_i) x_j",
    r"\sum_{i} \sum_{k} [i = k] A_{ik} b_i b_k",
    r"\sum_{j} x_j \sum_{i=1}^{4} A_{ii} c",
    r"\sum_{i} b_i \sum_{j=i+1}^{4} b_j",
    r"\sum_{i} b_i W x",
    r"\frac{\sum_{k} e^{b_k} b_k}{\sum_{k} e^{b_k}}",
    r"\sum_{i} \|b_i W\|^2",
]


def value(e: Expression, indices: Mapping[str, int]) -> Array:
    def function(e: Apply, arguments: tuple[Array, ...]) -> Array:
        return cast("Array", np.sin(arguments[0]) + arguments[0] ** 2)

    def symbol(s: Symbol, scope: Environment) -> Array:
        return VALUES[s.name]

    return evaluate(e, Environment(symbol, lambda name: 4, indices=indices, function=function))


@pytest.mark.parametrize("formula", SUMS)
def test_a_sum_along_an_axis_is_the_sum_of_its_terms(formula: str, monkeypatch: pytest.MonkeyPatch) -> None:
    e = parse(formula, names=NAMES)
    assert any(isinstance(node, BigSum) for node in walk(e))
    found = value(e, {"i": 2})
    monkeypatch.setattr(sums, "can_be_axis", lambda *_: False)
    term_by_term = value(e, {"i": 2})
    assert found.shape == term_by_term.shape
    np.testing.assert_allclose(found.real, term_by_term.real, rtol=1e-12)
    np.testing.assert_allclose(found.imag, term_by_term.imag, rtol=1e-10, atol=1e-33)


def next_to(i: str, j: str) -> BigSum:
    """Σ_{i=1}^{3} b_{i+1} W_{i+1,j}: the entries beside others."""
    b, after = Symbol("b"), Index(i, 1)
    body = Product(Entry(b, (after,)), Entry(Symbol("W"), (after, Index(j))))
    return BigSum(i, body, Index(None, 1), Index(None, 3))


@pytest.mark.parametrize("j", ["i", "k"])
def test_entries_beside_others_are_summed_along_an_axis(j: str, monkeypatch: pytest.MonkeyPatch) -> None:
    found = value(next_to("i", j), {"k": 1})
    monkeypatch.setattr(sums, "can_be_axis", lambda *_: False)
    np.testing.assert_allclose(found.real, value(next_to("i", j), {"k": 1}).real, rtol=1e-12)


def test_an_index_outside_is_an_error_along_an_axis_too() -> None:
    with pytest.raises(FormulaError, match="leaves the shape"):
        value(replace(next_to("i", "i"), upper=Index(None, 4)), {})
