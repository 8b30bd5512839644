"""elman flow: how far back a gradient reaches, which steps it comes from, and why it vanishes or explodes."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from elman.cli.options import as_json, one_thread, run_argument
from elman.errors import ConfigError, TextError
from elman.files import write_whole

if TYPE_CHECKING:
    from elman.cli.window import Side

FORMATS = ("png", "svg", "pdf")
OTHER_PICTURES = (".jpg", ".jpeg", ".gif", ".webp", ".tif", ".tiff", ".bmp", ".eps", ".ps", ".html")


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
    _check_text(run, text, compare, {"steps": steps, "start": start, "at": at, "init": init or None}, init=init)
    _check_outputs(text, html, png, kind, tensorboard)
    if png is not None:  # what is not installed is told before the work is done
        from elman.gradient_flow.plots import write_plots
    if tensorboard is not None:
        from elman.gradient_flow.events import write_events
    sides = _sides(run, text, compare, init, steps=steps or 100, start=start or 0, at=at)
    views = [side.view for side in sides if side.view]
    histories = {side.label: side.history for side in sides if side.history}
    if not views and not any(history.recorded for history in histories.values()):
        raise ConfigError(f"{run} has no records of its training: name TEXT after RUN to look at the network itself")
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


def _check_text(
    run: Path, text: tuple[Path, ...], compare: Path | None, of_text: dict[str, Any], *, init: bool
) -> None:
    """Raises ConfigError for what contradicts."""
    given = [f"--{name}" for name, value in of_text.items() if value is not None]
    if not text and given:
        raise ConfigError(f"{', '.join(given)} {'is' if len(given) == 1 else 'are'} about a text: name TEXT after RUN")
    if compare is not None and not init and compare.resolve() == run.resolve():
        raise ConfigError(f"--compare {compare} is RUN itself: add --init to compare it with how it began")


def _check_outputs(
    text: tuple[Path, ...], html: Path | None, png: Path | None, kind: str | None, tensorboard: Path | None
) -> None:
    """Raises ConfigError for what cannot be written, or not all of it."""
    page = png is not None and png.suffix[1:].lower() in FORMATS
    if kind is not None and (png is None or page):
        raise ConfigError("--format is for the plots in a folder: give --png FOLDER with it")
    if png is not None and not page and png.suffix.lower() in OTHER_PICTURES:
        raise ConfigError(f"{png} would be a folder: name a file that ends in .png, .svg or .pdf, or a folder")
    files = {"--html": html, "--png": png if page else None}
    for option, path in files.items():
        if path is not None and any(path.resolve() == each.resolve() for each in text):
            raise ConfigError(f"{path} is the text itself: give another name to write to")
        if path is not None and path.is_dir():
            raise ConfigError(f"{path} is a folder: name the file to write, such as {path / f'flow.{option[2:]}'}")
    for option, path in {"--png": None if page else png, "--tensorboard": tensorboard}.items():
        if path is not None and path.exists() and not path.is_dir():
            raise ConfigError(f"{path} is a file: {option} writes into a folder")
    if html is not None and html in (png, tensorboard):
        raise ConfigError(f"{html} cannot be two things: give every output a name of its own")


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
