"""Formulas of Markdown: in dollars, brackets, environments and fences; none in comments, code spans and prices."""

from __future__ import annotations

import re

from elman.notes.page.code import read_code
from elman.notes.page.scanner import ENVIRONMENTS, Marks, Scan, beside, bracketed, covered, display, environment

_BLOCK = re.compile(r"^[ \t>]{0,40}(?:[-*+][ \t]+)?(`{3,}|~{3,})[ \t]*([^\n`]*)$|<!--", re.MULTILINE)
_SIGN = re.compile(r"\\\\[(\[]|\\(?:begin\{([A-Za-z]+\*?)\}|.)|\$|`+", re.DOTALL)
_HEADING = re.compile(r"^ {0,3}#{1,6}[ \t]+([^\n]*)$", re.MULTILINE)
_UNDERLINED = re.compile(r"^([^\n|]+)\n(?:=+|-{2,})[ \t\r]*$", re.MULTILINE)
_MARKER = re.compile(r"^[ \t>]*(?:(?:[-*+]|\d+[.)])[ \t]+)?")
_WORDS = re.compile(r"[^\W\d_]{2,}|[\u3400-\u9fff]|\$\$")
_SAYS_MORE = re.compile(
    r"=.*(?:[(|*/+]|[^=,\s]\s*-\s*[^\d\s]|\\(?:d?frac|sum|prod|sqrt|exp|log|ln|tanh|sigma|o?dot|cdot|nabla|partial|max)\b)",
    re.DOTALL,
)
_ADDRESS = re.compile(r"\b(?:src|href)\s*=\s*\"https?://[^\"\s]*|\]\(https?://[^()\s]*", re.IGNORECASE)
_COMMAND = re.compile(r"\\[A-Za-z]{2,}")
_TWO_WORDS = re.compile(r"[\u3400-\u9fff\uac00-\ud7af\u3040-\u30ff]|(?<![\\A-Za-z{])[A-Za-z]{2,}[ ,]+[A-Za-z]{2,}")
_TEXT = re.compile(r"\\(?:text|mbox|mathrm)[a-z]{0,6}\s*\{[^{}]*\}")
_CODE = {
    "",
    "python",
    "py",
    "python3",
    "text",
    "txt",
    "plain",
    "julia",
    "matlab",
    "octave",
    "r",
    "pseudo",
    "numpy",
    "{python}",
}


def read_markdown(text: str, start: int, end: int) -> Scan:
    """The formulas, headings, code and directives in a stretch of Markdown."""
    scan = Scan()
    at = seek = end_of_front_matter(text, start, end)
    closed = True
    while (block := _BLOCK.search(text, seek, end)) is not None:
        if block.group() == "<!--":
            close = text.find("-->", block.end(), end) if closed else -1
            closed = close >= 0
            if not closed or text[max(block.start() - 1, 0)] == "`":  # never closed, or a code span about comments
                seek = block.end()
                continue
            _read_prose(text, at, block.start(), scan)
            scan.direct(block.start(), text[block.end() : close])
            at = seek = close + 3
        else:
            _read_prose(text, at, block.start(), scan)
            at = seek = _fence(text, block, end, scan)
    _read_prose(text, at, end, scan)
    _mark_dollars_within_lines(text, scan)
    return scan


def _mark_dollars_within_lines(text: str, scan: Scan) -> None:
    """Makes `$$…$$` within a line of text inline, on a page that has no other inline formulas, as kramdown reads it;
    but for equations that say more than i = j, which such pages put into a line as others into a display.
    """
    if any(f.kind == "inline" for f in scan.formulas):
        return
    for k, f in enumerate(scan.formulas):
        if f.kind != "display" or not text.startswith("$$", f.first) or not text.startswith("$$", f.last - 2):
            continue
        if _SAYS_MORE.search(text, f.start, f.end):
            continue
        before, behind = beside(text, f.first, f.last)
        if _WORDS.search(_MARKER.sub("", before)) or _WORDS.search(behind):
            scan.formulas[k] = f._replace(kind="inline")


def end_of_front_matter(text: str, start: int, end: int) -> int:
    """Where the page begins: behind the YAML at its top, if it has any."""
    head = text.startswith("---\n", start)
    close = text.find("\n---", start + 3, end) if head else -1
    return close + 4 if close >= 0 and ":" in text[start:close] else start


def _fence(text: str, block: re.Match[str], end: int, scan: Scan) -> int:
    """Reads a fenced block; returns where it ends."""
    sign = block.group(1)
    close = re.compile(rf"^[ \t>]{{0,40}}{sign[0]}{{{len(sign)},}}[ \t\r]*$", re.MULTILINE).search(
        text, block.end(), end
    )
    inner = min(block.end() + 1, end)
    stop = close.start() if close else end
    language = block.group(2).strip().split(" ")[0].lower()
    if language in ("math", "latex", "tex", "katex"):
        scan.add(text, inner, stop, "display", block.start(), close.end() if close else end)
    elif language in _CODE:
        read_code(text, inner, stop, scan)
    return close.end() if close else end


def _read_prose(text: str, start: int, end: int, scan: Scan) -> None:
    """Reads a stretch that has no fences and no comments."""
    marks = Marks(text, start, end)
    scan.headings += [(m.start(), m.group(1).strip(" \t#\r")) for m in _HEADING.finditer(text, start, end)]
    underlined = _UNDERLINED.finditer(text, start, end)
    scan.headings += [(m.start(), m.group(1).strip()) for m in underlined if m.group(1).strip()]
    scan.headings.sort()
    at = start
    addresses = _addresses(text, start, end)
    while (sign := _SIGN.search(text, at, end)) is not None:
        at = sign.end()
        what = sign.group()
        if covered(addresses, sign.start()):
            continue
        if what == "$":
            at = _dollar(marks, scan, sign.start())
        elif what[0] == "`":
            close = marks.tick(len(what), at)
            if 0 <= close <= marks.blank(at):
                at = close + len(what)
        elif what[-1] in "[(" and what[0] == "\\":
            closer = what[:-1] + ("]" if what[-1] == "[" else ")")
            at = bracketed(marks, scan, at, closer, "display" if what[-1] == "[" else "inline")
        elif sign.group(1) in ENVIRONMENTS:
            at = environment(marks, scan, sign.group(1), at)


def _addresses(text: str, start: int, end: int) -> list[tuple[int, int]]:
    """The places of addresses, which may have a formula in them that an image shows."""
    if text.find("://", start, end) < 0:
        return []
    return [match.span() for match in _ADDRESS.finditer(text, start, end)]


def _is_mathematics(inner: str) -> bool:
    """Whether what is between two dollar signs is a formula, whatever spaces are at its ends."""
    return _COMMAND.search(inner) is not None and _TWO_WORDS.search(_TEXT.sub("", inner)) is None


def _dollar(marks: Marks, scan: Scan, at: int) -> int:
    """Reads what a $ opens, if it opens something; returns where to go on.

    Of a single one the rule is pandoc's: no digit behind it, no code between, and no space within at either end, unless
    a command of LaTeX is in it and no prose.
    """
    text = marks.text
    if marks.is_dollar(at + 1):
        return display(marks, scan, at + 2)
    if text.startswith("`", at + 1):  # $`…`$
        close = text.find("`$", at + 2, min(marks.blank(at), at + 4000))
        if close >= 0:
            scan.add(text, at + 2, close, "inline", at, close + 2)
            return close + 2
    close = marks.dollar(at + 1)
    if close < 0 or close > marks.blank(at):
        return at + 1
    inner = text[at + 1 : close]
    if not inner or "`" in inner or (inner != inner.strip() and not _is_mathematics(inner)):
        return at + 1
    if close + 1 < marks.end and text[close + 1].isdigit():
        return at + 1
    scan.add(text, at + 1, close, "inline", at, close + 1)
    return close + 1
