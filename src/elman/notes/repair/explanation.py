"""What is said of a judged claim: its verdict, the reason, and the repairs that were found."""

from __future__ import annotations

from dataclasses import dataclass, replace

from elman.calculus.expression import Expression
from elman.notes.judge.judgement import Judgement
from elman.notes.judge.verdict import Verdict
from elman.notes.oracle.agreement import Agreement
from elman.notes.repair.edits import Edit


@dataclass(frozen=True, slots=True)
class Candidate:
    """A repaired claim `left = part`; `turned` where it then holds transposed (numerator layout)."""

    left: Expression
    part: Expression
    cost: int
    edits: tuple[Edit, ...]
    turned: bool = False

    @property
    def verdicts(self) -> tuple[Verdict, ...]:
        """The kinds of its edits, each once, in order."""
        return tuple(dict.fromkeys(edit.kind for edit in self.edits))


@dataclass(frozen=True, slots=True)
class Interpretation:
    """One way to read a formula under which it holds: what has to be assumed, in words; nothing for the page's own."""

    assumptions: tuple[str, ...]

    def __str__(self) -> str:
        return "holds only " + " and ".join(self.assumptions) if self.assumptions else "holds as it is read"


@dataclass(frozen=True, slots=True)
class Explanation:
    """A judgement with its verdict explained.

    `diagnosis` says what is wrong. `candidates` are the smallest repairs, the best first. `reading` says how the claim
    was read, where that needs saying. `interpretations` are the ways to read it under which it holds, None where they
    were not searched for.
    """

    judgement: Judgement
    verdict: Verdict
    diagnosis: str = ""
    candidates: tuple[Candidate, ...] = ()
    reading: str = ""
    interpretations: tuple[Interpretation, ...] | None = None

    @property
    def holds(self) -> bool:
        """Whether the claim holds as it is written."""
        return self.verdict is Verdict.HOLDS


def as_judged(j: Judgement) -> Explanation:
    """The explanation of a claim that needs no search: it holds, or was not checked."""
    verdict = j.verdict or (Verdict.HOLDS if j.result.plain else Verdict.FALSE)
    return Explanation(j, verdict, j.unchecked, reading=j.reading)


def with_result(j: Judgement, result: Agreement) -> Judgement:
    """The judgement of a claim with the result of another comparison, of which there is no doubt."""
    return replace(j, result=result, verdict=None, unchecked="", doubtful=False)


def as_seen(j: Judgement, verdict: Verdict, words: str) -> Explanation:
    """The explanation of a claim that is wrong by what can be seen without values, whatever its judgement was."""
    return Explanation(with_result(j, Agreement()), verdict, words, reading=j.reading)


def verdict_of(candidates: tuple[Candidate, ...]) -> Verdict:
    """One word for the first repair: the kind of its edits, where all have one kind."""
    if not candidates or not candidates[0].verdicts:
        return Verdict.FALSE
    kinds = candidates[0].verdicts
    return kinds[0] if len(kinds) == 1 else Verdict.SEVERAL
