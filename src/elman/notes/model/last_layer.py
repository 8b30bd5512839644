"""a^L of a page with layers a^l: the last layer, where nothing runs over L."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from elman.calculus.expression import (
    BigProduct,
    BigSum,
    Derivative,
    Entry,
    Expression,
    Index,
    Symbol,
    shift_time,
)
from elman.notes.model.page_model import Statement

LAST = "T"  # the last step of a model
_LAYERS, _NUMBER_OF_LAYERS = ("l", "ell"), "L"


def with_last_layer(statements: Sequence[Statement]) -> tuple[Statement, ...]:
    """The statements with L as the last layer, where l or ℓ numbers the layers, L stands at letters with layers, and
    nothing lies beyond it.
    """
    nodes = [n for s in statements for n in s.nodes()]
    times = [n.time for n in nodes if isinstance(n, Symbol) and n.time is not None]
    beyond = any(t.variable == _NUMBER_OF_LAYERS and t.offset > 0 for t in times)
    variables = {t.variable for t in times}
    if beyond or _NUMBER_OF_LAYERS not in variables or variables.isdisjoint(_LAYERS) or _runs(nodes):
        return tuple(statements)
    layered = {n.name for n in nodes if isinstance(n, Symbol) and n.time is not None and n.time.variable in _LAYERS}
    return tuple(_with_last_layer(s, layered) for s in statements)


def _with_last_layer(s: Statement, layered: set[str]) -> Statement:
    """The statement with T for L, and ∇_a beside a^L as ∇ by a^L; `layered` are the letters that layers have."""
    last = Index(LAST)
    parts = tuple(shift_time(part, _NUMBER_OF_LAYERS, last) for part in s.parts)
    if parts == s.parts:
        return s

    def change(node: Expression) -> Expression:
        by = node.wrt if isinstance(node, Derivative) else None
        if isinstance(node, Derivative) and isinstance(by, Symbol) and by.time is None and by.name in layered:
            return replace(node, wrt=replace(by, time=last))
        return node

    return s.with_parts(parts).transformed(change)


def as_written(e: Expression) -> Expression:
    """An expression with the last layer as such a page writes it."""
    return shift_time(e, LAST, Index(_NUMBER_OF_LAYERS))


def _runs(nodes: Sequence[Expression]) -> bool:
    """Whether a sum or an index runs over L."""
    running = {n.index for n in nodes if isinstance(n, BigSum | BigProduct)}
    running |= {i.variable for n in nodes if isinstance(n, Entry) for i in n.indices if i.variable}
    return _NUMBER_OF_LAYERS in running
