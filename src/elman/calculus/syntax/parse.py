"""The entry to the parsers: a formula in LaTeX or in the Python-like form → statements; errors give the column."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from elman.calculus.expression import Expression, Relation
from elman.calculus.syntax.cursor import Cursor
from elman.calculus.syntax.decoration import without_decoration
from elman.calculus.syntax.grammar import Grammar
from elman.calculus.syntax.latex_commands import COMMANDS
from elman.calculus.syntax.latex_parser import Parser
from elman.calculus.syntax.names import GREEK, Names
from elman.calculus.syntax.parentheses import with_parentheses_closed
from elman.calculus.syntax.points import with_points_read
from elman.calculus.syntax.primed_indices import with_primed_indices
from elman.calculus.syntax.python import parse_python
from elman.calculus.syntax.relations import NotRead, Reading, check_depth, read_relations
from elman.calculus.syntax.tokens import Token, tokenize
from elman.calculus.syntax.windows import with_windows_read
from elman.calculus.syntax.words_below import with_words_below
from elman.errors import FormulaError

__all__ = ["NotRead", "Reading", "looks_like_python", "parse", "parse_statements", "read_formula"]
_PYTHON = re.compile(r"@|\*\*|\.T\b|(?<![\\A-Za-z_])(?:np|torch)\.|\*|\w\.\w+\(")
_LATEX = re.compile(r"\\|\^|_\{|[{}]")
_MATHEMATICS = re.compile(
    r"[\\^∂∑∇{}×·⋅√]|[\u00b2\u00b3\u00b9\u02b0-\u02ff\u0370-\u03ff\u1d2c-\u1d6a\u2070-\u209c]"  # Greek, raised, lowered
    r"|[\u00e2-\u0177\u0300-\u036f]"  # ŷ
)


def looks_like_python(text: str) -> bool:
    """Whether a formula is in the Python-like form: it has Python's operators and nothing of LaTeX's."""
    return bool(_PYTHON.search(text)) and not _LATEX.search(text)


def read_formula(text: str, names: Names | None = None, form: str = "auto") -> Reading:
    """What a formula says, and the parts of it that cannot be read; `form` is latex, python, code or auto.

    Code is Python, or the mathematics that people write in a block of code: ∂L/∂W = x^T δ. Raises `FormulaError`, with
    the column, for an empty formula and for one that cannot be read at all.
    """
    names = names or Names()
    if not text.strip():
        raise FormulaError("an empty formula", 1)
    python = looks_like_python(text) if form == "auto" else form != "latex"
    if not python:
        return _read_latex(text, names)
    try:
        found = parse_python(text, names)
        for relation in found:
            for part in relation.parts:
                check_depth(part)
        return Reading(tuple(found), ())
    except FormulaError:
        mathematics = text.lstrip().startswith("=") or _MATHEMATICS.search(text) is not None
        reading = _read_latex(text, names, form) if form == "code" and mathematics else None
        if reading is None or reading.not_read:
            raise
        return reading


def _read_latex(text: str, names: Names, form: str = "latex") -> Reading:
    tokens = tokenize(text)
    if form == "code":
        tokens = with_words_below(tokens)
    tokens = with_points_read(without_decoration(with_parentheses_closed(tokens)))
    tokens = with_primed_indices(with_windows_read(tokens))
    if _is_bare("sigma", tokens):
        names = replace(names, letters=names.letters | {"sigma"})
    names = _with_functions_of_rules(tokens, names)

    def parser(cursor: Cursor) -> Grammar:
        return Parser(cursor, names, COMMANDS)

    return read_relations(tokens, names, parser, len(text))


def _is_bare(name: str, tokens: list[Token]) -> bool:
    """Whether a function is written in a formula without what it is applied to: σ' = σ (1 - σ). The numerator of
    dσ/dx is no such place where the formula applies σ.
    """
    places = [i for i, token in enumerate(tokens) if token.kind == "command" and token.text == name]
    applied = any(t.kind == "(" for i in places for t in tokens[i + 1 : i + 2])
    for i in places:
        if not (applied and _is_numerator(tokens, i)):
            kind = tokens[i + 1].kind if i + 1 < len(tokens) else ""
            if kind in ("", ")", "}", "]", "=", "+", "-", ",", "newline", "&", "."):
                return True
    return False


def _with_functions_of_rules(tokens: Sequence[Token], names: Names) -> Names:
    """The names of a formula that says the derivative of a function, σ'(z) = σ(z) (1 - σ(z)), though a letter of the
    page is called the same.
    """
    found = _of_rules_for_derivatives(tokens) - names.functions
    if "sigma" in found:  # σ is a function of every page that has no other use for it
        names = replace(names, known=names.known - {"sigma"}, letters=names.letters - {"sigma"})
    return replace(names, functions=names.functions | found - {"sigma"})


def _of_rules_for_derivatives(tokens: Sequence[Token]) -> set[str]:
    """The functions of a rule for a derivative, f'(z) = f(z) (1 - f(z)): those that are applied to one letter, with a
    prime and without, and stand nowhere else in the formula, though they may be letters elsewhere on the page.
    """
    written = [("\\" + t.text if t.kind == "command" else t.text) for t in tokens]
    found = set[str]()
    for i, token in enumerate(tokens[:-4]):
        argument = written[i + 2 : i + 5]
        is_letter = token.kind == "letter" or token.text in GREEK
        if (
            not is_letter
            or written[i + 1] != "'"
            or argument[::2] != ["(", ")"]
            or not argument[1].strip("\\").isalpha()
        ):
            continue
        places = [k for k, name in enumerate(written) if name == written[i]]
        behind = [written[k + 1 + (written[k + 1 : k + 2] == ["'"]) :][:3] for k in places]
        primed = [written[k + 1 : k + 2] == ["'"] for k in places]
        if behind.count(argument) == len(places) and not all(primed):
            found.add(token.text)
    return found


def _is_numerator(tokens: Sequence[Token], i: int) -> bool:
    r"""Whether a token is the letter of \frac{d σ}{…}."""
    before = [t.text for t in tokens[max(i - 3, 0) : i]]
    return (
        before[:2] == ["frac", "{"]
        and before[2:] in (["d"], ["partial"], ["differential"])
        and (tokens[i + 1].kind == "}" if i + 1 < len(tokens) else False)
    )


def parse_statements(text: str, names: Names | None = None, form: str = "auto") -> list[Relation]:
    """The statements of a formula; `form` is latex, python, code or auto.

    Raises `FormulaError`, with the column, for the first part that cannot be read.
    """
    reading = read_formula(text, names, form)
    if reading.not_read:
        raise reading.not_read[0].error
    return list(reading.relations)


def parse(text: str, names: Names | None = None, form: str = "auto") -> Expression:
    """The expression of a formula; `FormulaError` if the formula is a relation or a list."""
    found = parse_statements(text, names, form)
    if len(found) != 1 or len(found[0].parts) != 1:
        raise FormulaError("one expression is expected here, without a relation or a list", 1)
    return found[0].parts[0]
