"""elman score: log probabilities of lines and of n-best lists."""

from __future__ import annotations

import itertools
import json
import math
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from elman.cli.options import as_json, run_argument, threads
from elman.errors import ConfigError, TextError

if TYPE_CHECKING:
    from elman.inference.score import SentenceScore
    from elman.language_model import LanguageModel

BASES = {"10": ("log10", 10.0), "2": ("log2", 2.0), "e": ("ln", math.e)}


@click.command(epilog="Example:  echo 'HOW OLD ARE YOU' | elman score runs/talk --per-token")
@run_argument
@click.argument("text", required=False, type=click.Path(path_type=Path))
@click.option("--base", default="10", show_default=True, type=click.Choice(list(BASES)), help="Base of the logarithm.")
@click.option("--per-token", is_flag=True, help="Add each token and its log probability, separated by tabs.")
@click.option(
    "--nbest", type=click.Choice(["best", "all"]),
    help="Read lines `id hypothesis`. best: print the likeliest of each id as `id hypothesis`; "
    "all: print each as `id log-probability hypothesis`.",
)  # fmt: skip
@click.option(
    "--oov-penalty",
    type=float,
    metavar="LOG10",
    help="Log probability of each OOV (Mikolov's rnnlm: -5).  [default: that of <unk>]",
)
@click.option(
    "--bos/--no-bos", default=True, help="Whether the model reads a line end before each line.  [default: --bos]"
)
@click.option("--eos/--no-eos", default=True, help="Whether the end of each line is predicted too.  [default: --eos]")
@click.option("--line-buffered", is_flag=True, help="Print the score of each line before reading the next.")
@as_json
@threads
def score(
    run: Path,
    text: Path | None,
    base: str,
    per_token: bool,
    nbest: str | None,
    oov_penalty: float | None,
    bos: bool,
    eos: bool,
    line_buffered: bool,
    as_json: bool,
) -> None:
    """Print the log probability of each line of TEXT (or stdin): one line of output for each line, in order.

    A line of output is `log10=… tokens=… oov=…`; `tokens` counts the predicted ones, including the line end. Equal
    lines get equal scores, whatever the lines around them.
    """
    from elman.language_model import load
    from elman.text.corpus import read_lines

    if per_token and nbest:
        raise ConfigError("--per-token and --nbest contradict each other: leave one of them out")
    lm = load(run)
    printer = _Printer(lm, BASES[base], oov_penalty, per_token, as_json)
    group = 1 if line_buffered or (text is None and sys.stdin.isatty()) else None
    with _opened(text) as stream:
        lines = read_lines(stream, "stdin" if text is None else str(text))
        if nbest:
            _nbest(lm, lines, printer, nbest, bos, eos)
            return
        lines, to_score = itertools.tee(lines)
        for line, scored in zip(lines, _scores(lm, to_score, bos, eos, group), strict=True):
            click.echo(printer.line(line, scored))
            if group:
                sys.stdout.flush()


def _opened(text: Path | None) -> Any:
    if text is None:
        return sys.stdin.buffer
    from elman.files import open_input
    from elman.text.corpus import LARGEST_TEXT

    return open_input(
        text, LARGEST_TEXT, TextError, "give a text file with one sentence a line, or leave it out for stdin"
    )


def _scores(
    lm: LanguageModel, lines: Iterable[str], bos: bool, eos: bool, group: int | None = None
) -> Iterator[SentenceScore]:
    return lm.scores(lines, bos, eos, group) if group else lm.scores(lines, bos, eos)


class _Printer:
    """Formats the scores."""

    def __init__(
        self,
        lm: LanguageModel,
        base: tuple[str, float],
        oov_penalty: float | None,
        per_token: bool,
        as_json: bool,
    ) -> None:
        self.lm, self.oov_penalty, self.per_token, self.as_json = lm, oov_penalty, per_token, as_json
        self.name, self.base = base

    def log_probs(self, scored: SentenceScore) -> list[float]:
        """log p of each token in the chosen base, with the penalty for OOVs."""
        unit = math.log(self.base)
        penalty = None if self.oov_penalty is None else self.oov_penalty * math.log(10) / unit
        return [
            penalty if oov and penalty is not None else float(log_prob) / unit
            for log_prob, oov in zip(scored.log_probs, scored.oov, strict=True)
        ]

    def total(self, scored: SentenceScore) -> float:
        """log p of the sentence."""
        return math.fsum(self.log_probs(scored))

    def line(self, sentence: str, scored: SentenceScore, **more: str) -> str:
        """The output for one line; `more` are further keys of its JSON."""
        log_probs, oov = self.log_probs(scored), int(scored.oov.sum())
        total = math.fsum(log_probs)
        tokens = list(zip(self._surfaces(sentence, scored), log_probs, scored.oov.tolist(), strict=True))
        if self.as_json:
            values: dict[str, Any] = {**more, "log_probability": total, "base": self.name}
            values |= {"tokens": len(log_probs), "oov": oov}
            if self.per_token:
                values["per_token"] = [{"token": t, "log_probability": p, "oov": o} for t, p, o in tokens]
            return json.dumps(values, ensure_ascii=False)
        text = f"{self.name}={total:.6f} tokens={len(log_probs)} oov={oov}"
        if self.per_token:
            text += "".join(f"\t{_escaped(token)} {log_prob:.6f}" for token, log_prob, _ in tokens)
        return text

    def _surfaces(self, sentence: str, scored: SentenceScore) -> list[str]:
        """The tokens as written in the line (also OOV words), then the line end."""
        tokenizer = self.lm.tokenizer
        words = sentence.split() if tokenizer.level == "word" else []
        return [
            words[k] if oov and k < len(words) else tokenizer.tokens[token]
            for k, (token, oov) in enumerate(zip(scored.tokens.tolist(), scored.oov, strict=True))
        ]


def _escaped(token: str) -> str:
    """A token with escapes for what would break columns or lines."""
    return token.replace("\\", "\\\\").replace("\n", "\\n").replace("\t", "\\t").replace("\r", "\\r")


def _nbest(lm: LanguageModel, lines: Iterable[str], printer: _Printer, which: str, bos: bool, eos: bool) -> None:
    """Scores hypotheses. Prints all, or the best of each id (of equals the first), in the order of the ids."""

    def split() -> Iterator[tuple[str, str]]:
        for number, line in enumerate(lines, 1):
            parts = line.split(maxsplit=1)
            if not parts:
                raise TextError(f"line {number} of the n-best list is empty; expected `id hypothesis`")
            yield parts[0], parts[1].rstrip() if len(parts) > 1 else ""

    hypotheses, to_score = itertools.tee(split())
    best: dict[str, tuple[float, str, str]] = {}
    for (id_, hypothesis), scored in zip(hypotheses, _scores(lm, (h for _, h in to_score), bos, eos), strict=True):
        total = printer.total(scored)
        as_json = printer.line(hypothesis, scored, id=id_, hypothesis=hypothesis) if printer.as_json else ""
        if which == "all":
            click.echo(as_json or f"{id_} {total:.6f} {hypothesis}")
        elif id_ not in best or total > best[id_][0]:
            best[id_] = (total, hypothesis, as_json)
    for id_, (_, hypothesis, as_json) in best.items():
        click.echo(as_json or f"{id_} {hypothesis}")
