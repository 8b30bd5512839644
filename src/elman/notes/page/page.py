"""The values that the room returns: a page, its formulas and its declared shapes."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from elman.representation import short_repr

SUPPLIED = "supplied"  # the kind of a formula that is not written on the page
_BY = re.compile(r" ?(?:×|-by-|\bby\b|(?<![A-Za-z])x(?![A-Za-z])) ?")


@dataclass(frozen=True, slots=True)
class Formula:
    """A formula as the page writes it.

    `text` is what is between the delimiters, without the white space at its ends, and `start` its offset in
    `Page.text`; `line` and `column` are the same place, from 1 (in a notebook, the line in its cell). `kind` is
    display (`$$`, an environment), inline (`$`), or code (a line of a code block). `before` is the prose between the
    last formula and this one, `heading` the heading above it; `cell` is the cell of a notebook, from 1;
    `outer` are the offsets of the formula with its delimiters; `alone` says that nothing else is in its lines, but for
    the mark of a list.
    """

    text: str
    start: int
    line: int
    column: int
    kind: str
    before: str = ""
    heading: str = ""
    cell: int | None = None
    outer: tuple[int, int] = (0, 0)
    alone: bool = False

    @property
    def is_within_text(self) -> bool:
        """Whether words stand beside it in its line: it may be a condition then, "if n = 1", and no definition."""
        return self.kind == "inline" and not self.alone

    def line_at(self, offset: int) -> int:
        """The line of an offset in `text`, counted as `line` is."""
        return self.line + self.text.count("\n", 0, offset)


@dataclass(frozen=True, slots=True)
class ShapeLine:
    """A declared shape: `W_h.shape = [Dh,Dh]`, `W \\in \\mathbb{R}^{m \\times n}`, a cell of a table, or words.

    `name` is canonical; `rows` and `columns` are dimensions (`Dh`, `2*H`, `1`). `start` and `end` are the offsets of
    the written shape in `Page.text`, with its brackets, so that it can be replaced; `source` is the whole line.
    """

    name: str
    rows: str
    columns: str
    start: int
    end: int
    line: int
    source: str
    cell: int | None = None

    def written(self, rows: str, columns: str, as_it_stands: str) -> str:
        """Another shape in the style of this one; `as_it_stands` is the page's text from `start` to `end`."""
        if len(as_it_stands) > 1 and as_it_stands.startswith("$") and as_it_stands.endswith("$"):
            return f"${self.written(rows, columns, as_it_stands[1:-1])}$"
        by = _BY.search(as_it_stands)
        if by and as_it_stands[0] not in "[({":
            return f"{rows}{by.group()}{columns}"
        if as_it_stands.startswith("{") or "\\times" in as_it_stands:
            inner = rf"{rows} \times {columns}" if columns != "1" else rows
            return "{" + inner + "}" if as_it_stands.startswith("{") else inner
        if not as_it_stands.startswith(("[", "(")):
            return f"[{rows},{columns}]"
        comma = ", " if ", " in as_it_stands else ","
        close = "]" if as_it_stands.startswith("[") else ")"
        return f"{as_it_stands[0]}{rows}{comma}{columns}{close}"


def kind_of(rows: str, columns: str) -> str:
    """What has this shape: a number, a column, a row or a matrix."""
    if columns == "1":
        return "number" if rows == "1" else "column"
    return "row" if rows == "1" else "matrix"


@dataclass(frozen=True, slots=True)
class Kind:
    """What the words of a page call a letter: `kind` is number, column, row or matrix.

    `name` is canonical; `words` is the phrase, `start` its offset in `Page.text`, `line` and `cell` its place.
    """

    name: str
    kind: str
    words: str
    start: int
    line: int
    cell: int | None = None


@dataclass(frozen=True, slots=True)
class Assumption:
    """What the author tells the reader of a letter, by a directive on the page or by `--assume`.

    `role` is number, column, row or matrix; function (any function), euler (Euler's number); layers, examples or steps
    (the letter numbers these). `rows` and `columns` are "" where no size is given. `line` is 0 for the command line;
    `text` is the assumption as it was written.
    """

    name: str
    role: str
    rows: str = ""
    columns: str = ""
    line: int = 0
    cell: int | None = None
    text: str = ""


@dataclass(frozen=True, slots=True)
class Page:
    """A page: its text, its formulas and declared shapes, in order.

    `unchecked` are the formulas that the page's directives (`<!-- elman check: off -->` … `<!-- elman check: on -->`)
    exclude, and `skipped` is their number; `aliases` maps another spelling of a name to the page's own
    (`gamma_1` → `gamma`); `one_hot` are the names that the page calls one-hot; `macros` are those that it defines, each
    with its number of arguments. For a notebook `text` is its cells joined, `cells` the offset at which each begins,
    and `source` the JSON of the file. `kind` is markdown, latex, text or notebook.

    `words` are what the prose calls its letters, in order ("the vector x"); `properties` are what it says of them
    ("symmetric"). `assumptions` are what the author tells the reader (`<!-- elman: b is a number -->`, `--assume`).
    They override the rest of the page; their shapes are in `shapes`, with a `start` of -1.
    """

    path: Path
    text: str
    formulas: tuple[Formula, ...]
    shapes: tuple[ShapeLine, ...]
    skipped: int = 0
    one_hot: frozenset[str] = frozenset()
    cells: tuple[int, ...] = ()
    aliases: Mapping[str, str] = field(default_factory=dict)
    macros: Mapping[str, tuple[int, str]] = field(default_factory=dict)
    kind: str = "markdown"
    source: str = field(default="", repr=False)
    unchecked: tuple[Formula, ...] = ()
    words: tuple[Kind, ...] = ()
    properties: Mapping[str, frozenset[str]] = field(default_factory=dict)
    assumptions: tuple[Assumption, ...] = ()

    __repr__ = short_repr

    @property
    def kinds(self) -> Mapping[str, Kind]:
        """What each letter is called, by name; without letters that are called two different things."""
        found: dict[str, Kind] = {}
        unclear = set[str]()
        for each in self.words:
            if found.setdefault(each.name, each).kind != each.kind:
                unclear.add(each.name)
        found = {name: each for name, each in found.items() if name not in unclear}
        for assumed in self.assumptions:
            found.pop(assumed.name, None)
            if assumed.role in ("number", "column", "row", "matrix"):
                found[assumed.name] = Kind(assumed.name, assumed.role, assumed.text, -1, assumed.line, assumed.cell)
        return found

    def place(self, offset: int) -> tuple[int, int, int | None]:
        """Line and column of an offset, from 1, and the cell of a notebook, in which its lines are then counted."""
        cell = bisect_right(self.cells, offset)
        begin = self.cells[cell - 1] if cell else 0
        line = self.text.count("\n", begin, offset) + 1
        column = offset - max(self.text.rfind("\n", begin, offset) + 1, begin) + 1
        return line, column, cell or None
