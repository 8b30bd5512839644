"""The formulas of a page → statements: parsed, with every place counted in the formula as the page writes it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from elman.calculus.expression import Expression, Relation, transform
from elman.calculus.syntax.names import Names
from elman.calculus.syntax.parse import read_formula
from elman.errors import FormulaError
from elman.notes.model.nabla import with_gradients_by
from elman.notes.model.page_model import Statement, Unread
from elman.notes.model.sums import with_bounds
from elman.notes.model.surroundings import in_context
from elman.notes.page.page import Page
from elman.notes.page.reader import readable


def read_statements(page: Page, names: Names) -> tuple[tuple[Statement, ...], tuple[Unread, ...]]:
    """The statements of all formulas in the order of the page, and what of them cannot be read."""
    statements: list[Statement] = []
    unread: list[Unread] = []
    for formula in page.formulas:
        places: Sequence[int] | None = None
        try:
            text, places = readable(page, formula)
            reading = read_formula(text, names, "code" if formula.kind == "code" else "latex")
        except FormulaError as error:
            unread.append(Unread(formula, _at_its_place(error, places), (0, len(formula.text))))
            continue
        for relation in reading.relations:
            placed = relation if text == formula.text else _in_page(relation, places)
            statements.append(Statement(formula, placed, len(statements)))
        for part in reading.not_read:
            span = (places[part.span[0]], places[part.span[1]])
            left = part.left if part.left is None or text == formula.text else _placed(part.left, places)
            unread.append(Unread(formula, _at_its_place(part.error, places), span, left))
    kept, open_ = with_gradients_by(with_bounds(in_context(statements, unread)))
    return kept, (*unread, *open_)


def _at_its_place(error: FormulaError, places: Sequence[int] | None) -> FormulaError:
    """The error with its column in the formula as the page writes it, macros not expanded."""
    if places is None or error.column is None:
        return error
    return FormulaError(error.reason, places[min(error.column, len(places)) - 1] + 1)


def _in_page(relation: Relation, places: Sequence[int]) -> Relation:
    """The relation with its spans in the formula as the page writes it, macros not expanded."""

    regions = tuple((places[start], places[end]) for start, end in relation.regions)
    return replace(relation, parts=tuple(_placed(part, places) for part in relation.parts), regions=regions)


def _placed(e: Expression, places: Sequence[int]) -> Expression:
    """An expression with its spans in the formula as the page writes it."""

    def placed(node: Expression) -> Expression:
        start, end = node.span
        return replace(node, span=(places[start], max(places[end - 1] + 1, places[start])) if end else node.span)

    return transform(e, placed)
