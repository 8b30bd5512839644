"""A report as JSON and as text for a terminal; `html.py` writes the third form."""

from __future__ import annotations

import textwrap
import unicodedata
from collections import Counter
from typing import TYPE_CHECKING, Any

from elman.notes.judge.verdict import GOOD, UNJUDGED, Claim, Repair, Report, Verdict
from elman.notes.oracle.counterexample import Counterexample
from elman.wording import choose, count

if TYPE_CHECKING:
    from rich.text import Text

OTHERWISE = frozenset({Verdict.TRANSPOSED, Verdict.OWN_DELTA})
NEUTRAL = frozenset({Verdict.DEFINITION, Verdict.NOT_A_CLAIM})

STYLES = {"good": "blue", "neutral": "dim", "otherwise": "yellow", "unknown": "magenta", "bad": "red"}
SIGNS = {"good": "✓", "neutral": "·", "otherwise": "≈", "unknown": "?", "bad": "✗"}


def category(verdict: Verdict) -> str:
    """The kind of a verdict, which decides its colour and sign: good, neutral, otherwise (right, but not as it is
    written), unknown or bad.
    """
    if verdict in NEUTRAL:
        return "neutral"
    if verdict in GOOD:
        return "good"
    return "unknown" if verdict in UNJUDGED else "otherwise" if verdict in OTHERWISE else "bad"


def verdict_in_words(claim: Claim) -> str:
    """The verdict; where there are several mistakes, all of them."""
    if claim.verdict is Verdict.SEVERAL and claim.verdicts:
        return ", ".join(v.value for v in claim.verdicts)
    return claim.verdict.value


def summary(report: Report) -> str:
    """One clause: how many claims hold, how many do not, and how many were not checked."""
    claims = [claim for claim in report.claims if claim.verdict is not Verdict.NOT_A_CLAIM]
    good, bad = sum(claim.good for claim in claims), sum(claim.is_wrong for claim in claims)
    open_ = len(claims) - good - bad
    if not claims:
        return "this page makes no claim"
    if good == len(claims):
        return f"all {good} claims hold" if good > 1 else "the one claim holds"
    if len(claims) == 1:
        return "the one claim does not hold" if bad else "the one claim was not checked"
    words = [f"{good} of {len(claims)} claims {choose(good, 'holds', 'hold')}"]
    words += [f"{bad} {choose(bad, 'does', 'do')} not"] if bad else []
    words += [f"{open_} {choose(open_, 'was', 'were')} not checked"] if open_ else []
    return ", ".join(words)


def as_json(report: Report) -> dict[str, Any]:
    """The report as JSON; every key is a whole word."""
    return {
        "path": report.path,
        "holds": report.holds,
        "summary": summary(report),
        "counts": dict(Counter(claim.verdict.value for claim in report.claims)),
        "claims": [_claim(claim) for claim in report.claims],
        "remarks": list(report.remarks),
        "skipped": report.skipped,
        "seconds": round(report.seconds, 3),
    }


def _claim(claim: Claim) -> dict[str, Any]:
    found: dict[str, Any] = {"line": claim.line, "column": claim.column}
    if claim.cell is not None:
        found["cell"] = claim.cell
    return found | {
        "start": claim.start,
        "end": claim.end,
        "left": claim.left,
        "formula": claim.formula,
        "verdict": claim.verdict.value,
        "verdicts": [v.value for v in claim.verdicts],
        "good": claim.good,
        "diagnosis": claim.diagnosis,
        "reading": claim.reading,
        "fix": claim.fix,
        "fixes": [_repair(repair) for repair in claim.fixes],
        "counterexample": None if claim.counterexample is None else _counterexample(claim.counterexample),
        "shapes": [{"start": start, "end": end, "shape": shape} for start, end, shape in claim.shapes],
    }


def _counterexample(found: Counterexample) -> dict[str, Any]:
    return {
        "sizes": dict(found.sizes),
        "indices": dict(found.indices),
        "letters": {name: [list(row) for row in rows] for name, rows in found.letters.items()},
        "entry": None if found.entry is None else list(found.entry),
        "left": found.left,
        "right": found.right,
        "shapes": [list(shape) for shape in found.shapes],
    }


def _repair(repair: Repair) -> dict[str, Any]:
    return {
        "formula": repair.formula,
        "start": repair.start,
        "end": repair.end,
        "replacement": repair.replacement,
        "edits": list(repair.edits),
        "verdicts": [v.value for v in repair.verdicts],
    }


def as_terminal(report: Report, width: int = 100) -> list[Text]:
    """The report as styled lines of `width` columns: a line for each claim that holds, a block for each other one,
    remarks, and a summary. Control characters of the page are replaced.
    """
    from rich.text import Text

    column = max([len(claim.verdict.value) for claim in report.claims if claim.good], default=0)
    places = [_place(claim) for claim in report.claims]
    margin = max(map(len, places), default=0)
    indent = " " * (margin + 4)
    lines: list[Text] = []
    for place, claim in zip(places, report.claims, strict=True):
        kind = category(claim.verdict)
        head = Text(f"{place:>{margin}}  ", style="dim")
        if claim.good:
            head.append(f"{SIGNS[kind]} {claim.verdict.value:<{column}}  ", style=STYLES[kind])
            head.append(_shortened(_equation(claim), width - len(head)))
            lines.append(head)
            if claim.fixes:
                lines += _explanation(claim, indent, width)
            continue
        head.append(f"{SIGNS[kind]} {verdict_in_words(claim)}", style=f"bold {STYLES[kind]}")
        lines += [head, *_wrapped(_equation(claim), indent, width), *_explanation(claim, indent, width)]
    for remark in report.remarks:
        lines += _wrapped(f"note: {remark}", "", width)
    if report.skipped:
        lines.append(Text(f"{count(report.skipped, 'formula')} left out, as the page's directives ask", style="dim"))
    colour = "blue" if report.holds else "red"
    lines.append(Text(_printable(f"{report.path}: {summary(report)}"), style=f"bold {colour}"))
    return lines


def _explanation(claim: Claim, indent: str, width: int) -> list[Text]:
    """The diagnosis, the reading and the repairs."""
    lines = _wrapped(claim.diagnosis, indent, width)
    if claim.reading:
        lines += _wrapped(f"reading: {claim.reading}", indent, width, "italic")
    for number, repair in enumerate(claim.fixes):
        lines += _repair_lines(repair, "repair: " if number == 0 else "    or: ", indent, width)
    return lines


def _repair_lines(repair: Repair, label: str, indent: str, width: int) -> list[Text]:
    """A repair, and its edits behind it where they fit, else below."""
    from rich.text import Text

    inner = indent + " " * len(label)
    lines = _wrapped(repair.formula, inner, width, "blue")
    edits = f"({'; '.join(repair.edits)})" if repair.edits else ""
    if edits and len(lines) == 1 and len(lines[0]) + 2 + len(edits) <= width:
        lines[0].append("  " + edits, style="dim")
    elif edits:
        lines += _wrapped(edits, inner, width, "dim")
    if lines:
        lines[0] = Text.assemble(indent, (label, "bold"), lines[0][len(inner) :])
    return lines


def _place(claim: Claim) -> str:
    return ("" if claim.cell is None else f"cell {claim.cell}, ") + f"{claim.line}:{claim.column}"


def _equation(claim: Claim) -> str:
    text = f"{claim.left} = {claim.formula}" if claim.left else claim.formula
    return _printable(" ".join(text.split()))


def _shortened(text: str, width: int) -> str:
    return text if len(text) <= max(width, 20) else text[: max(width, 20) - 1] + "…"


def _wrapped(text: str, indent: str, width: int, style: str = "") -> list[Text]:
    """Text in lines of at most `width` columns, each after an indent; a word that is longer is not cut."""
    from rich.text import Text

    lines = textwrap.wrap(
        _printable(" ".join(text.split())), max(width, len(indent) + 30), initial_indent=indent,
        subsequent_indent=indent, break_long_words=False, break_on_hyphens=False,
    )  # fmt: skip
    return [Text.assemble(indent, (line[len(indent) :], style)) for line in lines]


def _printable(text: str) -> str:
    """The text without characters that control a terminal or the direction of writing."""
    return "".join("\ufffd" if unicodedata.category(c) in ("Cc", "Cf") else c for c in text)
