"""What was not checked, by reason: one sentence says of all claims that share it what to write."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from elman.notes.judge.verdict import Claim
from elman.translation import translate

_PLACE = re.compile(r" \(line \d+, column \d+\)$")  # the parser's own place, which differs from claim to claim


@dataclass(frozen=True, slots=True)
class OpenPoint:
    """A reason why claims were not checked, in the current language, and these claims in the order of the page."""

    reason: str
    claims: tuple[Claim, ...]


def open_points(claims: Iterable[Claim]) -> tuple[OpenPoint, ...]:
    """The reasons of claims that were not checked: those of most claims first, then in the order of the page."""
    found: dict[str, list[Claim]] = {}
    for claim in claims:
        words = claim.diagnosis or f"{claim.verdict.value}, without a reason"
        found.setdefault(_PLACE.sub("", words), []).append(claim)
    points = [OpenPoint(translate(words), tuple(own)) for words, own in found.items()]
    return tuple(sorted(points, key=lambda point: -len(point.claims)))
