"""elman score: log probabilities of lines and of n-best lists."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from elman.arguments import require
from elman.cli.options import ANY_TEXT, as_json, mix, run_argument, threads, unknown_in
from elman.cli.streams import show, show_json
from elman.errors import ConfigError, TextError
from elman.wording import escaped

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
@click.option(
    "--after",
    default="",
    type=ANY_TEXT,
    metavar="CONTEXT",
    help="Score each line as what follows this text, which is the beginning of the line and is not scored.",
)
@click.option(
    "--reset/--no-reset",
    default=True,
    help="Whether each line is scored alone, or after all the lines before it.  [default: --reset]",
)
@mix
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
    after: str,
    reset: bool,
    mix: tuple[str, ...],
    line_buffered: bool,
    as_json: bool,
) -> None:
    """Print the log probability of each line of TEXT (or stdin): one line of output for each line, in order.

    A line of output is `log10=… tokens=… oov=…`; `tokens` counts the predicted ones, including the line end. Equal
    lines get equal scores, whatever the lines around them, unless --no-reset makes them the lines of one text.
    """
    from elman.language_model import load
    from elman.text.corpus import read_lines

    if per_token and nbest:
        raise ConfigError("--per-token and --nbest contradict each other: leave one of them out")
    if nbest and not reset:
        raise ConfigError("--no-reset and --nbest contradict each other: hypotheses are not lines of one text")
    if mix and not bos:
        raise ConfigError("--no-bos and --mix contradict each other: the parts of a mixture begin at a line")
    if oov_penalty is not None:
        require("oov-penalty", oov_penalty, float)
    lm = load(run, mix)
    unknown_in(lm, "context", after)
    choices: dict[str, Any] = {"bos": bos, "eos": eos, "after": after, "reset": reset}
    printer = _Printer(lm, BASES[base], oov_penalty, per_token, as_json)
    with _opened(text) as stream:
        if line_buffered or stream.isatty():
            choices["group"] = 1
        lines = read_lines(stream, "stdin" if text is None else str(text), lm.tokenizer.level)
        if nbest:
            _nbest(lm, lines, printer, nbest, choices)
            return
        lines, to_score = itertools.tee(lines)
        for line, scored in zip(lines, lm.scores(to_score, **choices), strict=True):
            printer.show(line, scored)


def _opened(text: Path | None) -> Any:
    from elman.files import open_input
    from elman.text.corpus import LARGEST_TEXT, standard_input

    if text is None:
        return standard_input()
    return open_input(
        text, LARGEST_TEXT, TextError, "give a text file with one sentence a line, or leave it out for stdin"
    )


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

    def values(self, sentence: str, scored: SentenceScore) -> dict[str, Any]:
        """The figures of one line, as `--json` prints them."""
        log_probs, oov = self.log_probs(scored), int(scored.oov.sum())
        values: dict[str, Any] = {"log_probability": math.fsum(log_probs), "base": self.name}
        values |= {"tokens": len(log_probs), "oov": oov}
        if self.per_token:
            tokens = zip(self._surfaces(sentence, scored), log_probs, scored.oov.tolist(), strict=True)
            values["per_token"] = [{"token": t, "log_probability": p, "oov": o} for t, p, o in tokens]
        return values

    def show(self, sentence: str, scored: SentenceScore) -> None:
        """Prints the figures of one line."""
        values = self.values(sentence, scored)
        if self.as_json:
            show_json(values)
            return
        text = f"{self.name}={values['log_probability']:.6f} tokens={values['tokens']} oov={values['oov']}"
        for each in values.get("per_token", ()):
            text += f"\t{escaped(each['token'])} {each['log_probability']:.6f}"
        show(text)

    def _surfaces(self, sentence: str, scored: SentenceScore) -> list[str]:
        """The tokens as the tokenizer read them in the line, OOVs included, then the line end if it was predicted."""
        tokenizer = self.lm.tokenizer
        return [*tokenizer.surfaces(sentence), tokenizer.tokens[tokenizer.eos]][: len(scored.tokens)]


def _nbest(lm: LanguageModel, lines: Iterable[str], printer: _Printer, which: str, choices: Mapping[str, Any]) -> None:
    """Scores hypotheses. Prints all, or the best of each id (of equals the first), in the order of the ids.

    choices: as for `LanguageModel.scores`.
    """

    def split() -> Iterator[tuple[str, str]]:
        for number, line in enumerate(lines, 1):
            parts = line.split(maxsplit=1)
            if not parts:
                raise TextError(f"line {number} of the n-best list is empty; expected `id hypothesis`")
            yield parts[0], parts[1].rstrip() if len(parts) > 1 else ""

    def put(id_: str, hypothesis: str, values: dict[str, Any]) -> None:
        if printer.as_json:
            show_json({"id": id_, "hypothesis": hypothesis, **values})
        else:
            show(f"{id_} {values['log_probability']:.6f} {hypothesis}" if which == "all" else f"{id_} {hypothesis}")

    hypotheses, to_score = itertools.tee(split())
    best: dict[str, tuple[str, dict[str, Any]]] = {}
    for (id_, hypothesis), scored in zip(hypotheses, lm.scores((h for _, h in to_score), **choices), strict=True):
        values = printer.values(hypothesis, scored)
        if which == "all":
            put(id_, hypothesis, values)
        elif id_ not in best or values["log_probability"] > best[id_][1]["log_probability"]:
            best[id_] = hypothesis, values
    for id_, found in best.items():
        put(id_, *found)
