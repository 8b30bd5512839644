"""elman ngram: an n-gram model of a run's text, as an ARPA file."""

from __future__ import annotations

from pathlib import Path

import click

from elman.cli.options import as_json, run_argument, threads
from elman.cli.outputs import require_output
from elman.cli.streams import show, show_json
from elman.errors import ConfigError


@click.command(epilog="Example:  elman ngram runs/book --order 5 --out book.arpa")
@run_argument
@click.option("--order", type=int, default=5, show_default=True, help="The most tokens of an n-gram, 1 to 10.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The ARPA file to write.")
@as_json
@threads
def ngram(run: Path, order: int, out: Path, as_json: bool) -> None:
    """Count the n-grams of the text that RUN was trained on, and write them as an ARPA file.

    The model is an interpolated modified Kneser-Ney model of the run's own tokens, as KenLM's lmplz computes it. At
    word level a line is a sentence; at the other levels the text is one stream. `elman evaluate RUN TEXT --mix ngram`
    needs no file.
    """
    from elman.files import whole
    from elman.inference.company import ngram_of_run
    from elman.language_model import load
    from elman.ngram.arpa import save_arpa

    require_output(out, [], "book.arpa")
    lm = load(run)
    assert lm.config is not None  # a loaded model has one
    if lm.config.task:
        raise ConfigError(f"{run} was trained on {lm.config.corpus}, not on a text: it has no n-grams")
    model = ngram_of_run(run, lm.tokenizer, order)
    with whole(out, ConfigError, "name a file in a folder that exists") as temporary:
        save_arpa(model, lm.tokenizer.tokens, lm.tokenizer.unk, temporary)
    counts = [len(o) for o in model.orders]
    if as_json:
        show_json({"file": str(out), "order": order, "ngrams": counts})
    else:
        show(f"{out}: {', '.join(f'{n:,} of {k}' for k, n in enumerate(counts, 1))}")
