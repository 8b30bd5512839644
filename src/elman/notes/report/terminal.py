"""A report as lines for a terminal: what to do first, what holds only on request."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from elman.notes.judge.verdict import Claim, Repair, Report
from elman.notes.report.open_points import open_points
from elman.notes.report.words import (
    READING,
    SIGNS,
    Tally,
    category,
    counterexample_in_words,
    edits_in_words,
    equation,
    lines_in_words,
    place,
    reason,
    summary,
    verdict_in_words,
)
from elman.translation import joined, sign, translate, wrapped
from elman.wording import choose, count, printable

if TYPE_CHECKING:
    from rich.text import Text

STYLES = {"good": "blue", "neutral": "dim", "otherwise": "yellow", "unknown": "magenta", "bad": "red"}
_MOST_OPEN = 12  # lines for what was not checked
_MOST_READINGS = 4
_GLUE = "\ue020"  # a space at which no line ends
_KEPT = f"{_GLUE}={_GLUE}"


def as_terminal(report: Report, width: int = 100, verbose: bool = False) -> list[Text]:
    """The report as styled lines of `width` columns. Control characters of the page are replaced.

    A block for each claim that is wrong, a line for each reason why claims were not checked, remarks, how the page was
    read, and the summary. `verbose`: a block for each claim that was not checked, and a line for each that holds.
    """
    from rich.cells import cell_len
    from rich.text import Text

    tally = Tally.of(report)
    listed = [c for c in (*tally.holding, *tally.no_claim) if verbose or c.fixes]
    blocks = [*tally.wrong, *(tally.not_checked if verbose else ())]
    margin = max((cell_len(place(c)) for c in (*blocks, *listed)), default=0)
    lines: list[Text] = []
    for claim in blocks:
        lines += _block(claim, margin, width)
    if tally.not_checked and not verbose:
        lines += _open(tally.not_checked, width)
    for claim in listed:
        lines += _line(claim, margin, width)
    lines += _remarks(report, tally, width, verbose)
    style = STYLES["bad" if tally.wrong else "unknown" if tally.not_checked else "good"]
    lines.append(Text(_printable(joined((report.path, summary(report)), ": ")), style=f"bold {style}"))
    return lines


# --- claims ---


def _block(claim: Claim, margin: int, width: int) -> Iterator[Text]:
    """A claim to be corrected, or one that was not checked: the verdict, the formula, and the explanation."""
    from rich.text import Text

    kind, indent = category(claim.verdict), " " * (margin + 4)
    head = Text(_place(claim, margin), style="dim")
    yield head.append(f"{SIGNS[kind]} {verdict_in_words(claim)}", style=f"bold {STYLES[kind]}")
    yield from _wrapped(equation(claim), indent, width)
    yield from _explanation(claim, indent, width)


def _line(claim: Claim, margin: int, width: int) -> Iterator[Text]:
    """A claim that holds, or a formula that claims nothing, with the suggestions for it."""
    from rich.text import Text

    kind, indent = category(claim.verdict), " " * (margin + 4)
    why = f"  {sign('(')}{reason(claim)}{sign(')')}" if kind == "neutral" and reason(claim) else ""
    first, *rest = _wrapped(equation(claim) + why, indent, width)
    head = Text(_place(claim, margin), style="dim").append(f"{SIGNS[kind]} ", style=STYLES[kind])
    yield Text.assemble(head, first[len(indent) :])
    yield from rest
    for number, repair in enumerate(claim.fixes):
        yield from _repair_lines(repair, _label("suggestion", number), indent, width)


def _place(claim: Claim, margin: int) -> str:
    """Where a claim is, in a column of a width."""
    from rich.cells import cell_len

    return " " * (margin - cell_len(place(claim))) + place(claim) + "  "


def _label(first: str, number: int) -> str:
    """What is before a repair: `first`, and "or" before the others, which ends in the same column."""
    from rich.cells import cell_len

    label, other = translate(first) + sign(": "), translate("or") + sign(": ")
    return label if number == 0 else " " * (cell_len(label) - cell_len(other)) + other


def _explanation(claim: Claim, indent: str, width: int) -> Iterator[Text]:
    """The reason, the counterexample, the reading and the repairs."""
    yield from _wrapped(reason(claim), indent, width)
    if claim.counterexample is not None:
        yield from _wrapped(counterexample_in_words(claim.counterexample).replace(" = ", _KEPT), indent, width)
    if claim.reading:
        yield from _wrapped(translate(READING + claim.reading), indent, width, "italic")
    for number, repair in enumerate(claim.fixes):
        yield from _repair_lines(repair, _label("repair", number), indent, width)


def _repair_lines(repair: Repair, label: str, indent: str, width: int) -> list[Text]:
    """A repair, and its edits behind it where they fit, else below."""
    from rich.cells import cell_len
    from rich.text import Text

    inner = indent + " " * cell_len(label)
    lines = _wrapped(repair.formula, inner, width, "blue")
    words = edits_in_words(repair)
    edits = f"{sign('(')}{words}{sign(')')}" if words else ""
    if edits and len(lines) == 1 and lines[0].cell_len + 2 + cell_len(edits) <= width:
        lines[0].append("  " + _printable(edits), style="dim")
    elif edits:
        lines += _wrapped(edits, inner, width, "dim")
    if lines:
        lines[0] = Text.assemble(indent, (label, "bold"), lines[0][len(inner) :])
    return lines


# --- what was not checked ---


def _open(claims: Iterable[Claim], width: int) -> Iterator[Text]:
    """A paragraph for each reason, as long as there is room, and how many claims remain."""
    from rich.text import Text

    points = list(open_points(claims))
    yield Text(translate("not checked:"), style=f"bold {STYLES['unknown']}")
    room = _MOST_OPEN
    while points:
        mark = f"  {SIGNS['unknown']} "
        words = joined((lines_in_words(points[0].claims), points[0].reason), ": ")
        first, *rest = _wrapped(words, " " * len(mark), width)
        if 1 + len(rest) > room and room < _MOST_OPEN:
            break
        room -= 1 + len(rest)
        points.pop(0)
        yield Text.assemble((mark, STYLES["unknown"]), first[len(mark) :])
        yield from rest
    if points:
        more = sum(len(point.claims) for point in points)
        yield Text("    " + translate(f"and {more} more (-v lists them)"), style="dim")


# --- the page as a whole ---


def _remarks(report: Report, tally: Tally, width: int, verbose: bool) -> Iterator[Text]:
    """Remarks, what is not shown, and how each section was read."""
    from rich.text import Text

    readings = [remark for remark in report.remarks if remark.startswith(READING)]
    for remark in report.remarks:
        if remark not in readings:
            yield from _wrapped(translate(f"note: {remark}"), "", width)
    if report.skipped:
        skipped = translate(f"{count(report.skipped, 'formula')} left out, as the page's directives ask")
        yield Text(skipped, style="dim")
    holding, no_claim = len(tally.holding), len(tally.no_claim)
    hidden = [translate(f"{holding} {choose(holding, 'holds', 'hold')}")] if holding else []
    hidden += [translate(f"{no_claim} {choose(no_claim, 'makes', 'make')} no claim")] if no_claim else []
    if hidden and not verbose:
        found = joined(hidden)
        yield Text(translate(f"{found}; -v lists {choose(holding + no_claim, 'it', 'them')}"), style="dim")
    shown = readings if verbose or len(readings) <= _MOST_READINGS + 1 else readings[:_MOST_READINGS]
    for remark in shown:
        yield from _wrapped(translate(remark), "", width, "dim")
    if len(readings) > len(shown):
        more = len(readings) - len(shown)
        yield Text(translate(f"and {more} more sections; -v says how each was read"), style="dim")


# --- lines ---


def _wrapped(text: str, indent: str, width: int, style: str = "") -> list[Text]:
    """Text in lines of at most `width` columns, each after an indent; a word that is longer is not cut."""
    from rich.cells import cell_len
    from rich.text import Text

    lines = wrapped(_printable(text), max(width - len(indent), 30), cell_len)
    return [Text.assemble(indent, (line.replace(_GLUE, " "), style)) for line in lines]


def _printable(text: str) -> str:
    """The text on one line, without characters that control a terminal or the direction of writing."""
    return printable(" ".join(text.split()))
