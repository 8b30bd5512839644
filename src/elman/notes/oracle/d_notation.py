"""dW, where the page has a loss and defines dW in no other way: the derivative of the loss by W."""

from __future__ import annotations

from dataclasses import replace

from elman.calculus.expression import Derivative, Expression, Index, Symbol, children, walk
from elman.notes.model.page_model import TIME, Definition, PageModel
from elman.notes.model.roles import with_roles
from elman.notes.oracle.oracle import Oracle


def with_differentials(model: PageModel, oracle: Oracle) -> PageModel:
    """The model with every dW read as ∂J/∂W, where the loss J depends on W and the page does not define dW as a
    derivative.
    """
    mentioned = _mentioned(model)
    names = [name for name in model.equations if name[0] == "d"]
    candidates = {name: _variable(name, model) for name in (*names, *mentioned)}
    found = {name: by for name, by in candidates.items() if by is not None}
    if not found:
        return model
    loss = _loss(model, oracle, set(found))
    if loss is None:
        return model
    dependencies = _dependencies(model, loss)
    named: dict[str, tuple[Definition, ...]] = {}
    for name, by in found.items():
        if by in dependencies and name not in dependencies:
            definitions = model.equations.get(name) or (Definition(name, mentioned[name], Symbol(name), -1, -1),)
            named[name] = tuple(_derivative(model, d, loss, by) for d in definitions)
    equations = {name: d for name, d in model.equations.items() if name not in named}
    return with_roles(
        replace(model, equations=equations, named={**model.named, **named}, differentials=frozenset(named))
    )


def _mentioned(model: PageModel) -> dict[str, Index | None]:
    """The names of the kind dW that formulas use and nothing defines or declares, each with its time step."""
    known = {*model.equations, *model.named, *(name for name in model.shapes if name not in model.assumed)}
    letters = {n for s in model.statements for n in s.nodes() if isinstance(n, Symbol)}
    used = [s for s in letters if len(s.name) > 1 and s.name[0] == "d" and s.name not in known]
    return {s.name: Index(TIME) if s.name in model.timed else None for s in sorted(used, key=lambda s: s.name)}


def _variable(name: str, model: PageModel) -> str | None:
    """The name of W that dW is the derivative by, as the page has it."""
    known = {*model.shapes, *model.equations} | {s.name for s in _symbols(model)}
    return next(
        (other for other in (name[1:], name[1:].lstrip("_")) if other and other in known and other != name), None
    )


def _symbols(model: PageModel) -> set[Symbol]:
    return {n for found in model.equations.values() for d in found for n in walk(d.value) if isinstance(n, Symbol)}


def _loss(model: PageModel, oracle: Oracle, differentials: set[str]) -> str | None:
    """The scalar that the page differentiates, or else one that none of its equations uses."""
    scalars = [n for n in model.equations if n not in differentials and oracle.values.shape_of(n) == (1, 1)]
    used = {
        n.name
        for name, found in model.equations.items()
        if name not in differentials
        for d in found
        for n in _in(d.value)
    }
    chosen = [n for n in scalars if n in model.roles.losses] + [n for n in scalars if n not in used]
    return next((n for n in chosen if n not in model.timed), chosen[0] if chosen else None)


def _in(e: Expression) -> set[Symbol]:
    return {n for n in walk(e) if isinstance(n, Symbol) and children(n) == ()}


def _dependencies(model: PageModel, loss: str) -> set[str]:
    seen, stack = set[str](), [loss]
    while stack:
        name = stack.pop()
        if name not in seen:
            seen.add(name)
            stack += [s.name for d in model.equations.get(name, ()) for s in _in(d.value)]
    return seen - {loss}


def _derivative(model: PageModel, d: Definition, loss: str, by: str) -> Definition:
    """The definition of dW as the derivative of the loss, at the time step that it is stated for."""
    time = d.time if by in model.timed else None
    of = Symbol(loss, Index(TIME) if loss in model.timed else None)
    return Definition(d.name, d.time, Derivative(of, Symbol(by, time)), -1, -1)
