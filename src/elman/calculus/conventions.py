"""What an answer takes for granted, in words: the derivative that is taken where a function has none."""

from __future__ import annotations

from collections.abc import Iterator

from elman.calculus.expression import Call, Cases, Comparison, Expression, walk
from elman.calculus.functions import ELEMENTWISE

_KINKS = {
    "max": "where the arguments of max are equal, the derivative of one of them is taken",
    "min": "where the arguments of min are equal, the derivative of one of them is taken",
    "clip": "where clip meets a bound, one of its two slopes is taken",
    "norm1": "at 0, where an absolute value has no derivative, 0 is taken",
}


def conventions(formula: Expression) -> tuple[str, ...]:
    """A sentence for each convention that the derivative of a formula uses."""
    return tuple(dict.fromkeys(_subgradients(formula)))


def _subgradients(formula: Expression) -> Iterator[str]:
    for node in walk(formula):
        if isinstance(node, Call) and node.function in ELEMENTWISE:
            kink = ELEMENTWISE[node.function].kink
        elif isinstance(node, Call):
            kink = _KINKS.get(node.function, "")
        elif isinstance(node, Comparison) or (isinstance(node, Cases) and _compares_values(node)):
            kink = "where a condition changes, the derivative of the case that holds there is taken"
        else:
            kink = ""
        if kink:
            yield kink


def _compares_values(e: Cases) -> bool:
    return any(isinstance(node, Comparison) for condition in e.conditions for node in walk(condition))
