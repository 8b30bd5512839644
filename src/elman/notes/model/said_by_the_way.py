"""Definitions that a page does not state as equations of their own: a = g(z) as a part of h(x) = a = g(z), and g as the
sigmoid where only the prose says so.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import replace
from fractions import Fraction

from elman.calculus.expression import (
    MATRIX_PRODUCTS,
    Apply,
    Call,
    Derivative,
    Dots,
    Entry,
    Expression,
    Number,
    Product,
    Subtract,
    Symbol,
    factors_of,
    transform,
    walk,
)
from elman.notes.model.page_model import Definition, PageModel, Statement
from elman.notes.model.statement_kinds import defined_letter, is_numeric

_SIGMOID = re.compile(r"\bsigmoid\b|\blogistic\s+function\b|逻辑函数|逻辑斯[蒂谛]函数", re.IGNORECASE)

_ONE = Number(Fraction(1))


def definitions_within_chains(s: Statement, known: Collection[str]) -> Iterator[Definition]:
    """The definitions by the middle parts of chains of equations, a = g(z) in h(x) = a = g(z), of letters that are not
    `known`.
    """
    if any(operator not in ("=", ":=") for operator in s.relation.operators):
        return
    for k, part in enumerate(s.parts[1:-1], 1):
        letter, value = defined_letter(part), s.parts[k + 1]
        if letter is None or letter.name in known or isinstance(value, Symbol | Entry) or is_numeric(value):
            continue
        if any(
            isinstance(n, Derivative | Dots) or (isinstance(n, Symbol) and n.name == letter.name) for n in walk(value)
        ):
            continue
        indices = tuple(str(i.variable) for i in part.indices) if isinstance(part, Entry) else ()
        yield Definition(letter.name, letter.time, value, s.number, k + 1, indices)


def with_said_sigmoid(model: PageModel, text: str) -> PageModel | None:
    """The model with the sigmoid for the only function of one argument that the page does not define, where its words
    name the sigmoid, or its equations say what its derivative is: f(z) (1 - f(z)). None where there is no such
    function, or several.
    """
    nodes = [n for s in model.statements for n in s.nodes()]
    applied = {n.name for n in nodes if isinstance(n, Apply) and len(n.arguments) == 1}
    whole = [s for s in model.statements if not s.formula.is_within_text]  # within a line it may be another function
    defined = {left.name for s in whole if (left := defined_letter(s.parts[0])) is not None}
    sigmoids = any(isinstance(n, Call) and n.function == "sigmoid" and n.primes for n in nodes)
    primed = {n.name for n in nodes if isinstance(n, Apply) and n.primes}
    found = (primed or applied) - defined
    if len(found) != 1 or sigmoids:
        return None
    (name,) = found
    if _SIGMOID.search(text) is None and not (primed and any(_is_slope(n, name) for n in nodes)):
        return None

    def change(node: Expression) -> Expression:
        if not isinstance(node, Apply) or node.name != name or len(node.arguments) != 1:
            return node
        return Call("sigmoid", node.arguments, node.primes, latex=node.latex, span=node.span)

    def changed(found: tuple[Definition, ...]) -> tuple[Definition, ...]:
        return tuple(replace(d, value=transform(d.value, change)) for d in found)

    statements = tuple(s.transformed(change) for s in model.statements)
    equations = {letter: changed(found) for letter, found in model.equations.items()}
    return replace(model, statements=statements, equations=equations)


def _is_slope(e: Expression, name: str) -> bool:
    """Whether an expression has the factors f(z) and 1 - f(z)."""
    factors = factors_of(e, (*MATRIX_PRODUCTS, "∘")) if isinstance(e, Product) else []
    values = [f for f in factors if isinstance(f, Apply) and f.name == name and not f.primes]
    return any(Subtract(_ONE, value) in factors for value in values)
