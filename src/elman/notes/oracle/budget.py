"""How much work a check may do, counted in operations: the report of a page never depends on the speed of the machine.

One unit is one operand: a value that an oracle looks up for a letter or a derivative while it evaluates an expression,
or one variant of a formula that the search for repairs forms. Large arrays count `ENTRIES` entries as one unit more.
"""

from __future__ import annotations

from dataclasses import dataclass

READING = 40  # what one reading of a section, tried for the shapes of its letters, costs
SMALL_MODEL = 400  # what the model of one claim costs to build
ENTRIES = 4096  # entries of an array that cost about as much time as one operation on a small one


@dataclass(slots=True)
class Meter:
    """Counts the work of one check, over all its oracles and searches."""

    spent: int = 0

    def count(self, units: int) -> None:
        """Adds `units` of work."""
        self.spent += units

    def budget(self, limit: int) -> Budget:
        """A budget of `limit` units from now on."""
        return Budget(self, self.spent + limit, limit)


@dataclass(frozen=True, slots=True)
class Budget:
    """A share of the work of a check, of `limit` units: exhausted once its meter has counted up to `end`."""

    meter: Meter
    end: int
    limit: int

    def is_exhausted(self) -> bool:
        """Whether the work of this budget is used up."""
        return self.meter.spent >= self.end
