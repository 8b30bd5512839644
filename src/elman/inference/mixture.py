"""A mixture of predictors: p = Σ_k w_k p_k, with weights chosen by expectation maximisation on other text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from elman.errors import ConfigError
from elman.inference.predictor import Predictor, stream_log_probs
from elman.representation import short_repr

Floats = NDArray[np.floating[Any]]
Integers = NDArray[np.integer[Any]]

MOST_ROUNDS = 200
ENOUGH = 1e-7
"""Rounds of expectation maximisation end where the mean ln p gains less than this."""


@dataclass(frozen=True)
class Mixture:
    """p = Σ_k w_k p_k at each token. Raises ConfigError for weights that are no distribution, and for unequal V."""

    parts: tuple[Predictor, ...]
    weights: tuple[float, ...]

    __repr__ = short_repr

    def __post_init__(self) -> None:
        if len(self.parts) != len(self.weights) or not self.parts:
            raise ConfigError(
                f"a mixture of {len(self.parts)} predictors needs as many weights, not {len(self.weights)}"
            )
        if not all(0 <= w <= 1 for w in self.weights) or abs(sum(self.weights) - 1) > 1e-6:
            raise ConfigError(f"the weights of a mixture are {list(self.weights)}; they must be 0 to 1 and add to 1")
        sizes = {part.V for part in self.parts}
        if len(sizes) > 1:
            raise ConfigError(
                f"the predictors of a mixture have {', '.join(map(str, sorted(sizes)))} tokens, not as many"
            )

    @property
    def V(self) -> int:
        """The number of tokens."""
        return self.parts[0].V

    def begin(self) -> tuple[Any, ...]:
        """The states of the parts after a line end."""
        return tuple(part.begin() for part in self.parts)

    def read(self, state: tuple[Any, ...], ids: Integers | Sequence[int]) -> tuple[Floats, tuple[Any, ...]]:
        """ln p of each of `ids` [n], and the states of the parts after them."""
        found = [part.read(s, ids) for part, s in zip(self.parts, state, strict=True)]
        return self.of([log_probs for log_probs, _ in found]), tuple(after for _, after in found)

    def after(self, state: tuple[Any, ...], ids: Integers | Sequence[int]) -> tuple[Any, ...]:
        """The states of the parts after `ids`."""
        return tuple(part.after(s, ids) for part, s in zip(self.parts, state, strict=True))

    def next(self, state: tuple[Any, ...]) -> Floats:
        """ln p of every token, float64 [V]."""
        return self.of([part.next(s) for part, s in zip(self.parts, state, strict=True)])

    def of(self, log_probs: Sequence[Floats]) -> Floats:
        """ln p of the mixture, from ln p of each part, arrays of one shape."""
        with np.errstate(divide="ignore"):
            ln_weights = np.log(self.weights)
            weighed = [found.astype(np.float64) + ln_w for found, ln_w in zip(log_probs, ln_weights, strict=True)]
        return np.asarray(np.logaddexp.reduce(weighed, axis=0))


def tuned(parts: Sequence[Predictor], tokens: Integers) -> Mixture:
    """The mixture of these predictors with the weights that make `tokens` [n], a text of its own, likeliest."""
    log_probs = np.stack([np.concatenate(list(stream_log_probs(part, [tokens]))) for part in parts])
    return Mixture(tuple(parts), best_weights(log_probs))


def best_weights(log_probs: Floats) -> tuple[float, ...]:
    """The weights w [K] that maximise the mean of ln Σ_k w_k p_k, from ln p_k [K,n]: expectation maximisation.

    The maximum is the only one, as the objective is concave; each round multiplies w_k by the mean share of part k in
    the mixture's probability, and none lowers the objective.
    """
    K = len(log_probs)
    likelihood = np.exp(log_probs - log_probs.max(axis=0))  # relative to the best part: no underflow
    w, before = np.full(K, 1 / K), -np.inf
    for _ in range(MOST_ROUNDS):
        joint = w[:, None] * likelihood
        total = joint.sum(axis=0)
        now = float(np.log(total).mean())
        w = (joint / total).mean(axis=1)
        if now - before < ENOUGH:
            break
        before = now
    return tuple(float(x) for x in w / w.sum())
