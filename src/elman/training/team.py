"""The processes that train one run together: each takes a share of the B streams, and all take the same steps.

Data-parallel: every process holds all the weights, computes the gradient of its own streams, and the mean over the
processes is taken before the norm is measured; so N processes of B/N streams each do what one of B streams does, up to
the order of sums. What decides how the run goes on is the first one's clock and validation, and it alone writes.
`Alone` is the one process of the plain path; several are in elman.torch.team.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from elman.model.bptt import Backward
from elman.model.network import DropoutMasks
from elman.training.problem import Batch


class Team(Protocol):
    """What the trainer asks of the processes. Every one must ask the same, in the same order."""

    rank: int
    size: int

    def mean(self, found: Backward) -> None:
        """J and the gradients become their means over the processes, in place."""
        ...

    def agreed(self, *values: float) -> tuple[float, ...]:
        """The first process's values."""
        ...

    def any(self, flag: bool) -> bool:
        """Whether it is so in one of them."""
        ...

    def whole(self, h: NDArray[Any]) -> NDArray[Any]:
        """The states of all streams, [B,Dh], from those of each process's own."""
        ...

    def wait(self) -> None:
        """Until all are here."""
        ...


class Alone:
    """One process."""

    rank, size = 0, 1

    def mean(self, found: Backward) -> None:
        """They are."""

    def agreed(self, *values: float) -> tuple[float, ...]:
        """The values."""
        return values

    def any(self, flag: bool) -> bool:
        """The flag."""
        return flag

    def whole(self, h: NDArray[Any]) -> NDArray[Any]:
        """They are whole."""
        return h

    def wait(self) -> None:
        """Nobody else is awaited."""


ALONE = Alone()


def share(team: Team, B: int) -> slice:
    """Which of B streams are this process's."""
    each = B // team.size
    return slice(team.rank * each, (team.rank + 1) * each)


def part_of(batch: Batch, which: slice) -> Batch:
    """The batch of these streams."""
    if which == slice(0, batch.x.shape[1]):
        return batch
    return Batch(np.ascontiguousarray(batch.x[:, which]), np.ascontiguousarray(batch.y[:, which]), batch.first)


def masks_of(masks: DropoutMasks, which: slice) -> DropoutMasks:
    """The masks of these streams; all are drawn everywhere, so that they do not depend on the number of processes."""
    return DropoutMasks(masks.on_e[:, which], masks.on_h[:, which])
