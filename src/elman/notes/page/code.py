"""Formulas in code blocks and in plain text: which lines are equations, and which are a program or prose."""

from __future__ import annotations

import ast
import re

from elman.calculus.expression import Call, Derivative, Entry, Relation, Symbol, children
from elman.calculus.functions import SPELLINGS
from elman.calculus.syntax.names import GREEK, Names
from elman.calculus.syntax.parse import looks_like_python, parse_statements
from elman.calculus.syntax.python import syntax_tree
from elman.errors import FormulaError
from elman.notes.page.scanner import Scan

_PROGRAM = re.compile(
    r"^[ \t]*(?:import|from|def|class|for|while|if|elif|else|with|return|print|assert|try|except|raise|async|lambda"
    r"|function|end|plt|>>>|@\w)\b|^[ \t]*(?:print|plt\.\w+)\(|[{;][ \t]*$",
    re.MULTILINE,
)
_SHAPE = re.compile(r"\.shape\b")
_EQUALITY = re.compile(r"(?<![=<>!+\-*/@:])=(?!=)|:=")
_QUOTES = re.compile(r"'''|\"\"\"")
_WORD = re.compile(r"(?<![\\\w.])[A-Za-z]{2,}(?:'[a-z]+)?(?![\w(])|[\u3000-\u9fff\uac00-\ud7af\uff00-\uffef]+")
_MATHEMATICS = re.compile(r"[∂∘⊙⊗∑Σᵀ⊤^\\]|\.T\b|@")
_STRING = re.compile(r"(?<![\w)}\]'])'[\w ./-]*'")
_TOO_LONG = 2000
_FRAME = "\u2500-\u257f"  # the signs that boxes are drawn with
_BEFORE = re.compile(
    rf"[\s{_FRAME}]*(?:(?:[-*•]|\d+[.)])\s+)?(?:[A-Z][A-Za-z]*(?:[ -][A-Za-z0-9]+){{0,3}}\s*:\s+)?"
)  # a frame, the mark of a list, a label: "Layer 1:"
_BEHIND = re.compile(rf"(?:\s{{2,}}(?:[Ss]hape:\s*)?\([^()=]*\)|\s+[←✓✅].*|\s*[;{_FRAME}])*\s*\Z")


def read_code(text: str, start: int, end: int, scan: Scan) -> None:
    """Reads a block of code: each line that is an equation is a formula, unless the block is a program."""
    scan.code.append((start, end))
    program = _PROGRAM.search(text, start, end) is not None
    quote = ""
    at = start
    while at < end:
        stop = text.find("\n", at, end)
        stop = end if stop < 0 else stop
        line = text[at:stop]
        before = quote
        for mark in _QUOTES.findall(line):
            quote = "" if quote == mark else quote or mark
        if not (before or quote or program or _QUOTES.search(line)):
            begin, finish = _of_formula(line.split("#")[0])
            if _is_formula(line[begin:finish]):
                scan.add(text, at + begin, at + finish, "code")
        at = stop + 1


def _of_formula(line: str) -> tuple[int, int]:
    """Where the formula of a line begins and ends: without a frame, a label before it, and its shape behind it."""
    before = _BEFORE.match(line)
    begin = before.end() if before else 0
    behind = _BEHIND.search(line, begin)
    return begin, behind.start() if behind else len(line)


def _is_formula(line: str) -> bool:
    """Whether a line of code states an equation."""
    stripped = line.strip()
    if len(stripped) > _TOO_LONG or _SHAPE.search(line) or not _EQUALITY.search(stripped) or stripped[0] in "%!#/-":
        return False
    if '"' in stripped or "'''" in stripped or _STRING.search(stripped):
        return False
    relations = _relations(stripped)
    if relations is not None:
        return any(r.operators and _states(r) for r in relations)
    return bool(_MATHEMATICS.search(stripped)) and not _is_program_line(stripped)


def _relations(text: str, names: Names | None = None) -> list[Relation] | None:
    try:
        return parse_statements(text, names)
    except (FormulaError, RecursionError):
        if looks_like_python(text):
            return None
    try:
        return parse_statements(text, names, "python")
    except (FormulaError, RecursionError):
        return None


def _states(relation: Relation) -> bool:
    """Whether a relation is an equation of quantities, and not a setting such as `lr = 0.1`."""
    left = relation.parts[0]
    return any(
        isinstance(part, Symbol | Derivative | Call | Entry) or children(part) for part in relation.parts[1:]
    ) or (isinstance(left, Derivative))


def _is_program_line(line: str) -> bool:
    """Whether a line is Python that cannot be a formula: it has strings, lists, comparisons or functions."""
    try:
        tree = syntax_tree(line)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return any(
        isinstance(node, ast.List | ast.Dict | ast.Lambda | ast.Compare | ast.JoinedStr | ast.IfExp | ast.ListComp)
        or (isinstance(node, ast.Constant) and not isinstance(node.value, int | float))
        for node in ast.walk(tree)
    )


def read_plain(text: str, start: int, end: int, names: Names, scan: Scan) -> None:
    """Reads lines of plain text: a formula is the part around an = that has no words of prose and can be parsed."""
    scan.code.append((start, end))
    at = start
    while at < end:
        stop = text.find("\n", at, end)
        stop = end if stop < 0 else stop
        line = text[at:stop]
        if "=" in line and not _SHAPE.search(line) and len(line) <= _TOO_LONG:
            for begin, finish in _wordless(line, names):
                scan.add(text, at + begin, at + finish, "code" if looks_like_python(line[begin:finish]) else "inline")
        at = stop + 1


def _wordless(line: str, names: Names) -> list[tuple[int, int]]:
    """The stretches of a line with an = and no word of prose that can be parsed, or look like mathematics."""
    edges = [(m.start(), m.end()) for m in _WORD.finditer(line) if not _is_name(m.group(), names)]
    found = []
    since = 0
    for left, right in [*edges, (len(line), len(line))]:
        piece = line[since:left]
        begin, finish = _trimmed(piece)
        body = piece[begin:finish]
        if _EQUALITY.search(body):
            relations = _relations(body, names)
            if relations is None:
                keep = bool(_MATHEMATICS.search(body)) and len(body) > 4
            else:
                keep = any(r.operators and _states(r) for r in relations)
            if keep:
                found.append((since + begin, since + finish))
        since = right
    return found


def _trimmed(piece: str) -> tuple[int, int]:
    """Where a stretch begins and ends without a list number before it and punctuation around it."""
    lead = re.match(r"\s*(?:\(?\d+[.)]\s+|\(\d+\)\s*|[-*+•]\s+)?[\s:,;.]*", piece)
    begin = lead.end() if lead else 0
    finish = len(piece.rstrip(" \t\r,;.:"))
    tail = re.search(r"\s{2,}\(\d+\)$", piece[begin:finish])
    if tail:
        finish = begin + tail.start()
    return begin, max(begin, finish)


def _is_name(word: str, names: Names) -> bool:
    """Whether letters are a name or a function rather than a word of prose."""
    if word in SPELLINGS or word in GREEK or names.resolve(word) is not None:
        return True
    if not word.isascii() or "'" in word:
        return False
    mixed = (
        len(word) <= 3
        and not word.islower()
        and not (word.istitle() and word in ("The", "For", "Let", "And", "So", "We", "It"))
    )
    return mixed or (len(word) == 2 and word[0] == "d")
