"""Small pieces of the HTML report: badges, sentences, sources, and the names that a page has."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from html import escape

from elman.calculus.expression import symbols
from elman.calculus.printing.mathml_fallback import mathml_loose
from elman.calculus.syntax.names import Names
from elman.calculus.syntax.parse import parse_statements
from elman.errors import FormulaError
from elman.notes.judge.verdict import Claim, Verdict
from elman.notes.page.macros import expand
from elman.notes.page.page import Page
from elman.notes.report.text import SIGNS, manner, named

_SCALAR = "[1,1]"


def names_of(page: Page) -> Names:
    """The names that a page declares, and those that have time steps on it."""
    known = {shape.name for shape in page.shapes} | set(page.aliases)
    timed: set[str] = set()
    for formula in page.formulas:
        if "(t" in formula.text or "_t" in formula.text or "_{t" in formula.text:
            try:
                relations = parse_statements(expand(formula.text, page.macros)[0], Names.of(known))
            except (FormulaError, RecursionError):
                continue
            timed |= {s.name for r in relations for part in r.parts for s in symbols(part) if s.time is not None}
    return Names.of(known, timed)


def source(text: str) -> str:
    """What is no expression: its signs typeset, or where one is not known, the source."""
    return mathml_loose(text) or f'<code class="source">{escape(" ".join(text.split()))}</code>'


def words(text: str) -> str:
    """A sentence as HTML: what stands in backticks as code, and scripts above and below their letters."""
    pieces = re.split(r"`([^`]{1,300})`", text)
    for i, piece in enumerate(pieces):
        plain = escape(piece)
        if i % 2:
            pieces[i] = f"<code>{plain}</code>"
        else:
            plain = re.sub(r"(?<=[^\W\d_])_(\w{1,4}?)(?=\W|$)", r"<sub>\1</sub>", plain)
            pieces[i] = re.sub(r"\^(\([^()\s]{1,8}\)|T\b)", r"<sup>\1</sup>", plain)
    return "".join(pieces)


def said(claim: Claim) -> bool:
    """Whether there is more to say of a claim than its verdict."""
    return not claim.good or (bool(claim.diagnosis) and claim.verdict is not Verdict.NOT_A_CLAIM) or bool(claim.fixes)


def badge(claim: Claim) -> str:
    """A verdict in a pill: its sign, and its words."""
    how = manner(claim.verdict)
    return f'<span class="badge {how}"><span aria-hidden="true">{SIGNS[how]}</span> {escape(named(claim))}</span>'


def moved(shapes: tuple[tuple[int, int, str], ...], places: Sequence[int]) -> Mapping[tuple[int, int], str]:
    """Shapes by the spans that they have once macros are expanded."""
    if isinstance(places, range):
        return {(start, end): shape for start, end, shape in shapes if shape != _SCALAR}
    first: dict[int, int] = {}
    for i, place in enumerate(places):
        first.setdefault(place, i)
    return {(first[s], first[e]): shape for s, e, shape in shapes if s in first and e in first and shape != _SCALAR}
