"""What a run learns: the batches of its steps, their loss, and how well it does.

`TextProblem` is a text cut into windows, the state carried on; the synthetic tasks are in tasks.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from elman.inference.evaluate import mean_loss
from elman.model.bptt import Backward, backward
from elman.model.network import DropoutMasks
from elman.model.parameters import Parameters
from elman.text.batches import Streams

Floats = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Batch:
    """x [T,B], int token ids; or [T,B,V], real. y int [T-first,B], or real: losses from step `first` on."""

    x: NDArray[Any]
    y: NDArray[Any]
    first: int = 0


@dataclass(frozen=True)
class Measure:
    """On what was held out: the mean loss in nats, and, of a task, the share of sequences that were wrong."""

    nats: float
    wrong: float | None = None


class Problem(Protocol):
    """What the trainer asks."""

    carries: bool
    """Whether the state of one batch is the start of the next."""

    @property
    def validation_tokens(self) -> int:
        """About how many tokens a measurement reads, in units of what a training step counts."""
        ...

    def __len__(self) -> int:
        """Steps in an epoch."""
        ...

    def batch(self, epoch: int, window: int) -> Batch:
        """What one step learns from; the same each time it is asked for."""
        ...

    def backward(self, p: Parameters, batch: Batch, h_0: Floats, masks: DropoutMasks | None, cut: float) -> Backward:
        """The loss and its gradients."""
        ...

    def measure(self, p: Parameters) -> Measure:
        """How well it does on what was held out."""
        ...

    def solved(self, measure: Measure) -> bool:
        """Whether there is nothing more to learn."""
        ...


class TextProblem:
    """B streams of a text, in windows of T."""

    carries = True

    def __init__(self, train: NDArray[Any], valid: NDArray[Any], B: int, T: int) -> None:
        self.streams, self.valid = Streams(train, B, T), valid

    @property
    def validation_tokens(self) -> int:
        """All of the validation text."""
        return len(self.valid)

    def __len__(self) -> int:
        return len(self.streams)

    def batch(self, epoch: int, window: int) -> Batch:
        """The same windows in every epoch."""
        return Batch(*self.streams.window(window))

    def backward(self, p: Parameters, batch: Batch, h_0: Floats, masks: DropoutMasks | None, cut: float) -> Backward:
        """Cross-entropy of every token."""
        return backward(p, batch.x, batch.y, h_0, masks=masks, cut=cut)

    def measure(self, p: Parameters) -> Measure:
        """The mean loss over the validation text."""
        return Measure(mean_loss(p, self.valid))

    def solved(self, measure: Measure) -> bool:
        """A text is never learnt out."""
        return False
