"""Doubts about derivatives: the direct use of a letter, one that is zero as read, one that holds where it is zero."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from itertools import islice

import numpy as np

from elman.calculus.expression import (
    Derivative,
    Entry,
    Expression,
    Number,
    Symbol,
    base_of,
    children,
    has_derivative,
    symbols,
    walk,
)
from elman.calculus.printing.render import text
from elman.errors import FormulaError
from elman.notes.judge.advice import no_dependence
from elman.notes.judge.checker import Checker
from elman.notes.judge.judgement import Judgement
from elman.notes.model.page_model import (
    free_indices,
    letter_of,
    names_in,
)
from elman.notes.model.statement_kinds import defined_letter, ends_in_zero
from elman.notes.oracle.agreement import MOST_OF_DIRECT_USE, agreement, agreement_of_direct_use, assignments, compare
from elman.notes.oracle.evaluation_point import OutOfRangeError
from elman.notes.oracle.oracle import Oracle
from elman.notes.repair.edits import EDIT
from elman.notes.repair.explanation import Explanation

_POINT = re.compile(r"(?<![A-Za-z\\_^{])\b([A-Za-z])\s*=\s*(-?\d+(?:\.\d+)?)(?!\d|\.\d|[A-Za-z]|\s*[\\+*/^(-])")
_NEAR = 1200  # letters before a formula in which a point is named
_TRIED = 8  # time steps and indices at which a derivative is looked at


def by_itself(checker: Checker, e: Explanation) -> str:
    """∇f without the letter below it is by no letter that the page writes elsewhere, where that is f itself."""
    left = e.judgement.left
    by_itself = isinstance(left, Derivative) and left.of == left.wrt
    return "∇ needs below it the symbol by which to differentiate: ∇_W J" if by_itself else ""


def at_a_point(checker: Checker, e: Explanation) -> str:
    """∂s/∂x = 2 x = 6 where the words before it say "at x = 3": the number is the value there."""
    j = e.judgement
    if not isinstance(j.left, Derivative) or j.part < 2 or j.result.error is not None:
        return ""
    numbers = {n.value for n in walk(j.expression) if isinstance(n, Number)}
    before = j.statement.parts[1 : j.part]
    if numbers <= {n.value for part in before[:1] for n in walk(part) if isinstance(n, Number)}:
        return ""
    names = {n.name for part in (j.left, *before) for n in walk(part) if isinstance(n, Symbol)}
    here = j.statement.formula.start
    found = (m for m in _POINT.finditer(checker.page.text, max(0, here - _NEAR), here) if m.group(1) in names)
    point = next(found, None)
    return "" if point is None else f"it may be said at {point.group(1)} = {point.group(2)}: write the point behind it"


def constant_derivative(checker: Checker, e: Explanation) -> str:
    """A derivative on the right side that is zero everywhere shows that an equation was not read."""
    j = e.judgement
    small = any(f.cost <= EDIT for f in e.candidates)
    if j.result.error is not None or (small and checker.declares_shapes(j)):
        return ""
    oracle = checker.sampling.oracles(j.statement)[0]
    for derivative in _outermost_derivatives(j.expression):
        if derivative.at is None and _is_zero(oracle, j, derivative):
            return no_dependence(derivative)
    return ""


def by_an_entry(checker: Checker, e: Explanation) -> str:
    """∂f/∂X = ∂f/∂X_kl sets a matrix of derivatives equal to one of its entries: to all, by their indices."""
    left, part = e.judgement.left, e.judgement.expression
    if not isinstance(left, Derivative) or not isinstance(left.wrt, Symbol):
        return ""
    free = free_indices(part) - free_indices(left)
    for n in walk(part):
        by = n.wrt if isinstance(n, Derivative) else None
        if isinstance(by, Entry) and base_of(by) == left.wrt and {i.variable for i in by.indices} & free:
            return f"the right side is differentiated by the entry {text(by)}: write the same entry on the left side"
    return ""


def disconnected(checker: Checker, e: Explanation) -> str:
    """∂L/∂x = … ∂L/∂y … where, as the page was read, no such y depends on x."""
    j = e.judgement
    if not isinstance(j.left, Derivative) or (by := _differentiated_by(j.left)) is None:
        return ""
    nodes = [n for n in walk(j.expression) if isinstance(n, Derivative) and n.of == j.left.of]
    through = [letter for n in nodes if (letter := _differentiated_by(n)) is not None]
    if not through or any(by.name in names_in(checker.model, [letter]) for letter in through):
        return ""
    return no_dependence(Derivative(through[0], by))


def written_out_above(checker: Checker, e: Explanation) -> str:
    """A derivative that its derivation takes of what z is, written out, where that has no value as it was read: z may
    be another expression there than in its equation.
    """
    j = e.judgement
    if not isinstance(j.left, Derivative) or j.part < 2:
        return ""
    oracle, left = checker.sampling.oracles(j.statement)[0], j.left
    derivatives = (part for part in j.statement.parts[1 : j.part] if isinstance(part, Derivative))
    written_out = (part for part in derivatives if part.wrt == left.wrt and letter_of(part.of) is None)
    if any(agreement(oracle, left, part).error is not None for part in written_out):
        return f"what {text(left.of)} is, as the row above writes it, has no value as it was read"
    return ""


def _differentiated_by(e: Derivative) -> Symbol | None:
    """The letter that a derivative is by, without its time step."""
    by = letter_of(e.wrt)
    return by if by is None else replace(by, time=None)


def direct_use(checker: Checker, e: Explanation) -> str:
    """∂u/∂v may mean the use of v in the equation of u alone, with the other letters in it held fixed."""
    j = e.judgement
    letter = base_of(j.left.of) if isinstance(j.left, Derivative) else None
    if not isinstance(j.left, Derivative) or not isinstance(letter, Symbol) or j.result.error is not None:
        return ""
    if letter.name not in checker.model.equations or letter.time is not None or j.left.at is not None:
        return ""
    oracle = checker.sampling.oracles(j.statement)[0]
    direct = agreement_of_direct_use(oracle, j.left, j.expression)
    if direct is None or not _whole_differs(oracle, j.left, j.expression):
        return ""
    return f"it holds with the other letters in the equation of {text(letter)} held fixed: write that it is meant so"


def where_a_gradient_is_zero(checker: Checker, e: Explanation) -> str:
    """X^T X w = X^T y below ∂L/∂w = 0 holds for the w at which the derivative is zero, and for no other."""
    j = e.judgement
    if has_derivative(j.left, j.expression) or defined_letter(j.left) is not None:
        return ""
    names = {s.name for s in (*symbols(j.left), *symbols(j.expression))}
    above = [s for s in checker.model.statements if s.number < j.statement.number and has_derivative(s.parts[0])]
    if not above or not ends_in_zero(above[-1]) or above[-1].formula.heading != j.statement.formula.heading:
        return ""
    wrt = [n.wrt for n in walk(above[-1].parts[0]) if isinstance(n, Derivative)]
    if not any(s.name in names for by in wrt for s in symbols(by)):
        return ""
    return f"it holds where {above[-1].source(0).strip()} is zero: say so in words if it is said of all values"


def _whole_differs(oracle: Oracle, left: Derivative, part: Expression) -> bool:
    """Whether the whole derivative differs from a part where its direct use is compared; not where it has no value."""
    differs = False
    try:
        for indices in islice(assignments(oracle, (left, part)), MOST_OF_DIRECT_USE):
            whole = oracle.jacobians.jacobian(left, dict(indices)).matrix()
            value = oracle.evaluate(part, indices)
            differs |= whole is None or not compare(whole, value, per_column=False).plain
    except FormulaError:
        return False
    return differs


def _outermost_derivatives(e: Expression) -> Iterator[Derivative]:
    if isinstance(e, Derivative):
        yield e
    else:
        for child in children(e):
            yield from _outermost_derivatives(child)


def _is_zero(oracle: Oracle, j: Judgement, derivative: Derivative) -> bool:
    """Whether a derivative is zero at all time steps and indices that were tried, one at least."""
    seen = False
    try:
        for indices in islice(assignments(oracle, (j.left, j.expression, derivative)), _TRIED):
            with suppress(OutOfRangeError):
                if np.abs(oracle.jacobians.jacobian(derivative, dict(indices)).tensor).max(initial=0.0) > 0:
                    return False
                seen = True
    except FormulaError:
        return False
    return seen
