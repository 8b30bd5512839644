"""The rule of matrix calculus that leads from ∂J/∂u to ∂J/∂v, in words, by the place of v in the equation of u."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from elman.calculus.expression import Add, Call, Expression, Product, Subtract, Symbol, children, walk
from elman.calculus.printing.render import latex

LEFT = (
    "{v} is the left factor of a product $A B$: if $G$ is the error of the product, in the product's shape, "
    "the gradient with respect to $A$ is $G B^T$"
)
RIGHT = (
    "{v} is the right factor of a product $A B$: if $G$ is the error of the product, in the product's shape, "
    "the gradient with respect to $B$ is $A^T G$"
)
ELEMENTWISE = (
    "a function acts on each entry of {v}: the error is multiplied by the derivative of the function, entry by entry"
)
HADAMARD = "{v} is a factor entry by entry: the error is multiplied by the other factor, entry by entry"
ADDED = (
    "{v} is added: the error passes unchanged; where {v} is added to every column or row, the error is summed over them"
)
ENTRIES = "the derivative is taken with respect to each entry of {v}"
PREDICTED = "softmax and cross-entropy together: the prediction minus the target"

_NOT_ELEMENTWISE = ("softmax", "sum", "trace", "det", "norm")


def rule(e: Expression, v: Symbol) -> str:
    """The rule for `v` in the equation's right side `e`, by the innermost operation around it."""
    return _rule(e, v).replace("{v}", f"${latex(replace(v, time=None))}$")


def _rule(e: Expression, v: Symbol) -> str:
    around = _nodes_around(e, v)
    functions = {node.function for node in around if isinstance(node, Call)}
    if "softmax" in functions:
        return PREDICTED if functions & {"ln", "cross_entropy"} else ENTRIES
    for node in reversed(around):
        if type(node) in _RULES:
            found = _RULES[type(node)](node, v)
            if found is not None:
                return found
    return ADDED


def _product(e: Product, v: Symbol) -> str | None:
    if e.operator in ("", "·"):
        return LEFT if _contains(e.left, v) else RIGHT
    return HADAMARD if e.operator == "∘" else None


def _call(e: Call, v: Symbol) -> str:
    return ENTRIES if e.function in _NOT_ELEMENTWISE else ELEMENTWISE


# The rule of each operation; None where the operation around it decides.
_RULES: dict[type[Expression], Callable[[Any, Symbol], str | None]] = {
    Product: _product,
    Call: _call,
    Add: lambda e, v: ADDED,
    Subtract: lambda e, v: ADDED,
}


def _nodes_around(e: Expression, v: Symbol) -> list[Expression]:
    """The nodes from `e` down to the first `v`, without `v` itself."""
    if e == v:
        return []
    for child in children(e):
        if _contains(child, v):
            return [e, *_nodes_around(child, v)]
    return []


def _contains(e: Expression, v: Symbol) -> bool:
    return any(node == v for node in walk(e))
