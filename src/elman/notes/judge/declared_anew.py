"""Letters whose shapes a page declares anew below another heading: W ∈ ℝ^{n×m}, and further down W ∈ ℝ^{n×n}.

A section begins there. Above and below it the letter is another one: each part has its own shapes and definitions.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise

from elman.notes.model.page_model import PageModel, Statement
from elman.notes.page.page import Page, ShapeLine

Changes = Mapping[str, Sequence[tuple[ShapeLine, int]]]
"""By name, the declarations that change a shape, each with the number of the first statement below its heading."""


def parts_by_shapes(page: Page, model: PageModel) -> list[frozenset[int]]:
    """The numbers of the statements of each part of a page between such declarations, in order."""
    starts = sorted({start for found in changes_of(page, model).values() for _, start in found})
    return [
        frozenset(s.number for s in model.statements if begin <= s.number < end)
        for begin, end in pairwise([0, *starts, len(model.statements)])
        if begin < end or not model.statements
    ]


def with_shapes_of_part(page: Page, model: PageModel, part: Collection[int]) -> PageModel:
    """The model with the shapes that are declared for a part, of letters that change theirs."""
    changed = set(changes_of(page, model)) & set(model.shapes)
    found = {line.name: (line.rows, line.columns) for line in shapes_of_part(page, model, part)}
    return replace(model, shapes={**model.shapes, **{name: found[name] for name in changed if name in found}})


def shapes_of_part(page: Page, model: PageModel, part: Collection[int]) -> list[ShapeLine]:
    """The declared shapes without those that a letter has above or below a part where it has another one."""
    changes = changes_of(page, model)

    def is_own(line: ShapeLine) -> bool:
        before = sum(change.start <= line.start for change, _ in changes.get(line.name, ()))
        return line.name not in changes or before == _changed_before(changes, line.name, min(part, default=0))

    return [line for line in page.shapes if is_own(line)]


def about_others(page: Page, model: PageModel, part: Collection[int]) -> dict[str, frozenset[int]]:
    """For each letter that changes its shape, the numbers of the statements in which it is not the letter of a part."""
    changes, first = changes_of(page, model), min(part, default=0)
    return {
        name: frozenset(
            s.number
            for s in model.statements
            if _changed_before(changes, name, s.number) != _changed_before(changes, name, first)
        )
        for name in changes
    }


def _changed_before(changes: Changes, name: str, statement: int) -> int:
    """How often a letter has changed its shape where a statement stands."""
    return sum(start <= statement for _, start in changes[name])


def changes_of(page: Page, model: PageModel) -> Changes:
    """The declarations that give a matrix another shape than above another heading. One in numbers is of an example,
    and one with other names of its sizes may be the same.
    """
    found: dict[str, list[tuple[ShapeLine, int]]] = {}
    lines: dict[str, ShapeLine] = {}
    for line in page.shapes:
        if line.start < 0 or any(size.isdigit() for size in (line.rows, line.columns)):
            continue
        before = lines.get(line.name)
        lines[line.name] = line
        if before is None or not _clash((before.rows, before.columns), (line.rows, line.columns)):
            continue
        above, below = _at(model.statements, before), _at(model.statements, line)
        if above is None or below is None or above.formula.heading == below.formula.heading:
            continue
        start = below.number
        for s in reversed(model.statements[above.number + 1 : start]):
            if s.formula.heading != below.formula.heading:
                break
            start = s.number
        found.setdefault(line.name, []).append((line, start))
    return found


def _clash(one: tuple[str, str], other: tuple[str, str]) -> bool:
    """Whether two shapes differ whatever their sizes are called: [m,n] and [n,m], or [m,n] and [m,m]."""
    return one != other and (set(one) == set(other) or (one[0] == one[1]) != (other[0] == other[1]))


def _at(statements: Sequence[Statement], line: ShapeLine) -> Statement | None:
    """The statement in which a shape is declared, or else the first below."""
    return next((s for s in statements if s.formula.outer[1] > line.start), None)
