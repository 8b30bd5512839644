"""Letters that a page writes out by their own entries: x = (x_1, x_2)^T, Θ with the rows (Θ_11, Θ_12), (Θ_21, Θ_22).

Such a matrix is the letter, or its transpose, x_2 is entry 2 of x, and the matrix says how many rows and columns the
letter has.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from elman.calculus.expression import Entry, Expression, Index, Matrix, Symbol, Transpose, symbols
from elman.calculus.syntax.written_sizes import LARGEST
from elman.notes.model.page_model import Statement, letter_of
from elman.notes.model.statement_kinds import defined_letter

Size = tuple[int, int]
Shapes = Mapping[str, tuple[str, str]]

_NUMBERED = re.compile(r"(?P<stem>.*?[^\d_])_?(?P<digits>\d{1,2})")


@dataclass(frozen=True, slots=True)
class OwnEntries:
    """The statements with these letters, their `shapes`, and the numbers behind the names of sizes in these."""

    statements: tuple[Statement, ...]
    shapes: Shapes
    exact: Mapping[str, int]


def with_own_entries(statements: Sequence[Statement], shapes: Shapes) -> OwnEntries:
    """The statements of a page with such letters, and the page's `shapes` with theirs."""
    sizes = _sizes(statements)
    found, exact = dict(shapes), dict[str, int]()
    for name, size in list(sizes.items()):
        fitted = _fitted(shapes.get(name), size, exact)
        if fitted is None:
            del sizes[name]
            continue
        found[name], named = fitted
        exact |= named
    if not sizes:
        return OwnEntries(tuple(statements), shapes, {})
    longest = max(max(size) for size in sizes.values())
    counted = dict.fromkeys(_defined_by_entries(statements), (longest, 1)) | _counted(shapes, exact)
    sizes |= {name: size for name, size in counted.items() if name not in sizes}
    letters = _letters(statements) | {name: name for name in sizes}

    def change(node: Expression) -> Expression:
        if isinstance(node, Matrix) and (own := _own(node)) is not None:
            letter = Symbol(letters.get(own.stem, ""), latex=own.latex, span=node.span)
            if letter.name not in sizes:
                return node
            shape = sizes[letter.name]
            if own.size == shape and not own.turned:
                return letter
            return Transpose(replace(letter, span=(0, 0)), span=node.span) if own.size == shape[::-1] else node
        if isinstance(node, Symbol) and node.time is None and (split := _split(node)) is not None:
            name = letters.get(split[0], "")
            if name not in sizes:
                return node
            where = _place(split[1], sizes[name])
            letter = Symbol(name, latex=_stem_of(node.latex))
            return node if where is None else Entry(letter, where, span=node.span)
        return node

    changed = [s.transformed(change) for s in statements]
    left = (defined_letter(s.parts[0]) for s in changed if len(s.parts) > 1)
    defined = {letter.name for letter in left if letter is not None}
    return OwnEntries(tuple(_turned_round(s, set(sizes) - defined) for s in changed), found, exact)


def _turned_round(s: Statement, open_letters: set[str]) -> Statement:
    """(e^{z_1} / s, e^{z_2} / s)^T = (a_1, a_2)^T as an equation of a, which nothing else defines."""
    if not s.is_equation or s.relation.continues or not isinstance(s.parts[0], Matrix):
        return s
    letter = s.parts[1]
    if not isinstance(letter, Symbol) or letter.name not in open_letters or letter in symbols(s.parts[0]):
        return s
    (one, other, *more), (first, second, *rest) = s.relation.regions, s.parts
    relation = replace(s.relation, parts=(second, first, *rest), regions=(other, one, *more))
    return replace(s, relation=relation)


def _counted(shapes: Shapes, exact: Mapping[str, int]) -> dict[str, Size]:
    """The declared vectors whose size is one of these, so that it is known how many entries they have."""
    counted = {name: rows for name, (rows, columns) in shapes.items() if columns == "1" and rows in exact}
    return {name: (exact[rows], 1) for name, rows in counted.items()}


def _defined_by_entries(statements: Sequence[Statement]) -> Iterator[str]:
    """The letters of vectors that are defined by entries, q_i = …"""
    for s in statements:
        left = s.parts[0]
        letter = defined_letter(left)
        if s.is_equation and isinstance(left, Entry) and len(left.indices) == 1 and letter is not None:
            yield letter.name


@dataclass(frozen=True, slots=True)
class _Own:
    """A matrix of numbered entries of one stem; `turned`: cell (i, j) is entry (j, i)."""

    stem: str
    latex: str
    size: Size
    turned: bool


def _fitted(
    declared: tuple[str, str] | None, size: Size, exact: Mapping[str, int]
) -> tuple[tuple[str, str], dict[str, int]] | None:
    """The shape of a letter and the numbers of its names of sizes; None where the page declares other numbers."""
    written = (str(size[0]), str(size[1]))
    if declared is None:
        return written, {}
    if declared == written:
        return declared, {}
    named: dict[str, int] = {}
    for word, number in zip(declared, size, strict=True):
        if word == str(number):
            continue
        if not word.isidentifier() or exact.get(word, named.get(word, number)) != number or number == 1:
            return None
        named[word] = number
    return declared, named


def _sizes(statements: Sequence[Statement]) -> dict[str, Size]:
    """The letters that are written out, with their sizes. A letter whose entries are defined one by one, and not the
    letter, has no value of its own: its entries stay letters.
    """
    letters = _letters(statements)
    defined, one_by_one, unclear = set[str](), set[str](), set[str]()
    numbered: dict[str, set[str]] = {}
    found: dict[str, Size] = {}
    for s in statements:
        left = s.parts[0]
        if isinstance(left, Symbol) and s.is_equation:
            if any(not (isinstance(p, Matrix) and _own(p) is not None) for p in s.parts[1:]):
                defined.add(left.name)
            if (split := _split(left)) is not None:
                one_by_one.add(letters.get(split[0], ""))
        for node in s.nodes():
            if isinstance(node, Symbol) and (split := _split(node)) is not None:
                numbered.setdefault(letters.get(split[0], ""), set()).add(split[1])
            own = _own(node) if isinstance(node, Matrix) else None
            name = letters.get(own.stem) if own is not None else None
            if own is None or name is None:
                continue
            size = own.size[::-1] if own.turned else own.size
            if name in found and found[name] not in (size, size[::-1]):
                unclear.add(name)
            elif name not in found or found[name][0] == 1:  # a column, where it is written as one anywhere
                found[name] = size
    return {
        name: size
        for name, size in found.items()
        if name not in unclear
        and not (name in one_by_one and name not in defined)
        and all(_place(digits, size) is not None for digits in numbered.get(name, ()))
    }


def _letters(statements: Sequence[Statement]) -> dict[str, str]:
    """By the stem of numbered letters, the letter of which they are entries: x, or else X, which the page uses too. A
    letter with time steps or layers, a^l, is not written out by the a_11 of an example.
    """
    nodes = [n for s in statements for n in s.nodes() if isinstance(n, Symbol | Entry)]
    letters = [n for n in nodes if isinstance(n, Symbol)]
    names = {n.name for n in letters} - {n.name for n in letters if n.time is not None}
    numbered = [*map(Symbol, names), *(n for n in nodes if isinstance(n, Entry))]
    stems = {split[0] for n in numbered if (split := _split(n)) is not None}
    found: dict[str, str] = {}
    for stem in stems:
        same = [stem] if stem in names else sorted(name for name in names if name.lower() == stem.lower())
        if len(same) == 1:
            found[stem] = same[0]
    return found


def _own(e: Matrix) -> _Own | None:
    """What a matrix of numbered entries of one stem is; None for any other matrix."""
    size = len(e.rows), max(len(row) for row in e.rows)
    if size == (1, 1) or max(size) > LARGEST or any(len(row) != size[1] for row in e.rows):
        return None
    cells = [(i + 1, j + 1, cell) for i, row in enumerate(e.rows) for j, cell in enumerate(row)]
    splits = [(i, j, _split(cell)) for i, j, cell in cells]
    stems = {split[0] for _, _, split in splits if split is not None}
    if len(stems) != 1 or any(split is None for _, _, split in splits):
        return None
    (stem,) = stems
    first = letter_of(cells[0][2])
    latex = _stem_of(first.latex) if first is not None else stem
    if 1 in size:
        straight = all(split is not None and split[1] == str(max(i, j)) for i, j, split in splits)
        return _Own(stem, latex, size, False) if straight else None
    if all(split is not None and split[1] == f"{i}{j}" for i, j, split in splits):
        return _Own(stem, latex, size, False)
    if all(split is not None and split[1] == f"{j}{i}" for i, j, split in splits):
        return _Own(stem, latex, size, True)
    return None


def _split(e: Expression) -> tuple[str, str] | None:
    """Stem and digits of a numbered letter: x and 2 of x_2; None for anything else."""
    if isinstance(e, Entry) and isinstance(e.of, Symbol) and not e.column:
        numbers = all(i.variable is None for i in e.indices)
        return (e.of.name, "".join(str(i.offset) for i in e.indices)) if numbers else None
    match = _NUMBERED.fullmatch(e.name) if isinstance(e, Symbol) and e.time is None else None
    return (match["stem"].rstrip("_"), match["digits"]) if match is not None else None


def _place(digits: str, size: Size) -> tuple[Index, ...] | None:
    """The indices of a numbered entry of a letter of this size; None outside it."""
    if 1 in size:
        return (Index(None, int(digits)),) if 1 <= int(digits) <= max(size) else None
    if len(digits) != 2 or not (1 <= int(digits[0]) <= size[0] and 1 <= int(digits[1]) <= size[1]):
        return None
    return Index(None, int(digits[0])), Index(None, int(digits[1]))


def _stem_of(latex: str) -> str:
    """How a letter is written without its number."""
    return re.sub(r"_\s*(?:\d|\{[\d,\s]*\})\s*$", "", latex)
