"""Derivatives by central differences, for the tests: they share nothing with the complex step and its functions."""

from __future__ import annotations

import numpy as np

from elman.calculus.derive_formula import Derived
from elman.calculus.expression import Symbol
from elman.calculus.values.evaluate import evaluate
from elman.calculus.values.verify import points

Array = np.ndarray  # type: ignore[type-arg]


def differences(found: Derived, step: float = 1e-6) -> tuple[dict[Symbol, Array], Array]:
    """Values at a random point, and ∂f/∂wrt there: [rows, columns of wrt, rows, columns of f]."""
    (point,) = points(found.shapes, set(found.distributions), seed=7, count=1)
    x = point.values[found.wrt]
    slopes = []
    for k in range(x.size):
        move = np.zeros(x.size)
        move[k] = step
        values = [
            evaluate(found.shapes.tree, point.scope({found.wrt: x + sign * move.reshape(x.shape)})) for sign in (1, -1)
        ]
        slopes.append((values[0] - values[1]) / (2 * step))
    return dict(point.values), np.array(slopes).reshape(*x.shape, *slopes[0].shape)


def check_gradient(found: Derived) -> None:
    """The gradient of a number, in the shape of what it is taken by, against central differences."""
    values, slopes = differences(found)
    assert slopes.shape[2:] == (1, 1)
    gradient = found.evaluate({s.name: v for s, v in values.items()})
    assert np.allclose(gradient, slopes[:, :, 0, 0], rtol=1e-5, atol=1e-6)
