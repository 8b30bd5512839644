"""The derivatives of a loss that a page states without saying what the loss is, ∂E/∂a = a - t, and puts into a product
below: they are given by such an equation, and what follows from it can be checked.
"""

from __future__ import annotations

from collections.abc import Sequence

from elman.calculus.expression import (
    BigProduct,
    BigSum,
    Derivative,
    Dots,
    Entry,
    Expression,
    Index,
    Symbol,
    has_derivative,
    shift_time,
    transform,
    walk,
)
from elman.notes.model.page_model import PageModel, Statement
from elman.notes.model.unknown_losses import supplied_losses

_APART = "_stated"  # at the end of an index while it is renamed


def with_stated_derivatives(model: PageModel, e: Expression) -> Expression | None:
    """A product of derivatives with what the page states of those of losses that it does not define; None where it
    states nothing of one.
    """
    if isinstance(e, Derivative):
        return None  # that it is what the page says would be the same equation again
    losses = supplied_losses(model)

    def change(node: Expression) -> Expression:
        if not isinstance(node, Derivative) or not isinstance(node.of, Symbol) or node.of.name not in losses:
            return node
        values = (_value(s, node) for s in model.statements)
        return next((value for value in values if value is not None), node)

    found = transform(e, change)
    return found if found != e else None


def _value(s: Statement, node: Derivative) -> Expression | None:
    """What a statement says that a derivative is, by its own indices; None where it is about another derivative."""
    left = s.parts[0]
    if not s.is_equation or not isinstance(left, Derivative) or s.relation.conditions:
        return None
    old, new = _variables(left), _variables(node)
    if len(old) != len(new) or len(set(old)) < len(old) or _renamed(left, old, new) != node:
        return None
    for part in s.parts[1:]:
        if has_derivative(part) or any(isinstance(n, Dots) for n in walk(part)):
            continue
        bound = {n.index for n in walk(part) if isinstance(n, BigSum | BigProduct)}
        return None if bound & {*old, *new} else _renamed(part, old, new)
    return None


def _variables(e: Derivative) -> list[str]:
    """The variables of the indices and of the steps of a derivative, in the order of writing, each once."""
    found: dict[str, None] = {}
    for node in walk(e):
        indices = node.indices if isinstance(node, Entry) else ()
        steps = (node.time,) if isinstance(node, Symbol) and node.time is not None else ()
        found |= {i.variable: None for i in (*indices, *steps) if i.variable is not None}
    return list(found)


def _renamed(e: Expression, old: Sequence[str], new: Sequence[str]) -> Expression:
    for name in old:
        e = shift_time(e, name, Index(f"{name}{_APART}"))
    for name, other in zip(old, new, strict=True):
        e = shift_time(e, f"{name}{_APART}", Index(other))
    return e
