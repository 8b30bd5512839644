"""Formulas of LaTeX documents: in dollars, brackets and environments; none in comments, verbatim text and macros."""

from __future__ import annotations

import re

from elman.notes.page.macros import closing_brace, definitions
from elman.notes.page.scanner import ENVIRONMENTS, Marks, Scan, bracketed, display, environment

_SIGN = re.compile(
    r"\\(?:begin\{([A-Za-z]+\*?)\}|(verb\*?(?![A-Za-z])|lstinline|mintinline)|"
    r"((?:sub)*section|chapter|part|paragraph)\*?\{|end\{document\}|.)|\$|%",
    re.DOTALL,
)
_VERBATIM = frozenset(
    name + star
    for name in (
        "verbatim", "lstlisting", "minted", "comment", "Verbatim", "tikzpicture", "filecontents", "thebibliography",
    )
    for star in ("", "*")
)  # fmt: skip


def read_latex(text: str, start: int, end: int) -> Scan:
    """The formulas, headings and directives in a stretch of LaTeX."""
    scan = Scan()
    skip = {begin: stop for begin, stop, _, _ in definitions(text, start, end)}
    marks = Marks(_without_comments(text), start, end)
    at = start
    while (sign := _SIGN.search(text, at, end)) is not None:
        at = sign.end()
        what = sign.group()
        if sign.start() in skip:
            at = skip[sign.start()]
        elif what == "%":
            stop = text.find("\n", at, end)
            stop = end if stop < 0 else stop
            scan.direct(sign.start(), text[at:stop])
            at = stop
        elif what == "$":
            at = _dollar(marks, scan, sign.start())
        elif what == "\\[":
            at = bracketed(marks, scan, at, "\\]", "display")
        elif what == "\\(":
            at = bracketed(marks, scan, at, "\\)", "inline")
        elif what == "\\end{document}":
            break
        elif sign.group(2):
            close = text.find(text[at], at + 1, min(end, at + 2000)) if at < end else -1
            at = close + 1 if close >= 0 else at
        elif sign.group(3):
            close = closing_brace(text, at - 1, min(end, at + 200))
            scan.headings.append((sign.start(), text[at : max(close, at)]))
        elif sign.group(1) in _VERBATIM:
            close = text.find(f"\\end{{{sign.group(1)}}}", at, end)
            at = end if close < 0 else close
        elif sign.group(1) in ENVIRONMENTS:
            at = environment(marks, scan, sign.group(1), at)
    scan.formulas = [f for f in scan.formulas if _without_comments(text[f.start : f.end]).strip()]
    return scan


COMMENT = re.compile(r"\\.|%[^\n]*", re.DOTALL)


def _without_comments(text: str) -> str:
    """The text with spaces for its comments, so that nothing in them closes a formula; offsets stay the same."""
    return COMMENT.sub(lambda m: " " * len(m.group()) if m.group()[0] == "%" else m.group(), text)


def _dollar(marks: Marks, scan: Scan, at: int) -> int:
    """Reads the formula that a $ opens; one that is never closed is skipped. Returns where to go on."""
    if marks.is_dollar(at + 1):
        return display(marks, scan, at + 2)
    close = marks.dollar(at + 1)
    if close < 0 or close > marks.blank(at):
        return at + 1
    scan.add(marks.text, at + 1, close, "inline", at, close + 1)
    return close + 1
