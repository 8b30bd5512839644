"""The entry to the parsers: a formula in LaTeX or in the Python-like form → statements; errors give the column."""

from __future__ import annotations

import re

from elman.calculus.expression import Expression, Relation, children
from elman.calculus.syntax.cursor import Cursor
from elman.calculus.syntax.latex_commands import COMMANDS
from elman.calculus.syntax.latex_parser import Parser
from elman.calculus.syntax.names import Names
from elman.calculus.syntax.python import parse_python
from elman.calculus.syntax.tokens import MAX_DEPTH, tokenize
from elman.errors import FormulaError

_PYTHON = re.compile(r"@|\*\*|\.T\b|(?<![\\A-Za-z_])(?:np|torch)\.|\*|\w\.\w+\(")
_LATEX = re.compile(r"\\|\^|_\{|[{}]")


def looks_like_python(text: str) -> bool:
    """Whether a formula is in the Python-like form: it has Python's operators and nothing of LaTeX's."""
    return bool(_PYTHON.search(text)) and not _LATEX.search(text)


def parse_statements(text: str, names: Names | None = None, form: str = "auto") -> list[Relation]:
    """The statements of a formula; `form` is latex, python or auto.

    Raises `FormulaError`, with the column, for what cannot be read.
    """
    names = names or Names()
    if not text.strip():
        raise FormulaError("an empty formula", 1)
    python = looks_like_python(text) if form == "auto" else form == "python"
    found = parse_python(text, names) if python else _parse_latex(text, names)
    for relation in found:
        for part in relation.parts:
            _check_depth(part)
    return found


def _parse_latex(text: str, names: Names) -> list[Relation]:
    return Parser(Cursor(tokenize(text), len(text)), names, COMMANDS).statements()


def parse(text: str, names: Names | None = None, form: str = "auto") -> Expression:
    """The expression of a formula; `FormulaError` if the formula is a relation or a list."""
    found = parse_statements(text, names, form)
    if len(found) != 1 or len(found[0].parts) != 1:
        raise FormulaError("one expression is expected here, without a relation or a list", 1)
    return found[0].parts[0]


def _check_depth(e: Expression) -> None:
    stack = [(e, 1)]
    while stack:
        node, depth = stack.pop()
        if depth > MAX_DEPTH:
            raise FormulaError(f"this formula nests deeper than {MAX_DEPTH}: name its parts", node.span[0] + 1)
        stack += [(child, depth + 1) for child in children(node)]
