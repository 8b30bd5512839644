"""Lists of equations that the text announces: "where a = …, z = …, and h = …", or the items of a list below "Let:"."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

from elman.notes.model.page_model import Statement

_ANNOUNCING = re.compile(r"\b(?:let|where|here|with|denot\w+|defin\w+)\W*$|(?:其中|这里|令|设|记|定义)\W*$", re.I)
_NUMBER = re.compile(r"(?:^|\s)\d{1,2}[.)]$")  # of an item of a list
_OR_CASE = re.compile(r"\s*(?:or\b|或)", re.I)
_BETWEEN = re.compile(r"\s*(?:[,，、;；]\s*(?:and|和|以及|且)?|and|和|以及|且)\s*", re.I)


def listed(statements: Sequence[Statement]) -> Iterator[int]:
    """The statements within a line that stand behind a comma, or "and", in a list of formulas that is introduced; not
    one that is one of several cases: "where $c$ is a number, $z = x$ or $z = x - m$".
    """
    announced = False
    cases = {s.number for s, behind in pairwise(statements) if _OR_CASE.match(behind.formula.before)}
    for before, s in pairwise(statements):
        one, other = before.formula, s.formula
        announced = one.is_within_text and (announced or _ANNOUNCING.search(one.before[-60:]) is not None)
        beside = other.outer[0] - one.outer[1] <= len(other.before) + 1
        announced = announced and other.is_within_text and beside and _BETWEEN.fullmatch(other.before) is not None
        if announced and s.number not in cases:
            yield s.number
    yield from _items(statements)


def _items(statements: Iterable[Statement]) -> Iterator[int]:
    """The statements that the items of a numbered list begin with, which "Let:" or "where" announces."""
    announced, heading = False, ""
    for s in statements:
        number = _NUMBER.search(s.formula.before)
        if s.formula.heading != heading or s.formula.kind == "display":
            announced, heading = False, s.formula.heading
        if number is not None:
            announced = announced or _ANNOUNCING.search(s.formula.before[: number.start()][-60:]) is not None
            if announced:
                yield s.number
