"""Verdicts: what the checker says of each formula, and the repairs it offers."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from elman.notes.oracle.counterexample import Counterexample
from elman.representation import short_repr


class Verdict(StrEnum):
    """What a formula is, or what is wrong with it: the values are those of `--json`."""

    HOLDS = "holds"
    DEFINITION = "definition"
    TRANSPOSED = "holds transposed"
    SIGN = "wrong sign"
    MISSING_TRANSPOSE = "missing transpose"
    EXTRA_TRANSPOSE = "extra transpose"
    ORDER = "wrong order"
    ARGUMENT = "wrong argument"
    OPERATOR = "wrong operator"
    SHAPE = "wrong shape"
    TIME = "wrong time index"
    TRACE = "missing trace"
    BATCH = "batch sum or mean missing"
    SELF_REFERENCE = "a sum that contains its own left side"
    OWN_DELTA = "consistent with the page's own symbol, but that symbol is wrong"
    UNDEFINED = "undefined symbol"
    SEVERAL = "several mistakes"
    FALSE = "does not hold"
    NOT_READ = "not read"
    NOT_CHECKED = "not checked"
    NOT_A_CLAIM = "not a claim"

    @property
    def is_wrong(self) -> bool:
        """Whether a formula with this verdict was judged, and does not hold as it is written."""
        return self not in GOOD and self not in UNJUDGED


GOOD = frozenset({Verdict.HOLDS, Verdict.DEFINITION, Verdict.NOT_A_CLAIM})
UNJUDGED = frozenset({Verdict.NOT_READ, Verdict.NOT_CHECKED, Verdict.UNDEFINED})


@dataclass(frozen=True, slots=True)
class Repair:
    """A repair: `replacement` for `start:end` of the page's text, and the edits that it consists of, in words.

    `formula` is the repaired part alone as LaTeX, `whole` the repaired formula.
    """

    formula: str
    start: int
    end: int
    replacement: str
    edits: tuple[str, ...]
    verdicts: tuple[Verdict, ...] = ()

    __repr__ = short_repr


@dataclass(frozen=True, slots=True)
class Claim:
    """One formula, or one part of a chain, with its verdict.

    `formula` is the source of the right side, `left` that of the left side of the claim `left = formula`. `start`
    and `end` are its offsets in the page's text, `line` and `column` its place, from 1. `shapes` gives for spans of
    `formula` (offsets in it) the shape of that span, as text. `reading` says how the claim was read, where
    that needs saying. `fixes` are all minimal repairs, the first the one that `--fix` takes. `counterexample` is a
    point at which both sides have values that differ.
    """

    line: int
    column: int
    start: int
    end: int
    left: str
    formula: str
    verdict: Verdict
    diagnosis: str = ""
    reading: str = ""
    fixes: tuple[Repair, ...] = ()
    shapes: tuple[tuple[int, int, str], ...] = ()
    verdicts: tuple[Verdict, ...] = ()
    cell: int | None = None
    counterexample: Counterexample | None = None

    __repr__ = short_repr

    @property
    def is_wrong(self) -> bool:
        """Whether the claim was judged, and does not hold as it is written."""
        return self.verdict.is_wrong

    @property
    def good(self) -> bool:
        """Whether it was judged, and nothing needs a repair."""
        return self.verdict in GOOD

    @property
    def fix(self) -> str | None:
        """The first repair, as LaTeX, or None."""
        return self.fixes[0].formula if self.fixes else None


@dataclass(frozen=True, slots=True)
class Report:
    """All claims of a page in the order of the page; `remarks` concern the page as a whole (layout, interpretations,
    assumptions); `seconds` is how long the check took, and decides nothing.
    """

    path: str
    claims: tuple[Claim, ...]
    remarks: tuple[str, ...] = ()
    skipped: int = 0
    seconds: float = 0.0
    text: str = field(default="", repr=False)

    __repr__ = short_repr

    @property
    def holds(self) -> bool:
        """Whether no claim is wrong; some may not have been checked."""
        return not any(claim.is_wrong for claim in self.claims)
