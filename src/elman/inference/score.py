"""Log probabilities of sentences, each after the same context, or of the lines of one text.

The sentences of a network are batched by length. `LanguageModel` gives it in float64, whatever the model's precision:
the shape of a batch then changes a score by about 1e-14, so a sentence prints the same digits alone, in a batch, and on
any machine. Other predictors read one sentence after the other.
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
from elman.inference.predictor import WINDOW, NetworkPredictor, NetworkState, Predictor, windows
from elman.model.network import log_probabilities, losses
from elman.model.parameters import Parameters
from elman.representation import short_repr
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

    __repr__ = short_repr

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
    predictor: Predictor,
    tokenizer: Tokenizer,
    sentences: Iterable[str],
    *,
    state: Any,
    eos: bool = True,
    group: int = GROUP,
) -> Iterator[SentenceScore]:
    """Yields one score for each sentence, in order, for any number of sentences.

    state  what the predictor has read before each of them
    eos    the line end after the sentence is predicted too
    group  how many sentences are read before the first score is yielded
    """
    remaining = iter(sentences)
    while sentences_read := list(itertools.islice(remaining, group)):
        distinct = list(dict.fromkeys(sentences_read))  # equal sentences are computed once
        prepared = [prepare(tokenizer, sentence, eos) for sentence in distinct]
        if isinstance(predictor, NetworkPredictor):
            log_probs = _in_batches(predictor, state, [ids for ids, _ in prepared])
        else:
            log_probs = [read(predictor, state, ids)[0] for ids, _ in prepared]
        scored = {
            sentence: SentenceScore(found, *tokens)
            for sentence, found, tokens in zip(distinct, log_probs, prepared, strict=True)
        }
        yield from (scored[sentence] for sentence in sentences_read)


def score_text(
    predictor: Predictor, tokenizer: Tokenizer, lines: Iterable[str], *, state: Any, eos: bool = True
) -> Iterator[SentenceScore]:
    """Yields one score for each line of a text: a line is predicted after all the lines before it.

    state  what the predictor has read before the first line
    eos    the line ends are predicted too; without it they are only read
    """
    for line in lines:
        ids, oov = prepare(tokenizer, line, eos)
        log_probs, state = read(predictor, state, ids)
        if not eos:
            state = predictor.after(state, [tokenizer.eos])
        yield SentenceScore(log_probs, ids, oov)


def read(predictor: Predictor, state: Any, ids: Integers) -> tuple[Floats, Any]:
    """ln p of each of `ids` [n] and the state after them, for any n. Raises ShapeError where one is not a number."""
    parts: list[Floats] = [np.empty(0)]
    with np.errstate(all="ignore"):  # an overflow shows in the result
        for window in windows([ids]):
            log_probs, state = predictor.read(state, window)
            parts.append(log_probs)
    found = np.concatenate(parts)
    require_numbers(found, "the log probability of a sentence")
    return found, state


def _in_batches(network: NetworkPredictor, state: NetworkState, sentences: Sequence[Integers]) -> list[Floats]:
    """ln p of each token of each sentence, all after `state`; sentences of one length are computed together."""
    found: list[Floats] = [np.empty(0)] * len(sentences)
    by_length = sorted(range(len(sentences)), key=lambda k: len(sentences[k]))
    for length, same_length in itertools.groupby(by_length, key=lambda k: len(sentences[k])):
        members = list(same_length)
        step = max(1, BATCH_TOKENS // max(length, 1))
        for start in range(0, len(members), step):
            batch = members[start : start + step]
            log_probs = _score_batch(network.p, state, [sentences[k] for k in batch])
            for k, of_sentence in zip(batch, log_probs, strict=True):
                found[k] = of_sentence
    return found


def _score_batch(p: Parameters, state: NetworkState, batch: Sequence[Integers]) -> list[Floats]:
    """ln p of each token, for sentences of one length n: a list of [n]."""
    y = np.stack(batch, axis=1)  # [n,B]
    n, B = y.shape
    if n == 0:
        return [np.empty(0) for _ in batch]
    log_probs = np.empty((n, B))
    h = np.repeat(state.h, B, axis=0)
    begin = 0
    if state.last is None:  # the first token is predicted from h itself
        log_probs[0] = log_probabilities(p, h)[np.arange(B), y[0]]
        begin = 1
    x = np.concatenate([np.full((1, B), -1 if state.last is None else state.last), y[:-1]])
    for start in range(begin, n, WINDOW):
        with np.errstate(all="ignore"):  # an overflow shows in the result
            J, h = losses(p, x[start : start + WINDOW], y[start : start + WINDOW], h)
        log_probs[start : start + WINDOW] = -J
    require_numbers(log_probs, "the log probability of a sentence")
    return list(np.ascontiguousarray(log_probs.T))


@dataclass(frozen=True)
class State:
    """What a model has read so far: the state of its predictor, and the number of tokens after the line end."""

    read: Any
    length: int = 0

    __repr__ = short_repr
