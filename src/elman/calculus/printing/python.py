"""Expressions as NumPy code, on arrays [m,n]: a column vector is [n,1], a scalar [1,1] or a number."""

from __future__ import annotations

import keyword
from collections.abc import Callable

from elman.calculus.expression import (
    Add,
    BigSum,
    Call,
    Derivative,
    Entry,
    Expression,
    Identity,
    Inverse,
    Iverson,
    Negative,
    Number,
    Ones,
    Power,
    Product,
    Subtract,
    Symbol,
    Transpose,
)
from elman.calculus.functions import ELEMENTWISE

SUM, TIMES, UNARY, POWER, ATOM = 1, 2, 3, 4, 5
ShapeOf = Callable[[Expression], tuple[str, str]]

# Functions that NumPy has; the others (sigmoid, softmax, relu, step, softplus) are named as everybody names them.
_NUMPY = {
    "exp": "np.exp", "ln": "np.log", "tanh": "np.tanh", "sign": "np.sign", "abs": "np.abs", "sqrt": "np.sqrt",
    "sin": "np.sin", "cos": "np.cos", "sinh": "np.sinh", "cosh": "np.cosh", "tan": "np.tan", "arctan": "np.arctan",
    "trace": "np.trace", "det": "np.linalg.det", "norm": "np.linalg.norm", "sum": "np.sum", "mean": "np.mean",
}  # fmt: skip
_WHOLE_IS_SCALAR = {"trace", "det", "norm", "norm1", "cross_entropy"}


def looks_scalar(e: Expression) -> bool:
    """Whether `e` is a scalar whatever the shapes of its symbols: a number, a trace, a sum over everything, …"""
    if isinstance(e, Number | Iverson):
        return True
    if isinstance(e, Call):
        if e.function in _WHOLE_IS_SCALAR or (e.function in ("sum", "mean") and e.axis is None):
            return True
        return e.function in ELEMENTWISE and looks_scalar(e.arguments[0])
    if isinstance(e, Negative | Transpose | Power | Inverse):
        return looks_scalar(e.of)
    if isinstance(e, Product | Add | Subtract):
        return looks_scalar(e.left) and looks_scalar(e.right)
    return False


def python(e: Expression, shape_of: ShapeOf | None = None) -> str:
    """`e` as NumPy code; `shape_of` gives the dimensions of its parts, which tell a scaling (*) from a product (@)."""
    return _Printer(shape_of).show(e, SUM)


class _Printer:
    def __init__(self, shape_of: ShapeOf | None) -> None:
        self.shape_of = shape_of

    def is_scalar(self, e: Expression) -> bool:
        return looks_scalar(e) or (self.shape_of is not None and self.shape_of(e) == ("1", "1"))

    def is_square(self, e: Expression) -> bool:
        """Whether a power multiplies matrices."""
        if self.shape_of is None:
            return not looks_scalar(e) and not isinstance(e, Call)
        rows, columns = self.shape_of(e)
        return rows == columns != "1"

    def show(self, e: Expression, least: int) -> str:
        shown, level = self.render(e)
        return shown if level >= least else f"({shown})"

    def render(self, e: Expression) -> tuple[str, int]:
        match e:
            case Number():
                return self._number(e)
            case Symbol():
                name = f"{e.name}_" if keyword.iskeyword(e.name) else e.name
                return name + (f"[{e.time}]" if e.time is not None else ""), ATOM
            case Ones():
                return f"np.ones(({e.dim or '...'}, 1))", ATOM
            case Identity():
                return f"np.eye({e.dim or '...'})", ATOM
            case Negative():
                return f"-{self.show(e.of, TIMES)}", TIMES
            case Add() | Subtract():
                sign = "+" if isinstance(e, Add) else "-"
                return f"{self.show(e.left, SUM)} {sign} {self.show(e.right, TIMES)}", SUM
            case Product():
                return self._product(e)
            case Transpose():
                return f"{self.show(e.of, ATOM)}.T", ATOM
            case Inverse():
                return f"np.linalg.inv({self.show(e.of, SUM)})", ATOM
            case Power():
                return self._power(e)
            case Call():
                return self._call(e)
            case Entry():
                return f"{self.show(e.of, ATOM)}[{', '.join(str(i) for i in e.indices)}]", ATOM
            case Iverson():
                return f"({e.left} == {e.right})", ATOM
            case BigSum():
                over = f"range({e.lower}, {e.upper} + 1)" if e.lower is not None else f"range(len_{e.index})"
                return f"sum({_Printer(None).show(e.body, SUM)} for {e.index} in {over})", ATOM
            case Derivative():
                return f"d({self.show(e.of, SUM)}, {self.show(e.wrt, SUM)})", ATOM
        return "...", ATOM

    def _number(self, e: Number) -> tuple[str, int]:
        if e.value.denominator == 1:
            return str(e.value), ATOM if e.value >= 0 else UNARY
        exact = float(e.value)
        if str(exact).removeprefix("-").replace(".", "").isdigit() and len(str(exact)) < 8:
            return str(exact), ATOM if e.value >= 0 else UNARY
        return f"{e.value.numerator} / {e.value.denominator}", TIMES

    def _product(self, e: Product) -> tuple[str, int]:
        if e.operator == "⊗":
            scaled = self.is_scalar(e.left) or self.is_scalar(e.right)
            left, right = self.show(e.left, TIMES), self.show(e.right, UNARY if scaled else ATOM)
            return (f"{left} * {right}", TIMES) if scaled else (f"{left} @ {right}.T", TIMES)
        if e.operator in ("∘", "/"):
            sign = "*" if e.operator == "∘" else "/"
        else:
            sign = "*" if self.is_scalar(e.left) or self.is_scalar(e.right) else "@"
        return f"{self.show(e.left, TIMES)} {sign} {self.show(e.right, UNARY)}", TIMES

    def _power(self, e: Power) -> tuple[str, int]:
        if not e.elementwise and self.is_square(e.of):
            if isinstance(e.exponent, Number) and e.exponent.value == 2 and isinstance(e.of, Symbol):
                return f"{self.show(e.of, ATOM)} @ {self.show(e.of, ATOM)}", TIMES
            return f"np.linalg.matrix_power({self.show(e.of, SUM)}, {self.show(e.exponent, SUM)})", ATOM
        return f"{self.show(e.of, ATOM)}**{self.show(e.exponent, ATOM)}", POWER

    def _call(self, e: Call) -> tuple[str, int]:
        if e.primes == 1 and e.function in ELEMENTWISE:
            return self.render(ELEMENTWISE[e.function].derivative(e.arguments[0]))
        inside = [self.show(a, SUM) for a in e.arguments]
        if e.function == "cross_entropy":
            return f"-np.sum({self.show(e.arguments[0], TIMES)} * np.log({inside[1]}))", TIMES
        if e.function == "norm1":
            return f"np.sum(np.abs({inside[0]}))", ATOM
        if e.axis is not None:
            inside.append(f"axis={e.axis}" + (", keepdims=True" if e.function in ("sum", "mean") else ""))
        if e.function == "diag" and e.latex in ("vector", "matrix"):
            return (f"np.diagflat({inside[0]})" if e.latex == "vector" else f"np.diag({inside[0]})[:, None]"), ATOM
        return f"{_NUMPY.get(e.function, e.function)}({', '.join(inside)})", ATOM
