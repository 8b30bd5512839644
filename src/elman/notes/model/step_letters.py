"""Letters that number time steps besides t: k of ∂h_t/∂h_k, and i of ∂h_i/∂h_{i-1}.

The first reading takes k for an entry of h, and i-1 for a part of the name. A derivative of a letter at a step by the
same letter, or by one at the step before, shows what they are, unless the page has other entries with this index.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace

from elman.calculus.expression import BigProduct, BigSum, Derivative, Entry, Expression, Symbol, transform
from elman.calculus.syntax.names import TIME_LETTERS
from elman.notes.model.page_model import Statement


def step_letters(statements: Sequence[Statement], timed: Collection[str]) -> frozenset[str]:
    """The letters, besides t, below one of the letters `timed` that number its steps."""
    nodes = [node for s in statements for node in s.nodes()]
    found = {step for node in nodes if isinstance(node, Derivative) for step in _steps(node, timed)}
    return frozenset(found - set(_indices(nodes, timed)))


def with_steps_under_signs(statements: Sequence[Statement], timed: Collection[str]) -> tuple[Statement, ...]:
    """The statements with z_i as z at step i under a sum or a product over i whose bounds are steps, Π_{i=k}^{t-1}:
    `timed` are the letters that have time steps.
    """

    def change(node: Expression) -> Expression:
        if not isinstance(node, BigSum | BigProduct) or not _is_over_steps(node):
            return node
        return replace(node, body=transform(node.body, lambda n: _at_step(n, node.index, timed)))

    return tuple(s.transformed(change) for s in statements)


def _is_over_steps(e: BigSum | BigProduct) -> bool:
    return any(bound is not None and bound.variable in TIME_LETTERS for bound in (e.lower, e.upper))


def _at_step(e: Expression, index: str, timed: Collection[str]) -> Expression:
    found = _single_index(e, timed)
    if found is None or found[1] != index or not isinstance(e, Entry) or not isinstance(e.of, Symbol):
        return e
    return replace(e.of, time=e.indices[0], below=True, span=e.span)


def _steps(e: Derivative, timed: Collection[str]) -> Iterator[str]:
    by = _single_index(e.wrt, timed)
    if isinstance(e.of, Symbol) and e.of.time is not None and by is not None and by[0] == e.of.name:
        yield by[1]
    of = _single_index(e.of, timed)
    if of is not None and isinstance(e.wrt, Symbol) and e.wrt.name in {f"{name}_{of[1]}-1" for name in timed}:
        yield of[1]


def _single_index(e: Expression, timed: Collection[str]) -> tuple[str, str] | None:
    """A letter of `timed` and its one index, a letter: h and k of h_k."""
    if not isinstance(e, Entry) or not isinstance(e.of, Symbol) or len(e.indices) != 1 or e.of.name not in timed:
        return None
    index = e.indices[0]
    return (e.of.name, index.variable) if index.variable is not None and e.of.time is None else None


def _indices(nodes: Sequence[Expression], timed: Collection[str]) -> Iterator[str]:
    """The letters that are indices of entries, or run over all of them."""
    for node in nodes:
        if isinstance(node, Entry) and _single_index(node, timed) is None:
            yield from (i.variable for i in node.indices if i.variable)
        if isinstance(node, BigSum | BigProduct) and node.upper is None:
            yield node.index
