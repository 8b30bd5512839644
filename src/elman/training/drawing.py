"""The tokens drawn for a sampled output layer: by their counts in the training text, and seeded by the step."""

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
