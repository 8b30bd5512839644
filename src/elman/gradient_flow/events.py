"""TensorBoard event files: what training recorded of its gradients, as it goes or afterwards, and the diagnosis."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

from elman.errors import MissingExtraError
from elman.files import sentence, whole
from elman.gradient_flow.history import LENS, History
from elman.gradient_flow.trajectory import Doubles
from elman.gradient_flow.view import View

try:
    from tensorboardX import summary
    from tensorboardX.proto.event_pb2 import Event
    from tensorboardX.record_writer import RecordWriter
except ImportError:
    raise MissingExtraError("the event files need tensorboardX: pip install 'elman[tensorboard]'") from None

FILE = "events.out.tfevents.0.elman"
"""One name, so that writing again replaces the file and TensorBoard draws no curve twice."""


def write_events(folder: Path, views: Sequence[View], histories: Mapping[str, History]) -> list[Path]:
    """Writes a subfolder for each network with its event file; NaN and infinities are left out.

    A run's records have no time of day: all events have the time 0, and the same run gives the same bytes.
    Raises FileError where a file cannot be written.
    """
    networks: list[tuple[str, View | None]] = [(view.subject.label, view) for view in views]
    networks += [(label, None) for label in histories if label not in {known for known, _ in networks}]
    written: list[Path] = []
    for label, view in networks:
        path = folder / _unused(_folder_name(label), {each.parent.name for each in written}) / FILE
        with sentence("create", path.parent):
            path.parent.mkdir(parents=True, exist_ok=True)
        with whole(path) as temporary:
            writer = RecordWriter(str(temporary))
            try:
                for event in _events(view, histories.get(label)):
                    writer.write(event.SerializeToString())
            finally:
                writer.close()
        written.append(path)
    return written


class LiveEvents:
    """The event file of a run while it trains, begun anew with the records so far; it has the path and, but for the
    time, the events of `write_events`.

    folder            where the subfolder with the file goes
    label             the run, which names the subfolder
    records           the lines of its metrics.jsonl so far, as dicts
    record_every      how many steps one of them is about

    An event's time is in seconds of training. Raises FileError where the file cannot be written.
    """

    def __init__(
        self, folder: Path, label: str, records: Iterable[Mapping[str, Any]] = (), record_every: int = 1
    ) -> None:
        self.path = folder / _folder_name(label) / FILE
        self._record_every, self._seconds = record_every, 0.0
        with sentence("create", self.path.parent):
            self.path.parent.mkdir(parents=True, exist_ok=True)
        with sentence("write", self.path):
            self._writer = RecordWriter(str(self.path))
            self._writer.write(_VERSION.SerializeToString())
            for record in records:
                self._add(record)
            self._writer.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        with suppress(OSError):  # everything has been flushed
            self._writer.close()

    def write(self, record: Mapping[str, Any]) -> None:
        """Adds a record, for TensorBoard to see at once. Raises FileError where the file takes no more."""
        with sentence("write", self.path):
            self._add(record)
            self._writer.flush()

    def _add(self, record: Mapping[str, Any]) -> None:
        if record["kind"] in ("step", "validation"):  # the lens's record has the seconds that it took
            self._seconds = record["seconds"]
        for event in _scalars(History.of([record], record_every=self._record_every)):
            event.wall_time = self._seconds
            self._writer.write(event.SerializeToString())


_VERSION = Event(wall_time=0.0, file_version="brain.Event:2")


def _events(view: View | None, history: History | None) -> Iterator[Any]:
    yield _VERSION
    if view is not None:
        # Markdown, which TensorBoard renders.
        text = f"**{view.subject.label}**, {view.subject.description}\n\n{view.diagnosis.text}"
        yield Event(wall_time=0.0, step=0, summary=summary.text("diagnosis", text))
    if history is not None:
        yield from _scalars(history)


def _scalars(history: History) -> Iterator[Any]:
    for tag, steps, values in _columns(history):
        for step, value in zip(steps, values, strict=True):
            if math.isfinite(step) and math.isfinite(value):
                yield Event(wall_time=0.0, step=int(step), summary=summary.scalar(tag, value))


def _columns(history: History) -> Iterator[tuple[str, Doubles, Doubles]]:
    """(tag, steps [n], values [n]) of each curve."""
    for name in ("gradient_norm", "nats_per_token", "learning_rate"):
        yield name, history.step, getattr(history, name)
    yield "clipped_share", history.step, history.clipped
    yield "skipped_share", history.step, history.skipped
    yield "validation/nats_per_token", history.validation_step, history.validation_nats
    for name in LENS:
        yield f"lens/{name}", history.flow_step, history.flow[name]
    lag = 1
    while lag < history.log10_norms_by_lag.shape[1]:
        yield f"lens/log10_norm_at_lag_{lag}", history.flow_step, history.log10_norms_by_lag[:, lag]
        lag *= 2


def _folder_name(label: str) -> str:
    """The last part of a run's path, in characters that every file system allows; TensorBoard shows it."""
    return re.sub(r"[^\w.]+", "-", re.split(r"[/\\]", label)[-1]).strip("-.") or "run"


def _unused(name: str, taken: set[str]) -> str:
    return name if name not in taken else next(f"{name}-{k}" for k in range(2, 99) if f"{name}-{k}" not in taken)
