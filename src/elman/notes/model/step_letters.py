"""Letters that number time steps besides t: k of ∂h_t/∂h_k, and i of ∂h_i/∂h_{i-1}.

The first reading takes k for an entry of h, and i-1 for a part of the name. A derivative of a letter at a step by the
same letter, or by one at the step before, shows what they are, unless the page has other entries with this index.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from elman.calculus.expression import BigProduct, BigSum, Derivative, Entry, Expression, Symbol
from elman.notes.model.page_model import Statement


def step_letters(statements: Sequence[Statement], timed: Collection[str]) -> frozenset[str]:
    """The letters, besides t, below one of the letters `timed` that number its steps."""
    nodes = [node for s in statements for node in s.nodes()]
    found = {step for node in nodes if isinstance(node, Derivative) for step in _steps(node, timed)}
    return frozenset(found - set(_indices(nodes, timed)))


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
