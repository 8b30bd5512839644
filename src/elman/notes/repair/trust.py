"""Whether a reading can be trusted to call a claim wrong.

Where most gradients of a section fail, and the page declares no shapes, the section was probably misread: its claims
are then reported as not checked.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from elman.calculus.expression import Apply, Call, Derivative, Entry, Symbol, has_derivative, symbols, walk
from elman.calculus.printing.render import text
from elman.calculus.values.environment import MisfitError
from elman.notes.judge.checker import JudgedPage, Key
from elman.notes.judge.claim_kinds import is_a_property, is_product_written_out, only_derivatives
from elman.notes.judge.judgement import Judgement
from elman.notes.judge.verdict import UNJUDGED, Verdict
from elman.notes.judge.worked_numbers import is_worked
from elman.notes.model.page_model import Statement, everything_in, free_indices, names_in
from elman.notes.model.statement_kinds import defined_letter
from elman.notes.oracle.evaluation_point import UndefinedError
from elman.notes.repair.doubts.all_doubts import doubt_before_repair, doubt_of, doubt_of_shapes
from elman.notes.repair.doubts.letters import letter_on_one_side
from elman.notes.repair.edits import EDIT
from elman.notes.repair.explanation import Explanation, as_judged
from elman.notes.repair.readings import (
    example_it_holds_for,
    holds_for_columns,
    label_it_holds_for,
    number_it_holds_for,
    small_letter_it_holds_for,
    symmetric_it_holds_for,
)

_ENOUGH = 3  # gradients that fail
_ENOUGH_HOLD = 2  # gradients that hold and have the letters of one that fails
_ROWS = 2  # rows of a derivation that vouch for the reading of another
_MOST = 0.6  # of the gradients that were judged
_ASSUMED = "it does not hold for any values of its letters: it may say what they are"
_FROM_WRONG = "it follows from the row above, which does not hold"
_WHY = (
    "the two sides differ as this section was read, and so do most of its gradients: say what its letters are, as in "
    "<!-- elman: b is a number -->"
)


def trusted(page: JudgedPage, explanations: Mapping[Key, Explanation]) -> dict[Key, Explanation]:
    """The explanations, those of a section that was probably misread as not checked."""
    explanations = {k: _unless_assumed(page, e) for k, e in explanations.items()}
    misread = _misread(page, explanations)
    several = _with_several_equations(page, explanations)
    explanations = {k: _unless_several(page, e, several) for k, e in explanations.items()}
    sound = _letters_read_right(page, explanations)
    found: dict[Key, Explanation] = {}
    for k, e in explanations.items():
        found[k] = _unless_doubtful(page, _unless_behind_wrong(e, found), _WHY if k in misread else "", sound)
    return found


def _unless_behind_wrong(e: Explanation, found: Mapping[Key, Explanation]) -> Explanation:
    """The explanation of a step from a row that does not hold: where its section shows that it differs too, it does not
    hold either. Where the row above fails as it was read, and a doubt alone keeps it from being called wrong, the same
    doubt is about the step.
    """
    step = e.judgement.step
    above = found.get(step[0]) if step is not None else None
    if step is None or above is None or not e.holds:
        return e
    apart, other = step[1].result.counterexample, above.judgement.result.counterexample
    if not above.verdict.is_wrong:
        fails = above.verdict is Verdict.NOT_CHECKED and not above.judgement.result.nothing
        return _not_checked(e, above.diagnosis) if fails and other is not None and apart is not None else e
    if _is_misfit(above.judgement) and _is_misfit(step[1]):
        return Explanation(step[1], Verdict.SHAPE, f"{above.diagnosis}; {_FROM_WRONG}", reading=step[1].reading)
    if step[1].result.error is not None or apart is None or apart.entry is None:
        return _not_checked(e, _FROM_WRONG)
    why, j = f"the two sides differ: {apart}; {_FROM_WRONG}", step[1]
    if j.unknown:  # whatever this function is, the row above is wrong
        j = replace(j, unchecked="", doubtful=False)
    return replace(e, judgement=j, verdict=Verdict.FALSE, diagnosis=why, reading=j.reading)


def _with_several_equations(page: JudgedPage, explanations: Mapping[Key, Explanation]) -> set[str]:
    """The letters that the section gives a second equation, which differs from the first: it may be a new letter."""
    found: set[str] = set()
    for e in explanations.values():
        j, letter = e.judgement, defined_letter(e.judgement.left)
        if letter is None or j.defines is not None or j.good or has_derivative(j.expression):
            continue
        if letter.time is not None and letter.time.variable is None:
            continue  # a^(1) = x is about one step
        first = page.checker.model.equations.get(letter.name, ())
        others = any(d.statement not in (j.statement.number, -1) for d in first)
        apart = j.result.counterexample
        if apart is not None and apart.entry is None and isinstance(j.left, Symbol) and any(d.indices for d in first):
            continue  # y = γ x, of which the page gives the entries, y_ij = γ_j x_ij
        if others and apart is not None and not any(f.cost <= EDIT for f in e.candidates):
            found.add(letter.name)
    return found


def _unless_several(page: JudgedPage, e: Explanation, several: set[str]) -> Explanation:
    """The explanation of a claim as not checked, where a letter on which it depends has several equations."""
    j = e.judgement
    if not several or not e.verdict.is_wrong or not _is_of_gradient(j) or _rests_on_declarations(page, j):
        return e
    for node in everything_in(page.checker.model, (j.left, j.expression)):
        if isinstance(node, Symbol) and node.name in several:
            letter = text(replace(node, time=None))
            why = f"another equation of {letter} differs from the one that this was checked with: write a new letter"
            return _not_checked(e, why)
    return e


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
    sound = _letters_read_right(page, explanations)

    def is_sure(k: Key, e: Explanation) -> bool:
        j = e.judgement
        declared = _rests_on_declarations(page, j) or is_product_written_out(j.left, j.expression)
        return declared or _is_vouched_for(explanations, k) or _is_about(page, e, sound)

    doubtful = {k for k, e in explanations.items() if e.verdict.is_wrong and not is_sure(k, e)}
    gradients = [k for k, e in explanations.items() if e.verdict not in UNJUDGED and _is_of_gradient(e.judgement)]
    gradients = [k for k in gradients if not _says_nothing_of_the_reading(page, explanations[k], k in doubtful)]
    failing = [k for k in gradients if k in doubtful or explanations[k].judgement.alone]
    return doubtful if len(failing) >= _ENOUGH and len(failing) >= _MOST * len(gradients) else set()


def _says_nothing_of_the_reading(page: JudgedPage, e: Explanation, fails: bool) -> bool:
    """Whether a gradient is no evidence for or against the reading of the section: it fails for a letter that it alone
    has, it is a step from another row, or no equation of the section is in it, as in ∂σ(x)/∂x.
    """
    j, model = e.judgement, page.checker.model
    if fails:
        return bool(letter_on_one_side(page.checker, e))
    return j.step is not None or (j.alone and _letters(page, j).isdisjoint({*model.equations, *model.named}))


def _is_vouched_for(explanations: Mapping[Key, Explanation], key: Key) -> bool:
    """Whether other rows with the same left side hold, and have all letters of this one: it was not misread alone."""
    left, part = explanations[key].judgement.left, explanations[key].judgement.expression
    rows = [e.judgement for k, e in explanations.items() if k != key and e.judgement.left == left]
    held = [j for j in rows if j.good and not j.alone and not j.result.nothing and j.defines is None]
    known = {s.name for j in held for s in symbols(j.expression)}
    return isinstance(left, Derivative) and len(held) >= _ROWS and {s.name for s in symbols(part)} <= known


def _letters_read_right(page: JudgedPage, explanations: Mapping[Key, Explanation]) -> list[set[str]]:
    """The letters of each gradient that holds as the section was read, and is not zero; none where the section leaves
    its sums out.
    """
    if any(_leaves_a_sum_out(s, page.checker.model.fixed) for s in page.checker.model.own_statements()):
        return []
    held = [e.judgement for e in explanations.values() if e.holds and _is_of_gradient(e.judgement)]
    return [
        _letters(page, j) for j in held if not j.alone and not j.result.nothing and not only_derivatives(j.expression)
    ]


def _leaves_a_sum_out(s: Statement, fixed: Collection[str]) -> bool:
    """Whether an index occurs twice in a derivative's right side and not on its left, as k in ∂E/∂y_k ∂y_k/∂V_ij."""
    if len(s.parts) < 2 or not isinstance(s.parts[0], Derivative):
        return False
    outside = {*free_indices(s.parts[0]), *fixed}
    for part in s.parts[1:]:
        entries = (n for n in walk(part) if isinstance(n, Entry))
        counted = Counter(i.variable for n in entries for i in n.indices)
        if any(counted[index] > 1 for index in free_indices(part) - outside):
            return True
    return False


def _letters(page: JudgedPage, j: Judgement) -> set[str]:
    """The letters that a claim depends on."""
    return names_in(page.checker.model, (j.left, j.expression))


def _is_about(page: JudgedPage, e: Explanation, sound: Sequence[set[str]]) -> bool:
    """Whether at least two gradients that hold have all letters of a claim but numbers on both of its sides."""
    j = e.judgement
    one, other = ({n.name for n in walk(part) if isinstance(n, Symbol)} for part in (j.left, j.expression))
    numbers = {name for name in one & other if page.checker.model.shapes.get(name) in (None, ("1", "1"))}
    numbers -= set(page.checker.model.equations)
    return sum(_letters(page, j) - numbers <= letters for letters in sound) >= _ENOUGH_HOLD


def _unless_doubtful(page: JudgedPage, e: Explanation, why: str, sound: Sequence[set[str]]) -> Explanation:
    """The explanation as not checked, where something speaks against calling the claim wrong: a doubt, or `why`.

    A clash of shapes that were not declared is an error only where gradients that hold, `sound`, have its letters.
    """
    misfit = e.verdict is Verdict.NOT_CHECKED and e.judgement.doubtful and not e.candidates
    if not (e.verdict.is_wrong or misfit) or is_worked(e.judgement.statement, e.judgement.part):
        return e
    if isinstance(e.judgement.left, Derivative | Apply | Call):
        number = number_it_holds_for(page.checker, e.judgement)
        if number:
            return _as_held(e, f"{number} a number")
    number = small_letter_it_holds_for(page.checker, e.judgement)
    if number:
        return _as_held(e, f"{number} a number")
    if _is_misfit(e.judgement) and holds_for_columns(page.checker, e.judgement):
        return _as_held(e, "rows with an index are columns")
    if e.judgement.doubtful and not why and _certainly_misfits(page, e.judgement) and _is_about(page, e, sound):
        return _as_misfit(e)
    if misfit:
        return e
    matrix = symmetric_it_holds_for(page.checker, e.judgement)
    if matrix:
        return _as_held(e, f"{matrix} symmetric")
    label = label_it_holds_for(page.checker, e.judgement)
    if label:
        return _as_held(e, f"{label} is 1 or -1")
    values = example_it_holds_for(page.checker, e.judgement)
    if values:
        return _as_held(e, f"where {values}, as in the example")
    why = doubt_of(page.checker, e) or why
    return _not_checked(e, why) if why else e


def _as_held(e: Explanation, reading: str) -> Explanation:
    """The explanation of a claim that holds under another reading of the page."""
    return replace(e, verdict=Verdict.HOLDS, diagnosis="", candidates=(), reading=reading)


def _certainly_misfits(page: JudgedPage, j: Judgement) -> bool:
    """Whether the gradient of a number does not fit what it is said to be although no letter can be of another kind:
    the gradient by a matrix, and a number. In a = b c = d, where b c does not fit either, d may be what c is.
    """
    above = (page.judgements.get((j.statement.number, k)) for k in range(1, j.part))
    misfits = [j, *(other for other in above if other is not None and _is_misfit(other))]
    return all(_misfits_by_itself(page, each) for each in misfits)


def _misfits_by_itself(page: JudgedPage, j: Judgement) -> bool:
    """The same of one part, whatever stands before it."""
    checker, sides = page.checker, (j.left, j.expression)
    derivatives = [isinstance(side, Derivative) for side in sides]
    if j.defines is not None or sum(derivatives) != 1 or sum(has_derivative(side) for side in sides) != 1:
        return False
    gradient, value = sides if derivatives[0] else sides[::-1]
    if not _is_misfit(j) or free_indices(gradient) - checker.model.fixed:
        return False
    of = gradient.of if isinstance(gradient, Derivative) else None
    if not isinstance(of, Symbol) or checker.sampling.oracles(j.statement)[0].values.shape_of(of.name) != (1, 1):
        return False  # R^T R of what may be one column of R
    if any(isinstance(n, Apply) for n in everything_in(checker.model, [value])):
        return False  # whatever an unknown function gives
    names = names_in(checker.model, sides) - {*checker.model.equations, *checker.model.named}
    shapes = checker.model.shapes
    if not symbols(value) or not any("1" not in shapes.get(name, ("1", "1")) for name in names):
        return False
    return all(checker.sampling.is_certain(name) for name in sorted(names)) and not doubt_of_shapes(checker, j)


def _is_misfit(j: Judgement) -> bool:
    """Whether the shapes of a claim do not fit, those of its sides or of what is in one of them."""
    apart = j.result.counterexample is not None and j.result.counterexample.entry is None
    return apart or isinstance(j.result.error, MisfitError)


def _as_misfit(e: Explanation) -> Explanation:
    """The explanation of a claim whose shapes do not fit, whatever is read."""
    judgement = replace(e.judgement, verdict=None, unchecked="", doubtful=False)
    if e.verdict.is_wrong and e.candidates:
        return replace(e, judgement=judgement)
    why = e.judgement.unchecked.partition(", with the shapes assumed")[0]
    return replace(e, judgement=judgement, verdict=Verdict.SHAPE, diagnosis=why)


def _unless_assumed(page: JudgedPage, e: Explanation) -> Explanation:
    """An equation of given letters, or of a function's name, that no repair mends may say what they are."""
    j = e.judgement
    if e.verdict.is_wrong and isinstance(j.left, Call) and j.expression in j.left.arguments:
        return _not_checked(e, doubt_before_repair(page.checker, j) or _ASSUMED)  # "let σ(z) = z"
    if not e.verdict.is_wrong or is_worked(j.statement, j.part) or j.result.error is not None:
        return e
    if has_derivative(j.left, j.expression):
        return e
    model = page.checker.model
    if is_a_property(j.left, j.expression, {*model.equations, *model.named}):
        return _not_checked(e, _ASSUMED)
    if e.candidates:
        return e
    names = {n.name for n in walk(j.left) if isinstance(n, Symbol)}
    names_a_function = isinstance(j.left, Call) and all(isinstance(a, Symbol | Entry) for a in j.left.arguments)
    if names_a_function or (names and names.isdisjoint({*model.equations, *model.named})):
        return _not_checked(e, doubt_before_repair(page.checker, j) or _ASSUMED)
    return e


def _rests_on_declarations(page: JudgedPage, j: Judgement) -> bool:
    return is_worked(j.statement, j.part) or page.checker.declares_shapes(j)


def _is_of_gradient(j: Judgement) -> bool:
    return j.defines is None and has_derivative(j.left, j.expression)


def _not_checked(e: Explanation, why: str) -> Explanation:
    return replace(e, verdict=Verdict.NOT_CHECKED, diagnosis=why, candidates=(), interpretations=None)
