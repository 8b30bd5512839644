"""A size that a page calls N in one place and n in another: Z is n × 2, and Z = H W + b where H is N × 3."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from elman.calculus.expression import Add, Expression, Subtract, Symbol, factors_of
from elman.notes.model.page_model import Statement

Shapes = Mapping[str, tuple[str, str]]


def with_one_size(statements: Sequence[Statement], shapes: Shapes) -> dict[str, tuple[str, str]]:
    """The shapes with one name for two sizes that differ in their case alone, where the rows of a product show that
    they are one, and no letter has both.
    """
    same = {one: other for one, other in _equal_sizes(statements, shapes) if one != other}
    apart = {frozenset(shape) for shape in shapes.values()}
    same = {one: other for one, other in same.items() if frozenset((one, other)) not in apart}
    return {name: (_renamed(rows, same), _renamed(columns, same)) for name, (rows, columns) in shapes.items()}


def _renamed(size: str, same: Mapping[str, str]) -> str:
    return re.sub(r"[A-Za-z]\w*", lambda m: same.get(m[0], m[0]), size)


def _equal_sizes(statements: Sequence[Statement], shapes: Shapes) -> Iterator[tuple[str, str]]:
    """The sizes n and N of the rows of letters Z and H with Z = H W + b; the capital is the second."""
    for s in statements:
        left = s.parts[0]
        if not s.is_equation or not isinstance(left, Symbol):
            continue
        first = _first_factor(s.parts[1])
        if first is None or left.name not in shapes or first.name not in shapes:
            continue
        one, other = sorted((shapes[left.name][0], shapes[first.name][0]), reverse=True)
        if len(one) == 1 and one == other.lower() and one.isalpha():
            yield one, other


def _first_factor(e: Expression) -> Symbol | None:
    """H of H W + b, a letter before another factor; None for anything else."""
    while isinstance(e, Add | Subtract):
        e = e.left
    first, *others = factors_of(e)
    return first if others and isinstance(first, Symbol) else None
