r"""Equations that a page states in words: of a distribution, of a one-hot vector, of a matrix by its columns.

"ŷ is the probability distribution P(O | C = c)", where the page gives P(O = o | C = c), says what ŷ_k is. "y is a
one-hot vector with a 1 for the word o" says that y_k is 1(k = o). "The columns of U are the vectors u_w" says that U is
all the u_w together.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from elman.calculus.expression import Entry, Expression, Symbol
from elman.notes.model.page_model import Statement
from elman.notes.page.declarations import symbol_name
from elman.notes.page.page import SUPPLIED, Formula, Page

_K = "k"  # the index of what is said in words
_PROBABILITY = re.compile(
    r"\s*(?P<letter>[A-Za-z])\s*\(\s*(?P<random>[A-Z])\s*=\s*(?P<value>[a-z])\s*(?:\\mid|\\vert|\|)[^()]*\)\s*&?=\s*"
    r"(?P<right>[^=]+)"
)
_LABEL = re.compile(r"\\label\s*\{[^{}]*\}|[.,;]?\s*\Z")
_DISTRIBUTION = (
    r"\$(?P<name>[^$]{{1,40}})\$\s+(?:is|denotes)\s+(?:the|a)\s+(?:\w+\s+){{0,3}}distribution\s+"
    r"\$\s*{letter}\s*\(\s*{random}\s*(?:\\mid|\\vert|\|)"
)
_ONE_HOT = re.compile(
    r"\$(?P<name>[^$]{1,40})\$\s+is\s+(?:a|the)\s+one-?\s?hot\s+vector\s+with\s+a\s+\$?1\$?\s+(?:for|at|in)\s+"
    r"(?:[a-z]+\s+){0,6}\$(?P<index>[a-z])\$"
)
_COLUMNS = re.compile(
    r"\bcolumns\s+of\s+\$(?P<matrix>[^$]{1,30})\$\s+are\s+[^.$]{0,60}\$(?P<column>[^$]{1,40})\$", re.IGNORECASE
)


def with_equations_in_words(page: Page) -> Page:
    """The page with a formula for each equation that it states in words."""
    found = [Formula(text, -1, 0, 0, SUPPLIED) for text in _equations(page)]
    return replace(page, formulas=(*found, *page.formulas)) if found else page


def _equations(page: Page) -> Iterator[str]:
    seen = set[str]()
    for formula in page.formulas:
        given = _PROBABILITY.match(formula.text)
        if given is None:
            continue
        said = re.search(_DISTRIBUTION.format(**given.groupdict()), page.text)
        if said is not None and said["name"] not in seen:
            seen.add(said["name"])
            right = _LABEL.sub("", given["right"])
            entry = re.sub(rf"_\s*(?:{given['value']}(?![A-Za-z])|\{{\s*{given['value']}\s*\}})", f"_{{{_K}}}", right)
            if entry != right:
                yield f"{said['name']}_{{{_K}}} = {entry}"
    said = _ONE_HOT.search(page.text)
    if said is not None:
        name = re.sub(r"_\s*(?:\w|\{\w\})\s*$", "", said["name"])
        yield rf"{name}_{{{_K}}} = \mathbb{{1}}({_K} = {said['index']})"


def with_columns_as_letters(statements: Sequence[Statement], page: Page) -> tuple[Statement, ...]:
    """The statements with U as the letter of all its columns u_w, where the page says that these are its columns and
    says no more of U.
    """
    columns = _columns(page)
    defined = {s.parts[0].name for s in statements if isinstance(s.parts[0], Symbol) and len(s.parts) > 1}
    nodes = [n for s in statements for n in s.nodes()]
    indexed = {n.of.name for n in nodes if isinstance(n, Entry) and isinstance(n.of, Symbol)}
    known = {m: c for m, c in columns.items() if m not in defined | indexed and c in indexed}
    if not known:
        return tuple(statements)

    def change(node: Expression) -> Expression:
        if isinstance(node, Symbol) and node.time is None and node.name in known:
            return replace(node, name=known[node.name])
        return node

    return tuple(s.transformed(change) for s in statements)


def _columns(page: Page) -> Mapping[str, str]:
    """By the name of a matrix, the letter of its columns, as the words of the page say."""
    found: dict[str, str] = {}
    for said in _COLUMNS.finditer(page.text):
        matrix, column = symbol_name(said["matrix"]), symbol_name(re.sub(r"_\s*(?:\w|\{\w\})\s*$", "", said["column"]))
        if matrix and column:
            found.setdefault(matrix, column)
    return found
