"""The prose of a LaTeX document as Markdown, for the report."""

from __future__ import annotations

import re

from elman.notes.page.latex import COMMENT
from elman.notes.page.macros import definitions

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
    """The document as Markdown, without its preamble, comments and definitions of macros."""
    begin = text.find("\\begin{document}")
    text = text[max(begin, 0) :].split("\\end{document}")[0]
    pieces, at = [], 0
    for start, end, _, _ in definitions(text):
        pieces.append(text[at:start])
        at = end
    text = COMMENT.sub(lambda m: "" if m.group()[0] == "%" else m.group(), "".join([*pieces, text[at:]]))
    for pattern, replacement in _PLAIN:
        text = pattern.sub(replacement, text)
    return text
