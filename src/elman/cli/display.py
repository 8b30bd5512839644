"""What `elman train` shows: a live line on a terminal, plain lines elsewhere. All of it goes to stderr."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

from elman.training.loop import Trainer
from elman.training.problem import TextProblem
from elman.training.records import FlowRecord, Record, RescueRecord, StepRecord, StopRecord, ValidationRecord

PLAIN_EVERY = 10.0
"""Seconds between plain lines."""

REASONS = {
    "epochs": "all epochs done",
    "max_time": "time is up",
    "patience": "validation no longer gains",
    "mikolov": "validation no longer gains (Mikolov's rule)",
    "solved": "the task is solved: under 1 % of the sequences held out are wrong",
    "asked": "stopped as asked",
}


def _console() -> Console:
    return Console(stderr=True, highlight=False, soft_wrap=True)


def reading(what: str, pieces: Iterable[str], size: int) -> Iterator[str]:
    """The same pieces, with a bar while they are read, where there is a terminal and enough to read."""
    console = _console()
    columns = (TextColumn(f"reading {what}"), BarColumn(bar_width=30), TaskProgressColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal or size < 2**22) as bar:
        task = bar.add_task(what, total=size)
        for piece in pieces:
            yield piece
            bar.advance(task, len(piece.encode()))


def clock(seconds: float) -> str:
    """1:05, 2:00:09."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


class Display:
    """Shows the records of a run; a context, since the live line must be taken down in the end."""

    def __init__(self, trainer: Trainer) -> None:
        self.trainer = trainer
        self.console = _console()
        self.bits = trainer.config.text.level in ("byte", "char")
        self.validation = ""
        self.last_plain = 0.0
        self.live: Progress | None = None
        if self.console.is_terminal:
            columns = (BarColumn(bar_width=16), TextColumn("{task.description}"))
            self.live = Progress(*columns, console=self.console, transient=True, auto_refresh=False)
            self.task = self.live.add_task("", total=1.0)

    def __enter__(self) -> Self:
        trainer = self.trainer
        model, settings = trainer.config.model, trainer.settings
        tied = ", tied" if model.tie else ""
        limit = f" or {clock(settings.max_time)}" if settings.max_time else ""
        self.say(f"corpus   {trainer.config.corpus}")
        if isinstance(trainer.problem, TextProblem):
            count, level = trainer.problem.streams.predictions, trainer.config.text.level
            self.say(f"tokens   {count:,} at level {level}, {model.V:,} different")
        self.say(f"model    d={model.d} Dh={model.Dh} {model.activation}{tied}: {trainer.p.count:,} parameters")
        self.say(
            f"run      {trainer.run_folder.path}: "
            f"{settings.epochs} epochs{limit}, {settings.optimizer}, lr {settings.lr:g}"
        )
        if trainer.device:
            self.say(f"device   {trainer.device.name}")
        if trainer.progress.step:
            self.say(f"resumed  at step {trainer.progress.step:,}")
        if self.live:
            self.live.start()
        self.last_plain = time.monotonic()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.live:
            self.live.stop()

    def say(self, line: str) -> None:
        """A line that stays."""
        self.console.print(line, markup=False)

    def show(self, record: Record) -> None:
        """What happened."""
        match record:
            case StepRecord():
                self._step(record)
            case ValidationRecord():
                train, valid = self._measure(record.train_nats_per_token), self._measure(record.nats_per_token)
                if record.wrong is not None:
                    train, valid = f"loss {record.train_nats_per_token:.4f}", f"{record.wrong:.2%} wrong"
                self.validation = f"  valid {valid}"
                best = "  best" if record.best else ""
                self.say(
                    f"epoch {record.epoch:>3}  step {record.step:>7,}  train {train}  valid {valid}  "
                    f"lr {record.learning_rate:.2g}  {clock(record.seconds)}{best}"
                )
            case FlowRecord():
                pass  # `elman flow` shows them
            case RescueRecord():
                self.say(
                    f"step {record.step:,}: several steps in a row gave no finite gradient; "
                    f"back to step {record.back_to:,} with {record.factor:g} of the learning rate"
                )
            case StopRecord():
                self._stop(record)

    def _measure(self, nats: float) -> str:
        if not math.isfinite(nats):
            return "not finite"
        perplexity = f"perplexity {math.exp(min(nats, 700)):.2f}"
        return f"{nats / math.log(2):.4f} bits per {self._unit} ({perplexity})" if self.bits else perplexity

    @property
    def _unit(self) -> str:
        return "character" if self.trainer.config.text.level == "char" else "byte"

    def _step(self, record: StepRecord) -> None:
        now = time.monotonic()
        if not self.live and now - self.last_plain < PLAIN_EVERY:
            return
        self.last_plain = now
        trainer, steps = self.trainer, self.trainer.settings.record_every
        done = trainer.share_done
        left = clock(record.seconds * (1 - done) / done) if done > 0.002 else "…"
        value = record.nats_per_token / math.log(2) if self.bits else math.exp(min(record.nats_per_token, 700))
        train = f"train {value:.3f} bits" if self.bits else f"train {value:.1f}"
        if trainer.config.task:
            train = f"loss {record.nats_per_token:.4f}"
        if record.omega is not None:
            train += f"  Ω {record.omega:.3f}"
        clipped = f" clipped {record.clipped}/{steps}" if record.clipped else ""
        skipped = f"  skipped {record.skipped}" if record.skipped else ""
        line = (
            f"epoch {record.epoch}/{trainer.settings.epochs}  step {record.step:,}  "
            f"{record.tokens_per_second:,.0f} tokens/s  {train}{self.validation if self.live else ''}  "
            f"|g| {record.gradient_norm:.2f}{clipped}{skipped}  ETA {left}"
        )
        if self.live:
            self.live.update(self.task, completed=done, description=line, refresh=True)
        else:
            self.say(line)

    def _stop(self, record: StopRecord) -> None:
        path = self.trainer.run_folder.path
        steps = max(record.step, 1)
        self.say(
            f"{REASONS[record.reason]} after {record.step:,} steps, {clock(record.seconds)}; "
            f"clipped {record.clipped / steps:.0%} of the steps, skipped {record.skipped}"
        )
        if record.best_wrong is not None:
            self.say(f"best: {record.best_wrong:.2%} of the sequences held out wrong")
        elif math.isfinite(record.best_nats_per_token):
            self.say(f"best validation: {self._measure(record.best_nats_per_token)}")
        if record.reason in ("asked", "max_time"):
            more = "" if record.reason == "asked" else " --max-time SECONDS"
            self.say(f"go on:   elman train --resume {path}{more}")
        if record.best_wrong is not None:
            self.say(f"try:     elman evaluate {path} --task-length 500")
        elif record.reason != "asked":
            self.say(f'try:     elman generate {path} "The" --temperature 0.8')
