"""One faulty equation, or one faulty declared shape, that explains why many claims fail.

The page's forward equations are the model that all claims are compared with. Where one of them has no value, or several
gradients fail together, the smallest edit of one equation, or of one declared shape, under which they all hold is a
better explanation than many mistakes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from elman.calculus.expression import Index, Negative, Symbol, walk
from elman.calculus.printing.render import text
from elman.errors import FormulaError
from elman.notes.judge.checker import Checker, JudgedPage
from elman.notes.judge.claim_kinds import about_one_column
from elman.notes.judge.judgement import Judgement
from elman.notes.judge.verdict import Verdict
from elman.notes.model.page_model import TIME, Definition, PageModel
from elman.notes.model.roles import earlier, under_logarithms, with_roles
from elman.notes.model.statement_kinds import defined_square, is_used_again, is_written_again
from elman.notes.oracle.agreement import agreement
from elman.notes.oracle.budget import Budget
from elman.notes.oracle.evaluation_point import HORIZON, EvaluationPoint, UndefinedError
from elman.notes.oracle.oracle import Oracle
from elman.notes.oracle.shape_inference import with_derived_shapes
from elman.notes.repair.doubts.no_claims import may_have_any_shape
from elman.notes.repair.edits import EDIT, Edit, Variant, times_around
from elman.notes.repair.explanation import Candidate
from elman.notes.repair.search import Search
from elman.notes.repair.search_space import SearchSpace

_SAMPLE = 5  # claims that a candidate is first tried on
_SHARE = 0.6  # of the claims that fail, so many must hold once the equation is repaired


@dataclass(frozen=True, slots=True)
class FaultyEquation:
    """The repaired `model`, and what was repaired: an equation (`definition`, by `repair`), or the shape of `name`.

    `mended` counts the claims that hold with the repaired model.
    """

    model: PageModel
    cost: int
    edit: Edit
    mended: int
    definition: Definition | None = None
    repair: Candidate | None = None
    name: str = ""
    shape: tuple[str, str] | None = None


def faulty_equation(page: JudgedPage, budget: Budget, before: Sequence[FaultyEquation] = ()) -> FaultyEquation | None:
    """The one edit of the page's equations or shapes that explains most of what fails, or None.

    `before`: those found already. The search ends with the best so far once `budget` is exhausted.
    """
    checker = page.checker
    repaired = {(b.definition.statement, b.definition.part) for b in before if b.definition is not None}
    failing = [j for j in page.judgements.values() if not j.good and _counts(j) and j.key not in repaired]
    broken = [j for j in failing if j.defines is not None and j.defines.name in checker.model.equations]
    if not broken and len(failing) < 2:
        return None
    best: FaultyEquation | None = None
    for candidate in _candidates(checker, [j.defines for j in broken if j.defines is not None], budget):
        found = _weighed(page, candidate, failing)
        if found is not None and (best is None or _rank(found) > _rank(best)):
            best = found
            if best.mended == len(failing) and best.definition is not None:
                break  # nothing can do better
        if budget.is_exhausted():
            break
    return best


def _counts(j: Judgement) -> bool:
    """Whether a failing claim is evidence against the equations."""
    counted = j.verdict in (None, Verdict.SELF_REFERENCE) or j.doubtful
    return counted and not isinstance(j.result.error, UndefinedError) and not may_have_any_shape(j)


def _rank(b: FaultyEquation) -> tuple[float, ...]:
    sizes = {d for shape in b.model.shapes.values() for d in shape}
    return (b.mended, -b.cost, b.definition is not None, len(sizes))


def _candidates(checker: Checker, broken: Sequence[Definition], budget: Budget) -> Iterator[FaultyEquation]:
    model = checker.model
    definitions = [d for found in model.equations.values() for d in found if model.has_own(d.statement)]
    definitions = [d for d in definitions if defined_square(model.statements[d.statement]) is None]
    broken, definitions = ([d for d in found if not _is_confirmed(model, d)] for found in (broken, definitions))
    seen: set[tuple[int, object]] = set()
    # the letters for errors first: if one of them is wrong, the forward equations may still be right
    definitions.sort(key=lambda d: makes_loss(model, d.name))
    given = _given(model)
    groups = [broken, [d for d in definitions if d not in broken]] if broken else [definitions]
    for group in groups:
        for insert in (False, True):  # edits that name a mistake first, then missing factors and terms
            for d in group:
                if budget.is_exhausted():
                    return
                for candidate in _edited(checker, given, d, insert, budget):
                    key = (d.statement, candidate.repair and (candidate.repair.left, candidate.repair.part))
                    if key not in seen:
                        seen.add(key)
                        yield candidate
    if broken:
        yield from _reshaped(checker)


def _is_confirmed(model: PageModel, d: Definition) -> bool:
    """Whether the page says twice what a letter is."""
    statement = model.statements[d.statement]
    return is_written_again(model.statements, statement) or is_used_again(model.statements, statement)


def _given(model: PageModel) -> PageModel:
    """The model with given values for all letters, since the equations behind them may be wrong."""
    roles = replace(model.roles, positive=model.roles.positive | under_logarithms(model))
    return replace(model, equations={}, named={}, shapes={**model.derived, **model.shapes}, roles=roles)


def _edited(
    checker: Checker, given: PageModel, d: Definition, insert: bool, budget: Budget
) -> Iterator[FaultyEquation]:
    """The equation with one edit, found with the values of the model `given`."""
    statement = checker.model.statements[d.statement]
    model = checker.model
    oracle = checker.oracles.new(given, checker.sampling.point(checker.sampling.sizes(), 0))
    indices = {TIME: HORIZON - 1}
    if d.time is not None and d.time.variable is not None:
        indices[d.time.variable] = HORIZON - 1
    left = statement.parts[0]
    times = times_around(left, d.value)
    space = SearchSpace(oracle, indices, budget, checker.sampling.letters(statement), insert=insert, times=times)
    shape = oracle.sizes.shape(d.name)
    whole = space.value(d.value)
    negative = Edit(Verdict.SIGN, "the sign")
    signs = [] if whole is None else [Variant(-whole, EDIT, Negative(d.value), (negative,))]
    for v in [*Search(space).of_whole(d.value, EDIT), *signs]:
        if v.edits and (shape is None or v.value.shape[-2:] == shape):
            repaired = model.with_equation(d, v.expression)
            candidate = Candidate(left, v.expression, v.cost, v.edits)
            yield FaultyEquation(repaired, v.cost, v.edits[0], 0, d, candidate)
    if d.time is not None and isinstance(left, Symbol):
        for offset in (-1, 1):
            step = Index(d.time.variable, d.time.offset + offset)
            moved = replace(left, time=step)
            edit = Edit(Verdict.TIME, f"on the left {text(moved)}")
            at_step = tuple(replace(x, time=step) if x == d else x for x in model.equations[d.name])
            repaired = replace(model, equations={**model.equations, d.name: at_step})
            yield FaultyEquation(repaired, EDIT, edit, 0, d, Candidate(moved, d.value, EDIT, (edit,)))


def _reshaped(checker: Checker) -> Iterator[FaultyEquation]:
    """The model with one declared shape changed: transposed, or with another size on one side."""
    model = checker.model
    sizes = list(dict.fromkeys(d for shape in model.shapes.values() for d in shape))
    declared = {model.aliases.get(line.name, line.name) for line in checker.page.shapes if line.start >= 0}
    for name in sorted(declared & set(model.shapes) - set(model.named)):
        rows, columns = model.shapes[name]
        others = [(columns, rows)] if rows != columns else []
        others += [(s, columns) for s in sizes if s != rows] + [(rows, s) for s in sizes if s != columns]
        for shape in dict.fromkeys(others):
            edit = Edit(Verdict.SHAPE, f"{name} [{shape[0]},{shape[1]}], not [{rows},{columns}]")
            changed = replace(model, shapes={**model.shapes, name: shape})
            yield FaultyEquation(changed, EDIT, edit, 0, name=name, shape=shape)


def _weighed(page: JudgedPage, candidate: FaultyEquation, failing: Sequence[Judgement]) -> FaultyEquation | None:
    """The candidate with the number of claims that it mends; None where it mends too few or breaks one."""
    if candidate.definition is not None:
        model = replace(candidate.model, roles=replace(candidate.model.roles, recurrent=earlier(candidate.model)))
    else:
        model = with_derived_shapes(with_roles(candidate.model), page.checker.oracles)
    trial = _Trial.of(page.checker, model)
    claims = [j for j in failing if j.defines is None]
    broken = [j for j in failing if j.defines is not None]
    needed = max(1 if broken else 2, int(_SHARE * len(claims) + 0.5)) if claims else 0
    if broken and not trial.has_values():
        return None
    sample = claims if len(claims) < 2 * _SAMPLE else claims[:: len(claims) // _SAMPLE][:_SAMPLE]
    enough = max(int(_SHARE * len(sample) + 0.5), min(needed, 2, len(sample)))
    if trial.count(sample, enough, quick=True) is None:
        return None
    if not broken and not trial.has_values():
        return None
    mended = trial.count(claims, needed)
    if mended is None:
        return None
    for j in page.judgements.values():
        if j.good and j.as_written and not page.checker.sampling.local_shapes(j.statement) and not trial.holds(j):
            return None
    return replace(candidate, model=model, mended=mended + len(broken))


@dataclass(frozen=True, slots=True)
class _Trial:
    """A repaired model tried on the page's claims, in two oracles: a batch, and one column."""

    checker: Checker
    batch: Oracle
    column: Oracle

    @staticmethod
    def of(checker: Checker, model: PageModel) -> _Trial:
        sampling = checker.sampling
        sizes, axis = sampling.sizes(), sampling.softmax_axis
        column = {**sizes, **({sampling.batch: 1} if sampling.batch else {})}
        return _Trial(
            checker,
            checker.oracles.new(model, EvaluationPoint(tuple(sizes.items()), 0, axis)),
            checker.oracles.new(model, EvaluationPoint(tuple(column.items()), 0, axis, "B = 1")),
        )

    def count(self, claims: Sequence[Judgement], needed: int, quick: bool = False) -> int | None:
        """How many of the claims hold; None as soon as they cannot be `needed`."""
        mended = 0
        for i, j in enumerate(claims):
            if mended + len(claims) - i < needed:
                return None
            mended += self.holds(j, quick)
        return mended if mended >= needed else None

    def has_values(self) -> bool:
        """Whether every equation has a value of its declared shape."""
        oracle = self.batch
        for name in oracle.model.equations:
            step = Index(None, HORIZON - 1) if name in oracle.model.timed else None
            try:
                shape = oracle.values.value(Symbol(name, step), oracle.values.scope({TIME: HORIZON - 1})).shape[-2:]
            except FormulaError:
                return False
            declared = oracle.sizes.shape(name)
            if declared is not None and declared != shape and shape != (1, 1):
                return False
        return True

    def holds(self, j: Judgement, quick: bool = False) -> bool:
        """Whether a claim holds, and not because both its sides are zero; `quick`: at one time step."""
        current = self.checker.with_current_step(j.left, j.expression)
        for left, part in dict.fromkeys([(j.left, j.expression), current]):
            result = agreement(self.batch, left, part, quick)
            if result.error is not None and about_one_column(left, part, result.error):
                result = agreement(self.column, left, part, quick)
            if result.any:
                return not result.nothing
        return False


def uses(j: Judgement, name: str) -> bool:
    """Whether a part uses a letter."""
    return any(isinstance(n, Symbol) and n.name == name for n in walk(j.expression))


def makes_loss(model: PageModel, name: str) -> bool:
    """Whether a loss depends on `name`: then it belongs to the forward pass, and is no letter for an error."""
    seen, stack = set[str](), [*model.roles.losses]
    while stack:
        at = stack.pop()
        if at == name:
            return True
        if at not in seen:
            seen.add(at)
            stack += [n.name for d in model.equations.get(at, ()) for n in walk(d.value) if isinstance(n, Symbol)]
    return False
