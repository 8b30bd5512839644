"""The progress of training in a notebook: one block, which is replaced as records come in."""

from __future__ import annotations

import time
from typing import Any

from elman.errors import MissingExtraError
from elman.notebook_html import Line, block, chart, in_wanted_language, label, table
from elman.training.records import FlowRecord, Record, RescueRecord, StepRecord, StopRecord, ValidationRecord

EVERY = 0.5
"""Seconds between two changes of the block; validations are always shown."""


class Progress:
    """Shows a training run below the cell: `elman.train("book.txt", on_record=Progress())`.

    Raises MissingExtraError where IPython is not installed.
    """

    def __init__(self) -> None:
        try:
            from IPython.display import HTML, display
        except ImportError:
            raise MissingExtraError("Progress is for notebooks, and IPython is not installed: leave it out") from None
        self._html, self._display = HTML, display
        self._handle: Any = None
        self._step: StepRecord | None = None
        self._validations: list[ValidationRecord] = []
        self._end: StopRecord | None = None
        self._rescues = 0
        self._shown = -EVERY

    def __call__(self, record: Record) -> None:
        """Takes a record of training."""
        match record:
            case StepRecord():
                self._step = record
            case ValidationRecord():
                self._validations.append(record)
            case StopRecord():
                self._end = record
            case RescueRecord():
                self._rescues += 1
            case FlowRecord():
                return
        if isinstance(record, StepRecord) and time.monotonic() - self._shown < EVERY:
            return
        self._shown = time.monotonic()
        self._show()

    def _show(self) -> None:
        shown = self._html(self.html())
        if self._handle is None:
            self._handle = self._display(shown, display_id=True)
        else:
            self._handle.update(shown)

    @in_wanted_language
    def html(self) -> str:
        """The block as it is now."""
        rows: list[tuple[str, object]] = []
        if step := self._step:
            rows += [(label("epoch"), step.epoch), (label("step"), step.step)]
            rows += [(label("tokens per second"), round(step.tokens_per_second))]
            rows += [(label("training, nats per token"), step.nats_per_token)]
            rows += [(label("norm of the gradient"), step.gradient_norm)]
        if self._validations:
            last, best = self._validations[-1], min(v.nats_per_token for v in self._validations)
            rows += [(label("validation, nats per token"), last.nats_per_token), (label("best so far"), best)]
            rows += [(label("wrong sequences"), f"{last.wrong:.2%}")] if last.wrong is not None else []
        if self._rescues:
            rows.append((label("returns to a checkpoint"), self._rescues))
        at = [v.step for v in self._validations]
        lines = [
            Line(label("validation"), at, [v.nats_per_token for v in self._validations]),
            Line(label("training"), at, [v.train_nats_per_token for v in self._validations], dashed=True),
        ]
        end = self._end
        title = label(f"Trained {end.step:,} steps in {end.seconds:,.0f} seconds" if end else "Training")
        return block(title, table(rows), chart(lines, label("step"), label("nats per token")))
