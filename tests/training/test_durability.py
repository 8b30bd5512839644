"""New runs and resumed ones: reserved before the first byte, whole or not there, and checked before they go on."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command_line import TEXT, Run, fails

from elman.checkpoint import RunFolder, json_checksum
from elman.config import TextConfig, TrainingConfig
from elman.errors import CheckpointError, FileError, TextError
from elman.files import locked
from elman.text.batches import open_tokens
from elman.text.corpus import Corpus
from elman.training.defaults import for_few_tokens
from elman.training.loop import Trainer
from elman.training.records import end_of_records
from elman.training.start import Sources, resume, start

SMALL: dict[str, Any] = {"epochs": 2, "B": 4, "T": 8, "save_every": 7, "record_every": 5}


def started(folder: Path, text: str = TEXT, **settings: Any) -> Trainer:
    sources = Sources(Corpus.from_text(text))
    return start(RunFolder(folder), sources, TextConfig("word"), {"d": 8, "Dh": 8}, settings or SMALL)


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    """Stopped after 20 of its steps."""
    trainer = started(tmp_path / "run")
    for record in trainer.run():
        if getattr(record, "step", 0) >= 20:
            trainer.stop()
    return trainer.run_folder


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


HOLDING = """
import sys
from pathlib import Path
from elman.checkpoint import RunFolder
run = RunFolder(Path(sys.argv[1]))
with run.begun() if sys.argv[2] == "new" else run.resumed():
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def held_by_another(request: pytest.FixtureRequest, tmp_path: Path):
    """Holds a run's lock in another process."""
    others = []

    def hold(folder: Path, how: str) -> None:
        other = subprocess.Popen(
            [sys.executable, "-c", HOLDING, str(folder), how], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        others.append(other)
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"

    yield hold
    for other in others:
        other.communicate()


def test_a_second_train_into_one_new_folder_writes_nothing(
    tmp_path: Path, corpus: Path, command: Run, held_by_another: Any
) -> None:
    """Its tokens replaced those of the first, which learnt them, or ended with SIGBUS."""
    out = tmp_path / "run"
    held_by_another(out, "new")
    before = files(out)
    fails(command("train", corpus, "--out", out), "is being trained by another process")
    assert files(out) == before


def test_a_refused_resume_changes_nothing(run: RunFolder, command: Run, held_by_another: Any) -> None:
    """It cut metrics.jsonl and wrote config.json before it asked for the lock."""
    with run.metrics.open("a") as file:  # what the process that trains it has written since the checkpoint
        file.write('{"kind": "step"}\n')
    held_by_another(run.path, "resumed")
    before = files(run.path)
    fails(command("train", "--resume", run.path, "--epochs", 9), "is being trained by another process")
    assert files(run.path) == before


def test_a_resume_of_what_has_no_checkpoint_leaves_nothing(run: RunFolder, command: Run) -> None:
    shutil.rmtree(run.training)
    before = sorted(run.path.rglob("*"))
    fails(command("train", "--resume", run.path), f"{run.state} is missing")
    fails(command("train", "--resume", run.path.parent), "has no config.json")
    fails(command("train", "--resume", run.path / "none"), "there is no run at")
    assert sorted(run.path.rglob("*")) == before


def test_default_names_are_those_of_no_other_run(tmp_path: Path) -> None:
    """Two runs that began in the same second were one."""
    with contextlib.ExitStack() as stack:
        runs = [stack.enter_context(RunFolder.begun_unnamed(tmp_path / "runs", "now")) for _ in range(3)]
        for run in runs:
            run.config.write_text("{}")
    assert [run.path.name for run in runs] == ["now", "now-2", "now-3"]


def test_a_run_without_a_name_gets_the_time(tmp_path: Path, command: Run, corpus: Path) -> None:
    options = ("--epochs", 1, "--hidden", 8, "--batch-size", 4, "--bptt", 8)
    for _ in range(2):
        done = command("train", corpus, *options, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
    assert len([path for path in (tmp_path / "runs").iterdir() if (path / "config.json").exists()]) == 2


@pytest.mark.parametrize("there", [False, True])
def test_a_failed_start_leaves_nothing(tmp_path: Path, command: Run, there: bool) -> None:
    """Folders, tokens and a lock were left."""
    (tmp_path / "text.txt").write_text("a few words\n" * 100)
    out = tmp_path / "deep" / "er" / "run"
    if there:
        out.mkdir(parents=True)
    before = sorted(tmp_path.rglob("*"))
    options = ("--batch-size", 400, "--bptt", 40)
    fails(command("train", tmp_path / "text.txt", "--out", out, *options), "fewer than one window")
    assert sorted(tmp_path.rglob("*")) == before


def test_a_start_that_is_broken_off_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), RunFolder(tmp_path / "a" / "run").begun() as run:  # noqa: PT012
        run.train_tokens.write_bytes(b"tokens")
        run.state.write_bytes(b"state")
        raise KeyboardInterrupt
    assert not list(tmp_path.iterdir())


def test_a_run_without_its_config_is_not_overwritten(run: RunFolder) -> None:
    """A set-up that was killed has neither model nor metrics; a run that lost its config.json has."""
    run.config.unlink()
    with pytest.raises(CheckpointError, match=r"holds metrics\.jsonl, no run"), run.begun():
        pass
    assert run.metrics.exists()


def test_new_token_files_replace_the_old_ones(tmp_path: Path) -> None:
    """What another process has mapped stays as it was: a file that became shorter under it ended it with SIGBUS."""
    first = started(tmp_path / "run")
    tokens = first.run_folder.train_tokens
    mapped = open_tokens(tokens)
    before = mapped.copy()
    first.run_folder.config.unlink()
    started(tmp_path / "run", "another text of other words\n" * 20)
    assert len(open_tokens(tokens)) != len(before)
    np.testing.assert_array_equal(mapped, before)


@pytest.mark.parametrize("name", ["train.npy", "valid.npy"])
def test_tokens_with_a_flipped_bit_are_refused(run: RunFolder, name: str) -> None:
    """The run went on with them to another model."""
    path = run.training / name
    data = bytearray(path.read_bytes())
    data[-5] ^= 1
    path.write_bytes(data)
    before = files(run.path)
    with pytest.raises(CheckpointError, match="is damaged: its content does not match its checksum"):
        resume(run, {"epochs": 3})
    assert files(run.path) == before


def test_a_run_of_an_older_version_has_no_checksums_and_goes_on(run: RunFolder) -> None:
    content = json.loads(run.config.read_text())
    del content["sha256"]
    assert set(content.pop("tokens_sha256")) == {"train.npy", "valid.npy"}
    run.config.write_text(json.dumps(content | {"sha256": json_checksum(content)}))
    assert list(resume(run, {}).run())


def test_checksums_of_tokens_stay_when_settings_change(run: RunFolder) -> None:
    before = json.loads(run.config.read_text())
    resume(run, {"epochs": 3})
    after = json.loads(run.config.read_text())
    assert after["training"]["epochs"] == 3
    assert after["tokens_sha256"] == before["tokens_sha256"]


LINES = b'{"kind": "step", "step": 1}\n{"kind": "step", "step": 2}\n{"kind": "step", "step": 3}\n'


@pytest.mark.parametrize(
    ("data", "kept"),
    [
        (LINES, len(LINES)), (LINES[:-1], 56), (LINES[:60], 56), (LINES[:56] + bytes(28), 56), (bytes(84), 0),
        (LINES[:56] + b"{}}\n", 56), (LINES[:28] + b"null\n7\n[]\n", 28), (LINES[:20], 0), (b"", 0),
        (LINES + b"\n" * 2**18, len(LINES)), (b"x" * 2**18, 0),
    ],
)  # fmt: skip
def test_records_end_with_the_last_whole_one(tmp_path: Path, data: bytes, kept: int) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_bytes(data)
    assert end_of_records(path, len(data)) == kept


@pytest.mark.parametrize("damage", ["torn", "zeros", "gone"])
def test_metrics_that_lost_their_end_are_repaired_and_it_is_said(run: RunFolder, damage: str) -> None:
    """New records were added to the half of an old one, and nothing could read them."""
    data = run.metrics.read_bytes()
    lines = data.splitlines(keepends=True)
    lost = {"torn": 5, "zeros": len(lines[-1]) + len(lines[-2]), "gone": len(data)}[damage]
    if damage == "torn":
        run.metrics.write_bytes(data[:-5])
    elif damage == "zeros":
        run.metrics.write_bytes(data[:-lost] + bytes(lost))
    else:
        run.metrics.unlink()
    trainer = resume(run, {})
    kept = run.metrics.read_bytes() if run.metrics.exists() else b""
    assert kept == {"torn": b"".join(lines[:-1]), "zeros": b"".join(lines[:-2]), "gone": b""}[damage]
    assert len(trainer.remarks) == 1
    assert f"has lost the last {len(data) - len(kept):,} of {len(data):,} bytes" in trainer.remarks[0]
    list(trainer.run())
    assert all(json.loads(line)["kind"] for line in run.metrics.read_text().splitlines())
    assert not resume(run, {}).remarks


def test_metrics_and_folders_are_flushed_before_the_checkpoint_that_counts_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    events: list[str] = []
    replace, fsync = os.replace, os.fsync

    def noted(descriptor: int) -> None:
        number = os.fstat(descriptor).st_ino
        events.extend(path.name for path in (tmp_path, *tmp_path.rglob("*")) if path.stat().st_ino == number)
        fsync(descriptor)

    def renamed(source: Any, target: Any) -> None:
        events.append(f"-> {Path(target).name}")
        replace(source, target)

    monkeypatch.setattr(os, "fsync", noted)
    monkeypatch.setattr(os, "replace", renamed)
    with RunFolder(tmp_path / "a" / "run").begun() as run:
        assert events == [tmp_path.name, "a"]  # each new folder's name lasts
        trainer = started(run.path)
        assert events.index("-> train.npy") < events.index("-> valid.npy") < events.index("-> state.safetensors")
        assert events[-2:] == ["-> config.json", "run"]
        events.clear()
        for record in trainer.run():
            if getattr(record, "step", 0) == 10:
                trainer.stop()
    states = [k for k, event in enumerate(events) if event in ("-> state.safetensors", "-> stopped.safetensors")]
    assert len(states) == 2
    for begin, end in zip([0, states[0]], states, strict=True):
        assert {"metrics.jsonl", "run"} <= set(events[begin:end])


def test_few_tokens_lower_what_was_not_chosen() -> None:
    settings = TrainingConfig()  # B = 40, T = 20
    for tokens, chosen, expected in (
        (800, {}, (40, 20)), (799, {}, (39, 20)), (100, {}, (5, 20)), (7, {}, (1, 7)), (100, {"B": 40}, (40, 2)),
        (100, {"T": 20}, (5, 20)), (100, {"B": 40, "T": 20}, (40, 20)), (30, {"B": 40}, (40, 20)),
    ):  # fmt: skip
        found, remark = for_few_tokens(settings, chosen, tokens)
        assert expected == (found.B, found.T), (tokens, chosen)
        assert bool(remark) == (expected != (40, 20))
    assert for_few_tokens(settings, {}, 100, processes=2)[0].B == 4


def test_a_small_text_is_learnt_and_it_is_said(tmp_path: Path, command: Run) -> None:
    (tmp_path / "text.txt").write_text("the sea was calm\n" * 30)
    done = command("train", tmp_path / "text.txt", "--out", tmp_path / "run", "--epochs", 1)
    assert done.returncode == 0, done.stderr
    assert "fewer than one window of the default sizes: --batch-size is 7 instead of 20" in done.stderr
    training = json.loads((tmp_path / "run" / "config.json").read_text())["training"]
    assert (training["B"], training["T"]) == (7, 20)


def test_a_text_smaller_than_a_window_that_was_chosen_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TextError, match="fewer than one window of 40 streams of 20"):
        started(tmp_path / "run", "a b c d\n" * 10, B=40, T=20)


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EIO])
def test_a_file_system_without_locks_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def flock(descriptor: int, operation: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", flock)
    if number == errno.ENOSYS:  # there filelock has other means, or raises
        import filelock

        monkeypatch.setattr(filelock.FileLock, "acquire", lambda self: (_ for _ in ()).throw(NotImplementedError("no")))
    with pytest.raises(FileError, match="cannot lock") as error, locked(tmp_path / "lock", "taken"):
        pass
    assert ("choose a folder on a local disk" in str(error.value)) == (number != errno.EIO)
    assert not (tmp_path / "lock").exists()
