"""Atoms of LaTeX: numbers, letters, groups, brackets and bars."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from elman.calculus.expression import (
    Call,
    Expression,
    Number,
    Ones,
)
from elman.calculus.functions import SPELLINGS
from elman.calculus.syntax.latex_commands import bracket, command, flat, function, identity
from elman.calculus.syntax.scripts import Base
from elman.calculus.syntax.written_sizes import size_of
from elman.errors import FormulaError

if TYPE_CHECKING:
    from elman.calculus.syntax.latex import _Parser


def atom(p: _Parser) -> Expression | Base:
    """What scripts may stand on."""
    kind, token = p.kind(), p.peek()
    if token is None:
        raise p.error("something is missing at the end")
    if kind == "number":
        return number(p)
    if kind == "letter":
        return letters(p)
    if kind == "(":
        return group(p)
    if kind == "{":
        return p.group_of(p.inside())
    if kind == "[":
        return bracket(p)
    if kind in ("norm", "|"):
        return between_bars(p, kind)
    if token.kind == "command":
        return command(p, token)
    raise p.error(f"{token.text!r} is not expected here")


def group(p: _Parser) -> Expression:
    """What is in parentheses."""
    close = p.partner()
    inner = p.tokens[p.at + 1 : close]
    if not inner:
        raise p.error("empty parentheses")
    p.at = close + 1
    result = p.group_of(inner)
    return p._named(result)


def between_bars(p: _Parser, kind: str) -> Expression:
    """‖x‖ and |X|: a norm, with its kind below; a determinant, which of a scalar is the modulus."""
    opened = p.take()
    p.bars.append(kind)
    inner = p.sum()
    if p.kind() != kind:
        raise FormulaError(f"{opened.text} is not closed", opened.start + 1)
    p.at += 1
    p.bars.pop()
    if kind == "|":
        return Call("det", (inner,), latex="|")
    name = "norm"
    if p.kind() == "_":
        p.at += 1
        below = "".join(t.text for t in p.inside())
        if below not in ("1", "2", "F"):
            raise p.error(f"of norms, those with 1, 2 and F are read, not {below}")
        name = "norm1" if below == "1" else "norm"
    return Call(name, (inner,), latex="‖")


def number(p: _Parser) -> Expression:
    """A number, a vector of ones, or [j = k] with a 1 before it."""
    token = p.take()
    if token.text == "1" and p.kind() == "_":
        p.at += 1
        return Ones(size_of(flat(p.inside()), token.end + 1))
    if token.text == "1" and p.kind() in ("[", "(") and "=" in {t.kind for t in p.tokens[p.at : p.partner()]}:
        return bracket(p)
    return Number(Fraction(token.text))


LONGEST = 40  # letters of a name


def letters(p: _Parser) -> Expression | Base:
    """A run of letters: a function, a name that the page declared, or one letter."""
    run, end = "", p.at
    while end < min(p.stop, p.at + LONGEST) and p.tokens[end].kind == "letter" and (
        not run or p.tokens[end].start == p.tokens[end - 1].end
    ):  # fmt: skip
        run += p.tokens[end].text
        end += 1
    for size in range(len(run), 1, -1):
        if run[:size] in SPELLINGS:
            p.at += size
            return function(p, SPELLINGS[run[:size]], "")
    word = p.names.longest(run) or run[0]
    start = p.place()
    p.at += len(word)
    if word == "I" and p.names.resolve("I") is None:
        return identity(p)
    if word == "e" and p.kind() == "^" and p.names.resolve("e") is None and p.kind(1) != "(":
        return exponential(p)
    return Base(word, latex=word, start=start)


def exponential(p: _Parser) -> Expression:
    """e^{…}."""
    p.at += 1
    exponent = p.group_of(p.inside())
    return Call("exp", (p._named(exponent),))
