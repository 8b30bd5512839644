"""The plot of learning curves: validation solid, training dashed, a colour a run."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

from elman.errors import MissingExtraError
from elman.files import write_whole
from elman.training.curves import ABSCISSA, WORDS, Against, Curve, require_one_measure

try:
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D
    from matplotlib.ticker import MaxNLocator, NullFormatter, ScalarFormatter
except ImportError:
    raise MissingExtraError("the plots need matplotlib: pip install 'elman[plots]'") from None

from elman.gradient_flow.drawing import plain_label
from elman.gradient_flow.figure_text import said
from elman.gradient_flow.plots import DPI, UNDATED, WIDTH, styled

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
"""Okabe and Ito's palette, which is distinct with every kind of colour vision; after the last the first again."""


def write_curves(path: Path, curves: Sequence[Curve], against: Against) -> None:
    """Writes the plot as the end of the file's name says: .png, .svg or .pdf. The same numbers give the same bytes.

    Raises ConfigError for curves of different measures, FileError where the file cannot be written.
    """
    require_one_measure(curves)
    content = io.BytesIO()
    kind = path.suffix[1:].lower()
    with styled():
        curves_figure(curves, against).savefig(content, format=kind, dpi=DPI, metadata=UNDATED[kind])
    write_whole(path, content.getvalue())


def curves_figure(curves: Sequence[Curve], against: Against) -> Figure:
    """The plot as a figure of matplotlib. Perplexities have a logarithmic axis. A task has no curve of training."""
    made = Figure((1.5 * WIDTH, 2.6 + 0.16 * len(curves)), dpi=DPI, layout="constrained")
    axes = made.subplots()
    measure = curves[0].measure
    axes.set(xlabel=said(ABSCISSA[against]), ylabel=said(WORDS[measure]))
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=against != "seconds"))
    if measure == "perplexity":
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter(ScalarFormatter())
        axes.yaxis.set_minor_formatter(ScalarFormatter() if _narrow(curves) else NullFormatter())
    handles = []
    for k, each in enumerate(curves):
        colour = COLOURS[k % len(COLOURS)]
        marker = "." if len(each.at) < 40 else ""
        axes.plot(each.at, each.valid, color=colour, marker=marker)
        if measure != "wrong":
            axes.plot(each.at, each.train, color=colour, linestyle="--", linewidth=0.8)
        handles.append(Line2D([], [], color=colour, label=plain_label(each.label, 60)))
    if measure != "wrong":
        handles.append(Line2D([], [], color="#666666", label=said("validation")))
        handles.append(Line2D([], [], color="#666666", linestyle="--", linewidth=0.8, label=said("training")))
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    made.legend(handles=handles, loc="outside upper left", ncols=1)
    return made


def _narrow(curves: Sequence[Curve]) -> bool:
    """Whether all values are within a decade, so that a logarithmic axis has hardly any major tick."""
    values = [value for each in curves for value in (*each.valid, *each.train) if value == value]
    return bool(values) and max(values) < 10 * min(values)
