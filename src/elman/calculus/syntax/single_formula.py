"""A formula that stands alone: what a page would say of its letters has to be read off the formula itself."""

from __future__ import annotations

import re
from dataclasses import replace

from elman.calculus.expression import BigProduct, BigSum, Entry, Expression, Index, Iverson, children, with_children
from elman.calculus.functions import SPELLINGS
from elman.calculus.syntax.names import GREEK, Names
from elman.calculus.syntax.parse import looks_like_python, parse

_OPEN, _CLOSE = r"\s*(?:\\left\s*)?\(\s*", r"\s*(?:\\right\s*)?\)"
_GREEK = "|".join(sorted(set(GREEK) - {"sigma"}))  # \sigma (z) is the sigmoid
_LETTER = rf"(?<![A-Za-z\\])(\\(?:{_GREEK})|[A-Za-z])"
_OF_A_LETTER = re.compile(rf"{_LETTER}{_OPEN}(?:\\(?:{_GREEK})|[A-Za-z])(?:_\w)?{_CLOSE}")
_USUAL = re.compile(rf"(?<![A-Za-z\\])(f|g|\\(?:var)?phi|\\Phi|\\psi|\\Psi){_OPEN}")

_VEC = re.compile(rf"\s*(?:\\(?:operatorname|mathrm|text){{vec}}|vec){_OPEN}(.*?){_CLOSE}\s*", re.DOTALL)


def parse_formula(text: str, names: Names, form: str = "auto") -> Expression:
    """The expression of a formula that stands alone.

    A letter before a letter in parentheses is a function: Φ(x); and so are f, g, φ and ψ before any parentheses. A sum
    over i ≠ j or i < j runs over both. vec(F) as a whole is read as F, whose derivative has a vec form.
    """
    stacked = _VEC.fullmatch(text)
    if stacked is not None and _is_balanced(stacked[1]):
        text = stacked[1]
    python = looks_like_python(text) if form == "auto" else form == "python"
    if not python:
        names = replace(names, functions=names.functions | (_applied(text) - names.known))
    return _closed(parse(text, names, form), frozenset())


def _is_balanced(text: str) -> bool:
    """Whether no parenthesis in `text` closes one before it."""
    depth = 0
    for sign in text:
        depth += (sign == "(") - (sign == ")")
        if depth < 0:
            return False
    return depth == 0


def _applied(text: str) -> frozenset[str]:
    """The letters of a formula in LaTeX that are applied everywhere, and are no known functions."""
    found = {match[1] for pattern in (_OF_A_LETTER, _USUAL) for match in pattern.finditer(text)}
    alone = {
        letter for letter in found if re.search(rf"(?<![A-Za-z\\]){re.escape(letter)}(?![A-Za-z])(?!{_OPEN})", text)
    }
    names = {letter.removeprefix("\\").replace("varphi", "phi") for letter in found - alone}
    return frozenset(names - SPELLINGS.keys())


def _closed(e: Expression, bound: frozenset[str]) -> Expression:
    """The formula with a sum around each sum over a condition whose other index nothing binds: Σ_{i≠j} is Σ_j Σ_i."""
    inside = bound | {e.index} if isinstance(e, BigSum | BigProduct) else bound
    old = children(e)
    new = tuple(_closed(child, inside) for child in old)
    e = with_children(e, new) if any(a is not b for a, b in zip(old, new, strict=True)) else e
    if isinstance(e, BigSum):
        for index in sorted(_of_conditions(e.body) & _of_entries(e.body) - inside):
            e = BigSum(index, e, span=e.span)
    return e


def _of_conditions(e: Expression) -> set[str]:
    """The letters in the conditions of a sum: its factors [i ≠ j]."""
    if isinstance(e, Iverson):
        return _letters(e.left, e.right)
    if isinstance(e, BigSum | BigProduct | Entry):
        return set()
    return {i for child in children(e) for i in _of_conditions(child)}


def _of_entries(e: Expression) -> set[str]:
    if isinstance(e, Entry):
        return _letters(*e.indices)
    return {i for child in children(e) for i in _of_entries(child)}


def _letters(*indices: Index) -> set[str]:
    return {i.variable for i in indices if i.variable}
