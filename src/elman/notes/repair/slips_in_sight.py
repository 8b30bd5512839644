"""Slips that can be seen without values: a term that is there twice, and a product of matrices that cannot fit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from elman.calculus.expression import Dots, Expression, Matrix, Product, Symbol, walk
from elman.calculus.matrix_form.sum_terms import summands
from elman.calculus.printing.render import text
from elman.notes.judge.judgement import Judgement
from elman.notes.judge.verdict import Verdict
from elman.notes.model.page_model import PageModel
from elman.notes.repair.explanation import Explanation, as_seen

Key = tuple[int, int]


def with_slips_in_sight(model: PageModel, explanations: Mapping[Key, Explanation]) -> dict[Key, Explanation]:
    """The explanations, with those claims as wrong that have such a slip."""
    found = dict(explanations)
    names = {n.name for s in model.own_statements() for n in s.nodes() if isinstance(n, Symbol)}
    for key, e in explanations.items():
        if e.verdict.is_wrong:
            continue
        verdict, words = Verdict.ARGUMENT, _term_twice(e.judgement, names)
        if not words and not e.holds:
            verdict, words = Verdict.SHAPE, _cells_that_misfit(e.judgement.expression)
        if words:
            found[key] = as_seen(e.judgement, verdict, words)
    return found


def _term_twice(j: Judgement, names: Iterable[str]) -> str:
    """Words for a definition J = J_a + J_a on a page that has a J_b: nobody writes 2 J_a so. Else empty."""
    if j.defines is None:
        return ""
    terms = Counter(t.name for t in summands(j.expression) if isinstance(t, Symbol))
    for name, count in terms.items():
        stem, _, label = name.partition("_")
        others = sorted(n for n in names if label and n.startswith(f"{stem}_") and n not in terms)
        if count > 1 and others:
            once, other = text(Symbol(name)), text(Symbol(others[0]))
            return f"{once} is a term of this sum twice: one of them may be {other}"
    return ""


def _cells_that_misfit(e: Expression) -> str:
    """Words for a product of two matrices whose cells are written out, the first with another number of columns than
    the second has rows; empty where there is none. Two columns may be meant entry by entry.
    """
    for n in walk(e):
        if not (isinstance(n, Product) and n.operator == "" and isinstance(n.right, Matrix)):
            continue
        if not isinstance(n.left, Matrix) or any(isinstance(c, Dots) for c in walk(n)):
            continue
        (one, other) = ((len(m.rows), len(m.rows[0])) for m in (n.left, n.right))
        if one != other and one[1] != other[0] and (1, 1) not in (one, other):
            return f"a matrix of {one[0]} by {one[1]} cells cannot be multiplied by one of {other[0]} by {other[1]}"
    return ""
