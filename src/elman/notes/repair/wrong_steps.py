"""Rows of a derivation that the rows around them contradict.

In A = B = C, B is wrong where A = C holds for all values of the letters and B differs from both, whatever the page says
of A. And B is wrong behind A where it differs from A, a single edit makes it A, and the row before A or the one behind
B shows that its letters were read as they are meant. The rows are read by themselves, so that a misread equation
elsewhere does not matter.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from elman.calculus.expression import (
    Apply,
    BigProduct,
    BigSum,
    Call,
    Dots,
    Entry,
    Expression,
    Index,
    Number,
    Symbol,
    has_derivative,
    transform,
    walk,
)
from elman.notes.judge.checker import Checker, JudgedPage
from elman.notes.judge.claim_kinds import EQUALITIES
from elman.notes.judge.derivation_steps import earlier_parts
from elman.notes.judge.local_reading import LocalReader
from elman.notes.judge.verdict import Verdict
from elman.notes.model.page_model import PageModel, Statement, free_indices, free_times
from elman.notes.oracle.agreement import Agreement
from elman.notes.oracle.budget import Budget
from elman.notes.repair.doubts.no_claims import of_differentials
from elman.notes.repair.edits import EDIT
from elman.notes.repair.explanation import Candidate, Explanation, verdict_of, with_result
from elman.notes.repair.repairer import Repairer

Key = tuple[int, int]
Change = Callable[[Expression], Expression]
_SUBSCRIPT = re.compile(r"_\s*(?:\w|\{\s*\w+\s*\})\s*$")
_AROUND = "the rows before and behind it are equal"
_STEP = "it is said to follow from the row before it"
_REPAIRS = 20_000  # units of work for the repairs of one row
_TURNED = frozenset({Verdict.MISSING_TRANSPOSE, Verdict.EXTRA_TRANSPOSE})


def with_wrong_steps(
    page: JudgedPage, explanations: Mapping[Key, Explanation], budget: Budget
) -> dict[Key, Explanation]:
    """The explanations, with those claims as wrong that the rows around them contradict."""
    found = dict(explanations)
    model = page.checker.model
    before = _rows_before(model)
    behind = {above: key for key, above in before.items()}
    reader: LocalReader | None = None
    for key, e in explanations.items():
        if budget.is_exhausted():
            break
        if e.verdict is not Verdict.NOT_CHECKED or key not in before or of_differentials(page.checker, e):
            continue
        reader = reader or LocalReader(page)
        rows = _Rows(reader, e.judgement.statement)
        row, above = e.judgement.expression, _part(model, before[key])
        nearby = [_part(model, k) for k in (before.get(before[key]), behind.get(key)) if k is not None]
        wrong = rows.between(above, row, nearby[-1]) if key in behind else None
        is_odd = before[key] in found and found[before[key]].diagnosis.endswith(
            _AROUND
        )  # this row equals those around it
        if wrong is None and before[key][1] and not is_odd:  # an equation of two sides may ask for something
            wrong = rows.slip(above, row, nearby)
        if wrong is not None and wrong.apart.counterexample is not None:
            j = with_result(e.judgement, wrong.apart)
            words = f"the two sides differ: {wrong.apart.counterexample}; {wrong.why}"
            found[key] = Explanation(j, verdict_of(wrong.repairs), words, wrong.repairs, e.reading)
    return found


@dataclass(frozen=True, slots=True)
class _Wrong:
    """How a row differs from the one before it, what shows that it is wrong, and its repairs."""

    apart: Agreement
    why: str
    repairs: tuple[Candidate, ...] = ()


@dataclass(frozen=True, slots=True)
class _Rows:
    """Compares the rows of the derivation that a statement belongs to."""

    reader: LocalReader
    statement: Statement

    def between(self, before: Expression, row: Expression, behind: Expression) -> _Wrong | None:
        """What is wrong with a row, where the one before it equals the one behind it; None where nothing may be."""
        if has_derivative(row) or not _has_letters_of(row, (before, behind)):
            return None
        for checker, change in self._readings(before, behind):
            apart = _apart(checker, change(row))
            return None if apart is None or self._may_be_equal(before, row, behind) else _Wrong(apart, _AROUND)
        return None

    def slip(self, before: Expression, row: Expression, nearby: list[Expression]) -> _Wrong | None:
        """What is wrong with a row that a single edit makes equal to the one before it, under a reading that makes
        another row equal to one of the two; None where nothing may be.
        """
        if has_derivative(before, row):
            return None  # what a derivative is depends on more than these rows
        for other in nearby:
            for one, two in ((before, other), (other, row)):
                if not _has_letters_of(row, (one, two)) or not _has_letters_of(before, (one, two)):
                    continue
                for checker, change in self._readings(one, two):
                    wrong = self._repaired(checker, change(before), change(row))
                    return None if wrong is None or self._may_be_equal(before, row) else wrong
        return self._slip_of_algebra(before, row)

    def _slip_of_algebra(self, before: Expression, row: Expression) -> _Wrong | None:
        """What is wrong with a row of the letters of the one before it, that another sign, number or pair of
        parentheses makes equal to that one, for numbers in place of all letters; None where nothing may be.
        """
        if _names(before) != _names(row) or not _has_letters_of(row, (before,)):
            return None
        one, other = _with_entries(before), _with_entries(row)
        for checker, _ in self.reader.equal(self.statement, one, other, numbers=True):
            wrong = self._repaired(checker, one, other, is_small=True)
            if wrong is not None and not self._may_be_equal(before, row):
                return wrong
        return None

    def _readings(self, one: Expression, other: Expression) -> Iterator[tuple[Checker, Change]]:
        """The readings under which two rows are equal, and say more than 0 = 0, and how rows are written for them."""
        if one == other:
            return
        for numbers, change in ((False, _as_written), (True, _with_entries)):
            for checker, j in self.reader.equal(self.statement, change(one), change(other), numbers):
                if j.good and not j.result.nothing:
                    yield checker, change

    def _may_be_equal(self, *rows: Expression) -> bool:
        """Whether two rows, one behind the other, are equal under any reading."""
        return any(
            j.good for k in range(len(rows) - 1) for _, j in self.reader.equal(self.statement, rows[k], rows[k + 1])
        )

    def _repaired(self, checker: Checker, before: Expression, row: Expression, is_small: bool = False) -> _Wrong | None:
        """The repairs of a row by a single edit; `is_small`: of a sign, a number or parentheses, in either row."""
        apart = _apart(checker, row, before)
        if apart is None:
            return None
        found = [f for f in _repairs(checker, before, row) if not is_small or _is_small(row, f)]
        if not found and is_small and not any(_is_small(before, f) for f in _repairs(checker, row, before)):
            return None
        return _Wrong(apart, _STEP, tuple(found)) if found or is_small else None


def _repairs(checker: Checker, before: Expression, row: Expression) -> list[Candidate]:
    """The repairs of a row by a single edit that makes it equal to the one before it; where a transpose alone is
    missing, its letters may be rows.
    """
    alone = checker.model.statements[-1]
    budget = checker.meter.budget(_REPAIRS)
    repairer = Repairer(checker.sampling.oracles(alone), checker.sampling.letters(alone), budget)
    found = (f for f in repairer.repairs(before, row, needs_small=True) if f.cost <= EDIT and f.left == before)
    return [f for f in found if not f.turned and not _TURNED.issuperset(f.verdicts)]


def _is_small(row: Expression, f: Candidate) -> bool:
    """Whether a repair changes a sign, a number, or the terms that a factor is of."""
    numbers, others = ([n.value for n in walk(e) if isinstance(n, Number)] for e in (row, f.part))
    if f.verdicts == (Verdict.SIGN,) or f.verdicts == (Verdict.OPERATOR,):
        return _leaves(row) == _leaves(f.part)
    same = len(numbers) == len(others) and numbers != others
    return same and _leaves(row) == _leaves(f.part)


def _leaves(e: Expression) -> Counter[Expression]:
    """The letters and entries of an expression, each with how often it occurs."""
    return Counter(n for n in walk(e) if isinstance(n, Symbol | Entry))


def _as_written(e: Expression) -> Expression:
    return e


def _with_entries(e: Expression) -> Expression:
    """An expression with entries in place of letters that are named after the index of a sum: x_i below Σ_i."""
    running = {n.index for n in walk(e) if isinstance(n, BigSum | BigProduct)}

    def change(node: Expression) -> Expression:
        stem, _, index = node.name.rpartition("_") if isinstance(node, Symbol) else ("", "", "")
        if not stem or index not in running or not isinstance(node, Symbol):
            return node
        return Entry(Symbol(stem, node.time, _SUBSCRIPT.sub("", node.latex)), (Index(index),), span=node.span)

    return transform(e, change)


def _apart(checker: Checker, row: Expression, before: Expression | None = None) -> Agreement | None:
    """How a row differs by value from the left side of a reading, or from another row; None where it does not."""
    alone = checker.model.statements[-1]
    found = checker.agree(alone, alone.parts[0] if before is None else before, row)
    differs = found.error is None and found.counterexample is not None and found.counterexample.entry is not None
    return found if differs else None


def _has_letters_of(row: Expression, others: tuple[Expression, ...]) -> bool:
    """Whether a row has no letter, function or index that others lack, and no ellipsis."""
    if any(isinstance(n, Dots) for part in (row, *others) for n in walk(part)):
        return False
    names, indices = set[str](), set[str]()
    for other in others:
        names |= _names(other)
        indices |= free_indices(other) | free_times(other)
    return _names(row) <= names and free_indices(row) | free_times(row) <= indices


def _names(e: Expression) -> set[str]:
    """The letters and functions of an expression, and the sizes that its sums run to."""
    found = set[str]()
    for n in walk(e):
        if isinstance(n, Symbol | Apply):
            found.add(n.name)
        elif isinstance(n, Call):
            found.add(n.function)
        elif isinstance(n, BigSum | BigProduct) and n.upper is not None and n.upper.variable:
            found.add(n.upper.variable)
    return found


def _rows_before(model: PageModel) -> dict[Key, Key]:
    """By the place of each row that of the row before it, or of the left side of its derivation."""
    found: dict[Key, Key] = {}
    for s in model.own_statements():
        for k in range(1, len(s.parts)):
            above = next(earlier_parts(model, s, k), None)
            if above is not None:
                found[s.number, k] = above[0]
            elif k == 1 and s.relation.operators[0] in EQUALITIES and not isinstance(s.parts[0], Dots):
                found[s.number, k] = (s.number, 0)
    return found


def _part(model: PageModel, key: Key) -> Expression:
    return model.statements[key[0]].parts[key[1]]
