"""What every form of a report says of a claim: the kind of its verdict, its reason, its counterexample, the counts."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from elman.notes.judge.verdict import GOOD, UNJUDGED, Claim, Repair, Report, Verdict
from elman.notes.oracle.counterexample import Counterexample
from elman.translation import joined, listed, translate
from elman.wording import choose

READING = "reading: "  # how a remark begins that says how a section was read
SHAPE_OF = "shape of "  # how the left side of a claim begins that is about a declared shape

_OTHERWISE = frozenset({Verdict.TRANSPOSED, Verdict.OWN_DELTA})
_NEUTRAL = frozenset({Verdict.DEFINITION, Verdict.NOT_A_CLAIM})
_DIFFER = "the two sides differ"  # a diagnosis that begins so says what the counterexample says
_MOST_NUMBERS = 4  # letters for numbers that the line of a counterexample shows

SIGNS = {"good": "✓", "neutral": "·", "otherwise": "≈", "unknown": "?", "bad": "✗"}


def category(verdict: Verdict) -> str:
    """The kind of a verdict, which decides its colour and sign: good, neutral, otherwise (right, but not as it is
    written), unknown or bad.
    """
    if verdict in _NEUTRAL:
        return "neutral"
    if verdict in GOOD:
        return "good"
    return "unknown" if verdict in UNJUDGED else "otherwise" if verdict in _OTHERWISE else "bad"


def verdict_in_words(claim: Claim) -> str:
    """The verdict; where there are several mistakes, all of them."""
    if claim.verdict is Verdict.SEVERAL and claim.verdicts:
        return joined(translate(v.value) for v in claim.verdicts)
    return translate(claim.verdict.value)


@dataclass(frozen=True, slots=True)
class Tally:
    """The claims of a report by what came out: each is in one of the four, in the order of the page."""

    wrong: tuple[Claim, ...]
    not_checked: tuple[Claim, ...]
    holding: tuple[Claim, ...]
    no_claim: tuple[Claim, ...]

    @classmethod
    def of(cls, report: Report) -> Tally:
        """The tally of a report."""
        claims = report.claims
        return cls(
            tuple(c for c in claims if c.is_wrong),
            tuple(c for c in claims if not c.is_wrong and not c.good),
            tuple(c for c in claims if c.good and c.verdict is not Verdict.NOT_A_CLAIM),
            tuple(c for c in claims if c.verdict is Verdict.NOT_A_CLAIM),
        )


def summary(report: Report) -> str:
    """One clause: how many claims hold, how many do not, and how many were not checked."""
    tally = Tally.of(report)
    good, bad, open_ = len(tally.holding), len(tally.wrong), len(tally.not_checked)
    total = good + bad + open_
    if not total:
        return translate("this page makes no claim")
    if good == total:
        return translate(f"all {good} claims hold" if good > 1 else "the one claim holds")
    if total == 1:
        return translate("the one claim does not hold" if bad else "the one claim was not checked")
    words = [translate(f"{good} of {total} claims {choose(good, 'holds', 'hold')}")]
    words += [translate(f"{bad} {choose(bad, 'does', 'do')} not")] if bad else []
    words += [translate(f"{open_} {choose(open_, 'was', 'were')} not checked")] if open_ else []
    return joined(words)


# --- one claim ---


def place(claim: Claim) -> str:
    """Where a claim is: `12:5`, in a notebook `cell 3, 2:5`."""
    at = f"{claim.line}:{claim.column}"
    return at if claim.cell is None else joined((translate(f"cell {claim.cell}"), at))


def equation(claim: Claim) -> str:
    """The claim as the page writes it, on one line: left = formula."""
    shown = replace(claim, left=translate(claim.left)) if claim.left.startswith(SHAPE_OF) else claim
    return " ".join(source(shown).split())


def source(claim: Claim) -> str:
    """The claim as the page writes it."""
    return f"{claim.left} = {claim.formula}" if claim.left.strip() else claim.formula


def reason(claim: Claim) -> str:
    """The diagnosis; empty where it only repeats the counterexample."""
    shown = claim.counterexample is not None and claim.diagnosis.startswith(_DIFFER)
    return "" if shown else translate(claim.diagnosis)


def edits_in_words(repair: Repair) -> str:
    """The edits of a repair; empty where they only repeat it."""
    words = "; ".join(repair.edits)
    return "" if words == repair.formula else joined(map(translate, repair.edits), "; ")


def counterexample_in_words(found: Counterexample) -> str:
    """A counterexample in one line: `at n = 3: left side -0.215, right side 0.249 in entry (2,1), i = 1, j = 2`."""
    point, sides = joined(_point(found)), joined(_sides(found))
    return translate(f"at {point}: {sides}") if point else sides


def _point(found: Counterexample) -> Iterator[str]:
    """The sizes; where there are none, the letters, which are numbers then."""
    yield from (f"{name} = {size}" for name, size in found.sizes.items())
    if not found.sizes:
        numbers = [(name, rows[0][0]) for name, rows in found.letters.items() if len(rows) == len(rows[0]) == 1]
        yield from (f"{name} = {number(value)}" for name, value in numbers[:_MOST_NUMBERS])


def _sides(found: Counterexample) -> Iterator[str]:
    """Both sides, the entry in which they differ, and the indices."""
    if found.entry is None or found.left is None or found.right is None:
        left, right = (f"[{m},{n}]" for m, n in found.shapes)
        yield from (translate(f"left side is {left}"), translate(f"right side {right}"))
    else:
        left, right = apart(found.left, found.right)
        where = f" in entry ({found.entry[0]},{found.entry[1]})" if found.shapes[0] != (1, 1) else ""
        yield from (translate(f"left side {left}"), translate(f"right side {right}{where}"))
    yield from (f"{name} = {index}" for name, index in found.indices.items())


def apart(one: float, other: float) -> tuple[str, str]:
    """Two numbers with as many digits as show that they differ, four at least."""
    for digits in range(4, 17):
        left, right = number(one, digits), number(other, digits)
        if left != right:
            break
    return left, right


def number(value: float, digits: int = 4) -> str:
    """A number with some digits; one that is not finite in words."""
    return f"{value:.{digits}g}" if math.isfinite(value) else translate("not finite")


def lines_in_words(claims: Iterable[Claim], most: int = 8) -> str:
    """The lines of some claims, each once: `line 4`, `lines 4, 7 and 9`, `lines 1, 2, 3 and 12 more`."""
    claims = tuple(claims)
    in_cells = claims[0].cell is not None
    found = list(dict.fromkeys(translate(f"cell {c.cell}:{c.line}") if in_cells else str(c.line) for c in claims))
    if len(found) > most:
        names = joined(found[:most])
        more = len(found) - most
        return translate(f"{names} and {more} more" if in_cells else f"lines {names} and {more} more")
    names = listed(found)
    return names if in_cells else translate(f"{choose(len(found), 'line', 'lines')} {names}")
