"""elman train: learn a model of a text or a task, or go on with a run."""

from __future__ import annotations

import math
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, Self

import click

from elman.cli.options import as_json, lengths, threads
from elman.cli.outputs import require_folder
from elman.cli.processes import joined
from elman.cli.settings import GroupedCommand, in_group, notes, setting_options
from elman.cli.streams import message, show_json
from elman.config import RECIPES
from elman.errors import FileError
from elman.training.call import Call, reserved, trainer_of
from elman.training.defaults import HELD_OUT, HELD_OUT_LIMIT, TASK_LENGTHS

if TYPE_CHECKING:
    from elman.config import RecipeName, TaskName
    from elman.training.loop import Trainer
    from elman.training.records import StopRecord, WrittenRecord


def _range(lengths: tuple[int, int]) -> str:
    return "{}-{}".format(*lengths)


@click.command(
    cls=GroupedCommand,
    epilog="\n\n".join([*notes(), "Example:  elman train book.txt --level word --max-time 120 --out runs/book"]),
)
@click.argument("text", nargs=-1, type=click.Path(path_type=Path))
@setting_options
@in_group(
    "Text",
    "--valid",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Validate on this text.  [default: the end of TEXT]",
)
@in_group(
    "Text",
    "--held-out",
    type=float,
    metavar="SHARE",
    help="Without --valid: the share at the end of TEXT to validate on.  "
    f"[default: {HELD_OUT}, at most {HELD_OUT_LIMIT // 2**10} KiB]",
)
@in_group(
    "Text",
    "--vocab",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The vocabulary: one word (or character, at level char) a line.  [default: that of TEXT]",
)
@in_group(
    "Optimisation",
    "--recipe",
    type=click.Choice(RECIPES),
    default="quick",
    help="The defaults: quick, those that suit the time; best, a larger network for an hour.  [default: quick]",
)
@in_group(
    "Start",
    "--from",
    "from_run",
    type=click.Path(path_type=Path),
    metavar="RUN",
    help="Begin with the vocabulary, the sizes and the weights of this run, which stays as it is.",
)
@in_group(
    "Start",
    "--grow",
    is_flag=True,
    help="With --from: add the words (or characters) of TEXT that the vocabulary lacks, at least --min-count of each.",
)
@in_group(
    "Start", "--resume", type=click.Path(path_type=Path), metavar="RUN", help="Go on with a run, exactly as it was."
)
@in_group(
    "Task",
    "--task-length",
    metavar="STEPS",
    help=f"The length of its sequences: one number, or SHORTEST-LONGEST.  [default: {_range(TASK_LENGTHS)}]",
)
@in_group(
    "Records",
    "--out",
    type=click.Path(path_type=Path),
    metavar="RUN",
    help="Folder of the run.  [default: runs/ and the time]",
)
@in_group(
    "Records",
    "--tensorboard",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="Write the records as TensorBoard events too, as they come.",
)
@as_json
@in_group(
    "Device",
    "--device",
    metavar="NAME",
    help="cpu, cuda (the first GPU), cuda:N, or auto (a GPU if there is one); GPUs need PyTorch.  [default: cpu]",
)
@in_group(
    "Device",
    "--exact",
    is_flag=True,
    help="No approximation: float32 products and a full softmax also where others are the default, no --skip-below.",
)
@threads
def train(
    text: tuple[Path, ...],
    out: Path | None,
    resume: Path | None,
    valid: tuple[Path, ...],
    held_out: float | None,
    vocab: Path | None,
    from_run: Path | None,
    grow: bool,
    recipe: RecipeName,
    exact: bool,
    task: TaskName | None,
    task_length: str | None,
    device: str | None,
    tensorboard: Path | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Learn a language model of TEXT: UTF-8 files (any at --level byte), folders of .txt files, or - for stdin.

    Without TEXT it learns the English of Python's own documentation. The vocabulary comes from the training part of
    the text only. Ctrl-C stops and saves; --resume goes on exactly as if the run had not been stopped.
    """
    began = time.monotonic()
    if tensorboard is not None:  # a missing extra is reported before any work is done
        require_folder(tensorboard, "--tensorboard")
        import elman.gradient_flow.events  # noqa: F401
    call = Call(
        text=text, valid=valid, held_out=held_out, vocab=vocab, from_run=from_run, grow=grow,
        out=out, resume=resume, recipe=recipe, exact=exact,
        task=task, task_lengths=lengths(task_length) if task_length else None,
        options={name: value for name, value in options.items() if value is not None},
    )  # fmt: skip
    with _Signals() as signals:
        team, device = joined(device, out or resume)
        with reserved(call, team) as folder:
            from elman.cli import display

            trainer = trainer_of(
                call, folder, device, team, report=display.reading, waiting=display.waiting, say=message
            )
            trainer.count_from(began)
            signals.trainer = trainer
            stopped = _run(trainer, tensorboard)
    if as_json and trainer.team.rank == 0:
        show_json(_summary(trainer, stopped), indent=2)
    if stopped.reason == "asked":
        raise click.exceptions.Exit(130)


def _run(trainer: Trainer, tensorboard: Path | None) -> StopRecord:
    """Trains with a display, and with event files where a folder for them is given."""
    from elman.cli.display import Display
    from elman.training.records import StopRecord

    if trainer.team.rank:  # the first of several processes has the display
        *_, last = trainer.run()
        assert isinstance(last, StopRecord)
        return last
    with Display(trainer) as display, _events(trainer, tensorboard) as write_event:
        for record in trainer.run():
            display.show(record)
            if isinstance(record, StopRecord):
                return record
            write_event(record)
    raise AssertionError("a run ends with a StopRecord")


@contextmanager
def _events(trainer: Trainer, folder: Path | None) -> Iterator[Callable[[WrittenRecord], None]]:
    """The function that writes a record as events into `folder`; it does nothing without one.

    Where the file takes no more, it says so and the run goes on.
    """
    if folder is None:
        yield lambda record: None
        return
    from elman.gradient_flow.events import LiveEvents
    from elman.training.metrics_file import as_row, read_metrics

    run = trainer.run_folder
    earlier = map(as_row, read_metrics(run.metrics))
    with LiveEvents(folder, str(run.path), earlier, trainer.settings.record_every) as events:
        takes_more = True

        def write(record: WrittenRecord) -> None:
            nonlocal takes_more
            if takes_more:
                try:
                    events.write(as_row(record))
                except FileError as error:
                    takes_more = False
                    message(f"{error}; the run goes on without TensorBoard's events")

        yield write


class _Signals:
    """Ctrl-C, SIGTERM, and the end of the terminal (SIGHUP, unless nohup has it ignored), all alike: they stop the
    trainer after the current step, with everything saved. Before there is one, and the second time, they raise
    KeyboardInterrupt.
    """

    def __init__(self) -> None:
        self.trainer: Trainer | None = None
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        numbers = [signal.SIGINT, signal.SIGTERM]
        hang_up = getattr(signal, "SIGHUP", None)
        if hang_up is not None and signal.getsignal(hang_up) != signal.SIG_IGN:
            numbers.append(hang_up)
        self._before = {number: signal.signal(number, self._receive) for number in numbers}
        return self

    def __exit__(self, *raised: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _receive(self, number: int, frame: FrameType | None) -> None:
        if self.trainer is not None and not self.trainer.stop_asked:
            self.trainer.stop()
        elif callable(interrupt := self._before[signal.SIGINT]):
            interrupt(signal.SIGINT, frame)
        else:
            raise KeyboardInterrupt


def _summary(trainer: Trainer, stopped: StopRecord) -> dict[str, Any]:
    from elman.inference.evaluate import perplexity

    best = stopped.best_nats_per_token
    return {
        "run": str(trainer.run_folder.path),
        **({} if stopped.best_wrong is None else {"wrong_sequences": stopped.best_wrong}),
        "validation_perplexity": perplexity(best),
        "validation_bits_per_token": best / math.log(2),
        "reason": stopped.reason,
        "steps": stopped.step,
        "epochs": stopped.epoch,
        "tokens": trainer.progress.tokens,
        "clipped_steps": stopped.clipped,
        "skipped_steps": stopped.skipped,
        "seconds": round(stopped.seconds, 3),
    }
