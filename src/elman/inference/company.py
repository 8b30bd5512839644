"""What may stand beside the network in a mixture, by name, built from the run's own text.

    ngram, ngram:N  an n-gram model of the training text, of order N (default 5)
    FILE.arpa       an n-gram model in an ARPA file
    unigram         a unigram cache
    cache           a continuous cache over the network's states
    dynamic         the network, learning as it reads

At word level lines are sentences, so that nothing before a line counts in an n-gram; at the other levels the text is
one stream.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from elman.checkpoint import RESTORE, RunFolder, load_settings
from elman.errors import CheckpointError, ConfigError
from elman.files import is_there
from elman.inference.caches import ContinuousCache, UnigramCache
from elman.inference.dynamic import DynamicEvaluation, mean_squares
from elman.inference.evaluate import NETWORK
from elman.inference.mixture import Mixture, tuned
from elman.inference.predictor import NetworkPredictor, Predictor
from elman.model.parameters import Parameters
from elman.ngram.arpa import END, read_arpa
from elman.ngram.kneser_ney import train
from elman.ngram.model import NgramModel
from elman.representation import short_repr
from elman.text.batches import open_tokens
from elman.text.tokenizer import Tokenizer

Integers = NDArray[np.integer[Any]]

ORDER = 5
"""The order of an n-gram model without a number."""
TUNED_ON = 50_000
"""The most validation tokens on which weights are tuned."""
NAMES = ("ngram", "ngram:N", "FILE.arpa", "unigram", "cache", "dynamic")


@dataclass(frozen=True)
class Company:
    """A network's predictors by name, `network` first, and their mixture; `tuned_on`: the tokens behind its weights."""

    parts: Mapping[str, Predictor]
    mixture: Mixture
    tuned_on: int

    __repr__ = short_repr

    @property
    def weights(self) -> dict[str, float]:
        """The weight of each part, by name."""
        return dict(zip(self.parts, self.mixture.weights, strict=True))


def company(
    p: Parameters, tokenizer: Tokenizer, names: Sequence[str], training: Integers, validation: Integers
) -> Company:
    """The network and the predictors of these names, mixed with the weights that are best on the validation text.

    training, validation: the token ids of the run's texts, without the line end before them. Raises ConfigError for a
    name that is not known or given twice, TextError for a damaged ARPA file.
    """
    if len(set(names)) < len(names):
        raise ConfigError(f"{_twice(names)} is given twice: name each part of the mixture once")
    parts: dict[str, Predictor] = {NETWORK: NetworkPredictor(p, tokenizer.eos)}
    parts |= {name: _predictor(name, p, tokenizer, training) for name in names}
    tokens = validation[:TUNED_ON]
    return Company(parts, tuned(list(parts.values()), tokens), len(tokens))


def company_of_run(run: Path, p: Parameters, tokenizer: Tokenizer, names: Sequence[str]) -> Company:
    """`company` with the texts of a run folder. Raises CheckpointError where its token files are gone or damaged."""
    folder = RunFolder(run)
    training, validation = (_tokens(folder, path, tokenizer.V) for path in (folder.train_tokens, folder.valid_tokens))
    return company(p, tokenizer, names, training, validation)


def ngram_of_run(run: Path, tokenizer: Tokenizer, order: int = ORDER) -> NgramModel:
    """An n-gram model of the text that a run was trained on. Raises CheckpointError where its token file is gone or
    damaged.
    """
    folder = RunFolder(run)
    return _ngram(tokenizer, _tokens(folder, folder.train_tokens, tokenizer.V), order)


def _tokens(folder: RunFolder, path: Path, V: int) -> Integers:
    """The tokens of a file of a run, without the line end before them."""
    if not is_there(path, CheckpointError, RESTORE):
        raise CheckpointError(f"n-grams and mixtures need the texts of the run, and {path} is gone: train again")
    return open_tokens(path, load_settings(folder)[2].get(path.name), V=V)[1:]


def _ngram(tokenizer: Tokenizer, training: Integers, order: int) -> NgramModel:
    return train(training, tokenizer.V, tokenizer.eos, order, lines=tokenizer.level == "word")


def _predictor(name: str, p: Parameters, tokenizer: Tokenizer, training: Integers) -> Predictor:
    kind, _, number = name.partition(":")
    if kind == "ngram" and (not number or number.isdecimal()):
        return _ngram(tokenizer, training, int(number or ORDER))
    if name.endswith(".arpa"):
        return _from_file(Path(name), tokenizer)
    if name == "unigram":
        return UnigramCache(tokenizer.V)
    if name == "cache":
        return ContinuousCache(p, tokenizer.eos)
    if name == "dynamic":
        return DynamicEvaluation(p, tokenizer.eos, mean_squares(p, tokenizer.eos, training))
    raise ConfigError(f"{name} is no part of a mixture; there are {', '.join(NAMES)}")


def _from_file(path: Path, tokenizer: Tokenizer) -> Predictor:
    if tokenizer.level != "word":
        raise ConfigError(f"{path} has words, and the model has tokens of level {tokenizer.level}: leave it out")
    ids = {token: k for k, token in enumerate(tokenizer.tokens)}
    ids[END] = ids.pop(tokenizer.tokens[tokenizer.eos])
    return read_arpa(path, ids)[0]


def _twice(names: Iterable[str]) -> str:
    seen: set[str] = set()
    return next(name for name in names if name in seen or seen.add(name))  # type: ignore[func-returns-value]
