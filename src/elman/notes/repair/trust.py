"""Whether a reading can be trusted to call a claim wrong.

Where most gradients of a section fail, and the page declares no shapes, the section was probably misread: its claims
are then reported as not checked.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from elman.calculus.expression import Call, Entry, Symbol, has_derivative, walk
from elman.notes.judge.checker import JudgedPage, Key
from elman.notes.judge.judgement import Judgement
from elman.notes.judge.verdict import UNJUDGED, Verdict
from elman.notes.judge.worked_numbers import is_worked
from elman.notes.oracle.evaluation_point import UndefinedError
from elman.notes.repair.doubts import doubt_before_repair, doubt_of
from elman.notes.repair.explanation import Explanation, as_judged

_ENOUGH = 3  # gradients that fail
_MOST = 0.6  # of the gradients that were judged
_ASSUMED = "it does not hold for any values of its letters: it may say what they are"
_WHY = (
    "the two sides differ as this section was read, and so do most of its gradients: say what its letters are, as in "
    "<!-- elman: b is a number -->"
)


def trusted(page: JudgedPage, explanations: Mapping[Key, Explanation]) -> dict[Key, Explanation]:
    """The explanations, those of a section that was probably misread as not checked."""
    explanations = {k: _unless_assumed(page, e) for k, e in explanations.items()}
    misread = _misread(page, explanations)
    return {k: _unless_doubtful(page, e, _WHY if k in misread else "") for k, e in explanations.items()}


def doubted_before_repair(page: JudgedPage) -> set[Key]:
    """The claims that fail and that `trusted` calls not checked, whatever repairs are found for them."""
    failing = {k: as_judged(j) for k, j in page.judgements.items() if not (j.good or j.unchecked or j.doubtful)}
    failing = {k: e for k, e in failing.items() if not isinstance(e.judgement.result.error, UndefinedError)}
    # a doubtful claim that a repair shows to be wrong would only add to those that fail
    judged = {k: as_judged(j) for k, j in page.judgements.items() if j.good}
    doubted = _misread(page, {**judged, **failing})
    open_claims = (e.judgement for k, e in failing.items() if k not in doubted)
    return doubted | {
        j.key for j in open_claims if not is_worked(j.statement, j.part) and doubt_before_repair(page.checker, j)
    }


def _misread(page: JudgedPage, explanations: Mapping[Key, Explanation]) -> set[Key]:
    """The claims of a section that was probably misread; those whose shapes the page declares are not among them."""
    doubtful = {
        k for k, e in explanations.items() if e.verdict.is_wrong and not _rests_on_declarations(page, e.judgement)
    }
    gradients = [k for k, e in explanations.items() if e.verdict not in UNJUDGED and _is_of_gradient(e.judgement)]
    failing = [k for k in gradients if k in doubtful or explanations[k].judgement.alone]
    return doubtful if len(failing) >= _ENOUGH and len(failing) >= _MOST * len(gradients) else set()


def _unless_doubtful(page: JudgedPage, e: Explanation, why: str) -> Explanation:
    """The explanation as not checked, where something speaks against calling the claim wrong: a doubt, or `why`."""
    if not e.verdict.is_wrong or is_worked(e.judgement.statement, e.judgement.part):
        return e
    why = doubt_of(page.checker, e) or why
    return _not_checked(e, why) if why else e


def _unless_assumed(page: JudgedPage, e: Explanation) -> Explanation:
    """An equation of given letters, or of a function's name, that no repair mends may say what they are."""
    j = e.judgement
    if not e.verdict.is_wrong or e.candidates or is_worked(j.statement, j.part) or j.result.error is not None:
        return e
    if has_derivative(j.left, j.expression):
        return e
    model = page.checker.model
    names = {n.name for n in walk(j.left) if isinstance(n, Symbol)}
    names_a_function = isinstance(j.left, Call) and all(isinstance(a, Symbol | Entry) for a in j.left.arguments)
    if names_a_function or (names and names.isdisjoint({*model.equations, *model.named})):
        return _not_checked(e, _ASSUMED)
    return e


def _rests_on_declarations(page: JudgedPage, j: Judgement) -> bool:
    return is_worked(j.statement, j.part) or page.checker.declares_shapes(j)


def _is_of_gradient(j: Judgement) -> bool:
    return j.defines is None and has_derivative(j.left, j.expression)


def _not_checked(e: Explanation, why: str) -> Explanation:
    return replace(e, verdict=Verdict.NOT_CHECKED, diagnosis=why, candidates=(), interpretations=None)
