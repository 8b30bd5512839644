"""A mistake that is made again with a further term: w + η ∂E/∂w = w + η (2 x - λ w) below w + η ∂E/∂w = w + 2 η x.

What the page differentiates there may have a term in λ that was not read, so that the claim itself cannot be judged.
But it is said for every λ; and for λ = 0 it is the claim above, which does not hold.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction

from elman.calculus.expression import Derivative, Expression, Number, Symbol, base_of, has_derivative, transform, walk
from elman.calculus.printing.render import text
from elman.calculus.syntax.names import GREEK
from elman.notes.judge.checker import Checker
from elman.notes.judge.judgement import Judgement
from elman.notes.judge.verdict import Verdict
from elman.notes.oracle.agreement import agreement
from elman.notes.repair.explanation import Explanation
from elman.notes.repair.readings import as_written, given_letters

Key = tuple[int, int]


def with_repeated_mistakes(checker: Checker, explanations: Mapping[Key, Explanation]) -> dict[Key, Explanation]:
    """The explanations, with those claims as wrong that make a mistake of an earlier claim again."""
    found = dict(explanations)
    wrong = [e for e in explanations.values() if e.verdict.is_wrong and has_derivative(e.judgement.left)]
    for key, e in explanations.items():
        j = e.judgement
        if e.verdict is not Verdict.NOT_CHECKED or j.defines is not None:
            continue
        for other in wrong:
            letter = _letter_of_the_term(checker, j, other.judgement)
            if letter and _is_the_same_for_zero(checker, j, other.judgement, letter):
                shown, line = text(as_written(letter, [j.expression])), other.judgement.line
                words = f"for {shown} = 0 it is the claim of line {line}, which does not hold"
                sure = replace(j, verdict=None, unchecked="", doubtful=False)
                found[key] = Explanation(sure, other.verdict, words, reading=j.reading)
                break
    return found


def _letter_of_the_term(checker: Checker, j: Judgement, other: Judgement) -> str:
    """The one Greek number on which a claim depends, and an earlier claim with the same left side does not."""
    if other.left != j.left or other.key >= j.key or other.result.error is not None:
        return ""
    known = {*given_letters(checker, other, other.left), *given_letters(checker, other, other.expression)}
    more = [name for name in given_letters(checker, j, j.expression) if name not in known]
    shape_of = checker.sampling.oracles(j.statement)[0].values.shape_of
    return more[0] if len(more) == 1 and more[0] in GREEK and shape_of(more[0]) == (1, 1) else ""


def _is_the_same_for_zero(checker: Checker, j: Judgement, other: Judgement, letter: str) -> bool:
    """Whether a claim is an earlier one where a letter is 0, and what the page says between of its derivative holds."""
    pairs = [(other.expression, j.expression)]
    of = {base_of(n.of) for n in walk(j.left) if isinstance(n, Derivative)}
    for s in checker.model.statements:
        if other.statement.number < s.number < j.statement.number and of & set(_letters(s.parts[0])):
            pairs += [(s.parts[0], part) for part in s.parts[1:]]
    oracles = checker.sampling.oracles(j.statement)
    return all(agreement(o, one, _at_zero(part, letter)).plain for o in oracles for one, part in pairs)


def _letters(e: Expression) -> list[Expression]:
    """The letters of an expression that is no derivative, each without its entries."""
    return [] if has_derivative(e) else [n for n in walk(e) if isinstance(n, Symbol)]


def _at_zero(e: Expression, letter: str) -> Expression:
    return transform(e, lambda n: Number(Fraction(0)) if isinstance(n, Symbol) and n.name == letter else n)
