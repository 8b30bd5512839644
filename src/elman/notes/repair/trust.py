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
from elman.notes.repair.edits import EDIT
from elman.notes.repair.explanation import Explanation

_ENOUGH = 3  # gradients that fail
_MOST = 0.6  # of the gradients that were judged
_ANEW = "another equation of this letter stands above, and the two differ: if this is a new definition, say so in words"
_ASSUMED = "it does not hold for any values of its letters: it may say what they are"
_WHY = (
    "the two sides differ as this section was read, and so do most of its gradients: say what its letters are, as in "
    "<!-- elman: b is a number -->"
)


def trusted(page: JudgedPage, explanations: Mapping[Key, Explanation]) -> dict[Key, Explanation]:
    """The explanations, those of a section that was probably misread as not checked."""
    explanations = {k: _unless_assumed(page, _unless_defined_anew(e)) for k, e in explanations.items()}
    doubtful = [
        k for k, e in explanations.items() if e.verdict.is_wrong and not _rests_on_declarations(page, e.judgement)
    ]
    gradients = [k for k, e in explanations.items() if e.verdict not in UNJUDGED and _is_of_gradient(e.judgement)]
    failing = [k for k in gradients if k in doubtful or explanations[k].judgement.alone]
    if len(failing) < _ENOUGH or len(failing) < _MOST * len(gradients):
        return dict(explanations)
    return dict(explanations) | {k: _not_checked(explanations[k], _WHY) for k in doubtful}


def _unless_defined_anew(e: Explanation) -> Explanation:
    """A second equation of a letter that no small repair makes equal to the first may be a new definition."""
    if (
        not (e.judgement.settled and e.verdict.is_wrong)
        or e.judgement.result.error is not None
        or any(f.cost <= EDIT for f in e.candidates)
    ):
        return e
    return _not_checked(e, _ANEW)


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
