"""A page with the first repair of each claim in it; everything else stays as it is, to the last blank."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass

from elman.notes.judge.verdict import Claim, Report
from elman.notes.page.notebook import JOINT, rewritten
from elman.notes.page.page import Page


@dataclass(frozen=True, slots=True)
class Replacement:
    """A replacement for `start:end` of a page's text."""

    start: int
    end: int
    replacement: str


def planned_edits(page: Page, report: Report) -> tuple[list[Replacement], list[Claim]]:
    """The edits of the first repairs, in order and apart; and the claims whose repair would overlap an earlier one.

    Two claims that ask for the same edit get it once. A claim left over is mended by another `--fix` of the result.
    """
    edits: list[Replacement] = []  # in order of their places, all apart
    left_over: list[Claim] = []
    for claim in report.claims:
        if not claim.fixes:
            continue
        repair = claim.fixes[0]
        edit = Replacement(repair.start, repair.end, repair.replacement)
        i = bisect_right(edits, edit.start, key=lambda e: e.start)
        before, after = edits[max(i - 1, 0) : i], edits[i : i + 1]
        if edit in before:
            continue
        overlaps = any(e.end > edit.start or e.start == edit.start for e in before)
        overlaps = overlaps or any(e.start < edit.end for e in after)
        if overlaps or not 0 <= edit.start <= edit.end <= len(page.text):
            left_over.append(claim)
        else:
            edits.insert(i, edit)
    return edits, left_over


def apply_fixes(page: Page, report: Report) -> str:
    """The page's text with the first repair of each claim applied."""
    return _edited(page.text, planned_edits(page, report)[0], 0)


def corrected_file(page: Page, report: Report) -> str:
    """What to write as the corrected page: its text, or for a notebook its JSON with the cells' texts changed."""
    if page.kind != "notebook":
        return apply_fixes(page, report)
    edits = planned_edits(page, report)[0]
    ends = [start - len(JOINT) for start in page.cells[1:]] + [len(page.text)]
    by_cell: list[list[Replacement]] = [[] for _ in page.cells]
    for edit in edits:
        by_cell[bisect_right(page.cells, edit.start) - 1].append(edit)
    places = zip(page.cells, ends, by_cell, strict=True)
    return rewritten(page.source, [_edited(page.text[start:end], found, start) for start, end, found in places])


def _edited(text: str, edits: list[Replacement], offset: int) -> str:
    pieces, at = [], 0
    for edit in edits:
        pieces += [text[at : edit.start - offset], edit.replacement]
        at = edit.end - offset
    return "".join([*pieces, text[at:]])
