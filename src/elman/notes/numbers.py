"""Where a page's numbers meet its sizes: a size of 784 is looked at as a small prime, as D_h is.

A factor of 784 is then taken to be that size; where the claim does not hold so, to be 784. A number that may have come
of the size (28 = √784, 783) is of no use there, and what is said with it is said to be unchecked.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator
from fractions import Fraction

from elman.calculus.expression import BigSum, Entry, Expression, Number, Symbol, walk
from elman.calculus.scope import OutsideError
from elman.calculus.sizes import LARGEST
from elman.notes.holding import Agreement, agreement, shape_names
from elman.notes.model import Model
from elman.notes.point import UncheckedError
from elman.notes.world import World


def everything_in(model: Model, parts: Iterable[Expression]) -> Iterator[Expression]:
    """The nodes of some parts, and of all that their letters are made of."""
    seen, stack = set[str](), list(parts)
    tables = (model.equations, model.named)
    while stack:
        for node in walk(stack.pop()):
            yield node
            if isinstance(node, Symbol) and node.name not in seen:
                seen.add(node.name)
                stack += [d.value for table in tables for d in table.get(node.name, ())]
                stack += [d.value for (name, _), d in model.start.items() if name == node.name]


def large_numbers(model: Model, parts: Iterable[Expression]) -> set[Fraction]:
    """The numbers of some parts and of all that they are made of, but for those of one digit."""
    found = {node.value for node in everything_in(model, parts) if isinstance(node, Number)}
    return {n for n in found if max(abs(n.numerator), n.denominator) > LARGEST}


def names_an_entry(model: Model, parts: Iterable[Expression], sizes: Collection[str]) -> bool:
    """Whether an entry is named by its number, or a sum ends at one that is no size of the page: x_5, Σ_{i=1}^{12}."""
    for node in everything_in(model, parts):
        ends = node.indices if isinstance(node, Entry) else (node.upper,) if isinstance(node, BigSum) else ()
        if any(i is not None and i.variable is None and i.offset > 1 and str(i.offset) not in sizes for i in ends):
            return True
    return False


def same_ratio(one: Agreement, other: Agreement) -> bool:
    """Whether both are the same multiple of what is true."""
    if one.ratio is None or other.ratio is None:
        return False
    return math.isclose(one.ratio, other.ratio, rel_tol=1e-6)


def why_unchecked(
    worlds: list[World], found: Agreement, parts: tuple[Expression, Expression], written: Collection[str]
) -> str:
    """Why a claim that fails where it is looked at may hold at the page's own sizes, some of them `written` as numbers;
    empty where it does not.
    """
    world, error = worlds[0], found.error
    sizes = dict(world.point.sizes)
    if isinstance(error, UncheckedError):
        return error.reason
    if isinstance(error, OutsideError):
        if set(error.shape).isdisjoint(sizes.values()) or not names_an_entry(world.model, parts, sizes):
            return ""
        shape = shape_names(world, error.shape)
        return f"it names an entry by its number, and {shape} is small where the page is looked at: name the entry"
    if error is not None or not written:
        return ""
    strange = {n for n in large_numbers(world.model, parts) if str(n) not in sizes}
    if not strange or same_ratio(found, agreement(worlds[1], *parts)):
        return ""
    known = ", ".join(sorted(written, key=int))
    return f"{min(strange)} may hang on the sizes {known}, which are small where the page is looked at: name them"
