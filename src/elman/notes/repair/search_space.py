"""Where a search for repairs runs: one oracle, one assignment of time steps and indices, and what may be written."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from elman.calculus.expression import Entry, Expression, Index, Product, Symbol
from elman.calculus.functions import Array
from elman.calculus.values.evaluate import combine, evaluate
from elman.errors import FormulaError
from elman.notes.model.page_model import TIME
from elman.notes.oracle.budget import Budget
from elman.notes.oracle.oracle import Oracle


@dataclass(frozen=True)
class SearchSpace:
    """What a search may do, and the values that it sees.

    `letters` are the symbols that may replace another (none: no substitution); `insert` allows one more factor or term,
    at one of the `times`. `frames` are the sums around the current expression, each an index with its range: values
    have a leading axis for each. A search stops once its `budget` is exhausted.
    """

    oracle: Oracle
    indices: dict[str, int]
    budget: Budget
    letters: tuple[Symbol, ...] = ()
    insert: bool = False
    times: tuple[Index, ...] = ()
    frames: tuple[tuple[str, range], ...] = ()

    def at_times(self) -> Iterator[Symbol | Entry]:
        """Every letter, at each time step of the formula and the steps beside it."""
        for letter in self.letters:
            if letter.time is None:
                yield from self.as_written(letter)
                continue
            for time in self.times or (letter.time,):
                yield replace(letter, time=time)

    def as_written(self, letter: Symbol) -> Iterator[Symbol | Entry]:
        """A letter as a formula writes it: of columns u_1 … u_K, u_k for each current index k."""
        if letter.name not in self.oracle.model.families:
            yield letter
            return
        for i in [*self.index_letters(), *(name for name, _ in self.frames)]:
            yield Entry(letter, (Index(i),), column=True)

    def index_letters(self) -> list[str]:
        """The indices at hand that are single letters and no time steps."""
        return [name for name in self.indices if len(name) == 1 and name != TIME]

    def value(self, e: Expression) -> Array | None:
        """The value of `e` [m,n], with a leading axis for every sum around it; None where it has none."""
        self.budget.meter.count(1)
        scope = self.oracle.values.scope
        try:
            with np.errstate(all="ignore"):
                if not self.frames:
                    return np.asarray(evaluate(e, scope(self.indices)))
                ranges = [over for _, over in self.frames]
                names = [name for name, _ in self.frames]
                bound = (dict(zip(names, at, strict=True)) for at in itertools.product(*ranges))
                stacked = np.stack([evaluate(e, scope({**self.indices, **b})) for b in bound])
                return stacked.reshape(*map(len, ranges), *stacked.shape[-2:])
        except (FormulaError, ValueError):
            return None


def combined(a: Array, b: Array, node: Product) -> Array | None:
    """The product of two values, or None where their shapes do not fit."""
    try:
        return combine(a, b, node)
    except FormulaError:
        return None
