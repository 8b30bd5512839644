"""elman next: the tokens that most probably come next."""

from __future__ import annotations

from pathlib import Path

import click

from elman.cli.options import ANY_TEXT, as_json, mix, run_argument, threads, unknown_in
from elman.cli.streams import show, show_json
from elman.wording import escaped


@click.command("next", epilog='Example:  elman next runs/book "It was" --top 5')
@run_argument
@click.argument("context", default="", type=ANY_TEXT)
@click.option("--top", default=10, metavar="N", show_default=True, help="How many tokens; all if there are no more.")
@mix
@as_json
@threads
def next_(run: Path, context: str, top: int, mix: tuple[str, ...], as_json: bool) -> None:
    """Print the tokens that most probably follow CONTEXT (empty: that begin a line), the likeliest first.

    A line of output is the probability and the token, separated by a tab. CONTEXT is the beginning of a line.
    """
    from elman.language_model import load

    lm = load(run, mix)
    unknown_in(lm, "context", context)
    found = lm.next(context, top)
    if as_json:
        tokens = [{"token": token, "probability": probability} for token, probability in found]
        show_json({"context": context, "next": tokens})
        return
    for token, probability in found:
        show(f"{probability:.6f}\t{escaped(token)}")
