"""What the author tells the reader: directives (`<!-- elman: b is a number -->`) and `--assume b=1`."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace

from elman.calculus.shapes.inference import declared
from elman.calculus.syntax.names import canonical, fold
from elman.errors import ConfigError, FormulaError
from elman.notes.page.declarations import symbol_name
from elman.notes.page.page import Assumption, Page, ShapeLine, kind_of

DIRECTIVES = (
    "b is a number, x is a column [n], x is a row [n], W is a matrix [m,n], W [m,n], f is any function, "
    "e is Euler's number, l numbers the layers, i numbers the examples, t numbers the steps"
)
_NAME = r"\$?(?P<name>[^\s$=,;:\[\]()]+)\$?"
_SHAPE = r"(?P<shape>\[[^\[\]]*\]|\([^()]*\))"
_FORMS = tuple(
    re.compile(form, re.IGNORECASE)
    for form in (
        rf"{_NAME}\s*=\s*(?P<plain>[^=]*)",
        rf"{_NAME}\s*(?:is|:|has shape)?\s*{_SHAPE}",
        rf"{_NAME} is an? (?P<role>number|scalar|column|row|matrix)(?: vector)?\s*{_SHAPE}?",
        rf"{_NAME} is an? (?P<role>vector)\s*{_SHAPE}?",
        rf"{_NAME} is (?:any|an unknown|a) (?P<role>function)",
        rf"{_NAME} is (?P<role>Euler)['’]s number",
        rf"{_NAME} numbers the (?:time )?(?P<role>layers|examples|steps)",
    )
)  # fmt: skip
_ROLES = {"scalar": "number", "vector": "column"}
_STEM = re.compile(r"[^\W\d_]+")
_COMMAND = re.compile(r"\\([A-Za-z]+)")


def read_assumption(written: str, line: int = 0, cell: int | None = None) -> Assumption:
    """One assumption from its words or from `NAME=ROWS,COLUMNS`.

    Raises `FormulaError` with the reason if it is not one.
    """
    text = " ".join(written.split()).rstrip(".")
    found = next((match for form in _FORMS if (match := form.fullmatch(text))), None)
    if found is None:
        raise FormulaError(f"{text!r} is not known: write it like one of {DIRECTIVES}; or NAME=ROWS,COLUMNS")
    parts = found.groupdict()
    name = _canonical(parts["name"])
    role = (parts.get("role") or "").lower()
    role = _ROLES.get(role, role)
    shape = parts.get("plain") if parts.get("plain") is not None else parts.get("shape")
    if shape is None:
        rows, columns = ("1", "1") if role == "number" else ("", "")
        return Assumption(name, role, rows, columns, line, cell, text)
    rows, columns = declared({name: shape})[name]
    if role == "row" and columns == "1":
        rows, columns = columns, rows
    if role and rows and role != kind_of(rows, columns) and not (role in ("row", "column") and rows == columns == "1"):
        raise FormulaError(f"{text!r} contradicts itself: [{rows},{columns}] is a {kind_of(rows, columns)}")
    return Assumption(name, role or kind_of(rows, columns), rows, columns, line, cell, text)


def _canonical(name: str) -> str:
    """The canonical name of a letter as the author writes it: `W_h`, `\\lambda`, `ŷ`."""
    found = canonical(name) if name.isidentifier() else symbol_name(name)
    if found is None:
        raise FormulaError(f"{name} is not the name of a letter: write it as in W_h, \\lambda or y_hat")
    return found


def assuming(page: Page, assumptions: Iterable[Assumption]) -> Page:
    """The page with these assumptions besides its own; they replace what the page says of the same letters."""
    joined = {fold(each.name): each for each in (*page.assumptions, *assumptions)}
    kept = [line for line in page.shapes if fold(line.name) not in joined]
    given = [
        ShapeLine(each.name, each.rows, each.columns, -1, -1, each.line, each.text, each.cell)
        for each in joined.values()
        if each.rows
    ]
    return replace(page, shapes=(*given, *kept), assumptions=tuple(joined.values()))


def assuming_options(page: Page, options: Iterable[str]) -> Page:
    """The page with the assumptions of the command line, such as `b=1`, which override the page's own.

    Raises `ConfigError` for what is no assumption, and for a letter that no formula of the page has.
    """
    found = []
    for option in options:
        try:
            each = read_assumption(option)
        except FormulaError as error:
            raise ConfigError(f"--assume {option}: {error.reason}") from None
        if not _occurs(each.name, page):
            raise ConfigError(f"--assume {option}: no formula of {page.path} has {each.name}")
        found.append(each)
    return assuming(page, found)


def _occurs(name: str, page: Page) -> bool:
    """Whether the letter of a name, such as W of W_h, is in some formula of the page."""
    stem = _STEM.match(name)
    texts = [formula.text for formula in page.formulas]
    return stem is None or any(
        stem.group() in canonical(_COMMAND.sub(" ", text)) or stem.group() in _COMMAND.findall(text) for text in texts
    )
