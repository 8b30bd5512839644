"""The records of a run, which are the lines of metrics.jsonl, and all counters that decide how it goes on."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

from elman.checkpoint import LARGEST_METRICS, RESTORE
from elman.errors import CheckpointError
from elman.files import open_input
from elman.schema import AMOUNT, AMOUNT_OR_INFINITE, Range, limits

Reason = Literal["", "epochs", "max_time", "patience", "mikolov", "solved", "asked"]
"""Why a run ended (stopping.py); empty while it goes on."""
SECONDS = Range("a number of seconds", 0, 1e12)
RECORDED = Range("a number from -1e300 to 1e300", -1e300, 1e300)
"""Of numbers in metrics.jsonl, so that sums of them stay finite."""
SHARE = Range("from 0 to 1", 0, 1)
FACTOR = Range("over 0, at most 1", 0, 1, without_low=True)


@dataclass(frozen=True)
class StepRecord:
    """Means over `record_every` steps. Only the clock readings differ between runs with the same settings and seed."""

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
    omega: float | None = None  # the regulariser's mean, where there is one


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
    wrong: float | None = None  # of a task: the share of sequences that were wrong


@dataclass(frozen=True)
class FlowRecord:
    """What the lens saw before a step (meanings: gradient_flow.diagnosis.DiagnosisNumbers). `seconds`: what it took.

    log10_norms_by_lag: log10 of Σ_t ‖∂J^(t)/∂W_h|_(t-k)‖ for k = 0, 1, …; None where nothing flows
    """

    step: int
    sequences: int
    T: int
    verdict: str
    decay_rate: float
    reach: int
    mean_slope: float
    flat: float
    sigma_max: float
    spectral_radius: float
    cancellation: float
    log10_norms_by_lag: list[float | None] = field(metadata=limits(RECORDED))
    seconds: float


@dataclass(frozen=True)
class RescueRecord:
    """Training went back to the last checkpoint; the learning rate is the schedule's times `factor` from now on."""

    step: int
    back_to: int
    factor: float


@dataclass(frozen=True)
class StopRecord:
    """The end of a run. The reasons are in stopping.py."""

    step: int
    epoch: int
    reason: Reason
    best_nats_per_token: float
    clipped: int
    skipped: int
    seconds: float
    best_wrong: float | None = None


Record = FlowRecord | StepRecord | ValidationRecord | RescueRecord | StopRecord
WrittenRecord = FlowRecord | StepRecord | ValidationRecord | RescueRecord
KINDS: dict[type, str] = {
    FlowRecord: "flow", StepRecord: "step", ValidationRecord: "validation", RescueRecord: "rescue",
}  # fmt: skip
"""The names of the records that are written."""


def as_line(record: Record) -> bytes:
    """A record as a line of metrics.jsonl; numbers that are not finite are null."""
    values = {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in asdict(record).items()}
    return (json.dumps({"kind": KINDS[type(record)], **values}) + "\n").encode()


def end_of_records(path: Path, most: int) -> int:
    """How many of the first `most` bytes of metrics.jsonl to keep: up to the end of the last whole record among them.

    A record that a power failure has torn, or whose bytes are zeros, is none. Raises CheckpointError where the file
    cannot be read.
    """
    size = 2**16
    while True:
        first = max(0, most - size)
        with open_input(path, LARGEST_METRICS, CheckpointError, RESTORE) as file:
            file.seek(first)
            data = file.read(most - first)
        end = _end_of_last(data, whole_lines=not first)
        if end or not first:
            return first + end if end else 0
        size *= 2


def _end_of_last(data: bytes, whole_lines: bool) -> int:
    """Where the last line that is an object ends, 0 without one. whole_lines: the data begin with a line's begin."""
    end = data.rfind(b"\n") + 1
    while end:
        begin = data.rfind(b"\n", 0, end - 1) + 1
        if not begin and not whole_lines:
            return 0
        try:
            if isinstance(json.loads(data[begin:end]), dict):
                return end
        except (ValueError, RecursionError):
            pass
        end = begin
    return 0


@dataclass
class Progress:
    """All counters that decide how a run goes on; they are saved with every checkpoint."""

    step: int = 0
    epoch: int = 0  # finished passes
    window: int = 0  # finished windows of this pass
    tokens: int = 0
    seconds: float = field(default=0.0, metadata=limits(SECONDS))
    best: float = field(default=math.inf, metadata=limits(AMOUNT_OR_INFINITE))
    best_wrong: float = field(
        default=1.0, metadata=limits(SHARE)
    )  # of a task: the share of wrong sequences with the best weights
    mean_norm: float = field(
        default=0.0, metadata=limits(AMOUNT)
    )  # running mean of the gradient's norm before clipping
    taken_steps: int = 0  # without the skipped ones; a rescue restores it with the weights
    validations_without_gain: int = 0
    factor: float = field(default=1.0, metadata=limits(FACTOR))  # on lr, halved at each rescue
    rescues: int = 0
    bad_in_a_row: int = 0
    skipped: int = 0
    clipped: int = 0
    # sums since the last record, and since the last validation
    record_nats: float = 0.0
    record_norm: float = 0.0
    record_omega: float = 0.0
    record_tokens: int = 0  # that had a loss
    record_steps: int = 0
    record_clipped: int = 0
    record_skipped: int = 0
    since_nats: float = 0.0
    since_tokens: int = 0
    metrics_bytes: int = 0
    ended: Reason = ""  # the reason, once the run is over for good

    def taken(self, J: float, losses: int, tokens: int, norm: float, clipped: bool, omega: float) -> None:
        """Counts a step that was taken: J is the mean of `losses` losses, on a batch of `tokens` tokens."""
        self.bad_in_a_row = 0
        self.taken_steps += 1
        self.tokens += tokens
        self.clipped += clipped
        self.record_clipped += clipped
        self.record_nats += J * losses
        self.record_norm += norm
        self.record_omega += omega
        self.record_tokens += losses
        self.record_steps += 1
        self.since_nats += J * losses
        self.since_tokens += losses

    def skip(self) -> None:
        """Counts a step that was not taken, since its loss or gradient was not finite."""
        self.bad_in_a_row += 1
        self.skipped += 1
        self.record_skipped += 1

    def step_record(self, rate: float, seconds: float, set_up: float, with_omega: bool) -> StepRecord:
        """The record of the steps since the last one; the sums start again at 0.

        set_up: how many of the seconds were for reading the text and the like, before the first step.
        """
        steps = self.record_steps
        record = StepRecord(
            step=self.step, epoch=self.epoch + 1, tokens=self.tokens,
            nats_per_token=self.record_nats / self.record_tokens if self.record_tokens else math.nan,
            gradient_norm=self.record_norm / steps if steps else math.nan,
            clipped=self.record_clipped, skipped=self.record_skipped, learning_rate=rate,
            seconds=round(seconds, 3), tokens_per_second=round(self.tokens / max(seconds - set_up, 1e-9), 1),
            omega=self.record_omega / steps if with_omega and steps else None,
        )  # fmt: skip
        self.record_nats = self.record_norm = self.record_omega = 0.0
        self.record_tokens = self.record_steps = self.record_clipped = self.record_skipped = 0
        return record

    def train_nats(self) -> float:
        """The mean training loss since the last validation; the sums start again at 0."""
        mean = self.since_nats / self.since_tokens if self.since_tokens else math.nan
        self.since_nats, self.since_tokens = 0.0, 0
        return mean
