"""Losses that a page calls by name: crossentropy(p, y), and L of a page that says its loss is the cross-entropy.

Of crossentropy(p, y) and crossentropy(y, p), the argument that the page defines as a softmax or a sigmoid is the
prediction. Where the prose calls the loss a cross-entropy and no equation says what L is, L is that of the one
prediction of the page and of the letter y in ŷ - y.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction

from elman.calculus.expression import (
    Add,
    Apply,
    BigSum,
    Call,
    Expression,
    Index,
    Number,
    Subtract,
    Symbol,
    symbols,
)
from elman.notes.model.page_model import TIME, Definition, PageModel, Statement, names_in
from elman.notes.model.statement_kinds import defined_letter
from elman.notes.model.unknown_losses import supplied_losses

_CROSS_ENTROPY = re.compile(r"(?:cross_?entropy|xent)(?:_?loss)?", re.IGNORECASE)
_SAID = re.compile(
    r"cross[\s-]*entropy|negative\s+log[\s-]*likelihood|\blog[\s-]*loss\b|交叉熵|对数损失", re.IGNORECASE
)
_ONE = Number(Fraction(1))


def with_named_losses(statements: Sequence[Statement]) -> tuple[Statement, ...]:
    """The statements with a cross-entropy for crossentropy(p, y), where the page defines one argument as a softmax."""
    softmaxes = {
        left.name
        for s in statements
        if (left := defined_letter(s.parts[0])) is not None
        for part in s.parts[1:]
        if (call := _prediction(part)) is not None and call.function == "softmax"
    }
    defined = {s.parts[0].name for s in statements if isinstance(s.parts[0], Apply)}

    def change(node: Expression) -> Expression:
        if not isinstance(node, Apply) or node.primes or len(node.arguments) != 2 or node.name in defined:
            return node
        if _CROSS_ENTROPY.fullmatch(node.name) is None:
            return node
        one, other = node.arguments
        first, second = (isinstance(a, Symbol) and a.name in softmaxes for a in (one, other))
        if first == second:
            return node
        return Call("cross_entropy", (other, one) if first else (one, other), span=node.span)

    return tuple(s.transformed(change) for s in statements)


def said_losses(model: PageModel, text: str) -> Mapping[str, Definition]:
    """By its name, the equation of the loss that the page differentiates without an equation, where its prose says that
    this is the cross-entropy, and it has one prediction.
    """
    losses = supplied_losses(model)
    if len(losses) != 1 or _SAID.search(text) is None:
        return {}
    (d,) = model.equations[losses[0]]
    used = {
        s.name for name, found in model.equations.items() if name != d.name for f in found for s in symbols(f.value)
    }
    free = (Symbol(name) for name in model.equations if name not in used and _function(model, name))
    found = [(each, target) for each in free if (target := _target(model, each)) is not None]
    if len(found) != 1:
        return {}
    ((prediction, target),) = found
    times = {s.time for s in symbols(d.value) if s.name in names_in(model, [prediction])}
    if prediction.name in model.timed and len(times) == 1:
        of_step = target.time is None and not isinstance(d.value, BigSum)  # ŷ and y of the step that the page is about
        prediction = replace(prediction, time=Index(TIME) if of_step else times.pop())
    if target.time is not None:
        target = replace(target, time=prediction.time)
    value: Expression = Call("cross_entropy", (target, prediction))
    if _function(model, prediction.name) == "sigmoid":
        value = Add(value, Call("cross_entropy", (Subtract(_ONE, target), Subtract(_ONE, prediction))))
    value = replace(d.value, body=value) if isinstance(d.value, BigSum) else value
    return {d.name: replace(d, value=value)}


def _function(model: PageModel, name: str) -> str:
    """The function, softmax or sigmoid, that the first equation of a letter is; empty where it is none."""
    d = model.defined(name)
    call = _prediction(d.value) if d is not None and not d.indices else None
    return call.function if call is not None else ""


def _target(model: PageModel, prediction: Symbol) -> Symbol | None:
    """The given letter y of ŷ - y or y - ŷ; None where there is none, or several."""
    found = dict[str, Symbol]()
    for s in model.statements:
        for node in s.nodes():
            if isinstance(node, Subtract) and isinstance(node.left, Symbol) and isinstance(node.right, Symbol):
                sides = {node.left.name: node.right, node.right.name: node.left}
                other = sides.get(prediction.name)
                if other is not None and other.name not in {*model.equations, *model.named, prediction.name}:
                    found[other.name] = other
    return next(iter(found.values())) if len(found) == 1 else None


def _prediction(e: Expression) -> Call | None:
    """The softmax or sigmoid that an expression is, as a whole."""
    return e if isinstance(e, Call) and e.function in ("softmax", "sigmoid") and not e.primes else None
