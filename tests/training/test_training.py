"""Runs: repeatable, resumable at any moment, rescued, and ended for the right reason."""

from __future__ import annotations

import json
import math
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command_line import Run

import elman
from elman import checkpoint
from elman.checkpoint import RunFolder, load_state
from elman.config import Level, TextConfig, TrainingConfig
from elman.errors import CheckpointError, ConfigError, DivergedError, ElmanError
from elman.model.parameters import Parameters
from elman.text.batches import Streams
from elman.text.corpus import Corpus
from elman.training import problem as problem_module
from elman.training.call import Call
from elman.training.defaults import (
    LARGE_TEXT,
    SAMPLED_FROM,
    SMALL_TEXT,
    UNLIMITED,
    fitting_level,
    level_defaults,
    passes_in,
    with_defaults,
)
from elman.training.drawing import WordDropout
from elman.training.loop import Trainer
from elman.training.optimizer import AVERAGED_EVERY
from elman.training.records import RescueRecord, StepRecord, StopRecord, ValidationRecord
from elman.training.schedule import MikolovRule, learning_rate
from elman.training.start import Sources, resume, start

SMALL: dict[str, Any] = {
    "epochs": 3, "B": 4, "T": 8, "dropout": 0.2, "save_every": 7, "record_every": 5,
    "lr": TrainingConfig.lr, "warmup": TrainingConfig.warmup,
}  # fmt: skip


def started(folder: Path, corpus: Path, layers: int = 1, skip: bool = False, **settings: Any) -> Trainer:
    sources = Sources(Corpus.from_paths([corpus]))
    sizes = {"d": 16, "Dh": 16, "tie": True, "layers": layers, "skip": skip}
    return start(RunFolder(folder), sources, TextConfig("word"), sizes, SMALL | settings)


def contents(folder: Path) -> tuple[bytes, bytes, list[dict[str, Any]]]:
    """What must not differ between equal runs: model, state without its seconds, records without the clock's."""
    found = RunFolder(folder)
    config, _ = elman.checkpoint.load_config(found)
    p, arrays, counters = load_state(found, found.state, config)
    del counters["progress"]["seconds"], counters["progress"]["metrics_bytes"]  # the length of a clock reading varies
    state = b"".join(a.tobytes() for _, a in sorted([*p.distinct(), *arrays.items()])) + json.dumps(counters).encode()
    records = [json.loads(line) for line in found.metrics.read_text().splitlines()]
    for record in records:
        record.pop("seconds", None)
        record.pop("tokens_per_second", None)
    return found.model.read_bytes(), state, records


def test_two_runs_give_the_same_bytes_and_another_seed_others(tmp_path: Path, corpus: Path) -> None:
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        list(started(tmp_path / name, corpus, seed=seed).run())
    assert contents(tmp_path / "a") == contents(tmp_path / "b")
    assert contents(tmp_path / "a")[0] != contents(tmp_path / "c")[0]


@pytest.mark.parametrize(
    ("optimizer", "stack"),
    [
        ("adam", {}), ("sgd", {}), ("adam", {"layers": 3}),
        ("adam", {"layers": 2, "skip": True, "dropout": 0.3, "variational_dropout": True}),
        ("adam", {"average": 0.3}), ("adam", {"weight_decay": 0.5}), ("sgd", {"weight_decay": 0.01}),
    ],
)  # fmt: skip
@pytest.mark.parametrize("at", [1, 50, 51, 100])
def test_a_stopped_run_goes_on_to_the_same_bytes(
    tmp_path: Path, corpus: Path, optimizer: str, stack: dict[str, Any], at: int
) -> None:
    schedule = "mikolov" if optimizer == "sgd" else "cosine"
    settings = {"optimizer": optimizer, "schedule": schedule, "record_every": 1, **stack}
    list(started(tmp_path / "whole", corpus, **settings).run())
    broken = started(tmp_path / "broken", corpus, **settings)
    for record in broken.run():
        if isinstance(record, StepRecord) and record.step == at:
            broken.stop()
    assert isinstance(record, StopRecord)
    assert (record.reason, record.step) == ("asked", at)
    *_, last = resume(RunFolder(tmp_path / "broken"), {}).run()
    assert last.reason != "asked"
    assert contents(tmp_path / "broken") == contents(tmp_path / "whole")


KILLED = """
import os, random, signal, sys
from pathlib import Path
from elman.cli import main
from elman.training.loop import Trainer
from elman.training.optimizer import AVERAGED_EVERY

metrics, kill_at, chance = Path(sys.argv[1]), int(sys.argv[2]), random.Random(int(sys.argv[3]))

def size():
    return metrics.stat().st_size if metrics.exists() else 0

def kill_after(calls):  # counted, not timed: how busy the machine is does not matter
    left = iter(range(calls))
    def count(frame, event, argument):
        if next(left, None) is None:
            os.kill(os.getpid(), signal.SIGKILL)
    sys.setprofile(count)

if size() > kill_at:
    kill_after(chance.randrange(20_000))  # while it starts
else:
    write = Trainer._write
    def writing(self, record):
        write(self, record)
        if size() >= kill_at:
            kill_after(chance.randrange(2000))
    Trainer._write = writing
main(sys.argv[4:])
"""


def test_kill_at_random_moments_and_resume_to_the_same_bytes(tmp_path: Path, corpus: Path) -> None:
    """kill -9, 22 times, in one chain of resumes; in the end the bytes are those of a run left in peace.

    Each kill comes when metrics.jsonl has grown by a random part of what is left for the kills to come, and a random
    number of calls more: so the kills are in steps, checkpoints, validations and the start, on any machine.
    """
    settings = ["--epochs", 40, "--hidden", 24, "--batch-size", 4, "--bptt", 8, "--save-every", 5, "--patience", 0]
    environment = os.environ | {"OPENBLAS_NUM_THREADS": "1"}
    whole, killed = RunFolder(tmp_path / "whole"), RunFolder(tmp_path / "killed")
    chance = random.Random(0)

    def train(*arguments: object, kill_at: int | None = None) -> int:
        program = ["-m", "elman"] if kill_at is None else ["-c", KILLED, killed.metrics, kill_at, chance.randrange(999)]
        command = [sys.executable, *map(str, (*program, "train", *arguments))]
        return subprocess.run(command, env=environment, stderr=subprocess.DEVNULL, check=False).returncode

    assert train(corpus, "--out", whole.path, *settings) == 0
    size = whole.metrics.stat().st_size
    assert train(corpus, "--out", killed.path, *settings, kill_at=1) == -signal.SIGKILL
    for left in range(21, 0, -1):
        config, _ = elman.checkpoint.load_config(killed)
        saved = load_state(killed, killed.state, config)[2]["progress"]["metrics_bytes"]
        kill_at = saved + int(chance.uniform(0, (size - saved) / (left + 3)))
        assert train("--resume", killed.path, kill_at=kill_at) == -signal.SIGKILL
    assert train("--resume", killed.path) == 0
    assert contents(killed.path) == contents(whole.path)


def test_kill_during_set_up_leaves_nothing_in_the_way(tmp_path: Path, corpus: Path, command: Run) -> None:
    out = tmp_path / "run"
    arguments = [sys.executable, "-m", "elman", "train", str(corpus), "--out", str(out), "--epochs", "1"]
    for seconds in (0.05, 0.2, 0.25, 0.3, 0.35):
        with subprocess.Popen(arguments, stderr=subprocess.DEVNULL) as process:
            time.sleep(seconds)
            process.kill()
        if RunFolder(out).config.exists():
            assert command("train", "--resume", out).returncode == 0
            return
    assert command("train", corpus, "--out", out, "--epochs", 1, "--batch-size", 4, "--bptt", 8).returncode == 0


def test_ctrl_c_saves_and_says_how_to_go_on(tmp_path: Path, corpus: Path, command: Run) -> None:
    out = tmp_path / "run"
    settings = ["--epochs", "5000", "--batch-size", "4", "--bptt", "8", "--patience", "0"]
    arguments = [sys.executable, "-m", "elman", "train", str(corpus), "--out", str(out), *settings]
    with subprocess.Popen(arguments, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL) as process:
        while not RunFolder(out).metrics.exists():
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        said = process.communicate()[1].decode()
    assert process.returncode == 130
    assert f"elman train --resume {out}" in said
    assert "Traceback" not in said
    assert RunFolder(out).model.exists()
    done = command("train", "--resume", out, "--epochs", 1)
    assert done.returncode == 0
    assert "resumed" in done.stderr


def test_a_finished_run_stays_as_it_is_and_more_epochs_extend_it(tmp_path: Path, corpus: Path) -> None:
    list(started(tmp_path / "run", corpus).run())
    before = contents(tmp_path / "run")
    (record,) = resume(RunFolder(tmp_path / "run"), {}).run()
    assert isinstance(record, StopRecord)
    assert contents(tmp_path / "run") == before
    *_, last = resume(RunFolder(tmp_path / "run"), {"epochs": 4}).run()
    assert last.epoch == 4


def test_resume_reads_each_checkpoint_once(tmp_path: Path, corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trainer = started(tmp_path / "run", corpus)
    for record in trainer.run():
        if isinstance(record, StepRecord) and record.step == 10:
            trainer.stop()
    opened, true = [], checkpoint.safetensors.safe_open
    monkeypatch.setattr(
        checkpoint.safetensors, "safe_open", lambda path, **more: opened.append(path) or true(path, **more)
    )
    assert resume(RunFolder(tmp_path / "run"), {}).progress.step == 10
    assert opened == [RunFolder(tmp_path / "run").stopped]


STACKS: dict[str, dict[str, Any]] = {
    "one layer": {"word_dropout": 0.0},
    "word dropout": {"word_dropout": 0.25},
    "two layers": {"layers": 2, "word_dropout": 0.0},
    "skip connections": {"layers": 3, "skip": True, "word_dropout": 0.0},
    "variational dropout": {"layers": 2, "variational_dropout": True, "word_dropout": 0.0},
}
GOLDEN = {
    "one layer": [
        3.07299162844, 2.92022922041, 2.72453970318, 2.74460355931, 2.64029483042, 2.57855873637, 2.59348395156,
    ],
    "word dropout": [
        3.07299162844, 2.92100020115, 2.72485208003, 2.74800196099, 2.64099043347, 2.59168434067, 2.59498350233,
    ],
    "two layers": [
        3.13122903398, 2.89169996185, 2.70254423851, 2.72058088537, 2.65253780126, 2.64504131635, 2.64575346099,
    ],
    "skip connections": [
        3.46201079573, 2.91628212323, 2.60712158501, 2.68110005287, 2.65325165260, 2.61368620554, 2.59077926263,
    ],
    "variational dropout": [
        3.12670098718, 2.91621031727, 2.70581454612, 2.72573574365, 2.65537808015, 2.63378443325, 2.64954169051,
    ],
}  # fmt: skip


@pytest.mark.parametrize("kind", GOLDEN)
def test_golden_run(tmp_path: Path, corpus: Path, kind: str) -> None:
    """Recorded losses of a short float64 run: whatever changes them changes the mathematics or the data."""
    settings: dict[str, Any] = {"precision": "float64", "record_every": 20, "dropout": 0.1, "epochs": 2}
    trainer = started(tmp_path / "run", corpus, **settings, **STACKS[kind])
    found = [r.nats_per_token for r in trainer.run() if isinstance(r, StepRecord | ValidationRecord)]
    np.testing.assert_allclose(found, GOLDEN[kind], rtol=1e-9)


class Poison:
    """A backward pass that gives NaN at the calls for which `bad` is true."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, bad: Any) -> None:
        self.calls, self.bad, self.true = 0, bad, problem_module.backward_unchecked
        monkeypatch.setattr(problem_module, "backward_unchecked", self)

    def __call__(self, *arguments: Any, **more: Any) -> Any:
        self.calls += 1
        found = self.true(*arguments, **more)
        if self.bad(self.calls):
            found.gradients.W_h[0, 0] = math.nan
            found.h_T = found.h_T * math.nan
        return found


def test_a_bad_step_is_skipped_counted_and_harmless(
    tmp_path: Path, corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Poison(monkeypatch, lambda call: call in (10, 30, 31))
    *records, stop = started(tmp_path / "run", corpus).run()
    assert stop.skipped == 3
    assert sum(r.skipped for r in records if isinstance(r, StepRecord)) == 3
    assert not any(isinstance(r, RescueRecord) for r in records)
    assert math.isfinite(stop.best_nats_per_token)
    assert np.isfinite(elman.load(tmp_path / "run").p.W_h).all()


def test_bad_steps_in_a_row_take_the_checkpoint_back_with_half_the_rate(
    tmp_path: Path, corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Poison(monkeypatch, lambda call: 20 <= call < 25)
    records = list(started(tmp_path / "run", corpus).run())
    (rescue,) = [r for r in records if isinstance(r, RescueRecord)]
    assert (rescue.step, rescue.back_to, rescue.factor) == (24, 14, 0.5)  # checkpoints stand at 7, 14, 21 (bad)
    assert records[-1].reason == "epochs"


def test_a_rescue_before_the_first_step_was_taken_is_survived(
    tmp_path: Path, corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The running mean of the norm begins with the steps that were taken, however many were skipped before."""
    Poison(monkeypatch, lambda call: call <= 5)
    *_, stop = started(tmp_path / "run", corpus, clip_adaptive=2.0).run()
    assert (stop.reason, stop.skipped) == ("epochs", 5)


def test_a_run_that_cannot_be_rescued_says_why_and_leaves_a_checkpoint(
    tmp_path: Path, corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Poison(monkeypatch, lambda call: call > 40)
    with pytest.raises(DivergedError, match=r"after 5 returns .* smaller --lr or --clip"):
        list(started(tmp_path / "run", corpus).run())
    assert DivergedError.exit_code == 1
    monkeypatch.undo()
    resumed = resume(RunFolder(tmp_path / "run"), {})
    assert np.isfinite(resumed.p.W_h).all()


def test_an_absurd_learning_rate_ends_in_words_not_in_nan(tmp_path: Path, corpus: Path) -> None:
    trainer = started(
        tmp_path / "run", corpus, optimizer="sgd", lr=1e30, clip=0.0, schedule="constant", warmup=0, dropout=0.0
    )
    try:
        *_, stop = trainer.run()
        assert stop.skipped or math.isfinite(stop.best_nats_per_token)
    except DivergedError as error:
        assert "smaller --lr" in str(error)  # either way of ending is right


def test_clipping_is_counted(tmp_path: Path, corpus: Path) -> None:
    *records, stop = started(tmp_path / "run", corpus, clip=1e-3).run()
    assert stop.clipped == stop.step
    assert sum(r.clipped for r in records if isinstance(r, StepRecord)) == sum(
        5 for r in records if isinstance(r, StepRecord)
    )


@pytest.mark.parametrize("share", [0.2, 1.0])
def test_the_average_is_that_of_the_weights_on_the_way(tmp_path: Path, corpus: Path, share: float) -> None:
    """By its own sum: of the weights of t = 1, 2, …, each counts t^(1/share - 1) times, nearly; a plain mean for 1."""
    settings: dict[str, Any] = {"precision": "float64", "epochs": 3, "average": share}
    trainer = started(tmp_path / "run", corpus, **settings)
    seen: list[Any] = []
    take = trainer.step.take

    def step(*arguments: Any) -> Any:
        found = take(*arguments)
        if trainer.progress.step % AVERAGED_EVERY == 0:
            seen.append({name: w.copy() for name, w in trainer.p.distinct()})
        return found

    trainer.step.take = step  # type: ignore[method-assign]
    *records, _ = trainer.run()
    expected = {name: 0 * w for name, w in trainer.p.distinct()}
    for t, weights in enumerate(seen, 1):
        for name, w in weights.items():
            expected[name] = expected[name] * (1 - 1 / (1 + share * (t - 1))) + w / (1 + share * (t - 1))
    if share == 1:
        mean = sum(weights["W_h"] for weights in seen) / len(seen)
        np.testing.assert_allclose(expected["W_h"], mean, rtol=1e-12, atol=1e-14)
    kept = trainer.to_use
    for name, w in kept.distinct():
        np.testing.assert_allclose(w, expected[name], rtol=1e-12, atol=1e-14)
        assert (w != dict(trainer.p.distinct())[name]).any()
    tokens = np.load(RunFolder(tmp_path / "run").valid_tokens)
    measured = [r.nats_per_token for r in records if isinstance(r, ValidationRecord)]
    assert elman.inference.evaluate.mean_loss(kept, tokens) == pytest.approx(measured[-1], rel=1e-12)
    assert measured[-1] == min(measured)
    assert all((w == dict(kept.distinct())[name]).all() for name, w in elman.load(tmp_path / "run").p.distinct())


def test_an_average_is_no_part_of_what_it_is_an_average_of(tmp_path: Path, corpus: Path) -> None:
    plain, averaged = (
        started(tmp_path / f"{share}", corpus, epochs=1, average=share, record_every=1) for share in (0.0, 0.5)
    )
    losses = [[r.nats_per_token for r in each.run() if isinstance(r, StepRecord)] for each in (plain, averaged)]
    assert losses[0] == losses[1]


def test_early_stopping_keeps_the_best(tmp_path: Path, corpus: Path) -> None:
    *records, stop = started(tmp_path / "run", corpus, epochs=200, lr=0.05, schedule="constant", patience=2).run()
    validations = [r.nats_per_token for r in records if isinstance(r, ValidationRecord)]
    assert stop.reason == "patience"
    assert stop.best_nats_per_token == min(validations) == validations[-3]
    lm = elman.load(tmp_path / "run")
    tokens = np.load(RunFolder(tmp_path / "run").valid_tokens)
    assert elman.inference.evaluate.mean_loss(lm.p, tokens) == stop.best_nats_per_token


@pytest.mark.parametrize("reading", [0.0, 30.0])
def test_max_time_ends_the_run_and_bends_the_schedule(tmp_path: Path, corpus: Path, reading: float) -> None:
    """The time before the first step, in which the text was read, counts too; it slows nothing down."""
    now = 0.0

    def clock() -> float:
        nonlocal now
        now += 0.1
        return now

    trainer = started(tmp_path / "run", corpus, epochs=10_000, max_time=60.0, patience=0, record_every=1, warmup=0)
    trainer.clock = clock
    trainer.count_from(-reading)
    *records, stop = trainer.run()
    steps = [r for r in records if isinstance(r, StepRecord)]
    rates = [r.learning_rate for r in steps]
    assert stop.reason == "max_time"
    counted = steps[0].seconds  # of the clock above
    assert counted == pytest.approx(reading + 0.3, abs=0.2)
    assert steps[0].tokens_per_second > 100  # 32 in two or three readings of the clock
    readings = stop.seconds  # of the clock above, which counts them; validations take two
    assert 60 <= readings <= 62
    assert rates[-1] < 0.1 * rates[0]


def test_little_of_a_limited_time_goes_to_validation(tmp_path: Path, corpus: Path) -> None:
    """By a clock by which a step takes 1 s and a validation 50 s: a pass of 20 steps is too short for a validation."""
    now = 0.0
    trainer = started(tmp_path / "run", corpus, epochs=400, max_time=1200.0, patience=0, save_every=500)
    steps_of_pass = len(trainer.problem)
    take, measure = trainer.step.take, trainer.problem.measure

    def step(*arguments: Any) -> Any:
        nonlocal now
        now += 20 / steps_of_pass
        return take(*arguments)

    def validation(p: Parameters) -> Any:
        nonlocal now
        now += 50
        return measure(p)

    trainer.clock = lambda: now
    trainer.count_from(0.0)
    trainer.step.take, trainer.problem.measure = step, validation  # type: ignore[method-assign]
    *records, stop = trainer.run()
    validations = [r for r in records if isinstance(r, ValidationRecord)]
    assert stop.reason == "max_time"
    assert 2 <= len(validations) <= 4
    assert now <= 1201 + 20
    assert stop.epoch > 8 * len(validations)
    assert validations[-1].step == stop.step


@pytest.mark.parametrize("word_dropout", [0.0, 5.0])
def test_validation_counts_what_the_text_can_teach(tmp_path: Path, word_dropout: float) -> None:
    """Words that only the validation text has are read, and not counted unless other words are read as they are."""
    (tmp_path / "train.txt").write_text("a b c d e f\n" * 60)
    (tmp_path / "valid.txt").write_text("a b x d e f\n" * 4)
    texts = (Corpus.from_paths([tmp_path / f"{name}.txt"]) for name in ("train", "valid"))
    settings = SMALL | {"word_dropout": word_dropout}
    trainer = start(RunFolder(tmp_path / "run"), Sources(*texts), TextConfig("word"), {"d": 4, "Dh": 4}, settings)
    *_, stop = trainer.run()
    lm = elman.load(tmp_path / "run")
    evaluation = lm.evaluate([(tmp_path / "valid.txt").read_text()])
    assert (evaluation.tokens, evaluation.oov) == (28, 4)
    nats = evaluation.nats_per_token if word_dropout else evaluation.nats_per_known_token
    assert stop.best_nats_per_token == pytest.approx(nats, rel=1e-5)
    assert evaluation.nats_per_token != pytest.approx(evaluation.nats_per_known_token, rel=1e-3)


def test_words_are_read_as_unknown_where_no_other_is(tmp_path: Path) -> None:
    """Word dropout is the default of a text without <unk>: then <unk>, which is learnt, is about as likely as it is."""
    found = {}
    for name, text, training in (
        ("default", "a b c d e f\n" * 60, {}),
        ("none", "a b c d e f\n" * 60, {"word_dropout": 0.0}),
        ("written", "a b c d e <unk>\n" * 60, {}),
    ):
        (tmp_path / f"{name}.txt").write_text(text)
        sources = Sources(Corpus.from_paths([tmp_path / f"{name}.txt"]))
        level = TextConfig("word")
        trainer = start(RunFolder(tmp_path / name), sources, level, {"d": 4, "Dh": 4}, SMALL | training)
        found[name] = trainer.config.training.word_dropout
    assert found == {"default": 0.25, "none": 0.0, "written": 0.0}


def test_no_dropout_is_no_variational_dropout_either() -> None:
    """Where the default is variational dropout, and the user chose no dropout."""
    for training, expected in (({}, True), ({"dropout": 0.0}, False), ({"variational_dropout": False}, False)):
        settings, _ = with_defaults(TextConfig("word"), {}, training, size=SMALL_TEXT, passes=150.0)
        assert settings.variational_dropout is expected


def test_levels_without_unknown_tokens_have_no_word_dropout(tmp_path: Path, corpus: Path) -> None:
    for level in ("byte", "bpe"):
        text = TextConfig(level, vocab_size=270 if level == "bpe" else None)
        sizes, sources = {"d": 4, "Dh": 4}, Sources(Corpus.from_paths([corpus]))
        trainer = start(RunFolder(tmp_path / level), sources, text, sizes, SMALL)
        assert trainer.config.training.word_dropout == 0
        with pytest.raises(ConfigError, match=f"which level {level} does not have: leave it out"):
            start(RunFolder(tmp_path / "refused"), sources, text, sizes, SMALL | {"word_dropout": 0.5})


def test_word_dropout_reads_rare_tokens_as_unknown() -> None:
    unk, eos, A, B, T = 0, 1, 0.5, 4, 8
    tokens = np.random.default_rng(0).choice([1, 2, 3, 4], p=[0.2, 0.6, 0.15, 0.05], size=199)
    tokens = np.append(tokens, 5)  # once
    streams = Streams(tokens, B, T)
    dropout = WordDropout.of(tokens, 6, A, unk, eos, T, seed=3)
    dropped, seen = np.zeros(6), np.zeros(6)
    for epoch in range(400):
        last: Any = None
        for window in range(len(streams)):
            x, y = streams.window(window)
            read_x, read_y = dropout.read(x, y, epoch, window)
            assert np.isin(read_x[read_x != x], unk).all()
            assert np.isin(read_y[read_y != y], unk).all()
            np.testing.assert_array_equal(read_x[1:], read_y[:-1])
            np.testing.assert_array_equal(read_x[0], x[0] if last is None else last)
            again = dropout.read(*streams.window(window), epoch, window)
            np.testing.assert_array_equal(again, (read_x, read_y))
            dropped += np.bincount(y[read_y != y], minlength=6)
            seen += np.bincount(y.ravel(), minlength=6)
            last = read_y[-1]
    assert dropped[eos] == 0
    share = A / (A + np.bincount(tokens, minlength=6)[2:])
    away = np.abs(dropped[2:] / seen[2:] - share) / (share * (1 - share) / seen[2:]) ** 0.5
    assert away.max() < 4  # standard deviations


def test_mikolovs_rule() -> None:
    rule = MikolovRule()
    assert [rule.after_epoch(nats) for nats in (6.0, 5.5, 5.4)] == [False] * 3
    assert rule.factor == 1
    assert not rule.after_epoch(5.39)  # a gain of under 0.3 %: halve from now on
    assert rule.factor == 0.5
    assert not rule.after_epoch(5.2)  # a good gain: still halved
    assert rule.factor == 0.25
    assert rule.after_epoch(5.2)  # the second miss ends it


def test_schedules() -> None:
    for schedule, middle in (("cosine", 0.51), ("linear", 0.51), ("constant", 1.0), ("mikolov", 1.0)):
        config = TrainingConfig(lr=1.0, schedule=schedule, lr_floor=0.02, warmup=9)  # type: ignore[arg-type]
        assert learning_rate(config, 0, 0.0) == pytest.approx(0.1)
        assert learning_rate(config, 100, 0.5) == pytest.approx(middle)
        assert learning_rate(config, 100, 1.0) == pytest.approx(1.0 if middle == 1 else 0.02)


def test_only_one_process_trains_a_run(tmp_path: Path, corpus: Path) -> None:
    folder = started(tmp_path / "run", corpus).run_folder
    with folder.locked(), pytest.raises(CheckpointError, match="another process"), folder.locked():
        pass


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"B": 0}, "batch-size is 0; it must be at least 1"),
        ({"dropout": 1.0}, "dropout is 1.0"),
        ({"lr": float("nan")}, "lr is nan"),
        ({"B": 1000}, "fewer than one window of 1000 streams"),
        ({"precision": "float16"}, "precision is 'float16'; choose one of float32, float64"),
        ({"average": 1.5}, "average is 1.5; it must be from 0"),
        ({"average": 0.1, "schedule": "mikolov"}, "--schedule mikolov goes back to the best ones: leave one out"),
        ({"weight_decay": -0.1}, "weight-decay is -0.1; it must be at least 0"),
        ({"weight_decay": 50.0, "lr": 0.02}, "--weight-decay 50 at --lr 0.02 would leave nothing of the weights"),
    ],
)
def test_settings_that_do_not_fit_are_said(
    tmp_path: Path, corpus: Path, settings: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(ElmanError, match=sentence):
        started(tmp_path / "run", corpus, **settings)


def test_tied_weights_need_equal_sizes(tmp_path: Path, corpus: Path) -> None:
    with pytest.raises(ConfigError, match="tied output weights need d = Dh, given embed 8 and hidden 16"):
        start(
            RunFolder(tmp_path / "r"), Sources(Corpus.from_paths([corpus])), TextConfig(),
            {"d": 8, "Dh": 16, "tie": True}, SMALL,
        )  # fmt: skip


def test_a_large_text_gets_other_defaults_and_what_was_asked_for_stays() -> None:
    small, large = (level_defaults("word", "adam", size)[1] for size in (LARGE_TEXT - 1, LARGE_TEXT))
    assert small["B"] > large["B"]
    assert small["dropout"] > large["dropout"]
    assert level_defaults("char", "adam", LARGE_TEXT) == level_defaults("char", "adam")
    settings, _ = with_defaults(TextConfig("word"), {}, {"dropout": 0.2}, size=LARGE_TEXT)
    assert (settings.dropout, settings.B) == (0.2, large["B"])


def test_more_passes_get_more_dropout_and_units() -> None:
    by_passes = [level_defaults("word", "adam", LARGE_TEXT, passes) for passes in (5.0, 20.0, 80.0)]
    dropout = [settings["dropout"] for _, settings in by_passes]
    assert dropout == sorted(dropout)
    assert len(set(dropout)) == 3
    assert by_passes[-1][0]["Dh"] > by_passes[0][0]["Dh"]
    by_epochs = level_defaults("word", "adam", LARGE_TEXT, epochs=20)
    assert by_epochs[1] | {"epochs": UNLIMITED} == by_passes[1][1]  # the time ends a run, or else the default epochs
    assert "epochs" not in by_epochs[1]
    few, many = (level_defaults("word", "adam", 0, epochs=epochs) for epochs in (1, 40))
    assert few[0]["Dh"] < many[0]["Dh"]
    assert few[1]["T"] * few[1]["B"] < many[1]["T"] * many[1]["B"]
    assert "precision" not in few[1]  # no time is short
    assert level_defaults("word", "adam") == many
    for size, wide in ((SMALL_TEXT - 1, False), (SMALL_TEXT, True), (LARGE_TEXT - 1, True)):
        sizes, settings = level_defaults("word", "adam", size, 150.0)
        assert (sizes["Dh"], settings["dropout"]) == ((800, 0.7) if wide else (200, 0.3))
    assert level_defaults("word", "adam", SMALL_TEXT, 99.0)[0]["Dh"] == 200
    assert level_defaults("word", "adam", SMALL_TEXT, epochs=150)[0]["Dh"] == 200
    short, long = (level_defaults("char", "adam", 0, passes)[1] for passes in (5.0, 80.0))
    assert short["dropout"] < long["dropout"]
    assert level_defaults("char", "adam")[1] == short


@pytest.mark.parametrize("level", ["word", "bpe", "char", "byte"])
def test_the_best_recipe_is_a_larger_network_that_the_time_ends(level: Level) -> None:
    for size in (0, LARGE_TEXT):
        for passes in (0.5, 100.0):
            settings, network = with_defaults(TextConfig(level), {}, {}, size=size, passes=passes, recipe="best")
            quick, small = with_defaults(TextConfig(level), {}, {}, size=size)
            assert network.Dh > small.Dh
            assert (settings.epochs, settings.average > 0) == (UNLIMITED, True)
            assert settings.dropout > quick.dropout
    sgd = with_defaults(TextConfig(level), {}, {"optimizer": "sgd"}, recipe="best")[0]
    assert (sgd.schedule, sgd.average) == ("mikolov", 0.0)  # which goes back to the best weights
    chosen, _ = with_defaults(TextConfig(level), {}, {"epochs": 2, "dropout": 0.1}, recipe="best")
    assert (chosen.epochs, chosen.dropout) == (2, 0.1)


def test_the_best_recipe_has_an_hour_where_no_time_is_given() -> None:
    assert Call(recipe="best").options == {"max_time": 3600.0}
    assert Call(recipe="best", options={"epochs": 3}).options == {"epochs": 3}
    assert Call(recipe="best", options={"max_time": 5.0}).options == {"max_time": 5.0}
    assert Call().options == {}


@pytest.mark.parametrize(
    ("V", "given", "expected"),
    [
        (SAMPLED_FROM - 1, {}, ("full", TrainingConfig.samples)), (SAMPLED_FROM, {}, ("sampled", 1024)),
        (50_000, {}, ("sampled", 2048)), (50_000, {"output": "full"}, ("full", TrainingConfig.samples)),
        (50_000, {"output": "adaptive"}, ("adaptive", TrainingConfig.samples)),
    ],
)  # fmt: skip
def test_a_large_vocabulary_is_sampled(V: int, given: dict[str, Any], expected: tuple[str, int]) -> None:
    settings, network = with_defaults(TextConfig("word"), given, {}, V=V, sampling=True)
    assert (network.output, settings.samples) == expected
    assert with_defaults(TextConfig("word"), {}, {}, V=V)[1].output == "full"  # on a device, or in several processes


def test_a_short_time_gets_a_smaller_network_and_what_was_asked_for_stays(
    tmp_path: Path, corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At 10^11 operations a second 1 ms is less than a pass of this text; 1 s is many."""
    monkeypatch.setattr("elman.training.start.operations_per_second", lambda *asked: 1e11)
    sources = Sources(Corpus.from_paths([corpus]))
    for seconds, Dh in ((0.001, 160), (1.0, 200)):
        trainer = start(RunFolder(tmp_path / f"{seconds}"), sources, TextConfig(), {}, {"max_time": seconds, "B": 4})
        assert (trainer.p.Dh, trainer.settings.B) == (Dh, 4)
    asked = {"Dh": 16}
    trainer = start(RunFolder(tmp_path / "asked"), sources, TextConfig(), asked, {"max_time": 0.001, "B": 4})
    assert trainer.remarks[0].startswith("at the speed of this machine, just measured, the time is for about 0.")
    assert (trainer.p.d, trainer.p.Dh, trainer.settings.dropout) == (16, 16, 0.0)
    assert passes_in(20, 1e11, "word", 3721, 81350) == pytest.approx(2e12 / (6 * (2 * 200**2 + 200 * 3721) * 81350))


def test_a_slow_machine_gets_a_smaller_network(tmp_path: Path, corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sources, sizes = Sources(Corpus.from_paths([corpus])), []
    for rate in (1e6, 1e12):
        monkeypatch.setattr("elman.training.start.operations_per_second", lambda *asked, rate=rate: rate)
        trainer = start(RunFolder(tmp_path / f"{rate:g}"), sources, TextConfig(), {}, {"max_time": 1.0, "B": 4})
        sizes.append(trainer.p.Dh)
    assert sizes == [160, 200]


@pytest.mark.parametrize(
    ("line", "level"),
    [("床前明月光，\n", "char"), ("我 喜欢 海 。\n", "word"), ("ไม่มีช่องว่าง\n", "char"), ("to be or not\n", "word"),
     ("ACGTTGCA" * 8 + "\n", "char")],
)  # fmt: skip
def test_line_ends_do_not_make_words_of_a_script_without_blanks(line: str, level: str) -> None:
    assert fitting_level(line * 60) == level
