"""A synthetic task as a problem to train on: new sequences at every step, and when the task counts as solved.

A sequence is wrong

temporal-order  if its answer is;
adding          if its squared error is over 0.04;
copying         if one of the ten symbols is;
anbn            if a letter is that is determined by those before it;

and of xor the third bits count, each by itself. A task is solved when under 1 % of 10,000 sequences that were held
out are wrong (the papers' criterion; they are named in sequences.py).

The network is that of the notes. The tokens it reads and those it predicts are one vocabulary; `adding` reads real
numbers, e = E x with x real, and its answer is the first logit, with (answer - target)² as the loss.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from elman.config import TaskConfig
from elman.model.bptt import Backward, backward_unchecked, from_step, through_time
from elman.model.network import DropoutMasks, hidden_states, hidden_states_of_reals
from elman.model.output.gradients import OutputGradients
from elman.model.parameters import Parameters
from elman.training.problem import Batch, Measure
from elman.training.tasks.sequences import DRAW, OFFSET, predictable

Floats = NDArray[np.floating[Any]]

HELD_OUT = 10_000
"""Sequences of a measurement."""
STEPS_IN_EPOCH = 1000
TOLERATED = 0.04
"""The squared error up to which an answer of `adding` is right."""
SOLVED = 0.01
"""The share of wrong sequences under which a task is solved."""
NUMBERS_AT_ONCE = 2**24
"""About how many numbers the states of a measurement's batch may hold."""


class TaskProblem:
    """A task as a problem to train on; the length of every batch is drawn between the shortest and the longest."""

    carries = False

    def __init__(self, task: TaskConfig, B: int, seed: int) -> None:
        self.task, self.B, self.seed = task, B, seed

    @property
    def validation_tokens(self) -> int:
        """The tokens of all the sequences held out."""
        return HELD_OUT * (self.task.shortest + self.task.longest) // 2

    def __len__(self) -> int:
        return STEPS_IN_EPOCH

    def batch(self, epoch: int, window: int) -> Batch:
        """Drawn from the seed and the number of the step."""
        generator = np.random.default_rng([self.seed, 2, epoch, window])
        T = int(generator.integers(self.task.shortest, self.task.longest + 1))
        return self.draw(generator, T, self.B)

    def backward(self, p: Parameters, batch: Batch, h_0: Floats, masks: DropoutMasks | None, cut: float) -> Backward:
        """Cross-entropy, or the squared error for `adding`, from step `batch.first` on; and its gradients."""
        if self.task.name != "adding":
            return backward_unchecked(p, batch.x, batch.y, h_0, batch.first, masks, cut)
        forward = hidden_states_of_reals(p, batch.x, h_0)
        h, B = forward.h_out[-1], batch.x.shape[1]
        error = h @ p.U[0] + p.b_2[0] - batch.y[0].astype(p.dtype)  # answer - target, [B]
        dtheta = 2 / B * error
        dU, db_2 = np.zeros_like(p.U), np.zeros_like(p.b_2)
        dU[0], db_2[0] = dtheta @ h, dtheta.sum()
        dh = from_step(p, np.outer(dtheta, p.U[0])[None], len(batch.x))
        return through_time(p, forward, float(np.mean(error**2)), dh, OutputGradients(dU, db_2), cut / B)

    def measure(self, p: Parameters) -> Measure:
        """The same sequences at every validation, drawn from the seed."""
        return self.test(p, (self.task.shortest, self.task.longest), HELD_OUT, 3)

    def test(self, p: Parameters, lengths: tuple[int, int], count: int = HELD_OUT, stream: int = 4) -> Measure:
        """Measures on `count` new sequences; every batch of them has a length drawn between the two."""
        nats = wrong = 0.0
        for batch in self._held_out(p, lengths, count, stream):
            with np.errstate(all="ignore"):  # where a relu overflows on a long sequence, its answer is wrong
                J, missed = self._judge(p, batch)
            nats += J * batch.x.shape[1]
            wrong += missed * batch.x.shape[1]
        return Measure(nats / count, wrong / count)

    def solved(self, measure: Measure) -> bool:
        """Whether under 1 % of the sequences are wrong."""
        return measure.wrong is not None and measure.wrong < SOLVED

    def _held_out(self, p: Parameters, lengths: tuple[int, int], count: int, stream: int) -> Iterator[Batch]:
        generator = np.random.default_rng([self.seed, stream, *lengths])
        at_once = min(count, 500, max(1, NUMBERS_AT_ONCE // (lengths[1] * p.Dh)))
        for start in range(0, count, at_once):
            T = int(generator.integers(lengths[0], lengths[1] + 1))
            yield self.draw(generator, T, min(at_once, count - start))

    def draw(self, generator: np.random.Generator, T: int, B: int) -> Batch:
        """B sequences with the ids of the vocabulary; real inputs get a column for each of its tokens."""
        drawn = DRAW[self.task.name](generator, T, B)
        if self.task.name == "adding":
            return replace(drawn, x=np.pad(drawn.x, ((0, 0), (0, 0), (OFFSET, 0))))
        return Batch(drawn.x + OFFSET, drawn.y + OFFSET, drawn.first)

    def _judge(self, p: Parameters, batch: Batch) -> tuple[float, float]:
        """The mean loss, and the share of sequences that are wrong."""
        h_0 = p.initial_state(batch.x.shape[1])
        if self.task.name == "adding":
            answer = hidden_states_of_reals(p, batch.x, h_0).h_out[-1] @ p.U[0] + p.b_2[0]
            squares = (answer - batch.y[0]) ** 2
            return float(squares.mean()), float((squares > TOLERATED).mean())
        h = hidden_states(p, batch.x, h_0).h_out[batch.first :]
        log_p = p.output.log_probabilities(h)
        J = -float(np.take_along_axis(log_p, batch.y[..., None], axis=-1).mean(dtype=np.float64))
        right = log_p.argmax(axis=-1) == batch.y
        known = predictable(self.task.name, batch)
        if self.task.name == "xor":
            return J, 1 - float(right[known].mean())
        return J, 1 - float((right | ~known).all(axis=0).mean())
