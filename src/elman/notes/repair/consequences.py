"""Claims that repeat a wrong claim, or that set to zero what is wrong in one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from elman.calculus.expression import Expression, Negative, Product, children
from elman.notes.judge.verdict import Verdict
from elman.notes.model.statement_kinds import is_zero
from elman.notes.repair.explanation import Explanation, as_seen

Key = tuple[int, int]


def with_consequences(explanations: Mapping[Key, Explanation]) -> dict[Key, Explanation]:
    """The explanations, with those claims as wrong that repeat a wrong claim below it, or set to zero what is wrong."""
    found = dict(explanations)
    for key, e in explanations.items():
        if e.verdict not in (Verdict.NOT_CHECKED, Verdict.NOT_A_CLAIM):
            continue
        above = [other for k, other in found.items() if k < key and other.verdict.is_wrong]
        same_section = [o for o in above if o.judgement.defines is None]
        words = _repeated(e, same_section) or _set_to_zero(e, same_section)
        if words:
            found[key] = as_seen(e.judgement, Verdict.FALSE, words)
    return found


def _repeated(e: Explanation, above: list[Explanation]) -> str:
    """Words for a claim that is written once more; empty for any other."""
    j = e.judgement
    elsewhere = (other for other in above if other.judgement.line != j.line)
    for other in elsewhere:
        if (other.judgement.left, other.judgement.expression) == (j.left, j.expression) and children(j.expression):
            return f"it is the claim of line {other.judgement.line}, which does not hold"
    return ""


def _set_to_zero(e: Explanation, above: list[Explanation]) -> str:
    """Words for F = 0, where a gradient above is said to be F, or F times other factors, and F is what is wrong with
    it; empty for any other claim.
    """
    j = e.judgement
    if not is_zero(j.expression) or not children(j.left):
        return ""
    for other in above[::-1]:
        mended = [factor for f in other.candidates for factor in _factors(f.part)]
        if j.left in list(_factors(other.judgement.expression)) and other.candidates and j.left not in mended:
            return f"it follows from line {other.judgement.line}, which does not hold"
    return ""


def _factors(e: Expression) -> Iterator[Expression]:
    """The factors of an expression, those of a numerator among them."""
    if isinstance(e, Negative):
        yield from _factors(e.of)
    elif isinstance(e, Product):
        yield from _factors(e.left)
        if e.operator != "/":
            yield from _factors(e.right)
    else:
        yield e
