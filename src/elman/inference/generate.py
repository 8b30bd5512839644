"""Text sampled from a model, one token after the other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from elman.arguments import WHOLE_FROM_0, require, several
from elman.errors import ConfigError
from elman.inference.distributions import step
from elman.inference.overflow import require_numbers
from elman.inference.predictor import NetworkPredictor, Predictor
from elman.inference.stops import StopSearch
from elman.kernels.protocol import Sampler
from elman.model.parameters import Parameters
from elman.schema import Range, in_words
from elman.text.tokenizer import Tokenizer

Floats = NDArray[np.floating[Any]]


BLOCK = 32
"""The most tokens that one call of a native kernel draws."""


@dataclass(frozen=True)
class Sampling:
    """How the next token is drawn.

    max_tokens          the most tokens to draw, without the prompt
    temperature         t: p becomes p^(1/t); 0 picks the likeliest token
    top_k               draw among the k likeliest tokens; 0: among all (Fan et al. 2018)
    top_p               draw among the likeliest tokens whose probabilities reach this sum; 1: among all (Holtzman et
                        al. 2020)
    stop                end before the first of these texts; one text may be given by itself
    unknown             whether `<unk>` may be drawn
    min_p               draw among the tokens that have at least this share of the likeliest one's probability; 0: among
                        all (Nguyen et al. 2024)
    repetition_penalty  r: p of a token of the prompt or drawn before becomes p^r; 1: none. Keskar et al. (2019) divide
                        the logit by r; of ln p, which is never positive and has no arbitrary offset, that is a product

    Raises ConfigError for a value out of range.
    """

    max_tokens: int = 100
    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    stop: str | Sequence[str] = ()
    unknown: bool = False
    min_p: float = 0.0
    repetition_penalty: float = 1.0

    def __post_init__(self) -> None:
        if isinstance(self.stop, str):
            object.__setattr__(self, "stop", (self.stop,))
        require("max-tokens", self.max_tokens, int, WHOLE_FROM_0)
        require("temperature", self.temperature, float, TEMPERATURE)
        require("top-k", self.top_k, int, WHOLE_FROM_0)
        require("top-p", self.top_p, float, SHARE)
        require("min-p", self.min_p, float, SHARE_OF_BEST)
        require("repetition-penalty", self.repetition_penalty, float, PENALTY)
        for text in several("stop", self.stop):
            if not isinstance(text, str) or not text:
                raise ConfigError(f"stop has {in_words(text)}; it must be texts that are not empty")


TEMPERATURE = Range("at least 0 and finite", 0, without_high=True)
SHARE = Range("over 0 and at most 1", 0, 1, without_low=True)
SHARE_OF_BEST = Range("from 0 to 1", 0, 1)
PENALTY = Range("at least 1 and finite", 1, without_high=True)


_LEAST = -1e30
"""ln p of a token whose penalty leaves nothing of it: a number, also where all tokens have one."""


def choose(log_probs: Floats, sampling: Sampling, generator: np.random.Generator) -> int:
    """Draws a token from log_probs [V], after temperature, top-k, top-p and min-p, in this order."""
    if sampling.temperature == 0:
        return int(log_probs.argmax())
    scaled = log_probs / sampling.temperature
    if not sampling.top_k and sampling.top_p >= 1 and not sampling.min_p:
        cumulative = np.cumsum(np.exp(scaled - scaled.max()))
        drawn = generator.random() * cumulative[-1]
        return min(int(np.searchsorted(cumulative, drawn, side="right")), len(cumulative) - 1)
    order = np.argsort(-scaled, kind="stable")
    if sampling.top_k:
        order = order[: sampling.top_k]
    weights = np.exp(scaled[order] - scaled[order[0]])  # relative to the likeliest
    cumulative = np.cumsum(weights)
    if sampling.top_p < 1:
        keep = int(np.searchsorted(cumulative, sampling.top_p * cumulative[-1])) + 1
        cumulative = cumulative[:keep]
    if sampling.min_p:
        cumulative = cumulative[: int((weights >= sampling.min_p).sum())]
    drawn = generator.random() * cumulative[-1]
    return int(order[min(int(np.searchsorted(cumulative, drawn, side="right")), len(cumulative) - 1)])


def penalise(log_probs: Floats, seen: Any, penalty: float) -> None:
    """Makes p of the tokens `seen` (an index of log_probs [V]) p^penalty, in place. All of them keep a number."""
    with np.errstate(over="ignore"):
        log_probs[seen] = np.maximum(log_probs[seen] * penalty, _LEAST)


def generate(
    predictor: Predictor, tokenizer: Tokenizer, prompt: str, sampling: Sampling, generator: np.random.Generator
) -> Iterator[str]:
    """Yields the continuation of the prompt in pieces, as they are drawn; the prompt itself is left out.

    The prompt starts a line. It may have any length, and may be empty. With stop strings, a piece is delayed until it
    can no longer be the beginning of one. Raises ShapeError where a probability is not a number.
    """
    ids = tokenizer.encode(prompt)
    banned = None if sampling.unknown else tokenizer.unk
    tokens = generate_tokens(predictor, ids.tolist(), sampling, generator, banned)
    yield from before_stop(_decoded(tokens, tokenizer, ids), sampling.stop)


def generate_tokens(
    predictor: Predictor,
    prompt: Sequence[int],
    sampling: Sampling,
    generator: np.random.Generator,
    banned: int | None = None,
) -> Iterator[int]:
    """Yields token ids as they are drawn, after those of the prompt; `banned` is never drawn."""
    with np.errstate(all="ignore"):  # an overflow shows in the result
        state = predictor.after(predictor.begin(), prompt)
        require_numbers(predictor.next(state), "the probability of a token")
    if isinstance(predictor, NetworkPredictor) and (sampler := _sampler(predictor.p, sampling)):
        assert state.last is not None  # after the line end that begins a text
        return _in_blocks(sampler, state.h[0].copy(), state.last, sampling, generator, banned)
    return _one_by_one(predictor, state, prompt, sampling, generator, banned)


def _sampler(p: Parameters, sampling: Sampling) -> Sampler | None:
    """The sampler of the network, if it has one that can draw so."""
    return network_sampler(p) if is_native(sampling) else None


def is_native(sampling: Sampling) -> bool:
    """Whether a native sampler can draw so: without min-p and without a penalty."""
    return not sampling.min_p and sampling.repetition_penalty == 1


def network_sampler(p: Parameters) -> Sampler | None:
    """Draws tokens in native code; None where the kernels lack that, for several layers and for tails."""
    sampler_of = p.kernels.sampler_kernel(p.dtype)
    if sampler_of is None or p.above or p.tails:
        return None
    inputs = p.kernels.product(p.E, p.W_e, b_transposed=True, bias=p.b_1)  # W_e e + b_1 of each token
    return sampler_of(inputs, p.W_h, p.U, p.b_2, p.activation)


def _one_by_one(
    predictor: Predictor,
    state: Any,
    prompt: Sequence[int],
    sampling: Sampling,
    generator: np.random.Generator,
    banned: int | None,
) -> Iterator[int]:
    seen = np.zeros(predictor.V, bool)
    seen[list(prompt)] = True
    for _ in range(sampling.max_tokens):
        with np.errstate(all="ignore"):
            log_probs, after = step(predictor, state)
        require_numbers(log_probs, "the probability of a token")
        penalise(log_probs, seen, sampling.repetition_penalty)
        if banned is not None:
            log_probs[banned] = -np.inf
        token = choose(log_probs, sampling, generator)
        yield token
        seen[token] = True
        state = after(token)


def _in_blocks(
    sampler: Sampler, h: Floats, last: int, sampling: Sampling, generator: np.random.Generator, banned: int | None
) -> Iterator[int]:
    """Draws in blocks that double up to BLOCK: the first tokens appear at once, and later ones cost little Python."""
    drawn, block = 0, 1
    while drawn < sampling.max_tokens:
        uniform = generator.random(min(block, sampling.max_tokens - drawn))
        limits = (sampling.temperature, sampling.top_k, sampling.top_p, -1 if banned is None else banned)
        tokens = sampler.draw(h, last, uniform, *limits)
        yield from tokens.tolist()
        drawn, last, block = drawn + len(tokens), int(tokens[-1]), min(2 * block, BLOCK)


def _decoded(tokens: Iterator[int], tokenizer: Tokenizer, prompt: Any) -> Iterator[str]:
    decoder = tokenizer.decoder(after=prompt)
    for token in tokens:
        yield decoder.push(token)
    yield decoder.flush()


def before_stop(pieces: Iterator[str], stop: Sequence[str]) -> Iterator[str]:
    """Yields the text of the pieces up to the first stop string, each part as soon as it cannot belong to one."""
    search = StopSearch(stop)
    for piece in pieces:
        yield search.push(piece)
        if search.found:
            return
    yield search.flush()
