"""elman flow: how far back a gradient reaches, which steps it comes from, and why it vanishes or explodes."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from elman.cli.options import as_json, one_thread, run_argument
from elman.cli.outputs import require_folder, require_output
from elman.cli.streams import lines, message, show_json
from elman.errors import ConfigError
from elman.files import same_place, write_whole
from elman.translation import translate
from elman.wording import printable

if TYPE_CHECKING:
    from elman.cli.flow_runs import RunFlow

FORMATS = ("png", "svg", "pdf")
NO_FONT = "no font with Chinese characters is installed, so the plots are in English: install Noto Sans CJK SC"
OTHER_PICTURES = (".jpg", ".jpeg", ".gif", ".webp", ".tif", ".tiff", ".bmp", ".eps", ".ps", ".html")


@click.command(epilog="Example:  elman flow runs/book book.txt --html flow.html")
@run_argument
@click.argument("text", nargs=-1, type=click.Path(path_type=Path))
@click.option("--steps", type=click.IntRange(4, 2000), metavar="T", help="Time steps to decompose.  [default: 100]")
@click.option("--start", type=click.IntRange(0), metavar="N", help="Skip the first N tokens of TEXT.  [default: 0]")
@click.option(
    "--at",
    type=click.IntRange(0),
    metavar="t",
    help="The loss to show, counted from 0.  [default: the one whose gradient reaches farthest back]",
)
@click.option(
    "--layer", type=click.IntRange(0), metavar="N", help="The layer of a stack, from 0.  [default: every layer]"
)
@click.option("--init", is_flag=True, help="Show the network as it was before training.")
@click.option("--compare", type=click.Path(path_type=Path), metavar="RUN2", help="Show RUN2 beside RUN.")
@click.option("--html", type=click.Path(path_type=Path), metavar="FILE", help="Write an interactive page.")
@click.option(
    "--png",
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="Write the plots: on one page if PATH ends in .png, .svg or .pdf, else one file each into the folder PATH.",
)
@click.option("--format", "kind", type=click.Choice(FORMATS), help="Format of plots in a folder.  [default: png]")
@click.option(
    "--tensorboard", type=click.Path(path_type=Path), metavar="FOLDER", help="Write the records as TensorBoard events."
)
@as_json
@one_thread
def flow(
    run: Path, text: tuple[Path, ...], steps: int | None, start: int | None, at: int | None, layer: int | None,
    init: bool, compare: Path | None, html: Path | None, png: Path | None, kind: str | None, tensorboard: Path | None,
    as_json: bool,
) -> None:  # fmt: skip
    """Decompose the gradient of each loss on TEXT by time step: what each earlier step contributes.

    TEXT: files, a folder of .txt files, or - for stdin. Without TEXT, show what training recorded of its gradients:
    norms, clipping, and the decompositions of --watch-gradients.

    \b
    elman flow RUN TEXT --init --compare RUN      before and after training
    elman flow RUN TEXT --png plots/              the plots, for a paper
    """
    text_options = {"steps": steps, "start": start, "at": at, "layer": layer, "init": init or None}
    _check_text(run, text, compare, text_options, init=init)
    _check_outputs(text, html, png, kind, tensorboard)
    if png is not None:  # a missing extra is reported before any work is done
        from elman.gradient_flow.plots import lacks_font, write_plots
    if tensorboard is not None:
        from elman.gradient_flow.events import write_events
    runs = _read_runs(run, text, compare, init, steps=steps or 100, start=start or 0, at=at, layer=layer)
    views = [each.view for each in runs if each.view]
    histories = {each.label: each.history for each in runs if each.history}
    if not views and not any(history.recorded for history in histories.values()):
        raise ConfigError(f"{run} has no records of its training: name TEXT after RUN to decompose the gradients on it")
    written: list[Path] = []
    if html is not None:
        from elman.gradient_flow.report import as_html

        options = {
            "--steps": steps, "--start": start, "--at": at, "--layer": layer, "--init": init, "--compare": compare,
            "--html": html,
        }  # fmt: skip
        write_whole(html, as_html(views, histories, _command(run, text, options)))
        written.append(html)
    if png is not None:
        written += write_plots(png, kind or "png", views, histories)
        if lacks_font():
            message(NO_FONT)
    if tensorboard is not None:
        written += write_events(tensorboard, views, histories)
    if as_json:
        first, *others = [each.as_dict() for each in runs]
        show_json({**first, "compared": others}, indent=1)
        return
    from elman.cli.flow_summary import summary

    summary(runs)
    for path in written:
        lines(translate(f"written: {path}"))


def _command(run: Path, text: tuple[Path, ...], options: Mapping[str, Any]) -> str:
    """The command as a shell reads it; an option that is True is a flag, one that is None or False was not given."""
    words = ["elman", "flow", str(run), *map(str, text)]
    for name, value in options.items():
        if value is not None and value is not False:
            words += [name] if value is True else [name, str(value)]
    return printable(shlex.join(words))


def _check_text(
    run: Path, text: tuple[Path, ...], compare: Path | None, text_options: dict[str, Any], *, init: bool
) -> None:
    """Raises ConfigError for options that contradict each other."""
    given = [f"--{name}" for name, value in text_options.items() if value is not None]
    if not text and given:
        raise ConfigError(f"{', '.join(given)} {'needs' if len(given) == 1 else 'need'} a text: name TEXT after RUN")
    if compare is not None and not init and same_place(compare, run):
        raise ConfigError(f"--compare {compare} is RUN itself: add --init to compare it with its state before training")


def _check_outputs(
    text: tuple[Path, ...], html: Path | None, png: Path | None, kind: str | None, tensorboard: Path | None
) -> None:
    """Raises ConfigError for outputs that cannot be written, or would overwrite each other or the text."""
    page = png is not None and png.suffix[1:].lower() in FORMATS
    if kind is not None and (png is None or page):
        raise ConfigError("--format is for plots in a folder: give --png FOLDER with it")
    if png is not None and not page and png.suffix.lower() in OTHER_PICTURES:
        raise ConfigError(f"{png} would be a folder: name a file that ends in .png, .svg or .pdf, or a folder")
    files = {"--html": html, "--png": png if page else None}
    for option, path in files.items():
        if path is not None:
            require_output(path, text, f"flow.{option[2:]}")
    for option, path in {"--png": None if page else png, "--tensorboard": tensorboard}.items():
        if path is not None:
            require_folder(path, option)
    if html is not None and any(other is not None and same_place(html, other) for other in (png, tensorboard)):
        raise ConfigError(f"{html} is named for two outputs: give each output a name of its own")


def _read_runs(
    run: Path, text: tuple[Path, ...], compare: Path | None, init: bool, *, steps: int, start: int, at: int | None,
    layer: int | None,
) -> list[RunFlow]:  # fmt: skip
    """RUN, and the run it is compared with; of each its layers."""
    from elman.cli.flow_runs import read_run, with_same_loss
    from elman.text.corpus import Corpus

    corpus = Corpus.from_paths(text) if text else None
    runs = [(run, init)] + ([(compare, False)] if compare is not None else [])
    return with_same_loss(
        [
            shown
            for each, before in runs
            for shown in read_run(each, corpus, steps=steps, start=start, at=at, layer=layer, before_training=before)
        ]
    )
