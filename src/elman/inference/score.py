"""Log probabilities of sentences, batched by length.

Scores are computed in float64, whatever the model's precision. The shape of a batch then changes a score by about
1e-14, so a sentence prints the same digits alone, in a batch, and on any machine.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from elman.inference.overflow import require_numbers
from elman.inference.predictor import WINDOW
from elman.model.network import hidden_states, log_probabilities, losses
from elman.model.parameters import Parameters
from elman.text.tokenizer import Tokenizer

Floats = NDArray[np.floating[Any]]
Integers = NDArray[np.integer[Any]]

GROUP = 1024
"""Sentences that are read and sorted by length together; the output keeps the input's order."""
BATCH_TOKENS = 4096
"""About how many tokens go through the network in one call."""


class TokenScore(NamedTuple):
    """One token of `full_scores`.

    log_prob  log p in the chosen base
    length    the number of tokens: the context and the token itself
    oov       whether it is out of vocabulary
    """

    log_prob: float
    length: int
    oov: bool


@dataclass(frozen=True)
class SentenceScore:
    """The log probability of each token of a sentence: log_probs float64 [n] in nats, tokens and oov [n]."""

    log_probs: Floats
    tokens: Integers
    oov: NDArray[np.bool_]

    def total(self, base: float = math.e) -> float:
        """Σ log p in this base."""
        return math.fsum(self.log_probs) / math.log(base)


def prepare(tokenizer: Tokenizer, sentence: str, eos: bool = True) -> tuple[Integers, NDArray[np.bool_]]:
    """The tokens of a sentence, with the line end if `eos`, and which of them are OOV; both [n]."""
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
    """Yields one score for each sentence, in order, for any number of sentences.

    bos    the network reads a line end before the sentence; without it, it has read nothing
    eos    the line end after the sentence is predicted too
    group  how many sentences are read before the first score is yielded
    """
    p = p.astype("float64")
    remaining = iter(sentences)
    while sentences_read := list(itertools.islice(remaining, group)):
        distinct = list(dict.fromkeys(sentences_read))  # equal sentences are computed once
        prepared = [prepare(tokenizer, sentence, eos) for sentence in distinct]
        scored: dict[str, SentenceScore] = {}
        by_length = sorted(range(len(distinct)), key=lambda k: len(prepared[k][0]))
        for length, same_length in itertools.groupby(by_length, key=lambda k: len(prepared[k][0])):
            members = list(same_length)
            step = max(1, BATCH_TOKENS // max(length, 1))
            for start in range(0, len(members), step):
                batch = members[start : start + step]
                scores = _score_batch(p, tokenizer.eos, [prepared[k][0] for k in batch], bos)
                for k, log_probs in zip(batch, scores, strict=True):
                    scored[distinct[k]] = SentenceScore(log_probs, *prepared[k])
        yield from (scored[sentence] for sentence in sentences_read)


def _score_batch(p: Parameters, eos: int, batch: Sequence[Integers], bos: bool) -> list[Floats]:
    """ln p of each token, for sentences of one length n: a list of [n]."""
    y = np.stack(batch, axis=1)  # [n,B]
    n, B = y.shape
    if n == 0:
        return [np.empty(0) for _ in batch]
    log_probs = np.empty((n, B))
    h = p.initial_state(B)
    begin = 0
    if not bos:  # the first token is predicted from h = 0
        log_probs[0] = log_probabilities(p, h)[np.arange(B), y[0]]
        begin = 1
    x = np.concatenate([np.full((1, B), eos), y[:-1]])
    for start in range(begin, n, WINDOW):
        with np.errstate(all="ignore"):  # an overflow shows in the result
            J, h = losses(p, x[start : start + WINDOW], y[start : start + WINDOW], h)
        log_probs[start : start + WINDOW] = -J
    require_numbers(log_probs, "the log probability of a sentence")
    return list(np.ascontiguousarray(log_probs.T))


@dataclass(frozen=True)
class State:
    """The state of the network after the tokens so far: h [1,Dh] float64, and the number of tokens."""

    h: Floats
    length: int = 0


def begin(p: Parameters, tokenizer: Tokenizer, bos: bool = True) -> State:
    """The state before a sentence: after a line end if `bos`, else after nothing."""
    nothing = State(p.initial_state(1))
    return State(read(p, nothing, [tokenizer.eos]).h) if bos else nothing


def read(p: Parameters, state: State, tokens: Sequence[int] | Integers) -> State:
    """The state after reading these tokens."""
    h = state.h
    ids = np.asarray(tokens, np.int64)[:, None]
    for start in range(0, len(ids), WINDOW):
        h = hidden_states(p, ids[start : start + WINDOW], h).h[-1]
    return State(h, state.length + len(ids))
