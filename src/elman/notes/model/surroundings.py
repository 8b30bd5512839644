"""What the text around a display adds to it: the left side that it goes on from, and the case that it is about.

A display that begins with = goes on with the left side above it; one behind "if i = j:" is about that case alone, and
so is all that stands below a heading "i = j".
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

from elman.calculus.expression import Dots, Entry, Expression, Index, Iverson, Relation, Symbol, has_derivative
from elman.calculus.syntax.conditions import SIGNS
from elman.notes.model.page_model import Statement, Unread

_IF = re.compile(
    r"(?:\b(?:if|when|whenever|for|case|where|suppose|assume)|若|当|如果|对于|假设|情况)\W*(?:\w+\W+){0,2}$", re.I
)
_CHINESE = re.compile("[\u4e00-\u9fff]")
_ONE_SENTENCE = re.compile(r"[^.;!?。；！？]*[:：,，]\s*")  # it goes on with the display
_SHORT = 40  # letters between a case and the display that it belongs to


def in_context(statements: Sequence[Statement], unread: Iterable[Unread] = ()) -> list[Statement]:
    """The statements with the left sides and conditions that the text around them gives.

    A formula goes on from the last left side above it, though the right side of that, or a formula between the two that
    goes on too, is `unread`; it does not go on from a formula whose left side is unread.
    """
    return _with_cases(_continued(statements, sorted(unread, key=lambda u: u.formula.start + u.span[0])))


def _continued(statements: Sequence[Statement], unread: Sequence[Unread]) -> list[Statement]:
    found: list[Statement] = []
    in_formula = Counter(s.formula.start for s in statements)
    above: Statement | None = None
    waiting = list(unread)
    for s in statements:
        while waiting and waiting[0].formula.start + waiting[0].span[0] < _place(s):
            above = _above_behind(waiting.pop(0), above)
        if s.relation.continues and above is not None and not _is_of_words(s):
            s = replace(s.with_parts((above.parts[0], *s.parts[1:])), continued=above.continued or above)
        if len(s.parts) > 1 and not s.formula.is_within_text:
            above = s
        elif len(s.parts) == 1 and has_derivative(s.parts[0]) and in_formula[s.formula.start] == 1:
            above = s  # a left side that stands alone
        found.append(s)
    return found


def _is_of_words(s: Statement) -> bool:
    """Whether Chinese words are the left side of a display, which so goes on from none: 交叉项 = Σ_i Σ_j x_i x_j."""
    return s.formula.kind != "inline" and _CHINESE.search(s.formula.text.partition("=")[0]) is not None


def _place(s: Statement) -> int:
    """Where a statement is in the text of the page."""
    return s.formula.start + s.relation.regions[0][0]


def _above_behind(u: Unread, above: Statement | None) -> Statement | None:
    """The statement from whose left side a formula behind an unread one goes on."""
    if u.left is not None:
        if isinstance(u.left, Dots) or (above is not None and above.parts[0] == u.left):
            return above
        return Statement(u.formula, Relation((u.left,), (), (u.left.span,)), -1)
    goes_on = u.formula.text[: u.span[0]].rstrip().endswith(("=", "=&", "&=")) or u.formula.text.startswith(("=", "&="))
    return above if goes_on or u.formula.kind == "code" else None


def _with_cases(statements: Sequence[Statement]) -> list[Statement]:
    found: list[Statement] = []
    case: Expression | None = None
    heading, formula = "", None
    below = _CasesOfHeading("")
    others = _headings_of_other_cases(statements)
    for s in statements:
        if s.continued is not None and not s.relation.conditions:
            conditions = next((f.relation.conditions for f in reversed(found) if f.number == s.continued.number), ())
            s = replace(s, relation=replace(s.relation, conditions=conditions))
        if s.formula.heading != below.heading:
            below = _CasesOfHeading(s.formula.heading)
        s = below.add_or_apply(s, others)
        if s.formula.kind == "inline":
            given = _case(s)
            if given is not None:
                case, heading, formula = given, s.formula.heading, None
        elif case is not None:
            first = formula is None and (len(s.formula.before) <= _SHORT or _ONE_SENTENCE.fullmatch(s.formula.before))
            if s.formula.heading != heading or not (first or s.formula == formula):
                case = None
            elif not s.relation.conditions:
                formula = s.formula
                s = replace(s, relation=replace(s.relation, conditions=(case,)))
        found.append(s)
    return found


@dataclass
class _CasesOfHeading:
    """A heading and the conditions that it states, as in "The case i = j"."""

    heading: str
    conditions: list[Iverson] = field(default_factory=list)

    def add_or_apply(self, s: Statement, others: Collection[int]) -> Statement:
        """The statement, under the conditions whose indices it has; one that stands in the heading adds its own, but
        those of the other case where its number is among `others`.
        """
        if own := _stated_in_heading(s):
            self.conditions = _other_case(own) if s.number in others else [*self.conditions, *own]
            return s
        if not self.conditions or s.relation.conditions:
            return s
        used = {i.variable for n in s.nodes() if isinstance(n, Entry) for i in n.indices}
        kept = tuple(c for c in self.conditions if {c.left.variable, c.right.variable} <= used)
        return replace(s, relation=replace(s.relation, conditions=kept))


def _stated_in_heading(s: Statement) -> list[Iverson]:
    """The conditions that a formula in a heading states: k = i, l ≠ j."""
    if f"${s.formula.text}$" not in s.formula.heading or (first := _condition_of_indices(s)) is None:
        return []
    return [first, *(c for c in s.relation.conditions if isinstance(c, Iverson))]


def _headings_of_other_cases(statements: Sequence[Statement]) -> set[int]:
    """The numbers of the statements in headings that say a case a second time in succession, k = i and l ≠ j, and are
    about the other one, k = i and l = j, as no heading between the same two headings of another kind has this one.
    """
    runs: list[list[tuple[int, list[Iverson]]]] = [[]]
    heading = ""
    for s in statements:
        if own := _stated_in_heading(s):
            runs[-1].append((s.number, own))
        elif s.formula.heading != heading:
            runs.append([])
        heading = s.formula.heading if own else heading
    found = set[int]()
    for run in runs:
        cases = [own for _, own in run]
        for (_, before), (number, own) in pairwise(run):
            if own == before and [c.operator for c in own].count("≠") == 1 and _other_case(own) not in cases:
                found.add(number)
    return found


def _other_case(conditions: Sequence[Iverson]) -> list[Iverson]:
    """The conditions with = for ≠."""
    return [replace(c, operator="=") for c in conditions]


def _case(s: Statement) -> Expression | None:
    """The condition that "if i = j" states, of two indices."""
    return _condition_of_indices(s) if _IF.search(s.formula.before[-40:]) else None


def _condition_of_indices(s: Statement) -> Iverson | None:
    """The condition that a relation of two letters is, taken for indices."""
    if len(s.parts) != 2:
        return None
    operator = s.relation.operators[0]
    names = [part.name for part in s.parts if isinstance(part, Symbol) and part.time is None and len(part.name) == 1]
    if operator not in SIGNS or len(names) != 2:
        return None
    return Iverson(Index(names[0]), Index(names[1]), operator)
