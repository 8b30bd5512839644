"""elman score: log probabilities of lines, and n-best lists."""

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
@click.option("--per-token", is_flag=True, help="Add each token and its log probability, parted by tabs.")
@click.option(
    "--nbest", type=click.Choice(["best", "all"]),
    help="Read lines `id hypothesis`. best: print `id hypothesis`, the likeliest of each id; "
    "all: print every one as `id log-probability hypothesis`.",
)  # fmt: skip
@click.option("--oov-penalty", type=float, metavar="LOG10", help="Count so much for an OOV (Mikolov's rnnlm: -5).")
@click.option("--bos/--no-bos", default=True, help="Whether a line begins after a line end.  [default: it does]")
@click.option("--eos/--no-eos", default=True, help="Whether the line's end is predicted too.  [default: it is]")
@click.option("--line-buffered", is_flag=True, help="Answer each line before the next is read.")
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
    """Print the log probability of each line of TEXT (or stdin), a line out for a line in, in order.

    Each line of the answer is `log10=… tokens=… oov=…`; the tokens counted are those predicted, the line end among
    them. Identical lines get identical scores, and a score does not depend on the lines around it.
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
        mine, theirs = itertools.tee(lines)
        for line, found in zip(mine, _scores(lm, theirs, bos, eos, group), strict=True):
            click.echo(printer.line(line, found))
            if group:
                sys.stdout.flush()


def _opened(text: Path | None) -> Any:
    if text is None:
        return sys.stdin.buffer
    try:
        return text.open("rb")
    except OSError as error:
        raise TextError(f"cannot read {text}: {error.strerror}; give a text file with a sentence a line") from error


def _scores(
    lm: LanguageModel, lines: Iterable[str], bos: bool, eos: bool, group: int | None = None
) -> Iterator[SentenceScore]:
    return lm.scores(lines, bos, eos, group) if group else lm.scores(lines, bos, eos)


class _Printer:
    """How a scored line is shown."""

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

    def log_probs(self, found: SentenceScore) -> list[float]:
        """log p of every token in the base asked for, OOVs at their penalty."""
        unit = math.log(self.base)
        penalty = None if self.oov_penalty is None else self.oov_penalty * math.log(10) / unit
        return [
            penalty if oov and penalty is not None else float(log_prob) / unit
            for log_prob, oov in zip(found.log_probs, found.oov, strict=True)
        ]

    def total(self, found: SentenceScore) -> float:
        """log p of the sentence."""
        return math.fsum(self.log_probs(found))

    def line(self, sentence: str, found: SentenceScore, **more: str) -> str:
        """The answer to one line."""
        log_probs, oov = self.log_probs(found), int(found.oov.sum())
        total = math.fsum(log_probs)
        tokens = list(zip(self._surfaces(sentence, found), log_probs, found.oov.tolist(), strict=True))
        if self.as_json:
            answer: dict[str, Any] = {**more, "log_probability": total, "base": self.name}
            answer |= {"tokens": len(log_probs), "oov": oov}
            if self.per_token:
                answer["per_token"] = [{"token": t, "log_probability": p, "oov": o} for t, p, o in tokens]
            return json.dumps(answer, ensure_ascii=False)
        shown = f"{self.name}={total:.6f} tokens={len(log_probs)} oov={oov}"
        if self.per_token:
            shown += "".join(f"\t{_visible(token)} {log_prob:.6f}" for token, log_prob, _ in tokens)
        return shown

    def _surfaces(self, sentence: str, found: SentenceScore) -> list[str]:
        """The tokens as they stand in the line (an OOV word too), then the line end."""
        tokenizer = self.lm.tokenizer
        words = sentence.split() if tokenizer.level == "word" else []
        return [
            words[k] if oov and k < len(words) else tokenizer.tokens[token]
            for k, (token, oov) in enumerate(zip(found.tokens.tolist(), found.oov, strict=True))
        ]


def _visible(token: str) -> str:
    """A token that parts neither columns nor lines."""
    return token.replace("\\", "\\\\").replace("\n", "\\n").replace("\t", "\\t").replace("\r", "\\r")


def _nbest(lm: LanguageModel, lines: Iterable[str], printer: _Printer, which: str, bos: bool, eos: bool) -> None:
    """Scores hypotheses; prints all, or keeps the best of each id (the first of equals) in the order of the ids."""

    def split() -> Iterator[tuple[str, str]]:
        for number, line in enumerate(lines, 1):
            parts = line.split(maxsplit=1)
            if not parts:
                raise TextError(f"line {number} of the n-best list is empty; expected `id hypothesis`")
            yield parts[0], parts[1].rstrip() if len(parts) > 1 else ""

    mine, theirs = itertools.tee(split())
    best: dict[str, tuple[float, str, str]] = {}
    for (id_, hypothesis), found in zip(mine, _scores(lm, (h for _, h in theirs), bos, eos), strict=True):
        total = printer.total(found)
        as_json = printer.line(hypothesis, found, id=id_, hypothesis=hypothesis) if printer.as_json else ""
        if which == "all":
            click.echo(as_json or f"{id_} {total:.6f} {hypothesis}")
        elif id_ not in best or total > best[id_][0]:
            best[id_] = (total, hypothesis, as_json)
    for id_, (_, hypothesis, as_json) in best.items():
        click.echo(as_json or f"{id_} {hypothesis}")
