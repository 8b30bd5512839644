"""δ_11 and δ_12 on a page with δ = ∂J/∂z: the derivatives by z_11 and z_12, which have equations of their own."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from elman.calculus.expression import Apply, Derivative, Expression, Symbol
from elman.notes.model.page_model import Statement

_NUMBERED = re.compile(r"(?P<stem>\w+?)(?P<number>_\d{1,2})")


def with_numbered_gradients(statements: Sequence[Statement]) -> tuple[Statement, ...]:
    """The statements with such derivatives for these letters, of which no equation says what they are."""
    named: dict[str, tuple[Symbol | Apply, Symbol]] = {}
    defined: dict[str, Symbol] = {}
    for s in statements:
        left = s.parts[0]
        if not s.is_equation or not isinstance(left, Symbol):
            continue
        defined.setdefault(left.name, left)
        found = (part for part in s.parts[1:] if isinstance(part, Derivative) and part.at is None)
        for of, by in ((part.of, part.wrt) for part in found):
            if isinstance(of, Symbol | Apply) and isinstance(by, Symbol) and by.time == left.time:
                named.setdefault(left.name, (of, by))
    if not named:
        return tuple(statements)

    def change(node: Expression) -> Expression:
        match = _NUMBERED.fullmatch(node.name) if isinstance(node, Symbol) and node.time is None else None
        if match is None or match["stem"] not in named or match[0] in defined:
            return node
        of, by = named[match["stem"]]
        variable = defined.get(by.name + match["number"])
        if variable is None or variable.time is not None:
            return node
        return Derivative(replace(of, span=(0, 0)), replace(variable, span=(0, 0)), span=node.span)

    return tuple(s.transformed(change) for s in statements)
