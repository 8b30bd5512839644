"""A file or a text → a `Page`.

A page has one part, or a part for each cell of a notebook. Each part is scanned by its kind (`Scan`: places alone);
what the scans found is then put together, with lines, headings, prose and declared shapes.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from pathlib import Path

from elman.calculus.syntax.names import Names
from elman.errors import FormulaError, TextError
from elman.files import read_bytes
from elman.notes.page.any_entry import with_any_entry
from elman.notes.page.assumptions import assuming, read_assumption
from elman.notes.page.code import read_code, read_plain
from elman.notes.page.declarations import Declared, in_code, symbol_name
from elman.notes.page.latex import read_latex
from elman.notes.page.layers_of_functions import without_layers_of_functions
from elman.notes.page.macros import expand, macros_of, without_definitions
from elman.notes.page.macros_from_elsewhere import macros_from_elsewhere
from elman.notes.page.markdown import read_markdown
from elman.notes.page.memberships import in_formula
from elman.notes.page.notebook import JOINT, cells_of
from elman.notes.page.page import Assumption, Formula, Kind, Page, ShapeLine
from elman.notes.page.scanner import Lines, Scan, beside, covered
from elman.notes.page.spaced_words import with_whole_words
from elman.notes.page.sums_along_axes import with_sums_along_axes
from elman.notes.page.tables import ONE_HOT, in_table_row, one_hot_near, rows_of_tables
from elman.notes.page.words import said_in, with_shapes_in_words, without_examples, without_products

MAX_BYTES = 16 * 2**20
KINDS = {
    ".md": "markdown", ".markdown": "markdown", ".rmd": "markdown", ".qmd": "markdown", ".tex": "latex",
    ".latex": "latex", ".ltx": "latex", ".txt": "text", ".text": "text", ".ipynb": "notebook",
}  # fmt: skip
_BEFORE = 300
_DOCUMENT = re.compile(r"\\(?:documentclass|section|subsection|begin\s*\{document\}|newcommand|def)\b")
_MARK_OF_LIST = re.compile(r"[ \t>]*(?:(?:[-*+]|\(?\w{1,3}[.)])[ \t]+)?")
_QUOTE = re.compile(r"\n[ \t]*>[ \t]?(?:>[ \t]?)*")
_IN_BOX = re.compile(
    r"(\\(?:f?colorbox|fbox|framebox)\s*(?:\{[^{}]*\}\s*)*\{\s*)\$([^$]*)\$(\s*\})"
)  # a formula in text
_QUOTE_OF_DISPLAY = re.compile(rf"\A>|{_QUOTE.pattern}")


def read_page(path: Path) -> Page:
    """The page in a file: Markdown, LaTeX, a notebook or plain text, by the ending of its name (else Markdown).

    Raises `TextError` for a file that is missing, over 16 MB, binary or not UTF-8, and for a notebook that is not
    one.
    """
    data = read_bytes(path, MAX_BYTES, TextError, "give a page of notes")
    zero = data.find(b"\0")
    if zero >= 0:
        raise TextError(f"{path} is binary: it has a zero byte at offset {zero}")
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise TextError(
            f"{path} is not UTF-8: byte 0x{data[error.start]:02X} at offset {error.start}; convert it"
        ) from None
    return page_of(text, KINDS.get(path.suffix.lower(), "markdown"), path)


def page_of(text: str, kind: str = "markdown", path: Path = Path("page.md")) -> Page:
    """The page of a text; `kind` is markdown, latex, text or notebook (its JSON).

    Raises `TextError` for a directive that is not known.
    """
    if kind == "notebook":
        return _notebook(text, path)
    if kind not in ("markdown", "latex", "text"):
        raise TextError(f"the kind of page is {kind!r}; give markdown, latex, text or notebook")
    scan = _scan(text, 0, len(text), kind)
    return _page(text, kind, path, [(scan, 0, len(text), None, kind)], (), "")


def guessed_page(text: str, path: Path) -> Page:
    """The page of a text without the ending of a file's name: LaTeX where it has the commands of a document, else
    Markdown, else, where that has no formula, plain text. Raises `TextError` as `page_of`.
    """
    page = page_of(text, "latex" if _DOCUMENT.search(text) else "markdown", path)
    return page if page.formulas else page_of(text, "text", path)


def readable(page: Page, formula: Formula) -> tuple[str, list[int]]:
    """A formula as the parser reads it: with its macros expanded, sums along an axis by name, the letters of a word
    together, and spaces for the marks of a quotation and for the layers of functions. And for each offset in it (and
    its end) the offset in `formula.text`.
    """
    marks = _QUOTE_OF_DISPLAY if formula.kind == "display" else _QUOTE
    text = marks.sub(_without_marks, formula.text) if ">" in formula.text else formula.text
    text = with_any_entry(text, page)
    text = _IN_BOX.sub(r"\1 \2 \3", text) if "box" in text else text
    expanded, places = expand(text, page.macros)
    if formula.kind != "code":
        expanded, places = with_sums_along_axes(expanded, places)
    return without_layers_of_functions(with_whole_words(expanded, page.text)), list(places)


def _without_marks(quote: re.Match[str]) -> str:
    """The marks of a quotation as spaces."""
    return quote.group().replace(">", " ")


def _scan(text: str, start: int, end: int, kind: str) -> Scan:
    if kind == "latex":
        return read_latex(text, start, end)
    if kind != "text":
        return read_markdown(text, start, end)
    marked = any(sign in text for sign in ("$", "\\", "<!--"))
    scan = read_markdown(text, start, end) if marked else Scan()
    scan.headings = []
    if not scan.formulas:
        names = Names.of(found.name for found in in_code(text, start, end))
        read_plain(text, start, end, names, scan)
    return scan


def _notebook(source: str, path: Path) -> Page:
    parts: list[tuple[Scan, int, int, int | None, str]] = []
    starts: list[int] = []
    at = 0
    cells = cells_of(source, path)
    joined = JOINT.join(text for _, text in cells)
    for number, (what, text) in enumerate(cells, 1):
        starts.append(at)
        end = at + len(text)
        if what == "code":
            scan = Scan()
            if not text.startswith("%%"):
                read_code(joined, at, end, scan)
            parts.append((scan, at, end, number, "code"))
        elif what in ("markdown", "heading"):
            parts.append((read_markdown(joined, at, end), at, end, number, "markdown"))
        at = end + len(JOINT)
    return _page(joined, "notebook", path, parts, tuple(starts), source)


def _page(
    text: str,
    kind: str,
    path: Path,
    parts: list[tuple[Scan, int, int, int | None, str]],
    cells: tuple[int, ...],
    source: str,
) -> Page:
    """The page of its scanned parts."""
    gathered = _Gathered(text, path)
    for scan, start, end, cell, part in parts:
        gathered.part(scan, start, end, cell, part)
    macros = macros_of(text) if "\\" in text else {}
    macros = macros_from_elsewhere([formula.text for formula in gathered.formulas], macros) | macros
    declared = without_products(without_examples(gathered.shapes, gathered.in_programs), gathered.in_programs)
    shapes = with_shapes_in_words(declared, gathered.shapes_in_words)
    page = Page(
        path, text, tuple(gathered.formulas), tuple(shapes), len(gathered.unchecked),
        frozenset(gathered.one_hot), cells, gathered.aliases, macros, kind, source, tuple(gathered.unchecked),
        tuple(gathered.words), {name: frozenset(words) for name, words in gathered.properties.items()},
    )  # fmt: skip
    return assuming(page, gathered.assumptions) if gathered.assumptions else page


class _Gathered:
    """Collects what a page is made of, part after part; used by `_page` alone."""

    def __init__(self, text: str, path: Path) -> None:
        self.text, self.path = text, path
        self.formulas: list[Formula] = []
        self.shapes: list[ShapeLine] = []
        self.one_hot: set[str] = set()
        self.aliases: dict[str, str] = {}
        self.unchecked: list[Formula] = []
        self.assumptions: list[Assumption] = []
        self.in_programs: set[int] = set()
        self.shapes_in_words: list[ShapeLine] = []
        self.words: list[Kind] = []
        self.properties: dict[str, set[str]] = {}
        self.heading = ""

    def part(self, scan: Scan, start: int, end: int, cell: int | None, kind: str) -> None:
        """Adds a part: the whole page, or a cell of a notebook."""
        lines, off = Lines(self.text, start, end), scan.off(end)
        self._formulas(scan, start, lines, off, cell)
        for declared in self._declared(scan, start, end, kind):
            if not covered(off, declared.start):
                self.shapes.append(self._shape(declared, end, lines, cell))
        self._one_hot(scan, start, end)
        if kind != "code":
            self._words(scan, start, end, lines, off, cell, kind)
        for place, words in scan.assumptions:
            self._assume(words, lines.place(place)[0], cell)

    def _assume(self, words: str, line: int, cell: int | None) -> None:
        try:
            self.assumptions += [
                read_assumption(each, line, cell) for each in words.split(";") if each.strip() or not words
            ]
        except FormulaError as error:
            where = f"cell {cell}, line {line}" if cell else f"line {line}"
            raise TextError(f"{self.path}, {where}: the directive {error.reason}") from None

    def _formulas(self, scan: Scan, start: int, lines: Lines, off: list[tuple[int, int]], cell: int | None) -> None:
        places = [place for place, _ in scan.headings]
        last = start
        for begin, stop, kind, *outer in sorted(scan.formulas):
            written = self.text[begin:stop]
            if without_definitions(written).strip():
                i = bisect_right(places, begin)
                heading = scan.headings[i - 1][1] if i else self.heading
                before = _prose(self.text[max(last, begin - _BEFORE) : begin])
                into = self.unchecked if covered(off, begin) else self.formulas
                place = lines.place(begin)
                alone = self._is_alone(outer[0], outer[1])
                into.append(Formula(written, begin, *place, kind, before, heading, cell, (outer[0], outer[1]), alone))
                last = stop
        if scan.headings:
            self.heading = scan.headings[-1][1]

    def _is_alone(self, first: int, last: int) -> bool:
        """Whether the lines of a formula have nothing else in them, but for the mark of a list and a stop."""
        before, behind = beside(self.text, first, last)
        return bool(_MARK_OF_LIST.fullmatch(before)) and not behind.strip(" \t\r.,;:，。；\\")

    def _declared(self, scan: Scan, start: int, end: int, kind: str) -> list[Declared]:
        """The shapes that a part declares, in order; records other spellings and one-hot names as well."""
        found: dict[int, list[Declared]] = {}
        stretches = [(a, b, False) for a, b in scan.code]
        if kind == "markdown":
            stretches.append((start, end, True))
        for begin, stop, prose in stretches:
            for declared in in_code(self.text, begin, stop, prose):
                found[declared.start] = [declared]
                self.in_programs |= set() if prose else {declared.start}
                line_end = self.text.find("\n", declared.end, stop)
                if ONE_HOT.search(self.text, declared.end, stop if line_end < 0 else line_end):
                    self.one_hot.add(declared.name)
        for begin, stop, *_ in scan.formulas:
            for declared in in_formula(self.text[begin:stop], begin):
                found.setdefault(declared.start, []).append(declared)
        if kind == "markdown" and "|" in self.text:
            for begin, stop in rows_of_tables(self.text, start, end):
                shapes, one_hot, aliases = in_table_row(self.text, begin, stop)
                for declared in shapes:
                    if all(declared.name != d.name for d in found.get(declared.start, [])):
                        found.setdefault(declared.start, []).append(declared)
                self.one_hot |= set(one_hot)
                self.aliases |= aliases
        return [declared for place in sorted(found) for declared in found[place]]

    def _shape(self, declared: Declared, end: int, lines: Lines, cell: int | None) -> ShapeLine:
        line, _ = lines.place(declared.start)
        stop = self.text.find("\n", declared.start, end)
        source = self.text[lines.starts[line - 1] : end if stop < 0 else stop].strip()[:400]
        return ShapeLine(
            declared.name, declared.rows, declared.columns, declared.start, declared.end, line, source, cell
        )

    def _words(
        self, scan: Scan, start: int, end: int, lines: Lines, off: list[tuple[int, int]], cell: int | None, kind: str
    ) -> None:
        """Adds what the prose says of its letters."""
        for said in said_in(self.text, start, end, scan, kind == "latex"):
            if covered(off, said.start):
                continue
            if said.kind:
                words = " ".join(self.text[said.start : said.end].split())
                self.words.append(Kind(said.name, said.kind, words, said.start, lines.place(said.start)[0], cell))
            if said.rows:
                declared = Declared(said.name, said.rows, said.columns, *said.size)
                self.shapes_in_words.append(self._shape(declared, end, lines, cell))
            if said.properties:
                self.properties.setdefault(said.name, set()).update(said.properties)

    def _one_hot(self, scan: Scan, start: int, end: int) -> None:
        if ONE_HOT.search(self.text, start, end):
            short = [(f.start, f.end) for f in sorted(scan.formulas) if f.end - f.start <= 40]
            named = [(a, b, symbol_name(self.text[a:b])) for a, b in short]
            self.one_hot |= one_hot_near(self.text, start, end, [(a, b, name) for a, b, name in named if name])


_MARKUP = re.compile(
    r"<!--[^>]*-->|\\(?:begin|end)\{\w+\*?\}|[$`]|^[ \t]*[|:-]+[ \t]*$|^ {0,3}#{1,6} [^\n]*$", re.MULTILINE
)


def _prose(text: str) -> str:
    """Prose on one line, without code, comments, headings and delimiters."""
    before, fence, behind = text.rpartition("```")
    if fence and not behind.partition("\n")[2].strip():  # the first line of a block of code: what leads to it
        behind = before.rpartition("```")[2]
    return " ".join(_MARKUP.sub(" ", behind).split())
