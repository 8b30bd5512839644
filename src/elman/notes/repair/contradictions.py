"""Claims that another line of the page contradicts, so that one of the two is wrong whatever the letters are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from elman.calculus.expression import (
    BigSum,
    Call,
    Derivative,
    Entry,
    Expression,
    Iverson,
    Product,
    Subtract,
    base_of,
    walk,
)
from elman.calculus.printing.render import text
from elman.calculus.shapes.kinds import is_called_a_loss
from elman.notes.judge.checker import Checker
from elman.notes.judge.judgement import Judgement
from elman.notes.judge.verdict import Verdict
from elman.notes.model.statement_kinds import StatementKind, defined_letter
from elman.notes.oracle.agreement import Agreement
from elman.notes.repair.explanation import Explanation, verdict_of

Key = tuple[int, int]


def with_contradictions(checker: Checker, explanations: Mapping[Key, Explanation]) -> dict[Key, Explanation]:
    """The explanations, with those claims as wrong that another line of the page contradicts."""
    found = dict(explanations)
    for key, e in explanations.items():
        j = e.judgement
        if e.verdict is Verdict.TRANSPOSED and (words := _subtracted_from_its_letter(checker, j)):
            found[key] = replace(
                e, verdict=verdict_of(e.candidates) if e.candidates else Verdict.SHAPE, diagnosis=words
            )
        elif e.holds and (words := _share_for_its_logarithm(checker, j)):
            found[key] = Explanation(
                replace(j, result=Agreement(), verdict=None), Verdict.FALSE, words, reading=j.reading
            )
    return found


def _subtracted_from_its_letter(checker: Checker, j: Judgement) -> str:
    """Words for a gradient that holds transposed, where the page subtracts it from the letter that it is by, so that it
    has the shape of this letter. Empty for any other claim.
    """
    if not isinstance(j.left, Derivative):
        return ""
    for s in checker.model.own_statements():
        updates = checker.kinds[s.number] is StatementKind.UPDATE and s.parts[0] == j.left.wrt
        if updates and any(n == j.left for part in s.parts[1:] for n in walk(part)):
            line = s.formula.line_at(s.region(0)[0])
            return f"only its transpose is true, and line {line} subtracts it from {text(j.left.wrt)}"
    return ""


def _share_for_its_logarithm(checker: Checker, j: Judgement) -> str:
    """Words for a loss that is said to be a softmax, where the page differentiates its negative logarithm: its gradient
    is p_k - [k = y]. Empty for any other claim.
    """
    letter = defined_letter(j.left) if j.defines is not None else None
    if letter is None or not is_called_a_loss(letter.name) or not _is_softmax(j.expression):
        return ""
    for s in checker.model.own_statements():
        left = s.parts[0]
        if (
            isinstance(left, Derivative)
            and base_of(left.of) == letter
            and any(map(_is_softmax_less_label, s.parts[1:]))
        ):
            line, shown = s.formula.line_at(s.region(0)[0]), text(j.left)
            return f"the derivative in line {line} is that of -ln of this: {shown} lacks its logarithm"
    return ""


def _is_softmax(e: Expression) -> bool:
    """Whether an expression is e^{z_y} / Σ_j e^{z_j}."""
    if not (isinstance(e, Product) and e.operator == "/" and isinstance(e.right, BigSum)):
        return False
    one, all_of = e.left, e.right.body
    if not (isinstance(one, Call) and isinstance(all_of, Call) and one.function == all_of.function == "exp"):
        return False
    (own,), (other,) = one.arguments, all_of.arguments
    return isinstance(own, Entry) and isinstance(other, Entry) and own.of == other.of


def _is_softmax_less_label(e: Expression) -> bool:
    """Whether an expression is p_k - [k = y]."""
    return isinstance(e, Subtract) and isinstance(e.left, Entry) and isinstance(e.right, Iverson)
