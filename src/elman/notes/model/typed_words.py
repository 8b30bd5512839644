"""Words that a page types as letters in a row, as net_j, loss or dScore: each is one name, and no product of letters.

Letters in a row are a word where a derivative is of or by them, where they are upright elsewhere on the page, where
three or more of them are the left side of an equation, or where a d before a letter is in no fraction: df_i. They are
none where each of them also stands alone on the page, as in A x, unless they are three or more and upright elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from elman.calculus.functions import SPELLINGS
from elman.calculus.syntax.applications import ALONG, REFUSED
from elman.calculus.syntax.decoration import without_decoration
from elman.calculus.syntax.tokens import FONTS, TEXT, Token, tokenize
from elman.errors import FormulaError
from elman.notes.page.page import Page
from elman.notes.page.reader import readable

_FUNCTIONS = {*SPELLINGS, *ALONG, *REFUSED}
_LOSSES = {word for word, function in SPELLINGS.items() if function == "cross_entropy"}
_BEFORE_A_FORMULA = ("newline", "&", ",", ";", ".", "prose", "quad", "arrow", ":")
_BEHIND_A_QUANTITY = ("", "=", "+", "-", ")", "]", "}", ",", "^", "newline", "&", "*", "/")


@dataclass
class _Runs:
    """The runs of letters of a page, by what they are written as."""

    alone: set[str] = field(default_factory=set)
    upright: set[str] = field(default_factory=set)
    below: set[str] = field(default_factory=set)  # ∂ in a denominator
    above: set[str] = field(default_factory=set)  # ∂ in a numerator
    left: set[str] = field(default_factory=set)  # of an equation
    defined: set[str] = field(default_factory=set)  # losses by CE(y, p) = …
    factors: set[str] = field(default_factory=set)  # in no fraction of d and d
    bare: set[str] = field(default_factory=set)  # at least once without a parenthesis behind it
    applied: set[str] = field(default_factory=set)
    every: set[str] = field(default_factory=set)


def typed_words(page: Page) -> frozenset[str]:
    """The words that the formulas of a page type as letters in a row."""
    runs = _Runs()
    for formula in page.formulas:
        if formula.kind == "code" and "∂" not in formula.text:
            continue
        try:
            tokens = without_decoration(tokenize(readable(page, formula)[0]))
        except FormulaError:
            continue
        _look_through(tokens, runs)
    return frozenset(run for run in runs.every if _is_word(run, runs))


def _is_word(run: str, runs: _Runs) -> bool:
    if run in runs.defined and run in runs.bare:  # ∂CE/∂p beside CE(y, p) = …
        return run not in runs.applied
    if run in _FUNCTIONS:
        return run in runs.left and run not in runs.applied
    long_and_upright = len(run) > 2 and run in runs.upright
    if run not in runs.bare or (set(run) <= runs.alone and not long_and_upright):
        return False
    differential = run[0] == "d" and run in runs.factors and (run[1].isupper() or run[1:] in runs.alone | runs.every)
    long = (len(run) > 2 and run in runs.left) or (len(run) > 3 and run in runs.above)
    return differential or run in runs.below | runs.upright or long


def _look_through(tokens: Sequence[Token], runs: _Runs) -> None:
    for start, end in _runs_in(tokens, runs):
        run = "".join(t.text for t in tokens[start:end])
        kind = tokens[end].kind if end < len(tokens) else ""
        if len(run) == 1:
            runs.alone.add(run)
            continue
        runs.every.add(run)
        begins = start == 0 or tokens[start - 1].kind in _BEFORE_A_FORMULA
        if begins and run in _LOSSES and kind == "(" and _comes_relation(tokens, _behind_parenthesis(tokens, end)):
            runs.defined.add(run)
        elif kind in _BEHIND_A_QUANTITY or (kind == "_" and run not in _FUNCTIONS):
            runs.bare.add(run)
        else:
            runs.applied.add(run)
        if _is_below(tokens, start):
            runs.below.add(run)
        if start and tokens[start - 1].text in ("partial", "differential") and kind in ("/", "}"):
            runs.above.add(run)
        if not _is_in_fraction(tokens, start, end):
            runs.factors.add(run)
        if begins and _comes_relation(tokens, end) and not _is_in_brackets(tokens, start):
            runs.left.add(run)


def _runs_in(tokens: Sequence[Token], runs: _Runs) -> Iterator[tuple[int, int]]:
    """The runs of letters outside scripts, each from its first token to the one behind it; words in an upright font go
    to `runs`.
    """
    i = 0
    while i < len(tokens):
        token = tokens[i]
        if token.kind in ("_", "^"):
            i = _behind_argument(tokens, i + 1)
        elif token.kind == "command" and token.text in (*FONTS, *TEXT):
            end = _behind_argument(tokens, i + 1)
            runs.upright.add("".join(t.text for t in tokens[i + 1 : end] if t.kind == "letter"))
            i = end
        elif token.kind == "letter":
            end = i + 1
            while end < len(tokens) and tokens[end].kind == "letter" and tokens[end].start == tokens[end - 1].end:
                end += 1
            yield i, end
            i = end
        else:
            i += 1


def _behind_argument(tokens: Sequence[Token], i: int, brackets: str = "{}") -> int:
    """The position behind the argument that begins at `i`: a group in such brackets, or one token."""
    depth = 0
    for k in range(i, len(tokens)):
        depth += (tokens[k].kind == brackets[0]) - (tokens[k].kind == brackets[1])
        if depth <= 0:
            return k + 1
    return len(tokens)


def _behind_parenthesis(tokens: Sequence[Token], i: int) -> int:
    """The position behind the parenthesis that closes the one at `i`, and behind an & there."""
    end = _behind_argument(tokens, i, "()")
    return end + 1 if end < len(tokens) and tokens[end].kind == "&" else end


def _is_below(tokens: Sequence[Token], start: int) -> bool:
    """Whether ∂ is before a run, and below a fraction bar or behind a slash."""
    if start < 2 or tokens[start - 1].text not in ("partial", "differential"):
        return False
    before = tokens[start - 2]
    return before.kind == "/" or (before.kind == "{" and start > 2 and tokens[start - 3].kind == "}")


def _is_in_fraction(tokens: Sequence[Token], start: int, end: int) -> bool:
    """Whether a run begins what is above or below a fraction bar, or is beside a slash: df of df/dx."""
    while end < len(tokens) and tokens[end].kind in ("_", "^"):
        end = _behind_argument(tokens, end + 1)
    beside = (tokens[start - 1] if start else None, tokens[end] if end < len(tokens) else None)
    return any(t is not None and t.kind in ("/", "{") for t in beside)


def _is_in_brackets(tokens: Sequence[Token], start: int) -> bool:
    """Whether a bracket is open at a position: dim of sum(x, dim=0)."""
    return sum((t.kind in ("(", "[")) - (t.kind in (")", "]")) for t in tokens[:start]) > 0


def _comes_relation(tokens: Sequence[Token], end: int) -> bool:
    """Whether a sign of equality, or ∈, comes behind a run and its scripts."""
    while end < len(tokens) and tokens[end].kind in ("_", "^"):
        end = _behind_argument(tokens, end + 1)
    if end >= len(tokens):
        return False
    return tokens[end].kind == "=" or tokens[end].text in ("in", "coloneqq", "equiv")
