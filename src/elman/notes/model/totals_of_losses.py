"""A loss of all examples that a page states by its gradient alone: ∂L/∂b = Σ_i ∂L_i/∂b, where L_i has an equation and L
has none, says that L is Σ_i L_i.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from elman.calculus.expression import BigSum, Derivative, Entry, Expression, Product, Symbol, has_derivative
from elman.calculus.shapes.kinds import is_called_a_loss
from elman.notes.model.page_model import Statement


def with_totals_of_losses(statements: Sequence[Statement]) -> tuple[Statement, ...]:
    """The statements with Σ_i L_i for such an L, where it is differentiated."""
    lefts = [s.parts[0] for s in statements if s.is_equation]
    of_one = {e.of.name for e in lefts if isinstance(e, Entry) and isinstance(e.of, Symbol) and len(e.indices) == 1}
    defined = {e.name for e in lefts if isinstance(e, Symbol)}
    found: dict[str, set[Expression]] = {}
    for s in statements:
        for name, total in _stated(s):
            found.setdefault(name, set()).add(total)
    totals = {
        name: total
        for name, (total, *others) in found.items()
        if name in of_one and name not in defined and not others and is_called_a_loss(name)
    }
    if not totals:
        return tuple(statements)

    def change(node: Expression) -> Expression:
        if not isinstance(node, Derivative) or not isinstance(node.of, Symbol) or node.of.time is not None:
            return node
        total = totals.get(node.of.name)
        return node if total is None else replace(node, of=replace(total, span=node.of.span))

    return tuple(s.transformed(change) for s in statements)


def _stated(s: Statement) -> Iterator[tuple[str, Expression]]:
    """L and what it is, as the parts of a chain say it: ∂L/∂b = 1/N Σ_i ∂L_i/∂b."""
    left = s.parts[0]
    if not s.is_equation or not isinstance(left, Derivative) or not isinstance(left.of, Symbol):
        return
    for part in s.parts[1:]:
        factor = part.left if isinstance(part, Product) and part.operator != "/" else None
        total = part.right if factor is not None and isinstance(part, Product) else part
        if not isinstance(total, BigSum) or (factor is not None and has_derivative(factor)):
            continue
        one = total.body.of if isinstance(total.body, Derivative) and total.body.wrt == left.wrt else None
        if isinstance(one, Entry) and one.of == left.of and [i.variable for i in one.indices] == [total.index]:
            whole = replace(total, body=one)
            yield left.of.name, replace(part, right=whole) if isinstance(part, Product) else whole
