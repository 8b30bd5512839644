"""Numbers of a model that are no parameters: the weights of the loss's summands (λ), and an ε under a root."""

from __future__ import annotations

from elman.calculus.expression import (
    Add,
    Call,
    Expression,
    Negative,
    Power,
    Product,
    Subtract,
    Symbol,
    paths_to_symbols,
    walk,
)
from elman.calculus.forward_equations import ForwardModel
from elman.calculus.shapes.inference import SCALAR


def constants(model: ForwardModel) -> frozenset[str]:
    """The given numbers by which nobody asks for a gradient unless by name: every use of one is the weight of a summand
    of the loss, or it is called ε and added to something under a root, a power or a logarithm.
    """
    uses: dict[str, list[bool]] = {}
    for e in (*model.equations, *([] if model.total is None else [model.total])):
        is_loss = e.left.name == model.loss.name or e is model.total
        for path in paths_to_symbols(e.right):
            s = path[-1]
            assert isinstance(s, Symbol)
            if s.time is None and model.shapes.get(s.name) == SCALAR and model.equation(s.name) is None:
                uses.setdefault(s.name, []).append((is_loss and _is_weight(path)) or _is_small_number(path))
    return frozenset(name for name, found in uses.items() if all(found))


def _is_weight(path: list[Expression]) -> bool:
    """Whether the symbol at the end of a path multiplies a summand that has other symbols."""
    outside = list(path[:-1])
    while outside and isinstance(outside[0], Add | Subtract | Negative):
        del outside[0]
    if not outside or not all(isinstance(node, Product | Negative) for node in outside):
        return False
    return any(isinstance(node, Symbol) and node != path[-1] for node in walk(outside[0]))


def _is_small_number(path: list[Expression]) -> bool:
    """Whether the symbol at the end of a path is an ε in √(v + ε)."""
    s = path[-1]
    assert isinstance(s, Symbol)
    if s.name.split("_")[0] not in ("epsilon", "eps", "varepsilon"):
        return False
    around = [node for node in path[:-1] if not isinstance(node, Add)]
    is_added = len(path) > 1 and isinstance(path[-2], Add)
    return is_added and isinstance(around[-1] if around else None, Call | Power | Product)
