"""The rows of a derivation: what each part of a chain of equations follows from.

In `∂J/∂w = A = B`, continued over rows and displays, B is a step from A as well as a claim about ∂J/∂w.
"""

from __future__ import annotations

from collections.abc import Iterator

from elman.calculus.expression import Dots, Expression, walk
from elman.notes.judge.claim_kinds import EQUALITIES
from elman.notes.model.page_model import PageModel, Statement


def earlier_parts(model: PageModel, statement: Statement, part: int) -> Iterator[tuple[tuple[int, int], Expression]]:
    """The parts before one in its derivation without the left side, the nearest first.

    Yields each with the number of its statement and its own number there.
    """
    for s in _rows_up(model, statement):
        last = part if s is statement else len(s.parts)
        for k in range(last - 1, 0, -1):
            if any(o not in EQUALITIES for o in s.relation.operators[k - 1 : k + 1]):
                return
            if any(isinstance(n, Dots) for n in walk(s.parts[k])):
                return
            yield (s.number, k), s.parts[k]


def _rows_up(model: PageModel, statement: Statement) -> Iterator[Statement]:
    """The statements of a derivation from one upwards."""
    yield statement
    while statement.relation.continues:
        above = _row_above(model, statement)
        if above is None:
            return
        yield above
        statement = above


def _row_above(model: PageModel, statement: Statement) -> Statement | None:
    """The statement that a row which begins with = goes on from."""
    first = statement.continued
    for s in reversed(model.statements[: statement.number]):
        if (first is not None and s.number in (first.number, statement.number)) or _goes_on(s, statement):
            return s
        if first is None or s.number < first.number:
            return None
    return None


def _goes_on(above: Statement, statement: Statement) -> bool:
    """Whether two rows begin with = and have the same left side, or one that is not read."""
    if not above.relation.continues:
        return False
    if statement.continued is not None:
        return above.continued is not None and above.continued.number == statement.continued.number
    return above.continued is None and above.formula == statement.formula
