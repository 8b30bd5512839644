"""LanguageModel: parameters and tokenizer together, with an interface like KenLM's."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np

from elman.arguments import SEED, WHOLE_FROM_1, require, require_base, several
from elman.checkpoint import RunFolder, load_model
from elman.config import RunConfig
from elman.errors import CheckpointError, ConfigError
from elman.inference import score as scoring
from elman.inference.evaluate import Evaluation, evaluate
from elman.inference.generate import Sampling, generate
from elman.inference.likeliest import NextToken, likeliest
from elman.inference.predictor import NetworkPredictor
from elman.inference.score import SentenceScore, State, TokenScore
from elman.model.parameters import Parameters
from elman.schema import in_words
from elman.text.tokenizer import Tokenizer


class LanguageModel:
    """A trained model. Log probabilities are log10 unless another base is given, as in KenLM and ARPA files.

    lm = elman.load("runs/first")
    lm.score("the cat sat")              # log10 p, after a line end, with the line end
    [s.log_prob for s in lm.full_scores("the cat sat")]
    "cat" in lm, lm.perplexity("the cat sat"), lm.generate("the cat"), lm.next("the cat")
    """

    def __init__(self, p: Parameters, tokenizer: Tokenizer, config: RunConfig | None = None) -> None:
        self.p, self.tokenizer, self.config = p, tokenizer, config

    def __contains__(self, token: str) -> bool:
        return token in self.tokenizer

    def __repr__(self) -> str:
        p = self.p
        return f"<LanguageModel {self.tokenizer.level} V={p.V} d={p.d} Dh={p.Dh} {p.activation}>"

    @cached_property
    def _predictor(self) -> NetworkPredictor:
        """What gives the probabilities of scores: the network, in float64."""
        return NetworkPredictor(self.p.astype("float64"), self.tokenizer.eos)

    def score(self, sentence: str, bos: bool = True, eos: bool = True, base: float = 10) -> float:
        """log p of the sentence. bos: it starts a line; eos: the end of the line is predicted too.

        Raises ConfigError for a base that is not over 0, or is 1.
        """
        require_base(base)
        return next(self.scores([sentence], bos, eos)).total(base)

    def scores(
        self, sentences: Iterable[str], bos: bool = True, eos: bool = True, group: int = scoring.GROUP
    ) -> Iterator[SentenceScore]:
        """One `SentenceScore` (in nats) a sentence, in order; `group` sentences are read and batched at a time.

        Raises ConfigError where the sentences are one text.
        """
        require("group", group, int, WHOLE_FROM_1)
        sentences = several("sentences", sentences)
        state = self.begin(bos).read
        return scoring.score_sentences(self._predictor, self.tokenizer, sentences, state=state, eos=eos, group=group)

    def full_scores(self, sentence: str, bos: bool = True, eos: bool = True, base: float = 10) -> Iterator[TokenScore]:
        """(log p, length, oov) of each token, as in KenLM; `length` counts the token and its whole context."""
        require_base(base)
        unit, scored = math.log(base), next(self.scores([sentence], bos, eos))
        for k, (log_prob, oov) in enumerate(zip(scored.log_probs, scored.oov, strict=True)):
            yield TokenScore(float(log_prob) / unit, k + 1 + bos, bool(oov))

    def perplexity(self, text: str) -> float:
        """exp(mean J) over all tokens of the text, including OOVs; `evaluate` returns all figures."""
        return self.evaluate(text).perplexity_including_oov

    def evaluate(self, text: str | Iterable[str]) -> Evaluation:
        """All figures of a text, given whole or in pieces. Raises TextError where it is empty."""
        return evaluate(self.p, self.tokenizer, [text] if isinstance(text, str) else several("text", text))

    def next(self, context: str = "", top: int | None = 10) -> list[NextToken]:
        """The `top` likeliest tokens after a context, each with its probability; the likeliest first.

        context  the beginning of a line, or more lines, the last of them unfinished
        top      how many; None: all, whose probabilities add to 1

        Raises ConfigError where `top` is not at least 1.
        """
        if top is not None:
            require("top", top, int, WHOLE_FROM_1)
        state = self._predictor.after(self._predictor.begin(), self.tokenizer.encode(context))
        return likeliest(self._predictor, self.tokenizer, state, top)

    def begin(self, bos: bool = True) -> State:
        """The state before a sentence, for `step`."""
        return State(self._predictor.begin(bos))

    def step(self, state: State, token: str, base: float = 10) -> tuple[float, State]:
        """(log p of one token after the state, the state after it). "\\n" is the line end.

        Raises ConfigError where the text is not exactly one token.
        """
        require_base(base)
        if not isinstance(state, State):
            raise ConfigError(f"state is {in_words(state)}; it must be one that begin or step returned")
        ids = self.tokenizer.encode(token)
        if len(ids) != 1:
            raise ConfigError(
                f"{token!r} is {len(ids)} tokens at level {self.tokenizer.level}; give one token at a time"
            )
        log_probs, after = scoring.read(self._predictor, state.read, ids)
        return float(log_probs[0]) / math.log(base), State(after, state.length + 1)

    def generate(
        self,
        prompt: str = "",
        *,
        max_tokens: int = 100,
        temperature: float = 1.0,
        top_k: int = 0,
        top_p: float = 1.0,
        stop: str | Sequence[str] = (),
        seed: int | None = None,
    ) -> str:
        """A continuation of the prompt, without the prompt; the same seed gives the same text.

        For the options see `Sampling`. Raises ConfigError for a value that is out of its range.
        """
        if seed is not None:
            require("seed", seed, int, SEED)
        sampling = Sampling(max_tokens, temperature, top_k, top_p, stop)
        return "".join(self.stream(prompt, sampling, np.random.default_rng(seed)))

    def stream(self, prompt: str, sampling: Sampling, generator: np.random.Generator) -> Iterator[str]:
        """Yields a continuation in pieces, as they are drawn."""
        if not isinstance(sampling, Sampling) or not isinstance(generator, np.random.Generator):
            raise ConfigError("a stream needs a Sampling and a numpy.random.Generator: Sampling(), default_rng(1)")
        return generate(NetworkPredictor(self.p, self.tokenizer.eos), self.tokenizer, prompt, sampling, generator)


def load(path: Path | str) -> LanguageModel:
    """The model in a run folder. Raises CheckpointError where it is missing, damaged or of another version."""
    if not isinstance(path, str | os.PathLike):
        raise CheckpointError(f"the path of a run is {in_words(path)}; it must be a text or a Path")
    config, tokenizer, p = load_model(RunFolder(path))
    return LanguageModel(p, tokenizer, config)
