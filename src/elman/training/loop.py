"""The trainer: a loop that yields what happened, survives bad steps, and can stop and go on anywhere.

`Trainer.run` is a generator of records. It writes the run folder as it goes: metrics, the best weights after
each validation, a checkpoint every `save_every` steps and after each validation. Everything that decides
what comes next is in `Progress`, the optimizer, the carried h and the generator, and all of it is in the
checkpoint: a run that was killed and resumed ends with the same bytes as one that was not. (The clock decides
only where `max_time` is set: then the schedule follows the time that is over.)
"""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from typing import Any

import numpy as np

from elman.checkpoint import RunFolder, load_model, load_state, save_model, save_state
from elman.config import RunConfig
from elman.errors import CheckpointError, DivergedError
from elman.kernels import host_kernels
from elman.model.parameters import Parameters
from elman.training.host import HostStep, Outcome, Step
from elman.training.problem import Batch, Measure, Problem
from elman.training.records import (
    FlowRecord,
    Progress,
    Record,
    RescueRecord,
    StepRecord,
    StopRecord,
    ValidationRecord,
)
from elman.training.schedule import MikolovRule, learning_rate
from elman.training.team import ALONE, Team, part_of, share
from elman.training.treatments import clipping
from elman.training.watch import look

BAD_STEPS = 5
"""Non-finite steps in a row after which the last checkpoint is taken back with half the learning rate."""
RESCUES = 5
"""How often that is done before the run is given up."""


class Trainer:
    """One run. `stop()` asks it to end after the step in hand, with everything saved.

    device: the TorchKernels that compute it; None for the CPU. team: the processes that train it
    together, this one among them; each has a trainer, and the first alone writes.
    """

    def __init__(
        self,
        run: RunFolder,
        config: RunConfig,
        p: Parameters,
        problem: Problem,
        clock: Callable[[], float] = time.monotonic,
        device: Any = None,
        team: Team = ALONE,
    ) -> None:
        self.run_folder, self.config, self.problem = run, config, problem
        self.settings = config.training
        self.device, self.team = device, team
        self.mine = share(team, self.settings.B)
        self.p = p.on(device) if device else p
        self.step = self._make_step()
        self.mikolov = MikolovRule()
        self.progress = Progress()
        self.stop_asked = False
        self.validation_seconds: float | None = None
        self.clock = clock
        self._since = clock()
        self._agreed_seconds = 0.0

    def _make_step(self) -> Step:
        precision = self.settings.precision
        if self.device is None:
            p = self.p.with_kernels(host_kernels(precision, self.settings.skip_below))
            return HostStep(self.settings, p, self.problem, self.team)
        from elman.training.device import DeviceStep

        return DeviceStep(self.settings, self.p.with_kernels(self.device.at(precision)), self.team)

    @property
    def total_steps(self) -> int:
        """Steps of all the epochs."""
        return self.settings.epochs * len(self.problem)

    @property
    def share_done(self) -> float:
        """How much of the run is over, 0 to 1: of its steps, or of its time if that is nearer its end."""
        done = self.progress.step / self.total_steps
        if self.settings.max_time is not None:
            done = max(done, self._agreed_seconds / self.settings.max_time)
        return min(done, 1.0)

    def on_host(self) -> Parameters:
        """The weights as arrays of the host, whatever device they are on."""
        return self.p.on(host_kernels()) if self.device else self.p

    def seconds(self) -> float:
        """Seconds this run has taken, those before a resume counted."""
        return self.progress.seconds + self.clock() - self._since

    def stop(self) -> None:
        """Ends the run after the step in hand."""
        self.stop_asked = True

    def run(self) -> Iterator[Record]:
        """Trains to the end, yielding records. Raises DivergedError when no rescue helps."""
        self._since = self.clock()
        reason = self.progress.ended or self._all_epochs()
        while reason is None:
            yield from self._step()
            reason = self._why_stop()
            at_end = self.progress.window == len(self.problem)
            every = self.settings.validate_every
            if at_end or (every and self.progress.step % every == 0) or reason == "max_time":
                record, ended = self._validate(at_end)
                yield record
                if at_end:
                    self._next_epoch()
                reason = reason or ended or self._all_epochs()
                if reason is None or reason == "asked":
                    self._save(self.run_folder.state)
            elif self.progress.step % self.settings.save_every == 0 and not self.progress.bad_in_a_row:
                self._save(self.run_folder.state)
        self.progress.ended = "" if reason in ("asked", "max_time") else reason
        self._save(self.run_folder.stopped if reason in ("asked", "max_time") else self.run_folder.state)
        if self.team.rank == 0 and not self.run_folder.model.exists():
            save_model(self.run_folder, self.on_host())
        yield StopRecord(
            self.progress.step, self.progress.epoch, reason, self.progress.best,
            self.progress.clipped, self.progress.skipped, self.seconds(),
            None if self.config.task is None else self.progress.best_wrong,
        )  # fmt: skip

    def _step(self) -> Iterator[Record]:
        """One window: gradients, clipping, update; or, where they are not finite, nothing but a count."""
        now, settings = self.progress, self.settings
        batch = part_of(self.problem.batch(now.epoch, now.window), self.mine)
        if settings.max_time is not None:
            (self._agreed_seconds,) = self.team.agreed(self.seconds())
        if settings.watch_gradients and now.step % settings.watch_gradients == 0 and self.team.rank == 0:
            yield from self._watch(batch)
        rate = learning_rate(settings, now.step, self.share_done) * now.factor * self.mikolov.factor
        self._count(self.step.take(batch, rate, now))
        now.step += 1
        now.window += 1
        if self._is_due():
            self._count(self.step.settle())
        if now.step % settings.record_every == 0:
            yield self._record(rate)
        if now.bad_in_a_row >= BAD_STEPS:
            yield self._rescue()

    def _count(self, outcomes: list[Outcome]) -> None:
        """What came of steps goes into the sums."""
        now = self.progress
        for outcome in outcomes:
            if outcome.taken:
                now.mean_norm = float(clipping.running_mean(now.mean_norm, outcome.norm, now.taken_steps))
                now.taken(outcome.J, outcome.losses, outcome.tokens, outcome.norm, outcome.clipped, outcome.omega)
            else:
                now.skip()

    def _is_due(self) -> bool:
        """Whether something is to be written after this step: what came of it must be known then."""
        now, settings = self.progress, self.settings
        every = (settings.record_every, settings.save_every, settings.validate_every)
        return now.window == len(self.problem) or any(each and now.step % each == 0 for each in every)

    def _watch(self, batch: Batch) -> Iterator[FlowRecord]:
        """What the lens shows of a few sequences of the batch, before the step is taken."""
        record = look(self.progress.step, self.on_host(), batch, self.step.kernels.host(self.step.h))
        if record:
            self._write("flow", record)
            yield record

    def _record(self, rate: float) -> StepRecord:
        record = self.progress.step_record(rate, self.seconds(), bool(self.settings.omega))
        self._write("step", record)
        return record

    def _rescue(self) -> RescueRecord:
        """Takes the last checkpoint back with half the learning rate; gives up after RESCUES of them."""
        at, rescues, skipped, factor = (
            self.progress.step, self.progress.rescues + 1, self.progress.skipped, self.progress.factor / 2,
        )  # fmt: skip
        if rescues > RESCUES:
            raise DivergedError(
                f"training diverged: {BAD_STEPS} steps in a row gave no finite loss or gradient (the last was step "
                f"{at}), also after {RESCUES} returns to a checkpoint with half the learning rate each; the last good "
                f"weights stand in {self.run_folder.path}; train again with a smaller --lr or --clip"
            )
        seconds, metrics = self.seconds(), self.progress.metrics_bytes
        self._load(self.run_folder.state)
        self.progress.rescues, self.progress.factor, self.progress.skipped = rescues, factor, skipped
        self.progress.seconds, self._since, self.progress.metrics_bytes = seconds, self.clock(), metrics
        record = RescueRecord(at, self.progress.step, factor)
        self._write("rescue", record)
        self._save(self.run_folder.state)
        return record

    def _validate(self, at_end: bool) -> tuple[ValidationRecord, str | None]:
        """Measures, keeps the weights if they are the best so far; and why the run should end now, if it should."""
        self._count(self.step.settle())
        began = self.clock()
        now = self.progress
        measure = self._measured()
        nats, wrong = measure.nats, measure.wrong
        best = math.isfinite(nats) and (wrong or 0.0, nats) < (now.best_wrong if wrong is not None else 0.0, now.best)
        if best:
            now.best, now.best_wrong, now.validations_without_gain = nats, wrong or 0.0, 0
            if self.team.rank == 0:
                save_model(self.run_folder, self.on_host())
        else:
            now.validations_without_gain += 1
        self.team.wait()  # the best weights may be read at once
        rate = learning_rate(self.settings, now.step, self.share_done) * now.factor * self.mikolov.factor
        ended = None
        if self.settings.schedule == "mikolov":
            if at_end and self.mikolov.after_epoch(nats):
                ended = "mikolov"
            elif at_end and not best and self.run_folder.model.exists():
                self._take_back_best()
        if self.settings.patience and now.validations_without_gain >= self.settings.patience:
            ended = ended or "patience"
        if self.problem.solved(measure):
            ended = "solved"
        seconds = round(self.seconds(), 3)
        record = ValidationRecord(now.step, now.epoch + 1, nats, now.train_nats(), best, rate, seconds, wrong)
        self._write("validation", record)
        self.validation_seconds = self.clock() - began
        return record, ended

    def _measured(self) -> Measure:
        """By the first process, which tells the others."""
        found = Measure(math.nan)
        if self.team.rank == 0:
            with np.errstate(all="ignore"):
                found = self.problem.measure(self.p)
        nats, wrong = self.team.agreed(found.nats, math.nan if found.wrong is None else found.wrong)
        return Measure(nats, None if math.isnan(wrong) else wrong)

    def _take_back_best(self) -> None:
        """rnnlm goes on from the best weights after an epoch that made them worse."""
        _, _, best = load_model(self.run_folder)
        for (_, w), (_, b) in zip(self.p.distinct(), best.distinct(), strict=True):
            w[...] = self.p.kernels.array(b)

    def _next_epoch(self) -> None:
        self.progress.epoch += 1
        self.progress.window = 0
        self.step.begin_again()

    def _all_epochs(self) -> str | None:
        return "epochs" if self.progress.epoch >= self.settings.epochs else None

    def _why_stop(self) -> str | None:
        if self.team.any(self.stop_asked):
            return "asked"
        limit = self.settings.max_time
        if limit is None:
            return None
        (needed,) = self.team.agreed(self.seconds() + min(self._validation_time(), limit / 2))
        return "max_time" if needed >= limit else None

    def _validation_time(self) -> float:
        """What a validation takes: as measured, or guessed as a third of training on as many tokens."""
        if self.validation_seconds is not None:
            return self.validation_seconds
        return self.seconds() / max(self.progress.tokens, 1) * self.problem.validation_tokens / 3

    def _write(self, kind: str, record: Record) -> None:
        if self.team.rank:
            return
        values = {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in asdict(record).items()}
        line = (json.dumps({"kind": kind, **values}) + "\n").encode()
        try:
            with self.run_folder.metrics.open("ab") as file:
                file.write(line)
        except OSError as error:
            raise CheckpointError(
                f"cannot write {self.run_folder.metrics}: {error.strerror}; the last checkpoint stands, "
                f"so make room and go on with --resume {self.run_folder.path}"
            ) from error
        self.progress.metrics_bytes += len(line)

    def _save(self, path: Any) -> None:
        """The checkpoint; the one of a stop is out of date as soon as another is written."""
        self._count(self.step.settle())
        self.progress.seconds, self._since = self.seconds(), self.clock()
        counters = {
            "progress": asdict(self.progress),
            "mikolov": asdict(self.mikolov),
            "generator": self.step.generator.bit_generator.state,
        }
        arrays = self.step.arrays()
        if self.team.rank == 0:
            save_state(path, self.on_host(), arrays, counters)
            if path == self.run_folder.state:
                self.run_folder.stopped.unlink(missing_ok=True)
        self.team.wait()

    def _load(self, path: Any) -> None:
        p, arrays, counters = load_state(self.run_folder, path, self.config)
        for (_, w), (_, saved) in zip(self.p.distinct(), p.distinct(), strict=True):
            w[...] = self.p.kernels.array(saved)
        self.progress = Progress(**counters["progress"])
        self.step.restore(arrays, self.progress)
        self.mikolov = MikolovRule(**counters["mikolov"])
        self.step.generator.bit_generator.state = counters["generator"]
        self._since = self.clock()

    def save_first(self) -> None:
        """The checkpoint of step 0, so that there is something to go back to from the start."""
        self._save(self.run_folder.state)

    def resume(self, extended: bool = False) -> None:
        """Takes up the run where its folder left it; metrics written after that point are dropped.

        extended: the settings allow more than before, so that a run that had ended may go on.
        """
        stopped = self.run_folder.stopped
        self._load(stopped if stopped.exists() else self.run_folder.state)
        metrics = self.run_folder.metrics
        if self.team.rank == 0 and metrics.exists() and metrics.stat().st_size > self.progress.metrics_bytes:
            os.truncate(metrics, self.progress.metrics_bytes)
        if extended and self.progress.epoch < self.settings.epochs:
            self.progress.ended = ""
            self.progress.validations_without_gain = 0
