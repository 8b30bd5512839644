"""What the readers of Markdown, LaTeX and plain text share: places of formulas, headings and code."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field
from typing import NamedTuple

ENVIRONMENTS = frozenset(
    name + star
    for name in (
        "equation", "align", "alignat", "gather", "multline", "eqnarray", "aligned", "gathered", "split", "math",
        "displaymath", "flalign", "dmath", "alignedat", "cases",
    )
    for star in ("", "*")
)  # fmt: skip
_SWITCH = re.compile(r"elman\s+check\s*:\s*(on|off)\b")
_DIRECTIVE = re.compile(r"[\s%]*elman\s*:\s*(.*?)\s*|[\s%]*elman\s+(check\s*:.*?)\s*", re.DOTALL)
_BLANK = re.compile(r"\n[ \t\r>]*(?=\n)")
_PROSE = re.compile(
    r"[\u3400-\u9fff\uac00-\ud7af\u3040-\u30ff]|(?<![\\A-Za-z{])[A-Za-z]{3,}[ ,][A-Za-z]{2,}[ ,][A-Za-z]{2,}|^#", re.M
)
_MARKS = re.compile(r"\\\\[)\]]|\\(?:end\{([A-Za-z]+\*?)\}|.)|\$|`+", re.DOTALL)


class FoundFormula(NamedTuple):
    """The offsets of a formula; `first` and `last` are those with its delimiters."""

    start: int
    end: int
    kind: str
    first: int
    last: int


@dataclass
class Scan:
    """The offsets of what is in a stretch of text: formulas, headings, code, directives.

    `directives` are those that switch the check off and on, `assumptions` all others, with their text.
    """

    formulas: list[FoundFormula] = field(default_factory=list)
    headings: list[tuple[int, str]] = field(default_factory=list)
    code: list[tuple[int, int]] = field(default_factory=list)
    directives: list[tuple[int, str]] = field(default_factory=list)
    assumptions: list[tuple[int, str]] = field(default_factory=list)

    def direct(self, start: int, comment: str) -> None:
        """Adds a directive, if the comment is one."""
        switch = _SWITCH.search(comment)
        if switch:
            self.directives.append((start, switch.group(1)))
        elif found := _DIRECTIVE.fullmatch(comment):
            self.assumptions.append((start, found.group(1) or found.group(2) or ""))

    def off(self, end: int) -> list[tuple[int, int]]:
        """The stretches that directives exclude from the check, in a text that ends at `end`."""
        stretches: list[tuple[int, int]] = []
        since: int | None = None
        for place, word in sorted(self.directives):
            if word == "off" and since is None:
                since = place
            elif word == "on" and since is not None:
                stretches.append((since, place))
                since = None
        return stretches + ([(since, end)] if since is not None else [])

    def add(self, text: str, start: int, end: int, kind: str, first: int = -1, last: int = -1) -> None:
        """Adds a formula without the white space at its ends, unless it is empty."""
        inner = text[start:end]
        stripped = inner.strip()
        if stripped:
            begin = start + len(inner) - len(inner.lstrip())
            stop = begin + len(stripped)
            self.formulas.append(
                FoundFormula(begin, stop, kind, begin if first < 0 else first, stop if last < 0 else last)
            )


class Marks:
    """The places of all signs that may close a formula or a code span, each kind in order; found in one search."""

    def __init__(self, text: str, start: int, end: int) -> None:
        self.text, self.end = text, end
        self.dollars: list[int] = []
        self.closers: dict[str, list[int]] = {}
        self.ticks: dict[int, list[int]] = {}
        for match in _MARKS.finditer(text, start, end):
            sign = match.group()
            if sign == "$":
                self.dollars.append(match.start())
            elif sign[0] == "`":
                self.ticks.setdefault(len(sign), []).append(match.start())
            elif match.group(1) or sign[-1] in ")]":
                self.closers.setdefault(match.group(1) or sign, []).append(match.start())
        known = set(self.dollars)
        self.doubles = [i for i in self.dollars if i + 1 in known]
        self.blanks = [match.start() for match in _BLANK.finditer(text, start, end)]

    @staticmethod
    def _next(places: list[int], at: int) -> int:
        i = bisect_left(places, at)
        return places[i] if i < len(places) else -1

    def dollar(self, at: int) -> int:
        """The next $ that is not escaped, or -1."""
        return self._next(self.dollars, at)

    def is_dollar(self, at: int) -> bool:
        """Whether there is a $ here that is not escaped."""
        return self.dollar(at) == at

    def double(self, at: int) -> int:
        """The next $$, or -1."""
        return self._next(self.doubles, at)

    def closer(self, what: str, at: int) -> int:
        r"""The next `\)`, `\]` or `\end{what}`, or -1."""
        return self._next(self.closers.get(what, []), at)

    def tick(self, run: int, at: int) -> int:
        """The next run of `run` backticks, or -1."""
        return self._next(self.ticks.get(run, []), at)

    def blank(self, at: int) -> int:
        """Where the paragraph ends."""
        found = self._next(self.blanks, at)
        return self.end if found < 0 else found


def display(marks: Marks, scan: Scan, start: int) -> int:
    """Reads `$$…$$` from behind the opening; an unclosed one ends with its paragraph. Returns where to go on.

    A blank line inside is allowed if nothing behind it looks like prose: after a forgotten `$$` the rest of the page
    must not be taken for formulas.
    """
    text, close, blank = marks.text, marks.double(start), marks.blank(start)
    if close < 0 or (blank < close and _PROSE.search(text, blank + 1, close)):
        scan.add(text, start, blank, "display", start - 2, blank)
        return blank
    scan.add(text, start, close, "display", start - 2, close + 2)
    return close + 2


def bracketed(marks: Marks, scan: Scan, start: int, closer: str, kind: str) -> int:
    r"""Reads `\[…\]` or `\(…\)` from behind the opening, which is as long as `closer`; returns where to go on: `start`
    where it is not closed.
    """
    close = marks.closer(closer, start)
    if close < 0 or close > marks.blank(start):
        return start
    scan.add(marks.text, start, close, kind, start - len(closer), close + len(closer))
    return close + len(closer)


def environment(marks: Marks, scan: Scan, name: str, start: int) -> int:
    r"""Reads an environment from behind its `\begin{name}`; an unclosed one ends with its paragraph."""
    text, first = marks.text, start - len("\\begin{}") - len(name)
    if name.startswith("align") and "at" in name and text.startswith("{", start):  # alignat's number of columns
        start = max(text.find("}", start, start + 8) + 1, start)
    close = marks.closer(name, start)
    end = marks.blank(start) if close < 0 else close
    last = end if close < 0 else close + len("\\end{}") + len(name)
    scan.add(text, start, end, "display", first, last)
    return last


class Lines:
    """Lines and columns of offsets, from 1."""

    def __init__(self, text: str, start: int = 0, end: int | None = None) -> None:
        stop = len(text) if end is None else end
        self.starts = [start]
        at = text.find("\n", start, stop)
        while at >= 0:
            self.starts.append(at + 1)
            at = text.find("\n", at + 1, stop)

    def place(self, offset: int) -> tuple[int, int]:
        """Line and column."""
        line = bisect_right(self.starts, offset)
        return line, offset - self.starts[line - 1] + 1


def beside(text: str, first: int, last: int) -> tuple[str, str]:
    """What stands before and behind a stretch of text in its own lines."""
    line = text.rfind("\n", 0, first) + 1
    stop = text.find("\n", last)
    return text[line:first], text[last : len(text) if stop < 0 else stop]


def covered(stretches: list[tuple[int, int]], at: int) -> bool:
    """Whether `at` is in one of the stretches, which are in order and do not overlap."""
    i = bisect_right(stretches, (at, 1 << 62)) - 1
    return i >= 0 and at < stretches[i][1]
