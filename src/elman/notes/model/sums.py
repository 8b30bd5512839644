"""Sums whose bounds a page leaves out: Σ (w^T x_i - y_i)^2 runs over i, Σ_i L^(i) over all examples."""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from dataclasses import replace

from elman.calculus.expression import (
    Add,
    Apply,
    BigProduct,
    BigSum,
    Entry,
    Expression,
    Index,
    Negative,
    Number,
    Product,
    Subtract,
    Symbol,
    children,
    transform,
    walk,
    with_children,
)
from elman.calculus.syntax.names import fold
from elman.notes.model.page_model import Statement, free_indices, free_times

_COUNTS = frozenset("nmNMBDHd")  # letters that say how many there are
_RUNNING = frozenset("ijknm")
_FIRST, _LAST = Index(None, 1), Index("T")


def with_bounds(statements: Sequence[Statement]) -> tuple[Statement, ...]:
    """The statements with an index and bounds for every sum that is written without."""
    last = next((Index(None, n) for s in statements if (n := _terms_of_total(s))), _LAST)
    return tuple(_with_bounds(s, last) for s in statements)


def _terms_of_total(s: Statement) -> int:
    """How many steps a page has that says L = L_1 + L_2 + L_3: as many as the total has terms; 0 for any other
    statement.
    """
    if len(s.parts) < 2 or not isinstance(s.parts[0], Symbol) or s.parts[0].time is not None:
        return 0
    terms, e = list[Expression](), s.parts[1]
    while isinstance(e, Add):
        terms, e = [e.right, *terms], e.left
    steps = [term for term in (e, *terms) if isinstance(term, Symbol)]
    numbered = [step.time for step in steps] == [Index(None, k + 1) for k in range(len(terms) + 1)]
    return len(steps) if terms and numbered and len({step.name for step in steps}) == 1 else 0


def _with_bounds(s: Statement, last: Index) -> Statement:
    left = free_indices(s.parts[0]) | free_times(s.parts[0])

    def change(node: Expression) -> Expression:
        if isinstance(node, Add | Subtract):
            return _to_the_end(node, left)
        if isinstance(node, Product):
            return _mean(node)
        return _bounded(node, left, last) if isinstance(node, BigSum | BigProduct) else node

    parts = tuple(transform(_with_own_letters(part, left), change) for part in s.parts)
    return replace(s, relation=replace(s.relation, parts=parts)) if parts != s.parts else s


def _mean(e: Product) -> Product:
    """1/N Σ_{i=1}^N x_i for 1/N Σ_i x_i: what a sum of entries of vectors is divided by is how many there are."""
    total, factor = (e.left, e) if e.operator == "/" else (e.right, e.left)
    count = _divisor(factor)
    if count is None or not isinstance(total, BigSum) or total.lower is not None or total.upper is not None:
        return e
    nodes = list(walk(total.body))
    entries = [n.indices for n in nodes if isinstance(n, Entry)]
    if set(entries) != {(Index(total.index),)} or total.index not in _RUNNING:
        return e
    if any(isinstance(n, BigSum | BigProduct) for n in nodes) or count.name in {
        n.name for n in nodes if isinstance(n, Symbol)
    }:
        return e
    bounded = replace(total, lower=_FIRST, upper=Index(count.name))
    return replace(e, left=bounded) if total is e.left else replace(e, right=bounded)


def _divisor(e: Expression) -> Symbol | None:
    """N of 1/N and of 1/(2N), a letter that counts."""
    if not isinstance(e, Product) or e.operator != "/":
        return None
    below = e.right
    if isinstance(below, Product) and below.operator in ("", "·") and isinstance(below.left, Number):
        below = below.right
    counts = isinstance(below, Symbol) and below.time is None and below.name in _COUNTS
    return below if counts and isinstance(below, Symbol) else None


def _with_own_letters(e: Expression, bound: set[str]) -> Expression:
    """Σ_{c=1}^C for the Σ_{i=c}^C of Σ_i Σ_{i=c}^C t_ic, which gives i twice and c nothing to run over; `bound` are the
    indices of what is around.
    """
    if not isinstance(e, BigSum):
        within = children(e)
        return with_children(e, tuple(_with_own_letters(child, bound) for child in within)) if within else e
    first = e.lower.variable if e.lower is not None and not e.lower.offset else None
    if first is not None and e.index in bound and first not in bound and first in free_indices(e.body):
        e = replace(e, index=first, lower=_FIRST)
    return replace(e, body=_with_own_letters(e.body, bound | {e.index}))


def _to_the_end(e: Add | Subtract, left: set[str]) -> Expression:
    """Σ_i (a_i + b_i) for Σ_i a_i + b_i, whose last term has the index of the sum, and nothing else binds it."""
    total = e.left.of if isinstance(e.left, Negative) else e.left
    if not isinstance(total, BigSum) or total.index in left or total.index not in free_indices(e.right):
        return e
    return sum_to_the_end(e) or e


def sum_to_the_end(e: Expression) -> Expression | None:
    """Σ (a + b) for Σ a + b, and -Σ (a + b) for -Σ a + b: what people mean who leave the brackets out; None for
    anything else.
    """
    terms = [e]
    while isinstance(terms[-1], Add | Subtract):
        terms.append(terms[-1].left)
    *sums, first = terms
    total = first.of if isinstance(first, Negative) else first
    if not sums or not isinstance(total, BigSum):
        return None
    body = total.body
    for term in reversed(sums):
        assert isinstance(term, Add | Subtract)
        body = replace(term, left=body)
    found = replace(total, body=body)
    return replace(first, of=found) if isinstance(first, Negative) else found


def over_all_entries(e: Expression, known: Container[str]) -> Expression | None:
    """Σ_{k=0}^{K-1} a_ik over all entries, where K is none of the sizes that are `known` so far; None where no sum has
    such a bound.
    """

    def change(node: Expression) -> Expression:
        if not isinstance(node, BigSum) or node.upper is None or node.upper.variable in (None, "T"):
            return node
        entries = [n for n in walk(node.body) if isinstance(n, Entry) and Index(node.index) in n.indices]
        if not entries or fold(str(node.upper.variable)) in known or node.lower not in (Index(None, 0), _FIRST):
            return node
        return replace(node, lower=None, upper=None)

    changed = transform(e, change)
    return changed if changed != e else None


def _bounded(e: BigSum | BigProduct, left: set[str], last: Index) -> Expression:
    if not e.index:
        running = sorted(free_indices(e.body) | free_times(e.body))
        chosen = [i for i in running if i not in left] or running
        if len(chosen) != 1:
            return e
        e = replace(e, index=chosen[0])
    if e.upper == Index(e.index):  # Σ_{k=1}^k means all of them
        e = replace(e, lower=None, upper=None)
    if not _numbers_steps(e):
        return _of_equal_terms(e) if e.lower is None and e.upper is None else e
    if e.lower is None and e.upper is None:
        return replace(e, lower=_FIRST, upper=last)
    if e.lower == Index(None, 0) and e.upper is not None and e.upper.variable and e.upper.offset == -1:
        return replace(e, lower=_FIRST, upper=Index(e.upper.variable))
    return e


def _of_equal_terms(e: BigSum | BigProduct) -> BigSum | BigProduct:
    """A sum whose terms do not depend on its index, as Σ_s L_i / N: of a number of terms of its own."""
    names = {n.name for n in walk(e.body) if isinstance(n, Symbol | Apply)}
    if e.index in free_indices(e.body) | free_times(e.body) | names or not e.index.isalnum():
        return e
    return replace(e, lower=_FIRST, upper=Index(f"N_{e.index}"))


def _numbers_steps(e: BigSum | BigProduct) -> bool:
    """Whether the index numbers time steps or examples and no entries."""
    entries = {i.variable for n in walk(e.body) if isinstance(n, Entry) for i in n.indices}
    times = {n.time.variable for n in walk(e.body) if isinstance(n, Symbol) and n.time is not None}
    return e.index in times and e.index not in entries


def counts_of(expressions: Sequence[Expression]) -> Iterator[str]:
    """The letters that count time steps or examples: m of Σ_{i=1}^m L^(i)."""
    for node in (n for e in expressions for n in walk(e)):
        if not isinstance(node, BigSum | BigProduct) or not _numbers_steps(node) or node.upper is None:
            continue
        if node.upper.variable and node.upper.variable != "T":
            yield node.upper.variable
