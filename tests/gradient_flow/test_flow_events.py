"""The TensorBoard event files of `elman flow`, read back record by record."""

from __future__ import annotations

import errno
import os
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command_line import Run, fails

import elman
from elman.cli.entry import run
from elman.gradient_flow.history import LENS, History
from elman.gradient_flow.view import Subject, View

pytest.importorskip("tensorboardX", reason="tensorboardX is not installed")
from tensorboardX.proto.event_pb2 import Event
from tensorboardX.record_writer import RecordWriter, masked_crc32c

from elman.gradient_flow.events import FILE, write_events


def read(path: Path) -> list[Any]:
    """The events of a TFRecord file, with its checksums verified."""
    data, at, found = path.read_bytes(), 0, []
    while at < len(data):
        header = data[at : at + 8]
        (size,) = struct.unpack("<Q", header)
        body = data[at + 12 : at + 12 + size]
        assert struct.unpack("<I", data[at + 8 : at + 12])[0] == masked_crc32c(header)
        assert struct.unpack("<I", data[at + 12 + size : at + 16 + size])[0] == masked_crc32c(body)
        found.append(Event.FromString(body))
        at += 16 + size
    return found


def scalars(events: list[Any]) -> dict[str, list[tuple[int, float]]]:
    found: dict[str, list[tuple[int, float]]] = {}
    for event in events:
        for value in event.summary.value:
            if value.HasField("simple_value"):
                found.setdefault(value.tag, []).append((event.step, value.simple_value))
    return found


def history(watched: bool = True) -> History:
    records: list[dict[str, Any]] = [
        {"kind": "step", "step": 10, "gradient_norm": 2.5, "nats_per_token": 4.0, "learning_rate": 0.5, "clipped": 5,
         "skipped": 0},
        {"kind": "step", "step": 20, "gradient_norm": None, "nats_per_token": 3.0, "learning_rate": 0.25, "clipped": 0,
         "skipped": 1},
        {"kind": "validation", "step": 20, "nats_per_token": 3.5},
    ]  # fmt: skip
    for step in (0, 15) if watched else ():
        numbers = dict.fromkeys(LENS, step + 0.5)
        norms = [-float(lag) for lag in range(9)] + [None]
        records.append({"kind": "flow", "step": step, "verdict": "healthy", "log10_norms_by_lag": norms, **numbers})
    return History.of(records, clip=1, record_every=10)


def view(label: str) -> View:
    p = elman.Parameters.initialise(3, 4, 5, dtype="float64")
    return View.of(p, np.arange(9) % 3, list("abcabcabc"), Subject(label, "small"))


def test_every_record_is_a_scalar_at_its_step(tmp_path: Path) -> None:
    (path,) = write_events(tmp_path / "new", [], {"runs/book": history()})
    assert path.parent == tmp_path / "new" / "book"
    assert "tfevents" in path.name  # what TensorBoard looks for
    events = read(path)
    assert events[0].file_version == "brain.Event:2"
    assert scalars(events) == {
        "gradient_norm": [(10, 2.5)],  # the NaN is left out
        "nats_per_token": [(10, 4), (20, 3)],
        "learning_rate": [(10, 0.5), (20, 0.25)],
        "clipped_share": [(10, 0.5), (20, 0)],
        "skipped_share": [(10, 0), (20, pytest.approx(0.1))],
        "validation/nats_per_token": [(20, 3.5)],
        **{f"lens/{name}": [(0, 0.5), (15, 15.5)] for name in LENS},
        **{f"lens/log10_norm_at_lag_{lag}": [(0, -lag), (15, -lag)] for lag in (1, 2, 4, 8)},
    }


def test_a_run_without_watch_gradients_has_no_lens_curves(tmp_path: Path) -> None:
    (path,) = write_events(tmp_path, [], {"book": history(watched=False)})
    assert not [tag for tag in scalars(read(path)) if tag.startswith("lens")]


def test_two_networks_get_a_folder_each_and_their_diagnosis(tmp_path: Path) -> None:
    views = [view("runs/book, before training"), view("runs/book"), view("other/book"), view("..")]
    written = write_events(tmp_path, views, {"runs/book": history()})
    assert [path.parent.name for path in written] == ["book-before-training", "book", "book-2", "run"]
    for path, shown in zip(written, views, strict=True):
        (said,) = [value for event in read(path) for value in event.summary.value if value.HasField("tensor")]
        assert said.tag == "diagnosis/text_summary"
        assert said.metadata.plugin_data.plugin_name == "text"
        assert shown.diagnosis.text in said.tensor.string_val[0].decode()
        assert bool(scalars(read(path))) == (shown.subject.label == "runs/book")


def test_writing_again_replaces_the_file(tmp_path: Path) -> None:
    (path,) = write_events(tmp_path, [view("book")], {"book": history()})
    before = path.read_bytes()
    assert write_events(tmp_path, [view("book")], {"book": history()}) == [path]
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_a_missing_package_is_reported_in_one_sentence() -> None:
    code = (
        "import sys; sys.modules['tensorboardX'] = None\nfrom elman.errors import MissingExtraError\n"
        "try: import elman.gradient_flow.events\nexcept MissingExtraError as error: sys.stdout.write(str(error))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "the event files need tensorboardX: pip install 'elman[tensorboard]'"


def test_from_the_command_line(command: Run, char_run: Path, tmp_path: Path) -> None:
    done = command("flow", char_run, "--tensorboard", tmp_path / "events")
    assert done.returncode == 0, done.stderr
    (path,) = (tmp_path / "events").glob("*/*")
    assert {"gradient_norm", "validation/nats_per_token"} <= set(scalars(read(path)))


def test_training_writes_its_records_as_they_come(command: Run, corpus: Path, tmp_path: Path) -> None:
    """And a run that goes on begins the file anew, with the records that it keeps."""
    run, folder = tmp_path / "run", tmp_path / "events"
    small = ("--hidden", 8, "--batch-size", 4, "--bptt", 8, "--record-every", 5, "--watch-gradients", 20)
    done = command("train", corpus, "--out", run, "--epochs", 2, "--tensorboard", folder, *small)
    assert done.returncode == 0, done.stderr
    assert command("train", "--resume", run, "--epochs", 3, "--tensorboard", folder).returncode == 0
    live = read(folder / "run" / FILE)
    times = [event.wall_time for event in live]
    assert times == sorted(times)
    assert times[-1] > 0
    assert command("flow", run, "--tensorboard", tmp_path / "afterwards").returncode == 0
    assert scalars(live) == scalars(read(tmp_path / "afterwards" / "run" / FILE))
    assert {"gradient_norm", "validation/nats_per_token", "lens/reach"} <= set(scalars(live))


class FullDisk(RecordWriter):
    """A file that takes its first 5 events."""

    written = 0

    def write(self, data: bytes) -> None:
        self.written += 1
        if self.written > 5:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        super().write(data)


def test_training_goes_on_where_events_can_no_longer_be_written(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(elman.gradient_flow.events, "RecordWriter", FullDisk)
    call = ["train", corpus, "--out", tmp_path / "run", "--tensorboard", tmp_path / "events", "--epochs", 1]
    assert run([*map(str, call), "--hidden", "8", "--batch-size", "4", "--bptt", "8", "--record-every", "5"]) == 0
    said = capfd.readouterr().err
    assert said.count("No space left on device") == 1
    assert "the run goes on without TensorBoard's events" in said
    assert "all epochs done" in said


def test_the_events_need_a_folder(command: Run, corpus: Path) -> None:
    fails(command("train", corpus, "--tensorboard", corpus), "is a file: --tensorboard writes into a folder")
