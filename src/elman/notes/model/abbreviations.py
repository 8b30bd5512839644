"""Letters for what other equations write out: a page with h = σ(W_h h^(t-1) + …) and later z = W_h h^(t-1) + …

means h = σ(z); otherwise ∂h/∂z would be zero.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from elman.calculus.expression import Entry, Expression, Index, Symbol, transform, walk
from elman.notes.model.page_model import TIME, Definition, PageModel, free_indices


@dataclass(frozen=True, slots=True)
class _Abbreviation:
    """`letter` for `value`, since the equation of `name` says so."""

    value: Expression
    letter: Symbol | Entry
    name: str


def with_abbreviations(model: PageModel) -> PageModel:
    """The model with the value of each equation replaced, in the other equations, by its letter."""
    abbreviations: list[_Abbreviation] = []
    for name, definitions in model.equations.items():
        d = definitions[0]
        if not free_indices(d.value) <= set(d.indices):
            continue  # u = Σ_j x_ij is for one i
        if not isinstance(d.value, Symbol) and any(isinstance(n, Symbol) for n in walk(d.value)):
            time = d.time if d.time is not None or name not in model.timed else Index(TIME)
            letter = Symbol(name, time)
            written = Entry(letter, tuple(map(Index, d.indices))) if d.indices else letter
            abbreviations.append(_Abbreviation(_with_times(d.value, model), written, name))

    def abbreviated(d: Definition, so_far: PageModel) -> Definition:
        value = _with_times(d.value, model)
        own = {d.name, *(n.name for n in walk(d.value) if isinstance(n, Symbol))}  # f = x^2 y + y: y is no x^2 there

        def change(node: Expression) -> Expression:
            for a in abbreviations:
                apart = a.name not in own and node == a.value and node is not value
                if apart and not _depends(so_far, a.name, d.name, d.time):
                    return replace(a.letter, span=node.span)
            return node

        new = transform(value, change)
        return d if new == value else replace(d, value=new)

    for name, found in model.equations.items():
        new = tuple(abbreviated(d, model) for d in found)
        model = replace(model, equations={**model.equations, name: new})
    return model


def _with_times(e: Expression, model: PageModel) -> Expression:
    """The expression with the time step `TIME` at every letter that has time steps and is written without one."""

    def change(node: Expression) -> Expression:
        if isinstance(node, Symbol) and node.time is None and node.name in model.timed:
            has_total = len(model.equations.get(node.name, ())) > 1
            return node if has_total else replace(node, time=Index(TIME))
        return node

    return transform(e, change)


def _depends(model: PageModel, name: str, on: str, time: Index | None) -> bool:
    """Whether `name` is computed from `on` of the same time step: then an abbreviation would close a circle."""
    seen, stack = set[str](), [name]
    while stack:
        name = stack.pop()
        if name in seen:
            continue
        seen.add(name)
        for d in model.equations.get(name, ()):
            here = d.time or Index(TIME)
            for node in walk(d.value):
                if isinstance(node, Symbol) and (node.time is None or node.time == here):
                    if node.name == on:
                        return True
                    stack.append(node.name)
    return False
