"""The synthetic tasks of the literature, made anew for every step, and when each counts as solved.

temporal-order  c d … A … f B … e: A or B stands at one step in [T/10, 2T/10) and at one in [5T/10, 6T/10), c to f
                elsewhere; at the end the network says which pair it was, AA, AB, BA or BB. Solved: under 1 % of 10,000
                sequences wrong (Hochreiter and Schmidhuber 1997, task 6a; Pascanu, Mikolov and Bengio 2013).
adding          (value, marker) at every step, values uniform in [0,1), two of them marked, one in the first tenth and
                one in the next four; at the end half the sum of the two. A sequence is wrong if its squared error is
                over 0.04. Solved: under 1 % of 10,000 wrong (the same two papers).
copying         10 symbols of 5, then T blanks, a signal, and then the 10 in their order. A sequence is wrong if one of
                the ten is. Solved: under 1 % of 10,000 wrong (the same; "memorization" there).
xor             bits, every third the exclusive or of the two before it; the network says the next one (Elman 1990).
                Wrong: third bits that are not said. Solved: under 1 %.
anbn            a^n b^n, n from 1 to 10, one after the other; the network says the next letter (Wiles and Elman 1995;
                Rodriguez, Wiles and Elman 1999). From the first b of a string on there is no choice left until the
                next has begun. A sequence is wrong if one of these letters is. Solved: under 1 %.

The network is the one of the notes. Tokens that it reads and tokens that it says are one vocabulary; `adding` reads
real numbers, e = E x with x real, and its answer is the first logit, with (answer - target)² for a loss.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from elman.config import TaskConfig
from elman.kernels import Backend
from elman.model.bptt import Backward, backward, from_step, through_time
from elman.model.network import DropoutMasks, hidden_states, hidden_states_of_reals, log_probabilities
from elman.model.parameters import Parameters
from elman.training.problem import Batch, Measure

Floats = NDArray[np.floating[Any]]
Draw = Callable[[np.random.Generator, int, int], Batch]

HELD_OUT = 10_000
STEPS_IN_EPOCH = 1000
TOLERATED = 0.04
"""The squared error up to which an answer of `adding` is right."""
SOLVED = 0.01
NUMBERS_AT_ONCE = 2**24
"""About as many states stand in memory at once."""
SYMBOLS, COPIED = 5, 10
LONGEST_STRING = 10

VOCABULARY: dict[str, tuple[str, ...]] = {
    "temporal-order": ("A", "B", "c", "d", "e", "f", "AA", "AB", "BA", "BB"),
    "adding": ("value", "marker"),
    "copying": ("1", "2", "3", "4", "5", "blank", "copy"),
    "xor": ("0", "1"),
    "anbn": ("a", "b"),
}
"""The tokens, from id OFFSET on."""
OFFSET = 2
"""Before them stand `<unk>` and `<eos>`, as in every vocabulary of words."""


def _temporal_order(generator: np.random.Generator, T: int, B: int) -> Batch:
    tenth, each = T // 10, np.arange(B)
    x = generator.integers(2, 6, (T, B))
    first, second = generator.integers(0, 2, (2, B))
    x[tenth + generator.integers(0, tenth, B), each] = first
    x[5 * T // 10 + generator.integers(0, tenth, B), each] = second
    return Batch(x, (6 + 2 * first + second)[None], T - 1)


def _adding(generator: np.random.Generator, T: int, B: int) -> Batch:
    tenth, each = T // 10, np.arange(B)
    x = np.zeros((T, B, 2))
    x[..., 0] = generator.uniform(size=(T, B))
    first, second = generator.integers(0, tenth, B), tenth + generator.integers(0, 4 * T // 10, B)
    x[first, each, 1] = x[second, each, 1] = 1
    return Batch(x, ((x[first, each, 0] + x[second, each, 0]) / 2)[None], T - 1)


def _copying(generator: np.random.Generator, T: int, B: int) -> Batch:
    symbols = generator.integers(0, SYMBOLS, (COPIED, B))
    x = np.full((T + 2 * COPIED, B), SYMBOLS)
    x[:COPIED] = symbols
    x[T + COPIED - 1] = SYMBOLS + 1
    return Batch(x, symbols, T + COPIED)


def _xor(generator: np.random.Generator, T: int, B: int) -> Batch:
    bits = generator.integers(0, 2, (T // 3 + 1, 3, B))
    bits[:, 2] = bits[:, 0] ^ bits[:, 1]
    stream = bits.reshape(-1, B)[: T + 1]
    return Batch(stream[:-1], stream[1:])


def _anbn(generator: np.random.Generator, T: int, B: int) -> Batch:
    streams = np.empty((T + 1, B), np.int64)
    for b in range(B):
        letters: list[int] = []
        while len(letters) <= T:
            n = int(generator.integers(1, LONGEST_STRING + 1))
            letters += [0] * n + [1] * n
        streams[:, b] = letters[: T + 1]
    return Batch(streams[:-1], streams[1:])


DRAW: dict[str, Draw] = {
    "temporal-order": _temporal_order, "adding": _adding, "copying": _copying, "xor": _xor, "anbn": _anbn,
}  # fmt: skip


class TaskProblem:
    """A task as a problem to train on. Every batch has one length, drawn between the shortest and the longest."""

    carries = False

    def __init__(self, task: TaskConfig, B: int, seed: int) -> None:
        self.task, self.B, self.seed = task, B, seed

    @property
    def validation_tokens(self) -> int:
        """Those of all the sequences held out."""
        return HELD_OUT * (self.task.shortest + self.task.longest) // 2

    def __len__(self) -> int:
        return STEPS_IN_EPOCH

    def batch(self, epoch: int, window: int) -> Batch:
        """Drawn from the seed and the number of the step."""
        generator = np.random.default_rng([self.seed, 2, epoch, window])
        T = int(generator.integers(self.task.shortest, self.task.longest + 1))
        return self._drawn(generator, T, self.B)

    def backward(
        self, p: Parameters, batch: Batch, h_0: Floats, masks: DropoutMasks | None, kernels: Backend, cut: float
    ) -> Backward:
        """Cross-entropy, or of `adding` the squared error, from the first step on that has a loss."""
        if self.task.name != "adding":
            return backward(p, batch.x, batch.y, h_0, first=batch.first, masks=masks, kernels=kernels, cut=cut)
        forward = hidden_states_of_reals(p, batch.x, h_0, kernels)
        h, B = forward.h[-1], batch.x.shape[1]
        error = h @ p.U[0] + p.b_2[0] - batch.y[0].astype(p.dtype)  # answer - target, [B]
        dtheta = 2 / B * error
        dU, db_2 = np.zeros_like(p.U), np.zeros_like(p.b_2)
        dU[0], db_2[0] = dtheta @ h, dtheta.sum()
        dh = from_step(np.outer(dtheta, p.U[0])[None], len(batch.x))
        return through_time(p, forward, float(np.mean(error**2)), dh, dU, db_2, None, kernels, cut / B)

    def measure(self, p: Parameters) -> Measure:
        """On sequences that are the same at every validation, drawn from the seed."""
        return self.test(p, (self.task.shortest, self.task.longest), HELD_OUT, 3)

    def test(self, p: Parameters, lengths: tuple[int, int], count: int = HELD_OUT, stream: int = 4) -> Measure:
        """On `count` new sequences; the length of each hundred of them or more is drawn anew between the two."""
        nats = wrong = 0.0
        for batch in self._held_out(p, lengths, count, stream):
            with np.errstate(all="ignore"):  # a relu that overflows on a longer sequence is wrong
                J, missed = self._judge(p, batch)
            nats += J * batch.x.shape[1]
            wrong += missed * batch.x.shape[1]
        return Measure(nats / count, wrong / count)

    def solved(self, measure: Measure) -> bool:
        """Under 1 % wrong."""
        return measure.wrong is not None and measure.wrong < SOLVED

    def _held_out(self, p: Parameters, lengths: tuple[int, int], count: int, stream: int) -> Iterator[Batch]:
        generator = np.random.default_rng([self.seed, stream, *lengths])
        at_once = min(count, 500, max(1, NUMBERS_AT_ONCE // (lengths[1] * p.Dh)))
        for start in range(0, count, at_once):
            T = int(generator.integers(lengths[0], lengths[1] + 1))
            yield self._drawn(generator, T, min(at_once, count - start))

    def _drawn(self, generator: np.random.Generator, T: int, B: int) -> Batch:
        """By the ids of the vocabulary; real inputs with a column for each of its tokens."""
        drawn = DRAW[self.task.name](generator, T, B)
        if self.task.name == "adding":
            return replace(drawn, x=np.pad(drawn.x, ((0, 0), (0, 0), (OFFSET, 0))))
        return Batch(drawn.x + OFFSET, drawn.y + OFFSET, drawn.first)

    def _judge(self, p: Parameters, batch: Batch) -> tuple[float, float]:
        """The mean loss, and the share that is wrong."""
        h_0 = p.initial_state(batch.x.shape[1])
        if self.task.name == "adding":
            answer = hidden_states_of_reals(p, batch.x, h_0).h[-1] @ p.U[0] + p.b_2[0]
            squares = (answer - batch.y[0]) ** 2
            return float(squares.mean()), float((squares > TOLERATED).mean())
        h = hidden_states(p, batch.x, h_0).h[1 + batch.first :]
        log_p = log_probabilities(p, h)
        J = -float(np.take_along_axis(log_p, batch.y[..., None], axis=-1).mean(dtype=np.float64))
        right = log_p.argmax(axis=-1) == batch.y
        told = _told(self.task.name, batch)
        if self.task.name == "xor":
            return J, 1 - float(right[told].mean())
        return J, 1 - float((right | ~told).all(axis=0).mean())


def _told(name: str, batch: Batch) -> NDArray[np.bool_]:
    """Which y can be known from what came before, [T-first,B]."""
    told = np.ones(batch.y.shape, bool)
    if name == "xor":
        told[:] = (np.arange(1, len(told) + 1) % 3 == 2)[:, None]
    elif name == "anbn":  # after an a the next may be either; after a b, what comes is known
        told = batch.x == OFFSET + 1
    return told
