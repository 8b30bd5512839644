"""A run as the server knows it: its name, its network in both precisions, and the scores of its tokens."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from elman.errors import ConfigError
from elman.inference.overflow import require_numbers
from elman.inference.predictor import WINDOW
from elman.language_model import LanguageModel, load
from elman.model.network import hidden_states
from elman.model.parameters import Parameters
from elman.serve.api_error import ApiError
from elman.wording import printable

Floats = NDArray[np.floating[Any]]

BLOCK = 1 << 21
"""About how many log probabilities are held at a time."""


@dataclass(frozen=True)
class ServedModel:
    """A model and its name in the API, which is the name of its run folder."""

    name: str
    lm: LanguageModel

    @cached_property
    def exact(self) -> Parameters:
        """The parameters in float64, in which scores are computed."""
        return self.lm.p.astype("float64")

    def encode(self, text: str) -> list[int]:
        """The token ids of a text. Raises TextError for what is no text."""
        ids: list[int] = self.lm.tokenizer.encode(text).tolist()
        return ids


def load_models(runs: Sequence[Path]) -> dict[str, ServedModel]:
    """The models of these run folders by name. Raises ConfigError where two folders have one name."""
    models: dict[str, ServedModel] = {}
    for run in runs:
        name = printable(run.resolve().name) or "model"
        if name in models:
            raise ConfigError(f"two of the runs are called {name}, and a request chooses by name: rename a folder")
        models[name] = ServedModel(name, load(run))
    return models


def choose_model(models: Mapping[str, ServedModel], name: str | None) -> ServedModel:
    """The model of this name, the first for None. Raises ApiError where there is none."""
    if name is None:
        return next(iter(models.values()))
    if name not in models:
        raise ApiError(404, f"the model {name!r} does not exist; /v1/models lists all", "model", "model_not_found")
    return models[name]


@dataclass(frozen=True)
class Scored:
    """The score of one token: its log probability (nats), and those of the likeliest tokens, by id."""

    token: int
    log_prob: float | None
    alternatives: dict[int, float] | None


class Scorer:
    """Scores the tokens of a text, part by part, each given all before it. Nothing is known of a first token."""

    def __init__(self, model: ServedModel, before: Sequence[int], stopped: Callable[[], bool]) -> None:
        self._p, self._stopped = model.exact, stopped
        self._h, self._last = read_tokens(self._p, before, stopped)

    def copy(self) -> Scorer:
        """A scorer that goes on from here by itself."""
        return copy.copy(self)

    def read(self, ids: Sequence[int], alternatives: int) -> list[Scored]:
        """The scores of the next tokens. Raises ShapeError where one is not a number."""
        scored: list[Scored] = []
        size = max(1, min(WINDOW, BLOCK // self._p.V))
        for start in range(0, len(ids), size):
            if self._stopped():
                break
            y = ids[start : start + size]
            x = np.array([self._last, *y[:-1]])[:, None]
            with np.errstate(all="ignore"):  # an overflow shows in the result
                forward = hidden_states(self._p, x, self._h)
                log_probs = self._p.output.log_probabilities(forward.h_out[:, 0])  # [n,V]
            require_numbers(log_probs, "the log probability of a token")
            self._h, self._last = forward.h_T, y[-1]
            scored += [_scored(row, token, alternatives) for row, token in zip(log_probs, y, strict=True)]
        return scored


def _scored(log_probs: Floats, token: int, alternatives: int) -> Scored:
    """The token, and the `alternatives` likeliest ones, the likeliest first; the token is always among them."""
    best = likeliest(log_probs, alternatives) if alternatives else []
    return Scored(
        token, float(log_probs[token]), {each: float(log_probs[each]) for each in dict.fromkeys([*best, token])}
    )


def likeliest(log_probs: Floats, most: int) -> list[int]:
    """The ids of the `most` (at least 1) likeliest tokens, the likeliest first, and of equal ones the smaller id."""
    k = min(most, len(log_probs))
    found = np.argpartition(-log_probs, k - 1)[:k]
    ids: list[int] = found[np.lexsort((found, -log_probs[found]))].tolist()
    return ids


def read_tokens(p: Parameters, ids: Sequence[int], stopped: Callable[[], bool]) -> tuple[Floats, int]:
    """h [1,Dh] before the last of the ids (at least one), and the last, which is read with what follows."""
    *first, last = ids
    h = p.initial_state(1)
    for start in range(0, len(first), WINDOW):
        if stopped():
            break
        h = hidden_states(p, np.array(first[start : start + WINDOW])[:, None], h).h_T
    return h, last
