"""elman evaluate: how well a model predicts a text."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from elman.cli.options import as_json, run_argument, threads

if TYPE_CHECKING:
    from elman.inference.evaluate import Evaluation


@click.command(epilog="Example:  elman evaluate runs/book other.txt --json")
@run_argument
@click.argument("text", nargs=-1, required=True, type=click.Path(path_type=Path))
@as_json
@threads
def evaluate(run: Path, text: tuple[Path, ...], as_json: bool) -> None:
    """Measure how well the model in RUN predicts TEXT (files, a folder of .txt files, or - for stdin).

    The text is read as one stream, so that no figure depends on a batch size, and every token is counted, the
    line ends too. OOV: a token that is not in the model's vocabulary.
    """
    from elman.language_model import load
    from elman.text.corpus import Corpus

    found = load(run).evaluate(Corpus.from_paths(text).pieces())
    click.echo(json.dumps(found.as_dict(), indent=2) if as_json else _table(found))


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
