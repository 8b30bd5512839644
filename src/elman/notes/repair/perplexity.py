"""Perplexity: a quantity that a page may name without defining it, since the field defines it."""

from __future__ import annotations

import re
from fractions import Fraction

from elman.calculus.expression import (
    BigSum,
    Call,
    Expression,
    Index,
    Number,
    Product,
    Symbol,
    symbols,
)
from elman.notes.judge.checker import Checker
from elman.notes.page.page import Formula

_WORDS = re.compile(r"perplexity|疑惑度|困惑度|混乱度", re.IGNORECASE)


def speaks_of_perplexity(formula: Formula) -> bool:
    """Whether the words right before a formula announce perplexity."""
    return bool(_WORDS.search(formula.before[-160:]))


def perplexity(checker: Checker) -> Expression | None:
    """exp of the mean loss per token, in the letters of the page; None where the page has no loss."""
    model = checker.model
    loss = next((name for name in sorted(model.roles.losses) if name in model.equations), None)
    if loss is None:
        return None
    letter = next(s for s in checker.sampling.letters(None) if s.name == loss)
    batch = checker.sampling.batch
    d = model.defined(loss, timed=True)
    averaged = d is not None and batch is not None and any(s.name == batch for s in symbols(d.value))
    count = [] if batch is None or averaged else [Symbol(batch)]
    if loss in model.timed:
        total: Expression = BigSum("t", Symbol(loss, Index("t"), letter.latex), Index(None, 1), Index("T"))
        count.append(Symbol("T"))
    else:
        total = Symbol(loss, latex=letter.latex)
    below: Expression | None = None
    for name in count:
        below = name if below is None else Product(below, name)
    mean = total if below is None else Product(Product(Number(Fraction(1)), below, "/"), total)
    return Call("exp", (mean,))
