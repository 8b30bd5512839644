"""The cheapest reading that fits: a best-first search over choices, directed by the conflicts.

A reading chooses an option for each variable: what a letter is, how a function is applied, whether a constraint is
given up. The search starts with the cheapest options. Where a reading does not fit, or has a cost of its own, it tries
the other options of those variables that are to blame, cheapest reading first.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

from elman.errors import FormulaError

Result = TypeVar("Result")


class Variable(NamedTuple):
    """What can be chosen: ("letter", "x"), ("function", "phi"), ("constraint", "3"), ("layout", "")."""

    what: str
    name: str


Options = Mapping[Variable, Mapping[str, float]]  # each option of a variable, with its cost
Choices = dict[Variable, str]


@dataclass(frozen=True, slots=True)
class Outcome(Generic[Result]):
    """What one reading gives: a result at a cost of its own, or an error; and the variables that are to blame."""

    blamed: tuple[Variable, ...]
    result: Result | None = None
    cost: float = 0.0
    error: FormulaError | None = None


@dataclass(frozen=True, slots=True)
class Found(Generic[Result]):
    """A reading that fits: the changes from the usual choices, its result, its total cost, and the tries so far."""

    changes: Mapping[Variable, str]
    result: Result
    cost: float
    tries: int


def usual(options: Options) -> Choices:
    """The cheapest option of each variable; of equal ones, the first."""
    return {v: min(costs, key=lambda o: costs[o]) for v, costs in options.items()}


def readings(
    attempt: Callable[[Choices], Outcome[Result]], options: Options, limit: int, known: Choices | None = None
) -> Iterator[Found[Result]]:
    """The readings that fit, cheapest first, until `limit` of them were tried.

    `known` is a reading to fall back on, as changes from the usual one. Raises the error of the usual reading where
    none fits.
    """
    first_choices = usual(options)
    number = itertools.count()
    heap: list[tuple[float, int, int, Choices, Outcome[Result] | None]] = []
    seen: set[frozenset[tuple[Variable, str]]] = set()
    first: FormulaError | None = None

    def price(changes: Choices) -> float:
        return sum(options[v][option] - options[v][first_choices[v]] for v, option in changes.items())

    def push(changes: Choices) -> None:
        key = frozenset(changes.items())
        if key not in seen:
            seen.add(key)
            heapq.heappush(heap, (price(changes), len(changes), next(number), changes, None))

    push({})
    if known:
        push(known)
    tries, fitted = 0, False
    while heap:
        cost, _, _, changes, outcome = heapq.heappop(heap)
        if outcome is not None and outcome.result is not None:
            fitted = True
            yield Found(changes, outcome.result, cost, tries)
            continue
        if tries >= limit and changes != known:
            continue
        tries += 1
        outcome = attempt({**first_choices, **changes})
        first = first or outcome.error
        if outcome.error is None:
            heapq.heappush(heap, (cost + outcome.cost, len(changes), next(number), changes, outcome))
        for variable in outcome.blamed:
            for option in options.get(variable, {}) if variable not in changes else ():
                if option != first_choices[variable]:
                    push({**changes, variable: option})
    if not fitted and first is not None:
        raise first
