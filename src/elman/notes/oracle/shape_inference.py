"""Shapes that a page does not declare: of given letters, of defined letters, of letters for derivatives."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np

from elman.calculus.expression import (
    Add,
    Call,
    Derivative,
    Expression,
    Subtract,
    Symbol,
    symbols,
    transform,
    walk,
)
from elman.calculus.shapes.inference import infer
from elman.errors import FormulaError
from elman.notes.model.page_model import TIME, PageModel, free_indices, free_times
from elman.notes.model.roles import with_roles
from elman.notes.oracle.agreement import agreement
from elman.notes.oracle.evaluation_point import HORIZON, EvaluationPoint, OutOfRangeError, UndefinedError
from elman.notes.oracle.oracle import Oracles
from elman.notes.oracle.sizes import sizes_of


def with_inferred_shapes(model: PageModel, oracles: Oracles) -> tuple[PageModel, dict[str, tuple[str, str]]]:
    """The model with a shape for every given letter that its equations use and nothing declares, the one that fits
    best; and these shapes by name.
    """
    missing = sorted(
        {s.name for found in model.equations.values() for d in found for s in symbols(d.value)}
        - set(model.equations) - set(model.named) - set(model.shapes) - {"T"} - set(sizes_of(model.shapes))
        | {name for name in model.roles.recurrent if name in model.equations and name not in model.shapes}
    )  # fmt: skip
    if not missing or len(missing) > 12:
        return model, {}
    if not model.shapes:
        fitting = _by_convention(model, missing)
        return (with_roles(replace(model, shapes=fitting)), fitting) if fitting else (model, {})
    candidates = list(dict.fromkeys([*model.shapes.values(), *_more_shapes(model)]))
    found: dict[str, tuple[str, str]] = {}
    for name in missing:
        scores = [
            (*_score(model, {**found, name: shape}, name, oracles), -i, shape) for i, shape in enumerate(candidates)
        ]
        best = max(scores, default=None)
        if best is not None and best[0] > 0:
            found[name] = best[-1]
    if not found:
        return model, {}
    return with_roles(replace(model, shapes={**model.shapes, **found})), found


def _by_convention(model: PageModel, missing: list[str]) -> dict[str, tuple[str, str]]:
    """Shapes for a page that declares none: a is a column, A a matrix, with the sizes that its equations need."""
    equations = [(name, d) for name, found in model.equations.items() for d in found]
    total: Expression | None = None
    found: Mapping[str, tuple[str, str]] = {}
    for name, d in equations:
        misfit: Expression = Call("sum", (Subtract(Symbol(name), _untimed(d.value)),))
        wider = misfit if total is None else Add(total, misfit)
        try:
            found = infer(wider).symbols
            total = wider
        except FormulaError:
            continue  # a misfit, or a form that the inference does not know: the check reports it
    return {name: found[name] for name in missing if name in found}


def _untimed(e: Expression) -> Expression:
    """The expression with all its time steps left out: a letter has one shape at all of them."""
    return transform(e, lambda node: replace(node, time=None) if isinstance(node, Symbol) else node)


def with_derived_shapes(model: PageModel, oracles: Oracles) -> PageModel:
    """The model with the shapes that its equations give to names that it does not declare."""
    oracle = oracles.new(model, EvaluationPoint(tuple(sizes_of(model.shapes).items())))
    names = {size: name for name, size in oracle.point.sizes}
    derived = {}
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
        oracle = oracles.shared(model, EvaluationPoint(tuple(sizes_of(model.shapes).items()), 0, axis))
        for k, part in enumerate(statement.parts[1:], 1):
            if k == d.part or any(isinstance(n, Derivative) for n in walk(part)):
                continue
            found = agreement(oracle, d.value, part)
            if found.turned and not found.plain:
                turned = {**model.roles.turned, name: True}
                model = replace(model, roles=replace(model.roles, turned=turned))
    return model


def _more_shapes(model: PageModel) -> Iterator[tuple[str, str]]:
    names = list(sizes_of(model.shapes))[:6]
    for name in names:
        yield (name, "1")
    yield ("1", "1")
    yield from itertools.permutations(names, 2)


def _score(model: PageModel, local: dict[str, tuple[str, str]], name: str, oracles: Oracles) -> tuple[int, int]:
    """How many of the equations and parts that use `name` have a value with these shapes, minus those without one; and
    how many of the values are numbers: λ ‖w‖^2 is one where λ is.
    """
    oracle = oracles.new(model, EvaluationPoint(tuple(sizes_of({**model.shapes, **local}).items())), local)
    score, numbers = 0, 0
    parts = [d.value for found in model.equations.values() for d in found]
    parts += [p for st in model.statements for p in st.parts if not any(isinstance(n, Derivative) for n in walk(p))]
    for part in parts:
        if not any(s.name == name for s in symbols(part)):
            continue
        try:
            bound = dict.fromkeys(free_indices(part), 0) | dict.fromkeys(free_times(part), HORIZON - 2)
            value = oracle.evaluate(part, {**bound, TIME: HORIZON - 1})
            score += 1
            numbers += value.shape[-2:] == (1, 1)
        except (UndefinedError, OutOfRangeError):
            continue
        except (FormulaError, np.linalg.LinAlgError):
            score -= 1
    return score, numbers
