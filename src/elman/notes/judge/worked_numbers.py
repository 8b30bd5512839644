"""Worked numbers: `z = 0.9 · 0.5 + 0.3 = 0.75` is an example, whose arithmetic is checked to the digits written."""

from __future__ import annotations

import re

import numpy as np

from elman.calculus.expression import Expression, children
from elman.calculus.functions import Array
from elman.calculus.values.environment import Environment
from elman.calculus.values.evaluate import evaluate
from elman.errors import FormulaError
from elman.notes.model.page_model import Statement
from elman.notes.model.statement_kinds import is_numeric
from elman.notes.oracle.agreement import Agreement
from elman.notes.oracle.counterexample import Counterexample

_DECIMAL = re.compile(r"\d\.\d")
_DECIMALS = re.compile(r"\d\.(\d+)")
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
    """Whether a worked number, or each entry of a worked array, equals the one before it, rounded or cut off to the
    digits that it is written with.
    """
    left, right = statement.parts[part - 1], statement.parts[part]
    try:
        one, other = _value(left), _value(right)
    except FormulaError as error:
        return Agreement(error=error)
    if one.shape != other.shape:
        return Agreement(counterexample=Counterexample({}, {}, {}, (one.shape, other.shape)))
    written = _digits(statement.source(part), other.size > 1)
    exact = not _DECIMAL.search(statement.source(part)) and not _DECIMAL.search(statement.source(part - 1))
    is_exact = exact and statement.relation.operators[part - 1] == "="
    slack = 1e-9 * np.maximum(1.0, abs(one)) if is_exact else 0.51 * 10.0**-written
    lost = abs(one) - abs(other)
    cut_off = (written > 0) & (lost >= 0) & (lost < 10.0**-written) & (one * other >= 0)
    wrong = np.argwhere(~((abs(one - other) <= slack) | cut_off))
    if not wrong.size:
        return Agreement(plain=True)
    row, column = int(wrong[0][0]), int(wrong[0][1])
    entry = (row + 1, column + 1)
    apart = Counterexample(
        {}, {}, {}, (one.shape, other.shape), entry, float(one[row, column]), float(other[row, column])
    )
    return Agreement(counterexample=apart)


def _digits(source: str, is_array: bool) -> int:
    """The decimals that a worked number is written with; of an array those of the entry that has the fewest."""
    if is_array:
        return min((len(d) for d in _DECIMALS.findall(source)), default=0)
    digits = _LAST_NUMBER.search(source)
    return len(digits.group(1) or "") if digits is not None else 0


def _value(e: Expression) -> Array:
    def no_letter(*_: object) -> None:
        raise FormulaError("a letter in a worked number")

    value: Array = evaluate(e, Environment(no_letter)).real  # type: ignore[arg-type]
    return value
