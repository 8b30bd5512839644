"""Worked numbers: `z = 0.9 · 0.5 + 0.3 = 0.75` is an example, whose arithmetic is checked to the digits written."""

from __future__ import annotations

import re

from elman.calculus.expression import Expression, children
from elman.calculus.values.environment import Environment
from elman.calculus.values.evaluate import evaluate
from elman.errors import FormulaError
from elman.notes.model.page_model import Statement
from elman.notes.model.statement_kinds import is_numeric
from elman.notes.oracle.agreement import Agreement
from elman.notes.oracle.counterexample import Counterexample

_DECIMAL = re.compile(r"\d\.\d")
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
    """Whether a worked number equals the one before it, rounded or cut off to the digits that it is written with."""
    left, right = statement.parts[part - 1], statement.parts[part]
    try:
        one, other = _value(left), _value(right)
    except FormulaError as error:
        return Agreement(error=error)
    digits = _LAST_NUMBER.search(statement.source(part))
    written = len(digits.group(1) or "") if digits is not None else 0
    exact = not _DECIMAL.search(statement.source(part)) and not _DECIMAL.search(statement.source(part - 1))
    slack = (
        1e-9 * max(1.0, abs(one)) if exact and statement.relation.operators[part - 1] == "=" else 0.51 * 10.0**-written
    )
    cut_off = written > 0 and 0 <= abs(one) - abs(other) < 10.0**-written and one * other >= 0
    if abs(one - other) <= slack or cut_off:
        return Agreement(plain=True)
    apart = Counterexample({}, {}, {}, ((1, 1), (1, 1)), (1, 1), one, other)
    return Agreement(counterexample=apart)


def _value(e: Expression) -> float:
    def no_letter(*_: object) -> None:
        raise FormulaError("a letter in a worked number")

    value = evaluate(e, Environment(no_letter)).real  # type: ignore[arg-type]
    if value.size != 1:
        raise FormulaError("a worked example of whole arrays is not read: write its entries")
    return float(value.item())
