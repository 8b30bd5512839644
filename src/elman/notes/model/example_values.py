"""What the numbers of a worked example say of letters: b = [0.1, 0.2] is a vector, y = 0.5 a number, and so is h_t
where h_1 = 0.5.

A row of numbers may be written for a column, and w = 0 for a vector of zeros: the numbers are evidence of a kind, and
declare no shape.
"""

from __future__ import annotations

from collections.abc import Sequence

from elman.calculus.expression import Expression, Matrix, Number, Symbol
from elman.calculus.shapes.kinds import Costs, all_cost
from elman.notes.model.page_model import Statement
from elman.notes.model.statement_kinds import is_numeric

_OTHERWISE = 6.0  # what it costs to read a letter as something else than its value in the example
_TURNED = 0.5  # a row of numbers for a column
_NUMBER: Costs = {**all_cost(_OTHERWISE), "number": 0.0}


def kinds_in_examples(statements: Sequence[Statement]) -> dict[str, Costs]:
    """By name, what it costs to read a letter as a number, a column, a row or a matrix; only letters whose values in
    all examples are of one kind.
    """
    found: dict[str, list[Costs]] = {}
    for s in statements:
        left, value = s.parts[0], s.parts[-1]
        if len(s.parts) < 2 or not isinstance(left, Symbol) or not is_numeric(value):
            continue
        if left.time is not None and left.time.variable is not None:
            continue
        costs = _costs_of(value) or (_NUMBER if left.time is not None and _is_above_one(value) else None)
        if costs is not None:
            found.setdefault(left.name, []).append(costs)
    return {name: costs[0] for name, costs in found.items() if all(c == costs[0] for c in costs)}


def _costs_of(value: Expression) -> Costs | None:
    """The costs of the kinds of a letter with this value; None where it may be a value of anything, as 0 and 1 may."""
    otherwise = all_cost(_OTHERWISE)
    if isinstance(value, Matrix):
        rows, columns = len(value.rows), len(value.rows[0])
        if rows > 1 and columns > 1:
            return {**otherwise, "matrix": 0.0}
        if rows == columns:
            return None
        return {**otherwise, "column": _TURNED, "row": 0.0} if rows == 1 else {**otherwise, "column": 0.0}
    if isinstance(value, Number) and value.value.denominator > 1:
        return _NUMBER
    return None


def _is_above_one(value: Expression) -> bool:
    """Whether a value is a number that no zeros and ones are written for: x_2 = 2."""
    return isinstance(value, Number) and value.value > 1
