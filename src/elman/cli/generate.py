"""elman generate: text in the manner of a model."""

from __future__ import annotations

import json
from pathlib import Path

import click

from elman.cli.options import as_json, run_argument, threads


@click.command(epilog='Example:  elman generate runs/book "It was" --max-tokens 50 --temperature 0.8 --seed 1')
@run_argument
@click.argument("prompt", default="")
@click.option("--max-tokens", default=100, show_default=True, help="At most so many tokens after the prompt.")
@click.option("--temperature", default=1.0, show_default=True, help="Under 1: safer text; 0: always the likeliest.")
@click.option("--top-k", default=0, help="Draw among the k likeliest tokens.  [default: among all]")
@click.option("--top-p", default=1.0, help="Draw among the likeliest that together hold this share.  [default: all]")
@click.option("--stop", multiple=True, metavar="TEXT", help="End before this text; may be given several times.")
@click.option("--unk", is_flag=True, help="Let <unk> be drawn too.")
@click.option("--seed", type=click.IntRange(0), help="The same seed draws the same text.  [default: by chance]")
@click.option("--count", default=1, show_default=True, type=click.IntRange(1), help="So many texts.")
@as_json
@threads
def generate(
    run: Path,
    prompt: str,
    max_tokens: int,
    temperature: float,
    top_k: int,
    top_p: float,
    stop: tuple[str, ...],
    unk: bool,
    seed: int | None,
    count: int,
    as_json: bool,
) -> None:
    """Draw text from the model in RUN that goes on from PROMPT (empty: from the start of a line).

    The prompt is printed too, and the text appears as it is drawn. --json prints a line a text, with prompt and
    continuation apart.
    """
    import numpy as np

    from elman.inference.generate import Sampling
    from elman.language_model import load

    sampling = Sampling(max_tokens, temperature, top_k, top_p, stop, unk)
    lm = load(run)
    _, oov = lm.tokenizer.encode_with_oov(prompt)
    if oov.any():
        click.echo(f"elman: {int(oov.sum())} of the prompt's {len(oov)} tokens are not in the vocabulary", err=True)
    generator = np.random.default_rng(seed)
    for k in range(count):
        pieces = lm.stream(prompt, sampling, generator)
        if as_json:
            click.echo(json.dumps({"prompt": prompt, "text": "".join(pieces)}, ensure_ascii=False))
            continue
        if k:
            click.echo("---")
        click.echo(prompt, nl=False)
        for piece in pieces:
            click.echo(piece, nl=False)
        click.echo()
