"""Which rule of matrix calculus leads from ∂J/∂u to ∂J/∂v, in words: by how v stands in u's equation."""

from __future__ import annotations

from elman.calculus.expression import Add, Call, Expression, Product, Subtract, Symbol, Transpose, children, walk

LEFT = "v stands left in a product A B: ∂/∂A is the error times B turned"
RIGHT = "v stands right in a product A B: ∂/∂B is A turned times the error"
ELEMENTWISE = "entry by entry: the error times the slope, with ∘"
HADAMARD = "a product entry by entry: the error times the other factor, with ∘"
ADDED = "a sum passes the error on as it is; what is added to every column gets the sum over the columns"
INDICES = "entry by entry, with indices"


def rule(e: Expression, v: Symbol) -> str:
    """The rule for `v` in the equation's right side `e`, by the innermost operation around it."""
    around = _around(e, v)
    name = v.name
    for node in reversed(around):
        if isinstance(node, Transpose):
            continue
        if isinstance(node, Product) and node.operator in ("", "·"):
            return (LEFT if _has(node.left, v) else RIGHT).replace("v stands", f"{name} stands")
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
