"""How well a model predicts a text, read as one stream: all tokens count, and no figure depends on a batch size."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from elman.errors import TextError
from elman.inference.mixture import Mixture
from elman.inference.overflow import require_numbers
from elman.inference.predictor import NetworkPredictor, Predictor, stream_log_probs, windows
from elman.model.parameters import Parameters
from elman.notebook_html import block, in_wanted_language, label, table
from elman.text.batches import encode_stream
from elman.text.tokenizer import Tokenizer

Floats = NDArray[np.floating[Any]]
Integers = NDArray[np.integer[Any]]

NETWORK, MIXTURE = "network", "mixture"
"""The names of the network's figures and of a mixture's."""


@dataclass(frozen=True)
class Evaluation:
    """The figures of one text, each with its denominator.

    nats               -ln of the probability of the whole text
    nats_oov           the part of `nats` that comes from OOV tokens (out of vocabulary)
    tokens             predicted tokens, including line ends and OOVs: the denominator of `nats_per_token`
    line_ends          how many of the tokens are line ends (`<eos>` at word level)
    oov                how many of the tokens are OOV
    words              words between white space, plus line ends: the denominator of `perplexity_per_word`
    characters, bytes  of the text, including line ends
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
    def nats_per_known_token(self) -> float:
        """Mean J over the tokens in the vocabulary, NaN without any. (The network also reads the OOVs.)"""
        known = self.tokens - self.oov
        return (self.nats - self.nats_oov) / known if known else math.nan

    @property
    def nats_per_word(self) -> float:
        """The nats of the text for each word and line end, NaN for a text of blanks."""
        return self.nats / self.words if self.words else math.nan

    @property
    def perplexity_including_oov(self) -> float:
        """exp(mean J) over all tokens; infinite where a float cannot hold it."""
        return perplexity(self.nats_per_token)

    @property
    def perplexity_excluding_oov(self) -> float:
        """exp(mean J) over the tokens in the vocabulary, NaN without any."""
        return perplexity(self.nats_per_known_token)

    @in_wanted_language
    def _repr_html_(self) -> str:
        """For notebooks: all figures."""
        figures = ((label(name.replace("_", " ")), value) for name, value in self.as_dict().items())
        return block(label("Evaluation"), table(figures))

    def as_dict(self) -> dict[str, float | int]:
        """All figures, with whole words as keys."""
        bits = self.nats / math.log(2)
        return {
            "perplexity_including_oov": self.perplexity_including_oov,
            "perplexity_excluding_oov": self.perplexity_excluding_oov,
            "perplexity_per_word": perplexity(self.nats_per_word),
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


def perplexity(nats: float) -> float:
    """exp(nats); infinite where a float cannot hold it, NaN for NaN."""
    return math.inf if nats >= 709 else math.exp(nats)


def mean_loss(p: Parameters, tokens: Integers, counted: NDArray[np.bool_] | None = None) -> float:
    """Mean J over tokens[1:], or over those of them that are `counted`; tokens[0] is the token before them."""
    network = NetworkPredictor(p, int(tokens[0]))
    parts = stream_log_probs(network, [tokens[1:]])
    if counted is None:
        return -sum(float(log_probs.sum()) for log_probs in parts) / (len(tokens) - 1)
    return -float(np.concatenate(list(parts))[counted].mean())


def evaluate(predictor: Predictor, tokenizer: Tokenizer, pieces: Iterable[str]) -> Evaluation:
    """The figures of a text that comes in pieces. Raises TextError where it has no tokens."""
    return evaluations({NETWORK: predictor}, tokenizer, pieces)[NETWORK]


def evaluations(
    predictors: Mapping[str, Predictor], tokenizer: Tokenizer, pieces: Iterable[str], mixture: Mixture | None = None
) -> dict[str, Evaluation]:
    """The figures of each predictor on a text that comes in pieces, which is read once.

    mixture: a mixture of just these predictors, whose figures are added under "mixture". Raises TextError where the
    text has no tokens.
    """
    counts = {"line_ends": 0, "oov": 0, "words": 0, "characters": 0, "bytes": 0, "tokens": 0}
    last = ""

    def read() -> Iterator[str]:
        nonlocal last
        in_word = False  # whether the last piece ended inside a word
        for piece in tokenizer.as_read(pieces):
            if not piece:
                continue
            counts["characters"] += len(piece)
            counts["bytes"] += len(tokenizer.bytes_of(piece))
            counts["words"] += len(piece.split()) - (in_word and not piece[0].isspace()) + piece.count("\n")
            in_word = not piece[-1].isspace()
            last = piece[-1]
            yield piece

    def ids_and_oov() -> Iterator[Integers]:
        for part, oov in encode_stream(read(), tokenizer):
            counts["tokens"] += len(part)
            counts["oov"] += int(oov.sum())
            counts["line_ends"] += int((part == tokenizer.eos).sum())
            yield np.stack([part, oov])

    names = [*predictors, *([MIXTURE] if mixture is not None else [])]
    nats, nats_oov = dict.fromkeys(names, 0.0), dict.fromkeys(names, 0.0)
    states = {name: predictor.begin() for name, predictor in predictors.items()}
    with np.errstate(all="ignore"):  # an overflow shows in the sum
        for ids, flags in windows(ids_and_oov()):
            oov, found = flags.astype(bool), []
            for name, predictor in predictors.items():
                log_probs, states[name] = predictor.read(states[name], ids)
                found.append(log_probs)
            if mixture is not None:
                found.append(mixture.of(found))
            for name, log_probs in zip(names, found, strict=True):
                nats[name] -= float(log_probs.sum())
                nats_oov[name] -= float(log_probs[oov].sum())
    if not counts["tokens"]:
        raise TextError("the text is empty: give a text with at least one token")
    require_numbers(list(nats.values()), "the loss of the text")
    if tokenizer.level == "word" and last != "\n":  # the end of the last line was predicted too
        for name in ("words", "characters", "bytes"):
            counts[name] += 1
    return {name: Evaluation(nats=nats[name], nats_oov=nats_oov[name], **counts) for name in names}
