"""What a run learns: the batches of its steps, their loss, and how well it does.

`TextProblem` is a text cut into windows, the state carried from one to the next; the synthetic tasks are in tasks/.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from elman.inference.evaluate import mean_loss
from elman.kernels.token_ids import check_token_ids
from elman.model.bptt import Backward, backward_unchecked
from elman.model.network import DropoutMasks
from elman.model.output.sampled import Drawn
from elman.model.parameters import Parameters
from elman.text.batches import Streams
from elman.training.drawing import TokenDraw, WordDropout, occurs

Floats = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Batch:
    """x [T,B], int token ids; or [T,B,V], real. y int [T-first,B], or real: losses from step `first` on.

    drawn: tokens for a sampled output layer
    """

    x: NDArray[Any]
    y: NDArray[Any]
    first: int = 0
    drawn: Drawn | None = None

    def require_ids(self, V: int) -> None:
        """Raises ShapeError unless all token ids are under V; the numbers of real inputs may be any."""
        for name, values in (("x", self.x), ("y", self.y)):
            if values.dtype.kind in "iu":
                check_token_ids(name, values, V)


@dataclass(frozen=True)
class Measure:
    """The mean loss on what was held out, in nats; of a task also the share of sequences that were wrong."""

    nats: float
    wrong: float | None = None


class Loss(Protocol):
    """What a step needs of a problem."""

    carries: bool
    """Whether the state after one batch is the start of the next."""

    def backward(self, p: Parameters, batch: Batch, h_0: Floats, masks: DropoutMasks | None, cut: float) -> Backward:
        """The loss of a batch and its gradients, where the parameters are; the batch is known to fit them.

        masks: for dropout. cut: the entries of the error of one token are limited to ±cut in the backward pass; 0: no
        limit.
        """
        ...


class Problem(Loss, Protocol):
    """What the trainer needs of a problem."""

    @property
    def validation_tokens(self) -> int:
        """About how many tokens a measurement reads, counted as a training step counts them."""
        ...

    def __len__(self) -> int:
        """Steps in an epoch."""
        ...

    def batch(self, epoch: int, window: int) -> Batch:
        """The batch of one step; every call returns the same."""
        ...

    def measure(self, p: Parameters) -> Measure:
        """The loss on what was held out."""
        ...

    def solved(self, measure: Measure) -> bool:
        """Whether the problem is solved, so that the run may end."""
        ...


class NextTokenLoss:
    """The loss of a text: the cross-entropy of every next token, with the state carried from window to window."""

    carries = True

    def backward(self, p: Parameters, batch: Batch, h_0: Floats, masks: DropoutMasks | None, cut: float) -> Backward:
        """The mean cross-entropy of the batch, and its gradients."""
        return backward_unchecked(p, batch.x, batch.y, h_0, batch.first, masks, cut, batch.drawn)


class TextProblem(NextTokenLoss):
    """B streams of a text, in windows of T. draw: what draws the tokens of a sampled output layer; dropout: of words.

    counted  the tokens of valid[1:] that the text has too, or that are read in it; None where that is all of them, or
             none. No step can teach the probability of any other, such as <unk> where the vocabulary has every word
             and none is read as <unk>: it falls as the network learns, and would end the training too soon.
    """

    def __init__(
        self, train: NDArray[Any], valid: NDArray[Any], B: int, T: int, draw: TokenDraw | None = None,
        dropout: WordDropout | None = None,
    ) -> None:  # fmt: skip
        self.streams, self.valid, self.draw, self.dropout = Streams(train, B, T), valid, draw, dropout
        known = occurs(train, int(max(train.max(), valid.max())) + 1)
        if dropout:
            known[dropout.unk] = True
        counted = known[valid[1:]]
        self.counted = counted if counted.any() and not counted.all() else None

    @property
    def validation_tokens(self) -> int:
        """The length of the validation text."""
        return len(self.valid)

    def __len__(self) -> int:
        return len(self.streams)

    def batch(self, epoch: int, window: int) -> Batch:
        """The same windows in every epoch; the tokens that are drawn, and those that are read as <unk>, differ."""
        drawn = self.draw.at(epoch, window) if self.draw else None
        x, y = self.streams.window(window)
        if self.dropout:
            x, y = self.dropout.read(x, y, epoch, window)
        return Batch(x, y, drawn=drawn)

    def measure(self, p: Parameters) -> Measure:
        """The mean loss over the validation text, of the tokens that are counted."""
        return Measure(mean_loss(p, self.valid, self.counted))

    def solved(self, measure: Measure) -> bool:
        """A text is never solved."""
        return False
