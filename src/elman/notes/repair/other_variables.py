"""Derivatives by another letter than the page differentiates by: a slip that needs no values, whatever the letters are.

∂E/∂b = ∂E/∂z ∂z/∂W is no chain rule where the page also has ∂E/∂b = ∂E/∂z ∂z/∂b: its left side was copied. And where
z = W h + b, the row ∂E/∂z ∂z/∂h does not go on as δ ∂(W h + b)/∂x.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise

from elman.calculus.expression import MATRIX_PRODUCTS, Derivative, Expression, Symbol, factors_of, symbols, walk
from elman.calculus.printing.render import text
from elman.notes.judge.judgement import Judgement
from elman.notes.judge.verdict import Verdict
from elman.notes.model.page_model import PageModel
from elman.notes.repair.explanation import Explanation, as_seen

Key = tuple[int, int]
Chain = tuple[Expression, ...]
"""What is differentiated, what it is differentiated by, and so on to the last letter."""
_WITH_ONE_BETWEEN = 3  # letters of a chain


def with_other_variables(model: PageModel, explanations: Mapping[Key, Explanation]) -> dict[Key, Explanation]:
    """The explanations, with those claims as wrong that differentiate by another letter than they say."""
    found = dict(explanations)
    chains = [(e.judgement, chain) for e in found.values() if (chain := _chain(e.judgement.expression)) is not None]
    for key, e in explanations.items():
        j = e.judgement
        words = "" if e.holds or e.verdict.is_wrong else _ends_elsewhere(j, chains) or _by_another_letter(model, j)
        if words:
            found[key] = as_seen(j, Verdict.ARGUMENT, words)
    return found


def _chain(e: Expression) -> Chain | None:
    """The letters of a chain of derivatives, each by the letter that the next one is of; None for anything else."""
    factors = [f for f in factors_of(e, MATRIX_PRODUCTS) if isinstance(f, Derivative) and f.at is None]
    if not factors or len(factors) < len(factors_of(e, MATRIX_PRODUCTS)):
        return None
    chain = (factors[0].of, *(f.wrt for f in factors))
    joined = all(a.wrt == b.of for a, b in pairwise(factors))
    letters = all(isinstance(letter, Symbol) for letter in chain)
    return chain if joined and letters and len(chain) >= _WITH_ONE_BETWEEN else None


def _ends_elsewhere(j: Judgement, chains: list[tuple[Judgement, Chain]]) -> str:
    """Words for a chain from E over z to W that is said to be ∂E/∂b, where another claim has that from E over z to b;
    empty for any other claim.
    """
    chain, left = _chain(j.expression), j.left
    if chain is None or not isinstance(left, Derivative) or chain[0] != left.of or chain[-1] == left.wrt:
        return ""
    end, by = chain[-1], left.wrt
    if not isinstance(by, Symbol) or not isinstance(end, Symbol) or end.name.lower() == by.name.lower():
        return ""
    above = (n for part in j.statement.parts[1 : j.part] for n in _derivatives(part))
    if any(n.of == left.of and n.wrt == end for n in above):
        return ""  # = δ a^T ∂E/∂b = …: a break is missing, and this goes on with ∂E/∂b
    right = (*chain[:-1], by)
    line = next((other.line for other, found in chains if found == right and other.left == left), None)
    if line is None:
        return ""
    return (
        f"the chain ends in {text(end)}, and the left side is by {text(by)}: the chain to {text(by)} is in line {line}"
    )


def _by_another_letter(model: PageModel, j: Judgement) -> str:
    """Words for a derivative of what z is, written out, by a letter that it lacks, where the row above has ∂z by one
    that it has; empty for any other claim.
    """
    if j.part < 2:
        return ""
    above = list(_derivatives(j.statement.parts[j.part - 1]))
    for new in _derivatives(j.expression):
        by = new.wrt
        if isinstance(new.of, Symbol) or not isinstance(by, Symbol) or by in symbols(new.of):
            continue
        for old in above:
            if not (isinstance(old.of, Symbol) and isinstance(old.wrt, Symbol) and old.wrt in symbols(new.of)):
                continue
            goes_on = any(other.wrt == by or other.of == old.wrt for other in above)
            written_out = any(d.value == new.of for d in model.equations.get(old.of.name, ()))
            if written_out and not goes_on:
                return f"the row above is by {text(old.wrt)}, and {text(new.of)} has no {text(by)}"
    return ""


def _derivatives(e: Expression) -> Iterator[Derivative]:
    return (n for n in walk(e) if isinstance(n, Derivative) and n.at is None)
