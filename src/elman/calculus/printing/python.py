"""Expressions as NumPy code, on arrays [m,n]: a column vector is [n,1], a scalar [1,1] or a number.

For example, `a^T X b` is `a.T @ X @ b`; whether a product is `@` or `*` is decided by the shapes of its factors.
"""

from __future__ import annotations

import keyword
from collections.abc import Callable
from enum import IntEnum
from typing import Any

from elman.calculus.expression import (
    Add,
    Apply,
    BigProduct,
    BigSum,
    Call,
    Cases,
    Comparison,
    Constant,
    Derivative,
    Dots,
    Entry,
    Expression,
    Identity,
    Inverse,
    Iverson,
    Matrix,
    Negative,
    Number,
    Ones,
    Pattern,
    Power,
    Product,
    Subtract,
    Symbol,
    Transpose,
)
from elman.calculus.functions import ELEMENTWISE
from elman.calculus.printing.printer import Printed, Printer, is_otherwise

ShapeOf = Callable[[Expression], tuple[str, str]]


class PythonPrecedence(IntEnum):
    """How tightly Python binds: a + b, a * b, -a, a**b, a."""

    SUM = 1
    TIMES = 2
    UNARY = 3
    POWER = 4
    ATOM = 5


SUM, TIMES, UNARY, POWER, ATOM = PythonPrecedence

# Functions that NumPy or SciPy has; the others (sigmoid, softmax, relu, step, softplus) go by their own.
_NUMPY = {
    **{
        name: f"np.{name}"
        for name in (
            "exp", "expm1", "log1p", "log2", "log10", "sign", "abs", "sqrt", "sin", "cos", "tan", "arcsin", "arccos",
            "arctan", "sinh", "cosh", "tanh", "arcsinh", "arccosh", "arctanh", "trace", "diag", "sum", "mean", "prod",
        )
    },
    "ln": "np.log", "det": "np.linalg.det", "norm": "np.linalg.norm", "erf": "scipy.special.erf",
    "erfc": "scipy.special.erfc", "max": "np.maximum", "min": "np.minimum", "clip": "np.clip",
}  # fmt: skip
_COMPARISONS = {"=": "==", "≠": "!=", "≤": "<=", "≥": ">="}
# Functions that NumPy has with a second argument, which is 0.
_WITH_ZERO = {"relu": "np.maximum", "step": "np.heaviside"}
# Functions that NumPy writes in another way: the code from that of the arguments.
_FORMS: dict[str, Callable[..., str]] = {
    "norm2": lambda x: f"np.linalg.norm({x}, 2)",
    "norminf": lambda x: f"np.linalg.norm({x}, np.inf)",
    "nuclear": lambda x: f"np.linalg.norm({x}, 'nuc')",
    "logdet": lambda x: f"np.linalg.slogdet({x})[1]",
    "inner": lambda a, b: f"np.sum(({a}) * ({b}))",
    "logsumexp": lambda x: f"scipy.special.logsumexp({x})",
    "expm": lambda x: f"scipy.linalg.expm({x})",
    "logm": lambda x: f"scipy.linalg.logm({x})",
    "pinv": lambda x: f"np.linalg.pinv({x})",
    "polar": lambda x: f"scipy.linalg.polar({x})[0]",
    "leading": lambda x: f"(lambda u, s, v: u[:, :1] @ v[:1])(*np.linalg.svd({x}))",
}
_WHOLE_IS_SCALAR = {
    "trace", "det", "norm", "norm1", "norm2", "norminf", "normp", "nuclear", "logdet", "inner", "cross_entropy",
}  # fmt: skip


def python(e: Expression, shape_of: ShapeOf | None = None) -> str:
    """`e` as NumPy code.

    `shape_of` gives the dimensions of its parts, by which a scaling (*) differs from a matrix product (@).
    """
    return _PythonPrinter(shape_of).show(e)


def looks_scalar(e: Expression) -> bool:
    """Whether `e` is a scalar whatever the shapes of its symbols: a number, a trace, a sum of all entries."""
    rule = _SCALAR.get(type(e))
    return rule is not None and rule(e)


def _call_is_scalar(e: Call) -> bool:
    if e.function in _WHOLE_IS_SCALAR or (e.function in ("sum", "mean") and e.axis is None):
        return True
    return e.function in ELEMENTWISE and looks_scalar(e.arguments[0])


def _inside_is_scalar(e: Negative | Transpose | Power | Inverse) -> bool:
    return looks_scalar(e.of)


def _both_are_scalar(e: Product | Comparison | Add | Subtract) -> bool:
    return looks_scalar(e.left) and looks_scalar(e.right)


_SCALAR: dict[type[Expression], Callable[[Any], bool]] = {
    Number: lambda e: True,
    Constant: lambda e: True,
    Iverson: lambda e: True,
    Call: _call_is_scalar,
    Negative: _inside_is_scalar,
    Transpose: _inside_is_scalar,
    Power: _inside_is_scalar,
    Inverse: _inside_is_scalar,
    Product: _both_are_scalar,
    Comparison: _both_are_scalar,
    Add: _both_are_scalar,
    Subtract: _both_are_scalar,
}


class _PythonPrinter(Printer):
    def __init__(self, shape_of: ShapeOf | None) -> None:
        self.shape_of = shape_of

    def is_scalar(self, e: Expression) -> bool:
        return looks_scalar(e) or (self.shape_of is not None and self.shape_of(e) == ("1", "1"))

    def is_matrix(self, e: Expression) -> bool:
        """Whether a power of `e` multiplies matrices."""
        if self.shape_of is None:
            return not looks_scalar(e) and not isinstance(e, Call)
        rows, columns = self.shape_of(e)
        return rows == columns != "1"

    def is_vector(self, e: Call) -> bool:
        """Whether the argument of a diag is known to be a vector."""
        if e.operand or self.shape_of is None:
            return e.operand == "vector"
        return "1" in self.shape_of(e.arguments[0])

    def number(self, e: Number) -> Printed:
        precedence = ATOM if e.value >= 0 else UNARY
        if e.value.denominator == 1:
            return str(e.value), precedence
        decimal = str(float(e.value))
        if decimal.removeprefix("-").replace(".", "").isdigit() and len(decimal) < 8:
            return decimal, precedence
        return f"{e.value.numerator} / {e.value.denominator}", TIMES

    def symbol(self, e: Symbol) -> Printed:
        name = f"{e.name}_" if keyword.iskeyword(e.name) else e.name
        return name + (f"[{e.time}]" if e.time is not None else ""), ATOM

    def ones(self, e: Ones) -> Printed:
        return f"np.ones(({e.dim or '...'}, 1))", ATOM

    def identity(self, e: Identity) -> Printed:
        return f"np.eye({e.dim or '...'})", ATOM

    def entry(self, e: Entry) -> Printed:
        return f"{self.show(e.of, ATOM)}[{', '.join(str(i) for i in e.indices)}]", ATOM

    def iverson(self, e: Iverson) -> Printed:
        return f"({e.left} {_COMPARISONS.get(e.operator, e.operator)} {e.right})", ATOM

    def comparison(self, e: Comparison) -> Printed:
        return f"({self.show(e.left)} {_COMPARISONS.get(e.operator, e.operator)} {self.show(e.right)})", ATOM

    def constant(self, e: Constant) -> Printed:
        return f"np.{e.name}", ATOM

    def matrix(self, e: Matrix) -> Printed:
        return f"np.array([{', '.join('[' + ', '.join(self.show(x) for x in row) + ']' for row in e.rows)}])", ATOM

    def pattern(self, e: Pattern) -> Printed:
        cell = _PythonPrinter(None).show(e.body)
        row = f"[{cell} for {e.column} in range(len_{e.column})]" if e.column else f"[{cell}]"
        return f"np.array([{row}{f' for {e.row} in range(len_{e.row})' if e.row else ''}])", ATOM

    def negative(self, e: Negative) -> Printed:
        return f"-{self.show(e.of, TIMES)}", TIMES

    def add(self, e: Add) -> Printed:
        return f"{self.show(e.left, SUM)} + {self.show(e.right, TIMES)}", SUM

    def subtract(self, e: Subtract) -> Printed:
        return f"{self.show(e.left, SUM)} - {self.show(e.right, TIMES)}", SUM

    def product(self, e: Product) -> Printed:
        if e.operator in ("∘", "/"):
            sign = "*" if e.operator == "∘" else "/"
        elif self.is_scalar(e.left) or self.is_scalar(e.right):
            sign = "*"
        elif e.operator == "⊗":
            return f"{self.show(e.left, TIMES)} @ {self.show(e.right, ATOM)}.T", TIMES
        else:
            sign = "@"
        return f"{self.show(e.left, TIMES)} {sign} {self.show(e.right, UNARY)}", TIMES

    def transpose(self, e: Transpose) -> Printed:
        return f"{self.show(e.of, ATOM)}.T", ATOM

    def inverse(self, e: Inverse) -> Printed:
        return f"np.linalg.inv({self.show(e.of)})", ATOM

    def power(self, e: Power) -> Printed:
        if e.elementwise or not self.is_matrix(e.of):
            return f"{self.show(e.of, ATOM)}**{self.show(e.exponent, ATOM)}", POWER
        if isinstance(e.exponent, Number) and e.exponent.value == 2 and isinstance(e.of, Symbol):
            return f"{self.show(e.of, ATOM)} @ {self.show(e.of, ATOM)}", TIMES
        if isinstance(e.exponent, Number) and e.exponent.value.denominator > 1:
            return f"scipy.linalg.fractional_matrix_power({self.show(e.of)}, {self.show(e.exponent)})", ATOM
        return f"np.linalg.matrix_power({self.show(e.of)}, {self.show(e.exponent)})", ATOM

    def call(self, e: Call) -> Printed:
        if e.primes == 1 and e.function in ELEMENTWISE:
            return self.printed(ELEMENTWISE[e.function].derivative(e.arguments[0]))
        inside = [self.show(a) for a in e.arguments]
        if e.function == "cross_entropy":
            return f"-np.sum({self.show(e.arguments[0], TIMES)} * np.log({inside[1]}))", TIMES
        if e.function == "norm1":
            return f"np.sum(np.abs({inside[0]}))", ATOM
        if e.function == "normp":
            p = self.show(e.arguments[1], ATOM)
            return f"np.sum(np.abs({inside[0]})**{p})**(1 / {p})", POWER
        if e.function in _FORMS:
            return _FORMS[e.function](*inside), ATOM
        if e.function in _WITH_ZERO:
            return f"{_WITH_ZERO[e.function]}({inside[0]}, 0)", ATOM
        if e.function == "diag" and self.is_vector(e):
            return f"np.diagflat({inside[0]})", ATOM
        if e.function == "diag" and e.operand == "matrix":
            return f"np.diag({inside[0]})[:, None]", ATOM
        if e.axis is not None:
            inside.append(f"axis={e.axis}" + (", keepdims=True" if e.function in ("sum", "mean") else ""))
        return f"{_NUMPY.get(e.function, e.function)}({', '.join(inside)})", ATOM

    def apply(self, e: Apply) -> Printed:
        name = e.name + {0: "", 1: "_prime"}.get(e.primes, f"_prime{e.primes}")
        return f"{name}({', '.join(self.show(a) for a in e.arguments)})", ATOM

    def cases(self, e: Cases) -> Printed:
        *first, (last, condition) = zip(e.values, e.conditions, strict=True)
        shown = (
            self.show(last)
            if is_otherwise(condition)
            else f"np.where({self.show(condition)}, {self.show(last)}, np.nan)"
        )
        for value, condition in reversed(first):
            shown = f"np.where({self.show(condition)}, {self.show(value)}, {shown})"
        return shown, ATOM if first or not is_otherwise(condition) else SUM

    def big_sum(self, e: BigSum) -> Printed:
        return f"sum({self.over_index(e)})", ATOM

    def big_product(self, e: BigProduct) -> Printed:
        return f"np.prod([{self.over_index(e)}])", ATOM

    @staticmethod
    def over_index(e: BigSum | BigProduct) -> str:
        """The terms of a sum or the factors of a product."""
        over = f"range({e.lower}, {e.upper} + 1)" if e.lower is not None else f"range(len_{e.index})"
        return f"{_PythonPrinter(None).show(e.body)} for {e.index} in {over}"

    def derivative(self, e: Derivative) -> Printed:
        return f"d({self.show(e.of)}, {self.show(e.wrt)})", ATOM

    def dots(self, e: Dots) -> Printed:
        return "...", ATOM
