"""The processes that train one run together: each takes a share of the B streams, and all take the same steps.

Training is data-parallel: every process has all the weights and computes the gradient of its own streams, and the mean
over the processes is taken before the norm is computed. So N processes of B/N streams each do what one of B streams
does, up to the order of sums. The clock and the validation of the first process decide how the run goes on, and it
alone writes files. `Alone` is a single process; several are in elman.torch.team.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from elman.model.bptt import Backward
from elman.model.network import DropoutMasks
from elman.training.problem import Batch


class Team(Protocol):
    """What the trainer needs of the processes. All must call the same methods in the same order."""

    rank: int
    size: int

    def mean(self, found: Backward) -> None:
        """J and the gradients become their means over the processes, in place."""
        ...

    def agreed(self, *values: float) -> tuple[float, ...]:
        """The values of the first process."""
        ...

    def any(self, flag: bool) -> bool:
        """Whether the flag is true in at least one process."""
        ...

    def whole(self, h: NDArray[Any]) -> NDArray[Any]:
        """The states of all streams, [B,Dh], from those of each process."""
        ...

    def wait(self) -> None:
        """Waits until all processes have called it."""
        ...


class Alone:
    """One process."""

    rank, size = 0, 1

    def mean(self, found: Backward) -> None:
        """They are their own mean."""

    def agreed(self, *values: float) -> tuple[float, ...]:
        """The values, unchanged."""
        return values

    def any(self, flag: bool) -> bool:
        """The flag, unchanged."""
        return flag

    def whole(self, h: NDArray[Any]) -> NDArray[Any]:
        """The states, unchanged."""
        return h

    def wait(self) -> None:
        """Returns at once."""


ALONE = Alone()


def share(team: Team, B: int) -> slice:
    """The streams, of B, that are this process's."""
    each = B // team.size
    return slice(team.rank * each, (team.rank + 1) * each)


def part_of(batch: Batch, which: slice) -> Batch:
    """The batch of these streams."""
    if which == slice(0, batch.x.shape[1]):
        return batch
    x, y = (np.ascontiguousarray(each[:, which]) for each in (batch.x, batch.y))
    return replace(batch, x=x, y=y)


def masks_of(masks: DropoutMasks, which: slice) -> DropoutMasks:
    """The masks of these streams; all are drawn everywhere, so that they do not depend on the number of processes."""
    return DropoutMasks(masks.on_e[:, which], masks.on_h[:, which], tuple(mask[:, which] for mask in masks.between))
