"""The training loop: a generator of records that survives bad steps and can stop and go on at any step.

`Trainer.run` writes the run folder as it goes: metrics, the best weights after each validation, and a checkpoint every
`save_every` steps and after each validation. All that decides how the run goes on is in `Progress`, the optimizer, the
carried h and the generator, and all of it is in the checkpoint: a run that was killed and resumed ends with the same
bytes as one that was not. (The clock decides only where `max_time` is set: then the schedule follows the time.)
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from elman.checkpoint import GO_ON, RunFolder, State, load_model, load_state, save_model, save_state
from elman.config import RunConfig
from elman.errors import CheckpointError, DivergedError
from elman.files import flush, remove, sentence
from elman.kernels import host_kernels
from elman.model.parameters import Parameters
from elman.training.host import HostStep
from elman.training.problem import Batch, Measure, Problem
from elman.training.records import (
    FlowRecord,
    Progress,
    Reason,
    Record,
    RescueRecord,
    StepRecord,
    StopRecord,
    ValidationRecord,
    as_line,
    end_of_records,
)
from elman.training.saved import check_arrays, read_counters
from elman.training.schedule import MikolovRule, learning_rate
from elman.training.stopping import CAN_GO_ON, after_epochs, after_time, after_validation
from elman.training.team import ALONE, Team, part_of, share
from elman.training.treatments import clipping
from elman.training.update import Outcome, StepRunner
from elman.training.watch import look

BAD_STEPS = 5
"""Non-finite steps in a row after which training goes back to the last checkpoint, with half the learning rate."""
VALIDATION_SHARE = 0.1
"""With --max-time: the validation after an epoch is left out where it would take more of the time since the last."""
RESCUES = 5
"""How often it goes back before the run ends with DivergedError."""


class Trainer:
    """One run. `stop()` makes it end after the current step, with everything saved.

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
        self.remarks: list[str] = []
        """Sentences about the start, for people to read."""
        self.clock = clock
        self._earlier, self._began, self._set_up = 0.0, clock(), 0.0
        self._agreed_seconds = self._validated_at = 0.0

    def _make_step(self) -> StepRunner:
        precision = self.settings.precision
        if self.device is None:
            p = self.p.with_kernels(host_kernels(precision, self.settings.skip_below))
            return HostStep(self.settings, p, self.problem, self.team)
        from elman.training.device import DeviceStep

        p = self.p.with_kernels(self.device.at(precision))
        return DeviceStep(self.settings, p, self.problem, self.team)

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

    @property
    def learning_rate(self) -> float:
        """The rate of the next step: the schedule's, times the factors of rescues and of Mikolov's rule."""
        scheduled = learning_rate(self.settings, self.progress.step, self.share_done)
        return scheduled * self.progress.factor * self.mikolov.factor

    @property
    def to_use(self) -> Parameters:
        """The weights to measure and to keep: those that learn, or their average."""
        return self.step.optimizer.to_use(self.p)

    def on_host(self, p: Parameters | None = None) -> Parameters:
        """Weights as arrays of the host, whatever device they are on; None for those that learn."""
        p = self.p if p is None else p
        return p.on(host_kernels()) if self.device else p

    def seconds(self) -> float:
        """Seconds this run has taken, those before a resume counted."""
        return self._earlier + self.clock() - self._began

    def count_from(self, began: float) -> None:
        """Counts what passed since this reading of the clock as time of the run: the reading of its text, say."""
        self._began = began

    def stop(self) -> None:
        """Ends the run after the step in hand."""
        self.stop_asked = True

    def run(self) -> Iterator[Record]:
        """Trains to the end, yielding records. Raises DivergedError when no rescue helps."""
        self._set_up = self.clock() - self._began
        reason = self.progress.ended or after_epochs(self.progress, self.settings)
        while reason is None:
            yield from self._step()
            reason = self._why_stop()
            at_end = self.progress.window == len(self.problem)
            every = self.settings.validate_every
            due = reason == "max_time" or bool(every and self.progress.step % every == 0)
            if at_end or due:
                ended = None
                if due or self._is_worth_validating():
                    record, ended = self._validate(at_end)
                    yield record
                if at_end:
                    self._next_epoch()
                reason = reason or ended or after_epochs(self.progress, self.settings)
                if reason is None or reason == "asked":
                    self._save(self.run_folder.state)
            elif self.progress.step % self.settings.save_every == 0 and not self.progress.bad_in_a_row:
                self._save(self.run_folder.state)
        self.progress.ended = "" if reason in CAN_GO_ON else reason
        self._save(self.run_folder.stopped if reason in CAN_GO_ON else self.run_folder.state)
        if self.team.rank == 0 and not self.run_folder.model.exists():
            save_model(self.run_folder, self.on_host(self.to_use))
        yield StopRecord(
            self.progress.step, self.progress.epoch, reason, self.progress.best,
            self.progress.clipped, self.progress.skipped, self.seconds(),
            None if self.config.task is None else self.progress.best_wrong,
        )  # fmt: skip

    def _step(self) -> Iterator[Record]:
        """One window: gradients, clipping and update, or only a count where they are not finite."""
        now, settings = self.progress, self.settings
        batch = part_of(self.problem.batch(now.epoch, now.window), self.mine)
        batch.require_ids(self.p.V)
        if settings.max_time is not None:
            (self._agreed_seconds,) = self.team.agreed(self.seconds())
        if settings.watch_gradients and now.step % settings.watch_gradients == 0 and self.team.rank == 0:
            yield from self._watch(batch)
        rate = self.learning_rate
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
        """Adds the outcomes of steps to the sums."""
        now = self.progress
        for outcome in outcomes:
            if outcome.taken:
                now.mean_norm = float(clipping.running_mean(now.mean_norm, outcome.norm, now.taken_steps))
                now.taken(outcome.J, outcome.losses, outcome.tokens, outcome.norm, outcome.clipped, outcome.omega)
            else:
                now.skip()

    def _is_due(self) -> bool:
        """Whether something is written after this step, so that its outcome must be known."""
        now, settings = self.progress, self.settings
        every = (settings.record_every, settings.save_every, settings.validate_every)
        return now.window == len(self.problem) or any(each and now.step % each == 0 for each in every)

    def _watch(self, batch: Batch) -> Iterator[FlowRecord]:
        """The gradient flow of a few sequences of the batch, before the step is taken."""
        record = look(self.progress.step, self.on_host(), batch, self.step.kernels.host(self.step.h))
        if record:
            self._write(record)
            yield record

    def _record(self, rate: float) -> StepRecord:
        record = self.progress.step_record(rate, self.seconds(), self._set_up, bool(self.settings.omega))
        self._write(record)
        return record

    def _rescue(self) -> RescueRecord:
        """Goes back to the last checkpoint with half the learning rate. Raises DivergedError after RESCUES of them."""
        at, rescues, skipped, factor = (
            self.progress.step, self.progress.rescues + 1, self.progress.skipped, self.progress.factor / 2,
        )  # fmt: skip
        if rescues > RESCUES:
            raise DivergedError(
                f"training diverged: {BAD_STEPS} steps in a row had no finite loss or gradient (the last: step {at}), "
                f"also after {RESCUES} returns to a checkpoint with half the learning rate each; the last good weights "
                f"are in {self.run_folder.path}; train again with a smaller --lr or --clip"
            )
        metrics = self.progress.metrics_bytes
        path = self.run_folder.state
        self._restore(load_state(self.run_folder, path, self.config), path)
        self.progress.rescues, self.progress.factor, self.progress.skipped = rescues, factor, skipped
        self.progress.metrics_bytes = metrics
        record = RescueRecord(at, self.progress.step, factor)
        self._write(record)
        self._save(self.run_folder.state)
        return record

    def _is_worth_validating(self) -> bool:
        """Whether to validate after an epoch: not where the time is limited and too much of it would go to that.

        After the last epoch, and where the schedule needs it, there is always a validation.
        """
        settings = self.settings
        if settings.max_time is None or settings.schedule == "mikolov" or self.progress.epoch + 1 >= settings.epochs:
            return True
        now, validation = self.team.agreed(self.seconds(), self._validation_time())
        left = settings.max_time - now  # there is another one at the end
        return validation <= VALIDATION_SHARE * (now - self._validated_at) and left >= 2 * validation

    def _validate(self, at_end: bool) -> tuple[ValidationRecord, Reason | None]:
        """Measures, and keeps the weights if they are the best so far. Second result: why the run ends, or None."""
        self._count(self.step.settle())
        began = self.clock()
        now = self.progress
        measure = self._measured()
        nats, wrong = measure.nats, measure.wrong
        best = math.isfinite(nats) and (wrong or 0.0, nats) < (now.best_wrong if wrong is not None else 0.0, now.best)
        if best:
            now.best, now.best_wrong, now.validations_without_gain = nats, wrong or 0.0, 0
            if self.team.rank == 0:
                save_model(self.run_folder, self.on_host(self.to_use))
        else:
            now.validations_without_gain += 1
        self.team.wait()  # the best weights may be read at once
        rate, mikolov_ended = self.learning_rate, False
        if self.settings.schedule == "mikolov" and at_end:
            mikolov_ended = self.mikolov.after_epoch(nats)
            if not mikolov_ended and not best and self.run_folder.model.exists():
                self._restore_best()
        ended = after_validation(now, self.settings, mikolov_ended, self.problem.solved(measure))
        seconds = round(self.seconds(), 3)
        record = ValidationRecord(now.step, now.epoch + 1, nats, now.train_nats(), best, rate, seconds, wrong)
        self._write(record)
        self.validation_seconds, self._validated_at = self.clock() - began, self.seconds()
        return record, ended

    def _measured(self) -> Measure:
        """The measurement of the first process, which the others receive."""
        measure = Measure(math.nan)
        if self.team.rank == 0:
            with np.errstate(all="ignore"):
                measure = self.problem.measure(self.to_use)
        nats, wrong = self.team.agreed(measure.nats, math.nan if measure.wrong is None else measure.wrong)
        return Measure(nats, None if math.isnan(wrong) else wrong)

    def _restore_best(self) -> None:
        """Back to the best weights, as rnnlm does after an epoch that made them worse."""
        _, _, best = load_model(self.run_folder)
        for (_, w), (_, b) in zip(self.p.distinct(), best.distinct(), strict=True):
            w[...] = self.p.kernels.array(b)

    def _next_epoch(self) -> None:
        self.progress.epoch += 1
        self.progress.window = 0
        self.step.begin_again()

    def _why_stop(self) -> Reason | None:
        if self.team.any(self.stop_asked):
            return "asked"
        if self.settings.max_time is None:
            return None
        seconds, validation = self.team.agreed(self.seconds(), self._validation_time())
        return after_time(seconds, validation, self.settings.max_time)

    def _validation_time(self) -> float:
        """The seconds of a validation: as measured, or else a third of those of training on as many tokens."""
        if self.validation_seconds is not None:
            return self.validation_seconds
        return (self.seconds() - self._set_up) / max(self.progress.tokens, 1) * self.problem.validation_tokens / 3

    def _cut_metrics(self) -> None:
        """Drops the records after the checkpoint, and a last one that is torn."""
        path, recorded = self.run_folder.metrics, self.progress.metrics_bytes
        with self.run_folder.writing():
            size = path.stat().st_size if path.exists() else 0
            kept = end_of_records(path, min(size, recorded)) if size else 0
            if kept < size:
                os.truncate(path, kept)
        if kept < recorded:
            self.remarks.append(
                f"{path} has lost the last {recorded - kept:,} of {recorded:,} bytes of its records; training is not "
                "affected"
            )
        self.progress.metrics_bytes = kept

    def _write(self, record: Record) -> None:
        """Appends the record to metrics.jsonl."""
        if self.team.rank:
            return
        line, path = as_line(record), self.run_folder.metrics
        with sentence("write", path, CheckpointError, GO_ON), path.open("ab") as file:
            file.write(line)
        self.progress.metrics_bytes += len(line)

    def _save(self, path: Any) -> None:
        """Writes a checkpoint. That of a stop is out of date once another is written, and is deleted then."""
        self._count(self.step.settle())
        self.progress.seconds = self.seconds()
        counters = {
            "progress": asdict(self.progress),
            "mikolov": asdict(self.mikolov),
            "generator": self.step.generator.bit_generator.state,
        }
        arrays = self.step.arrays()
        if self.team.rank == 0:
            folder = self.run_folder
            if folder.metrics.exists():  # the checkpoint counts its bytes
                flush(folder.metrics, CheckpointError, folder.advice)
            save_state(folder, path, self.on_host(), arrays, counters)
            if path == folder.state:
                with folder.writing():
                    remove(folder.stopped)
        self.team.wait()

    def _restore(self, state: State, path: Path) -> None:
        """Sets everything that decides how the run goes on to what a checkpoint holds.

        Raises CheckpointError, with nothing changed, where the checkpoint at `path` is of another run or damaged.
        """
        p, arrays, values = state
        counters = read_counters(values, path, len(self.problem))
        shapes = {"h": arrays["h"].shape, **self.step.optimizer.shapes()}  # of h `load_state` knows the shape
        check_arrays(arrays, shapes, self.settings.dtype, path, counters.progress.step)
        for (_, w), (_, saved) in zip(self.p.distinct(), p.distinct(), strict=True):
            w[...] = self.p.kernels.array(saved)
        self.progress, self.mikolov = counters.progress, counters.mikolov
        self.step.restore(arrays, self.progress)
        self.step.generator.bit_generator.state = counters.generator.as_dict()

    def save_first(self) -> None:
        """Writes the checkpoint of step 0, so that there is one from the start."""
        self._save(self.run_folder.state)

    def resume(self, state: State, extended: bool = False) -> None:
        """Goes on from the state of a checkpoint; metrics that were written after it are dropped.

        extended: the settings allow more than before, so that a run that had ended may go on.
        """
        self._restore(state, self.run_folder.latest_state)
        self._earlier = self.progress.seconds
        if self.team.rank == 0:
            self._cut_metrics()
        if extended and self.progress.epoch < self.settings.epochs:
            self.progress.ended = ""
            self.progress.validations_without_gain = 0
