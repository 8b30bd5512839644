r"""Rules beside the function that they are about: f_a(x) = a x \rightarrow df/dx = a is the derivative of f_a."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from itertools import pairwise

from elman.calculus.expression import Derivative, Symbol
from elman.notes.model.page_model import Statement


def with_functions_beside(statements: Sequence[Statement]) -> tuple[Statement, ...]:
    """The statements with f_a for f in the derivative df/dx that comes next after f_a(x) = … in the same formula. A
    page with an equation of f itself stays as it is.
    """
    defined = {s.parts[0].name for s in statements if s.is_equation and isinstance(s.parts[0], Symbol)}
    return (*statements[:1], *(_of_function_before(before, s, defined) for before, s in pairwise(statements)))


def _of_function_before(before: Statement, s: Statement, defined: Collection[str]) -> Statement:
    function, derivative = before.parts[0], s.parts[0]
    if before.formula != s.formula or not before.is_equation or not isinstance(function, Symbol):
        return s
    if not isinstance(derivative, Derivative) or not isinstance(derivative.of, Symbol):
        return s
    name = derivative.of.name
    if name in defined or not function.name.startswith(f"{name}_"):
        return s
    named = replace(derivative, of=replace(function, span=derivative.of.span))
    return s.with_parts((named, *s.parts[1:]))
