"""Equations of a page that are not read: what depends on one is not derived as if it were given."""

from __future__ import annotations

import re
from collections.abc import Iterator

from elman.calculus.expression import symbols
from elman.calculus.syntax.parse import parse_statements
from elman.errors import FormulaError
from elman.notes.model.page_model import PageModel, Unread

_SIGN = re.compile(r"(?<![<>!:])(?::=|&=|=)")


def check_is_read(model: PageModel, loss: str, used: set[str]) -> None:
    """Raises `FormulaError`, with the line, where a formula that is not read may define one of the names in `used`, or
    may use the loss.
    """
    for unread in model.unread:
        error = unread.error
        for line, row in _rows(unread):
            left, sign, right = _parted(row)
            if not sign:
                continue
            goes_on = not left and unread.left is not None  # a row that begins with a sign
            defined = {s.name for s in symbols(unread.left)} if goes_on and unread.left else _names(left, model)
            behind = _names(right, model)
            if defined is None or (defined & used and defined.isdisjoint(model.equations)):
                name = ", ".join(sorted(defined or ())) or "what it defines"
                raise FormulaError(
                    f"line {line}: {row.strip()} is not read, so nothing with {name} is derived: {error}"
                )
            if loss in (behind if behind is not None else _words(right)) and loss not in defined:
                raise FormulaError(f"line {line}: {row.strip()} is not read, and it uses the loss {loss}: {error}")


def set_aside(model: PageModel) -> list[str]:
    """The formulas that are not read, each with its line and the reason; none of them has a part in the derivation."""
    return [f"line {line}: {unread.error}" for unread in model.unread for line, row in _rows(unread) if _parted(row)[1]]


def _rows(unread: Unread) -> Iterator[tuple[int, str]]:
    """The rows of a display in which something is not read, each with its line on the page."""
    line, at = unread.formula.line, 0
    for row in re.split(r"(\\\\)", unread.formula.text):
        touched = at < unread.span[1] and unread.span[0] < at + len(row)
        if row.strip() and row != r"\\" and touched:
            skipped = row[: len(row) - len(row.lstrip())]
            yield line + skipped.count("\n"), re.sub(r"\s+", " ", row)
        line += row.count("\n")
        at += len(row)


def _parted(row: str) -> tuple[str, str, str]:
    """The left side of an equation, its sign, and the rest."""
    found = _SIGN.search(row)
    if found is None:
        return row, "", ""
    return row[: found.start()].strip(" &"), found.group(), row[found.end() :]


def _names(side: str, model: PageModel) -> set[str] | None:
    """The names in one side of an equation; None where it cannot be read."""
    try:
        relations = parse_statements(side, model.names, "latex")
    except FormulaError:
        return None
    return {s.name for relation in relations for part in relation.parts for s in symbols(part)}


def _words(side: str) -> set[str]:
    return set(re.findall(r"[A-Za-z]+", side))
