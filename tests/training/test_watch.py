"""`--watch-gradients`: what the lens sees while a network learns, beside a run that it does not change."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command_line import Run

from elman.checkpoint import RunFolder
from elman.config import TaskConfig, TextConfig
from elman.gradient_flow import decompose, diagnose, norms_by_lag
from elman.text.corpus import Corpus
from elman.training.problem import Batch
from elman.training.records import FlowRecord
from elman.training.start import Sources, resume, start, start_task
from elman.training.watch import SEQUENCES, look

SMALL: dict[str, Any] = {"epochs": 2, "B": 4, "T": 12, "record_every": 5, "precision": "float64"}


def started(folder: Path, corpus: Path, **settings: Any) -> Any:
    sources = Sources(Corpus.from_paths([corpus]))
    return start(RunFolder(folder), sources, TextConfig("word"), {"d": 16, "Dh": 16}, SMALL | settings)


def flows(folder: Path) -> list[dict[str, Any]]:
    lines = (folder / "metrics.jsonl").read_text().splitlines()
    return [record for record in map(json.loads, lines) if record["kind"] == "flow"]


def test_it_looks_every_so_often_and_changes_nothing(tmp_path: Path, corpus: Path) -> None:
    steps = list(started(tmp_path / "without", corpus).run())[-1].step
    list(started(tmp_path / "with", corpus, watch_gradients=10).run())
    found = flows(tmp_path / "with")
    assert [record["step"] for record in found] == list(range(0, steps, 10))
    assert not flows(tmp_path / "without")
    assert (tmp_path / "with" / "model.safetensors").read_bytes() == (
        tmp_path / "without" / "model.safetensors"
    ).read_bytes()
    durations = [record["seconds"] for record in found]
    assert min(durations) > 0


def test_the_record_is_what_the_lens_shows(tmp_path: Path, corpus: Path) -> None:
    """Of the first sequences of the batch of that step, with the weights and the state before it."""
    trainer = started(tmp_path / "run", corpus, watch_gradients=25)
    looked = 0
    for record in trainer.run():
        if not isinstance(record, FlowRecord):
            continue
        batch = trainer.problem.batch(trainer.progress.epoch, trainer.progress.window)
        few = slice(0, SEQUENCES)
        flow = decompose(trainer.p, batch.x[:, few], batch.y[:, few], trainer.step.h[few])
        expected = diagnose(flow)
        assert record.verdict == expected.verdict
        for name in ("decay_rate", "reach", "sigma_max", "spectral_radius", "mean_slope", "flat", "cancellation"):
            assert getattr(record, name) == getattr(expected.numbers, name), name
        assert (record.sequences, record.T) == (SEQUENCES, 12)
        by_lag = [-np.inf if norm is None else norm for norm in record.log10_norms_by_lag]
        assert np.allclose(by_lag, norms_by_lag(flow), atol=1e-4)
        looked += 1
    assert looked >= 3


def test_a_stopped_run_is_watched_at_the_same_steps(tmp_path: Path, corpus: Path) -> None:
    list(started(tmp_path / "whole", corpus, watch_gradients=10).run())
    broken = started(tmp_path / "broken", corpus, watch_gradients=10)
    for record in broken.run():
        if getattr(record, "step", 0) >= 15:
            broken.stop()
    list(resume(RunFolder(tmp_path / "broken"), {}).run())
    whole, again = ([{**r, "seconds": 0} for r in flows(tmp_path / name)] for name in ("whole", "broken"))
    assert whole == again


def test_a_task_is_watched_with_a_loss_at_every_step(tmp_path: Path) -> None:
    """Where the task's own loss comes at the end, the steps before ask for its first answer too."""
    settings = {"epochs": 1, "watch_gradients": 500}
    trainer = start_task(RunFolder(tmp_path / "run"), TaskConfig("temporal-order", 20, 30), {"Dh": 8}, settings)
    first = next(trainer.run())
    assert isinstance(first, FlowRecord)
    batch = trainer.problem.batch(0, 0)
    assert len(batch.x) == first.T
    assert first.log10_norms_by_lag[-2] is not None  # to the second step: at the first h^(0) = 0, and so δ h^(0)T is


def test_an_overflow_is_no_record() -> None:
    import elman

    p = elman.Parameters.initialise(5, 4, 6, activation="relu", init="identity", spectral_radius=1e6)
    ids = np.ones((40, 2), int)
    assert look(0, p, Batch(ids, ids), p.initial_state(2) + 1) is None


def test_from_the_command_line(command: Run, corpus: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    sizes = ("--epochs", 1, "--hidden", 16, "--batch-size", 4, "--bptt", 8)
    done = command("train", corpus, "--out", out, *sizes, "--watch-gradients", 20)
    assert done.returncode == 0, done.stderr
    assert len(flows(out)) >= 2
    assert command("info", out).returncode == 0


def test_real_inputs_are_refused(command: Run, tmp_path: Path) -> None:
    done = command("train", "--task", "adding", "--watch-gradients", 10, "--out", tmp_path / "run")
    assert done.returncode == 2
    assert "--watch-gradients" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("activation", ["tanh", "sigmoid"])
def test_what_does_not_flow_is_null(activation: str) -> None:
    import elman

    p = elman.Parameters.initialise(5, 4, 6, activation=activation)
    p.W_h[...] = 0
    ids = np.ones((10, 2), int)
    record = look(0, p, Batch(ids, ids), p.initial_state(2) + 0.1)
    assert record is not None
    assert record.log10_norms_by_lag[0] is not None
    assert set(record.log10_norms_by_lag[1:]) == {None}
    assert record.verdict == "vanishing"
