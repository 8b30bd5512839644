"""One training step: the gradients of a batch, clipping, and the update; or, where they are not finite, nothing.

`HostStep` is that on the CPU, `device_step.DeviceStep` on a GPU, which tells some steps later what came of one. They
alone know the optimizer, the carried state and what dropout masks are drawn from.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from elman.config import TrainingConfig
from elman.kernels import Kernels
from elman.model.bptt import Backward
from elman.model.network import DropoutMasks
from elman.model.parameters import Parameters
from elman.training.optimizer import make_optimizer
from elman.training.problem import Batch, Problem
from elman.training.records import Progress
from elman.training.team import Team, masks_of, share
from elman.training.treatments import clipping
from elman.training.treatments.omega import omega

Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Outcome:
    """What came of a step on T x B tokens: J over `losses` of them, the norm before it was clipped, whether it was."""

    J: float
    norm: float
    clipped: bool
    losses: int
    tokens: int
    omega: float = 0.0

    @property
    def taken(self) -> bool:
        """Whether the weights moved: only where loss and gradients were finite."""
        return math.isfinite(self.J) and math.isfinite(self.norm)


class Step(Protocol):
    """What the trainer asks. h [B,Dh] is this process's; `generator` draws the dropout masks, or seeds what does."""

    generator: np.random.Generator

    @property
    def h(self) -> Any:
        """The state that the next step begins with."""
        ...

    @property
    def kernels(self) -> Kernels:
        """The kernels that compute it."""
        ...

    def take(self, batch: Batch, rate: float, progress: Progress) -> list[Outcome]:
        """Takes a step; what came of it and of steps before that were not told yet, so far as it is known."""
        ...

    def settle(self) -> list[Outcome]:
        """What came of all the steps not told yet."""
        ...

    def begin_again(self) -> None:
        """The state is that before the first token."""
        ...

    def arrays(self) -> Arrays:
        """What must be saved to go on exactly: h [B,Dh], and the optimizer's."""
        ...

    def restore(self, arrays: Arrays, progress: Progress) -> None:
        """Takes back what `arrays` gave; what was not told yet is forgotten."""
        ...


class HostStep:
    """On the CPU, alone or as one of a team: the whole team's mean gradient is what the step is taken with."""

    def __init__(self, settings: TrainingConfig, p: Parameters, problem: Problem, team: Team) -> None:
        self.settings, self.p, self.problem, self.kernels, self.team = settings, p, problem, p.kernels, team
        self.mine = share(team, settings.B)
        self.optimizer = make_optimizer(settings, p)
        self.generator = np.random.Generator(np.random.PCG64(settings.seed))
        self.begin_again()

    def begin_again(self) -> None:
        """h^(0) = 0."""
        self.h = self.p.initial_state(self.settings.B // self.team.size)

    def take(self, batch: Batch, rate: float, progress: Progress) -> list[Outcome]:
        """The step, and what came of it."""
        with np.errstate(all="ignore"):  # what overflows is seen in the norm
            found, regular = self._backward(batch)
            J, gradients = float(found.J), found.gradients
            most = self.settings.clip_elements
            over = bool(most) and bool(clipping.clip_elements(gradients, most))
            norm = gradients.norm()
        limit = float(clipping.limit(self.settings, progress.mean_norm))
        losses, tokens = batch.y.size * self.team.size, len(batch.x) * self.settings.B
        outcome = Outcome(J, norm, over or norm > limit, losses, tokens, regular)
        if not outcome.taken:
            self.begin_again()
            return [outcome]
        self.optimizer.step(self.p, gradients, rate, limit / norm if norm > limit else 1.0)
        if self.problem.carries:
            self.h = found.h_T
        return [outcome]

    def settle(self) -> list[Outcome]:
        """All is told."""
        return []

    def _backward(self, batch: Batch) -> tuple[Backward, float]:
        """The gradients of a batch, with those of the regulariser; and Ω."""
        settings, masks = self.settings, None
        if settings.dropout:
            drawn = DropoutMasks.draw(self.p, len(batch.x), settings.B, settings.dropout, self.generator)
            masks = masks_of(drawn, self.mine)
        found = self.problem.backward(self.p, batch, self.h, masks, settings.clip_errors)
        self.team.mean(found)
        if not settings.omega:
            return found, 0.0
        value, dW_h = omega(found.dz, found.dh, self.p.W_h, self.kernels, settings.omega_form)
        found.gradients.W_h += settings.omega * dW_h
        return found, value

    def arrays(self) -> Arrays:
        """h of the whole team."""
        return {"h": self.team.whole(self.h), **self.optimizer.arrays()}

    def restore(self, arrays: Arrays, progress: Progress) -> None:
        """Of h the streams that are this process's."""
        self.h = arrays["h"][self.mine]
        self.optimizer.restore(arrays)
