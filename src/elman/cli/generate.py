"""elman generate: text sampled from a model, or the likeliest."""

from __future__ import annotations

from pathlib import Path

import click
from click.core import ParameterSource

from elman.cli.options import ANY_TEXT, as_json, mix, run_argument, threads, unknown_in
from elman.cli.streams import show, show_json
from elman.errors import ConfigError

DRAWING = ("temperature", "top_k", "top_p", "min_p", "repetition_penalty", "stop", "seed", "count")
"""The options about drawing."""


@click.command(epilog='Example:  elman generate runs/book "It was" --temperature 0.8 --seed 1')
@run_argument
@click.argument("prompt", default="", type=ANY_TEXT)
@click.option(
    "--max-tokens", default=100, metavar="N", show_default=True, help="The most tokens to draw after the prompt."
)
@click.option(
    "--temperature",
    default=1.0,
    show_default=True,
    help="Divides the logits. Below 1: safer text; 0: always the likeliest token.",
)
@click.option("--top-k", default=0, metavar="K", help="Draw among the k likeliest tokens.  [default: among all]")
@click.option(
    "--top-p", default=1.0, help="Draw among the likeliest tokens whose probabilities reach this sum.  [default: all]"
)
@click.option(
    "--min-p",
    default=0.0,
    metavar="SHARE",
    help="Draw among the tokens that have at least this share of the likeliest one's probability.  [default: all]",
)
@click.option(
    "--repetition-penalty",
    default=1.0,
    metavar="R",
    help="Raise the probability of a token that was read or drawn before to this power.  [default: 1, no penalty]",
)
@click.option(
    "--beam",
    type=click.IntRange(1),
    metavar="N",
    help="Draw nothing: look for the likeliest continuation up to a line end, with N beginnings of each length.",
)
@click.option(
    "--stop",
    multiple=True,
    type=ANY_TEXT,
    metavar="TEXT",
    help="End before this text; can be given several times.",
)
@click.option("--unk", is_flag=True, help="Allow <unk> to be drawn.")
@click.option(
    "--seed", type=click.IntRange(0), metavar="N", help="The same seed gives the same text.  [default: random]"
)
@click.option("--count", default=1, show_default=True, type=click.IntRange(1), metavar="N", help="How many texts.")
@mix
@as_json
@threads
def generate(
    run: Path,
    prompt: str,
    max_tokens: int,
    temperature: float,
    top_k: int,
    top_p: float,
    min_p: float,
    repetition_penalty: float,
    beam: int | None,
    stop: tuple[str, ...],
    unk: bool,
    seed: int | None,
    count: int,
    mix: tuple[str, ...],
    as_json: bool,
) -> None:
    """Sample text from the model in RUN that continues PROMPT (empty: from the start of a line).

    The prompt is printed too, and the text appears as it is drawn. --json prints one line for each text, with the
    prompt and the continuation under two keys; of --beam, also its log probability, the line end included.
    """
    import numpy as np

    from elman.inference.generate import Sampling
    from elman.language_model import load

    sampling = Sampling(max_tokens, temperature, top_k, top_p, stop, unk, min_p, repetition_penalty)
    if beam:
        _refuse_drawing()
    lm = load(run, mix)
    unknown_in(lm, "prompt", prompt)
    if beam:
        found = lm.continuation(prompt, beams=beam, max_tokens=max_tokens, unknown=unk)
        if as_json:
            show_json({"prompt": prompt, "text": found.text, "log_probability": found.log_prob, "base": "log10"})
        else:
            show(prompt + found.text)
        return
    generator = np.random.default_rng(seed)
    for k in range(count):
        pieces = lm.stream(prompt, sampling, generator)
        if as_json:
            show_json({"prompt": prompt, "text": "".join(pieces)})
            continue
        if k:
            show("---")
        show(prompt, end="")
        for piece in pieces:
            show(piece, end="")
        show()


def _refuse_drawing() -> None:
    """Raises ConfigError for options about drawing, which a beam search does not."""
    context = click.get_current_context()
    given = (name for name in DRAWING if context.get_parameter_source(name) is ParameterSource.COMMANDLINE)
    if options := ", ".join(f"--{name.replace('_', '-')}" for name in given):
        raise ConfigError(f"--beam looks for the likeliest text and contradicts {options}: leave that out")
