"""An n-gram model as arrays: each order is one sorted list, and a whole text is scored at once.

An n-gram w_1 … w_n is a pair of the row of w_1 … w_{n-1} in the order below and the word w_n. The rows of an order are
sorted by (context, word), so that a binary search finds an n-gram, and the n-grams of one context are consecutive.

The probability of a word is that of the longest n-gram that the model has, times the backoff weights of the longer
contexts: p(w | c) = p(c w) if the n-gram is there, else backoff(c) p(w | c without its first word).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from elman.errors import ConfigError
from elman.representation import short_repr

Ids = NDArray[np.integer[Any]]
Rows = NDArray[np.int64]
Floats = NDArray[np.floating[Any]]

NOWHERE = -1
"""The row of an n-gram that the model does not have."""


@dataclass(frozen=True)
class Order:
    """The n-grams of one order, sorted by (context, word).

    context   int [M], the row of the first n - 1 words in the order below; 0 for single words
    word      int [M], the last word
    log_prob  float32 [M], ln p(word | context)
    backoff   float32 [M], ln of the weight by which shorter contexts count after this n-gram
    """

    context: Rows
    word: Ids
    log_prob: Floats
    backoff: Floats

    __repr__ = short_repr

    def __len__(self) -> int:
        return len(self.word)

    @cached_property
    def first(self) -> Rows:
        """Of each context c, the row of its first n-gram; those of c end where those of c + 1 begin."""
        contexts = int(self.context[-1]) + 1 if len(self) else 0
        return np.searchsorted(self.context, np.arange(contexts + 1))

    def followers(self, context: int) -> slice:
        """The rows of all n-grams of one context."""
        if not 0 <= context < len(self.first) - 1:
            return slice(0, 0)
        return slice(int(self.first[context]), int(self.first[context + 1]))


@dataclass(frozen=True)
class State:
    """What was read, as far as it counts: the row of the last k words in order k, k = 1 … N - 1, or `NOWHERE`."""

    rows: tuple[int, ...]

    __repr__ = short_repr


class NgramModel:
    """An n-gram model over V tokens, which may be the tokens of a network.

    orders  the n-grams of 1, 2, … N words; the first has the V tokens in order, and V itself, the beginning of a line
    eos     the line end. After it a line begins: nothing before counts
    lines   whether lines begin anew; without it the line end is a token as any other

    Raises ConfigError where the orders do not fit together.
    """

    def __init__(self, orders: Sequence[Order], eos: int, lines: bool = True) -> None:
        self.orders, self.eos, self.lines = list(orders), eos, lines
        if not orders or len(orders[0]) < 2:
            raise ConfigError("an n-gram model needs at least one order with one token")
        self.V = len(orders[0]) - 1
        self._keys = [order.context * (self.V + 1) + order.word for order in self.orders[1:]]

    def __repr__(self) -> str:
        return f"<NgramModel V={self.V} n-grams={'+'.join(str(len(order)) for order in self.orders)}>"

    @property
    def order(self) -> int:
        """N, the most words of an n-gram."""
        return len(self.orders)

    def begin(self) -> State:
        """The state at the beginning of a line, or of a text."""
        if self.order == 1:
            return State(())
        return State((self.V if self.lines else NOWHERE, *[NOWHERE] * (self.order - 2)))

    def read(self, state: State, ids: Ids | Sequence[int]) -> tuple[Floats, State]:
        """ln p of each of `ids` [n] after `state` and those before it, and the state after them."""
        words = np.asarray(ids, np.int64)
        if not len(words):
            return np.empty(0), state
        contexts, found = self._rows(state, words)
        log_probs = np.zeros(len(words))
        open_ = np.ones(len(words), bool)  # the words of which no n-gram has been found yet
        for k in range(self.order - 1, -1, -1):
            rows = found[k]
            hit = open_ & (rows >= 0)
            log_probs[hit] += self.orders[k].log_prob[rows[hit]]
            open_ &= ~hit
            if k:
                weighed = open_ & (contexts[k - 1][:-1] >= 0)
                log_probs[weighed] += self.orders[k - 1].backoff[contexts[k - 1][:-1][weighed]]
        return log_probs, State(tuple(int(rows[-1]) for rows in contexts))

    def after(self, state: State, ids: Ids | Sequence[int]) -> State:
        """The state after `ids`, without their probabilities."""
        words = np.asarray(ids, np.int64)
        return State(tuple(int(rows[-1]) for rows in self._rows(state, words)[0]))

    def _rows(self, state: State, words: Rows) -> tuple[list[Rows], list[Rows]]:
        """The rows of the contexts before each word and after the last, [n+1] for each length 1 … N - 1; and the rows
        of the n-grams that end in each word, [n] for each length 1 … N.
        """
        found = [words]
        contexts: list[Rows] = []
        ends = (words == self.eos) if self.lines else np.zeros(len(words), bool)
        for k in range(self.order - 1):
            after = np.where(ends, self.V if k == 0 else NOWHERE, found[k])
            contexts.append(np.concatenate([[state.rows[k]], after]))
            found.append(self._find(k + 1, contexts[k][:-1], words))
        return contexts, found

    def _find(self, k: int, contexts: Rows, words: Rows) -> Rows:
        """The rows of n-grams in order k + 1, `NOWHERE` for those that are not there."""
        keys = self._keys[k - 1]
        wanted = contexts * (self.V + 1) + words
        at = np.searchsorted(keys, wanted)
        at[at == len(keys)] = 0
        there = (contexts >= 0) & (keys[at] == wanted) if len(keys) else np.zeros(len(words), bool)
        return np.where(there, at, NOWHERE)

    def next(self, state: State) -> Floats:
        """ln p of every token after `state`, float64 [V]."""
        log_probs = self.orders[0].log_prob[: self.V].astype(np.float64)
        for k, row in enumerate(state.rows):
            if row < 0:
                continue
            log_probs += self.orders[k].backoff[row]
            longer = self.orders[k + 1]
            rows = longer.followers(row)
            log_probs[longer.word[rows]] = longer.log_prob[rows]
        return log_probs

    @property
    def nbytes(self) -> int:
        """The memory of its arrays, in bytes."""
        arrays = [a for o in self.orders for a in (o.context, o.word, o.log_prob, o.backoff)]
        return sum(a.nbytes for a in [*arrays, *self._keys])


def log10(ln: Floats | float) -> Any:
    """A natural logarithm as one to base 10, as ARPA files have it."""
    return ln / math.log(10)
