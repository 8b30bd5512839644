"""Nodes whose meaning depends on shapes have it by value, too: dot products, absolute values, determinants."""

from __future__ import annotations

import numpy as np

from elman.calculus.expression import Call, Expression, Symbol
from elman.calculus.functions import Array
from elman.calculus.syntax.parse import parse
from elman.calculus.values.environment import Environment
from elman.calculus.values.evaluate import evaluate

COLUMN = np.array([[1.0], [-2.0], [4.0]])


def value(e: Expression, **values: Array) -> Array:
    return evaluate(e, Environment(lambda s, _: values[s.name]))


def test_a_dot_product_of_columns() -> None:
    assert value(parse(r"a \cdot z"), a=COLUMN, z=COLUMN).tolist() == [[21]]
    assert value(parse(r"a \cdot z"), a=np.array([[2.0]]), z=COLUMN).tolist() == [[2], [-4], [8]]


def test_bars_are_an_absolute_value_or_a_determinant() -> None:
    bars = Call("det", (Symbol("z"),), latex="|")
    assert value(bars, z=np.array([[-3.0]])).tolist() == [[3]]
    assert np.isclose(value(bars, z=np.array([[1.0, 2.0], [3.0, 4.0]])), -2)
    assert np.isclose(value(Call("det", (Symbol("z"),)), z=np.array([[-3.0]])), -3)
