"""Steps and examples that a page leaves out: "write z for z^{(k)}" says that z without one is that of example k, and
where the page has g(z^{(k)}) = 1 / (1 + e^{-z^{(k)}}), that g without arguments is g(z^{(k)}).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from elman.calculus.expression import Apply, Expression, Index, Symbol, transform
from elman.notes.model.page_model import Statement


def with_left_out_steps(statements: Sequence[Statement]) -> tuple[Statement, ...]:
    """The statements with z^(k) for z, from the one that says z = z^(k) on."""
    functions = {f.name: f.arguments for s in statements if isinstance(f := s.parts[0], Apply) and not f.primes}
    said: dict[str, Index] = {}
    found = []
    for s in statements:
        for name, step in _said(s).items():
            said |= {name: step} | {f: step for f, of in functions.items() if of == (Symbol(name, step),)}
        found.append(s.with_parts(_written_out(part, said) for part in s.parts) if said else s)
    return tuple(found)


def _written_out(e: Expression, said: dict[str, Index]) -> Expression:
    def change(node: Expression) -> Expression:
        if not isinstance(node, Symbol) or node.time is not None or node.name not in said:
            return node
        return replace(node, time=said[node.name])

    return transform(e, change)


def _said(s: Statement) -> dict[str, Index]:
    """The step k that z = z^(k) says, by the letter; none for any other statement."""
    if len(s.parts) != 2 or not s.is_equation:
        return {}
    bare, whole = s.parts
    if not (isinstance(bare, Symbol) and isinstance(whole, Symbol) and bare.name == whole.name and bare.time is None):
        return {}
    step = whole.time
    return {bare.name: step} if step is not None and step.variable is not None and not step.offset else {}
