"""The functions that formulas may use: their names, values and derivatives.

Values are complex-safe, so that a complex step passes through: no conjugate, no modulus; relu and abs use the sign of
the real part. A function that is known for real numbers alone is continued by its slope (`_continued`).

To add a function of each entry, add one line to `ELEMENTWISE`; nothing else is needed. To add a function of whole
matrices, add one line to `WHOLE` and one entry to each of these tables: `_FUNCTIONS` of `shapes/rules.py` (its shape),
`MATRIX_FUNCTIONS` of `values/matrix_functions.py` (its value) and of `index_form/matrix_functions.py` (its entries). If
NumPy calls it otherwise, `printing/python.py` says how; what its derivative takes for granted, `conventions.py`. Other
spellings go to `SPELLINGS`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, TypeAlias

import numpy as np

from elman.calculus.expression import Add, Call, Constant, Expression, Number, Power, Product, Subtract

Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]
Values: TypeAlias = Callable[[Array], Array]

ONE, TWO = Number(Fraction(1)), Number(Fraction(2))


@dataclass(frozen=True, slots=True)
class Elementwise:
    """A function of each entry: its value, its derivative as an expression of the argument, and its LaTeX.

    `kink` says which derivative is taken where there is none; empty for a smooth function.
    """

    value: Values
    derivative: Callable[[Expression], Expression]
    latex: str
    kink: str = ""


# --- derivatives are written with these ---


def call(name: str, argument: Expression) -> Call:
    """`name` of one argument."""
    return Call(name, (argument,))


def power(base: Expression, exponent: Fraction | int) -> Power:
    """`base` to a power, entry by entry."""
    return Power(base, Number(Fraction(exponent)), elementwise=True)


def times(*factors: Expression | Fraction | int) -> Expression:
    """The product of some factors, entry by entry."""
    first, *rest = (f if isinstance(f, Expression) else Number(Fraction(f)) for f in factors)
    for f in rest:
        first = Product(first, f, "∘")
    return first


def _slope_of_erf(u: Expression) -> Expression:
    """2 exp(-u^2) / sqrt(π)."""
    return times(2, power(Constant("pi"), Fraction(-1, 2)), call("exp", times(-1, power(u, 2))))


def _normal_density(u: Expression) -> Expression:
    """exp(-u^2 / 2) / sqrt(2 π)."""
    root = power(times(TWO, Constant("pi")), Fraction(-1, 2))
    return times(root, call("exp", times(Fraction(-1, 2), power(u, 2))))


def _normal_below(u: Expression) -> Expression:
    """The probability of a standard normal number below u."""
    return times(Fraction(1, 2), Add(ONE, call("erf", times(u, power(TWO, Fraction(-1, 2))))))


def _slope_of_root(u: Expression, sign: int) -> Expression:
    """1 / sqrt(1 + u^2), or with the other sign."""
    square = power(u, 2)
    return power(Add(ONE, square) if sign > 0 else Subtract(ONE, square), Fraction(-1, 2))


# --- values ---


def _continued(f: Values, slope: Values) -> Values:
    """A function of real numbers at x + ih for a tiny h: f(x) + ih f'(x)."""

    def value(x: Array) -> Array:
        at = f(x.real)
        return at + 1j * x.imag * slope(x.real) if np.iscomplexobj(x) else at

    return value


def _each(f: Callable[[float], float]) -> Values:
    """A function of one number, entry by entry."""
    return np.vectorize(f, otypes=[np.float64])


def _sigmoid(x: Array) -> Array:
    value: Array = 1 / (1 + np.exp(-x))
    return value


def _sign(x: Array) -> Array:
    return np.asarray(np.sign(x.real))


def _step(x: Array) -> Array:
    return (x.real > 0).astype(np.float64)


def _softplus(x: Array) -> Array:
    """ln(1 + e^x), without an overflow."""
    value: Array = x * _step(x) + np.log1p(np.exp(-x * _sign(x)))
    return value


def _bell(x: Array) -> Array:
    value: Array = 2 / math.sqrt(math.pi) * np.exp(-x * x)
    return value


_erf = _continued(_each(math.erf), _bell)
_erfc = _continued(_each(math.erfc), lambda x: -_bell(x))


# --- the table ---

_AT_ZERO = "at 0, where {} has no derivative, {} is taken"

ELEMENTWISE: dict[str, Elementwise] = {
    "exp": Elementwise(np.exp, lambda u: call("exp", u), r"\exp"),
    "expm1": Elementwise(np.expm1, lambda u: call("exp", u), r"\mathrm{expm1}"),
    "ln": Elementwise(np.log, lambda u: power(u, -1), r"\ln"),
    "log1p": Elementwise(np.log1p, lambda u: power(Add(ONE, u), -1), r"\mathrm{log1p}"),
    "log2": Elementwise(np.log2, lambda u: power(times(call("ln", TWO), u), -1), r"\mathrm{log2}"),
    "log10": Elementwise(np.log10, lambda u: power(times(call("ln", Number(Fraction(10))), u), -1), r"\mathrm{log10}"),
    "sqrt": Elementwise(np.sqrt, lambda u: times(Fraction(1, 2), power(u, Fraction(-1, 2))), r"\mathrm{sqrt}"),
    "abs": Elementwise(lambda x: x * _sign(x), lambda u: call("sign", u), r"\mathrm{abs}", _AT_ZERO.format("abs", 0)),
    "sign": Elementwise(_sign, lambda u: times(0), r"\mathrm{sign}", _AT_ZERO.format("sign", 0)),
    "step": Elementwise(_step, lambda u: times(0), r"\mathrm{step}", _AT_ZERO.format("step", 0)),
    "erf": Elementwise(_erf, _slope_of_erf, r"\mathrm{erf}"),
    "erfc": Elementwise(_erfc, lambda u: times(-1, _slope_of_erf(u)), r"\mathrm{erfc}"),
    # trigonometric
    "sin": Elementwise(np.sin, lambda u: call("cos", u), r"\sin"),
    "cos": Elementwise(np.cos, lambda u: times(-1, call("sin", u)), r"\cos"),
    "tan": Elementwise(np.tan, lambda u: Add(ONE, power(call("tan", u), 2)), r"\tan"),
    "sec": Elementwise(lambda x: 1 / np.cos(x), lambda u: times(call("sec", u), call("tan", u)), r"\sec"),
    "csc": Elementwise(lambda x: 1 / np.sin(x), lambda u: times(-1, call("csc", u), call("cot", u)), r"\csc"),
    "cot": Elementwise(lambda x: 1 / np.tan(x), lambda u: times(-1, Add(ONE, power(call("cot", u), 2))), r"\cot"),
    "arcsin": Elementwise(np.arcsin, lambda u: _slope_of_root(u, -1), r"\arcsin"),
    "arccos": Elementwise(np.arccos, lambda u: times(-1, _slope_of_root(u, -1)), r"\arccos"),
    "arctan": Elementwise(np.arctan, lambda u: power(Add(ONE, power(u, 2)), -1), r"\arctan"),
    # hyperbolic
    "sinh": Elementwise(np.sinh, lambda u: call("cosh", u), r"\sinh"),
    "cosh": Elementwise(np.cosh, lambda u: call("sinh", u), r"\cosh"),
    "tanh": Elementwise(np.tanh, lambda u: Subtract(ONE, power(call("tanh", u), 2)), r"\tanh"),
    "sech": Elementwise(
        lambda x: 1 / np.cosh(x), lambda u: times(-1, call("sech", u), call("tanh", u)), r"\mathrm{sech}"
    ),
    "coth": Elementwise(lambda x: 1 / np.tanh(x), lambda u: Subtract(ONE, power(call("coth", u), 2)), r"\coth"),
    "arcsinh": Elementwise(np.arcsinh, lambda u: _slope_of_root(u, 1), r"\mathrm{arcsinh}"),
    "arccosh": Elementwise(
        np.arccosh, lambda u: power(Subtract(power(u, 2), ONE), Fraction(-1, 2)), r"\mathrm{arccosh}"
    ),
    "arctanh": Elementwise(np.arctanh, lambda u: power(Subtract(ONE, power(u, 2)), -1), r"\mathrm{arctanh}"),
    # activations
    "sigmoid": Elementwise(
        _sigmoid, lambda u: times(call("sigmoid", u), Subtract(ONE, call("sigmoid", u))), r"\sigma"
    ),
    "logsigmoid": Elementwise(
        lambda x: -_softplus(-x), lambda u: Subtract(ONE, call("sigmoid", u)), r"\mathrm{logsigmoid}"
    ),
    "softplus": Elementwise(_softplus, lambda u: call("sigmoid", u), r"\mathrm{softplus}"),
    "softsign": Elementwise(
        lambda x: x / (1 + x * _sign(x)), lambda u: power(Add(ONE, call("abs", u)), -2), r"\mathrm{softsign}"
    ),
    "silu": Elementwise(
        lambda x: x * _sigmoid(x),
        lambda u: times(call("sigmoid", u), Add(ONE, times(u, Subtract(ONE, call("sigmoid", u))))),
        r"\mathrm{silu}",
    ),
    "gelu": Elementwise(
        lambda x: x * (1 + _erf(x / math.sqrt(2))) / 2,
        lambda u: Add(_normal_below(u), times(u, _normal_density(u))),
        r"\mathrm{gelu}",
    ),
    "relu": Elementwise(
        lambda x: x * _step(x), lambda u: call("step", u), r"\mathrm{relu}", _AT_ZERO.format("relu", 0)
    ),
    "leakyrelu": Elementwise(
        lambda x: x * (0.01 + 0.99 * _step(x)),
        lambda u: Add(Number(Fraction(1, 100)), times(Fraction(99, 100), call("step", u))),
        r"\mathrm{leakyrelu}",
        _AT_ZERO.format("leakyrelu", "1/100"),
    ),
    "elu": Elementwise(
        lambda x: x * _step(x) + np.expm1(x * _step(-x)),
        lambda u: call("exp", times(-1, call("relu", times(-1, u)))),
        r"\mathrm{elu}",
    ),
    "hinge": Elementwise(
        lambda x: (1 - x) * _step(1 - x),
        lambda u: times(-1, call("step", Subtract(ONE, u))),
        r"\mathrm{hinge}",
        "at 1, where hinge has no derivative, 0 is taken",
    ),
}  # fmt: skip

# Functions of whole matrices, or of several arguments: how many they take, and their LaTeX.
WHOLE: dict[str, tuple[int, str]] = {
    "softmax": (1, r"\mathrm{softmax}"),
    "cross_entropy": (2, r"\mathrm{CE}"),
    "trace": (1, r"\mathrm{tr}"),
    "det": (1, r"\det"),
    "diag": (1, r"\mathrm{diag}"),
    "norm": (1, r"\mathrm{norm}"),
    "norm1": (1, r"\mathrm{norm}_1"),
    "norm2": (1, r"\mathrm{norm}_2"),
    "norminf": (1, r"\mathrm{norminf}"),
    "normp": (2, r"\mathrm{normp}"),
    "nuclear": (1, r"\mathrm{nuclear}"),
    "logdet": (1, r"\mathrm{logdet}"),
    "expm": (1, r"\mathrm{expm}"),
    "logm": (1, r"\mathrm{logm}"),
    "pinv": (1, r"\mathrm{pinv}"),
    "polar": (1, r"\mathrm{polar}"),
    "leading": (1, r"\mathrm{leading}"),
    "sum": (1, r"\mathrm{sum}"),
    "mean": (1, r"\mathrm{mean}"),
    "prod": (1, r"\mathrm{prod}"),
    "inner": (2, r"\mathrm{inner}"),
    "logsumexp": (1, r"\mathrm{logsumexp}"),
    "max": (2, r"\max"),
    "min": (2, r"\min"),
    "clip": (3, r"\mathrm{clip}"),
}

# A spelling → the name above.
SPELLINGS: dict[str, str] = {
    **{name: name for name in (*ELEMENTWISE, *WHOLE)},
    "log": "ln", "lg": "log10", "logistic": "sigmoid", "sigm": "sigmoid", "expit": "sigmoid", "Sigmoid": "sigmoid",
    "σ": "sigmoid", "log_sigmoid": "logsigmoid", "LogSigmoid": "logsigmoid", "Softplus": "softplus",
    "ReLU": "relu", "Relu": "relu", "LeakyReLU": "leakyrelu", "leaky_relu": "leakyrelu", "ELU": "elu",
    "SiLU": "silu", "Silu": "silu", "swish": "silu", "Swish": "silu", "Softsign": "softsign", "heaviside": "step",
    "Tanh": "tanh", "sgn": "sign", "GELU": "gelu", "Erf": "erf",
    "maximum": "max", "minimum": "min", "clamp": "clip",
    "asin": "arcsin", "acos": "arccos", "atan": "arctan", "asinh": "arcsinh", "arsinh": "arcsinh",
    "acosh": "arccosh", "arcosh": "arccosh", "atanh": "arctanh", "artanh": "arctanh",
    "lse": "logsumexp", "LSE": "logsumexp", "matrix_exp": "expm", "vdot": "inner",
    "Softmax": "softmax", "smax": "softmax", "tr": "trace", "Tr": "trace", "Trace": "trace", "Det": "det",
    "Diag": "diag", "CE": "cross_entropy", "CrossEntropy": "cross_entropy", "Sum": "sum",
}  # fmt: skip


def arity(name: str) -> int:
    """How many arguments a function takes."""
    return WHOLE[name][0] if name in WHOLE else 1


def known(name: str) -> bool:
    """Whether `name` is a canonical function name."""
    return name in ELEMENTWISE or name in WHOLE
