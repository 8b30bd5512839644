"""The shapes of letters that a page does not declare: those of the cheapest reading of the section as a whole.

`calculus/shapes/section.py` finds that reading. Here a model's definitions and claims become its constraints, and the
model gets what it found: shapes, families of columns, functions whose value is a number.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from elman.calculus.expression import (
    BigProduct,
    BigSum,
    Dots,
    Entry,
    Expression,
    Index,
    Symbol,
    Transpose,
    has_derivative,
    symbols,
    walk,
)
from elman.calculus.shapes.kinds import Costs, all_cost, sizes_of_bounds
from elman.calculus.shapes.section import CLAIM, DEFINITION, Constraint, Settled, resolved, settle
from elman.calculus.syntax.names import fold
from elman.notes.model.page_model import Definition, PageModel, Statement
from elman.notes.model.roles import with_roles
from elman.notes.model.statement_kinds import StatementKind, is_numeric, kinds_of
from elman.notes.model.unknown_losses import supplied_losses, with_losses_of_values
from elman.notes.oracle.agreement import agreement
from elman.notes.oracle.budget import READING, Meter
from elman.notes.oracle.evaluation_point import EvaluationPoint
from elman.notes.oracle.oracle import Oracles
from elman.notes.oracle.sizes import sizes_in, sizes_of

BATCH = ("B", "N", "batch", "batchsize", "bs")  # sizes that count the sequences or examples of a batch
_OTHERWISE = 6.0  # what it costs to read a letter as something else than the words of the page say
_DIFFERENTIAL = 5.0  # what it costs that dW has not the shape of W
_LOSS = 3.0  # what it costs that a letter which is only differentiated is no number


def with_settled_shapes(model: PageModel, meter: Meter) -> tuple[PageModel, Settled | None]:
    """The model with a shape for every letter of its section, and how it was found; None where all are declared."""
    used, bounds = _used(model), _bounds(model)
    known = {*model.shapes, *model.equations, *model.named, *sizes_of(model.shapes), "T"}
    by_entries = any(d.indices for found in model.equations.values() for d in found)
    if used <= known and bounds <= known and not by_entries:
        return model, None
    constraints = list(_constraints(model))
    met = {s.name for c in constraints for part in c.parts for s in symbols(part)}
    needed = {s.name for found in model.equations.values() for d in found for s in symbols(d.value)}
    constraints += [Constraint((Symbol(name),)) for name in sorted(needed - met - known)]  # no claim is about these
    settled = settle(constraints, {**model.shapes}, _hints(model), {*model.counts, *bounds})
    meter.count(settled.tries * READING)
    given = used - set(model.equations) - set(model.named)
    bound_to = {name: size for name, size in settled.bounds.items() if name in bounds and size not in model.counts}
    model = replace(model, bounds={name: bound_to.get(name, name) for name in sorted(bounds)})
    sizes = {*sizes_of(model.shapes), *settled.sizes, *model.counts}
    found = {n: s for n, s in settled.shapes.items() if n in given and n not in model.shapes and n not in sizes}
    defined = {n: s for n, s in settled.shapes.items() if n in model.equations and n not in model.shapes}
    known = {"1", *sizes_of({**model.shapes, **found}), *model.bounds.values()}
    defined = {n: s for n, s in defined.items() if known.issuperset(s)}
    numbers = {name for name, how in settled.functions.items() if how == "number"}
    model = _rewritten(model, settled)
    return with_roles(
        replace(
            model,
            shapes={**model.shapes, **found},
            derived=defined,
            assumed=frozenset(found),
            unknown=model.unknown | numbers,
            families=model.families | settled.families,
        )
    ), settled


def _hints(model: PageModel) -> dict[str, Costs]:
    """What the words of the page and other formulas say of kinds, as costs: "the vector x" is a column rather than
    anything else.
    """
    found: dict[str, Costs] = dict(model.evidence)
    for name, kind in model.kinds.items():
        costs = {**all_cost(_OTHERWISE), kind: 0.0}
        found[name] = {**costs, "row": 1.0} if kind == "column" else costs
    return found


def local_shapes(model: PageModel, statement: Statement) -> dict[str, tuple[str, str]]:
    """Shapes for the letters that only one statement has, the cheapest that fit it."""
    known = {*model.shapes, *model.equations, *model.named, *sizes_of(model.shapes)}
    names = {s.name for part in statement.parts for s in symbols(part)} - known - {"T"}
    if not names:
        return {}
    settled = settle(
        [Constraint(statement.parts)],
        {**model.shapes, **model.derived},
        reserved={*model.counts, *model.bounds.values()},
    )
    return {n: s for n, s in settled.shapes.items() if n in names and n not in settled.sizes}


def _used(model: PageModel) -> set[str]:
    """The letters of the section's equations and claims."""
    return {s.name for e in _expressions(model) for s in symbols(e)}


def _expressions(model: PageModel) -> Iterator[Expression]:
    """The right sides of the section's equations, and the parts of its statements."""
    yield from (d.value for found in model.equations.values() for d in found)
    yield from (part for s in model.own_statements() for part in s.parts)


def _bounds(model: PageModel) -> set[str]:
    """The sizes that bounds of the section's sums name and that no declared shape has; no time steps, no examples."""
    expressions = list(_expressions(model))
    nodes = [node for e in expressions for node in walk(e)]
    steps = {n.time.variable for n in nodes if isinstance(n, Symbol) and n.time is not None}
    indices = {i.variable for n in nodes if isinstance(n, Entry) for i in n.indices}
    running = {"T", *steps, *indices, *(n.index for n in nodes if isinstance(n, BigSum | BigProduct))}
    counted = {*sizes_of(model.shapes), *model.counts, *map(fold, filter(None, running))}
    return set(sizes_of_bounds(expressions)) - counted


def _constraints(model: PageModel) -> Iterator[Constraint]:
    kinds = kinds_of(model.statements)
    defining: set[tuple[int, int]] = set()
    for table in (model.equations, model.named):
        for name, found in table.items():
            for d in found:
                defining.add((d.statement, d.part))
                supplied = name in model.unknown and d.statement < 0
                if supplied or (table is model.named and name in model.shapes):
                    continue
                yield Constraint((_left(d), d.value), DEFINITION, defines=True)
    for name in model.equations:
        other = name[1:].lstrip("_")
        if name[0] == "d" and other and (other in model.shapes or other in model.equations):
            yield Constraint((Symbol(name), Symbol(other)), _DIFFERENTIAL)
    batched = any(columns in BATCH for _, columns in model.shapes.values())  # a loss may be a row, one for each column
    for name in sorted(model.unknown if batched else model.unknown | (model.roles.losses & set(model.equations))):
        yield Constraint((Symbol(name),), _LOSS, "scalar")
    for s in model.own_statements():
        if kinds[s.number] not in (StatementKind.EQUATION, StatementKind.SOLUTION):
            continue
        parts = [(0, s.parts[0])] + [
            (k, part)
            for k, part in enumerate(s.parts)
            if k and s.relation.operators[k - 1] in ("=", ":=") and not is_numeric(part)
        ]
        kept = [p for k, p in parts if (s.number, k) not in defining and not any(isinstance(n, Dots) for n in walk(p))]
        if len(kept) > 1:
            yield Constraint(tuple(kept), CLAIM)


def _left(d: Definition) -> Expression:
    letter = Symbol(d.name)
    return Entry(letter, tuple(map(Index, d.indices))) if d.indices else letter


def _rewritten(model: PageModel, settled: Settled) -> PageModel:
    """The model with the nodes whose meaning depends on shapes rewritten: a · x of columns is a^T x."""

    def change(e: Expression) -> Expression:
        known = all(s.name in settled.shapes for s in symbols(e))
        return resolved(e, settled) if known else e

    def changed(found: Iterable[Definition]) -> tuple[Definition, ...]:
        return tuple(replace(d, value=change(d.value)) for d in found)

    def statement(s: Statement) -> Statement:
        if not model.has_own(s.number):
            return s
        return s.with_parts(map(change, s.parts))

    return replace(
        model,
        statements=tuple(map(statement, model.statements)),
        equations={name: changed(found) for name, found in model.equations.items()},
        named={name: changed(found) for name, found in model.named.items()},
    )


def with_vectors_as_rows(model: PageModel, oracles: Oracles) -> PageModel:
    """The model with a declared vector as a row, b of X W + b, where its equation has a value only so: R^m does not say
    which of the two it is.
    """
    if not any(rows != "1" and columns == "1" for rows, columns in model.shapes.values()):
        return model
    point = EvaluationPoint(tuple(sizes_in(model).items()))
    oracle = oracles.new(model, point)
    for name, found in model.equations.items():
        if oracle.values.shape_of(name) is not None:
            continue
        for letter in sorted(s.name for s in symbols(found[0].value)):
            rows, columns = model.shapes.get(letter, ("1", "1"))
            if columns != "1" or rows == "1" or letter in model.equations:
                continue
            turned = replace(model, shapes={**model.shapes, letter: ("1", rows)})
            trial = oracles.new(turned, point)
            if trial.values.shape_of(name) is not None:
                model, oracle = turned, trial
                break
    return model


def with_evaluable_losses(model: PageModel, oracles: Oracles) -> PageModel:
    """The model with losses that the page does not define as functions of letters that have a value."""
    if not supplied_losses(model):
        return model
    oracle = oracles.new(model, EvaluationPoint(tuple(sizes_in(model).items())))
    losses = supplied_losses(model)
    broken = {n for n in model.equations if n not in losses and oracle.values.shape_of(n) is None}
    return with_roles(with_losses_of_values(model, broken))


def with_derived_shapes(model: PageModel, oracles: Oracles) -> PageModel:
    """The model with the shapes that its equations give to names that it does not declare."""
    oracle = oracles.new(model, EvaluationPoint(tuple(sizes_in(model).items())))
    names = {size: name for name, size in oracle.point.sizes}
    derived = dict(model.derived)
    for name in model.equations:
        shape = None if name in model.shapes else oracle.values.shape_of(name)
        if shape is not None and all(n == 1 or n in names for n in shape):
            derived[name] = (names.get(shape[0], "1"), names.get(shape[1], "1"))
    return with_roles(replace(model, derived=derived))


def with_orientations(model: PageModel, axis: int | None, oracles: Oracles) -> PageModel:
    """The model with the orientation of letters for derivatives that no declared shape decides: that of the formula
    that the page gives for them.
    """
    for name, definitions in model.named.items():
        declared, d = model.shapes.get(name), definitions[0]
        if declared is not None and declared[0] != declared[1]:
            continue
        statement = model.statements[d.statement]
        if isinstance(statement.parts[0], Transpose):
            continue  # δ^T = ∂L/∂z: δ is a column
        oracle = oracles.shared(model, EvaluationPoint(tuple(sizes_in(model).items()), 0, axis))
        for k, part in enumerate(statement.parts[1:], 1):
            if k == d.part or has_derivative(part):
                continue
            found = agreement(oracle, d.value, part)
            if found.turned and not found.plain:
                turned = {**model.roles.turned, name: True}
                model = replace(model, roles=replace(model.roles, turned=turned))
    return model
