"""A slip in a notation that a page goes on to use: σ'(h) is defined where σ'(z) is meant, and later formulas use it."""

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
    """The page writes f'(wrong) for f'(right), since one of its statements defines it so."""

    function: str
    wrong: str
    right: Symbol
    edit: Edit

    def apply(self, e: Expression) -> Expression:
        """The expression with the notation corrected."""

        def change(node: Expression) -> Expression:
            if not (isinstance(node, Call) and node.primes and node.function == self.function):
                return node
            argument = node.arguments[0]
            if not (isinstance(argument, Symbol) and argument.name == self.wrong):
                return node
            return replace(node, arguments=(replace(self.right, time=argument.time, below=argument.below),))

        return transform(e, change)


def repeated_slip_in(left: Expression, found: Sequence[Candidate]) -> RepeatedSlip | None:
    """The slip that a repaired f'(h) = … shows in the page's other f'(h); None where it shows none."""
    if not (isinstance(left, Call) and left.primes and found and isinstance(found[0].left, Call)):
        return None
    old, new = left.arguments[0], found[0].left.arguments[0]
    if not (isinstance(old, Symbol) and isinstance(new, Symbol)) or old.name == new.name:
        return None
    edit = Edit(Verdict.ARGUMENT, f"{text(found[0].left)}, not {text(left)}")
    return RepeatedSlip(left.function, old.name, new, edit)
