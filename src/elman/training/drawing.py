"""What is drawn for a step, by the counts of tokens in the training text and seeded by the step.

`TokenDraw` draws the tokens of a sampled output layer, `WordDropout` those that are read as `<unk>`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from elman.model.output.sampled import Drawn

POWER = 0.75
"""Of the counts: frequent tokens are mostly among the targets already, so rarer ones are drawn more often."""
AT_ONCE = 2**24
"""Tokens of a text that are counted at a time."""


def counts(tokens: NDArray[Any], V: int) -> NDArray[np.int64]:
    """How often each of V tokens occurs in tokens [n], int64 [V]; a part at a time, as they may be in a file."""
    found = np.zeros(V, np.int64)
    for start in range(0, len(tokens), AT_ONCE):
        found += np.bincount(tokens[start : start + AT_ONCE], minlength=V)
    return found


def occurs(tokens: NDArray[Any], V: int) -> NDArray[np.bool_]:
    """Which of V tokens occur in tokens [n], [V]."""
    return counts(tokens, V) > 0


@dataclass(frozen=True)
class TokenDraw:
    """Draws `samples` tokens for each step, with repetitions.

    cumulative [V] of the probabilities q of one draw; log_inclusion [V] = ln π with π = 1 - (1 - q)^samples.
    """

    cumulative: NDArray[np.float64]
    log_inclusion: NDArray[np.float64]
    samples: int
    seed: int

    @classmethod
    def of(cls, tokens: NDArray[Any], V: int, samples: int, seed: int) -> TokenDraw:
        """q of the counts in tokens [n], each one more than it is: every token may be drawn."""
        q = (counts(tokens, V) + 1.0) ** POWER
        q /= q.sum()
        return cls(np.cumsum(q), np.log(-np.expm1(samples * np.log1p(-q))), samples, seed)

    def at(self, epoch: int, window: int) -> Drawn:
        """Those of one step; every call returns the same."""
        uniform = np.random.default_rng([self.seed, 5, epoch, window]).random(self.samples)
        tokens = np.searchsorted(self.cumulative, uniform * self.cumulative[-1], side="right")
        return Drawn(tokens.clip(0, len(self.cumulative) - 1), self.log_inclusion)


@dataclass(frozen=True)
class WordDropout:
    """Reads rare tokens as `<unk>` now and then, so that its probability is learnt from a text without it.

    share [V]: how likely each token is read so, A / (A + n) of one that occurs n times (Kiperwasser and Goldberg 2016);
    unk: the id of `<unk>`; T: the steps of a window, of which the last may have fewer.
    """

    share: NDArray[np.float64]
    unk: int
    T: int
    seed: int

    @classmethod
    def of(cls, tokens: NDArray[Any], V: int, A: float, unk: int, eos: int, T: int, seed: int) -> WordDropout:
        """By the counts in tokens [n]; a line end always stays."""
        share: NDArray[np.float64] = np.float64(A) / (A + counts(tokens, V))
        share[eos] = 0.0
        return cls(share, unk, T, seed)

    def read(self, x: NDArray[Any], y: NDArray[Any], epoch: int, window: int) -> tuple[NDArray[Any], NDArray[Any]]:
        """x and y [T,B] of a window as they are read in an epoch; every call returns the same.

        What y has at the last step of a window, x has at the first of the next: so it is with what is read.
        """
        T, B = y.shape
        before = self._uniform(epoch, window - 1, B)[-1:] if window else np.ones((1, B))
        uniform = np.concatenate([before, self._uniform(epoch, window, B)[:T]])
        both = np.concatenate([x, y[-1:]])
        both[uniform < self.share[both]] = self.unk
        return both[:-1], both[1:]

    def _uniform(self, epoch: int, window: int, B: int) -> NDArray[np.float64]:
        """Numbers from 0 to 1 for the tokens of y, [T,B]."""
        return np.random.default_rng([self.seed, 6, epoch, window]).random((self.T, B))
