"""The update of one step: whether it is taken, how far its gradient is scaled down, and what every step reports.

`decide` is the one rule, for numbers of the host and for those of a device. `HostStep` (host.py) and `DeviceStep`
(device.py) run steps by it; they own the optimizer, the carried state, and what dropout masks are drawn from.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from elman.config import TrainingConfig
from elman.kernels import Kernels
from elman.model.parameters import Gradients
from elman.training.optimizer import Optimizer
from elman.training.problem import Batch
from elman.training.records import Progress
from elman.training.treatments import clipping

Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Decision:
    """What is done with a gradient; numbers where the gradient is, on the host or a device.

    take     whether the step is taken: loss and gradient are finite
    norm     of the gradient, before it was scaled
    scale    the factor on the gradient; 0 where the step is not taken
    clipped  whether the gradient was too long, or one of its entries too large
    """

    take: Any
    norm: Any
    scale: Any
    clipped: Any


def decide(
    J: Any, sum_of_squares: Any, entries_clipped: Any, mean_norm: Any, settings: TrainingConfig, xp: ModuleType | Any
) -> Decision:
    """The decision for a step of loss J whose gradient's squares have this sum.

    entries_clipped: whether `clip_elements` changed the gradient. mean_norm: the running mean of the norm before the
    step. xp: the array namespace of the numbers, numpy or torch; on a device nothing waits for it.
    """
    norm = xp.sqrt(sum_of_squares)
    limit = clipping.limit(settings, mean_norm, xp)
    take = xp.isfinite(J) & xp.isfinite(norm)
    too_long = norm > limit
    scale = xp.where(take, xp.where(too_long, limit / norm, 1.0), 0.0)
    return Decision(take, norm, scale, too_long | entries_clipped)


def clip_and_decide(J: Any, gradients: Gradients, mean_norm: Any, settings: TrainingConfig) -> Decision:
    """Clips the entries of the gradients in place, where `settings` say so, and decides about the step."""
    most = settings.clip_elements
    clipped = clipping.clip_elements(gradients, most) if most else False
    return decide(J, gradients.sum_of_squares(), clipped, mean_norm, settings, gradients.kernels.xp)


@dataclass(frozen=True)
class Outcome:
    """The result of a step: J, a mean of `losses` losses on `tokens` tokens; the norm before clipping; Ω."""

    J: float
    norm: float
    clipped: bool
    losses: int
    tokens: int
    omega: float = 0.0

    @property
    def taken(self) -> bool:
        """Whether the weights changed: only where loss and gradients were finite."""
        return math.isfinite(self.J) and math.isfinite(self.norm)


class StepRunner(Protocol):
    """Runs training steps. h [B,Dh] is this process's; `generator` draws the dropout masks, or their seeds."""

    optimizer: Optimizer
    generator: np.random.Generator

    @property
    def h(self) -> Any:
        """The state that the next step begins with."""
        ...

    @property
    def kernels(self) -> Kernels:
        """The kernels that compute the steps."""
        ...

    def take(self, batch: Batch, rate: float, progress: Progress) -> list[Outcome]:
        """Runs a step; the outcomes that have become known, of this step or of earlier ones, in order."""
        ...

    def settle(self) -> list[Outcome]:
        """Waits for all steps; the outcomes that were not yet known."""
        ...

    def begin_again(self) -> None:
        """Sets the state to that before the first token, 0."""
        ...

    def arrays(self) -> Arrays:
        """What a checkpoint needs for an exact resume: h [B,Dh] of all processes, and the optimizer's arrays."""
        ...

    def restore(self, arrays: Arrays, progress: Progress) -> None:
        """Restores what `arrays` returned; outcomes that are not yet known are dropped."""
        ...
