"""elman evaluate: how well a model predicts a text."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from elman.cli.options import as_json, lengths, run_argument, threads
from elman.errors import ConfigError

if TYPE_CHECKING:
    from elman.inference.evaluate import Evaluation
    from elman.language_model import LanguageModel


@click.command(epilog="Example:  elman evaluate runs/book other.txt --json")
@run_argument
@click.argument("text", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "--task-length",
    metavar="STEPS",
    help="Of a run on a --task: how long the sequences are, one number or SHORTEST-LONGEST.  [default: as trained]",
)
@as_json
@threads
def evaluate(run: Path, text: tuple[Path, ...], task_length: str | None, as_json: bool) -> None:
    """Measure how well the model in RUN predicts TEXT (files, a folder of .txt files, or - for stdin).

    The text is read as one stream, so that no figure depends on a batch size, and every token is counted, the
    line ends too. OOV: a token that is not in the model's vocabulary. A model that learnt a task is measured on
    10,000 new sequences of it, without TEXT.
    """
    from elman.language_model import load
    from elman.text.corpus import Corpus

    lm = load(run)
    assert lm.config is not None  # a loaded model has one
    if lm.config.task:
        if text:
            raise ConfigError(f"{run} was trained on {lm.config.corpus}, not on a text: leave TEXT out")
        _task(lm, lengths(task_length) if task_length else None, as_json)
        return
    if task_length or not text:
        extra = "--task-length is for a run on a --task, and" if task_length else "TEXT is missing:"
        raise ConfigError(f"{extra} {run} was trained on a text, not on a task: name the TEXT to measure it on")
    found = lm.evaluate(Corpus.from_paths(text).pieces())
    click.echo(json.dumps(found.as_dict(), indent=2) if as_json else _table(found))


def _task(lm: LanguageModel, wanted: tuple[int, int] | None, as_json: bool) -> None:
    from dataclasses import replace

    from elman.training.tasks.problem import HELD_OUT, TaskProblem

    assert lm.config is not None
    assert lm.config.task is not None
    task, settings = lm.config.task, lm.config.training
    if wanted:
        task = replace(task, shortest=wanted[0], longest=wanted[1])
    found = TaskProblem(task, settings.B, settings.seed).test(lm.p, (task.shortest, task.longest))
    figures = {
        "task": task.name, "shortest": task.shortest, "longest": task.longest, "sequences": HELD_OUT,
        "wrong_sequences": found.wrong, "loss": found.nats,
    }  # fmt: skip
    if as_json:
        click.echo(json.dumps(figures, indent=2))
        return
    steps = f"{task.shortest}" if task.shortest == task.longest else f"{task.shortest} to {task.longest}"
    click.echo(f"{task.name}, {HELD_OUT:,} new sequences of {steps} steps")
    click.echo(f"wrong   {found.wrong:.2%}")
    click.echo(f"loss    {found.nats:.4f}")


def _table(found: Evaluation) -> str:
    figures = found.as_dict()
    known = found.tokens - found.oov
    rows = [
        ("perplexity including OOV", f"{figures['perplexity_including_oov']:,.2f}", f"{found.tokens:,} tokens"),
        ("perplexity excluding OOV", f"{figures['perplexity_excluding_oov']:,.2f}", f"{known:,} tokens"),
        ("perplexity per word", f"{figures['perplexity_per_word']:,.2f}", f"{found.words:,} words and line ends"),
        ("nats per token", f"{figures['nats_per_token']:.4f}", f"{found.tokens:,} tokens"),
        ("bits per token", f"{figures['bits_per_token']:.4f}", f"{found.tokens:,} tokens"),
        ("bits per character", f"{figures['bits_per_character']:.4f}", f"{found.characters:,} characters"),
        ("bits per byte", f"{figures['bits_per_byte']:.4f}", f"{found.bytes:,} bytes"),
    ]
    lines = [f"{name:<26}{value:>12}   over {over}" for name, value, over in rows]
    return "\n".join([*lines, f"of the tokens {found.line_ends:,} are line ends, {found.oov:,} are OOV"])
