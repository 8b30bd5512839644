"""Conditions and cases as index forms: 1 where a condition holds, else 0.

The condition x > a is step(x - a). Its derivative is 0, so at a change from one case to another the derivative of the
case that holds there is taken.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from elman.calculus.index_form.arithmetic import apply, minus, multiply, plus
from elman.calculus.index_form.forms import IndexForm
from elman.calculus.index_form.terms import ZERO, Below, Delta, Sum, TensorIndex, constant, single


def indices_compared(operator: str, i: TensorIndex, j: TensorIndex) -> Sum:
    """1 where two indices are in a relation, else 0."""
    return _INDICES[operator](i, j)


def values_compared(operator: str, a: Sum, b: Sum) -> Sum:
    """1 where two values are in a relation, else 0, entry by entry."""
    return _VALUES[operator](a, b)


def first_that_holds(values: Sequence[IndexForm], conditions: Sequence[IndexForm]) -> IndexForm:
    """The first value whose condition holds: Σ_k v_k c_k (1 - c_1) … (1 - c_(k-1))."""
    whole = next((form for form in (*values, *conditions) if not form.is_scalar), values[0])
    total, open_ = ZERO, constant(1)
    for value, condition in zip(values, conditions, strict=True):
        holds = condition.aligned_with(whole).sum
        total = plus(total, multiply(multiply(value.aligned_with(whole).sum, holds), open_))
        open_ = multiply(open_, _not(holds))
    return whole._replace(sum=total)


def _not(condition: Sum) -> Sum:
    return minus(constant(1), condition)


def _above(a: Sum, b: Sum) -> Sum:
    """1 where a > b."""
    return apply("step", minus(a, b))


def _equal(a: Sum, b: Sum) -> Sum:
    return _not(plus(_above(a, b), _above(b, a)))


_INDICES: dict[str, Callable[[TensorIndex, TensorIndex], Sum]] = {
    "=": lambda i, j: single(Delta((i, j))),
    "≠": lambda i, j: _not(single(Delta((i, j)))),
    "<": lambda i, j: single(Below((i, j))),
    ">": lambda i, j: single(Below((j, i))),
    "≤": lambda i, j: _not(single(Below((j, i)))),
    "≥": lambda i, j: _not(single(Below((i, j)))),
}
_VALUES: dict[str, Callable[[Sum, Sum], Sum]] = {
    "=": _equal,
    "≠": lambda a, b: _not(_equal(a, b)),
    ">": _above,
    "<": lambda a, b: _above(b, a),
    "≤": lambda a, b: _not(_above(a, b)),
    "≥": lambda a, b: _not(_above(b, a)),
}
