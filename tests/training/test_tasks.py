"""The synthetic tasks: sequences by the published rules, gradients, when they count as solved, runs."""

from __future__ import annotations

import json
import math
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command_line import Run

import elman
from elman.checkpoint import RunFolder
from elman.config import TASKS, TaskConfig
from elman.errors import ConfigError, ShapeError
from elman.model.bptt import backward
from elman.model.output.full import FullOutput
from elman.training.problem import Batch, Measure
from elman.training.records import StepRecord, StopRecord, ValidationRecord
from elman.training.start import resume, start_task
from elman.training.tasks import problem as tasks
from elman.training.tasks.problem import TaskProblem
from elman.training.tasks.sequences import COPIED, OFFSET, VOCABULARY, predictable

SMALL: dict[str, Any] = {"epochs": 1, "B": 3, "save_every": 7, "record_every": 5}


def drawn(name: str, T: int, B: int = 400, seed: int = 0) -> Batch:
    return TaskProblem(TaskConfig(name, T, T), B, seed).batch(0, 0)  # type: ignore[arg-type]


def words(name: str, ids: np.ndarray) -> list[str]:
    return [VOCABULARY[name][k - OFFSET] for k in ids]


def small(name: str, layers: int = 1) -> elman.Parameters:
    V = OFFSET + len(VOCABULARY[name])
    return elman.Parameters.initialise(V, 4, 6, activation="tanh", seed=3, dtype="float64", layers=layers)


# Sequences


@pytest.mark.parametrize("T", [10, 57, 200])
def test_temporal_order(T: int) -> None:
    """Hochreiter and Schmidhuber 1997, 6a: exactly two of A, B, in their tenths; the answer names both in order."""
    batch, seen = drawn("temporal-order", T), Counter[str]()
    assert batch.x.shape == (T, 400)
    assert (batch.y.shape, batch.first) == ((1, 400), T - 1)
    for b in range(400):
        read = words("temporal-order", batch.x[:, b])
        places = [k for k, word in enumerate(read) if word in "AB"]
        assert len(places) == 2
        assert T // 10 <= places[0] < 2 * (T // 10)
        assert 5 * T // 10 <= places[1] < 5 * T // 10 + T // 10
        assert {word for word in read if word not in "AB"} <= set("cdef")
        (answer,) = words("temporal-order", batch.y[:, b])
        assert answer == read[places[0]] + read[places[1]]
        seen[answer] += 1
    assert min(seen.values()) > 60  # of about 100 each
    assert len(seen) == 4


def test_adding() -> None:
    batch = drawn("adding", 50)
    values, markers = batch.x[..., OFFSET], batch.x[..., OFFSET + 1]
    assert not batch.x[..., :OFFSET].any()
    assert 0 <= values.min() < 0.01 < 0.99 < values.max() < 1
    assert (np.sort(np.unique(markers)) == [0, 1]).all()
    assert (markers.sum(axis=0) == 2).all()
    assert (markers[:5].sum(axis=0) == 1).all()
    assert (markers[5:25].sum(axis=0) == 1).all()
    assert np.allclose(batch.y[0], (values * markers).sum(axis=0) / 2)


def test_copying() -> None:
    batch = drawn("copying", 30, B=50)
    for b in range(50):
        read, said = words("copying", batch.x[:, b]), words("copying", batch.y[:, b])
        assert read[:10] == said
        assert set(said) <= set("12345")
        assert read[10:39] == ["blank"] * 29
        assert read[39] == "copy"
        assert read[40:] == ["blank"] * 10
        assert batch.first == 40
    assert len(np.unique(batch.y)) == 5


def test_xor() -> None:
    batch = drawn("xor", 60, B=50)
    for b in range(50):
        stream = words("xor", np.append(batch.x[:, b], batch.y[-1, b]))
        assert (batch.x[1:, b] == batch.y[:-1, b]).all()
        for k in range(0, 60, 3):
            assert int(stream[k]) ^ int(stream[k + 1]) == int(stream[k + 2])
    assert 0.4 < (batch.x == OFFSET).mean() < 0.6


def test_anbn() -> None:
    batch, seen = drawn("anbn", 100, B=50), set[int]()
    for b in range(50):
        stream = "".join(words("anbn", np.append(batch.x[:, b], batch.y[-1, b])))
        while "ab" in stream and "ba" in stream:
            n = stream.index("b")
            assert stream.startswith("a" * n + "b" * n)
            assert stream[2 * n :][:1] in ("", "a")
            seen.add(n)
            stream = stream[2 * n :]
    assert seen == set(range(1, 11))


@pytest.mark.parametrize("name", TASKS)
def test_batches_are_new_every_step_and_the_same_when_asked_again(name: str) -> None:
    task = TaskProblem(TaskConfig(name, 12, 40), 5, 1)
    first, again, next_, later = task.batch(0, 0), task.batch(0, 0), task.batch(0, 1), task.batch(1, 0)
    assert np.array_equal(first.x, again.x)
    assert np.array_equal(first.y, again.y)
    for other in (next_, later, TaskProblem(TaskConfig(name, 12, 40), 5, 2).batch(0, 0)):
        assert other.x.shape != first.x.shape or not np.array_equal(other.x, first.x)
    extra = 2 * COPIED if name == "copying" else 0
    lengths = {len(task.batch(0, k).x) - extra for k in range(300)}
    assert (min(lengths), max(lengths)) == (12, 40)


# Gradients


@pytest.mark.usefixtures("every_kernels")
@pytest.mark.parametrize("name", TASKS)
@pytest.mark.parametrize("layers", [1, 2])
def test_the_gradients_of_every_task_equal_central_differences(name: str, layers: int) -> None:
    """In a random direction, and for each weight alone; the loss is that of the steps that have one."""
    task, p = TaskProblem(TaskConfig(name, 12, 12), 3, 0), small(name, layers)
    batch = task.batch(0, 0)
    h_0 = p.initial_state(3)
    found = task.backward(p, batch, h_0, None, 0.0)
    generator = np.random.default_rng(0)
    for key, gradient in found.gradients.distinct():
        dense = gradient.dense() if hasattr(gradient, "dense") else gradient
        w = dict(p.distinct())[key]
        direction = generator.standard_normal(w.shape)
        losses = []
        for step in (1e-6, -1e-6):
            w += step * direction
            losses.append(task.backward(p, batch, h_0, None, 0.0).J)
            w -= step * direction
        assert float((dense * direction).sum()) == pytest.approx((losses[0] - losses[1]) / 2e-6, rel=1e-6, abs=1e-10)


def test_losses_from_a_step_on_are_the_last_ones_of_all(tmp_path: Path) -> None:
    """J^(first+1..T) of a whole pass, and nothing of the steps before."""
    p, batch = small("copying"), drawn("copying", 10, B=2)
    T = len(batch.x)
    y = np.concatenate([np.zeros((batch.first, 2), int), batch.y])
    every, _ = elman.model.network.losses(p, batch.x, y)
    found = backward(p, batch.x, batch.y, first=batch.first)
    assert pytest.approx(every[batch.first :].mean(), rel=1e-12) == found.J
    assert found.dh.shape == (T, 2, p.Dh)
    assert not found.dh[: batch.first].any()
    with pytest.raises(ShapeError, match=r"y 30 steps shorter than x"):
        backward(p, batch.x, y, first=batch.first + 10)


# When a task is solved


class Knows:
    """A made-up network that answers as `answers` says, in place of the last layers."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, name: str, wrong: float) -> None:
        self.name, self.wrong, self.task = name, wrong, TaskProblem(TaskConfig(name, 20, 60), 5, 0)
        self.asked = 0
        monkeypatch.setattr(FullOutput, "log_probabilities", lambda output, h: self.log_p)
        true = TaskProblem.draw

        def remembering(task: Any, generator: Any, T: int, B: int) -> Batch:
            batch = true(task, generator, T, B)
            said = batch.y.copy()
            spoilt = np.arange(self.asked, self.asked + B) % 1000 < self.wrong * 1000
            self.asked += B
            said[-1, spoilt] = np.where(batch.y[-1, spoilt] == OFFSET, OFFSET + 1, OFFSET)
            self.log_p = np.log(np.full((*said.shape, 20), 0.01))
            np.put_along_axis(self.log_p, said[..., None], math.log(0.81), axis=-1)
            return batch

        monkeypatch.setattr(TaskProblem, "draw", remembering)


@pytest.mark.parametrize("name", ["temporal-order", "copying"])
@pytest.mark.parametrize(("share", "solved"), [(0.0, True), (0.009, True), (0.01, False), (0.5, False)])
def test_wrong_is_the_share_of_sequences_and_solved_is_under_one_percent(
    monkeypatch: pytest.MonkeyPatch, name: str, share: float, solved: bool
) -> None:
    made = Knows(monkeypatch, name, share)
    found = made.task.measure(small(name))
    assert made.asked == 10_000
    assert found.wrong == pytest.approx(share)
    assert made.task.solved(found) is solved


def test_what_cannot_be_known_is_not_asked_for() -> None:
    xor, anbn = drawn("xor", 30, B=1), drawn("anbn", 60, B=1)
    assert predictable("xor", xor)[:6, 0].tolist() == [False, True, False, False, True, False]
    told = predictable("anbn", anbn)[:, 0]
    stream = words("anbn", anbn.x[:, 0])
    assert told.tolist() == [letter == "b" for letter in stream]


def test_adding_is_wrong_where_the_squared_error_is_over_a_25th() -> None:
    """A network of zeros that answers b_2[0]: the share of sequences farther from it than 0.2."""
    p = small("adding")
    for _, w in p.distinct():
        w[...] = 0
    p.b_2[0] = 0.5
    task = TaskProblem(TaskConfig("adding", 20, 60), 5, 0)
    found = task.measure(p)
    # of a mean of two uniforms: P(|mean - 1/2| > 0.2) = (1 - 2·0.2)² = 0.36; E (mean - 1/2)² = 1/24
    assert found.wrong == pytest.approx(0.36, abs=0.02)
    assert found.nats == pytest.approx(1 / 24, rel=0.05)
    assert not task.solved(found)
    assert task.solved(Measure(0.0, 0.0099))


# Runs


def started(folder: Path, name: str, **more: Any) -> Any:
    task = TaskConfig(name, 10, 14)  # type: ignore[arg-type]
    return start_task(RunFolder(folder), task, {"Dh": 8, "d": 4}, SMALL | more)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "HELD_OUT", 100)
    monkeypatch.setattr(tasks, "STEPS_IN_EPOCH", 20)


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("name", TASKS)
def test_a_stopped_run_goes_on_to_the_same_bytes(tmp_path: Path, name: str) -> None:
    settings = {"clip_adaptive": 2.0, "omega_form": "ratio", "epochs": 2}
    whole = list(started(tmp_path / "whole", name, **settings).run())
    broken = started(tmp_path / "broken", name, **settings)
    for record in broken.run():
        if isinstance(record, StepRecord) and record.step == 25:
            broken.stop()
    assert record.reason == "asked"
    *_, last = resume(RunFolder(tmp_path / "broken"), {}).run()
    assert (last.step, last.best_wrong) == (40, whole[-1].best_wrong)
    for file in ("model.safetensors", "config.json", "tokenizer.json"):
        assert (tmp_path / "whole" / file).read_bytes() == (tmp_path / "broken" / file).read_bytes()


@pytest.mark.usefixtures("quick")
def test_a_solved_task_ends_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(TaskProblem, "measure", lambda self, p: Measure(0.1, 0.005))
    *_, validation, stop = started(tmp_path / "run", "xor", epochs=50).run()
    assert isinstance(validation, ValidationRecord)
    assert isinstance(stop, StopRecord)
    assert (stop.reason, stop.step, stop.best_wrong) == ("solved", 20, 0.005)


def test_xor_in_time_is_learnt(tmp_path: Path) -> None:
    """Elman's own: every third bit is known, the others are not; the loss comes down to two thirds of ln 2."""
    task = TaskConfig("xor", 30, 60)
    trainer = start_task(RunFolder(tmp_path / "run"), task, {"Dh": 16}, {"lr": 0.01, "epochs": 3, "omega": 0.0})
    *records, stop = trainer.run()
    assert stop.reason == "solved"
    assert stop.best_wrong < 0.01
    last = [record for record in records if isinstance(record, ValidationRecord)][-1]
    assert last.nats_per_token == pytest.approx(2 / 3 * math.log(2), rel=0.1)


def test_from_the_command_line(command: Run, tmp_path: Path) -> None:
    out = tmp_path / "xor"
    options = ("--epochs", 2, "--hidden", 12, "--lr", 0.01, "--omega", 0, "--json")
    done = command("train", "--task", "xor", "--task-length", "20-40", "--out", out, *options)
    assert done.returncode == 0, done.stderr
    assert "the task xor, 20 to 40 steps" in done.stderr
    summary = json.loads(done.stdout)
    assert summary["reason"] in ("solved", "epochs")
    assert json.loads((out / "config.json").read_text())["task"] == {"name": "xor", "shortest": 20, "longest": 40}
    # its own task, at its own lengths and at others
    own, longer = (
        json.loads(command("evaluate", out, *more, "--json").stdout) for more in ((), ("--task-length", "300"))
    )
    assert (own["task"], own["shortest"], own["longest"], own["sequences"]) == ("xor", 20, 40, 10_000)
    assert (longer["shortest"], longer["longest"]) == (300, 300)
    assert abs(own["wrong_sequences"] - summary["wrong_sequences"]) < 0.05
    said = command("evaluate", out).stdout
    assert f"{own['wrong_sequences']:.2%}" in said
    assert json.loads(command("info", out, "--json").stdout)["wrong_sequences"] == summary["wrong_sequences"]
    assert set(command("generate", out, "0 1", "--max-tokens", 9).stdout.split()) <= {"0", "1", "<unk>", "<eos>"}


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--task", "xor", "book.txt"), "--task makes its own sequences and contradicts TEXT: leave that out"),
        (("--task", "xor", "--level", "char"), "contradicts --level"),
        (("--task", "xor", "--bptt", "5"), "--task-length says how long they are"),
        (("--task-length", "50"), "--task-length is the length of a --task: name one, or leave it out"),
        (("--task", "xor", "--task-length", "9"), "task-length is '9-9'; it must be SHORTEST-LONGEST with at least 10"),
        (("--task", "xor", "--task-length", "60-50"), "task-length is '60-50'; it must be"),
        (("--task", "xor", "--task-length", "1-2-3"), "task-length is '1-2-3'; it must be a number of steps"),
        (("--task", "xor", "--task-length", "²"), "task-length is '²'; it must be a number of steps"),
        (("--task", "adding", "--dropout", "0.1"), "the task adding reads real numbers: leave out --dropout"),
    ],
)
def test_what_does_not_fit_is_said_in_a_sentence(
    command: Run, tmp_path: Path, arguments: tuple[str, ...], says: str
) -> None:
    done = command("train", "--out", tmp_path / "run", *arguments)
    assert done.returncode == 2
    assert says in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "run").exists()


def test_a_run_of_a_text_has_no_task_to_be_measured_on(command: Run, word_run: Path, corpus: Path) -> None:
    for arguments, says in (
        ((word_run,), "was trained on a text, not on a task, so name the TEXT to measure it on"),
        ((word_run, corpus, "--task-length", "50"), "--task-length"),
    ):
        done = command("evaluate", *arguments)
        assert done.returncode == 2
        assert says in done.stderr
        assert len(done.stderr.strip().splitlines()) == 1


def test_an_unknown_task_is_refused() -> None:
    with pytest.raises(ConfigError, match="choose one of temporal-order, adding, copying, xor, anbn"):
        TaskConfig("parity", 10, 20)  # type: ignore[arg-type]
