"""Slips in a notation that a page goes on to use: σ'(h) defined where σ'(z) is meant, and every formula that takes it
over.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from elman.calculus.expression import Call, Expression, Symbol, transform
from elman.calculus.printing.render import text
from elman.notes.judge.verdict import Verdict
from elman.notes.repair.edits import Edit
from elman.notes.repair.explanation import Candidate


@dataclass(frozen=True, slots=True)
class RepeatedSlip:
    """f'(wrong) stands where f'(right) is meant, since a statement of the page defined it so."""

    function: str
    wrong: str
    right: Symbol
    edit: Edit

    def apply(self, e: Expression) -> Expression:
        """The expression with the notation put right."""

        def change(node: Expression) -> Expression:
            if not (isinstance(node, Call) and node.primes and node.function == self.function):
                return node
            argument = node.arguments[0]
            if not (isinstance(argument, Symbol) and argument.name == self.wrong):
                return node
            return replace(node, arguments=(replace(self.right, time=argument.time, below=argument.below),))

        return transform(e, change)


def repeated_slip_in(left: Expression, found: Sequence[Candidate]) -> RepeatedSlip | None:
    """What a repaired f'(h) = … says of the page's other f'(h)."""
    if not (isinstance(left, Call) and left.primes and found and isinstance(found[0].left, Call)):
        return None
    old, new = left.arguments[0], found[0].left.arguments[0]
    if not (isinstance(old, Symbol) and isinstance(new, Symbol)) or old.name == new.name:
        return None
    edit = Edit(Verdict.ARGUMENT, f"{text(found[0].left)}, not {text(left)}")
    return RepeatedSlip(left.function, old.name, new, edit)
