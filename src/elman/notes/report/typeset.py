"""Formulas of a page as MathML: as the page writes them, with the shapes of their factors; others as they are read."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from elman.calculus.expression import Expression, symbols
from elman.calculus.printing.mathml import mathml, mathml_operator, mathml_relation
from elman.calculus.syntax.names import Names
from elman.calculus.syntax.parse import parse_statements
from elman.errors import FormulaError
from elman.notes.page.macros import expand
from elman.notes.page.page import Page
from elman.notes.report.displayed_math import displayed_math
from elman.notes.report.shape_labels import Spans, labelled_math

_SCALAR = "[1,1]"
_CODE = re.compile(r"@|(?<![\^_{])\*|\.T\b|(?<![\\A-Za-z])(?:np\.|sum\()")  # signs of Python, not of LaTeX
_AROUND = re.compile(r"^[\s&]+|(?:[\s&,;]|\\\\|\\q?quad(?![A-Za-z]))+$")  # alignment and space around a part
_SEPARATOR = "<span class='sep'>,</span> "

Shapes = tuple[tuple[int, int, str], ...]  # start, end and shape of the letters of a formula


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a chain `a = b = c`: the sign before it, itself, its source, and its offsets in the formula."""

    operator: str
    expression: Expression
    source: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Typesetter:
    """Typesets the formulas of one page, with its macros and names."""

    page: Page
    names: Names

    def parts(self, formula: str) -> list[list[Part]] | None:
        """The statements of a formula, each as its parts; None where it cannot be read."""
        try:
            expanded, places = expand(formula, self.page.macros)
            relations = parse_statements(expanded, self.names)
        except (FormulaError, RecursionError):
            return None
        return [
            [
                Part(
                    operator, part, expanded[slice(*region)],
                    places[part.span[0]], places[min(part.span[1], len(places) - 1)],
                )
                for operator, part, region in zip(
                    ("", *relation.operators), relation.parts, relation.regions, strict=True
                )
            ]
            for relation in relations
        ]  # fmt: skip

    def part(self, part: Part, display: bool = True) -> str:
        """A part of a chain, without shapes."""
        written = None if self.is_code(part.source) else displayed_math(_AROUND.sub("", part.source), display)
        return written or mathml(part.expression, None, display)

    def claim(self, text: str, shapes: Shapes = (), display: bool = False) -> str:
        """A side of a claim as the page writes it, with `shapes` under its factors."""
        try:
            expanded, places = expand(text, self.page.macros)
        except FormulaError:
            return self.unread(text)
        spans = _shapes_by_span(shapes, places)
        written = None if self.is_code(text) else labelled_math(expanded, self.names, spans, display)
        return written or self._read(expanded, spans, display) or self.unread(text)

    def repair(self, text: str) -> str:
        """A repaired formula as it is read, with parentheses around products beside ∘."""
        try:
            expanded, _ = expand(text, self.page.macros)
        except FormulaError:
            return self.unread(text)
        return self._read(expanded, {}, True, True) or self.unread(text)

    def _read(self, expanded: str, spans: Spans, display: bool, grouped: bool = False) -> str | None:
        try:
            relations = parse_statements(expanded, self.names)
        except (FormulaError, RecursionError):
            return None
        return _SEPARATOR.join(mathml_relation(relation, spans, display, grouped) for relation in relations)

    def is_code(self, formula: str) -> bool:
        """Whether a formula is plain text or Python, which LaTeX would show wrongly."""
        return self.page.kind == "text" or _CODE.search(formula) is not None

    def as_written(self, formula: str, display: bool = False) -> str | None:
        """A formula as the page writes it; None where not every command in it is known."""
        try:
            return displayed_math(expand(formula, self.page.macros)[0], display)
        except FormulaError:
            return None

    def unread(self, formula: str, display: bool = False) -> str:
        """A formula that cannot be read: as the page writes it, or else its source."""
        return self.as_written(formula, display) or f'<code class="source">{escape(" ".join(formula.split()))}</code>'

    def inline(self, formula: str, claimed: bool) -> str:
        """A whole formula on a line."""
        written = None if claimed and self.is_code(formula) else self.as_written(formula)
        if written is not None:
            return written
        statements = self.parts(formula)
        if statements is None:
            return self.unread(formula)
        return _SEPARATOR.join("".join(map(_inline_part, parts)) for parts in statements)


def _inline_part(part: Part) -> str:
    return (mathml_operator(part.operator) if part.operator else "") + mathml(part.expression, None, False)


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


def _shapes_by_span(shapes: Shapes, places: Sequence[int]) -> Spans:
    """Shapes by the spans of their factors after the macros are expanded; `places` as `expand` returns them."""
    if isinstance(places, range):
        return {(start, end): shape for start, end, shape in shapes if shape != _SCALAR}
    first: dict[int, int] = {}
    for i, place in enumerate(places):
        first.setdefault(place, i)
    return {(first[s], first[e]): shape for s, e, shape in shapes if s in first and e in first and shape != _SCALAR}
