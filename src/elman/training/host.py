"""Training steps on the CPU."""

from __future__ import annotations

import numpy as np

from elman.config import TrainingConfig
from elman.model.bptt import Backward
from elman.model.network import DropoutMasks
from elman.model.parameters import Parameters
from elman.training.optimizer import make_optimizer
from elman.training.problem import Batch, Loss
from elman.training.records import Progress
from elman.training.team import Team, masks_of, share
from elman.training.treatments.omega import omega
from elman.training.update import Arrays, Outcome, clip_and_decide


class HostStep:
    """Steps on the CPU, in one process or as one of a team, which takes each step with the mean of its gradients."""

    def __init__(self, settings: TrainingConfig, p: Parameters, problem: Loss, team: Team) -> None:
        self.settings, self.p, self.problem, self.kernels, self.team = settings, p, problem, p.kernels, team
        self.mine = share(team, settings.B)
        self.optimizer = make_optimizer(settings, p)
        self.generator = np.random.Generator(np.random.PCG64(settings.seed))
        self.begin_again()

    def begin_again(self) -> None:
        """h^(0) = 0."""
        self.h = self.p.initial_state(self.settings.B // self.team.size)

    def take(self, batch: Batch, rate: float, progress: Progress) -> list[Outcome]:
        """Runs a step; its outcome. The state is set to 0 where the step is not taken."""
        with np.errstate(all="ignore"):  # an overflow shows in the norm
            result, regular = self._backward(batch)
            J = float(result.J)
            decision = clip_and_decide(J, result.gradients, progress.mean_norm, self.settings)
        if decision.take:
            self.optimizer.step(self.p, result.gradients, rate, float(decision.scale))
            if self.problem.carries:
                self.h = result.h_T
        else:
            self.begin_again()
        losses, tokens = batch.y.size * self.team.size, len(batch.x) * self.settings.B
        return [Outcome(J, float(decision.norm), bool(decision.clipped), losses, tokens, regular)]

    def settle(self) -> list[Outcome]:
        """Nothing is pending."""
        return []

    def _backward(self, batch: Batch) -> tuple[Backward, float]:
        """The gradients of a batch, those of the regulariser included; and Ω."""
        settings, masks = self.settings, None
        if settings.dropout:
            drawn = DropoutMasks.draw(
                self.p, len(batch.x), settings.B, settings.dropout, self.generator, settings.variational_dropout
            )
            masks = masks_of(drawn, self.mine)
        result = self.problem.backward(self.p, batch, self.h, masks, settings.clip_errors)
        self.team.mean(result)
        if not settings.omega:
            return result, 0.0
        value, dW_h = omega(result.dz, result.dh, self.p.W_h, self.kernels, settings.omega_form)
        result.gradients.W_h += settings.omega * dW_h
        return result, value

    def arrays(self) -> Arrays:
        """h of the whole team, and the optimizer's arrays."""
        return {"h": self.team.whole(self.h), **self.optimizer.arrays()}

    def restore(self, arrays: Arrays, progress: Progress) -> None:
        """Restores the optimizer, and h of the streams that are this process's."""
        self.h = arrays["h"][self.mine]
        self.optimizer.restore(arrays)
