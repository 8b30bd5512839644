"""Which rule of matrix calculus leads from ∂J/∂u to ∂J/∂v, in words: by how v stands in u's equation."""

from __future__ import annotations

from dataclasses import replace

from elman.calculus.expression import Add, Call, Expression, Product, Subtract, Symbol, Transpose, children, walk
from elman.calculus.printing.render import latex

LEFT = (
    "{v} is the left factor of a product $A B$: with $G$ the error of the product in its own shape, "
    "the gradient by $A$ is $G B^T$"
)
RIGHT = (
    "{v} is the right factor of a product $A B$: with $G$ the error of the product in its own shape, "
    "the gradient by $B$ is $A^T G$"
)
ELEMENTWISE = "a function of each entry of {v}: the error times the slope, entry by entry"
HADAMARD = "{v} is a factor entry by entry: the error times the other factor, entry by entry"
ADDED = "{v} is added: the error passes as it is; what is added to every column gets the sum over the columns"
INDICES = "entry by entry, with the indices of {v}"
PREDICTED = "softmax and cross-entropy together: what was predicted less what came"


def rule(e: Expression, v: Symbol) -> str:
    """The rule for `v` in the equation's right side `e`, by the innermost operation around it."""
    return _rule(e, v).replace("{v}", f"${latex(replace(v, time=None))}$")


def _rule(e: Expression, v: Symbol) -> str:
    around = _around(e, v)
    if any(isinstance(n, Call) and n.function == "softmax" for n in around):
        logarithm = any(isinstance(n, Call) and n.function in ("ln", "cross_entropy") for n in around)
        return PREDICTED if logarithm else INDICES
    for node in reversed(around):
        if isinstance(node, Transpose):
            continue
        if isinstance(node, Product) and node.operator in ("", "·"):
            return LEFT if _has(node.left, v) else RIGHT
        if isinstance(node, Product) and node.operator == "∘":
            return HADAMARD
        if isinstance(node, Call):
            return ELEMENTWISE if node.function not in ("softmax", "sum", "trace", "det", "norm") else INDICES
        if isinstance(node, Add | Subtract):
            return ADDED
    return ADDED


def _around(e: Expression, v: Symbol) -> list[Expression]:
    """The nodes from `e` down to the first `v`, that itself left out."""
    if e == v:
        return []
    for child in children(e):
        if _has(child, v):
            return [e, *_around(child, v)]
    return []


def _has(e: Expression, v: Symbol) -> bool:
    return any(node == v for node in walk(e))
