r"""Matrices of which dots leave a part out: w_{11} & \ldots & w_{1n} \\ \vdots & & \vdots \\ w_{m1} & \ldots & w_{mn}.

What is written of such a matrix says what all of it is, where one formula gives every cell: cell (i, j) is w_{ij}. The
formula is found token by token: at each place all cells have one token, or each row has its own number, or each column.
A square matrix may have another formula on its diagonal. A few cells may lack a part of the formula of all others, a
prime, as slips do: these are what is written. Any other matrix is refused.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction

from elman.calculus.expression import Cases, Expression, Index, Iverson, Number, Pattern, Product, last_of
from elman.calculus.syntax.cursor import divided
from elman.calculus.syntax.grammar import Grammar
from elman.calculus.syntax.tokens import DOTS, Token
from elman.errors import FormulaError

_ROW_LETTERS, _COLUMN_LETTERS = "ikpr", "jlqs"  # the first one that no cell has is the index of the formula

_Place = tuple[int, int]
_Cells = Mapping[_Place, list[Token]]
_Names = dict[int, dict[int, str]]
"""How the rows (0) and the columns (1) are numbered: 1, 2, n."""

_FEW = 4  # at most one cell of so many lacks something


def has_dots(tokens: list[Token]) -> bool:
    """Whether dots leave out a part of a table: \\vdots, or a cell that is a point alone."""
    if any(t.kind == "command" and t.text in DOTS for t in tokens):
        return True
    rows = divided(tokens, lambda t: t.kind == "newline")
    return len(rows) > 2 and any(_is_point(row) for row in rows)


def dotted_table(p: Grammar, rows: Sequence[list[Token]], start: int) -> Expression:
    """The matrix that the written cells of `rows` are a part of; `start` is where an error is shown."""
    refused = FormulaError("a matrix with dots in it is not read: give it a name", start + 1)
    written = [[_bare(cell) for cell in divided(row, lambda t: t.kind == "&")] for row in rows]
    kept = [[cell for cell in row if not _is_left_out(cell)] for row in written]
    kept = [row for row in kept if row]
    if not kept or len({len(row) for row in kept}) != 1:
        raise refused
    cells = {(i, j): _split_scripts(cell) for i, row in enumerate(kept) for j, cell in enumerate(row)}
    used = {t.text for cell in cells.values() for t in cell}
    row_letter = next((c for c in _ROW_LETTERS if c not in used), None)
    column_letter = next((c for c in _COLUMN_LETTERS if c not in used), None)
    if row_letter is None or column_letter is None:
        raise refused
    size = len(kept), len(kept[0])
    whole = _formula(cells, size, row_letter, column_letter)
    if whole is None and (with_slips := _with_slips(p, cells, size, (row_letter, column_letter))) is not None:
        return with_slips
    if whole is not None:
        row, column = (row_letter if size[0] > 1 else ""), (column_letter if size[1] > 1 else "")
        runs = {t.text for t in whole}
        if (row and row not in runs) or (column and column not in runs):
            raise refused
        return Pattern(p.group(whole), row, column)
    diagonal = _formula({k: v for k, v in cells.items() if k[0] == k[1]}, size, row_letter, "")
    beside = _formula({k: v for k, v in cells.items() if k[0] != k[1]}, size, row_letter, column_letter)
    if size[0] != size[1] or diagonal is None or beside is None or row_letter not in {t.text for t in diagonal}:
        raise refused
    is_diagonal = Iverson(Index(row_letter), Index(column_letter))
    cell = Cases((p.group(diagonal), p.group(beside)), (is_diagonal, Number(Fraction(1))))
    return Pattern(cell, row_letter, column_letter)


def _with_slips(p: Grammar, cells: _Cells, size: _Place, letters: tuple[str, str]) -> Pattern | None:
    """The matrix of which a few cells lack a part of the formula of all others; None where there is no such formula."""
    usual_length = Counter(len(cell) for cell in cells.values()).most_common(1)[0][0]
    usual = {place: cell for place, cell in cells.items() if len(cell) == usual_length}
    names: _Names = {}
    whole = _formula(usual, size, *letters, names)
    if whole is None or min(size) < 2 or _FEW * (len(cells) - len(usual)) > len(cells):
        return None
    places: list[Expression] = []
    values: list[Expression] = []
    for place, cell in cells.items():
        if place in usual:
            continue
        numbers = [names.get(axis, {}).get(place[axis], "") for axis in (0, 1)]
        written = _renumbered(cell, numbers, letters)
        on_diagonal = _renumbered(whole, letters, (letters[1], letters[1]))
        if not _is_part_of(written, on_diagonal if numbers[0] == numbers[1] else whole):
            return None
        at_row, at_column = (_is_at(place[axis], size[axis], letters[axis]) for axis in (0, 1))
        places.append(Product(at_row, at_column, ""))
        values.append(p.group(written))
    body = Cases((*values, p.group(whole)), (*places, Number(Fraction(1))))
    return Pattern(body, *letters)


def _renumbered(cell: list[Token], numbers: Sequence[str], letters: tuple[str, str]) -> list[Token]:
    """A cell with the letters of the indices for the numbers of its row and of its column; the second for one that is
    that of both.
    """
    known = {number: letter for number, letter in zip(numbers, letters, strict=True) if number}
    return [
        replace(token, kind="letter", text=known[token.text]) if inside and token.text in known else token
        for token, inside in _with_scripts(cell)
    ]


def _is_part_of(cell: list[Token], whole: list[Token]) -> bool:
    """Whether a cell is a formula with something left out, less than half of it."""
    remaining = iter([(t.kind, t.text) for t in whole])
    return 2 * len(cell) > len(whole) and all((t.kind, t.text) in remaining for t in cell)


def _is_at(place: int, size: int, letter: str) -> Iverson:
    """The condition that an index is at a written row or column: 1, 2, or the last one."""
    return Iverson(Index(letter), Index(last_of(letter)) if place == size - 1 else Index(None, place + 1))


def _bare(cell: list[Token]) -> list[Token]:
    return [t for t in cell if t.kind not in ("quad", "prose")]


def _is_point(tokens: list[Token]) -> bool:
    return [(t.kind, t.text) for t in _bare(tokens)] in ([("command", "cdot")], [(".", ".")])


def _is_left_out(cell: list[Token]) -> bool:
    return _is_point(cell) or all(t.kind == "command" and t.text in DOTS for t in cell)


def _split_scripts(cell: list[Token]) -> list[Token]:
    """A cell in which 12 in a subscript is 1 and 2."""
    found: list[Token] = []
    for token, inside in _with_scripts(cell):
        if inside and token.kind == "number" and token.text.isdigit():
            found += [replace(token, text=digit) for digit in token.text]
        else:
            found.append(token)
    return found


def _with_scripts(cell: list[Token]) -> Iterator[tuple[Token, bool]]:
    """The tokens of a cell, each with whether it is in a subscript."""
    depth, inside = 0, 0
    for before, token in zip([None, *cell], cell, strict=False):
        if token.kind == "{":
            depth += 1
            if inside == 0 and before is not None and before.kind == "_":
                inside = depth
        yield token, inside > 0 or (before is not None and before.kind == "_")
        if token.kind == "}":
            if depth == inside:
                inside = 0
            depth -= 1


def _formula(
    cells: _Cells, size: tuple[int, int], row: str, column: str, names: _Names | None = None
) -> list[Token] | None:
    """The tokens of the formula that gives these cells, with the indices `row` and `column`; None where none does.
    `names` takes how the rows and columns are numbered.
    """
    first = next(iter(cells.values()), None)
    if first is None or len({len(cell) for cell in cells.values()}) != 1:
        return None
    names = {} if names is None else names
    found: list[Token] = []
    for at, token in enumerate(first):
        texts = {place: cell[at] for place, cell in cells.items()}
        if len({t.text for t in texts.values()}) == 1 and len({t.kind for t in texts.values()}) == 1:
            found.append(token)
            continue
        axis = next((axis for axis in (0, 1) if _counts(texts, axis, size[axis], names)), None)
        if axis is None or not list(_with_scripts(first))[at][1]:
            return None
        found.append(replace(token, kind="letter", text=column if axis == 1 and column else row))
    return found


def _counts(texts: Mapping[_Place, Token], axis: int, size: int, names: _Names) -> bool:
    """Whether tokens number the rows (`axis` 0) or the columns: 1, 2, …, n, as others in the cells do (`names`)."""
    numbers: dict[int, str] = {}
    for place, token in texts.items():
        if numbers.setdefault(place[axis], token.text) != token.text:
            return False
    known = names.setdefault(axis, {})
    last = numbers.get(size - 1, "")
    counted = all(text == str(k + 1) for k, text in numbers.items() if k < size - 1)
    if not counted or not last.isalnum() or (last.isdigit() and int(last) < size):
        return False
    if any(known.get(k, text) != text for k, text in numbers.items()):
        return False
    known |= numbers
    return True
