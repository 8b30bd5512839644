"""Why a run ends. Each rule returns its reason, a word of `StopRecord`, or None where the run goes on.

epochs     all passes are done
max_time   the time is up
patience   several validations in a row without gain
mikolov    the second epoch with too little gain (schedule.py)
solved     the task is solved
asked      somebody asked: Ctrl-C, SIGTERM, or `Trainer.stop`
"""

from __future__ import annotations

from elman.config import TrainingConfig
from elman.training.records import Progress, Reason

CAN_GO_ON: tuple[Reason, ...] = ("asked", "max_time")
"""Reasons after which the run is not over for good: --resume goes on at the very step."""


def after_epochs(progress: Progress, settings: TrainingConfig) -> Reason | None:
    """Whether all passes are done."""
    return "epochs" if progress.epoch >= settings.epochs else None


def after_validation(progress: Progress, settings: TrainingConfig, mikolov_ended: bool, solved: bool) -> Reason | None:
    """What a validation decides."""
    if solved:
        return "solved"
    if mikolov_ended:
        return "mikolov"
    if settings.patience and progress.validations_without_gain >= settings.patience:
        return "patience"
    return None


def after_time(seconds: float, validation_seconds: float, max_time: float) -> Reason | None:
    """Whether the time is up, with a last validation still to come; of long ones half of it is the most considered."""
    return "max_time" if seconds + min(validation_seconds, max_time / 2) >= max_time else None
