r"""Expectations over a distribution that is written below them, E_{x \sim p(x)}[f(x)], as sums: Σ_x p(x) f(x).

What holds for every distribution on finitely many values is what such a derivation uses. An expectation without its
distribution is refused, and so is one of letters at a time step: they may depend on what it runs over.
"""

from __future__ import annotations

from elman.calculus.expression import BigSum, Product, index_variables, walk
from elman.calculus.syntax.conditions import sign_of
from elman.calculus.syntax.cursor import split_at_commas
from elman.calculus.syntax.grammar import Grammar
from elman.calculus.syntax.names import TIME_LETTERS
from elman.calculus.syntax.tokens import Token
from elman.errors import FormulaError

_WITHOUT = "an expectation is read with its distribution below it, x \\sim p(x): write it so, or as a sum"
_OF_STEPS = "what an expectation runs over may decide the letters at step t in it: write it as a sum over these"


def expectation(p: Grammar, token: Token) -> BigSum | None:
    """The expectation whose E is already taken; None where no bracket comes."""
    cursor = p.cursor
    at = cursor.at
    below: list[Token] = []
    if cursor.kind() == "_":
        cursor.skip()
        below = cursor.take_argument()
    if cursor.kind() not in ("[", "(", "{", "|"):
        cursor.at = at
        return None
    parts = [part for part in split_at_commas([t for t in below if t.kind not in ("{", "}")]) if part]
    at_sign = next((i for i, t in enumerate(parts[0]) if sign_of(t) == "~"), 0) if len(parts) == 1 else 0
    if not at_sign or cursor.kind() not in ("[", "("):
        raise FormulaError(_WITHOUT, token.start + 1)
    running, distribution = parts[0][:at_sign], parts[0][at_sign + 1 :]
    index = p.index(running)
    if index.variable is None or index.offset or not _has(distribution, running[0]):
        raise FormulaError(_WITHOUT, token.start + 1)
    weight, of = p.group(distribution), p.group(cursor.take_bracket())
    running_in_it = {n.index for n in walk(of) if isinstance(n, BigSum)} | index_variables(of)
    if not running_in_it & TIME_LETTERS <= {index.variable}:
        raise FormulaError(_OF_STEPS, token.start + 1)
    span = cursor.span_from(token.start)
    return BigSum(index.variable, Product(weight, of, span=span), None, None, span=span)


def _has(distribution: list[Token], running: Token) -> bool:
    """Whether a distribution is written with what runs, as p(x) of x."""
    opened = next((i for i, t in enumerate(distribution) if t.kind == "("), None)
    return opened is not None and any(t.text == running.text for t in distribution[opened:])
