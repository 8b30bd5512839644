"""A training step on a device: nothing in it waits for the device, and on CUDA it is one graph, replayed.

Everything that a step reads or changes has its place on the device: weights, moments, h, the window of tokens, the
learning rate, the running mean of the norm. Whether a gradient was finite, and how far it is scaled down, is decided
there. The host sends the next window and is told what came of a step when that is AHEAD steps back.
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
from elman.model.bptt import backward_unchecked
from elman.model.network import DropoutMasks
from elman.model.parameters import Parameters
from elman.training.host import Arrays, Outcome
from elman.training.optimizer import make_optimizer
from elman.training.problem import Batch
from elman.training.records import Progress
from elman.training.team import ALONE, Team, masks_of, share
from elman.training.treatments import clipping

AHEAD = 2
"""Steps that are sent while the first of them runs: the device need not wait for the host, nor --max-time for it."""


@dataclass
class _Window:
    """Where the tokens x and y [T,B] of windows of T steps are put; and, on CUDA, the step on them as a graph."""

    x: Tensor
    y: Tensor
    steps: int = 0
    graph: Any = None


@dataclass(frozen=True)
class _Sent:
    """A step that was not told yet: J, norm and whether it was clipped, once `done` has come to pass."""

    found: Tensor
    done: Any
    losses: int


class DeviceStep:
    """The steps of a run on text, on the device of the parameters, whose kernels are TorchKernels.

    What comes of them is what `HostStep` does, to rounding; dropout masks are drawn on the device, from a seed a step.
    """

    def __init__(self, settings: TrainingConfig, p: Parameters, team: Team = ALONE) -> None:
        kernels: Any = p.kernels
        self.settings, self.p, self.kernels, self.team = settings, p, kernels, team
        self.mine = share(team, settings.B)
        self.optimizer = make_optimizer(settings, p)
        self.generator = np.random.Generator(np.random.PCG64(settings.seed))
        self.masks = torch.Generator(kernels.device)
        self.h: Tensor = p.initial_state(settings.B // team.size)
        self.rate, self.mean_norm, self.taken = (kernels.counter() for _ in range(3))
        self.found = self.rate.new_zeros(3)
        self.windows: dict[int, _Window] = {}
        self.sent: deque[_Sent] = deque()

    @property
    def on_cuda(self) -> bool:
        """Whether the device works while the host goes on."""
        return bool(self.kernels.device.type == "cuda")

    def begin_again(self) -> None:
        """h^(0) = 0."""
        self.h.zero_()

    def take(self, batch: Batch, rate: float, progress: Progress) -> list[Outcome]:
        """Sends a step; what came of those that are AHEAD steps back."""
        with torch.cuda.device_of(self.h):
            window = self._window(len(batch.x))
            window.x.copy_(self._to_send(batch.x), non_blocking=True)
            window.y.copy_(self._to_send(batch.y), non_blocking=True)
            self.rate.fill_(rate)
            if self.settings.dropout:
                self.masks.manual_seed(int(self.generator.integers(2**63)))
            self._run(window)
            self.sent.append(self._to_tell(batch.y.size * self.team.size))
        return self._told(AHEAD)

    def settle(self) -> list[Outcome]:
        """Waits for the device."""
        return self._told(0)

    def arrays(self) -> Arrays:
        """h of the whole team, and what the optimizer has, on the host."""
        return {"h": self.team.whole(self.kernels.host(self.h)), **self.optimizer.arrays()}

    def restore(self, arrays: Arrays, progress: Progress) -> None:
        """Takes them back, in place."""
        self.sent.clear()
        self.h.copy_(self.kernels.array(arrays["h"][self.mine]))
        self.optimizer.restore(arrays)
        self.mean_norm.fill_(progress.mean_norm)
        self.taken.fill_(progress.taken_steps)

    def compute(self, window: _Window) -> None:
        """The step itself: on tensors that are there before it, and nothing in it asks what a number is."""
        settings, p = self.settings, self.p
        masks, cut = None, settings.clip_errors
        if settings.dropout:
            drawn = DropoutMasks.draw(p, len(window.x), settings.B, settings.dropout, self.masks)
            masks = masks_of(drawn, self.mine)
        found = backward_unchecked(p, window.x, window.y, self.h, 0, masks, cut)
        self.team.mean(found)
        J, gradients = found.J, found.gradients
        over: Any = clipping.clip_elements(gradients, settings.clip_elements) if settings.clip_elements else False
        norm = gradients.sum_of_squares().sqrt()
        limit = clipping.limit(settings, self.mean_norm, torch)
        good, over = J.isfinite() & norm.isfinite(), (norm > limit) | over
        scale = torch.where(good, torch.where(norm > limit, limit / norm, 1.0), 0.0)
        self.optimizer.step(p, gradients, self.rate, scale)
        self.h.copy_(torch.where(good, found.h_T, 0.0))
        mean = clipping.running_mean(self.mean_norm, norm, self.taken, torch)
        self.mean_norm.copy_(torch.where(good, mean, self.mean_norm))
        self.taken += good
        self.found.copy_(torch.stack([J, norm, over.to(J.dtype)]))

    def _run(self, window: _Window) -> None:
        """The first step of a window's size compiles what has to be; the second is captured, and from then replayed.

        But for several processes, whose exchange of gradients is not captured.
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

    def _window(self, T: int) -> _Window:
        if T not in self.windows:
            x = torch.zeros((T, len(self.h)), dtype=torch.int64, device=self.kernels.device)
            self.windows[T] = _Window(x, torch.zeros_like(x))
        return self.windows[T]

    def _to_send(self, tokens: NDArray[Any]) -> Tensor:
        """Where the device can fetch it from while the host goes on; that memory is kept until it has."""
        tensor = torch.from_numpy(np.ascontiguousarray(tokens))
        return tensor.pin_memory() if self.on_cuda else tensor

    def _to_tell(self, losses: int) -> _Sent:
        """What the step found, on its way to the host."""
        if not self.on_cuda:
            return _Sent(self.found.clone(), None, losses)
        found = torch.empty_like(self.found, device="cpu", pin_memory=True).copy_(self.found, non_blocking=True)
        done = torch.cuda.Event()
        done.record()
        return _Sent(found, done, losses)

    def _told(self, fewest: int) -> list[Outcome]:
        """What came of the steps that were sent, but for the last `fewest`."""
        outcomes = []
        while len(self.sent) > fewest:
            step = self.sent.popleft()
            if step.done is not None:
                step.done.synchronize()
            J, norm, over = step.found.tolist()
            outcomes.append(Outcome(J, norm, bool(over), step.losses, step.losses))
        return outcomes
