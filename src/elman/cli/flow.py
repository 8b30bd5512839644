"""elman flow: how far back a gradient reaches, which steps it comes from, and why it vanishes or explodes."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from elman.cli.files import write_whole
from elman.cli.options import as_json, one_thread, run_argument
from elman.errors import ConfigError, TextError

if TYPE_CHECKING:
    from elman.cli.window import Side

FORMATS = ("png", "svg", "pdf")


@click.command(epilog="Example:  elman flow runs/book book.txt --html flow.html")
@run_argument
@click.argument("text", nargs=-1, type=click.Path(path_type=Path))
@click.option("--steps", type=click.IntRange(4, 2000), metavar="T", help="Time steps to look at.  [default: 100]")
@click.option("--start", type=click.IntRange(0), metavar="N", help="Tokens of TEXT to pass over.  [default: 0]")
@click.option(
    "--at",
    type=click.IntRange(0),
    metavar="t",
    help="The loss whose contributions are shown, from 0.  [default: the one of RUN that reaches farthest back]",
)
@click.option("--init", is_flag=True, help="Look at the network as RUN began, before training.")
@click.option("--compare", type=click.Path(path_type=Path), metavar="RUN2", help="Show this run beside RUN.")
@click.option("--html", type=click.Path(path_type=Path), metavar="FILE", help="Write a report to explore, one page.")
@click.option(
    "--png",
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="Write the plots: all on a page where PATH ends in .png, .svg or .pdf, else each into the folder PATH.",
)
@click.option("--format", "kind", type=click.Choice(FORMATS), help="Of the plots in a folder.  [default: png]")
@click.option(
    "--tensorboard", type=click.Path(path_type=Path), metavar="FOLDER", help="Write the run as TensorBoard event files."
)
@as_json
@one_thread
def flow(
    run: Path, text: tuple[Path, ...], steps: int | None, start: int | None, at: int | None, init: bool,
    compare: Path | None, html: Path | None, png: Path | None, kind: str | None, tensorboard: Path | None,
    as_json: bool,
) -> None:  # fmt: skip
    """Take the gradient of each loss of TEXT apart by time step: what every earlier step contributes.

    TEXT: files, a folder of .txt files, or - for stdin. Without TEXT, what training recorded of its gradients:
    norms, clipping, and the lens where it was watched.

    \b
    elman flow RUN TEXT --init --compare RUN      before training and after
    elman flow RUN TEXT --png plots/              the plots, for a paper
    """
    _check(text, {"steps": steps, "start": start, "at": at, "init": init or None}, html, png, kind)
    if png is not None:  # what is not installed is told before the work is done
        from elman.gradient_flow.plots import write_plots
    if tensorboard is not None:
        from elman.gradient_flow.events import write_events
    sides = _sides(run, text, compare, init, steps=steps or 100, start=start or 0, at=at)
    views = [side.view for side in sides if side.view]
    histories = {side.label: side.history for side in sides if side.history}
    written: list[Path] = []
    if html is not None:
        from elman.gradient_flow.report import as_html

        write_whole(html, as_html(views, histories))
        written.append(html)
    if png is not None:
        with _writing(png):
            written += write_plots(png, kind or "png", views, histories)
    if tensorboard is not None:
        with _writing(tensorboard):
            written += write_events(tensorboard, views, histories)
    if as_json:
        found = [(side.view.as_dict() if side.view else {"model": side.label}) | _history(side) for side in sides]
        click.echo(json.dumps({**found[0], "compared": found[1:]}, ensure_ascii=False, indent=1))
        return
    from elman.cli.flow_summary import summary

    summary(sides)
    for path in written:
        click.echo(f"written: {path}", err=True)


def _check(
    text: tuple[Path, ...], of_text: dict[str, Any], html: Path | None, png: Path | None, kind: str | None
) -> None:
    """Raises ConfigError for what contradicts."""
    given = [f"--{name}" for name, value in of_text.items() if value is not None]
    if not text and given:
        raise ConfigError(f"{', '.join(given)} {'is' if len(given) == 1 else 'are'} about a text: name TEXT after RUN")
    if kind is not None and (png is None or png.suffix[1:] in FORMATS):
        raise ConfigError("--format is for the plots in a folder: give --png FOLDER with it")
    if html is not None and any(html.resolve() == path.resolve() for path in text):
        raise ConfigError(f"{html} is the text itself: give another name to write to")
    if html is not None and html.is_dir():
        raise ConfigError(f"{html} is a folder: name the file to write, such as {html / 'flow.html'}")


def _sides(
    run: Path, text: tuple[Path, ...], compare: Path | None, init: bool, *, steps: int, start: int, at: int | None
) -> list[Side]:
    from elman.cli.window import open_side, same_loss
    from elman.text.corpus import Corpus

    corpus = Corpus.from_paths(text) if text else None
    runs = [(run, init)] + ([(compare, False)] if compare is not None else [])
    sides = [open_side(each, corpus, steps=steps, start=start, at=at, before_training=before) for each, before in runs]
    return same_loss(sides)


def _history(side: Side) -> dict[str, Any]:
    return {"history": side.history.as_dict() if side.history else None}


@contextlib.contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise TextError(f"cannot write {path}: {error.strerror or error}") from None
