"""The loss with the parts written out that are no steps of their own: J = R + λ K is derived as one expression.

A part is written out where only the loss uses it and its derivative is then simpler: a scalar summand (δ_R would be
1, or λ), a softmax or a sigmoid under a logarithm (the derivatives cancel to ŷ - y).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from elman.calculus.expression import (
    Add,
    Call,
    Expression,
    Negative,
    Number,
    Product,
    Subtract,
    Symbol,
    children,
    symbols,
    transform,
    walk,
)
from elman.calculus.forward_equations import Equation, ForwardModel
from elman.calculus.shapes.inference import SCALAR
from elman.errors import FormulaError


def with_parts_written_out(model: ForwardModel, keep: frozenset[str] = frozenset()) -> ForwardModel:
    """The model whose loss has its parts written out, but for those of `keep`; their equations are no longer in it."""
    while True:
        loss = model.equation(model.loss.name)
        if loss is None:
            raise FormulaError(f"the loss {model.loss.name} has no equation")
        part = next(
            (e for e in _used_by_loss_alone(model, loss) if e.left.name not in keep and _is_part(model, loss, e)), None
        )
        if part is None:
            return model
        value, at = part.right, part.left

        def written_out(node: Expression, value: Expression = value, at: Symbol = at) -> Expression:
            return value if node == at else node

        merged = replace(loss, right=transform(loss.right, written_out))
        model = replace(model, equations=[merged if e is loss else e for e in model.equations if e is not part])


def _used_by_loss_alone(model: ForwardModel, loss: Equation) -> Iterator[Equation]:
    """The equations whose left sides only the loss uses, at its own time step."""
    for s in sorted(symbols(loss.right), key=lambda s: s.name):
        e = model.equation(s.name)
        users = [x for x in model.equations if any(u.name == s.name for u in symbols(x.right))]
        if e is not None and e is not loss and len(users) == 1 and s == e.left:
            yield e


def _is_part(model: ForwardModel, loss: Equation, e: Equation) -> bool:
    name = e.left.name
    if isinstance(e.right, Call) and e.right.function == "softmax":
        return True
    if isinstance(e.right, Call) and e.right.function == "sigmoid":
        return _is_under_logarithms(loss.right, name)
    return model.shapes.get(name, SCALAR) == SCALAR and _is_summand(loss.right, name, model)


def _is_under_logarithms(e: Expression, name: str) -> bool:
    """Whether every use of a name in `e` is under a logarithm, and there is one of it and one of 1 minus it."""
    logarithms = [node for node in walk(e) if isinstance(node, Call) and node.function == "ln"]
    inside = [node for log in logarithms for node in walk(log) if isinstance(node, Symbol) and node.name == name]
    everywhere = [node for node in walk(e) if isinstance(node, Symbol) and node.name == name]
    complements = [log for log in logarithms if isinstance(log.arguments[0], Subtract)]
    return 2 <= len(inside) == len(everywhere) and bool(complements)


def _is_summand(e: Expression, name: str, model: ForwardModel) -> bool:
    """Whether `e` is a sum with the name in one summand, at most multiplied or divided by given numbers."""
    if isinstance(e, Symbol):
        return e.name == name
    using = [child for child in children(e) if any(s.name == name for s in symbols(child))]
    if len(using) != 1 or not isinstance(e, Add | Subtract | Negative | Product):
        return False
    if isinstance(e, Product):
        other = e.left if using[0] is e.right else e.right
        if (e.operator == "/" and using[0] is e.right) or not _is_given_number(other, model):
            return False
    return _is_summand(using[0], name, model)


def _is_given_number(e: Expression, model: ForwardModel) -> bool:
    """Whether `e` consists of numbers and scalars without equations: λ/2."""
    return all(
        isinstance(node, Number | Product | Negative)
        or (isinstance(node, Symbol) and node.time is None and not model.equation(node.name)
            and model.shapes.get(node.name, SCALAR) == SCALAR)
        for node in walk(e)
    )  # fmt: skip
