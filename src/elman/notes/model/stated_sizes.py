"""Sizes whose values a page states: `N = 784`, where a declared shape uses N."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from elman.calculus.expression import Expression, Number, Product, Symbol
from elman.calculus.syntax.names import fold
from elman.notes.model.page_model import Statement


def stated_sizes(statements: Iterable[Statement], shapes: Mapping[str, tuple[str, str]]) -> dict[str, str]:
    """The sizes whose values the page states, by name: {"N": "784"} for `N = 784` where a shape in `shapes` uses N."""
    sizes = {word for shape in shapes.values() for dim in shape for word in dim.split("*")}
    found: dict[str, str] = {}
    for statement in statements:
        left, number = statement.parts[0], _whole_number(statement.parts[-1])
        equal = statement.relation.operators in (("=",), (":=",))
        if equal and number and isinstance(left, Symbol) and left.time is None and fold(left.name) in sizes:
            found.setdefault(fold(left.name), str(number))
    return found


def states_a_size(statement: Statement, stated: Mapping[str, str]) -> bool:
    """Whether a statement gives the value of one of the `stated` sizes and does nothing else."""
    left = statement.parts[0]
    known = isinstance(left, Symbol) and left.time is None and fold(left.name) in stated
    return known and len(statement.parts) == 2 and _whole_number(statement.parts[1]) is not None


def _whole_number(e: Expression) -> int | None:
    """The value of a positive whole number, or of a product of such numbers: 784, or 28 · 28."""
    if isinstance(e, Number) and e.value.denominator == 1 and e.value > 0:
        return int(e.value)
    if isinstance(e, Product) and e.operator != "/":
        left, right = _whole_number(e.left), _whole_number(e.right)
        return left * right if left and right else None
    return None
