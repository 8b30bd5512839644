"""A counterexample to a claim: one point at which both sides have values, and these differ."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from elman.calculus.functions import Array

SHOWN = 12  # entries of a letter that a counterexample shows


@dataclass(frozen=True, slots=True)
class Counterexample:
    """A point at which a claim fails.

    `sizes` are the sizes there by name, `indices` the time steps and indices (entries count from 1), `letters` the
    values of the given letters that the claim depends on, as far as they are small. `left` and `right` are the values
    of the two sides at `entry` (row and column, from 1), where they differ most; where their shapes differ, `entry` is
    None, `left` and `right` are None, and `shapes` says what they are.
    """

    sizes: Mapping[str, int]
    indices: Mapping[str, int]
    letters: Mapping[str, tuple[tuple[float, ...], ...]]
    shapes: tuple[tuple[int, int], tuple[int, int]]
    entry: tuple[int, int] | None = None
    left: float | None = None
    right: float | None = None

    def __str__(self) -> str:
        if self.entry is None:
            (m, n), (p, q) = self.shapes
            return f"the left side is [{m},{n}], the right side [{p},{q}]"
        where = f" in entry ({self.entry[0]},{self.entry[1]})" if self.shapes[0] != (1, 1) else ""
        return f"the left side is {self.left:.4g} and the right side {self.right:.4g}{where}"


def differing(left: Array, right: Array) -> tuple[tuple[int, int] | None, float | None, float | None]:
    """Where two values [m,n] differ most, from 1, and both entries there; None where their shapes differ."""
    if left.shape[-2:] != right.shape[-2:]:
        return None, None, None
    gap = np.abs(left - right)
    i, j = np.unravel_index(int(np.argmax(gap)), gap.shape)
    return (int(i) + 1, int(j) + 1), float(np.real(left[i, j])), float(np.real(right[i, j]))


def as_rows(value: Array) -> tuple[tuple[float, ...], ...]:
    """A value [m,n] as rows of numbers, six digits each."""
    return tuple(tuple(float(f"{x:.6g}") for x in row) for row in np.real(value))
