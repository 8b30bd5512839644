"""Losses that a page differentiates and does not define: functions of the last letters that they are differentiated by.

∂L/∂W = ∂L/∂y x^T on a page with y = W x holds for any L that depends on W through y alone. Where the page
differentiates L by given letters only, W and b, L is a function of what the equations that use these end in. Of what
recurs it is a function of the last step, and otherwise a sum over the steps.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from elman.calculus.expression import (
    Apply,
    BigSum,
    Derivative,
    Expression,
    Index,
    Symbol,
    symbols,
    walk,
)
from elman.notes.model.page_model import TIME, Definition, PageModel, letter_of


def with_unknown_losses(model: PageModel, without: Collection[str] = ()) -> PageModel:
    """The model with an equation L = L(y, …) for each loss L that it differentiates and does not define. `without` are
    letters that no loss is to depend on, as their equations have no value.
    """
    losses = _undefined_losses(model)
    if not losses:
        return model
    graph = _Graph.of(model, {*losses, *without})
    equations = dict(model.equations)
    recurrent = {s.name for f in model.equations.values() for d in f for s in symbols(d.value) if _is_earlier(s, d)}
    for name in losses:
        by = differentiated_by(model, name)
        by += _with_differentials(model) if len(losses) == 1 else []
        by = [letter for letter in by if letter not in losses and letter not in without]
        ends = _ends(graph, by)
        if not ends:
            continue
        timed = name in model.timed
        last = Index("T") if recurrent and not timed else Index(TIME)
        arguments = tuple(Symbol(end, last if end in model.timed else None) for end in ends)
        value: Expression = Apply(name, arguments)
        if not timed and any(s.time == Index(TIME) for s in arguments):
            value = BigSum(TIME, value, Index(None, 1), Index("T"))
        equations[name] = (Definition(name, Index(TIME) if timed else None, value, -1, -1),)
    found = frozenset(name for name in losses if name in equations)
    return replace(model, equations=equations, unknown=model.unknown | found)


def supplied_losses(model: PageModel) -> list[str]:
    """The losses whose equation the page does not state."""
    return [n for n, found in model.equations.items() if n in model.unknown and all(d.statement < 0 for d in found)]


def with_losses_of_values(model: PageModel, broken: Collection[str]) -> PageModel:
    """The model with losses that depend on none of the letters `broken`, whose equations have no value."""
    losses = supplied_losses(model)
    if not any(s.name in broken for n in losses for d in model.equations[n] for s in symbols(d.value)):
        return model
    equations = {n: found for n, found in model.equations.items() if n not in losses}
    return with_unknown_losses(replace(model, equations=equations, unknown=model.unknown - set(losses)), broken)


def differentiated_by(model: PageModel, loss: str) -> list[str]:
    """The letters by which a section differentiates a loss."""
    return list(dict.fromkeys(by.name for of, by in _derivatives(model) if of.name == loss))


def _with_differentials(model: PageModel) -> list[str]:
    """The letters y that the page defines, and of which it uses a dy that nothing defines: the derivative by y."""
    letters = {n.name for s in model.statements for n in s.nodes() if isinstance(n, Symbol)}
    used = [name for name in sorted(letters) if name[0] == "d" and name not in {*model.equations, *model.named}]
    return [by for name in used for by in (name[1:], name[1:].lstrip("_")) if by in model.equations]


def _derivatives(model: PageModel) -> Iterator[tuple[Symbol, Symbol]]:
    """The letters that are differentiated, each with the letter that it is differentiated by."""
    parts = [part for statement in model.own_statements() for part in statement.parts]
    for node in (node for part in parts for node in walk(part)):
        if isinstance(node, Derivative):
            of, by = letter_of(node.of), letter_of(node.wrt)
            if of is not None and by is not None:
                yield of, by


def _undefined_losses(model: PageModel) -> list[str]:
    """Letters that are differentiated, and that no equation defines or uses."""
    used = {s.name for found in model.equations.values() for d in found for s in symbols(d.value)}
    known = {*model.equations, *model.named, *used}
    by = {by.name for _, by in _derivatives(model)}
    return list(dict.fromkeys(of.name for of, _ in _derivatives(model) if of.name not in known and of.name not in by))


def _is_earlier(s: Symbol, d: Definition) -> bool:
    """Whether a letter is used at an earlier time step, or in an earlier layer, than its equation is about."""
    return s.time is not None and s.time.variable is not None and s.time.offset < (d.time.offset if d.time else 0)


@dataclass(frozen=True, slots=True)
class _Graph:
    """Which letters the equation of a letter uses, itself and through others (`below`), and which equations lead to
    it (`above`); letters of earlier time steps and layers do not count. `recurring` lead back to themselves with these;
    `earlier` are the letters that the equation of a letter leads to with these.
    """

    uses: Mapping[str, frozenset[str]]
    below: Mapping[str, frozenset[str]]
    above: Mapping[str, frozenset[str]]
    recurring: frozenset[str]
    earlier: Mapping[str, frozenset[str]]

    @classmethod
    def of(cls, model: PageModel, losses: Iterable[str]) -> _Graph:
        """The graph of a model's equations, without those of its losses and its differentials dW."""
        known = {*model.equations, *(s.name for f in model.equations.values() for d in f for s in symbols(d.value))}
        left_out = {*losses, *(n for n in model.equations if n[0] == "d" and n[1:].lstrip("_") in known)}
        uses = {
            name: frozenset(s.name for d in found for s in symbols(d.value) if not _is_earlier(s, d))
            for name, found in model.equations.items()
            if name not in left_out
        }
        below = {name: _reached(name, uses) for name in uses}
        users: dict[str, set[str]] = {}
        for name, found in below.items():
            for other in found:
                users.setdefault(other, set()).add(name)
        at_all = {n: frozenset(s.name for d in model.equations[n] for s in symbols(d.value)) for n in uses}
        earlier = {name: _reached(name, at_all) for name in uses}
        recurring = frozenset(name for name in uses if name in earlier[name])
        return cls(uses, below, {name: frozenset(found) for name, found in users.items()}, recurring, earlier)


def _reached(start: str, uses: Mapping[str, frozenset[str]]) -> frozenset[str]:
    """The letters that the equation of a letter leads to."""
    seen, stack = set[str](), [start]
    while stack:
        for name in uses.get(stack.pop(), frozenset()):
            if name not in seen:
                seen.add(name)
                stack.append(name)
    return frozenset(seen)


def _ends(graph: _Graph, by: Iterable[str]) -> list[str]:
    """What a loss depends on that is differentiated by these letters: the last of them, and of a given or recurring
    letter that is among the last, the letters in which the equations that use it end.
    """
    letters = list(by)

    def is_below(name: str, other: str) -> bool:
        leads_to = graph.below if name in graph.uses else graph.earlier  # Θ of z^l = Θ^(l-1) a^(l-1)
        return name in leads_to.get(other, ())

    last = [n for n in letters if not any(is_below(n, other) for other in letters if other != n)]
    found: list[str] = []
    for name in last:
        ends = name not in graph.uses or name in graph.recurring
        above = graph.above.get(name, frozenset()) if ends else frozenset()
        found += [n for n in graph.uses if n in above and not graph.above.get(n, frozenset()) & above] or [name]
    return list(dict.fromkeys(found))
