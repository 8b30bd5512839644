"""Log probabilities of sentences, batched by length.

Scores are computed in float64 whatever the model's precision: a batch's shape then moves a score by about
1e-14, so that the same sentence prints the same digits alone, in a batch, and on every machine.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from elman.model.network import hidden_states, log_probabilities, losses
from elman.model.parameters import Parameters
from elman.text.tokenizer import Tokenizer

Floats = NDArray[np.floating[Any]]
Integers = NDArray[np.integer[Any]]

GROUP = 1024
"""Sentences that are sorted by length together; the output keeps the input's order."""
BATCH_TOKENS = 4096
"""About so many tokens go through the network at once."""
WINDOW = 1024
"""A longer sentence goes through in windows of so many tokens, the state carried."""


class TokenScore(NamedTuple):
    """One token of `full_scores`: log p in the base asked for, tokens of context and itself, OOV or not."""

    log_prob: float
    length: int
    oov: bool


@dataclass(frozen=True)
class SentenceScore:
    """A sentence's log probability, token by token. log_probs float64 [n] in nats, tokens and oov [n]."""

    log_probs: Floats
    tokens: Integers
    oov: NDArray[np.bool_]

    def total(self, base: float = math.e) -> float:
        """Σ log p in the base given."""
        return math.fsum(self.log_probs) / math.log(base)


def prepare(tokenizer: Tokenizer, sentence: str, eos: bool = True) -> tuple[Integers, NDArray[np.bool_]]:
    """The sentence's tokens, with the line end where `eos`; and which are OOV."""
    ids, oov = tokenizer.encode_with_oov(sentence)
    if eos:
        ids, oov = np.append(ids, tokenizer.eos), np.append(oov, False)
    return ids, oov


def score_sentences(
    p: Parameters,
    tokenizer: Tokenizer,
    sentences: Iterable[str],
    *,
    bos: bool = True,
    eos: bool = True,
    group: int = GROUP,
) -> Iterator[SentenceScore]:
    """One score a sentence, in order, for any number of them.

    bos: the sentence begins a line (the network has seen a line end), else it has seen nothing;
    eos: the line end after it is predicted too; group: so many are read before the first is answered.
    """
    p = p.astype("float64")
    remaining = iter(sentences)
    while read_now := list(itertools.islice(remaining, group)):
        distinct = list(dict.fromkeys(read_now))  # the same hypothesis is computed once
        prepared = [prepare(tokenizer, sentence, eos) for sentence in distinct]
        found: dict[str, SentenceScore] = {}
        by_length = sorted(range(len(distinct)), key=lambda k: len(prepared[k][0]))
        for length, same in itertools.groupby(by_length, key=lambda k: len(prepared[k][0])):
            chosen = list(same)
            step = max(1, BATCH_TOKENS // max(length, 1))
            for start in range(0, len(chosen), step):
                batch = chosen[start : start + step]
                scores = _score_batch(p, tokenizer.eos, [prepared[k][0] for k in batch], bos)
                for k, log_probs in zip(batch, scores, strict=True):
                    found[distinct[k]] = SentenceScore(log_probs, *prepared[k])
        yield from (found[sentence] for sentence in read_now)


def _score_batch(p: Parameters, eos: int, batch: Sequence[Integers], bos: bool) -> list[Floats]:
    """ln p of each token of sentences of one length: a list of [n]."""
    y = np.stack(batch, axis=1)  # [n,B]
    n, B = y.shape
    if n == 0:
        return [np.empty(0) for _ in batch]
    log_probs = np.empty((n, B))
    h = p.initial_state(B)
    begin = 0
    if not bos:  # nothing was read: the first token is predicted from h = 0 itself
        log_probs[0] = log_probabilities(p, h)[np.arange(B), y[0]]
        begin = 1
    x = np.concatenate([np.full((1, B), eos), y[:-1]])
    for start in range(begin, n, WINDOW):
        J, h = losses(p, x[start : start + WINDOW], y[start : start + WINDOW], h)
        log_probs[start : start + WINDOW] = -J
    return list(np.ascontiguousarray(log_probs.T))


@dataclass(frozen=True)
class State:
    """What the network remembers after the tokens so far. h [1,Dh] float64; `length` counts the tokens."""

    h: Floats
    length: int = 0


def begin(p: Parameters, tokenizer: Tokenizer, bos: bool = True) -> State:
    """The state before a sentence: after a line end where `bos`, else of one that has read nothing."""
    nothing = State(p.initial_state(1))
    return State(read(p, nothing, [tokenizer.eos]).h) if bos else nothing


def read(p: Parameters, state: State, tokens: Sequence[int] | Integers) -> State:
    """The state after these tokens too."""
    h = state.h
    ids = np.asarray(tokens, np.int64)[:, None]
    for start in range(0, len(ids), WINDOW):
        h = hidden_states(p, ids[start : start + WINDOW], h).h[-1]
    return State(h, state.length + len(ids))
