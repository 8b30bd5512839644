"""LaTeX documents: formulas in dollars and environments; comments, verbatim text and definitions of macros are none."""

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
    """What stands in a stretch of LaTeX."""
    scan = Scan()
    skip = {begin: stop for begin, stop, _, _ in definitions(text, start, end)}
    marks = Marks(_blanked(text), start, end)
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
    scan.formulas = [f for f in scan.formulas if _blanked(text[f.start : f.end]).strip()]
    return scan


_COMMENT = re.compile(r"\\.|%[^\n]*", re.DOTALL)


def _blanked(text: str) -> str:
    """The text with its comments made spaces, so that nothing in them closes a formula; every offset stays."""
    return _COMMENT.sub(lambda m: " " * len(m.group()) if m.group()[0] == "%" else m.group(), text)


def _dollar(marks: Marks, scan: Scan, at: int) -> int:
    """Reads what a $ opens; an unclosed one is left behind."""
    if marks.is_dollar(at + 1):
        return display(marks, scan, at + 2)
    close = marks.dollar(at + 1)
    if close < 0 or close > marks.blank(at):
        return at + 1
    scan.add(marks.text, at + 1, close, "inline", at, close + 1)
    return close + 1


_PREAMBLE = r"\\(?:label|cite|usepackage|documentclass|author|date)(?:\[[^\]\n]{0,99}\])?\{[^{}\n]{0,99}\}"
_PLAIN = [
    (re.compile(r"\\(?:sub)*(?:section|chapter|part)\*?\{([^{}\n]{0,200})\}"), r"\n\n## \1\n\n"),
    (re.compile(r"\\title\{([^{}\n]{0,200})\}"), r"\n\n# \1\n\n"),
    (re.compile(r"\\(?:emph|textit)\{([^{}]{0,500})\}"), r"*\1*"),
    (re.compile(r"\\textbf\{([^{}]{0,500})\}"), r"**\1**"),
    (re.compile(r"\\(?:texttt|verb\|)\{?([^{}|\n]{0,200})[}|]"), r"`\1`"),
    (re.compile(r"\\item\b(?:\[[^\]\n]{0,100}\])?[ \t]*"), r"\n- "),
    (re.compile(r"\\(?:begin|end)\{[A-Za-z*]{1,40}\}(?:\[[^\]\n]{0,100}\])?"), "\n"),
    (re.compile(_PREAMBLE), ""),
    (re.compile(r"\\(?:maketitle|tableofcontents|newpage|noindent|clearpage|par)\b"), "\n\n"),
    (re.compile(r"``|''"), '"'),
    (re.compile(r"(?<!\\)~"), " "),
    (re.compile(r"\\([%$&#_])"), r"\1"),
]


def latex_as_markdown(text: str) -> str:
    """The prose of a document as Markdown, for display, without its preamble, comments and definitions."""
    begin = text.find("\\begin{document}")
    text = text[max(begin, 0) :].split("\\end{document}")[0]
    pieces, at = [], 0
    for start, end, _, _ in definitions(text):
        pieces.append(text[at:start])
        at = end
    text = _COMMENT.sub(lambda m: "" if m.group()[0] == "%" else m.group(), "".join([*pieces, text[at:]]))
    for pattern, replacement in _PLAIN:
        text = pattern.sub(replacement, text)
    return text
