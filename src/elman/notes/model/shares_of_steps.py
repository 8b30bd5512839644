"""∇_{W_t} L, the share of a time step in the gradient by a weight that all steps have: the use that step t makes of W.

The equations of the page have W without a step, h_t = f(W h_{t-1}); only what is differentiated by has one. A space for
the subscript, W t, means the same there.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from elman.calculus.expression import (
    BigSum,
    Derivative,
    Entry,
    Expression,
    Index,
    Number,
    Product,
    Subtract,
    Symbol,
    base_of,
    children,
    shift_time,
    transform,
    walk,
)
from elman.calculus.syntax.names import TIME_LETTERS
from elman.notes.model.page_model import TIME, PageModel, Statement, free_times
from elman.notes.model.statement_kinds import defined_letter, is_update
from elman.notes.model.unknown_losses import supplied_losses


def with_shares_of_steps(statements: Sequence[Statement]) -> tuple[Statement, ...]:
    """The statements with such derivatives as those by W with a bar at the step: ∂L/∂W|_(t)."""
    weights = letters_of_all_steps(statements)
    if not weights:
        return tuple(statements)
    return tuple(s.with_parts(_changed(part, weights, frozenset()) for part in s.parts) for s in statements)


def at_the_last_step(model: PageModel, s: Statement, part: int, left: int = 0) -> Statement | None:
    """A claim about the gradient of a loss without steps, ∂L/∂W = Σ_{k=1}^t …, with the last step for t: the loss,
    whose equation the page does not state, is that of step t. None for any other claim.
    """
    target = s.parts[left]
    if not isinstance(target, Derivative) or target.at is not None or not _has_step(s.parts[part]):
        return None
    of, by = target.of, target.wrt
    if not (isinstance(of, Symbol) and isinstance(by, Symbol) and of.time is None and by.time is None):
        return None
    if of.name not in supplied_losses(model):
        return None
    return s.with_parts(shift_time(p, TIME, Index("T")) for p in s.parts)


def as_share_of_step(model: PageModel, s: Statement, part: int, left: int = 0) -> Statement | None:
    """A claim about ∂L/∂W with the step t alone on its right side, on a page that has the shares of steps ∇_{W_t} L, as
    one of this share; None for any other claim.
    """
    target = s.parts[left]
    if not isinstance(target, Derivative) or target.at is not None or free_times(s.parts[part]) != {TIME}:
        return None
    pair = (target.of, base_of(target.wrt))
    shares = {(n.of, n.wrt) for other in model.statements for n in other.nodes()
              if isinstance(n, Derivative) and n.at is not None}  # fmt: skip
    if pair not in shares or free_times(target):
        return None
    return s.with_parts(replace(p, at=Index(TIME)) if p == target else p for p in s.parts)


def _has_step(e: Expression) -> bool:
    """Whether an expression speaks of step t, also as the bound of a sum."""
    bounds = {n.upper.variable for n in walk(e) if isinstance(n, BigSum) and n.upper is not None}
    return TIME in free_times(e) | bounds


def letters_of_all_steps(statements: Iterable[Statement]) -> frozenset[str]:
    """The letters that equations of a time step have without a step, and never with one of t; the step of an update,
    w_{t+1} = w_t - g, is none.
    """
    bare, timed = set[str](), set[str]()
    for s in statements:
        left = defined_letter(s.parts[0])
        step = left.time if left is not None and s.is_equation and not is_update(s) else None
        of_step = step is not None and step.variable in TIME_LETTERS and step.offset <= 0
        for letter in (n for part in s.parts for n in _outside_denominators(part)):
            if letter.time is None and of_step:
                bare.add(letter.name)
            elif letter.time is not None and letter.time.variable in TIME_LETTERS:
                timed.add(letter.name)
    defined = {left.name for s in statements if s.is_equation and (left := defined_letter(s.parts[0])) is not None}
    return frozenset(bare - timed - defined)


def _outside_denominators(e: Expression) -> Iterable[Symbol]:
    """The letters of an expression but for those by which it differentiates."""
    if isinstance(e, Symbol):
        yield e
    for child in children(e):
        if not (isinstance(e, Derivative) and child is e.wrt):
            yield from _outside_denominators(child)


def _changed(e: Expression, weights: frozenset[str], running: frozenset[str]) -> Expression:
    """An expression with such derivatives changed; `running` are the letters of the sums around it."""

    def change(node: Expression) -> Expression:
        if isinstance(node, BigSum):
            return replace(node, body=_changed(node.body, weights, running | {node.index}))
        if not isinstance(node, Derivative) or node.at is not None or not isinstance(node.of, Symbol):
            return node
        found = _at_step(node.wrt, running)
        if found is None or found[0].name not in weights:
            return node
        return replace(node, wrt=replace(found[0], time=None), at=found[1])

    return transform(e, change)


def _at_step(e: Expression, running: frozenset[str]) -> tuple[Symbol, Index] | None:
    """W and its step in W_t, W_1 or W t - 1, and in W_i where a sum runs over i; None for anything else."""
    if isinstance(e, Symbol) and e.time is not None and (e.time.variable or "") in TIME_LETTERS | running:
        return e, e.time
    if isinstance(e, Entry) and isinstance(e.of, Symbol) and len(e.indices) == 1:
        (index,) = e.indices
        return (e.of, index) if index.variable in running else None
    if isinstance(e, Subtract) and isinstance(e.right, Number) and e.right.value.denominator == 1:
        found = _at_step(e.left, running)
        return None if found is None else (found[0], replace(found[1], offset=-int(e.right.value)))
    if isinstance(e, Product) and e.operator == "" and isinstance(e.left, Symbol):
        step = e.right
        if isinstance(step, Symbol) and step.name in TIME_LETTERS | running:
            return e.left, Index(step.name)
        if isinstance(step, Number) and step.value.denominator == 1:
            return e.left, Index(None, int(step.value))
    return None
