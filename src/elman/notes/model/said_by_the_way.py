"""Definitions that a page does not state as equations of their own: a = g(z) as a part of h(x) = a = g(z), and g as the
sigmoid where only the prose says so.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence

from elman.calculus.expression import Apply, Call, Derivative, Dots, Entry, Expression, Symbol, walk
from elman.notes.model.page_model import Definition, Statement
from elman.notes.model.statement_kinds import defined_letter, is_numeric

_SIGMOID = re.compile(r"\bsigmoid\b|\blogistic\s+function\b|逻辑函数|逻辑斯[蒂谛]函数", re.IGNORECASE)


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


def with_said_sigmoid(statements: Sequence[Statement], text: str) -> tuple[Statement, ...] | None:
    """The statements with the sigmoid for the only function of one argument that the page does not define, where its
    words name the sigmoid; None where there is no such function, or several.
    """
    if _SIGMOID.search(text) is None:
        return None
    applied = {n.name for s in statements for n in s.nodes() if isinstance(n, Apply) and len(n.arguments) == 1}
    defined = {left.name for s in statements if (left := defined_letter(s.parts[0])) is not None}
    sigmoids = any(isinstance(n, Call) and n.function == "sigmoid" and n.primes for s in statements for n in s.nodes())
    primed = {n.name for s in statements for n in s.nodes() if isinstance(n, Apply) and n.primes}
    found = (primed or applied) - defined
    if len(found) != 1 or sigmoids:
        return None
    (name,) = found

    def change(node: Expression) -> Expression:
        if not isinstance(node, Apply) or node.name != name or len(node.arguments) != 1:
            return node
        return Call("sigmoid", node.arguments, node.primes, latex=node.latex, span=node.span)

    return tuple(s.transformed(change) for s in statements)
