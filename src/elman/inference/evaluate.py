"""How well a model predicts a text: one stream, every token counted, no dependence on a batch size."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from elman.errors import TextError
from elman.model.network import losses
from elman.model.parameters import Parameters
from elman.text.batches import encode_stream
from elman.text.tokenizer import Tokenizer

Floats = NDArray[np.floating[Any]]
Integers = NDArray[np.integer[Any]]

WINDOW = 1024
"""Tokens that go through the network in one call; the state is carried, so the figures do not depend on it."""


@dataclass(frozen=True)
class Evaluation:
    """The figures of one text, each with its denominator.

    nats             the whole text's -ln probability
    tokens           predicted tokens, line ends and OOVs counted: the denominator of `nats_per_token`
    line_ends        how many of them are line ends (`<eos>` at word level)
    oov              how many were not in the vocabulary; nats_oov is their share of `nats`
    words            white-space words of the text and its line ends: the denominator of `perplexity_per_word`
    characters, bytes  of the text itself, line ends counted
    """

    nats: float
    nats_oov: float
    tokens: int
    line_ends: int
    oov: int
    words: int
    characters: int
    bytes: int

    @property
    def nats_per_token(self) -> float:
        """Mean cross-entropy J."""
        return self.nats / self.tokens

    @property
    def perplexity_including_oov(self) -> float:
        """exp(mean J) over every token."""
        return _exp(self.nats_per_token)

    @property
    def perplexity_excluding_oov(self) -> float:
        """exp(mean J) over the tokens that are in the vocabulary (which still see the OOVs before them)."""
        known = self.tokens - self.oov
        return _exp((self.nats - self.nats_oov) / known) if known else math.nan

    def as_dict(self) -> dict[str, float | int]:
        """Every figure, under the whole words of its name."""
        bits = self.nats / math.log(2)
        return {
            "perplexity_including_oov": self.perplexity_including_oov,
            "perplexity_excluding_oov": self.perplexity_excluding_oov,
            "perplexity_per_word": _exp(self.nats / self.words),
            "nats_per_token": self.nats_per_token,
            "bits_per_token": bits / self.tokens,
            "bits_per_character": bits / self.characters,
            "bits_per_byte": bits / self.bytes,
            "nats": self.nats,
            "tokens": self.tokens,
            "line_ends": self.line_ends,
            "oov": self.oov,
            "words": self.words,
            "characters": self.characters,
            "bytes": self.bytes,
        }


def _exp(nats: float) -> float:
    return math.exp(nats) if nats < 709 else math.inf


def stream_losses(p: Parameters, tokens: Iterable[Integers], first: int) -> Iterator[Floats]:
    """J, float64, of every token of a stream that comes in parts, each part after the one before it.

    `first` is the token that stands before the stream (the line end).
    """
    h = p.initial_state(1)
    before = first
    for part in tokens:
        for start in range(0, len(part), WINDOW):
            y = part[start : start + WINDOW].astype(np.int64)
            x = np.concatenate([[before], y[:-1]])
            J, h = losses(p, x[:, None], y[:, None], h)
            before = int(y[-1])
            yield J[:, 0]


def mean_loss(p: Parameters, tokens: Integers) -> float:
    """Mean J over tokens[1:], tokens[0] being what stands before them."""
    nats = sum(float(J.sum()) for J in stream_losses(p, [tokens[1:]], int(tokens[0])))
    return nats / (len(tokens) - 1)


def evaluate(p: Parameters, tokenizer: Tokenizer, pieces: Iterable[str]) -> Evaluation:
    """The figures of a text that comes in pieces. Raises TextError where it holds no token."""
    counted = {"line_ends": 0, "oov": 0, "words": 0, "characters": 0, "bytes": 0, "tokens": 0}
    unknown: list[NDArray[np.bool_]] = []
    last = ""

    def read() -> Iterator[str]:
        nonlocal last
        in_word = False  # whether the piece before ended inside a word
        for piece in pieces:
            if not piece:
                continue
            counted["characters"] += len(piece)
            counted["bytes"] += len(piece.encode())
            counted["words"] += len(piece.split()) - (in_word and not piece[0].isspace()) + piece.count("\n")
            in_word = not piece[-1].isspace()
            last = piece[-1]
            yield piece

    def ids() -> Iterator[Integers]:
        for part, oov in encode_stream(read(), tokenizer):
            if not len(part):
                continue
            unknown.append(oov)
            counted["tokens"] += len(part)
            counted["oov"] += int(oov.sum())
            counted["line_ends"] += int((part == tokenizer.eos).sum())
            yield part

    nats = nats_oov = 0.0
    pending: list[Floats] = []
    for J in stream_losses(p, ids(), tokenizer.eos):
        nats += float(J.sum())
        pending.append(J)
        if sum(map(len, pending)) == len(unknown[0]):  # a whole part is through
            nats_oov += float(np.concatenate(pending)[unknown.pop(0)].sum())
            pending.clear()
    if not counted["tokens"]:
        raise TextError("the text is empty: give a text with at least one token")
    if tokenizer.level == "word" and last != "\n":  # the last line's end was predicted all the same
        for name in ("words", "characters", "bytes"):
            counted[name] += 1
    return Evaluation(nats=nats, nats_oov=nats_oov, **counted)
