"""Why a formula does not hold: its verdict, the words for it, and the repairs."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from elman.calculus.expression import (
    Call,
    Derivative,
    Expression,
    Index,
    Symbol,
    transform,
    walk,
)
from elman.calculus.matrix_form.transposes import move_transpose_inward
from elman.calculus.printing.render import text
from elman.calculus.syntax.written_sizes import is_written
from elman.calculus.values.environment import MisfitError
from elman.errors import FormulaError
from elman.notes.judge.checker import SECONDS, Checker, Judgement
from elman.notes.judge.interpretations import Interpretation, compare, interpretations_of
from elman.notes.judge.perplexity import perplexity, speaks_of_perplexity
from elman.notes.judge.verdict import Verdict
from elman.notes.model.page_model import TIME
from elman.notes.oracle.agreement import agreement
from elman.notes.oracle.evaluation_point import CycleError, UndefinedError
from elman.notes.oracle.numeric_sizes import same_ratio
from elman.notes.oracle.oracle import Oracle
from elman.notes.page.page import Page
from elman.notes.repair.edits import EDIT, Edit
from elman.notes.repair.faulty_equation import FaultyEquation, blamed, makes_loss, uses
from elman.notes.repair.repairer import Candidate, Repairer
from elman.notes.repair.repeated_slip import RepeatedSlip, repeated_slip_in

_FRAMES = 20_000
_ROUNDS = 3  # equations and shapes that may be blamed on one page


def settle(page: Page, supplied: str | None) -> Checker:
    """The page judged and explained; an equation or a shape that many claims speak against takes the blame for them."""
    deep = sys.getrecursionlimit()
    sys.setrecursionlimit(max(deep, _FRAMES))  # equations lead through each other, and time steps
    try:
        with np.errstate(all="ignore"):  # a formula that is wrong may overflow; its value says so
            return _settle(page, supplied)
    except RecursionError:
        raise FormulaError("the equations of this page lead through too many others: part it") from None
    finally:
        sys.setrecursionlimit(deep)


def _settle(page: Page, supplied: str | None) -> Checker:
    started = time.monotonic()
    checker = Checker(page, supplied)
    checker.judge(started + SECONDS)
    blames: list[FaultyEquation] = []
    while (
        len(blames) < _ROUNDS
        and time.monotonic() < started + SECONDS
        and (blame := blamed(checker, blames)) is not None
    ):
        blames.append(blame)
        checker = Checker(page, supplied, blame.model)
        checker.judge(started + 2 * SECONDS)
    for blame in blames:
        _accuse(checker, blame)
    _explain(checker, time.monotonic() + SECONDS)
    return checker


def _accuse(checker: Checker, blame: FaultyEquation) -> None:
    """Puts the blame where it belongs, and says so of the claims that were right all along."""
    claims = f"{blame.mended} claims of the page hold once it is mended"
    if blame.definition is None or blame.found is None:
        checker.reshaped[blame.name] = (blame.shape or ("", ""), claims)
        return
    d = blame.definition
    j = checker.judged[d.statement, d.part]
    j.verdict = verdict_of([blame.found])
    j.found = [replace(blame.found, part=transform(blame.found.part, move_transpose_inward))]
    j.diagnosis = claims
    j.settled = True
    if not makes_loss(checker.model, d.name):
        line = j.line
        for other in checker.judged.values():
            if other.good and other.defines is None and uses(other, d.name):
                other.verdict = Verdict.OWN_DELTA
                other.diagnosis = f"true once {d.name} is right (line {line}): {text(blame.found.part)}"
                other.settled = True


def _explain(checker: Checker, until: float) -> None:
    carried: list[RepeatedSlip] = []
    tried: list[tuple[Judgement, list[Interpretation]]] = []
    for judged in checker.judged.values():
        if judged.settled:
            continue
        if time.monotonic() > until and not judged.good:
            judged.verdict = judged.verdict or Verdict.FALSE
            judged.diagnosis = f"no repair was sought: the page took more than {SECONDS} seconds"
            continue
        _Explainer(checker, judged, carried, tried).explain()
        more = repeated_slip_in(judged.left, judged.found)
        if more is not None:
            carried.append(more)
    checker.remarks += compare(tried)


class _Explainer:
    def __init__(
        self,
        checker: Checker,
        judged: Judgement,
        carried: Sequence[RepeatedSlip],
        tried: list[tuple[Judgement, list[Interpretation]]],
    ) -> None:
        self.checker = checker
        self.j = judged
        self.carried = carried
        self.tried = tried
        self.oracles = checker.sampling.oracles(judged.statement)

    def explain(self) -> None:
        j = self.j
        left, part = j.left, j.expression
        for slip in self.carried:
            left, part = slip.apply(left), slip.apply(part)
        if j.good and (left, part) == (j.left, j.expression):
            self._perplexity()
            return
        error = j.result.error
        if isinstance(error, UndefinedError):
            j.verdict = Verdict.UNDEFINED
        if j.verdict == Verdict.TIME:
            self._time_missing()
        elif self._trace_missing(left, part):
            pass
        else:
            self._search(left, part)

    def _search(self, left: Expression, part: Expression) -> None:
        j, checker = self.j, self.checker
        if isinstance(j.result.error, CycleError):
            j.verdict = Verdict.CYCLE
        numerator = checker.layout == "numerator" and isinstance(j.left, Derivative) and checker.of_scalar(j)
        oracles = self.oracles if not j.result.column else checker.sampling.column_worlds()
        repairer = Repairer(oracles, checker.sampling.letters(j.statement), numerator, self._loose())
        found = [replace(f, part=transform(f.part, move_transpose_inward)) for f in repairer.repairs(left, part)]
        if (left, part) != (j.left, j.expression):
            edits = tuple(slip.edit for slip in self.carried if slip.apply(j.expression) != j.expression)
            found = [replace(f, edits=(*edits, *f.edits), cost=f.cost + EDIT) for f in found]
        grouped = Edit(Verdict.OPERATOR, "parentheses: ∘ binds looser than a product")
        found = [f if f.edits or f.part == part else replace(f, edits=(grouped,)) for f in found]
        j.found = sorted(found, key=lambda f: (f.turned != numerator, f.cost, f.left != left))
        if j.verdict == Verdict.SELF_REFERENCE:
            j.found = [replace(f, edits=(Edit(Verdict.SELF_REFERENCE, "no bar on the left"),)) for f in j.found]
            j.diagnosis = "the left side is one of the terms of its own sum: drop the bar"
        elif j.verdict == Verdict.TRANSPOSED:
            j.found = [f for f in j.found if f.turned == numerator]
            j.diagnosis = f"true as its transpose only; the page's other gradients are in {checker.layout} layout"
        else:
            j.verdict = j.verdict or verdict_of(j.found)
            j.diagnosis = self._diagnosis()
            self._readings(left, part)

    def _readings(self, left: Expression, part: Expression) -> None:
        """What a chain of error letters would have to be read as, to hold as it stands."""
        j = self.j
        primed = any(isinstance(n, Call) and n.primes for n in walk(part))
        if j.result.chain or not (primed and any(uses(j, name) for name in self.checker.model.named)):
            return
        readings = interpretations_of(self.checker, j, left, part)
        self.tried.append((j, readings))
        j.reading = str(readings[0]) if readings else "true in no reading"

    def _loose(self) -> bool:
        """Whether the left side is a letter whose declared shape says not for certain which way it lies."""
        if not isinstance(self.j.left, Symbol) or self.j.left.name not in self.checker.model.named:
            return False
        return not self.checker.sampling.lies_surely(self.j.left.name)

    def _perplexity(self) -> None:
        """What the words before it call perplexity is the exponential of the mean loss of a token."""
        j = self.j
        if j.defines is None or not speaks_of_perplexity(j.statement.formula):
            return
        right = perplexity(self.checker)
        if right is None or self.checker.agree(j.statement, j.left, right).plain:
            return
        j.verdict, j.found = Verdict.FALSE, [Candidate(j.left, right, EDIT, (Edit(Verdict.FALSE, text(right)),))]
        j.diagnosis = "perplexity is the exponential of the mean loss of a token"

    def _time_missing(self) -> None:
        j = self.j
        assert isinstance(j.left, Symbol)
        left = replace(j.left, time=Index(TIME))
        j.diagnosis = (
            f"an earlier {text(j.left)} stands on the right, so the left side needs its time step: {text(left)}"
        )
        j.found = [Candidate(left, j.expression, EDIT, (Edit(Verdict.TIME, f"{text(left)} on the left"),))]

    def _trace_missing(self, left: Expression, part: Expression) -> bool:
        """∂(a matrix)/∂X where its trace was meant."""
        for node in (part, left):
            if isinstance(node, Derivative) and not isinstance(node.of, Symbol):
                traced = replace(node, of=Call("trace", (node.of,)))
                pair = (left, traced) if node is part else (traced, part)
                if self.checker.agree(self.j.statement, *pair).plain:
                    self.j.verdict = Verdict.TRACE
                    self.j.diagnosis = f"{text(node.of)} is a matrix; its trace is the scalar that has this gradient"
                    self.j.found = [Candidate(pair[0], pair[1], EDIT, (Edit(Verdict.TRACE, "a trace around it"),))]
                    return True
        return False

    # --- words ---

    def _diagnosis(self) -> str:
        result, words = self.j.result, list[str]()
        if result.error is not None:
            words.append(self.checker.sampling.in_letters(result.error, self.oracles[0]))
            words.append(self._accident(result.error))
        elif result.ratio is not None and self._is_a_multiple():
            words.append(f"it is {result.ratio:.6g} times the true value")
        elif not result.any:
            words.append("its value is another")
        return "; ".join(w for w in words if w)

    def _is_a_multiple(self) -> bool:
        """Whether it is the same multiple of the true value at all sizes that may stand for a number."""
        if not self.checker.sampling.written:
            return True
        return same_ratio(self.j.result, agreement(self.oracles[1], self.j.left, self.j.expression))

    def _accident(self, error: FormulaError) -> str:
        """Where two sizes that are equal by accident would hide the misfit: what the formula is worth there."""
        if not isinstance(error, MisfitError):
            return ""
        inner = (error.left[1], error.right[0]) if error.what == "times" else None
        names = {size: name for name, size in self.oracles[0].point.sizes}
        if inner is None or inner[0] not in names or inner[1] not in names:
            return ""
        a, b = names[inner[0]], names[inner[1]]
        if is_written(a) and is_written(b):
            return ""
        sizes = dict(self.oracles[0].point.sizes)
        point = self.checker.sampling.point({**sizes, a: sizes[b]}, 5, f"{a} = {b}")
        result = agreement(
            Oracle(self.checker.model, point, dict(self.oracles[0].local)), self.j.left, self.j.expression
        )
        if result.error is not None:
            return ""
        return (
            f"where {a} = {b} the shapes agree by accident, and it is {'true' if result.plain else 'false'} there too"
        )


def verdict_of(found: Sequence[Candidate]) -> Verdict:
    """One word for the first repair: its kind, where it has one kind."""
    if not found or not found[0].verdicts:
        return Verdict.FALSE
    kinds = found[0].verdicts
    return kinds[0] if len(kinds) == 1 else Verdict.SEVERAL
