"""Dynamic evaluation: the network goes on learning from the text that it reads (Mikolov 2010; Krause et al. 2018).

After each window of tokens, whose probabilities are already given, every weight w takes one step,

    w ← w - η g / (r + ε),   and then   w ← w + λ ρ (w_0 - w),   r = √s,   ρ = r / mean(r), at most 1/λ,

with g = ∂J/∂w of the window (J the mean over its tokens), s the mean square of g over a training text, and w_0 the
weights as trained, to which they decay the faster the larger r is (Krause et al., equations 5 to 7). The decay is made
up for every few windows, with 1 - (1 - λ ρ)^n in place of λ ρ after n of them: it reads all weights, and takes as long
as the step. Training text leaves s at 0 where it says nothing; there ε alone divides.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from elman.inference.predictor import NetworkPredictor, NetworkState
from elman.model.bptt import Backward, backward
from elman.model.embedding import Rows
from elman.model.parameters import Gradients, Parameters
from elman.representation import short_repr

Floats = NDArray[np.floating[Any]]
Integers = NDArray[np.integer[Any]]
Arrays = Mapping[str, Floats]

WINDOW = 30
"""Tokens from which one step is taken."""
MEASURED = 500
"""Windows of the training text from which the mean squares are taken."""
AT_ONCE = 2**16
"""Numbers of a weight that are updated at a time, so that they stay in the cache."""


@dataclass(frozen=True)
class Adapted:
    """What was read: the weights now, the network's state, the tokens since the last step with the state before, and
    the number of steps taken.
    """

    p: Parameters
    network: NetworkState
    before: NetworkState
    since: tuple[int, ...]
    steps: int = 0

    __repr__ = short_repr


@dataclass(frozen=True)
class DynamicEvaluation:
    """The network that learns as it reads. Nothing is changed in `p`: the learnt weights are in the states.

    p, eos        the network as trained
    mean_squares  s of each weight, from `mean_squares`
    rate, decay   η and λ
    epsilon       ε, as a multiple of the mean of r of each weight
    window        tokens from which a step is taken
    decayed_every the windows after which the decay is made up for
    """

    p: Parameters
    eos: int
    mean_squares: Arrays
    rate: float = 3e-4
    decay: float = 0.002
    epsilon: float = 2.0
    window: int = WINDOW
    decayed_every: int = 10

    __repr__ = short_repr

    @property
    def V(self) -> int:
        """The number of tokens."""
        return self.p.V

    def begin(self) -> Adapted:
        """The state after a line end, with the weights as trained."""
        network = NetworkPredictor(self.p, self.eos).begin()
        return Adapted(self.p, network, network, ())

    def read(self, state: Adapted, ids: Integers | Sequence[int]) -> tuple[Floats, Adapted]:
        """ln p of each of `ids` [n], and the state after them, with the weights that were learnt on the way."""
        y = np.asarray(ids, np.int64)
        parts: list[Floats] = [np.empty(0)]
        at = 0
        owned = False  # whether the weights are a copy of this call's own
        while at < len(y):
            some = y[at : at + self.window - len(state.since)]
            at += len(some)
            since, p = (*state.since, *some.tolist()), state.p
            if len(since) < self.window:
                log_probs, network = NetworkPredictor(p, self.eos).read(state.network, some)
                state = Adapted(p, network, state.before, since, state.steps)
            else:
                found = _gradients(p, state.before, np.array(since))
                assert found.losses is not None  # it is the loss of tokens
                log_probs = -p.kernels.host(found.losses)[-len(some) :].astype(np.float64)
                if not owned:
                    p, owned = _copy(p), True
                self._learn(p, found.gradients, state.steps + 1)
                network = NetworkState(found.h_T, since[-1])
                state = Adapted(p, network, network, (), state.steps + 1)
            parts.append(log_probs)
        return np.concatenate(parts), state

    def after(self, state: Adapted, ids: Integers | Sequence[int]) -> Adapted:
        """The state after `ids`: learning from them gives their probabilities too."""
        return self.read(state, ids)[1]

    def next(self, state: Adapted) -> Floats:
        """ln p of every token, float64 [V]."""
        return NetworkPredictor(state.p, self.eos).next(state.network)

    @cached_property
    def _of_each_step(self) -> Mapping[str, tuple[Floats, Floats]]:
        """η / (r + ε), and the share of w_0 - w that is made up for at a time, of each weight: always the same."""
        found = {}
        for name, w in self.p.distinct():
            r = np.sqrt(self.mean_squares[name])
            mean = float(r.mean()) or 1.0
            pull = 1 - (1 - np.minimum(self.decay * r / mean, 1.0)) ** self.decayed_every
            found[name] = (self.rate / (r + self.epsilon * mean)).astype(w.dtype), pull.astype(w.dtype)
        return found

    def _learn(self, p: Parameters, gradients: Gradients, step: int) -> None:
        """One step of the weights, in place; the first one is step 1."""
        weights, trained = dict(p.distinct()), dict(self.p.distinct())
        for name, g in gradients.distinct():
            w, w_0 = weights[name], trained[name]
            rate, pull = self._of_each_step[name]
            if isinstance(g, Rows):
                w[g.index] -= rate[g.index] * g.values
            for at in _blocks(w):
                if not isinstance(g, Rows):
                    w[at] -= rate[at] * g[at]
                if step % self.decayed_every == 0:
                    w[at] += pull[at] * (w_0[at] - w[at])


def _blocks(w: Floats) -> list[slice]:
    """The rows of w, in blocks of about AT_ONCE numbers."""
    rows = max(1, AT_ONCE // max(1, w[:1].size))
    return [slice(start, start + rows) for start in range(0, len(w), rows)]


def mean_squares(p: Parameters, eos: int, tokens: Integers, window: int = WINDOW, most: int = MEASURED) -> Arrays:
    """s, the mean of g² of each weight over windows of a training text, `most` of them spread over it.

    Of tied weights it is that of U. With fewer tokens than a window every s is 0.
    """
    sums = {name: np.zeros(w.shape) for name, w in p.distinct()}
    starts = range(0, len(tokens) - window + 1, max(window, (len(tokens) - window) // most or 1))
    for start in starts:
        last = int(tokens[start - 1]) if start else eos
        state = NetworkState(p.initial_state(1), last)
        found = _gradients(p, state, np.asarray(tokens[start : start + window], np.int64))
        for name, g in found.gradients.distinct():
            if isinstance(g, Rows):
                sums[name][g.index] += g.values.astype(np.float64) ** 2
            else:
                sums[name] += g.astype(np.float64) ** 2
    return {name: (total / max(len(starts), 1)).astype(p.dtype) for name, total in sums.items()}


def _gradients(p: Parameters, before: NetworkState, y: Integers) -> Backward:
    """The gradients of the mean J of y [n], after `before`, and J of each."""
    x = np.concatenate([[before.last], y[:-1]])
    return backward(p, x[:, None], y[:, None], before.h)


def _copy(p: Parameters) -> Parameters:
    return p.with_arrays({name: w.copy() for name, w in p.distinct()})
