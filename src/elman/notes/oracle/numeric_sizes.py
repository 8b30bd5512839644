"""Where a page's numbers meet its sizes: a size of 784 is looked at as a small prime, as D_h is.

A factor of 784 is then taken to be that size; where the claim does not hold so, to be 784. A number of one digit is
itself first, and then the size that the page says is that, M = 4. A number that may have come of a size (28 = √784,
783) is of no use there, and what fails with it is said to be unchecked.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator
from fractions import Fraction

from elman.calculus.expression import BigSum, Entry, Expression, Number, Symbol, walk
from elman.calculus.syntax.written_sizes import LARGEST, is_number
from elman.calculus.values.environment import OutsideError
from elman.notes.model.page_model import PageModel
from elman.notes.oracle.agreement import Agreement, agreement, shape_names
from elman.notes.oracle.evaluation_point import OutOfRangeError, UncheckedError
from elman.notes.oracle.oracle import Oracle


def everything_in(model: PageModel, parts: Iterable[Expression]) -> Iterator[Expression]:
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


def numbers_in(model: PageModel, parts: Iterable[Expression]) -> set[Fraction]:
    """The numbers of some parts and of all that they are made of."""
    return {node.value for node in everything_in(model, parts) if isinstance(node, Number)}


def names_an_entry(model: PageModel, parts: Iterable[Expression], sizes: Collection[str]) -> bool:
    """Whether an entry is named by its number, or a sum ends at one that is no size of the page: x_5, Σ_{i=1}^{12}."""
    for node in everything_in(model, parts):
        ends = node.indices if isinstance(node, Entry) else (node.upper,) if isinstance(node, BigSum) else ()
        if any(i is not None and i.variable is None and i.offset > 1 and str(i.offset) not in sizes for i in ends):
            return True
    return False


def names_a_step_after(oracle: Oracle, parts: Iterable[Expression]) -> bool:
    """Whether a time step later than the last is named by its number, or ends a sum: h^(100), Σ_{t=1}^{100}."""
    for node in everything_in(oracle.model, parts):
        i = node.time if isinstance(node, Symbol) else node.upper if isinstance(node, BigSum) else None
        if i is not None and i.variable is None and i.offset > oracle.last:
            return True
    return False


def same_ratio(one: Agreement, other: Agreement) -> bool:
    """Whether both are the same multiple of what is true."""
    if one.ratio is None or other.ratio is None:
        return False
    return math.isclose(one.ratio, other.ratio, rel_tol=1e-6)


def why_unchecked(
    oracles: list[Oracle], found: Agreement, parts: tuple[Expression, Expression], written: Collection[str]
) -> str:
    """Why a claim that fails where it is looked at may hold at the page's own sizes, some of them `written` as numbers;
    empty where it does not.
    """
    oracle, error = oracles[0], found.error
    sizes = dict(oracle.point.sizes)
    if isinstance(error, UncheckedError):
        return error.reason
    if isinstance(error, OutOfRangeError) and names_a_step_after(oracle, parts):
        return f"it names a time step after the {oracle.last} that a page is looked at: write T"
    if isinstance(error, OutsideError):
        known = {n for n in (*sizes, *written) if not is_number(n)}
        if set(error.shape).isdisjoint(sizes.values()) or not names_an_entry(oracle.model, parts, known):
            return ""
        shape = shape_names(oracle, error.shape)
        return f"it names an entry by its number, and {shape} is small where the page is looked at: name the entry"
    if error is not None or not written:
        return ""
    numbers = numbers_in(oracle.model, parts)
    strange = {n for n in numbers if max(abs(n.numerator), n.denominator) > LARGEST and str(n) not in written}
    if any(is_number(str(n)) and str(n) in written for n in numbers):  # and either is read as a size at a time
        strange |= {n for n in numbers if n > LARGEST}
    if not strange or same_ratio(found, agreement(oracles[1], *parts)):
        return ""
    shown = ", ".join(sorted(written, key=int))
    return f"{min(strange)} may hang on the sizes {shown}, which are small where the page is looked at: name them"
