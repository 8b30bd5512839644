"""Shapes that tables declare, and names that a page calls one-hot."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator

from elman.calculus.syntax.names import canonical, fold
from elman.notes.page.declarations import Declared, dimensions, symbol_name
from elman.notes.page.memberships import FIELD, field_shape

_BRACKETS = re.compile(r"\[[^\[\]|]{1,60}\]|\((?:[^()|,]{1,30}(?:\\times|×|,)[^()|,]{1,30})\)")
_CELL = re.compile(r"\$[^$\n]*\$|`[^`\n]*`|\\.|\|")
_QUOTED = re.compile(r"\$([^$\n]+)\$|`([^`\n]+)`")
_SCALAR = re.compile(r"\bscalar\b|标量|純量", re.IGNORECASE)
ONE_HOT = re.compile(r"\bone[- ]?hot\b|独热|獨熱", re.IGNORECASE)
_BEFORE = re.compile(
    r"[\s$`),(]*(?:(?:is|are|be|being|both|each|a|an|the|all|as|by|为|是|均|都|个|一|column|vectors?)[\s$`]*)*", re.I
)
_BETWEEN = re.compile(
    r"[\s$`(]*(?:vectors?|encoded|inputs?|targets?|columns?|labels?|of|:|向量|编码|的)?[\s$`(:]*(?:vectors?|of)?[\s$`]*",
    re.I,
)
_JOINED = re.compile(r"[\s$`]*(?:,|and|&|和|与|、|or)[\s$`]*", re.I)
_SEPARATOR = re.compile(r"^[ \t>]*\|?[ \t]*:?-[-:| \t]*$", re.MULTILINE)


def rows_of_tables(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """The rows of the tables in a part: the lines below each line of dashes."""
    done = start
    for line in _SEPARATOR.finditer(text, start, end):
        if line.start() < done or "|" not in line.group():
            continue
        at = line.end() + 1
        while at < end:
            stop = text.find("\n", at, end)
            stop = end if stop < 0 else stop
            if text.find("|", at, stop) < 0:
                break
            yield at, stop
            at = stop + 1
        done = at


def in_table_row(text: str, start: int, end: int) -> tuple[list[Declared], list[str], dict[str, str]]:
    """What a row of a table declares: shapes, one-hot names, and other spellings of its names."""
    cells = _cells(text, start, end)
    names: list[str] = []
    other: list[str] = []
    for begin, stop in cells:
        found = _symbols(text[begin:stop])
        if found and not names:
            names = found
        elif found and not other and "`" in text[begin:stop]:
            other = found
    if not names:
        return [], [], {}
    shapes = next((s for begin, stop in cells if (s := _shapes(text, begin, stop))), [])
    if len(shapes) == 1:
        shapes = shapes * len(names)
    if len(shapes) != len(names):
        return [], [], {}
    declared = [Declared(name, *shape) for name, shape in zip(names, shapes, strict=True)]
    one_hot = names if ONE_HOT.search(text, start, end) else []
    pairs = zip(other, names, strict=False) if len(other) == len(names) else ()
    return declared, one_hot, {a: b for a, b in pairs if a != b and fold(a) != fold(b)}


def _cells(text: str, start: int, end: int) -> list[tuple[int, int]]:
    cells, since = [], start
    for match in _CELL.finditer(text, start, end):
        if match.group() == "|":
            cells.append((since, match.start()))
            since = match.end()
    return [*cells, (since, end)]


def _symbols(cell: str) -> list[str]:
    """The symbols of a cell that has nothing else in it."""
    if not cell.strip() or len(cell) > 300 or _QUOTED.sub("", cell).strip(" ,\t、;and和"):
        return []
    found: list[str] = []
    for match in _QUOTED.finditer(cell):
        inner = match.group(1)
        pieces = inner.split(",") if inner else re.split(r"[\s,]+", match.group(2).strip())
        names = [symbol_name(p) if inner else (canonical(p) if p.isidentifier() else None) for p in pieces]
        if None in names:
            return []
        found += [str(name) for name in names]
    return found


def _shapes(text: str, start: int, end: int) -> list[tuple[str, str, int, int]]:
    """The shapes in a cell, each with its place."""
    found = []
    for match in _BRACKETS.finditer(text, start, end):
        sizes = dimensions(match.group()[1:-1])
        if sizes:
            found.append((*sizes, match.start(), match.end()))
    for match in FIELD.finditer(text, start, end):
        sizes = field_shape(match)
        if sizes and match.group("script"):
            found.append((*sizes, match.start("script") + 1, match.end()))
    scalar = _SCALAR.search(text, start, end)
    if scalar and not found and end - start < 60:
        found.append(("1", "1", scalar.start(), scalar.end()))
    return found


def one_hot_near(text: str, start: int, end: int, symbols: list[tuple[int, int, str]]) -> set[str]:
    """The names that prose calls one-hot: the symbols (start, end, name; in order) next to the word."""
    found: set[str] = set()
    starts = [s[0] for s in symbols]
    for word in ONE_HOT.finditer(text, start, end):
        i = bisect_left(starts, word.start())
        if i and _near(_BEFORE, text, symbols[i - 1][1], word.start()):
            chosen, step = i - 1, -1
        elif i < len(symbols) and _near(_BETWEEN, text, word.end(), symbols[i][0]):
            chosen, step = i, 1
        else:
            continue
        found.add(symbols[chosen][2])
        while 0 <= chosen + step < len(symbols):
            first, second = sorted((chosen, chosen + step))
            if not _near(_JOINED, text, symbols[first][1], symbols[second][0]):
                break
            chosen += step
            found.add(symbols[chosen][2])
    return found


def _near(pattern: re.Pattern[str], text: str, start: int, end: int) -> bool:
    return 0 <= end - start <= 40 and pattern.fullmatch(text, start, end) is not None
