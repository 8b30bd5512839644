"""Numbers of a page that may be sizes: the oracle gives a size of 784 a small prime, as it does for D_h.

A factor of 784 is then read as that size, and where the claim fails, as the number 784. A number of one digit is read
as the number first, and then as the size of which the page says M = 4. A number that may be computed from a size (28 =
√784, 783) cannot be evaluated there: a claim that fails with it is reported as not checked.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable
from fractions import Fraction

from elman.calculus.expression import BigSum, Entry, Expression, Number, Symbol
from elman.calculus.syntax.written_sizes import LARGEST, is_number
from elman.calculus.values.environment import OutsideError
from elman.notes.model.page_model import PageModel, everything_in
from elman.notes.oracle.agreement import Agreement, agreement
from elman.notes.oracle.evaluation_point import OutOfRangeError, UncheckedError
from elman.notes.oracle.oracle import Oracle


def numbers_in(model: PageModel, parts: Iterable[Expression]) -> set[Fraction]:
    """The numbers of some parts, and of the equations that they depend on."""
    return {node.value for node in everything_in(model, parts) if isinstance(node, Number)}


def names_an_entry(model: PageModel, parts: Iterable[Expression], sizes: Collection[str]) -> bool:
    """Whether an index is a number, or a sum ends at a number, that is no size of the page: x_5, Σ_{i=1}^{12}."""
    for node in everything_in(model, parts):
        ends = node.indices if isinstance(node, Entry) else (node.upper,) if isinstance(node, BigSum) else ()
        if any(i is not None and i.variable is None and i.offset > 1 and str(i.offset) not in sizes for i in ends):
            return True
    return False


def names_a_step_after(oracle: Oracle, parts: Iterable[Expression]) -> bool:
    """Whether a time step is a number beyond the last step, or a sum ends at one: h^(100), Σ_{t=1}^{100}."""
    for node in everything_in(oracle.model, parts):
        i = node.time if isinstance(node, Symbol) else node.upper if isinstance(node, BigSum) else None
        if i is not None and i.variable is None and i.offset > oracle.sizes.last:
            return True
    return False


def same_ratio(one: Agreement, other: Agreement) -> bool:
    """Whether both values are the same multiple of the true one."""
    if one.ratio is None or other.ratio is None:
        return False
    return math.isclose(one.ratio, other.ratio, rel_tol=1e-6)


def why_unchecked(
    oracles: list[Oracle], found: Agreement, parts: tuple[Expression, Expression], written: Collection[str]
) -> str:
    """Why a claim that fails at the oracle's sizes may hold at the page's own, some of them `written` as numbers; empty
    where it cannot.
    """
    oracle, error = oracles[0], found.error
    sizes = dict(oracle.point.sizes)
    if isinstance(error, UncheckedError):
        return error.reason
    if isinstance(error, OutOfRangeError) and names_a_step_after(oracle, parts):
        return f"it names a time step after step {oracle.sizes.last}, the last one in the check: write T"
    if isinstance(error, OutsideError):
        known = {n for n in (*sizes, *written) if not is_number(n)}
        if set(error.shape).isdisjoint(sizes.values()) or not names_an_entry(oracle.model, parts, known):
            return ""
        shape = oracle.sizes.as_text(error.shape)
        return f"an index is a number, and the check uses a small {shape}: write a letter as the index"
    if error is not None or not written:
        return ""
    numbers = numbers_in(oracle.model, parts)
    strange = {n for n in numbers if max(abs(n.numerator), n.denominator) > LARGEST and str(n) not in written}
    if any(is_number(str(n)) and str(n) in written for n in numbers):  # all of them are read as sizes, or none
        strange |= {n for n in numbers if n > LARGEST}
    if not strange or same_ratio(found, agreement(oracles[1], *parts)):
        return ""
    shown = ", ".join(sorted(written, key=int))
    return (
        f"{min(strange)} may depend on the sizes {shown}, for which the check uses small numbers: write names for them"
    )
