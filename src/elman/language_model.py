"""LanguageModel: parameters and tokenizer together, with an interface like KenLM's."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from elman.arguments import SEED, WHOLE_FROM_0, WHOLE_FROM_1, require, require_base, several
from elman.checkpoint import RunFolder, load_model
from elman.config import RunConfig
from elman.errors import CheckpointError, ConfigError
from elman.inference import score as scoring
from elman.inference.beam import Continuation, beam_search
from elman.inference.evaluate import Evaluation, evaluate
from elman.inference.generate import Sampling, generate
from elman.inference.likeliest import NextToken, likeliest
from elman.inference.predictor import NetworkPredictor, Predictor
from elman.inference.score import SentenceScore, State, TokenScore
from elman.model.parameters import Parameters
from elman.notebook_html import Line, block, chart, in_wanted_language, label, table
from elman.schema import in_words
from elman.text.tokenizer import Tokenizer
from elman.training.metrics_file import as_row, read_metrics
from elman.translation import translate

if TYPE_CHECKING:
    from elman.inference.company import Company


class LanguageModel:
    """A trained model. Log probabilities are log10 unless another base is given, as in KenLM and ARPA files.

    lm = elman.load("runs/first")
    lm.score("the cat sat")  # log10 p, after a line end, with the line end
    [s.log_prob for s in lm.full_scores("the cat sat")]
    "cat" in lm, lm.perplexity("the cat sat"), lm.generate("the cat"), lm.next("the cat")
    """

    def __init__(
        self,
        p: Parameters,
        tokenizer: Tokenizer,
        config: RunConfig | None = None,
        company: Company | None = None,
        run: Path | None = None,
    ) -> None:
        """A model of these weights.

        company  the network in a mixture with other predictors, from which all probabilities then are
        run      the folder that it was loaded from
        """
        self.p: Parameters = p
        self.tokenizer: Tokenizer = tokenizer
        self.config: RunConfig | None = config
        self.company: Company | None = company
        self.run: Path | None = run

    def __contains__(self, token: str) -> bool:
        return token in self.tokenizer

    def __repr__(self) -> str:
        p = self.p
        layers = f" layers={p.depth}{' skip' * p.skip}" if p.above else ""
        output = " adaptive" if p.tails else ""
        return f"<LanguageModel {self.tokenizer.level} V={p.V} d={p.d} Dh={p.Dh}{layers} {p.activation}{output}>"

    @in_wanted_language
    def _repr_html_(self) -> str:
        """For notebooks: what the model is, and the curve of its training."""
        p, config = self.p, self.config
        rows: list[tuple[str, object]] = [
            (label("level"), self.tokenizer.level), (label("tokens V"), p.V), (label("embedding d"), p.d),
            (label("hidden units Dh"), p.Dh), (label("layers"), p.depth), (label("activation"), p.activation),
            (label("tied"), p.tied), (label("parameters"), p.count),
        ]  # fmt: skip
        rows += [(label("trained on"), translate(config.corpus))] if config else []
        try:
            validations = [row for row in self.metrics if row["kind"] == "validation"]
        except CheckpointError:  # the model can be used without them
            validations = []
        at = [row["step"] for row in validations]
        lines = [
            Line(label("validation"), at, [row["nats_per_token"] for row in validations]),
            Line(label("training"), at, [row["train_nats_per_token"] for row in validations], dashed=True),
        ]
        return block(label("Language model"), table(rows), chart(lines, label("step"), label("nats per token")))

    @property
    def metrics(self) -> list[dict[str, Any]]:
        """What training recorded, a row a record, in order: `pandas.DataFrame(lm.metrics)` is a table of it.

        A row has the `kind` of the record (step, validation, flow, rescue) and its fields, as docs/guide.md lists them.
        Empty for a model that is not from a run folder. Raises CheckpointError where the file is damaged.
        """
        return [] if self.run is None else [as_row(r) for r in read_metrics(RunFolder(self.run).metrics)]

    @cached_property
    def exact_predictor(self) -> Predictor:
        """The predictor of the scores: the network in float64, or the mixture."""
        return self.company.mixture if self.company else NetworkPredictor(self.p.astype("float64"), self.tokenizer.eos)

    @property
    def fast_predictor(self) -> Predictor:
        """The predictor of the texts that are drawn: the network in its own precision, or the mixture."""
        return self.company.mixture if self.company else NetworkPredictor(self.p, self.tokenizer.eos)

    def score(self, sentence: str, bos: bool = True, eos: bool = True, base: float = 10, *, after: str = "") -> float:
        """log p of the sentence. bos: it starts a line; eos: the end of the line is predicted too.

        after: a context that comes before the sentence and is not scored. The two are read one after the other: where
        tokens are characters, bytes or byte pairs, a blank between them belongs to either.

        Raises ConfigError for a base that is not over 0, or is 1, and for bos=False of a mixture.
        """
        require_base(base)
        return next(self.scores([sentence], bos, eos, after=after)).total(base)

    def scores(
        self,
        sentences: Iterable[str],
        bos: bool = True,
        eos: bool = True,
        group: int = scoring.GROUP,
        *,
        after: str = "",
        reset: bool = True,
    ) -> Iterator[SentenceScore]:
        """One `SentenceScore` (in nats) a sentence, in order; `group` sentences are read and batched at a time.

        after  a context that comes before each sentence (without `reset`: before the first), and is not scored
        reset  each sentence is scored alone; without it they are the lines of one text, each scored after those before

        Raises ConfigError where the sentences are one text, and for bos=False of a mixture.
        """
        require("group", group, int, WHOLE_FROM_1)
        sentences = several("sentences", sentences)
        predictor, tokenizer = self.exact_predictor, self.tokenizer
        state = predictor.after(self.begin(bos).read, tokenizer.encode(after))
        if not reset:
            return scoring.score_text(predictor, tokenizer, sentences, state=state, eos=eos)
        return scoring.score_sentences(predictor, tokenizer, sentences, state=state, eos=eos, group=group)

    def full_scores(
        self, sentence: str, bos: bool = True, eos: bool = True, base: float = 10, *, after: str = ""
    ) -> Iterator[TokenScore]:
        """(log p, length, oov) of each token, as in KenLM; `length` counts the token and its whole context.

        For the options see `score`.
        """
        require_base(base)
        unit, scored = math.log(base), next(self.scores([sentence], bos, eos, after=after))
        before = bos + len(self.tokenizer.encode(after))
        for k, (log_prob, oov) in enumerate(zip(scored.log_probs, scored.oov, strict=True)):
            yield TokenScore(float(log_prob) / unit, before + k + 1, bool(oov))

    def perplexity(self, text: str) -> float:
        """exp(mean J) over all tokens of the text, including OOVs; `evaluate` returns all figures."""
        return self.evaluate(text).perplexity_including_oov

    def evaluate(self, text: str | Iterable[str]) -> Evaluation:
        """All figures of a text, given whole or in pieces. Raises TextError where it is empty."""
        return evaluate(self.fast_predictor, self.tokenizer, [text] if isinstance(text, str) else several("text", text))

    def next(self, context: str = "", top: int | None = 10) -> list[NextToken]:
        """The `top` likeliest tokens after a context, each with its probability; the likeliest first.

        context  the beginning of a line, or more lines, the last of them unfinished
        top      how many; None: all, whose probabilities add to 1

        Raises ConfigError where `top` is not at least 1.
        """
        if top is not None:
            require("top", top, int, WHOLE_FROM_1)
        state = self.exact_predictor.after(self.exact_predictor.begin(), self.tokenizer.encode(context))
        return likeliest(self.exact_predictor, self.tokenizer, state, top)

    def begin(self, bos: bool = True) -> State:
        """The state before a sentence, for `step`: after a line end, or, without `bos`, after nothing.

        Raises ConfigError for bos=False of a mixture.
        """
        if isinstance(self.exact_predictor, NetworkPredictor):
            return State(self.exact_predictor.begin(bos))
        if not bos:
            raise ConfigError("bos is false: the other parts of a mixture begin at a line, so leave it true")
        return State(self.exact_predictor.begin())

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
        log_probs, after = scoring.read(self.exact_predictor, state.read, ids)
        return float(log_probs[0]) / math.log(base), State(after, state.length + 1)

    def generate(
        self,
        prompt: str = "",
        *,
        max_tokens: int = 100,
        temperature: float = 1.0,
        top_k: int = 0,
        top_p: float = 1.0,
        min_p: float = 0.0,
        repetition_penalty: float = 1.0,
        stop: str | Sequence[str] = (),
        unknown: bool = False,
        seed: int | None = None,
    ) -> str:
        """A continuation of the prompt, without the prompt; the same seed gives the same text.

        For the options see `Sampling`. Raises ConfigError for a value that is out of its range.
        """
        if seed is not None:
            require("seed", seed, int, SEED)
        sampling = Sampling(max_tokens, temperature, top_k, top_p, stop, unknown, min_p, repetition_penalty)
        return "".join(self.stream(prompt, sampling, np.random.default_rng(seed)))

    def continuation(
        self, prompt: str = "", *, beams: int = 5, max_tokens: int = 100, unknown: bool = False, base: float = 10
    ) -> Continuation:
        """The likeliest continuation of the prompt up to a line end, or else of `max_tokens` tokens, by beam search.

        beams    beginnings that are kept at each length; 1 takes the likeliest token each time
        unknown  whether `<unk>` may be in it

        Returns the text without the prompt and the line end, and its log probability to this base, the line end
        included. Raises ConfigError for a value that is out of its range.
        """
        require("beams", beams, int, WHOLE_FROM_1)
        require("max-tokens", max_tokens, int, WHOLE_FROM_0)
        require_base(base)
        tokenizer, predictor = self.tokenizer, self.exact_predictor
        ids = tokenizer.encode(prompt)
        banned = [] if unknown or tokenizer.unk is None else [tokenizer.unk]
        found = beam_search(
            predictor, predictor.after(predictor.begin(), ids), tokenizer.eos,
            beams=beams, max_tokens=max_tokens, banned=banned,
        )  # fmt: skip
        decoder = tokenizer.decoder(after=ids)
        text = "".join(decoder.push(token) for token in found.tokens if token != tokenizer.eos) + decoder.flush()
        return Continuation(text, found.log_prob / math.log(base))

    def stream(self, prompt: str, sampling: Sampling, generator: np.random.Generator) -> Iterator[str]:
        """Yields a continuation in pieces, as they are drawn."""
        if not isinstance(sampling, Sampling) or not isinstance(generator, np.random.Generator):
            raise ConfigError("a stream needs a Sampling and a numpy.random.Generator: Sampling(), default_rng(1)")
        return generate(self.fast_predictor, self.tokenizer, prompt, sampling, generator)


def load(path: Path | str, mix: Iterable[str] = ()) -> LanguageModel:
    """The model in a run folder.

    mix: the names of predictors that are mixed with the network, as `elman evaluate --mix` takes them; the weights are
    those that suit the run's validation text best (`company.weights`).

    Raises CheckpointError where the run, or its text that a mixture needs, is missing, damaged or of another version;
    ConfigError for a name that is not known, and for a mixture of a run on a task; TextError for a damaged ARPA file.
    """
    if not isinstance(path, str | os.PathLike):
        raise CheckpointError(f"the path of a run is {in_words(path)}; it must be a text or a Path")
    names = list(several("mix", mix))
    config, tokenizer, p = load_model(RunFolder(path))
    if not names:
        return LanguageModel(p, tokenizer, config, run=Path(path))
    from elman.inference.company import company_of_run

    if config.task:
        raise ConfigError(f"{path} was trained on {config.corpus}, not on a text: it has no mixture")
    return LanguageModel(p, tokenizer, config, company_of_run(Path(path), p, tokenizer, names), Path(path))
