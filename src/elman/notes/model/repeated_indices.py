"""Einstein's convention: on a page that names it, or tensor notation, an index that occurs twice in a term, V_lm s_m,
is summed over.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from elman.calculus.expression import (
    Add,
    BigProduct,
    BigSum,
    Cases,
    Derivative,
    Entry,
    Expression,
    Iverson,
    Negative,
    Pattern,
    Subtract,
    Symbol,
    children,
    transform,
)
from elman.notes.model.page_model import Statement, free_indices
from elman.notes.page.page import Page

_NAMED = re.compile(
    r"\bEinstein(?:['’]s)?\s+(?:summation|sum|notation|convention)|\btensor(?:ial)?\s+notation"
    r"|\b(?:repeated|dummy)\s+ind(?:ices|exes)\s+(?:are|is)\s+summed|爱因斯坦(?:求和|约定|记号)|张量记号|对重复的?(?:指标|下标)求和",
    re.IGNORECASE,
)


def with_repeated_indices(statements: Sequence[Statement], page: Page) -> tuple[Statement, ...]:
    """The statements with a sum over every index that occurs twice in a term, if the page names the convention."""
    return tuple(map(_summed, statements)) if _NAMED.search(page.text) else tuple(statements)


def _summed(s: Statement) -> Statement:
    left, *rest = s.parts
    outside = free_indices(left)
    return s.with_parts((_in_terms(left, outside), *(_in_terms(part, outside) for part in rest)))


def _in_terms(e: Expression, outside: set[str]) -> Expression:
    """An expression with the sums in each of its terms; `outside` are the indices of the left side, which stay."""
    if isinstance(e, Add | Subtract):
        return replace(e, left=_in_terms(e.left, outside), right=_in_terms(e.right, outside))
    if isinstance(e, Negative):
        return replace(e, of=_in_terms(e.of, outside))
    if isinstance(e, Cases):
        return replace(e, values=tuple(_in_terms(value, outside) for value in e.values))

    def within(node: Expression) -> Expression:
        if isinstance(node, Derivative) and not isinstance(node.of, Symbol | Entry):
            return replace(node, of=_in_terms(node.of, outside | free_indices(node.wrt)))
        return node

    term = transform(e, within)
    for index in sorted(i for i, times in _occurrences(term).items() if times > 1 and i not in outside):
        term = BigSum(index, replace(term, span=(0, 0)), None, None, span=e.span)
    return term


def _occurrences(e: Expression) -> Counter[str]:
    """How often each index occurs in a term that no sum binds; of the terms of a sum in it, as often as in one."""
    if isinstance(e, Add | Subtract):
        return _occurrences(e.left) | _occurrences(e.right)
    found = Counter[str]()
    if isinstance(e, Entry):
        found.update(i.variable for i in e.indices if i.variable)
    if isinstance(e, Iverson):
        found.update(i.variable for i in (e.left, e.right) if i.variable)
    for child in children(e):
        found += _occurrences(child)
    if isinstance(e, BigSum | BigProduct):
        found.pop(e.index, None)
    if isinstance(e, Pattern):
        for name in e.bound:
            found.pop(name, None)
    return found
