"""elman plot: learning curves of one run or several."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from elman.cli.flow import NO_FONT
from elman.cli.options import as_json
from elman.cli.outputs import require_output
from elman.cli.streams import lines, message, show_json
from elman.errors import ConfigError
from elman.translation import translate

if TYPE_CHECKING:
    from elman.training.curves import Against, Curve

FORMATS = (".png", ".svg", ".pdf", ".html")


@click.command(epilog="Example:  elman plot runs/small runs/large --against seconds --out curves.svg")
@click.argument("runs", metavar="RUN...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), metavar="FILE", help="The plot: .png, .svg, .pdf or .html.")
@click.option(
    "--against",
    type=click.Choice(["step", "epoch", "seconds"]),
    default="step",
    show_default=True,
    help="What the horizontal axis is.",
)
@as_json
def plot(runs: tuple[Path, ...], out: Path | None, against: Against, as_json: bool) -> None:
    """Plot the learning curves of RUNs: the loss of the validation text, solid, and of the training text, dashed.

    A point is a validation. Levels word and bpe are plotted as perplexity, char and byte as bits per token, tasks as
    the share of wrong sequences. Pictures need matplotlib (pip install 'elman[plots]'), the HTML page does not; --json
    prints the points, and does without --out.
    """
    from elman.training.curves import require_one_measure

    if out is None and not as_json:
        raise ConfigError("--out is missing: name the file of the plot, such as curves.svg, or ask for --json")
    if out is not None:
        if out.suffix.lower() not in FORMATS:
            raise ConfigError(f"{out} is no kind of picture that is written: end its name in {', '.join(FORMATS)}")
        require_output(out, [], "curves.svg")
        if out.suffix.lower() == ".html":
            from elman.training.curves_page import write_curves
        else:  # a missing extra is reported before any work is done
            from elman.training.curves_plot import write_curves
    curves = [_curve(run, against) for run in runs]
    require_one_measure(curves)
    if out is not None:
        write_curves(out, curves, against)
        if out.suffix.lower() != ".html":
            from elman.gradient_flow.plots import lacks_font

            if lacks_font():
                message(NO_FONT)
        lines(translate(f"written: {out}"))
    if as_json:
        show_json({"against": against, "curves": [curve.as_dict() for curve in curves]}, indent=1)


def _curve(run: Path, against: Against) -> Curve:
    """The curve of a run folder. Raises CheckpointError where there is no run."""
    from elman.checkpoint import RunFolder, load_config
    from elman.training.curves import curve
    from elman.training.metrics_file import read_metrics

    folder = RunFolder(run)
    config, _ = load_config(folder)
    return curve(str(run), read_metrics(folder.metrics), config.text.level, against, task=config.task is not None)
