"""The progress of `elman train`: a live line on a terminal, plain lines elsewhere. All of it goes to stderr.

A line has one piece of text for each number. Where the terminal is too narrow for all of them, the least important
pieces are left out.
"""

from __future__ import annotations

import contextlib
import math
import shlex
import time
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.table import Column

from elman.checkpoint import load_config
from elman.cli.streams import console
from elman.text.tokenizer import Tokenizer
from elman.training.loop import Trainer
from elman.training.problem import TextProblem
from elman.training.records import FlowRecord, Record, RescueRecord, StepRecord, StopRecord, ValidationRecord
from elman.translation import translate
from elman.wording import columns, count, perplexity_in_words

PLAIN_EVERY = 10.0
"""Seconds between plain lines."""
BAR = 10
"""Columns of the bar."""
PROMPTS = ("The", "the", "I", "It")
"""Beginnings that the last hint proposes, the first that is in the vocabulary."""

Piece = tuple[int, str]
"""How important a piece of a line is, 0 the most, and its text."""

REASONS = {
    "epochs": "all epochs done",
    "max_time": "time is up",
    "patience": "validation no longer gains",
    "mikolov": "validation no longer gains (Mikolov's rule)",
    "solved": "the task is solved: under 1 % of the sequences held out are wrong",
    "asked": "stopped as asked",
}


def fitted(pieces: Iterable[Piece], width: int) -> str:
    """The pieces in their order, two blanks between; without the least important ones where all do not fit."""
    kept = [(rank, translate(text)) for rank, text in pieces if text]
    while columns("  ".join(text for _, text in kept)) > width and any(rank for rank, _ in kept):
        kept.remove(max(kept, key=lambda piece: piece[0]))
    return "  ".join(text for _, text in kept)


def prompt_from(tokenizer: Tokenizer) -> str:
    """A word that the vocabulary has, to begin a text with; empty where it has none."""
    for prompt in PROMPTS:
        if not tokenizer.encode_with_oov(prompt)[1].any():
            return prompt
    return next((token for token in tokenizer.tokens if token.isalpha()), "")


def number(nats: float) -> str:
    """A perplexity in few columns: 102.20, 1,234.50, 1.23e+45."""
    return perplexity_in_words(nats, plain_below=1e5)


def reading(what: str, pieces: Iterable[str], size: int) -> Iterator[str]:
    """Passes the pieces on, with a bar if there is a terminal and the text is not small; `size` is in bytes."""
    terminal = console(stderr=True)
    shown = (TextColumn(translate(f"reading {what}")), BarColumn(bar_width=30), TaskProgressColumn())
    with Progress(*shown, console=terminal, transient=True, disable=not terminal.is_terminal or size < 2**22) as bar:
        task = bar.add_task(what, total=size)
        for piece in pieces:
            yield piece
            bar.advance(task, len(piece.encode(errors="surrogateescape")))


@contextlib.contextmanager
def waiting(what: str) -> Iterator[None]:
    """Shows that something takes long that cannot say how far it is."""
    terminal, what = console(stderr=True), translate(what)
    if not terminal.is_terminal:
        terminal.print(what, markup=False)
    shown = (TextColumn(what), SpinnerColumn("line"), TimeElapsedColumn())
    with Progress(*shown, console=terminal, transient=True, disable=not terminal.is_terminal) as bar:
        bar.add_task(what, total=None)
        yield


def clock(seconds: float) -> str:
    """1:05, 2:00:09."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


class Display:
    """Shows the records of a run; a context manager, which removes the live line in the end."""

    def __init__(self, trainer: Trainer, on: Console | None = None, now: Callable[[], float] = time.monotonic) -> None:
        self.trainer, self.now = trainer, now
        self.console = on or console(stderr=True)
        self.bits = trainer.config.text.level in ("byte", "char")
        self.valid = ""
        self.last_plain = 0.0
        self.live: Progress | None = None
        if self.console.is_terminal:
            shown = (BarColumn(bar_width=BAR), TextColumn("{task.description}", table_column=Column(no_wrap=True)))
            self.live = Progress(*shown, console=self.console, transient=True, auto_refresh=False)
            self.task = self.live.add_task("", total=1.0)

    def __enter__(self) -> Self:
        trainer = self.trainer
        model, settings = trainer.config.model, trainer.settings
        tied = ", tied" if model.tie else ""
        self.say(f"corpus   {trainer.config.corpus}")
        if isinstance(trainer.problem, TextProblem):
            predicted, level = trainer.problem.streams.predictions, trainer.config.text.level
            self.say(f"tokens   {predicted:,} at level {level}, {model.V:,} different")
        layers = f" layers={model.layers}{' skip' * model.skip}" if model.layers > 1 else ""
        parameters = count(trainer.p.count, "parameter")
        output = "" if model.output == "full" else f", {model.output} output"
        self.say(f"model    d={model.d} Dh={model.Dh}{layers} {model.activation}{tied}{output}: {parameters}")
        path, rate = trainer.run_folder.path, f"{settings.lr:g}"
        epochs = count(settings.epochs, "epoch")
        if settings.max_time:
            epochs += f" or {clock(settings.max_time)}"
        self.say(f"run      {path}: {epochs}, {settings.optimizer}, lr {rate}")
        if trainer.device:
            self.say(f"device   {trainer.device.name}")
        for remark in trainer.remarks:
            self.say(f"note     {remark}")
        if trainer.progress.step:
            self.say(f"resumed  at step {trainer.progress.step:,}")
        if self.live:
            self.live.start()
        self.last_plain = self.now()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.live:
            self.live.stop()

    def say(self, line: str) -> None:
        """A line that stays, in the current language."""
        self._print(translate(line))

    def _print(self, line: str) -> None:
        self.console.print(line, markup=False)

    def show(self, record: Record) -> None:
        """Shows a record."""
        match record:
            case StepRecord():
                self._step(record)
            case ValidationRecord():
                self._validation(record)
            case FlowRecord():
                pass  # `elman flow` shows them
            case RescueRecord():
                self.say(
                    f"step {record.step:,}: several steps in a row had no finite gradient; training goes back to "
                    f"step {record.back_to:,} with {record.factor:g} times the learning rate"
                )
            case StopRecord():
                self._stop(record)

    def _validation(self, record: ValidationRecord) -> None:
        form = "{} {} bits" if self.bits else "{} perplexity {}"
        train = form.format("train", self._loss(record.train_nats_per_token))
        valid = form.format("valid", self._loss(record.nats_per_token))
        if record.wrong is not None:
            train, valid = f"train loss {record.train_nats_per_token:.4f}", f"valid {record.wrong:.2%} wrong"
        self.valid = valid.replace("perplexity ", "")
        pieces = (
            (0, f"epoch {record.epoch:>3}"),
            (2, f"step {record.step:>7,}"),
            (0, train),
            (0, valid),
            (4, f"lr {record.learning_rate:.2g}"),
            (3, clock(record.seconds)),
            (1, "best" if record.best else ""),
        )
        self._print(fitted(pieces, self.console.width))

    def _loss(self, nats: float) -> str:
        """Bits per character or byte, or the perplexity, as a number."""
        if not math.isfinite(nats):
            return "not finite"
        return f"{nats / math.log(2):.4f}" if self.bits else number(nats)

    def _measure(self, nats: float) -> str:
        """The same with its unit."""
        if not self.bits:
            return f"perplexity {number(nats)}"
        return f"{nats / math.log(2):.4f} bits per {self._unit} (perplexity {number(nats)})"

    @property
    def _unit(self) -> str:
        return "character" if self.trainer.config.text.level == "char" else "byte"

    def _step(self, record: StepRecord) -> None:
        now = self.now()
        if not self.live and now - self.last_plain < PLAIN_EVERY:
            return
        self.last_plain = now
        trainer, steps = self.trainer, self.trainer.settings.record_every
        done = trainer.share_done
        left = clock(record.seconds * (1 - done) / done) if done > 0.002 else "…"
        train = f"train {self._loss(record.nats_per_token)}{' bits' if self.bits else ''}"
        if trainer.config.task:
            train = f"loss {record.nats_per_token:.4f}"
        pieces = (
            (0, f"epoch {record.epoch}/{trainer.settings.epochs}"),
            (2, f"step {record.step:,}"),
            (5, f"{record.tokens_per_second:,.0f} tokens/s"),
            (0, train),
            (6, "" if record.omega is None else f"Ω {record.omega:.3f}"),
            (1, self.valid if self.live else ""),
            (4, f"|g| {record.gradient_norm:.2f}"),
            (7, f"clipped {record.clipped}/{steps}" if record.clipped else ""),
            (3, f"skipped {record.skipped}" if record.skipped else ""),
            (0, f"ETA {left}"),
        )
        if self.live:
            line = fitted(pieces, self.console.width - BAR - 1)
            self.live.update(self.task, completed=done, description=line, refresh=True)
        else:
            self._print(fitted(pieces, self.console.width))

    def _stop(self, record: StopRecord) -> None:
        path = shlex.quote(str(self.trainer.run_folder.path))
        self.say(
            f"{REASONS[record.reason]} after {count(record.step, 'step')}, {clock(record.seconds)}; "
            f"clipped {record.clipped / max(record.step, 1):.0%} of the steps, skipped {record.skipped}"
        )
        if record.best_wrong is not None:
            self.say(f"best: {record.best_wrong:.2%} of the sequences held out wrong")
        elif math.isfinite(record.best_nats_per_token):
            self.say(f"best validation: {self._measure(record.best_nats_per_token)}")
        if record.reason == "asked":
            self.say(f"go on:   elman train --resume {path}")
        elif record.reason == "max_time":
            self.say(f"go on:   elman train --resume {path} --max-time SECONDS")
            self.say(f"         (SECONDS is the total, the {record.seconds:,.0f} so far included)")
        if record.best_wrong is not None:
            self.say(f"try:     elman evaluate {path} --task-length 500")
        elif record.reason != "asked":
            prompt = prompt_from(Tokenizer.from_json(load_config(self.trainer.run_folder)[1]))
            self.say(f"try:     elman generate {path} {f'{shlex.quote(prompt)} ' if prompt else ''}--temperature 0.8")
