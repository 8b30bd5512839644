"""The rules of matrix calculus that lead from ∂J/∂u to ∂J/∂v, in words, by the operations around v in u.

For example, in u = tanh(W x + b) the rules for W are those of a function of each entry and of the left factor of a
product; for b, which is only added, the second one is missing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from fractions import Fraction
from typing import Any

from elman.calculus.expression import (
    BigSum,
    Call,
    Entry,
    Expression,
    Inverse,
    Negative,
    Number,
    Power,
    Product,
    Subtract,
    Symbol,
    paths_to_symbols,
    walk,
)
from elman.calculus.functions import ELEMENTWISE
from elman.calculus.printing.render import latex
from elman.calculus.shapes.inference import SCALAR, Shape, Shapes, infer
from elman.errors import FormulaError

LEFT = (
    "{v} is in the left factor of a product $A B$: if $G$ is the error of the product, in the product's shape, "
    "the gradient with respect to $A$ is $G B^T$"
)
RIGHT = (
    "{v} is in the right factor of a product $A B$: if $G$ is the error of the product, in the product's shape, "
    "the gradient with respect to $B$ is $A^T G$"
)
DOT = "the gradient of a dot product with respect to one factor is the other factor"
ENTRY_BY_ENTRY = "a function acts on each entry: the error is multiplied by its derivative, entry by entry"
FUNCTION = "the error is multiplied by the derivative of the function of {v}"
HADAMARD = "{v} is in a factor entry by entry: the error is multiplied by the other factor, entry by entry"
TIMES = "{v} is multiplied by a number: the error is multiplied by the same number"
NUMBER = "{v} is in a number that multiplies a matrix: the products of error and matrix, entry by entry, add up"
QUOTIENT = "{v} is divided: the error is divided by the same"
DIVISOR = "{v} is in a divisor: the derivative of a reciprocal is minus the reciprocal of the square"
ADDED = "{v} is added: the error passes unchanged"
SUBTRACTED = "{v} is subtracted: the error changes its sign"
MINUS = "{v} is behind a minus sign: the sign changes"
SPREAD = "{v} is added to several entries: their errors add up"
ENTRIES = "the derivative is taken with respect to each entry of {v}"
PREDICTED = "softmax and cross-entropy together: the prediction minus the target"
LOGISTIC = "sigmoid and cross-entropy together: the prediction minus the target"
SOFTMAX = "each entry of a softmax depends on all entries of its argument"
SQUARED_NORM = "the gradient of a squared norm is twice its argument"
HALF_SQUARED_NORM = "the gradient of half a squared norm is its argument"
NORM = "the gradient of a norm is its argument, divided by the norm"
LOG_DETERMINANT = "the gradient of the logarithm of a determinant is the inverse, transposed"
DETERMINANT = "the gradient of a determinant is the determinant times the inverse, transposed"
INVERSE = "the gradient passes an inverse as the negative product with the transposed inverse on both sides"
TRACE = "the gradient of a trace is the identity"
SUM = "every summand has the error of the sum"


def rule(e: Expression, v: Symbol, shapes: Mapping[str, Shape]) -> str:
    """The rules for `v` in the equation's right side `e`, one for each way in which it is used there."""
    try:
        found = infer(e, shapes)
    except FormulaError:
        found = None
    paths = paths_to_symbols(e if found is None else found.tree)
    words = [_rules(path, v, found) for path in paths if path[-1] == v]
    name = f"${latex(replace(v, time=None))}$"
    return "; ".join(dict.fromkeys(rule for found in words for rule in found)).replace("{v}", name)


def _rules(path: list[Expression], v: Symbol, shapes: Shapes | None) -> list[str]:
    """The rules for one use of `v`, where `path` has the nodes from the whole right side down to it, and itself."""
    calls = {node.function for node in path if isinstance(node, Call)}
    logarithm = bool(calls & {"ln", "cross_entropy"})
    if "softmax" in calls:
        return [PREDICTED if logarithm else SOFTMAX]
    if "sigmoid" in calls and logarithm:
        return [LOGISTIC]
    if shapes is None or any(isinstance(node, Entry) for node in path):
        return [ENTRIES]
    steps = [_Step(*nodes, shapes) for nodes in zip((path[0], *path), path, path[1:], strict=False)]
    found = [words for step in steps for words in [_words(step)] if words]
    if SQUARED_NORM in found and Fraction(1, 2) in map(_written_factor, steps):
        found[found.index(SQUARED_NORM)] = HALF_SQUARED_NORM
    minus = sum(step.has_minus for step in steps) % 2
    if found:
        return found + [MINUS] * minus
    if shapes.of(path[0]) == shapes.of(path[-1]):
        return [SUBTRACTED if minus else ADDED]
    return [SPREAD] + [MINUS] * minus


class _Step:
    """One operation around v: the `node`, the node around it, the `child` that leads to v, and what is a number."""

    def __init__(self, around: Expression, node: Expression, child: Expression, shapes: Shapes) -> None:
        self.around, self.node, self.child = around, node, child
        self._shapes = shapes

    def is_number(self, e: Expression) -> bool:
        return self._shapes.of(e) == SCALAR

    @property
    def has_minus(self) -> bool:
        """Whether a minus sign is before the child."""
        node = self.node
        return isinstance(node, Negative) or (isinstance(node, Subtract) and self.child is node.right)


def _words(step: _Step) -> str | None:
    found = _RULES.get(type(step.node))
    return None if found is None else found(step.node, step)


def _product(e: Product, step: _Step) -> str | None:
    left = step.child is e.left
    other = e.right if left else e.left
    if e.operator == "/":
        return DIVISOR if not left else None if _is_written(other) else QUOTIENT
    if step.is_number(other):
        return None if _is_written(other) else TIMES
    if step.is_number(step.child):
        return NUMBER
    if e.operator == "∘":
        return HADAMARD
    if step.is_number(e):
        return DOT
    return LEFT if left else RIGHT


def _written_factor(step: _Step) -> Fraction | None:
    """The number by which a product multiplies the child, where it is written in digits: 1/2 in 1/2 a, and in a/2."""
    e = step.node
    if not isinstance(e, Product):
        return None
    left = step.child is e.left
    other = e.right if left else e.left
    if not _is_written(other) or (e.operator == "/" and not left):
        return None
    value = _written_value(other)
    return 1 / value if e.operator == "/" and value else value


def _written_value(e: Expression) -> Fraction:
    if isinstance(e, Number):
        return e.value
    if isinstance(e, Negative):
        return -_written_value(e.of)
    assert isinstance(e, Product)
    left, right = _written_value(e.left), _written_value(e.right)
    if e.operator != "/":
        return left * right
    return left / right if right else Fraction(0)


def _is_written(e: Expression) -> bool:
    """Whether `e` is a number by its digits alone: 2, 1/2."""
    return all(isinstance(node, Number | Product | Negative) for node in walk(e))


def _call(e: Call, step: _Step) -> str:
    if e.function in ELEMENTWISE:
        if e.function == "ln" and isinstance(step.child, Call) and step.child.function == "det":
            return LOG_DETERMINANT
        return FUNCTION if step.is_number(e) else ENTRY_BY_ENTRY
    if e.function == "norm":
        return SQUARED_NORM if isinstance(step.around, Power) else NORM
    if e.function == "det" and isinstance(step.around, Call) and step.around.function == "ln":
        return ""
    return _OF_FUNCTIONS.get(e.function, ENTRIES)


def _power(e: Power, step: _Step) -> str | None:
    if isinstance(step.child, Call) and step.child.function == "norm":
        return None
    return FUNCTION if step.is_number(e) else ENTRY_BY_ENTRY if e.elementwise else ENTRIES


_OF_FUNCTIONS = {"det": DETERMINANT, "trace": TRACE, "sum": SUM, "mean": SUM}

# The rule of each operation; None where it changes nothing, as a sum, or a factor that is a plain number.
_RULES: dict[type[Expression], Callable[[Any, _Step], str | None]] = {
    Product: _product,
    Call: _call,
    Power: _power,
    Inverse: lambda e, step: INVERSE,
    BigSum: lambda e, step: SUM,
}
