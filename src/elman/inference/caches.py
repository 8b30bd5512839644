"""Predictors that remember what a text has said: words that were used once are likely to be used again.

A cache alone gives most tokens no probability; it is for a mixture with other predictors.

* `UnigramCache`: the share of each token among the last ones (Kuhn and De Mori 1990).
* `ContinuousCache`: the tokens that followed states like this one (Grave, Joulin and Usunier 2017),

      p(w) ∝ Σ_{i: y_i = w} exp(θ g_i · g),

  where g is the state of the network now, and g_i was its state before token y_i. Of a sigmoid network g = 2h - 1, the
  state of the equal tanh network (derivation, section 8): h itself is never negative.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from elman.inference.predictor import NetworkState
from elman.model.network import hidden_states
from elman.model.parameters import Parameters
from elman.representation import short_repr

Floats = NDArray[np.floating[Any]]
Integers = NDArray[np.integer[Any]]

SIZE = 2000
"""The tokens that a cache remembers."""
BLOCK = 256
"""Tokens that are compared with the memory at a time."""


def _earlier(n: int, memory: int, size: int) -> NDArray[np.bool_]:
    """Which of memory + n tokens, oldest first, each of the last n may look back on: [n, memory + n]."""
    place, now = np.arange(memory + n), memory + np.arange(n)[:, None]
    return (place < now) & (place >= now - size)


@dataclass(frozen=True)
class UnigramCache:
    """The share of each token among the last `size` ones; 1/V before the first. V: the number of tokens."""

    V: int
    size: int = SIZE

    __repr__ = short_repr

    def begin(self) -> Integers:
        """No tokens yet."""
        return np.empty(0, np.int64)

    def read(self, state: Integers, ids: Integers | Sequence[int]) -> tuple[Floats, Integers]:
        """ln p of each of `ids` [n], and the last `size` tokens."""
        parts = []
        for start in range(0, len(ids), BLOCK):
            y = np.asarray(ids[start : start + BLOCK], np.int64)
            tokens = np.concatenate([state, y])
            earlier = _earlier(len(y), len(state), self.size)
            parts.append(_ln_share((tokens == y[:, None]) & earlier, earlier, self.V))
            state = tokens[-self.size :]
        return np.concatenate([np.empty(0), *parts]), state

    def after(self, state: Integers, ids: Integers | Sequence[int]) -> Integers:
        """The last `size` tokens after `ids`."""
        return np.concatenate([state, np.asarray(ids, np.int64)])[-self.size :]

    def next(self, state: Integers) -> Floats:
        """ln p of every token, float64 [V]; -∞ for those that are not in the memory."""
        if not len(state):
            return np.full(self.V, -np.log(self.V))
        with np.errstate(divide="ignore"):
            return np.asarray(np.log(np.bincount(state, minlength=self.V) / len(state)))


def _ln_share(hits: Any, all_: Any, V: int) -> Floats:
    """ln of Σ hits / Σ all over the last axis, of weights; 1/V where there are none."""
    total = all_.sum(axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.where(total > 0, np.log(hits.sum(axis=-1) / total), -np.log(V)))


@dataclass(frozen=True)
class Memory:
    """The network's state, and of the last M tokens the token, y [M], and g [M,Dh] of the last layer before it."""

    network: NetworkState
    y: Integers
    g: Floats

    __repr__ = short_repr

    def last(self, size: int) -> Memory:
        """With only the last `size` tokens."""
        return Memory(self.network, self.y[-size:], self.g[-size:])


@dataclass(frozen=True)
class ContinuousCache:
    """The tokens that followed states like this one. p, eos: the network; theta: θ, how much likeness counts."""

    p: Parameters
    eos: int
    theta: float = 0.15
    size: int = SIZE

    __repr__ = short_repr

    @property
    def V(self) -> int:
        """The number of tokens."""
        return self.p.V

    def begin(self) -> Memory:
        """The state after a line end, with an empty memory."""
        network = NetworkState(self.p.initial_state(1), self.eos)
        return Memory(network, np.empty(0, np.int64), np.empty((0, self.p.Dh)))

    def read(self, state: Memory, ids: Integers | Sequence[int]) -> tuple[Floats, Memory]:
        """ln p of each of `ids` [n], and the memory after them."""
        parts = []
        for start in range(0, len(ids), BLOCK):
            y = np.asarray(ids[start : start + BLOCK], np.int64)
            earlier = _earlier(len(y), len(state.y), self.size)
            now, longer = self._remembered(state, y)
            weight = self._weights(now, longer.g, earlier)
            parts.append(_ln_share(np.where(longer.y == y[:, None], weight, 0), weight, self.V))
            state = longer.last(self.size)
        return np.concatenate([np.empty(0), *parts]), state

    def after(self, state: Memory, ids: Integers | Sequence[int]) -> Memory:
        """The memory after `ids`."""
        for start in range(0, len(ids), BLOCK):
            y = np.asarray(ids[start : start + BLOCK], np.int64)
            state = self._remembered(state, y)[1].last(self.size)
        return state

    def next(self, state: Memory) -> Floats:
        """ln p of every token, float64 [V]; -∞ for those that are not in the memory."""
        if not len(state.y):
            return np.full(self.V, -np.log(self.V))
        now, _ = self._states(state.network, np.array([state.network.last]))
        weight = self._weights(now, state.g, np.ones((1, len(state.y)), bool))[0]
        with np.errstate(divide="ignore"):
            return np.asarray(np.log(np.bincount(state.y, weight, self.V) / weight.sum()))

    def _remembered(self, state: Memory, y: Integers) -> tuple[Floats, Memory]:
        """g before each of y [n], [n,Dh]; and the memory with all of them, however many that are."""
        now, network = self._states(state.network, y)
        return now, Memory(network, np.concatenate([state.y, y]), np.concatenate([state.g, now]))

    def _states(self, state: NetworkState, y: Integers) -> tuple[Floats, NetworkState]:
        """g before each of y [n], [n,Dh], and the network's state after them."""
        x = np.concatenate([[state.last], y[:-1]])
        forward = hidden_states(self.p, x[:, None], state.h)
        g = np.asarray(forward.h[1:, 0], np.float64)
        return 2 * g - 1 if self.p.activation == "sigmoid" else g, NetworkState(forward.h_T, int(y[-1]))

    def _weights(self, now: Floats, g: Floats, earlier: NDArray[np.bool_]) -> Floats:
        """exp(θ g_i · g), relative to the largest, of the tokens that are remembered, [n,M]; 0 of the others."""
        likeness = np.where(earlier, self.theta * self.p.kernels.product(now, g, b_transposed=True), -np.inf)
        largest = likeness.max(axis=-1, keepdims=True, initial=-np.inf)
        with np.errstate(invalid="ignore"):
            return np.where(earlier, np.exp(likeness - largest), 0.0)
