r"""Σ and ∏ with their bounds: k=1 … n, i, ij, (n,k), i ≠ j, i < j, x ∈ V, or none.

    big     = ( "∑" | "∏" ) { "_" range | "^" index } entrywise
    range   = letter [ "=" index ] | letter sign letter | letters | letter "∈" set, with commas between them

Σ_{k ≠ i} is a sum over all k of [k ≠ i] f. A sum over a set is over the whole dimension; one without bounds has the
index "", which the page says.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from elman.calculus.expression import BigProduct, BigSum, Expression, Index, Iverson, Product
from elman.calculus.syntax.conditions import SIGNS, sign_of
from elman.calculus.syntax.cursor import Cursor, split_at_commas
from elman.calculus.syntax.grammar import Grammar
from elman.calculus.syntax.names import INDEX_LETTERS
from elman.calculus.syntax.scripts import Node
from elman.calculus.syntax.tokens import DOTS, FONTS, TEXT, Token, is_bracketed
from elman.errors import FormulaError

_SETS = ("∈", "⊂", "⊆")


@dataclass
class _Range:
    """What is below a big sign: letters that run, a lower and an upper bound, conditions."""

    letters: list[str] = field(default_factory=list)
    lower: Index | None = None
    upper: Index | None = None
    conditions: list[Expression] = field(default_factory=list)


def big_sign(p: Grammar, token: Token) -> Node:
    """Σ or ∏, already taken, with its bounds and the products behind it."""
    cursor = p.cursor
    below = _Range()
    while cursor.kind() in ("_", "^"):
        sign = cursor.take()
        tokens = cursor.take_argument()
        if sign.kind == "^":
            if any(t.kind == "command" and t.text == "infty" for t in tokens):
                raise FormulaError("an infinite sum is not read: give its last term", sign.start + 1)
            below.upper = _bound(p, [t for t in tokens if t.kind != "|"])  # |V| is the size V
        else:
            _read_range(p, tokens, below)
    if below.upper is not None and below.lower is None:
        below.lower = Index(None, 1)  # \sum_i^n
    start = cursor.place()
    signed = bool(below.letters) and cursor.kind() == "-"  # \sum_i -2 x_i
    body = p.term() if signed else p.entrywise_after(p.product(), start)
    span = cursor.span_from(token.start)
    node = BigSum if token.text == "sum" else BigProduct
    for condition in reversed(below.conditions):
        body = Product(condition, body, span=body.span) if node is BigSum else body
    if below.conditions and node is BigProduct:
        raise FormulaError("a product under a condition is not read: write its factors", token.start + 1)
    for letter in reversed(below.letters or [""]):
        body = node(letter, body, below.lower, below.upper, span=span)
    return body


def _read_range(p: Grammar, tokens: list[Token], below: _Range) -> None:
    kept = [t for t in tokens if t.kind not in ("{", "}", "quad", "prose", "newline", "&")]
    while kept and kept[0].kind == "(" and kept[-1].kind == ")":
        kept = kept[1:-1]
    kept = [t for t in kept if t.kind != ":"]
    if not kept:
        return
    if len(kept) > 1 and all(t.kind == "letter" and t.text in INDEX_LETTERS | p.names.indices for t in kept):
        below.letters += [t.text for t in kept]  # \sum_{ij}
        return
    for part in split_at_commas(kept):
        if part:
            _read_part(p, part, below)


def _read_part(p: Grammar, part: list[Token], below: _Range) -> None:
    """One part of a range: i, i = 1, i = 1..n, i ≠ j, i < j, x ∈ V."""
    signs = [(i, sign) for i, t in enumerate(part) if (sign := sign_of(t)) is not None]
    if not signs:
        _add(below, _running(p, part))
        return
    at, sign = signs[0]
    if sign in _SETS or (len(signs) == 1 and at + 1 == len(part)):
        for letter in split_at_commas(part[:at]):
            _add(below, _running(p, letter))
        return
    if len(signs) == 2 and sign in ("<", "≤") and signs[1][1] in ("<", "≤"):  # 1 ≤ i ≤ n
        low, high = p.index(part[:at]), p.index(part[signs[1][0] + 1 :])
        _add(below, _running(p, part[at + 1 : signs[1][0]]))
        below.lower = Index(low.variable, low.offset + (sign == "<"))
        below.upper = Index(high.variable, high.offset - (signs[1][1] == "<"))
        return
    if len(signs) != 1 or sign not in SIGNS:
        raise FormulaError("this range of a sum is not read: write i=1, i, i \\ne j or i \\in S", part[0].start + 1)
    left = _running(p, part[:at])
    right = part[at + 1 :]
    if sign == "=":
        _add(below, left)
        points = [i for i, t in enumerate(right) if t.kind == "." or t.text in DOTS]
        if points:  # i = 1..n
            below.upper = _bound(p, right[points[-1] + 1 :])
            right = right[: points[0]]
        below.lower = p.index(right)
        return
    other = p.index(right)
    if left not in below.letters:
        below.letters.append(left)
    below.conditions.append(Iverson(Index(left), other, sign))


def _bound(p: Grammar, tokens: list[Token]) -> Index:
    """An upper bound: an index, or a size with scripts of its own, n_{out}, s_{l+1}, N^{(l+1)} or K'."""
    return _size_with_scripts(tokens) or p.index(tokens)


def _size_with_scripts(tokens: list[Token]) -> Index | None:
    """A size that is named by a letter and its scripts, and a number added to it; None for any other bound."""
    within = tokens[1:-1] if tokens and tokens[0].kind == "{" and tokens[-1].kind == "}" else tokens
    if not within or within[0].kind != "letter":
        return None
    cursor = Cursor(within[1:], within[-1].end)
    labels: list[str] = []
    while cursor.kind() in ("_", "^", "'"):
        sign = cursor.take()
        label = "prime" if sign.kind == "'" else _label(sign, cursor.take_argument())
        if not label:
            return None
        labels.append(label)
    rest = cursor.tokens[cursor.at :]
    if not labels or len(rest) not in (0, 2):
        return None
    size = "_".join((within[0].text, *labels))
    if not rest:
        return Index(size)
    return Index(size, int(rest[0].kind + rest[1].text)) if rest[0].kind in "+-" and rest[1].text.isdigit() else None


def _label(sign: Token, script: list[Token]) -> str:
    """What a script adds to the name of a size: out, l, lplus1; empty for a power and for anything else."""
    kept = [t for t in script if t.kind not in ("{", "}") and t.text not in (*FONTS, *TEXT)]
    bracketed = len(kept) > 2 and is_bracketed(kept)
    kept = kept[1:-1] if bracketed else kept
    if sign.kind == "^" and not bracketed and (len(kept) < 2 or any(t.kind != "letter" for t in kept)):
        return ""
    words = [{"+": "plus", "-": "minus"}.get(t.kind, t.text) for t in kept]
    known = all(t.kind in ("letter", "number", "+", "-", "prose") for t in kept)
    return "".join(words) if known and "".join(words).isalnum() else ""


def _running(p: Grammar, tokens: list[Token]) -> str:
    """The letter that runs."""
    index = p.index(tokens)
    if index.variable is None or index.offset:
        raise FormulaError("a sum runs over a letter", tokens[0].start + 1)
    return index.variable


def _add(below: _Range, letter: str) -> None:
    if letter not in below.letters:
        below.letters.append(letter)
