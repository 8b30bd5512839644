"""The sections of a page: a letter that is defined anew, as something else, begins a new one.

A second equation of a letter is a claim if it agrees with the first. If it does not, it is a new definition where a
heading or a word ("now") stands between the two, and otherwise where more claims hold with it than without.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from types import NoneType

from elman.calculus.expression import Call, Entry, Symbol, has_derivative, symbols, walk
from elman.notes.judge.checker import Checker, JudgedPage, judge
from elman.notes.judge.declared_anew import about_others, parts_by_shapes, with_shapes_of_part
from elman.notes.judge.judgement import Judgement
from elman.notes.judge.verdict import Verdict
from elman.notes.model.build import section_model
from elman.notes.model.page_model import PageModel, Statement, names_in
from elman.notes.model.roles import with_roles
from elman.notes.model.statement_kinds import defined_letter
from elman.notes.oracle.budget import Budget
from elman.notes.oracle.evaluation_point import UndefinedError
from elman.notes.page.page import Page

_MOST = 24  # sections of one page
_ANEW = re.compile(
    r"\b(?:now|new|next|another|instead|second|other|alternatively|case|example|let)\b|现在|新|另|改|接下来|例|令|设",
    re.I,
)


def judged_sections(page: Page, supplied: str | None, checker: Checker, budget: Budget) -> tuple[JudgedPage, ...]:
    """A page judged section by section; `checker` is that of the page as a whole."""
    base = checker.read
    parts = parts_by_shapes(page, base)

    def judged_part(parts: Sequence[frozenset[int]], which: int) -> JudgedPage:
        others = about_others(page, base, parts[which])
        model = section_model(with_shapes_of_part(page, base, parts[which]), parts, which, others)
        return judge(Checker(page, supplied, with_roles(model), checker.oracles), budget)

    judged = [judged_part(parts, i) for i in range(len(parts))] if len(parts) > 1 else [judge(checker, budget)]
    while len(parts) < _MOST and not budget.is_exhausted():
        cut = next(
            ((k, j) for k, section in enumerate(judged) for j in section.judgements.values() if _is_new(section, j)),
            None,
        )
        if cut is None:
            break
        k, j = cut
        start = _start(base, parts[k], j)
        before, behind = _split(parts[k], start)
        if not before or not behind:
            judged[k] = _accepted(judged[k], j)
            continue
        new_parts = [*parts[:k], before, behind, *parts[k + 1 :]]
        halves = [judged_part(new_parts, i) for i in (k, k + 1)]
        more_hold = not base.shapes and _holding(halves, j) > _holding([judged[k]], j)
        if _is_announced(base, parts[k], j) or more_hold:
            parts, judged = new_parts, [*judged[:k], *halves, *judged[k + 1 :]]
        else:
            judged[k] = _accepted(judged[k], j)
    return tuple(judged)


def _is_new(section: JudgedPage, j: Judgement) -> bool:
    """Whether a judgement is of a second equation of a letter that does not agree with the first."""
    if j.result.any or j.defines is not None or j.settled or j.verdict is Verdict.NOT_A_CLAIM:
        return False
    letter = defined_letter(j.left)
    if letter is None or has_derivative(j.expression):
        return False
    model = section.checker.model
    if not isinstance(j.result.error, UndefinedError | NoneType) and not _is_announced(model, _own(model), j):
        return False
    known = [*model.equations.get(letter.name, ())]
    if not known or any(d.statement in (j.statement.number, -1) for d in known):
        return False
    return all(d is None or d.result.any for d in map(section.judgements.get, _behind(model, letter)))


def _behind(model: PageModel, letter: Symbol) -> list[tuple[int, int]]:
    """The definitions that a letter depends on, its own among them."""
    return [(d.statement, d.part) for name in names_in(model, [letter]) for d in model.equations.get(name, ())]


def _own(model: PageModel) -> frozenset[int]:
    return frozenset(s.number for s in model.own_statements())


def _accepted(section: JudgedPage, j: Judgement) -> JudgedPage:
    """The section with one judgement that stays a claim."""
    return replace(section, judgements={**section.judgements, j.key: replace(j, settled=True)})


def _first(model: PageModel, section: frozenset[int], j: Judgement) -> Statement | None:
    """The statement of the section that defined the letter before."""
    letter = defined_letter(j.left)
    for s in model.statements:
        if s.number in section and s.number < j.statement.number and len(s.parts) > 1:
            other = defined_letter(s.parts[0])
            if other is not None and letter is not None and other.name == letter.name:
                return s
    return None


def _start(model: PageModel, section: frozenset[int], j: Judgement) -> int:
    """The number of the statement at which the new section starts: the first below the heading, if there is one."""
    first = _first(model, section, j)
    if first is None or first.formula.heading == j.statement.formula.heading:
        return j.statement.number
    start = j.statement.number
    for s in reversed(model.statements[first.number + 1 : start]):
        if s.formula.heading != j.statement.formula.heading:
            break
        start = s.number
    return start


def _split(section: frozenset[int], start: int) -> tuple[frozenset[int], frozenset[int]]:
    return frozenset(n for n in section if n < start), frozenset(n for n in section if n >= start)


def _is_announced(model: PageModel, section: frozenset[int], j: Judgement) -> bool:
    """Whether a heading or a word stands between the two definitions. On a page that declares its shapes, a heading
    begins a new definition of a loss alone, since a letter that others use is the same throughout; but for one whose
    function the heading names, or that is made of letters which are new below the heading.
    """
    first = _first(model, section, j)
    if first is None or first.formula.heading != j.statement.formula.heading:
        unused = not model.shapes or not _is_used(model, j)
        return unused or _names_its_function(j) or _has_new_letters(model, section, j)
    return _ANEW.search(j.statement.formula.before) is not None


def _names_its_function(j: Judgement) -> bool:
    """Whether the heading names the function of which a letter is the value: y = ReLU(x) below "The ReLU"."""
    right = j.expression
    if not isinstance(right, Call) or not all(isinstance(a, Symbol | Entry) for a in right.arguments):
        return False
    return re.search(rf"(?<![A-Za-z]){right.function}(?![A-Za-z])", j.statement.formula.heading, re.I) is not None


def _has_new_letters(model: PageModel, section: frozenset[int], j: Judgement) -> bool:
    """Whether all letters of the right side are first met, and one is defined, below the heading of the definition."""
    start = _start(model, section, j)
    own = [s for s in model.statements if s.number in section]
    before = {n.name for s in own if s.number < start for part in s.parts for n in symbols(part)}
    defined = {left.name for s in own if s.number >= start and (left := defined_letter(s.parts[0])) is not None}
    letters = {n.name for n in symbols(j.expression)}
    return bool(letters & defined) and letters.isdisjoint(before)


def _is_used(model: PageModel, j: Judgement) -> bool:
    """Whether another equation uses the letter that a judgement is about."""
    letter = defined_letter(j.left)
    others = (d.value for name, found in model.equations.items() for d in found if letter and name != letter.name)
    return any(isinstance(n, Symbol) and letter and n.name == letter.name for e in others for n in walk(e))


def _holding(sections: Sequence[JudgedPage], but: Judgement) -> int:
    """How many claims hold, but for one."""
    return sum(j.good and j.key != but.key for section in sections for j in section.judgements.values())
