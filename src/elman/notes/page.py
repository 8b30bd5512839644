"""What a page is made of: formulas with their places, declared shapes, and what is said around them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Formula:
    """A formula as it stands on the page.

    `text` is what is between the delimiters, unchanged, and `start` the offset of its first sign in `Page.text`; `line` and
    `column` are the same place, from 1. `kind` is display (`$$`, an environment), inline (`$`), or code (a line of a code
    block). `before` is the prose between the last formula and this one, `heading` the heading it stands under; `cell` is the
    cell of a notebook, from 1.
    """

    text: str
    start: int
    line: int
    column: int
    kind: str
    before: str = ""
    heading: str = ""
    cell: int | None = None


@dataclass(frozen=True, slots=True)
class ShapeLine:
    """A declared shape: `W_h.shape = [Dh,Dh]`, `W \\in \\mathbb{R}^{m \\times n}`, or a cell of a table.

    `name` is canonical; `rows` and `columns` are as written (`Dh`, `2*H`, `1`). `start` and `end` are the offsets of the
    written shape in `Page.text`, brackets with it, so that it can be replaced; `source` is the whole line.
    """

    name: str
    rows: str
    columns: str
    start: int
    end: int
    line: int
    source: str
    cell: int | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """A page read: its text, formulas in the order of the page, declared shapes, and how many formulas its own directives
    (`<!-- elman check: off -->` … `<!-- elman check: on -->`) took out of the check.

    `aliases` maps another spelling of a name to the page's own (`gamma_1` → `gamma`); `one_hot` names what the page says is
    one-hot. For a notebook `text` is the JSON file's cells joined, and `cells` holds where each begins in it.
    """

    path: Path
    text: str
    formulas: tuple[Formula, ...]
    shapes: tuple[ShapeLine, ...]
    skipped: int = 0
    one_hot: frozenset[str] = frozenset()
    cells: tuple[int, ...] = ()
