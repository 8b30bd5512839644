"""x_{i:} of a page that calls it any entry of row i: x_{ij}, with a letter that its formulas do not have."""

from __future__ import annotations

import re
from functools import lru_cache

from elman.notes.page.page import Page

_SLICE = re.compile(r"_\{([a-z]):\}")
_ANY_ENTRY = re.compile(
    r"_\{(?P<row>[a-z]):\}\s*\$[^$\n。]{0,12}(?:\$[^$\n]*\$)?[^$\n。]{0,12}"
    r"(?:任意一个元素|任一元素|任意元素|\bany\s+(?:one\s+)?(?:element|entry)\b)"
)


def with_any_entry(text: str, page: Page) -> str:
    """A formula with x_{ij} for x_{i:}, where the page says so; all places stay as they are."""
    if ":}" not in text:
        return text
    rows, column = _said(page.text), _column(page)
    return _SLICE.sub(lambda m: f"_{{{m[1]}{column}}}" if m[1] in rows else m[0], text) if column else text


@lru_cache(maxsize=4)
def _said(text: str) -> frozenset[str]:
    """The indices of the rows that a page speaks so of."""
    return frozenset(m["row"] for m in _ANY_ENTRY.finditer(text))


def _column(page: Page) -> str | None:
    """The first letter that no formula with a slice has."""
    used = "".join(f.text for f in page.formulas if _SLICE.search(f.text))
    return next((letter for letter in "jlqs" if not re.search(rf"(?<![A-Za-z\\]){letter}(?![A-Za-z])", used)), None)
