"""elman train: learn a model of a text, or go on with a run."""

from __future__ import annotations

import contextlib
import json
import math
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from elman.cli.options import as_json, lengths, threads
from elman.cli.processes import joined
from elman.cli.starting import refuse_text, resumed, started, started_task
from elman.config import (
    ACTIVATIONS,
    INITS,
    LEVELS,
    OMEGA_FORMS,
    OPTIMIZERS,
    PRECISIONS,
    SCHEDULES,
    TASKS,
    TaskConfig,
    TrainingConfig,
)
from elman.errors import ConfigError
from elman.training.defaults import LARGE_TEXT, level_defaults

if TYPE_CHECKING:
    from elman.config import TaskName
    from elman.training.loop import Trainer
    from elman.training.records import StopRecord


def _default(field: str) -> str:
    """The default of a setting, for the help text; both where Adam's and SGD's differ."""
    adam, sgd = (vars(TrainingConfig) | level_defaults("word", name)[1] for name in OPTIMIZERS)
    both = f"adam {adam[field]}, sgd {sgd[field]}" if adam[field] != sgd[field] else f"{adam[field]}"
    hurried = level_defaults("word", "adam", 0, 0)[1].get(field, adam[field])
    if hurried != adam[field]:
        both += f"; {hurried} for word, bpe where --max-time allows few passes"
    return f"  [default: {both}]"


def _by_level(field: str) -> str:
    """The defaults that differ by level, for the help text."""
    values: dict[Any, list[str]] = {}
    for level in LEVELS:
        sizes, settings = level_defaults(level, "adam")
        values.setdefault((sizes | settings)[field], []).append(level)
    said = {True: "tied", False: "not"}
    shown = [f"{said.get(v, v) if isinstance(v, bool) else v} for {', '.join(levels)}" for v, levels in values.items()]
    small, large = (level_defaults("word", "adam", size)[1].get(field) for size in (0, LARGE_TEXT))
    if small != large:
        shown.append(f"{large} for word, bpe from {LARGE_TEXT // 2**20} MiB of text on")
    hurried = [level_defaults("word", "adam", 0, passes) for passes in (0, 2, 5)]
    fewer = [said.get(v, v) if isinstance(v, bool) else v for v in ((a | b)[field] for a, b in hurried)]
    usual = (level_defaults("word", "adam")[0] | level_defaults("word", "adam")[1])[field]
    if any(value not in (usual, said.get(usual)) for value in fewer):
        either = " or ".join(f"{value}" for value in dict.fromkeys(fewer) if value not in (usual, said.get(usual)))
        shown.append(f"{either} for word, bpe where --max-time allows few passes")
    return f"  [default: {'; '.join(shown)}]"


@click.command(epilog="Example:  elman train book.txt --level word --max-time 120 --out runs/book")
@click.argument("text", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "--out", type=click.Path(path_type=Path), metavar="RUN", help="Folder of the run.  [default: runs/<time>]"
)
@click.option("--resume", type=click.Path(path_type=Path), metavar="RUN", help="Go on with a run, exactly.")
@click.option("--valid", multiple=True, type=click.Path(path_type=Path), metavar="FILE", help="Validate on this text.")
@click.option(
    "--held-out",
    type=float,
    metavar="SHARE",
    help="Without --valid: hold out this last share of TEXT.  [default: 0.05, at most 512 KiB]",
)
@click.option("--level", type=click.Choice(LEVELS), help="What a token is.  [default: word]")
@click.option("--vocab-size", type=int, metavar="N", help="At most N tokens.  [default: all; bpe 8192]")
@click.option("--min-count", type=int, metavar="N", help="Tokens seen less often become <unk>.  [default: 1]")
@click.option("--embed", type=int, metavar="d", help="Embedding units." + _by_level("d"))
@click.option("--hidden", type=int, metavar="Dh", help="Hidden units." + _by_level("Dh"))
@click.option("--activation", type=click.Choice(ACTIVATIONS), help="σ of the recurrence.  [default: sigmoid]")
@click.option("--tie/--no-tie", default=None, help="Use one matrix as E and U (embed = hidden)." + _by_level("tie"))
@click.option("--dropout", type=float, metavar="P", help="Share of e and h dropped in training." + _by_level("dropout"))
@click.option("--batch-size", type=int, metavar="B", help="Parallel streams." + _by_level("B"))
@click.option("--bptt", type=int, metavar="T", help="Steps of truncated backpropagation." + _by_level("T"))
@click.option("--optimizer", type=click.Choice(OPTIMIZERS), help="Who takes the steps." + _default("optimizer"))
@click.option("--lr", type=float, help="Learning rate at its height." + _default("lr"))
@click.option("--schedule", type=click.Choice(SCHEDULES), help="How lr falls." + _default("schedule"))
@click.option("--lr-floor", type=float, help="Where cosine and linear end, as a share of lr." + _default("lr_floor"))
@click.option("--warmup", type=int, metavar="STEPS", help="Steps in which lr rises." + _default("warmup"))
@click.option(
    "--clip", type=float, metavar="NORM", help="Largest norm of the gradient; 0: no limit." + _default("clip")
)
@click.option("--clip-adaptive", type=float, metavar="X", help="The same, at X times the norm's running mean.")
@click.option("--clip-elements", type=float, metavar="X", help="Hold every entry of the gradient within ±X.")
@click.option(
    "--clip-errors",
    type=float,
    metavar="X",
    help="Hold every entry of a token's error within ±X on its way back through time (rnnlm: 15).",
)
@click.option("--omega", type=float, metavar="WEIGHT", help="Add the regulariser Ω, against vanishing gradients.")
@click.option(
    "--omega-form",
    type=click.Choice(OMEGA_FORMS),
    help="ratio: eq. 9 of the paper; squared: its code." + _default("omega_form"),
)
@click.option("--init", type=click.Choice(INITS), help="How W_h begins." + _default("init"))
@click.option(
    "--spectral-radius", type=float, metavar="R", help="Scale the first W_h to it.  [default: as it comes; sparse 0.95]"
)
@click.option("--init-scale", type=float, metavar="X", help="E and U begin uniform in ±X." + _default("init_scale"))
@click.option(
    "--floss", type=int, metavar="STEPS", help="Before training, so many steps that push Lyapunov exponents to 0."
)
@click.option(
    "--floss-exponents", type=int, metavar="K", help="Of the K largest exponents.  [default: a quarter of --hidden]"
)
@click.option(
    "--watch-gradients", type=int, metavar="STEPS", help="Look through the lens so often, for `elman flow`; 0: never."
)
@click.option("--task", type=click.Choice(TASKS), help="Learn this synthetic task instead of a text.")
@click.option(
    "--task-length", metavar="STEPS", help="Its sequences' length, one number or SHORTEST-LONGEST.  [default: 50-200]"
)
@click.option("--epochs", type=int, help="Passes over the text." + _default("epochs"))
@click.option("--max-time", type=float, metavar="SECONDS", help="End in time, the schedule fitted to it.")
@click.option(
    "--patience", type=int, metavar="N", help="End after N validations without gain; 0: never." + _default("patience")
)
@click.option("--validate-every", type=int, metavar="STEPS", help="Validate within epochs too.")
@click.option("--save-every", type=int, metavar="STEPS", help="Steps between checkpoints." + _default("save_every"))
@click.option(
    "--record-every", type=int, metavar="STEPS", help="Steps in a line of metrics.jsonl." + _default("record_every")
)
@click.option("--seed", type=int, help="The same seed, threads and machine give the same bytes." + _default("seed"))
@click.option(
    "--precision",
    type=click.Choice(PRECISIONS),
    help="Of the weights and products; bf16, tf32 (a GPU's): products alone.  [default: float32; for word, bpe bf16 "
    "where --max-time allows few passes and the processor has fast bf16 products]",
)
@click.option(
    "--skip-below",
    type=float,
    metavar="X",
    help="Leave out blocks of the softmax gradient whose every entry is under X.  [default: none]",
)
@click.option(
    "--exact",
    is_flag=True,
    help="Approximate nothing: float32 products also where bf16 is the default, and no --skip-below.",
)
@click.option(
    "--device",
    metavar="NAME",
    help="Compute on cuda (the first GPU), cuda:N or, with auto, on a GPU if there is one; needs PyTorch.  "
    "[default: cpu]",
)
@as_json
@threads
def train(
    text: tuple[Path, ...],
    out: Path | None,
    resume: Path | None,
    valid: tuple[Path, ...],
    held_out: float | None,
    exact: bool,
    task: TaskName | None,
    task_length: str | None,
    device: str | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Learn a language model of TEXT: UTF-8 files, folders of .txt files, or - for stdin.

    Without TEXT, of the English of Python's own documentation. The vocabulary comes from the part that is learnt
    from alone. Ctrl-C stops and saves; --resume goes on as if nothing had been.
    """
    given = {name: value for name, value in options.items() if value is not None}
    if exact and resume:
        raise ConfigError("--resume goes on with the run's own settings and contradicts --exact: leave that out")
    if exact:
        given.setdefault("precision", "float32")
    if exact and (given.get("precision") in ("bf16", "tf32") or given.get("skip_below")):
        raise ConfigError(
            "--exact contradicts --precision bf16 or tf32 and --skip-below, which approximate: leave one out"
        )
    if "omega_form" in given and not task and not resume and not given.get("omega"):
        raise ConfigError("--omega-form is about --omega: say its WEIGHT, or leave it out")
    if task_length and not task:
        raise ConfigError("--task-length is the length of a --task: name one, or leave it out")
    folder = out or Path("runs") / time.strftime("%Y%m%d-%H%M%S")
    team, device = joined(device, out or resume)
    if resume:
        trainer = resumed(resume, text, out, valid, held_out, given | ({"task": task} if task else {}), device, team)
    elif task:
        refuse_text(text, valid, held_out, given, device)
        trainer = started_task(folder, TaskConfig(task, *lengths(task_length or "50-200")), given, team)
    else:
        trainer = started(folder, text, valid, held_out, given, device, team)
    stopped = _run(trainer)
    if as_json and trainer.team.rank == 0:
        click.echo(json.dumps(_summary(trainer, stopped), indent=2))
    if stopped.reason == "asked":
        raise click.exceptions.Exit(130)


def _run(trainer: Trainer) -> StopRecord:
    """Trains with a display, under the run's lock; Ctrl-C and SIGTERM stop after the step in hand."""
    from elman.cli.display import Display
    from elman.training.records import StopRecord

    if trainer.team.rank:  # the first of several processes has the display and the lock
        with _stopping(trainer):
            *_, last = trainer.run()
        assert isinstance(last, StopRecord)
        return last
    with trainer.run_folder.locked(), _stopping(trainer), Display(trainer) as display:
        for record in trainer.run():
            display.show(record)
            if isinstance(record, StopRecord):
                return record
    raise AssertionError("a run ends with a StopRecord")


@contextlib.contextmanager
def _stopping(trainer: Trainer) -> Iterator[None]:
    def ask(number: int, frame: Any) -> None:
        if trainer.stop_asked:
            raise KeyboardInterrupt
        trainer.stop()

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _summary(trainer: Trainer, stopped: StopRecord) -> dict[str, Any]:
    best = stopped.best_nats_per_token
    finite = math.isfinite(best)
    return {
        "run": str(trainer.run_folder.path),
        **({} if stopped.best_wrong is None else {"wrong_sequences": stopped.best_wrong}),
        "validation_perplexity": math.exp(best) if finite else None,
        "validation_bits_per_token": best / math.log(2) if finite else None,
        "reason": stopped.reason,
        "steps": stopped.step,
        "epochs": stopped.epoch,
        "tokens": trainer.progress.tokens,
        "clipped_steps": stopped.clipped,
        "skipped_steps": stopped.skipped,
        "seconds": round(stopped.seconds, 3),
    }
