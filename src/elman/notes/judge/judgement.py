"""One judged part of a chain of equations: how it agrees with the left side by value."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from elman.calculus.expression import Expression
from elman.notes.judge.verdict import Verdict
from elman.notes.model.page_model import Definition, Statement
from elman.notes.oracle.agreement import Agreement


@dataclass(frozen=True, slots=True)
class Judgement:
    """The claim `left = part`, and how both sides agree by value.

    `verdict` is None where the agreement alone decides: then the claim holds if `result.plain`. `reading` says how the
    claim was read, where that needs saying ("numerator layout"). `defines` is the definition that the part gives, if it
    gives one. `unchecked` says why the claim was not judged; `doubtful`: it has no value with the shapes that were
    assumed, and counts as wrong only if a small repair of it holds. `as_written` is False where the claim was judged
    for one column (B = 1), or with the loss of one time step. `settled`: it is a claim, and no new definition of its
    letter. `alone`: it was read by itself, not as its section was. `unknown`: the function for some of which it fails.
    `beside` is the number of the part that is its left side, 1 for the last part of an update. `step`: it holds as
    a step from the judgement with this key, and how its section has it.
    """

    statement: Statement
    part: int
    left: Expression
    result: Agreement = field(default_factory=Agreement)
    verdict: Verdict | None = None
    reading: str = ""
    defines: Definition | None = None
    unchecked: str = ""
    doubtful: bool = False
    as_written: bool = False
    settled: bool = False
    alone: bool = False
    unknown: str = ""
    beside: int = 0
    step: tuple[tuple[int, int], Judgement] | None = None

    def not_checked(self, why: str, doubtful: bool = False) -> Judgement:
        """The same claim, not judged, and why."""
        return replace(self, verdict=Verdict.NOT_CHECKED, unchecked=why, doubtful=doubtful)

    @property
    def expression(self) -> Expression:
        """The right side of the claim."""
        return self.statement.parts[self.part]

    @property
    def key(self) -> tuple[int, int]:
        """The number of the statement, and the number of the part in it."""
        return self.statement.number, self.part

    @property
    def line(self) -> int:
        """The line of the page where the part starts, from 1."""
        return self.statement.formula.line_at(self.statement.region(self.part)[0])

    @property
    def good(self) -> bool:
        """Whether the claim holds as it is written."""
        return self.verdict is None and self.result.plain
