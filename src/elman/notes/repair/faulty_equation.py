"""An equation that many claims speak against is itself the mistake.

The page's forward equations are the oracle. Where one of them has no value, or several gradients fail together, the
smallest edit of one equation, or of one declared shape, under which they all hold is a better account than many
mistakes.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from elman.calculus.expression import Index, Negative, Symbol, walk
from elman.calculus.printing.render import text
from elman.errors import FormulaError
from elman.notes.judge.checker import Checker, Judgement, about_one_column
from elman.notes.judge.verdict import Verdict
from elman.notes.model.page_model import TIME, Definition, PageModel
from elman.notes.model.roles import earlier, under_logarithms, with_roles
from elman.notes.oracle.agreement import agreement
from elman.notes.oracle.evaluation_point import HORIZON, EvaluationPoint, UndefinedError
from elman.notes.oracle.oracle import Oracle
from elman.notes.oracle.shape_inference import with_derived_shapes
from elman.notes.repair.edits import EDIT, Edit, Variant, times_around
from elman.notes.repair.repairer import Candidate
from elman.notes.repair.search import Search

SECONDS = 10  # a search that takes longer ends with what it has
_SAMPLE = 5  # claims that a candidate is first tried on
_SHARE = 0.6  # of the claims that fail, so many must hold once the equation is mended


@dataclass(frozen=True, slots=True)
class FaultyEquation:
    """The repaired `model`, and what was repaired: an equation (`definition`, with `found`), or the shape of `name`.

    `mended` are the claims that hold now.
    """

    model: PageModel
    cost: int
    edit: Edit
    mended: int
    definition: Definition | None = None
    found: Candidate | None = None
    name: str = ""
    shape: tuple[str, str] | None = None


def blamed(checker: Checker, before: Sequence[FaultyEquation] = ()) -> FaultyEquation | None:
    """The one edit of the page's equations or shapes that accounts for most of what fails, or None; `before`: those
    found already.
    """
    mended = {(b.definition.statement, b.definition.part) for b in before if b.definition is not None}
    failing = [j for j in checker.judged.values() if not j.good and _speaks(j) and j.key not in mended]
    broken = [j for j in failing if j.defines is not None and j.defines.name in checker.model.equations]
    if not broken and len(failing) < 2:
        return None
    best: FaultyEquation | None = None
    started = time.monotonic()
    for candidate in _candidates(checker, [j.defines for j in broken if j.defines is not None]):
        found = _weighed(checker, candidate, failing)
        if found is not None and (best is None or _rank(found) > _rank(best)):
            best = found
            if best.mended == len(failing) and best.definition is not None:
                break  # nothing can do better
        if time.monotonic() - started > SECONDS:
            break
    return best


def _speaks(j: Judgement) -> bool:
    return j.verdict in (None, Verdict.SELF_REFERENCE) and not isinstance(j.result.error, UndefinedError)


def _rank(b: FaultyEquation) -> tuple[float, ...]:
    sizes = {d for shape in b.model.shapes.values() for d in shape}
    return (b.mended, -b.cost, b.definition is not None, len(sizes))


def _candidates(checker: Checker, broken: Sequence[Definition]) -> Iterator[FaultyEquation]:
    model = checker.model
    definitions = [d for found in model.equations.values() for d in found]
    seen: set[tuple[int, object]] = set()
    # the letters for errors first: with them wrong the model itself may still be what the page says
    definitions.sort(key=lambda d: makes_loss(model, d.name))
    groups = [broken, [d for d in definitions if d not in broken]] if broken else [definitions]
    for group in groups:
        for insert in (False, True):  # what has a name as a mistake first, then factors and terms that may be missing
            for d in group:
                for candidate in _edited(checker, d, insert):
                    key = (d.statement, candidate.found and (candidate.found.left, candidate.found.part))
                    if key not in seen:
                        seen.add(key)
                        yield candidate
    if broken:
        yield from _reshaped(checker)


def _edited(checker: Checker, d: Definition, insert: bool) -> Iterator[FaultyEquation]:
    """The equation with one edit. All letters are given here: what they are made of may be what is broken."""
    statement = checker.model.statements[d.statement]
    model = checker.model
    roles = replace(model.roles, positive=model.roles.positive | under_logarithms(model))
    given = replace(model, equations={}, named={}, shapes={**model.derived, **model.shapes}, roles=roles)
    oracle = Oracle(given, EvaluationPoint(tuple(checker.sampling.sizes().items()), 0, checker.sampling.softmax_axis))
    indices = {TIME: HORIZON - 1}
    if d.time is not None and d.time.variable is not None:
        indices[d.time.variable] = HORIZON - 1
    left = statement.parts[0]
    times = times_around(left, d.value)
    search = Search(oracle, indices, checker.sampling.letters(statement), insert=insert, times=times)
    shape = oracle.shape(d.name)
    whole = search.value(d.value)
    negative = Edit(Verdict.SIGN, "the sign")
    signs = [] if whole is None else [Variant(-whole, EDIT, Negative(d.value), (negative,))]
    for variant in [*search.of_whole(d.value, EDIT), *signs]:
        if variant.edits and (shape is None or variant.value.shape[-2:] == shape):
            model = checker.model.with_equation(d, variant.expression)
            yield FaultyEquation(
                model,
                variant.cost,
                variant.edits[0],
                0,
                d,
                Candidate(left, variant.expression, variant.cost, variant.edits),
            )
    if d.time is not None and isinstance(left, Symbol):
        for offset in (-1, 1):
            step = Index(d.time.variable, d.time.offset + offset)
            moved = replace(left, time=step)
            edit = Edit(Verdict.TIME, f"on the left {text(moved)}")
            equations = {
                **checker.model.equations,
                d.name: tuple(replace(x, time=step) if x == d else x for x in checker.model.equations[d.name]),
            }
            yield FaultyEquation(
                replace(checker.model, equations=equations), EDIT, edit, 0, d, Candidate(moved, d.value, EDIT, (edit,))
            )


def _reshaped(checker: Checker) -> Iterator[FaultyEquation]:
    """One declared shape otherwise: turned, or one side another size."""
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


def _weighed(checker: Checker, candidate: FaultyEquation, failing: Sequence[Judgement]) -> FaultyEquation | None:
    """The candidate with the count of claims that it mends; None where it mends too few or breaks one."""
    if candidate.definition is not None:
        model = replace(candidate.model, roles=replace(candidate.model.roles, recurrent=earlier(candidate.model)))
    else:
        model = with_derived_shapes(with_roles(candidate.model))
    places = _Places(checker, model)
    claims = [j for j in failing if j.defines is None]
    broken = [j for j in failing if j.defines is not None]
    needed = max(1 if broken else 2, int(_SHARE * len(claims) + 0.5)) if claims else 0
    if broken and not _stands(places.batch):
        return None
    sample = claims if len(claims) < 2 * _SAMPLE else claims[:: len(claims) // _SAMPLE][:_SAMPLE]
    if _count(places, sample, max(int(_SHARE * len(sample) + 0.5), min(needed, 2, len(sample))), quick=True) is None:
        return None
    if not broken and not _stands(places.batch):
        return None
    mended = _count(places, claims, needed)
    if mended is None:
        return None
    for j in checker.judged.values():
        if j.good and j.ordinary and not checker.sampling.local_shapes(j.statement) and not _holds(places, j):
            return None
    return replace(candidate, model=model, mended=mended + len(broken))


class _Places:
    """The two oracles of a candidate: a batch, and one column."""

    def __init__(self, checker: Checker, model: PageModel) -> None:
        self.checker, points = checker, checker.sampling
        sizes, axis = points.sizes(), points.softmax_axis
        self.batch = Oracle(model, EvaluationPoint(tuple(sizes.items()), 0, axis))
        column = {**sizes, **({points.batch: 1} if points.batch else {})}
        self.column = Oracle(model, EvaluationPoint(tuple(column.items()), 0, axis, "B = 1"))


def _count(places: _Places, claims: Sequence[Judgement], needed: int, quick: bool = False) -> int | None:
    """How many of the claims hold in this oracle; None as soon as they cannot be `needed`."""
    mended = 0
    for i, j in enumerate(claims):
        if mended + len(claims) - i < needed:
            return None
        mended += _holds(places, j, quick)
    return mended if mended >= needed else None


def _stands(oracle: Oracle) -> bool:
    """Whether every equation has a value of its declared shape."""
    for name in oracle.model.equations:
        step = Index(None, HORIZON - 1) if name in oracle.model.timed else None
        try:
            shape = oracle.value(Symbol(name, step), oracle.scope({TIME: HORIZON - 1})).shape[-2:]
        except FormulaError:
            return False
        declared = oracle.shape(name)
        if declared is not None and declared != shape and shape != (1, 1):
            return False
    return True


def _holds(places: _Places, j: Judgement, quick: bool = False) -> bool:
    """Whether a claim holds there, and not because both its sides are nothing; `quick`: at one time step."""
    for left, part in dict.fromkeys([(j.left, j.expression), places.checker.at_hand(j.left, j.expression)]):
        result = agreement(places.batch, left, part, quick)
        if result.error is not None and about_one_column(left, part, result.error):
            result = agreement(places.column, left, part, quick)
        if result.any:
            return not result.nothing
    return False


def uses(j: Judgement, name: str) -> bool:
    """Whether a part speaks of a letter."""
    return any(isinstance(n, Symbol) and n.name == name for n in walk(j.expression))


def makes_loss(model: PageModel, name: str) -> bool:
    """Whether a loss is made of `name`: then it is of the forward pass, and no letter for an error."""
    seen, stack = set[str](), [*model.roles.losses]
    while stack:
        at = stack.pop()
        if at == name:
            return True
        if at not in seen:
            seen.add(at)
            stack += [n.name for d in model.equations.get(at, ()) for n in walk(d.value) if isinstance(n, Symbol)]
    return False
