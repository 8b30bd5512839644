"""A report as JSON. A number that is not finite is null, so the text is valid for every reader."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

from elman.notes.judge.verdict import Claim, Repair, Report
from elman.notes.oracle.counterexample import Counterexample
from elman.notes.report.words import Tally, summary
from elman.translation import translate


def as_json(report: Report) -> dict[str, Any]:
    """The report as JSON; every key is a whole word. Verdicts are English, sentences in the current language."""
    tally = Tally.of(report)
    return {
        "path": report.path,
        "holds": report.holds,
        "summary": summary(report),
        "wrong": len(tally.wrong),
        "not_checked": len(tally.not_checked),
        "holding": len(tally.holding),
        "counts": dict(Counter(claim.verdict.value for claim in report.claims)),
        "claims": [_claim(claim) for claim in report.claims],
        "remarks": [translate(remark) for remark in report.remarks],
        "skipped": report.skipped,
        "seconds": _finite(round(report.seconds, 3)),
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
        "diagnosis": translate(claim.diagnosis),
        "reading": translate(claim.reading),
        "fix": claim.fix,
        "fixes": [_repair(repair) for repair in claim.fixes],
        "counterexample": None if claim.counterexample is None else _counterexample(claim.counterexample),
        "shapes": [{"start": start, "end": end, "shape": shape} for start, end, shape in claim.shapes],
    }


def _counterexample(found: Counterexample) -> dict[str, Any]:
    return {
        "sizes": dict(found.sizes),
        "indices": dict(found.indices),
        "letters": {name: [[_finite(x) for x in row] for row in rows] for name, rows in found.letters.items()},
        "entry": None if found.entry is None else list(found.entry),
        "left": _finite(found.left),
        "right": _finite(found.right),
        "shapes": [list(shape) for shape in found.shapes],
    }


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _repair(repair: Repair) -> dict[str, Any]:
    return {
        "formula": repair.formula,
        "start": repair.start,
        "end": repair.end,
        "replacement": repair.replacement,
        "edits": [translate(edit) for edit in repair.edits],
        "verdicts": [v.value for v in repair.verdicts],
    }
