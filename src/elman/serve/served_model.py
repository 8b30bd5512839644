"""A run as the server knows it: its name, its predictors, and the scores of its tokens."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from elman.errors import ConfigError
from elman.inference.distributions import distributions
from elman.inference.overflow import require_numbers
from elman.inference.predictor import WINDOW, Predictor
from elman.language_model import LanguageModel, load
from elman.serve.api_error import ApiError
from elman.wording import printable

Floats = NDArray[np.floating[Any]]

BLOCK = 1 << 21
"""About how many log probabilities are held at a time."""


@dataclass(frozen=True)
class ServedModel:
    """A model, alone or in a mixture, and its name in the API, which is the name of its run folder."""

    name: str
    lm: LanguageModel


def load_models(runs: Sequence[Path], mix: Sequence[str] = ()) -> dict[str, ServedModel]:
    """The models of these run folders by name, each in a mixture with the parts `mix`, as `elman.load` makes it.

    Raises ConfigError where two folders have one name.
    """
    models: dict[str, ServedModel] = {}
    for run in runs:
        name = printable(run.resolve().name) or "model"
        if name in models:
            raise ConfigError(f"two of the runs are called {name}, and a request chooses by name: rename a folder")
        models[name] = ServedModel(name, load(run, mix))
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
    """The score of one token: its log probability (nats), and those of the likeliest tokens and its own, by id."""

    token: int
    log_prob: float | None
    alternatives: dict[int, float] | None


class Scorer:
    """Scores the tokens of a text, part by part, each given all before it. Nothing is known of a first token."""

    def __init__(self, model: ServedModel, before: Sequence[int], stopped: Callable[[], bool]) -> None:
        self._predictor, self._stopped = model.lm.exact_predictor, stopped
        self._state = state_after(self._predictor, before, stopped)

    def copy(self) -> Scorer:
        """A scorer that goes on from here by itself."""
        return copy.copy(self)

    def read(self, ids: Sequence[int], alternatives: int) -> list[Scored]:
        """The scores of the next tokens. Raises ShapeError where one is not a number."""
        scored: list[Scored] = []
        size = max(1, min(WINDOW, BLOCK // self._predictor.V))
        for start in range(0, len(ids), size):
            if self._stopped():
                break
            y = ids[start : start + size]
            with np.errstate(all="ignore"):  # an overflow shows in the result
                if alternatives:
                    rows, self._state = distributions(self._predictor, self._state, y)  # [n,V]
                    found = rows[np.arange(len(y)), y]
                    others = [{each: float(row[each]) for each in likeliest(row, alternatives)} for row in rows]
                else:
                    found, self._state = self._predictor.read(self._state, y)
                    others = [{} for _ in y]
            require_numbers(found, "the log probability of a token")
            scored += [
                Scored(token, float(log_prob), of_others | {token: float(log_prob)})
                for token, log_prob, of_others in zip(y, found, others, strict=True)
            ]
        return scored


def likeliest(log_probs: Floats, most: int) -> list[int]:
    """The ids of the `most` (at least 1) likeliest tokens, the likeliest first, and of equal ones the smaller id."""
    k = min(most, len(log_probs))
    found = np.argpartition(-log_probs, k - 1)[:k]
    ids: list[int] = found[np.lexsort((found, -log_probs[found]))].tolist()
    return ids


def state_after(predictor: Predictor, ids: Sequence[int], stopped: Callable[[], bool]) -> Any:
    """The state after the ids (at least one, the first a line end, which a predictor begins with)."""
    state = predictor.begin()
    for start in range(1, len(ids), WINDOW):
        if stopped():
            break
        state = predictor.after(state, ids[start : start + WINDOW])
    return state
