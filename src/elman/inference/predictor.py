"""What predicts the next token: the network, an n-gram model, a cache, and mixtures of these, behind one interface.

A predictor reads tokens and says how likely each was. Its state is a value: reading returns a new one and changes
nothing, so a text can be continued from any state, several times.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from elman.model.network import hidden_states, log_probabilities, losses
from elman.model.parameters import Parameters
from elman.representation import short_repr

Floats = NDArray[np.floating[Any]]
Integers = NDArray[np.integer[Any]]

WINDOW = 1024
"""Tokens that are read in one call. The state is carried over, so the figures do not depend on it."""


class Predictor(Protocol):
    """A distribution of the next token, given those before."""

    @property
    def V(self) -> int:
        """The number of tokens."""
        ...

    def begin(self) -> Any:
        """The state after a line end, before a text."""
        ...

    def read(self, state: Any, ids: Integers | Sequence[int]) -> tuple[Floats, Any]:
        """ln p of each of `ids` [n], each given `state` and the ids before it (float64 [n]), and the state after."""
        ...

    def after(self, state: Any, ids: Integers | Sequence[int]) -> Any:
        """The state after `ids`, as `read` returns it, without the work of their probabilities."""
        ...

    def next(self, state: Any) -> Floats:
        """ln p of every token after `state`, float64 [V]."""
        ...


def windows(parts: Iterable[Integers]) -> Iterator[Integers]:
    """A stream that comes in consecutive parts [...,n], in windows of WINDOW tokens; only the last may have fewer.

    The same tokens make the same windows, however the parts divide them, so that no rounding depends on it.
    """
    held: list[Integers] = []
    n = 0  # tokens held
    for part in parts:
        held.append(part)
        n += part.shape[-1]
        if n < WINDOW:
            continue
        tokens = np.concatenate(held, axis=-1)
        whole = n - n % WINDOW
        for start in range(0, whole, WINDOW):
            yield tokens[..., start : start + WINDOW]
        held, n = [tokens[..., whole:]], n - whole
    if n:
        yield np.concatenate(held, axis=-1)


def stream_log_probs(predictor: Predictor, parts: Iterable[Integers]) -> Iterator[Floats]:
    """ln p of each token of a stream that comes in consecutive parts; float64 [n] for each window."""
    state = predictor.begin()
    for window in windows(parts):
        log_probs, state = predictor.read(state, window)
        yield log_probs


@dataclass(frozen=True)
class NetworkState:
    """h [1,Dh] (a state of `Parameters`) before the last token, and that token, which is read with the next ones.

    last: None where nothing was read, not even a line end: the next token is predicted from h itself.
    """

    h: Floats
    last: int | None

    __repr__ = short_repr


@dataclass(frozen=True)
class NetworkPredictor:
    """The recurrent network. p: its parameters; eos: the line end, which is read before a text."""

    p: Parameters
    eos: int

    __repr__ = short_repr

    @property
    def V(self) -> int:
        """The number of tokens."""
        return self.p.V

    def begin(self, bos: bool = True) -> NetworkState:
        """The state after a line end, or, without `bos`, before anything was read."""
        return NetworkState(self.p.initial_state(1), self.eos if bos else None)

    def read(self, state: NetworkState, ids: Integers | Sequence[int]) -> tuple[Floats, NetworkState]:
        """ln p of each of `ids` [n], and the state after them."""
        y = np.asarray(ids, np.int64)
        if not len(y):
            return np.empty(0), state
        if state.last is None:
            first = self.next(state)[y[:1]]
            rest, after = self.read(NetworkState(state.h, int(y[0])), y[1:])
            return np.concatenate([first, rest]), after
        x = np.concatenate([[state.last], y[:-1]])
        J, h = losses(self.p, x[:, None], y[:, None], state.h)
        return -J[:, 0], NetworkState(h, int(y[-1]))

    def after(self, state: NetworkState, ids: Integers | Sequence[int]) -> NetworkState:
        """The state after `ids`, without their probabilities."""
        y = np.asarray(ids, np.int64)
        if not len(y):
            return state
        x = y[:-1] if state.last is None else np.concatenate([[state.last], y[:-1]])
        h = state.h
        for start in range(0, len(x), WINDOW):
            h = hidden_states(self.p, x[start : start + WINDOW, None], h).h_T
        return NetworkState(h, int(y[-1]))

    def next(self, state: NetworkState) -> Floats:
        """ln p of every token, float64 [V]."""
        return self.log_probs_of(self.h_after(state))

    def h_after(self, state: NetworkState) -> Floats:
        """The network's state after the last token too, [1,Dh]."""
        return state.h if state.last is None else hidden_states(self.p, np.array([[state.last]]), state.h).h_T

    def log_probs_of(self, h: Floats) -> Floats:
        """ln p of every token after a state h [1,Dh], float64 [V]."""
        return log_probabilities(self.p, h[0]).astype(np.float64)
