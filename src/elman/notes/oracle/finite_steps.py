"""Derivatives within derivatives: the inner one by central differences of order 8, on values that carry a complex step.

A complex step cannot stand within another one. A central difference is linear in the values, so that the step of the
outer derivative passes through it.
"""

from __future__ import annotations

import numpy as np

from elman.calculus.functions import Array
from elman.notes.oracle.evaluation_point import UncheckedError, check_extent

_STEP = 5e-4  # rounding costs 1e-12, and the order 1e-12 of ln at 0.03
_WEIGHTS = np.array([4 / 5, -1 / 5, 4 / 105, -1 / 280])  # of f(x + k h) - f(x - k h), k = 1 … 4
_WEIGHTS_OF_ORDER_6 = np.array([3 / 4, -3 / 20, 1 / 60, 0.0])
_AGREE = 1e-8  # how well the differences of orders 6 and 8 must agree, relative to the derivative …
_ROUNDING = 1e-11  # … and to the values


def with_steps(value: Array) -> Array:
    """A value [m,n], or [k,m,n] with a complex step, with steps of ±h … ±4h in each entry by itself: [8·m·n,k,m,n]."""
    m, n = value.shape[-2:]
    check_extent(8 * m, n)
    entries = np.eye(m * n).reshape(m * n, 1, m, n)
    steps = np.concatenate([_STEP * k * sign * entries for k in (1, 2, 3, 4) for sign in (1, -1)])
    return np.asarray(value + steps)


def differences(values: Array, entries: int) -> Array:
    """The derivatives by each entry, [entries,k,m,n], of `values` at all steps, [8·entries,k,m,n]; 0 where no entry
    was stepped.

    Raises `UncheckedError` where the differences are not exact enough.
    """
    if values.ndim < 4:
        return np.zeros((entries, *values.shape), dtype=values.dtype)
    apart = values.reshape(4, 2, entries, *values.shape[1:])
    apart = (apart[:, 0] - apart[:, 1]) / _STEP
    found: Array = np.tensordot(_WEIGHTS, apart, 1)
    other = np.tensordot(_WEIGHTS_OF_ORDER_6, apart, 1)
    for part in (np.real, np.imag):
        bound = _AGREE * np.abs(part(found)).max(initial=0.0) + _ROUNDING * np.abs(part(values)).max(initial=0.0)
        if np.abs(part(found - other)).max(initial=0.0) > bound:
            raise UncheckedError("the derivative within a derivative changes too fast at the points that were tried")
    return found
