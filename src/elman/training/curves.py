"""Learning curves: the losses of training and validation text, by the validations of a run."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from elman.config import Level
from elman.errors import ConfigError
from elman.training.records import Record, ValidationRecord

Against = Literal["step", "epoch", "seconds"]
Measure = Literal["perplexity", "bits", "wrong"]


@dataclass(frozen=True)
class Curve:
    """One run: its points, a validation each, in order.

    label       the run, for people to read
    measure     of `train` and `valid`: perplexity per token, bits per token, or (of a task) loss in nats and the share
                of wrong sequences
    at          where each validation was: the step, the epoch, or the seconds
    train       over the training text since the validation before, NaN where no step was taken
    valid       of the validation text
    """

    label: str
    measure: Measure
    at: tuple[float, ...]
    train: tuple[float, ...]
    valid: tuple[float, ...]

    def as_dict(self) -> dict[str, Any]:
        """Everything as JSON values."""
        return dict(vars(self))


def curve(label: str, records: Iterable[Record], level: Level, against: Against, *, task: bool = False) -> Curve:
    """The curve of a run on a text at this level, or on a task. Raises ConfigError where it has no validation."""
    found = [record for record in records if isinstance(record, ValidationRecord)]
    if not found:
        raise ConfigError(f"{label} has no validation yet, so no curve: train on with --resume, or leave it out")
    measure: Measure = "wrong" if task else "bits" if level in ("byte", "char") else "perplexity"
    return Curve(
        label,
        measure,
        tuple(float(getattr(record, against)) for record in found),
        tuple(_measured(record.train_nats_per_token, measure) for record in found),
        tuple(
            record.wrong if record.wrong is not None else _measured(record.nats_per_token, measure) for record in found
        ),
    )


def require_one_measure(curves: Sequence[Curve]) -> None:
    """Raises ConfigError for curves that have no axis in common."""
    for each in curves[1:]:
        if each.measure != curves[0].measure:
            raise ConfigError(
                f"{curves[0].label} is measured in {WORDS[curves[0].measure]} and {each.label} in "
                f"{WORDS[each.measure]}: plot runs of one kind together"
            )


WORDS: dict[Measure, str] = {
    "perplexity": "perplexity", "bits": "bits per token", "wrong": "share of wrong sequences",
}  # fmt: skip


ABSCISSA: dict[Against, str] = {"step": "training step", "epoch": "epoch", "seconds": "seconds of training"}


def _measured(nats: float, measure: Measure) -> float:
    """Nats per token as the measure has them; NaN where that is not finite."""
    if measure == "perplexity":
        return math.exp(nats) if nats < 700 else math.nan
    return nats / math.log(2) if measure == "bits" else nats
