"""Equations of numbered entries, y_11 = g_1 x_11, y_12 = g_2 x_12, …, of which one has another number than the rest.

Each number on their right sides is one throughout, or goes with the row or the column on the left, perhaps some steps
ahead: a_{i+1,j}. Which of these it is, all places of one letter in one group of equations say together. Where a single
number of the group is another one, it is a slip, whatever the letters are; and so is a left side that is written twice,
where one entry of the rectangle has no equation. A matrix of such entries that is equal to one of products is a group
of equations, too. Of three numbers on the left, as those of w_211, the first is part of the name.
"""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from elman.notes.judge.judgement import Judgement
from elman.notes.judge.verdict import Verdict
from elman.notes.repair.explanation import Explanation, as_seen

Key = tuple[int, int]
_NUMBERED = re.compile(r"_(?:\{(\d(?:,?\d){0,2})\}|(\d)(?!\d))")
_MATRIX = re.compile(r"\\begin\{([a-z]?matrix)\}(.*)\\end\{\1\}")
_LETTER = re.compile(r"(\\?[A-Za-z]+)[\])}]*(?:\^(?:\{[^{}]*\}|\w))?$")
_ENOUGH = 4  # entries of a rectangle
_SIDES = 2  # of an equation; and the numbers of a row and a column
_OF_A_PRODUCT = 2  # letters with numbers in each cell of a matrix


@dataclass(frozen=True, slots=True)
class _Equation:
    """An equation without its numbers, and its numbers: those of the left side, `row` and `column`, and of the right.

    `left` is the left side as the page writes it, without spaces. `slots` has for each number on the right its letter,
    and whether it is the first or the second one behind it.
    """

    judgement: Judgement
    left: str
    form: str
    row: int
    column: int
    slots: tuple[tuple[str, int], ...]
    numbers: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class _Slip:
    """A number of an equation that is another one than the rest says."""

    equation: _Equation
    letter: str
    number: int
    expected: int


def with_slips_of_numbers(explanations: Mapping[Key, Explanation]) -> dict[Key, Explanation]:
    """The explanations, with those equations as wrong whose number does not go with the others of their group. What the
    page's own model shows to hold, holds, unless the model has such an equation.
    """
    found = dict(explanations)
    slipped = set[str]()
    for group in _groups(explanations.values()):
        for q, words in _slips(group):
            e, j = found[q.judgement.key], q.judgement
            if not e.verdict.is_wrong and (j.defines is not None or not e.holds or q.left in slipped):
                slipped.add(q.left)
                found[j.key] = as_seen(j, Verdict.ARGUMENT, words)
    return found


def _groups(explanations: Iterable[Explanation]) -> Iterator[list[_Equation]]:
    """The equations of one form, one behind the other."""
    equations = [q for e in explanations for q in _equations(e.judgement)]
    for _, group in itertools.groupby(equations, key=lambda q: (q.form, q.judgement.statement.formula.heading)):
        found = list(group)
        if len(found) >= _ENOUGH:
            yield found


def _equations(j: Judgement) -> Iterator[_Equation]:
    """The equation of one entry that a claim is, or those of all entries of two matrices."""
    s = j.statement
    if s.relation.conditions or s.formula.kind == "code" or j.beside:
        return
    left, right = s.source(0), s.source(j.part)
    one, other = _cells(left), _cells(right)
    if one is not None and other is not None and [len(row) for row in one] == [len(row) for row in other]:
        found = [_numbered(j, *pair) for pair in zip(itertools.chain(*one), itertools.chain(*other), strict=True)]
        if all(q is not None and len({letter for letter, _ in q.slots}) >= _OF_A_PRODUCT for q in found):
            yield from (replace(q, form=f"{s.number}: {q.form}") for q in found if q is not None)
    elif len(s.parts) == _SIDES and s.continued is None and (found_one := _numbered(j, left, right)) is not None:
        yield found_one


def _cells(source: str) -> list[list[str]] | None:
    """The cells of a matrix that is written out, row by row; None for anything else."""
    match = _MATRIX.fullmatch(source.strip())
    if match is None or r"\begin" in match.group(2):
        return None
    rows = [[cell.strip() for cell in row.split("&") if cell.strip()] for row in match.group(2).split(r"\\")]
    return [row for row in rows if row]


def _numbered(j: Judgement, left: str, right: str) -> _Equation | None:
    """The equation of one entry with two numbers; None for anything else."""
    left, right = (re.sub(r"\s|\\[ ,;!]", "", side) for side in (left, right))
    own, others = (list(_NUMBERED.finditer(side)) for side in (left, right))
    if len(own) != 1 or len(_digits(own[0])) < _SIDES or not others:
        return None
    *name, row, column = _digits(own[0])
    slots, numbers = list[tuple[str, int]](), list[int]()
    for match in others:
        letter = _LETTER.search(right[: match.start()])
        if letter is None:
            return None
        for place, number in enumerate(_digits(match)):
            slots.append((letter.group(1), place))
            numbers.append(number)
    written = f"_{''.join(map(str, name))}#"
    form = f"{_NUMBERED.sub(written, left)}={_NUMBERED.sub(lambda m: '_' + '#' * len(_digits(m)), right)}"
    return _Equation(j, left, form, row, column, tuple(slots), tuple(numbers))


def _digits(match: re.Match[str]) -> list[int]:
    return [int(d) for d in (match.group(1) or match.group(2)) if d.isdigit()]


def _slips(group: Sequence[_Equation]) -> Iterator[tuple[_Equation, str]]:
    """The equations of a group with a slip, and words for it."""
    places = Counter((q.row, q.column) for q in group)
    if _is_rectangle(places):
        found = _departures(group)
        if len(found) == 1:
            yield found[0].equation, _words(found[0])
        return
    twice = [place for place, count in places.items() if count == 2]
    rows, columns = ({place[k] for place in places} for k in (0, 1))
    missing = [place for place in itertools.product(rows, columns) if place not in places]
    if len(twice) != 1 or len(missing) != 1 or max(places.values()) > 2:
        return
    (row, column) = missing[0]
    tried = []
    for k, q in enumerate(group):
        if (q.row, q.column) == twice[0]:
            mended = [*group[:k], replace(q, row=row, column=column), *group[k + 1 :]]
            tried.append((_departures(mended), q))
    tried.sort(key=lambda found: len(found[0]))
    (found, renumbered), (others, _) = tried
    if len(found) > 1 or len(others) < len(found) + 2:
        return
    yield (
        renumbered,
        f"an equation above has the same left side: by its numbers, this one is of {row}{column}",
    )
    yield from ((slip.equation, _words(slip)) for slip in found)


def _is_rectangle(places: Mapping[tuple[int, int], int]) -> bool:
    """Whether each row and column has one equation, of at least two rows and two columns."""
    rows, columns = ({place[k] for place in places} for k in (0, 1))
    return min(len(rows), len(columns)) > 1 and len(places) == len(rows) * len(columns) and max(places.values()) == 1


def _departures(group: Sequence[_Equation]) -> list[_Slip]:
    """The numbers of a group that differ from what most of the equations say, under the reading with the fewest."""
    slots: dict[tuple[str, int], list[int]] = {}
    for k, slot in enumerate(group[0].slots):
        slots.setdefault(slot, []).append(k)
    found = list[_Slip]()
    for (letter, _), at in slots.items():
        rows, columns = [q.row for q in group], [q.column for q in group]
        readings = [_departing(group, letter, at, steps) for steps in (rows, columns, [0] * len(group))]
        fewest = min(readings, key=len)
        found += fewest
    return found


def _departing(group: Sequence[_Equation], letter: str, at: Iterable[int], steps: Sequence[int]) -> list[_Slip]:
    """The numbers at some places that are not as far from those of the left side as most of them are."""
    found = list[_Slip]()
    for k in at:
        ahead = Counter(q.numbers[k] - step for q, step in zip(group, steps, strict=True)).most_common(1)[0][0]
        expected = [step + ahead for step in steps]
        found += [_Slip(q, letter, q.numbers[k], n) for q, n in zip(group, expected, strict=True) if q.numbers[k] != n]
    return found


def _words(slip: _Slip) -> str:
    return (
        f"by the other equations, whose numbers go with those on the left, the {slip.number} behind {slip.letter} "
        f"should be {slip.expected}"
    )
