"""Losses that a page differentiates and does not define: functions of what its forward equations end in.

∂L/∂W = ∂L/∂y x^T on a page with y = W x holds for any L that depends on W through y alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from elman.calculus.expression import Apply, Derivative, Entry, Expression, Index, Symbol, Transpose, symbols, walk
from elman.notes.model.page_model import TIME, Definition, PageModel


def with_unknown_losses(model: PageModel) -> PageModel:
    """The model with an equation L = L(y, …) for each loss L that it differentiates and does not define."""
    losses = _undefined_losses(model)
    if not losses:
        return model
    equations = dict(model.equations)
    recurrent = {s.name for f in model.equations.values() for d in f for s in symbols(d.value) if _is_earlier(s, d)}
    for name in losses:
        ends = _ends(model, [by for of, by in _derivatives(model) if of.name == name], set(losses))
        if not ends:
            continue
        timed = name in model.timed
        arguments = tuple(_argument(end, timed, model, recurrent) for end in ends)
        value = Apply(name, arguments)
        equations[name] = (Definition(name, Index(TIME) if timed else None, value, -1, -1),)
    found = frozenset(name for name in losses if name in equations)
    return replace(model, equations=equations, unknown=model.unknown | found)


def _argument(end: str, timed: bool, model: PageModel, recurrent: set[str]) -> Symbol:
    """What a loss depends on: a letter, at the loss's time step, or of a recurrence its last value."""
    if end not in model.timed:
        return Symbol(end)
    return Symbol(end, Index(TIME) if timed else Index("T") if end in recurrent else None)


def _letter(e: Expression) -> Symbol | None:
    if isinstance(e, Entry | Transpose):
        return _letter(e.of)
    return e if isinstance(e, Symbol) else None


def _derivatives(model: PageModel) -> Iterator[tuple[Symbol, Symbol]]:
    """The letters that are differentiated, each with the letter that it is differentiated by."""
    parts = [part for statement in model.own_statements() for part in statement.parts]
    for node in (node for part in parts for node in walk(part)):
        if isinstance(node, Derivative):
            of, by = _letter(node.of), _letter(node.wrt)
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


def _ends(model: PageModel, by: Iterable[Symbol], losses: set[str]) -> list[str]:
    """The defined letters that no other equation uses; and each letter of `by` from which none of them is reached."""
    equations = {n: f for n, f in model.equations.items() if n not in losses}
    uses = {n: {s.name for d in f for s in symbols(d.value)} for n, f in equations.items()}
    now = {n: {s.name for d in f for s in symbols(d.value) if not _is_earlier(s, d)} for n, f in equations.items()}
    used = {name for n, found in now.items() for name in found if name != n}
    ends = [name for name in uses if name not in used]
    reached = set(ends)
    stack = list(ends)
    while stack:
        for name in uses.get(stack.pop(), ()):
            if name not in reached:
                reached.add(name)
                stack.append(name)
    return ends + list(dict.fromkeys(s.name for s in by if s.name not in reached and s.name not in model.named))
