"""Index forms: what may cancel, an order that repeats, primes; and a method for every node in the printers."""

from __future__ import annotations

import re

import numpy as np
import pytest

from elman.calculus.derive_formula import derive
from elman.calculus.expression import Expression, Symbol
from elman.calculus.index_form.arithmetic import apply_derivative, apply_written_derivative
from elman.calculus.index_form.differentiate import differentiate
from elman.calculus.index_form.simplify import simplify
from elman.calculus.index_form.terms import SymbolEntry, TensorIndex, single
from elman.calculus.index_form.value import index_value
from elman.calculus.printing.printer import Printer


@pytest.mark.parametrize(
    ("formula", "wrt", "expected"),
    [
        ("a^T X^{-1} X b", "a", "b"),
        (r"a^T (X \circ X)^{-1} X b", "a", "(X^{∘2})^{-1} X b"),
        (r"tr((X \circ X)^{-1} X A)", "A", "X^T (X^{∘2})^{-T}"),
    ],
)
def test_an_inverse_cancels_its_own_matrix_alone(formula: str, wrt: str, expected: str) -> None:
    found = derive(formula, wrt)
    assert found.text == expected
    assert found.error < 1e-9


def test_the_order_of_factors_does_not_depend_on_earlier_formulas() -> None:
    first = derive("(x^T x)^2", "x").index
    derive("(x^T x)^{1/2}", Symbol("x", latex="{x}"))
    assert derive("(x^T x)^2", "x").index == first == "∂f/∂x_i = 4 ∑_a x_i x_a^{2}"


@pytest.mark.parametrize("function", ["sigmoid", "tanh"])
def test_primes_have_the_value_and_the_derivative_of_what_they_stand_for(function: str) -> None:
    i, j = TensorIndex(1, "3"), TensorIndex(2, "3")
    z = Symbol("z")
    values = {z: np.array([[0.3], [-0.7], [1.1]])}
    primed = apply_derivative(function, single(SymbolEntry((i,), z)))
    written = apply_written_derivative(function, single(SymbolEntry((i,), z)))
    for a, b, axes in (
        (primed, written, (i,)),
        (simplify(differentiate(primed, z, (j,))), simplify(differentiate(written, z, (j,))), (i, j)),
    ):
        left, right = (index_value(sum_, axes, values.__getitem__, {}) for sum_ in (a, b))
        assert np.allclose(left, right, rtol=1e-14, atol=0)
        assert np.abs(left).max() > 0.01


def test_every_node_has_a_method_in_the_printers() -> None:
    nodes = {re.sub(r"(?<!^)(?=[A-Z])", "_", node.__name__).lower() for node in Expression.__subclasses__()}
    assert Printer.__abstractmethods__ == nodes
