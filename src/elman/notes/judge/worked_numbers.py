"""Worked numbers: `z = 0.9 · 0.5 + 0.3 = 0.75` is an example, whose arithmetic is checked to the digits written."""

from __future__ import annotations

import re
from dataclasses import replace
from math import prod

import numpy as np

from elman.calculus.expression import Call, Expression, Matrix, children, transform
from elman.calculus.functions import Array
from elman.calculus.values.environment import Environment
from elman.calculus.values.evaluate import evaluate
from elman.errors import FormulaError
from elman.notes.model.page_model import Statement
from elman.notes.model.statement_kinds import is_numeric
from elman.notes.oracle.agreement import Agreement
from elman.notes.oracle.counterexample import Counterexample

_DECIMAL = re.compile(r"\d\.\d")
_LOG = re.compile(r"(?<![A-Za-z])log(?![A-Za-z])")
_LAST_NUMBER = re.compile(r"\d+(?:\.(\d+))?(?!.*\d)", re.DOTALL)


def is_worked(statement: Statement, part: int) -> bool:
    """Whether a part is a number that was worked out: it has decimals, is computed, or follows such a part."""
    e = statement.parts[part]
    if not is_numeric(e):
        return False
    compound = any(children(child) for child in children(e)) or len(children(e)) > 1
    return (
        compound
        or _DECIMAL.search(statement.source(part)) is not None
        or (part > 1 and is_numeric(statement.parts[part - 1]))
    )


def arithmetic(statement: Statement, part: int) -> Agreement:
    """Whether worked numbers equal those before them, rounded or cut off to the digits that they are written with. A
    logarithm that is not written ln may be to the base 10 or 2.
    """
    left, right = statement.parts[part - 1 : part + 1]
    found = _compared(statement, part, left, right)
    if found.plain or not any(_LOG.search(statement.source(k)) for k in (part - 1, part)):
        return found
    others = (_compared(statement, part, *(_to_base(base, e) for e in (left, right))) for base in ("log10", "log2"))
    return next((other for other in others if other.plain), found)


def _to_base(base: str, e: Expression) -> Expression:
    """An expression with logarithms to another base."""
    return transform(e, lambda n: replace(n, function=base) if isinstance(n, Call) and n.function == "ln" else n)


def _compared(statement: Statement, part: int, left: Expression, right: Expression) -> Agreement:
    """Whether two parts, `left` and `right` as they are read, are equal to the digits written."""
    try:
        one, other = _value(left), _value(right)
    except FormulaError as error:
        return Agreement(error=error)
    shapes = ((one.shape[0], one.shape[1]), (other.shape[0], other.shape[1]))
    if one.shape != other.shape:
        return Agreement(counterexample=Counterexample({}, {}, {}, shapes))
    exact = not _DECIMAL.search(statement.source(part)) and not _DECIMAL.search(statement.source(part - 1))
    exact = exact and statement.relation.operators[part - 1] == "="
    digits = _digits(statement, part, other.shape)
    right_ones = [_is_rounded(a, b, n, exact) for a, b, n in zip(one.flat, other.flat, digits, strict=True)]
    if all(right_ones):
        return Agreement(plain=True)
    place = right_ones.index(False)
    row, column = divmod(place, one.shape[1])
    apart = Counterexample({}, {}, {}, shapes, (row + 1, column + 1), float(one.flat[place]), float(other.flat[place]))
    return Agreement(counterexample=apart)


def _digits(statement: Statement, part: int, shape: tuple[int, ...]) -> list[int]:
    """The decimals that each number of a part is written with; for a computed one the most that any of them has."""
    e = statement.parts[part]
    start, text = statement.relation.regions[part][0], statement.formula.text
    entries = [entry for row in e.rows for entry in row] if isinstance(e, Matrix) else [e]
    if len(entries) != prod(shape):
        entries = [e] * prod(shape)
    found = []
    for entry in entries:
        source = text[slice(*entry.span)] if entry is not e and entry.span[1] > start else statement.source(part)
        number = _LAST_NUMBER.search(source)
        found.append(len(number.group(1) or "") if number is not None else 0)
    return found


def _is_rounded(value: float, written: float, digits: int, exact: bool) -> bool:
    """Whether a number is a value, rounded or cut off to its digits."""
    slack = 1e-9 * max(1.0, abs(value)) if exact else 0.51 * 10.0**-digits
    cut_off = digits > 0 and 0 <= abs(value) - abs(written) < 10.0**-digits and value * written >= 0
    return abs(value - written) <= slack or cut_off


def _value(e: Expression) -> Array:
    """The numbers of a part, [m,n]."""

    def no_letter(*_: object) -> None:
        raise FormulaError("a letter in a worked number")

    value = np.asarray(evaluate(e, Environment(no_letter)).real)  # type: ignore[arg-type]
    if not np.isfinite(value).all():
        raise FormulaError("this has no finite value")
    return value
