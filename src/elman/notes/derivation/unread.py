"""Equations of a page that are not read: what depends on one is not derived as if it were given."""

from __future__ import annotations

import re

from elman.calculus.expression import symbols
from elman.calculus.printing.render import latex
from elman.calculus.syntax.parse import parse_statements
from elman.errors import FormulaError
from elman.notes.model.page_model import PageModel, Unread

_SIGN = re.compile(r"(?<![<>!:])(?::=|&=|=)")


def check_is_read(model: PageModel, loss: str, used: set[str]) -> None:
    """Raises `FormulaError`, with the line, where a formula that is not read may define one of the names in `used`, or
    may use the loss.
    """
    for unread in _equations(model):
        defined, right = _sides(unread, model)
        behind = _names(right, model)
        if defined is None or (defined & used and defined.isdisjoint(model.equations)):
            name = ", ".join(sorted(defined or ())) or "what it defines"
            raise FormulaError(f"{_described(unread)} is not read, so nothing with {name} is derived: {unread.error}")
        if loss in (behind if behind is not None else _words(right)) and loss not in defined:
            raise FormulaError(f"{_described(unread)} is not read, and it uses the loss {loss}: {unread.error}")


def set_aside(model: PageModel) -> list[str]:
    """The equations that are not read, each with its line and the reason; none has a part in the derivation."""
    return [f"line {_line(u)}: {u.error}" for u in _equations(model)]


def first_unread(model: PageModel) -> str:
    """The first equation that is not read, in words; empty where all are."""
    return next((f"line {_line(u)} is not read: {u.error}" for u in _equations(model)), "")


def _equations(model: PageModel) -> list[Unread]:
    """What is not read and may be an equation."""
    return [u for u in model.unread if u.left is not None or _SIGN.search(_source(u))]


def _source(unread: Unread) -> str:
    """What is not read, on one line."""
    start, end = unread.span
    return re.sub(r"\s+", " ", unread.formula.text[start:end]).strip()


def _line(unread: Unread) -> int:
    start, end = unread.span
    text = unread.formula.text[start:end]
    return unread.formula.line_at(start + len(text) - len(text.lstrip()))


def _described(unread: Unread) -> str:
    left = "" if unread.left is None else f"{latex(unread.left)} = "
    return f"line {_line(unread)}: {left}{_source(unread)}"


def _sides(unread: Unread, model: PageModel) -> tuple[set[str] | None, str]:
    """The names that an equation may define, None where its left side cannot be read, and its right side."""
    source = _source(unread)
    if unread.left is not None:
        return {s.name for s in symbols(unread.left)}, source
    sign = _SIGN.search(source)
    assert sign is not None
    return _names(source[: sign.start()].strip(" &"), model), source[sign.end() :]


def _names(side: str, model: PageModel) -> set[str] | None:
    """The names in one side of an equation; None where it cannot be read."""
    try:
        relations = parse_statements(side, model.names, "latex")
    except FormulaError:
        return None
    return {s.name for relation in relations for part in relation.parts for s in symbols(part)}


def _words(side: str) -> set[str]:
    return set(re.findall(r"[A-Za-z]+", side))
