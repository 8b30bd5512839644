"""Equations that hold where a gradient is zero: Σ_i x_i (w x_i - y_i) = 0, and w = Σ_i x_i y_i / Σ_i x_i^2.

Such an equation is compared at the one point at which the gradient of the page's loss is zero. It is wrong only where
that gradient is affine in the letters that it is by, so that there is no other such point.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TypeAlias, cast

import numpy as np

from elman.calculus.expression import Derivative, Matrix, Number, Symbol, has_derivative, symbols
from elman.calculus.functions import Array
from elman.calculus.printing.render import text
from elman.errors import FormulaError
from elman.notes.judge.checker import Checker, JudgedPage
from elman.notes.judge.solutions import with_more_rows
from elman.notes.judge.verdict import Verdict
from elman.notes.model.page_model import TIME, Definition, Statement, names_in
from elman.notes.model.statement_kinds import StatementKind, ends_in_zero
from elman.notes.oracle.agreement import Agreement, agreement
from elman.notes.oracle.budget import Budget
from elman.notes.oracle.counterexample import Counterexample
from elman.notes.oracle.evaluation_point import HORIZON
from elman.notes.oracle.oracle import Oracle
from elman.notes.repair.explanation import Explanation, with_result

Key = tuple[int, int]
_Zero: TypeAlias = tuple[Array | None, int]  # where a gradient is zero, and the units of work that this took
_ANNOUNCED = re.compile(
    r"\b(?:zero|0\s*\$?)\b|\bsolv\w+|\bnormal equations?\b|\bstationar\w+|\bminimi[sz]er\b"
    r"|为\s*\$?\s*0|为零|等于零|求解|解得|令",
    re.IGNORECASE,
)
_SMALL = 1e-7  # of a difference at a stationary point, beside the values of both sides
_MOST = 40  # entries of the letters that are solved for


def with_stationary_points(
    page: JudgedPage, explanations: Mapping[Key, Explanation], budget: Budget
) -> dict[Key, Explanation]:
    """The explanations, with a verdict on those equations that are said of the point at which a gradient is zero."""
    found = dict(explanations)
    for key, e in explanations.items():
        j = e.judgement
        if budget.is_exhausted():
            break
        if e.verdict not in (Verdict.NOT_A_CLAIM, Verdict.NOT_CHECKED) or has_derivative(j.left, j.expression):
            continue
        slopes = _slopes(page.checker, j.statement) if _may_be_of_zero(page.checker, j.statement) else []
        if slopes:
            found[key] = _Stationary(page, explanations, e).verdict(slopes) or e
    return found


def _may_be_of_zero(checker: Checker, s: Statement) -> bool:
    """Whether an equation may be said of the point at which a gradient is zero: one is set to zero above it, or its
    words say so.
    """
    if checker.kinds[s.number] is StatementKind.SOLUTION or _ANNOUNCED.search(s.formula.before[-60:]):
        return True
    above = [o for o in checker.model.own_statements() if o.number < s.number and has_derivative(*o.parts)]
    return bool(above) and ends_in_zero(above[-1])


def _slopes(checker: Checker, s: Statement) -> list[Derivative]:
    """The derivatives that the section has of one loss, the last one above an equation that is by a letter of it first;
    none where there is none.
    """
    written = {n.name for part in s.parts for n in symbols(part)}
    known = checker.model.equations
    others = sorted(checker.model.own_statements(), key=lambda o: (o.number >= s.number, -o.number))
    slopes = [o.parts[0] for o in others if isinstance(o.parts[0], Derivative)]
    found = [d for d in slopes if isinstance(d.of, Symbol) and d.of.name in known and _is_by_given(d, checker)]
    above = {o.parts[0] for o in others if o.number < s.number}
    first = next((d for d in found if d in above and _letter(d).name in written), None)
    return [] if first is None else list(dict.fromkeys((first, *(d for d in found if d.of == first.of))))


def _is_by_given(d: Derivative, checker: Checker) -> bool:
    """Whether a derivative is by a letter as a whole that has no equation."""
    by = d.wrt
    return isinstance(by, Symbol) and by.time is None and d.at is None and by.name not in checker.model.equations


@dataclass(frozen=True, slots=True)
class _Stationary:
    """Judges one equation at the points at which gradients are zero."""

    page: JudgedPage
    explanations: Mapping[Key, Explanation]
    explanation: Explanation

    def verdict(self, slopes: Sequence[Derivative]) -> Explanation | None:
        """The explanation of the equation, where the first of some derivatives is zero, or all of them are; None where
        nothing is known.
        """
        e, j = self.explanation, self.explanation.judgement
        apart: Counterexample | None = None
        for zero in dict.fromkeys((tuple(slopes[:1]), tuple(slopes))):
            results = [self._at_zero(o, zero) for o in self.page.checker.sampling.oracles(j.statement)[:2]]
            where = " and ".join(text(slope) for slope in zero)
            if all(r is not None and r.plain for r in results):
                held = with_result(j, Agreement(plain=True))
                return Explanation(held, Verdict.HOLDS, reading=f"where {where} is zero")
            differs = (r.counterexample for r in results if r is not None and r.error is None)
            apart = next((c for c in differs if c is not None and c.entry is not None), None)
        if apart is None or not self._is_sure(slopes):
            return None
        wrong = with_result(j, Agreement(counterexample=apart))
        words = f"the two sides differ: {apart}; it is said of the point at which {text(slopes[0])} is zero"
        return Explanation(wrong, Verdict.FALSE, words, reading=e.reading)

    def _is_sure(self, slopes: Sequence[Derivative]) -> bool:
        """Whether the derivative that is zero was read as it is meant, and the equation has no letter of its own."""
        model = self.page.checker.model
        held = {e.judgement.left for e in self.explanations.values() if e.holds and not e.judgement.alone}
        known = names_in(model, [slopes[0].of]) | set(self.page.checker.sampling.sizes())
        j = self.explanation.judgement
        return slopes[0] in held and names_in(model, (j.left, j.expression)) <= known

    def _at_zero(self, oracle: Oracle, slopes: Sequence[Derivative]) -> Agreement | None:
        """How the two sides agree where some derivatives are zero; None where that point is not known."""
        checker, j = self.page.checker, self.explanation.judgement
        gradient = _Gradient(checker, oracle, slopes)
        try:
            zero = gradient.zero()
            if zero is None:
                return None
            there = agreement(gradient.oracle_at(zero), j.left, j.expression)
            elsewhere = agreement(gradient.oracle_at(zero + 1.0), j.left, j.expression)
        except FormulaError:
            return None
        return None if elsewhere.plain else there


@dataclass(frozen=True, slots=True)
class _Gradient:
    """Derivatives of a loss by some letters, as a function of the values of these letters, one behind the other."""

    checker: Checker
    oracle: Oracle
    slopes: Sequence[Derivative]

    def zero(self) -> Array | None:
        """Where the gradient is zero; None where it is not affine, or zero nowhere or at several points, or has no
        value. Each equation of a section asks for it: it is found once, and its work is counted each time.
        """
        known, meter = self.oracle.remembered, self.checker.meter
        key = (_Gradient, tuple(self.slopes))
        if key in known:
            zero, units = cast(_Zero, known[key])
            meter.count(units)
            return zero
        before = meter.spent
        try:
            zero = self._zero()
        except FormulaError:
            zero = None
        known[key] = zero, meter.spent - before
        return zero

    def _zero(self) -> Array | None:
        shapes = [self._shape(slope) for slope in self.slopes]
        size = sum(m * n for m, n in shapes)
        if size > _MOST:
            return None
        first = np.linspace(0.5, 1.5, size)
        here = self._at(first)
        steps = np.eye(first.size)
        matrix = np.stack([self._at(first + step) - here for step in steps], axis=1)
        further = self._at(first + 2 * steps.sum(0))
        if not np.allclose(further, here + 2 * matrix.sum(1), rtol=1e-6, atol=1e-9):
            return None
        square = matrix.shape[0] == first.size  # more derivatives than letters are those of a vector
        if not square or not np.isfinite(matrix).all() or np.linalg.matrix_rank(matrix, tol=1e-6) < first.size:
            return None
        return np.asarray(first - np.linalg.solve(matrix, here))

    def _shape(self, slope: Derivative) -> tuple[int, int]:
        """The shape of the letter that a derivative is by."""
        point = replace(self.oracle.point, sizes=with_more_rows(self.oracle))
        there = self.checker.oracles.shared(self.oracle.model, point, self.oracle.local, self.oracle.conditions)
        m, n = there.evaluate(_letter(slope), {TIME: HORIZON - 1}).shape[-2:]
        return m, n

    def _at(self, values: Array) -> Array:
        oracle = self.oracle_at(values)
        found = [oracle.evaluate(s, {TIME: HORIZON - 1}) for s in self.slopes]
        return np.concatenate([np.real(v).ravel() for v in found])

    def oracle_at(self, values: Array) -> Oracle:
        """The oracle in which the letters have these values."""
        oracle, equations, start = self.oracle, dict(self.oracle.model.equations), 0
        for slope in self.slopes:
            name, (m, n) = _letter(slope).name, self._shape(slope)
            rows = values[start : start + m * n].reshape(m, n)
            cells = tuple(tuple(Number(Fraction(float(x))) for x in row) for row in rows)
            equations[name] = (Definition(name, None, Matrix(cells) if m * n > 1 else cells[0][0], -1, -1),)
            start += m * n
        model, point = replace(oracle.model, equations=equations), replace(oracle.point, sizes=with_more_rows(oracle))
        return self.checker.oracles.new(model, point, oracle.local, oracle.conditions)


def _letter(slope: Derivative) -> Symbol:
    assert isinstance(slope.wrt, Symbol)
    return slope.wrt
