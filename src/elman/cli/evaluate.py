"""elman evaluate: how well a model predicts a text."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from elman.cli.options import as_json, lengths, mix, run_argument, threads
from elman.cli.streams import show, show_json
from elman.errors import ConfigError
from elman.translation import translate
from elman.wording import padded, perplexity_in_words

if TYPE_CHECKING:
    from elman.inference.company import Company
    from elman.inference.evaluate import Evaluation
    from elman.language_model import LanguageModel
    from elman.text.tokenizer import Tokenizer


@click.command(epilog="Example:  elman evaluate runs/book other.txt --json")
@run_argument
@click.argument("text", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "--task-length",
    metavar="STEPS",
    help="For a run on a --task: the length of the sequences, N or SHORTEST-LONGEST.  [default: as in training]",
)
@mix
@as_json
@threads
def evaluate(run: Path, text: tuple[Path, ...], task_length: str | None, mix: tuple[str, ...], as_json: bool) -> None:
    """Measure how well the model in RUN predicts TEXT (files, a folder of .txt files, or - for stdin).

    The text is read as one stream, so no figure depends on a batch size. All tokens count, including line ends.
    OOV (out of vocabulary) is a token that the model does not know. A model that was trained on a task is measured on
    10,000 new sequences of the task, without TEXT.
    """
    from elman.language_model import load
    from elman.text.corpus import Corpus

    lm = load(run, mix)
    assert lm.config is not None  # a loaded model has one
    if lm.config.task:
        if text:
            raise ConfigError(f"{run} was trained on {lm.config.corpus}, not on a text: leave TEXT out")
        _evaluate_task(lm, lengths(task_length) if task_length else None, as_json)
        return
    if task_length or not text:
        reason = "--task-length is for a run on a --task" if task_length else "TEXT is missing"
        raise ConfigError(f"{reason}: {run} was trained on a text, not on a task, so name the TEXT to measure it on")
    pieces = Corpus.from_paths(text).at_level(lm.tokenizer.level).pieces()
    if lm.company:
        _evaluate_mixture(lm.company, lm.tokenizer, pieces, as_json)
        return
    evaluation = lm.evaluate(pieces)
    if as_json:
        show_json(evaluation.as_dict(), indent=2)
    else:
        show(_table(evaluation))


def _evaluate_mixture(company: Company, tokenizer: Tokenizer, pieces: Iterable[str], as_json: bool) -> None:
    """Prints the figures of a mixture, its weights, and what each part has alone."""
    from elman.inference.evaluate import MIXTURE, evaluations

    found = evaluations(company.parts, tokenizer, pieces, company.mixture)
    mixture = found.pop(MIXTURE)
    if as_json:
        parts = {
            name: {"weight": company.weights[name], "perplexity_including_oov": alone.perplexity_including_oov}
            for name, alone in found.items()
        }
        show_json({**mixture.as_dict(), "parts": parts}, indent=2)
        return
    show(_table(mixture))
    show(translate(f"the mixture, its weights tuned on {company.tuned_on:,} tokens of the run's validation text:"))
    width = max(map(len, found))
    for name, alone in found.items():
        figure = perplexity_in_words(alone.nats_per_token)
        show(f"  {name:<{width}}  {company.weights[name]:.3f}   {translate('perplexity alone')} {figure:>12}")


def _evaluate_task(lm: LanguageModel, task_lengths: tuple[int, int] | None, as_json: bool) -> None:
    from dataclasses import replace

    from elman.training.tasks.problem import HELD_OUT, TaskProblem

    assert lm.config is not None
    assert lm.config.task is not None
    task, settings = lm.config.task, lm.config.training
    if task_lengths:
        task = replace(task, shortest=task_lengths[0], longest=task_lengths[1])
    result = TaskProblem(task, settings.B, settings.seed).test(lm.p, (task.shortest, task.longest))
    figures = {
        "task": task.name, "shortest": task.shortest, "longest": task.longest, "sequences": HELD_OUT,
        "wrong_sequences": result.wrong, "loss": result.nats,
    }  # fmt: skip
    if as_json:
        show_json(figures, indent=2)
        return
    steps = f"{task.shortest}" if task.shortest == task.longest else f"{task.shortest} to {task.longest}"
    show(translate(f"{task.name}, {HELD_OUT:,} new sequences of {steps} steps"))
    show(translate(f"wrong   {result.wrong:.2%}"))
    show(translate(f"loss    {result.nats:.4f}"))


def _table(evaluation: Evaluation) -> str:
    figures = evaluation.as_dict()
    known = evaluation.tokens - evaluation.oov
    rows = [
        (
            "perplexity including OOV",
            perplexity_in_words(evaluation.nats_per_token),
            f"over {evaluation.tokens:,} tokens",
        ),
        ("perplexity excluding OOV", perplexity_in_words(evaluation.nats_per_known_token), f"over {known:,} tokens"),
        (
            "perplexity per word",
            perplexity_in_words(evaluation.nats_per_word),
            f"over {evaluation.words:,} words and line ends",
        ),
        ("nats per token", f"{figures['nats_per_token']:.4f}", f"over {evaluation.tokens:,} tokens"),
        ("bits per token", f"{figures['bits_per_token']:.4f}", f"over {evaluation.tokens:,} tokens"),
        ("bits per character", f"{figures['bits_per_character']:.4f}", f"over {evaluation.characters:,} characters"),
        ("bits per byte", f"{figures['bits_per_byte']:.4f}", f"over {evaluation.bytes:,} bytes"),
    ]
    lines = [f"{padded(translate(name), 26)}{value:>12}   {translate(over)}" for name, value, over in rows]
    rest = f"of the tokens, {evaluation.line_ends:,} are line ends and {evaluation.oov:,} are OOV"
    return "\n".join([*lines, translate(rest)])
