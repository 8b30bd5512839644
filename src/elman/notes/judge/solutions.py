"""A closed form for a letter that the model already has, w = (X^T X)^{-1} X^T y: the gradient by w vanishes there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from elman.calculus.expression import Derivative, Expression, Symbol
from elman.calculus.printing.render import text
from elman.errors import FormulaError
from elman.notes.judge.judgement import Judgement
from elman.notes.model.page_model import TIME, Definition, PageModel, everything_in
from elman.notes.oracle.agreement import Agreement
from elman.notes.oracle.evaluation_point import HORIZON
from elman.notes.oracle.oracle import Oracle, Oracles

_SMALL = 1e-8  # of a gradient at its zero, beside that of the loss elsewhere


def judged_solution(claim: Judgement, sampled: Sequence[Oracle], oracles: Oracles) -> Judgement:
    """The claim `w = solution`: holds where the gradient of a loss by w is zero there, else it is not checked.

    `sampled` are the oracles of the claim, `oracles` makes those in which w is the solution.
    """
    letter, solution = claim.left, claim.expression
    if isinstance(letter, Symbol):
        for loss in _losses(sampled[0].model, letter.name):
            if all(_vanishes(oracles, o, loss, letter, solution) for o in sampled):
                where = f"the gradient of {text(loss)} by {text(letter)} vanishes there"
                return replace(claim, result=Agreement(plain=True), reading=where, as_written=True)
    why = "a solution, and no gradient of the page that vanishes there was found: write the loss above it"
    return claim.not_checked(why)


def _losses(model: PageModel, name: str) -> Iterator[Symbol]:
    """What the page differentiates by the letter, or else every letter that depends on it."""
    of: list[Symbol] = []
    for s in model.own_statements():
        derivatives = (n for n in s.nodes() if isinstance(n, Derivative))
        of += [d.of for d in derivatives if isinstance(d.of, Symbol) and d.wrt == Symbol(name)]
    of += [
        Symbol(other) for other in model.equations if any(_is(n, name) for n in everything_in(model, [Symbol(other)]))
    ]
    return (s for s in dict.fromkeys(of) if s.name != name)


def _is(e: Expression, name: str) -> bool:
    return isinstance(e, Symbol) and e.name == name


def _vanishes(oracles: Oracles, oracle: Oracle, loss: Symbol, letter: Symbol, solution: Expression) -> bool:
    """Whether ∂loss/∂letter is zero where the letter has the value of its solution, and is not zero elsewhere."""
    if letter.name in oracle.model.equations:
        return False
    definition = Definition(letter.name, letter.time, solution, -1, -1)
    equations = {**oracle.model.equations, letter.name: (definition,)}
    point = replace(oracle.point, sizes=with_more_rows(oracle))
    slope, at = Derivative(loss, letter), {TIME: HORIZON - 1}
    try:
        plain = oracles.new(oracle.model, point, oracle.local)
        solved = oracles.new(replace(oracle.model, equations=equations), point, oracle.local)
        elsewhere, there = plain.evaluate(slope, at), solved.evaluate(slope, at)
    except FormulaError:
        return False
    if plain.values.evaluate(loss, at).shape[-2:] != (1, 1):
        return False
    size = float(np.abs(elsewhere).max(initial=0.0))
    return size > 0 and float(np.abs(there).max(initial=0.0)) <= _SMALL * max(size, 1.0)


def with_more_rows(oracle: Oracle) -> tuple[tuple[str, int], ...]:
    """The sizes of an oracle, more rows than columns: X^T X has an inverse where X has more rows."""
    rows = {shape[0] for shape in oracle.model.shapes.values() if "1" not in shape}
    columns = {shape[1] for shape in oracle.model.shapes.values() if "1" not in shape}
    ordered = sorted(n for _, n in oracle.point.sizes)
    names = sorted(dict(oracle.point.sizes), key=lambda name: (name in rows) - (name in columns))
    return tuple(zip(names, ordered, strict=True))
