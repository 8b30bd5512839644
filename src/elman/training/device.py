"""Training steps on a device: no operation waits for the device, and on CUDA a step is one graph that is replayed.

Everything that a step reads or changes has a fixed place on the device: weights, moments, h, the window of tokens, the
learning rate, the running mean of the norm. The decision about a step is made there too. The host sends the next
window, and reads the outcome of a step when AHEAD more have been sent.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from elman.config import TrainingConfig
from elman.model.network import DropoutMasks
from elman.model.parameters import Parameters
from elman.training.optimizer import make_optimizer
from elman.training.problem import Batch, Loss
from elman.training.records import Progress
from elman.training.team import ALONE, Team, masks_of, share
from elman.training.treatments import clipping
from elman.training.update import Arrays, Outcome, clip_and_decide

AHEAD = 2
"""Steps that may be under way: so the device does not wait for the host, and --max-time is still kept."""


@dataclass
class _Window:
    """The place of the tokens x and y [T,B] of windows of T steps; on CUDA also the graph of a step on them."""

    x: Tensor
    y: Tensor
    steps: int = 0
    graph: Any = None


@dataclass(frozen=True)
class _Pending:
    """A step whose outcome the host has not read: J, the norm, and whether it was clipped, valid after `done`."""

    result: Tensor
    done: Any
    losses: int


class DeviceStep:
    """Steps on text, on the device of the parameters, whose kernels are TorchKernels.

    The results are those of `HostStep` up to rounding, but dropout masks are drawn on the device, from a seed a step.
    """

    def __init__(self, settings: TrainingConfig, p: Parameters, problem: Loss, team: Team = ALONE) -> None:
        kernels: Any = p.kernels
        self.settings, self.p, self.problem, self.kernels, self.team = settings, p, problem, kernels, team
        self.mine = share(team, settings.B)
        self.optimizer = make_optimizer(settings, p)
        self.generator = np.random.Generator(np.random.PCG64(settings.seed))
        self.masks = torch.Generator(kernels.device)
        self.h: Tensor = p.initial_state(settings.B // team.size)
        self.rate, self.mean_norm, self.taken = (kernels.counter() for _ in range(3))
        self.result = self.rate.new_zeros(3)
        self.windows: dict[int, _Window] = {}
        self.pending: deque[_Pending] = deque()

    @property
    def on_cuda(self) -> bool:
        """Whether the device works while the host goes on."""
        return bool(self.kernels.device.type == "cuda")

    def begin_again(self) -> None:
        """h^(0) = 0."""
        self.h.zero_()

    def take(self, batch: Batch, rate: float, progress: Progress) -> list[Outcome]:
        """Sends a step; the outcome of the one that is AHEAD steps back."""
        with torch.cuda.device_of(self.h):
            window = self.window(len(batch.x))
            window.x.copy_(self._to_send(batch.x), non_blocking=True)
            window.y.copy_(self._to_send(batch.y), non_blocking=True)
            self.rate.fill_(rate)
            if self.settings.dropout:
                self.masks.manual_seed(int(self.generator.integers(2**63)))
            self._run(window)
            self.pending.append(self._started(batch.y.size * self.team.size))
        return self._outcomes(AHEAD)

    def settle(self) -> list[Outcome]:
        """Waits for the device; the outcomes of all steps."""
        return self._outcomes(0)

    def arrays(self) -> Arrays:
        """h of the whole team, and the optimizer's arrays, on the host."""
        return {"h": self.team.whole(self.kernels.host(self.h)), **self.optimizer.arrays()}

    def restore(self, arrays: Arrays, progress: Progress) -> None:
        """Restores them, in place."""
        self.pending.clear()
        self.h.copy_(self.kernels.array(arrays["h"][self.mine]))
        self.optimizer.restore(arrays)
        self.mean_norm.fill_(progress.mean_norm)
        self.taken.fill_(progress.taken_steps)

    def compute(self, window: _Window) -> None:
        """The step: all its tensors exist before it, and no operation needs a number on the host."""
        settings, p, masks = self.settings, self.p, None
        if settings.dropout:
            drawn = DropoutMasks.draw(
                p, len(window.x), settings.B, settings.dropout, self.masks, settings.variational_dropout
            )
            masks = masks_of(drawn, self.mine)
        batch: Any = Batch(window.x, window.y)
        result: Any = self.problem.backward(p, batch, self.h, masks, settings.clip_errors)
        self.team.mean(result)
        decision = clip_and_decide(result.J, result.gradients, self.mean_norm, settings)
        self.optimizer.step(p, result.gradients, self.rate, decision.scale)
        self.h.copy_(torch.where(decision.take, result.h_T if self.problem.carries else 0.0, 0.0))
        mean = clipping.running_mean(self.mean_norm, decision.norm, self.taken, torch)
        self.mean_norm.copy_(torch.where(decision.take, mean, self.mean_norm))
        self.taken += decision.take
        self.result.copy_(torch.stack([result.J, decision.norm, decision.clipped.to(result.J.dtype)]))

    def _run(self, window: _Window) -> None:
        """The first step of a window's size compiles the kernels; the second is captured as a graph and replayed since.

        Nothing is captured with several processes, since their exchange of gradients cannot be.
        """
        window.steps += 1
        if not self.on_cuda or window.steps == 1 or self.team.size > 1:
            self.compute(window)
            return
        if window.graph is None:
            window.graph = torch.cuda.CUDAGraph()
            window.graph.register_generator_state(self.masks)
            with torch.cuda.graph(window.graph):
                self.compute(window)
        window.graph.replay()

    def window(self, T: int) -> _Window:
        """The place on the device of windows of T steps, the same each time."""
        if T not in self.windows:
            x = torch.zeros((T, len(self.h)), dtype=torch.int64, device=self.kernels.device)
            self.windows[T] = _Window(x, torch.zeros_like(x))
        return self.windows[T]

    def _to_send(self, tokens: NDArray[Any]) -> Tensor:
        """A tensor that the device can copy while the host goes on; its memory is kept until then."""
        tensor = torch.from_numpy(np.ascontiguousarray(tokens))
        return tensor.pin_memory() if self.on_cuda else tensor

    def _started(self, losses: int) -> _Pending:
        """The step that was just sent, its result on its way to the host."""
        if not self.on_cuda:
            return _Pending(self.result.clone(), None, losses)
        result = torch.empty_like(self.result, device="cpu", pin_memory=True).copy_(self.result, non_blocking=True)
        done = torch.cuda.Event()
        done.record()
        return _Pending(result, done, losses)

    def _outcomes(self, pending: int) -> list[Outcome]:
        """The outcomes of the steps that were sent, except for the last `pending`."""
        outcomes = []
        while len(self.pending) > pending:
            step = self.pending.popleft()
            if step.done is not None:
                step.done.synchronize()
            J, norm, clipped = step.result.tolist()
            outcomes.append(Outcome(J, norm, bool(clipped), step.losses, step.losses))
        return outcomes
