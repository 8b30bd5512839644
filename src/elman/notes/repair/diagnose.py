"""Why a formula does not hold: judgements → explanations with a verdict, a reason and the repairs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from elman.calculus.expression import Call, Derivative, Expression, Index, Symbol, transform, walk
from elman.calculus.matrix_form.transposes import move_transpose_inward
from elman.calculus.printing.render import text
from elman.calculus.syntax.written_sizes import is_written
from elman.calculus.values.environment import MisfitError
from elman.errors import FormulaError
from elman.notes.judge.checker import Checker, JudgedPage, Key, judge
from elman.notes.judge.judgement import Judgement
from elman.notes.judge.local_reading import with_local_readings
from elman.notes.judge.sections import judged_sections
from elman.notes.judge.verdict import Verdict
from elman.notes.model.page_model import TIME
from elman.notes.oracle.agreement import agreement
from elman.notes.oracle.budget import Budget
from elman.notes.oracle.evaluation_point import UndefinedError
from elman.notes.oracle.numeric_sizes import same_ratio
from elman.notes.oracle.oracle import Oracles
from elman.notes.page.page import Page
from elman.notes.repair.consequences import with_consequences
from elman.notes.repair.contradictions import with_contradictions
from elman.notes.repair.doubts.shapes import needs_small_repair
from elman.notes.repair.edits import EDIT, Edit
from elman.notes.repair.equal_terms import with_equal_terms
from elman.notes.repair.explanation import Candidate, Explanation, as_judged, verdict_of
from elman.notes.repair.faulty_equation import FaultyEquation, faulty_equation, makes_loss, uses
from elman.notes.repair.interpretations import NO_INTERPRETATION, compare, interpretations_of
from elman.notes.repair.numbered_equations import with_slips_of_numbers
from elman.notes.repair.other_variables import with_other_variables
from elman.notes.repair.perplexity import perplexity, speaks_of_perplexity
from elman.notes.repair.repairer import Repairer
from elman.notes.repair.repeated_mistakes import with_repeated_mistakes
from elman.notes.repair.repeated_slip import RepeatedSlip, repeated_slip_in
from elman.notes.repair.slips_in_sight import with_slips_in_sight
from elman.notes.repair.stationary_points import with_stationary_points
from elman.notes.repair.trust import doubted_before_repair, trusted
from elman.notes.repair.wrong_steps import with_wrong_steps

# Budgets, in the units of `oracle/budget.py`: about 50,000 of them take a second. The longest page of the tests takes
# 125,000 in all; a page that exhausts a budget says which claims were not checked or not repaired.
JUDGING = 500_000  # judging the claims of a page
ALONE = 220_000  # reading claims by themselves
EXPLAINING = 500_000  # the repairs of a page
ONE_EQUATION = 120_000  # one search for a faulty equation
STEPS = 120_000  # comparing the rows of derivations with each other, and equations at stationary points
ONE_CLAIM = 100_000  # the repairs of one claim
_ROUNDS = 3  # faulty equations and shapes of one page


@dataclass(frozen=True, slots=True)
class ExplainedPage:
    """A page with an explanation of every judgement, in the order of the page.

    `judged` has the judgements, by the page's model with its faulty equations repaired. `reshaped` are the declared
    shapes that are wrong: for each name the right shape, and words. `more` are the further sections of a page that
    defines a letter several times; what the page says of itself is with the first.
    """

    judged: JudgedPage
    explanations: Mapping[Key, Explanation]
    reshaped: Mapping[str, tuple[tuple[str, str], str]]
    remarks: tuple[str, ...]
    more: tuple[ExplainedPage, ...] = ()

    @property
    def sections(self) -> tuple[ExplainedPage, ...]:
        """This section and all others."""
        return (self, *self.more)

    @property
    def checker(self) -> Checker:
        """What the judgements share."""
        return self.judged.checker


def explained(page: Page, supplied: str | None = None, oracles: Oracles | None = None) -> ExplainedPage:
    """Judges and explains a page. An equation or a shape that many claims speak against is repaired first, and the page
    judged again.

    `supplied` names a built-in model for a page that has gradients only; `oracles` are those of a similar page. Raises
    `FormulaError` where the formulas of the page nest too deeply.
    """
    try:
        return _explained(page, supplied, oracles)
    except RecursionError:
        raise FormulaError("the formulas of this page nest too deeply: write names for their parts") from None


def _explained(page: Page, supplied: str | None, oracles: Oracles | None) -> ExplainedPage:
    with np.errstate(all="ignore"):  # a wrong formula may overflow: its value shows that
        checker = Checker(page, supplied, oracles=oracles)
        sections = judged_sections(page, supplied, checker, checker.meter.budget(JUDGING))
        alone = checker.meter.budget(ALONE)
        sections = tuple(with_local_readings(judged, alone) for judged in sections)
        explaining = checker.meter.budget(EXPLAINING)
        explained_ones = [_explained_section(page, supplied, judged, explaining) for judged in sections]
        steps = checker.meter.budget(STEPS)
        first, *more = [_with_wrong_rows(each, steps) for each in explained_ones]
    remarks = dict.fromkeys(remark for section in (first, *more) for remark in section.remarks)
    return replace(first, remarks=tuple(remarks), more=tuple(more))


def _explained_section(page: Page, supplied: str | None, judged: JudgedPage, budget: Budget) -> ExplainedPage:
    checker = judged.checker
    judging = checker.meter.budget(JUDGING)
    faults: list[FaultyEquation] = []
    while len(faults) < _ROUNDS and not judging.is_exhausted():
        fault = faulty_equation(judged, checker.meter.budget(ONE_EQUATION), faults)
        if fault is None:
            break
        faults.append(fault)
        judged = judge(Checker(page, supplied, fault.model, checker.oracles), checker.meter.budget(JUDGING))
    explanations = trusted(judged, _explanations(judged, _faults(judged, faults), budget))
    explanations = with_other_variables(judged.checker.model, with_slips_of_numbers(explanations))
    explanations = with_slips_in_sight(judged.checker, explanations)
    explanations = with_repeated_mistakes(judged.checker, explanations)
    explanations = with_contradictions(judged.checker, explanations)
    explanations = with_stationary_points(judged, explanations, checker.meter.budget(STEPS))
    reshaped = {b.name: (b.shape, _mends(b)) for b in faults if b.shape is not None}
    return ExplainedPage(judged, explanations, reshaped, (*judged.remarks, *compare(explanations.values())))


def _with_wrong_rows(section: ExplainedPage, budget: Budget) -> ExplainedPage:
    """The section, with those claims as wrong that other rows contradict, and those that follow from them."""
    explanations = with_wrong_steps(section.judged, section.explanations, budget)
    return replace(section, explanations=with_consequences(explanations))


def _mends(fault: FaultyEquation) -> str:
    return f"{fault.mended} claims of the page hold once it is repaired"


def _faults(page: JudgedPage, faults: Sequence[FaultyEquation]) -> dict[Key, Explanation]:
    """The explanations of the faulty equations, and of the claims that are consistent with a faulty letter."""
    found: dict[Key, Explanation] = {}
    for fault in faults:
        if fault.definition is None or fault.repair is None:
            continue
        d = fault.definition
        j = page.judgements[d.statement, d.part]
        repair = replace(fault.repair, part=transform(fault.repair.part, move_transpose_inward))
        found[j.key] = Explanation(j, verdict_of((fault.repair,)), _mends(fault), (repair,), j.reading)
        if makes_loss(page.checker.model, d.name):
            continue
        words = f"holds once {d.name} is repaired (line {j.line}): {text(fault.repair.part)}"
        for other in page.judgements.values():
            if other.good and other.key not in found and other.defines is None and uses(other, d.name):
                found[other.key] = Explanation(other, Verdict.OWN_DELTA, words, reading=other.reading)
    return found


def _explanations(page: JudgedPage, found: Mapping[Key, Explanation], budget: Budget) -> dict[Key, Explanation]:
    """Every judgement explained, in order: a slip in a notation that is repaired once is then read so everywhere."""
    explanations: dict[Key, Explanation] = {}
    slips: tuple[RepeatedSlip, ...] = ()
    doubted = doubted_before_repair(page)
    for key, j in page.judgements.items():
        if key in found or key in doubted or (j.unchecked and not j.doubtful):
            explanations[key] = found.get(key) or as_judged(j)
            continue
        if budget.is_exhausted() and not j.good:
            why = f"no repair was searched for: the page took {budget.limit:,} operations, the limit of a page"
            explanations[key] = Explanation(j, j.verdict or Verdict.FALSE, why, reading=j.reading)
            continue
        explanation = _explanation(page, j, slips)
        if j.doubtful and not explanation.candidates:
            explanation = as_judged(j)
        slip = repeated_slip_in(j.left, explanation.candidates)
        slips = slips if slip is None else (*slips, slip)
        explanations[key] = explanation
    return explanations


# --- one claim ---


def _explanation(page: JudgedPage, j: Judgement, slips: Sequence[RepeatedSlip]) -> Explanation:
    left, part = j.left, j.expression
    for slip in slips:
        left, part = slip.apply(left), slip.apply(part)
    if j.good and (left, part) == (j.left, j.expression):
        return _other_perplexity(page.checker, j) or with_equal_terms(j) or as_judged(j)
    if j.verdict == Verdict.TIME and not isinstance(j.result.error, UndefinedError):
        return _lacking_time(j)
    return _lacking_trace(page.checker, j, left, part) or _repaired(page, j, left, part, slips)


def _other_perplexity(checker: Checker, j: Judgement) -> Explanation | None:
    """A definition that its text calls perplexity, and that is not the exponential of the mean loss per token."""
    if j.defines is None or not speaks_of_perplexity(j.statement.formula):
        return None
    right = perplexity(checker)
    if right is None or checker.agree(j.statement, j.left, right).plain:
        return None
    words = "perplexity is the exponential of the mean loss per token"
    repair = Candidate(j.left, right, EDIT, (Edit(Verdict.FALSE, text(right)),))
    return Explanation(j, Verdict.FALSE, words, (repair,), j.reading)


def _lacking_time(j: Judgement) -> Explanation:
    assert isinstance(j.left, Symbol)
    left = replace(j.left, time=Index(TIME))
    words = f"the right side uses an earlier {text(j.left)}, so the left side needs its time step: {text(left)}"
    repair = Candidate(left, j.expression, EDIT, (Edit(Verdict.TIME, f"{text(left)} on the left"),))
    return Explanation(j, Verdict.TIME, words, (repair,), j.reading)


def _lacking_trace(checker: Checker, j: Judgement, left: Expression, part: Expression) -> Explanation | None:
    """∂(a matrix)/∂X where its trace was meant."""
    for node in (part, left):
        if isinstance(node, Derivative) and not isinstance(node.of, Symbol):
            traced = replace(node, of=Call("trace", (node.of,)))
            pair = (left, traced) if node is part else (traced, part)
            if checker.agree(j.statement, *pair).plain:
                words = f"{text(node.of)} is a matrix; its trace is the scalar that has this gradient"
                repair = Candidate(pair[0], pair[1], EDIT, (Edit(Verdict.TRACE, "a trace around it"),))
                return Explanation(j, Verdict.TRACE, words, (repair,), j.reading)
    return None


def _repaired(
    page: JudgedPage, j: Judgement, left: Expression, part: Expression, slips: Sequence[RepeatedSlip]
) -> Explanation:
    """The claim with its smallest repairs; `left = part` is it with the slips repaired."""
    checker = page.checker
    budget = checker.meter.budget(ONE_CLAIM)
    numerator = page.layout == "numerator" and isinstance(j.left, Derivative) and checker.is_of_scalar(j)
    candidates = _candidates(checker, j, left, part, numerator, budget)
    if (left, part) != (j.left, j.expression):
        edits = tuple(slip.edit for slip in slips if slip.apply(j.expression) != j.expression)
        candidates = [replace(f, edits=(*edits, *f.edits), cost=f.cost + EDIT) for f in candidates]
    grouped = Edit(Verdict.OPERATOR, "parentheses: ∘ binds looser than a product")
    candidates = [f if f.edits or f.part == part else replace(f, edits=(grouped,)) for f in candidates]
    repairs = tuple(sorted(candidates, key=lambda f: (f.turned != numerator, f.cost, f.left != left)))
    if j.verdict == Verdict.SELF_REFERENCE:
        repairs = tuple(replace(f, edits=(Edit(Verdict.SELF_REFERENCE, "no bar on the left"),)) for f in repairs)
        words = "the left side is one of the terms of its own sum: drop the bar"
        return Explanation(j, Verdict.SELF_REFERENCE, words, repairs, j.reading)
    if j.verdict == Verdict.TRANSPOSED:
        repairs = tuple(f for f in repairs if f.turned == numerator)
        words = f"only its transpose is true: the page's other gradients are in {page.layout} layout"
        return Explanation(j, Verdict.TRANSPOSED, words, repairs, j.reading)
    verdict = _verdict(j) or verdict_of(repairs)
    explanation = Explanation(j, verdict, _diagnosis(checker, j), repairs, j.reading)
    return _interpreted(checker, explanation, left, part, budget)


def _verdict(j: Judgement) -> Verdict | None:
    """The verdict that the judgement alone gives."""
    if j.doubtful:
        return None
    return Verdict.UNDEFINED if isinstance(j.result.error, UndefinedError) else j.verdict


def _candidates(
    checker: Checker, j: Judgement, left: Expression, part: Expression, numerator: bool, budget: Budget
) -> list[Candidate]:
    sampling = checker.sampling
    oracles = sampling.column_oracles() if j.result.column else sampling.oracles(j.statement)
    named = isinstance(j.left, Symbol) and j.left.name in checker.model.named
    either_way = named and isinstance(j.left, Symbol) and not sampling.has_known_orientation(j.left.name)
    repairer = Repairer(oracles, sampling.letters(j.statement), budget, numerator, either_way)
    found = [
        replace(f, part=transform(f.part, move_transpose_inward))
        for f in repairer.repairs(left, part, needs_small_repair(checker, j))
    ]
    may_edit_left = j.statement.continued is None and not j.beside
    return found if may_edit_left else [f for f in found if f.left == left]


def _interpreted(checker: Checker, e: Explanation, left: Expression, part: Expression, budget: Budget) -> Explanation:
    """The explanation of a chain of error letters, with the interpretations under which it holds as it is written."""
    j = e.judgement
    primed = any(isinstance(n, Call) and n.primes for n in walk(part))
    if j.result.chain or not (primed and any(uses(j, name) for name in checker.model.named)):
        return e
    found = interpretations_of(checker, j, left, part, budget)
    return replace(e, interpretations=found, reading=str(found[0]) if found else NO_INTERPRETATION)


# --- words ---


def _diagnosis(checker: Checker, j: Judgement) -> str:
    result, oracle = j.result, checker.sampling.oracles(j.statement)[0]
    if result.error is not None:
        words = [checker.sampling.in_letters(result.error, oracle), _accident(checker, j, result.error)]
        return "; ".join(w for w in words if w)
    if result.ratio is not None and _is_a_multiple(checker, j):
        return f"the right side is {result.ratio:.6g} times the true value"
    if result.any:
        return ""
    return f"the two sides differ: {result.counterexample}" if result.counterexample is not None else ""


def _is_a_multiple(checker: Checker, j: Judgement) -> bool:
    """Whether it is the same multiple of the true value at all sizes that a number may stand for."""
    return same_ratio(j.result, agreement(checker.sampling.oracles(j.statement)[1], j.left, j.expression))


def _accident(checker: Checker, j: Judgement, error: FormulaError) -> str:
    """Whether the formula is true where two sizes that are equal by accident hide the misfit, in words."""
    if not isinstance(error, MisfitError):
        return ""
    oracle = checker.sampling.oracles(j.statement)[0]
    inner = (error.left[1], error.right[0]) if error.what == "times" else None
    names = {size: name for name, size in oracle.point.sizes}
    if inner is None or inner[0] not in names or inner[1] not in names:
        return ""
    a, b = names[inner[0]], names[inner[1]]
    if is_written(a) and is_written(b):
        return ""
    sizes = dict(oracle.point.sizes)
    point = checker.sampling.point({**sizes, a: sizes[b]}, 5, f"{a} = {b}")
    result = agreement(checker.oracles.new(checker.model, point, oracle.local), j.left, j.expression)
    if result.error is not None:
        return ""
    return f"where {a} = {b} the shapes agree by accident, and it is {'true' if result.plain else 'false'} there too"
