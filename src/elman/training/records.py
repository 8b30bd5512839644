"""What a run says of itself (records), and every number that decides how it goes on (progress)."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class StepRecord:
    """The mean over `record_every` steps. Clock readings stand apart: they alone differ from run to run."""

    step: int
    epoch: int
    tokens: int
    nats_per_token: float
    gradient_norm: float
    clipped: int
    skipped: int
    learning_rate: float
    seconds: float
    tokens_per_second: float


@dataclass(frozen=True)
class ValidationRecord:
    """After an epoch (or `validate_every` steps): the loss of the validation text and of training since."""

    step: int
    epoch: int
    nats_per_token: float
    train_nats_per_token: float
    best: bool
    learning_rate: float
    seconds: float


@dataclass(frozen=True)
class RescueRecord:
    """The last checkpoint was taken back, and from here lr is `factor` times what it was to be."""

    step: int
    back_to: int
    factor: float


@dataclass(frozen=True)
class StopRecord:
    """Why the run ended: `epochs`, `max_time`, `patience`, `mikolov` or `asked`."""

    step: int
    epoch: int
    reason: str
    best_nats_per_token: float
    clipped: int
    skipped: int
    seconds: float


Record = StepRecord | ValidationRecord | RescueRecord | StopRecord


@dataclass
class Progress:
    """Every number that decides how the run goes on."""

    step: int = 0
    epoch: int = 0  # whole passes behind
    window: int = 0  # windows of this pass behind
    tokens: int = 0
    seconds: float = 0.0
    best: float = math.inf
    validations_without_gain: int = 0
    factor: float = 1.0  # on lr, halved at each rescue
    rescues: int = 0
    bad_in_a_row: int = 0
    skipped: int = 0
    clipped: int = 0
    # sums since the last record, and since the last validation
    record_nats: float = 0.0
    record_norm: float = 0.0
    record_tokens: int = 0
    record_steps: int = 0
    record_clipped: int = 0
    record_skipped: int = 0
    since_nats: float = 0.0
    since_tokens: int = 0
    metrics_bytes: int = 0
    ended: str = ""  # why, once the run is over for good
