"""The functions that formulas may use: their names, values and derivatives.

Values are complex-safe, so that a complex step passes through: no conjugate, no modulus; relu and abs use the sign of
the real part.

To add a function of each entry, add one line to `ELEMENTWISE`; nothing else is needed. To add a function of whole
matrices, add one line to `WHOLE` and one entry to the table `_FUNCTIONS` of each of `shapes/rules.py` (its shape),
`values/evaluate.py` (its value) and `index_form/to_index_form.py` (its entries). Other spellings go to `SPELLINGS`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, TypeAlias

import numpy as np

from elman.calculus.expression import Add, Call, Expression, Number, Power, Product, Subtract

Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]

ONE = Number(Fraction(1))


def call(name: str, argument: Expression) -> Call:
    """`name` of one argument."""
    return Call(name, (argument,))


def power(base: Expression, exponent: Fraction | int) -> Power:
    """`base` to a power, entry by entry."""
    return Power(base, Number(Fraction(exponent)), elementwise=True)


def _times(a: Expression, b: Expression) -> Product:
    return Product(a, b, "∘")


@dataclass(frozen=True, slots=True)
class Elementwise:
    """A function of each entry: its value, its derivative as an expression of the argument, and its LaTeX."""

    value: Callable[[Array], Array]
    derivative: Callable[[Expression], Expression]
    latex: str


def _sigmoid(x: Array) -> Array:
    value: Array = 1 / (1 + np.exp(-x))
    return value


def _sign(x: Array) -> Array:
    return np.asarray(np.sign(x.real))


def _step(x: Array) -> Array:
    return (x.real > 0).astype(np.float64)


ELEMENTWISE: dict[str, Elementwise] = {
    "exp": Elementwise(np.exp, lambda u: call("exp", u), r"\exp"),
    "ln": Elementwise(np.log, lambda u: power(u, -1), r"\ln"),
    "sigmoid": Elementwise(
        _sigmoid, lambda u: _times(call("sigmoid", u), Subtract(ONE, call("sigmoid", u))), r"\sigma"
    ),
    "tanh": Elementwise(np.tanh, lambda u: Subtract(ONE, power(call("tanh", u), 2)), r"\tanh"),
    "relu": Elementwise(lambda x: x * _step(x), lambda u: call("step", u), r"\mathrm{relu}"),
    "step": Elementwise(_step, lambda u: Number(Fraction(0)), r"\mathrm{step}"),
    "sign": Elementwise(_sign, lambda u: Number(Fraction(0)), r"\mathrm{sign}"),
    "abs": Elementwise(lambda x: x * _sign(x), lambda u: call("sign", u), r"\mathrm{abs}"),
    "sqrt": Elementwise(
        np.sqrt, lambda u: Product(Number(Fraction(1, 2)), power(u, Fraction(-1, 2)), "∘"), r"\mathrm{sqrt}"
    ),
    "sin": Elementwise(np.sin, lambda u: call("cos", u), r"\sin"),
    "cos": Elementwise(np.cos, lambda u: Product(Number(Fraction(-1)), call("sin", u), "∘"), r"\cos"),
    "softplus": Elementwise(lambda x: np.log(1 + np.exp(x)), lambda u: call("sigmoid", u), r"\mathrm{softplus}"),
    "sinh": Elementwise(np.sinh, lambda u: call("cosh", u), r"\sinh"),
    "cosh": Elementwise(np.cosh, lambda u: call("sinh", u), r"\cosh"),
    "tan": Elementwise(np.tan, lambda u: Add(ONE, power(call("tan", u), 2)), r"\tan"),
    "arctan": Elementwise(np.arctan, lambda u: power(Add(ONE, power(u, 2)), -1), r"\arctan"),
}

# Functions of whole matrices: how many arguments they take, and their LaTeX.
WHOLE: dict[str, tuple[int, str]] = {
    "softmax": (1, r"\mathrm{softmax}"),
    "cross_entropy": (2, r"\mathrm{CE}"),
    "trace": (1, r"\mathrm{tr}"),
    "det": (1, r"\det"),
    "diag": (1, r"\mathrm{diag}"),
    "norm": (1, r"\mathrm{norm}"),
    "norm1": (1, r"\mathrm{norm}_1"),
    "sum": (1, r"\mathrm{sum}"),
    "mean": (1, r"\mathrm{mean}"),
}

# A spelling → the name above.
SPELLINGS: dict[str, str] = {
    **{name: name for name in (*ELEMENTWISE, *WHOLE)},
    "log": "ln", "logistic": "sigmoid", "sigm": "sigmoid", "ReLU": "relu", "Tanh": "tanh", "Softmax": "softmax",
    "smax": "softmax", "tr": "trace", "Tr": "trace", "Trace": "trace", "Det": "det", "Diag": "diag",
    "CE": "cross_entropy", "CrossEntropy": "cross_entropy", "sgn": "sign", "atan": "arctan", "σ": "sigmoid",
    "Sigmoid": "sigmoid", "Softplus": "softplus", "Sum": "sum",
}  # fmt: skip


def known(name: str) -> bool:
    """Whether `name` is a canonical function name."""
    return name in ELEMENTWISE or name in WHOLE
