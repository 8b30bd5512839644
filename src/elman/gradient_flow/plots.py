"""The plots of the lens for print, each half an A4 page wide: one file each, or together on a page."""

from __future__ import annotations

import functools
import io
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from elman.errors import ConfigError, MissingExtraError
from elman.files import sentence, write_whole
from elman.gradient_flow.figure_text import said
from elman.gradient_flow.history import History
from elman.gradient_flow.view import View
from elman.translation import CHINESE, ENGLISH, current_language, in_language, translate

try:
    from matplotlib import style
    from matplotlib.figure import Figure, SubFigure
    from matplotlib.font_manager import findfont, fontManager, get_font
except ImportError:
    raise MissingExtraError("the plots need matplotlib: pip install 'elman[plots]'") from None

from elman.gradient_flow import drawing
from elman.gradient_flow.token_plot import FALLBACKS, TokenLayout, tokens

KINDS = ("png", "svg", "pdf")
WIDTH, DPI = 3.3, 300
"""Inches: half a page of A4 within its margins."""
TITLE = 0.2
"""Of a line of a title."""
TITLES = {
    "heat-map": "What each step contributes to each loss's gradient", "tokens": "", "by-lag": "Contributions by lag",
    "singular-values": "How the last state depends on earlier ones", "norms": "The gradient over training",
    "lens": "The contributions by lag over training",
}  # fmt: skip
"""By kind; the tokens say themselves what they are."""
SAMPLE = "梯度贡献损失词元"
"""Characters of the Chinese plots, which a font must have."""
STYLE: dict[str, Any] = {
    "font.family": ["DejaVu Sans"], "font.size": 8, "mathtext.fontset": "dejavusans", "axes.titlesize": 8,
    "axes.labelsize": 8, "xtick.labelsize": 7, "ytick.labelsize": 7, "legend.fontsize": 7, "legend.frameon": False,
    "legend.handlelength": 1.6, "legend.columnspacing": 1.2, "legend.borderpad": 0.1, "legend.labelspacing": 0.3,
    "lines.linewidth": 1.2, "axes.linewidth": 0.6, "xtick.major.width": 0.6, "ytick.major.width": 0.6,
    "xtick.major.size": 2.5, "ytick.major.size": 2.5, "figure.constrained_layout.h_pad": 0.05,
    "figure.constrained_layout.w_pad": 0.03, "svg.fonttype": "none", "svg.hashsalt": "elman", "pdf.fonttype": 42,
}  # fmt: skip
UNDATED = {"png": {"Software": None}, "svg": {"Date": None}, "pdf": {"CreationDate": None}}
"""Metadata without a date, so that the same numbers give the same bytes."""


@dataclass(frozen=True)
class Plot:
    """One plot.

    kind    what it shows
    name    its file's name: the kind, and the network's number where two are compared
    title   what it shows, and of which network, where two are compared
    height  in inches
    draw    draws it into a figure or a part of one
    """

    kind: str
    name: str
    title: str
    height: float
    draw: Callable[[Figure | SubFigure], None]


def write_plots(path: Path, kind: str, views: Sequence[View], histories: Mapping[str, History]) -> list[Path]:
    """Writes all plots on one page if path ends in .png, .svg or .pdf; else one file each into the folder path.

    Raises ConfigError for a kind that is not in KINDS and if there is nothing to draw, FileError where a file cannot
    be written.
    """
    if kind not in KINDS:
        raise ConfigError(f"the kind of plot is {kind!r}; choose one of {', '.join(KINDS)}")
    with styled():
        plots = plan(views, histories)
        if not plots:
            raise ConfigError("there is nothing to plot: the run recorded no training steps, and no text was given")
        suffix = path.suffix[1:].lower()
        if suffix in KINDS:
            _save(page(plots), path, suffix)
            return [path]
        with sentence("create", path):
            path.mkdir(parents=True, exist_ok=True)
        written = []
        for plot in plots:
            written.append(path / f"{plot.name}.{kind}")
            _save(figure(plot), written[-1], kind)
        return written


def plan(views: Sequence[View], histories: Mapping[str, History]) -> list[Plot]:
    """The plots of these views and histories, in the order of a page."""
    labels = [view.subject.label for view in views]
    labels += [label for label in histories if label not in labels]
    result: list[Plot] = []

    def add(kind: str, k: int | None, height: float, draw: Callable[[Figure | SubFigure], None]) -> None:
        """k: the number of the network, or None for a plot of all."""
        several = k is not None and len(labels) > 1
        title = said(TITLES[kind])
        if several and k is not None:
            network = drawing.plain_label(translate(labels[k]), 46)
            title = f"{title}\n{network}" if title else network
        name = f"{kind}-{k + 1}" if several and k is not None else kind
        result.append(Plot(kind, name, title, height + TITLE * len(title.splitlines()), draw))

    for k, view in enumerate(views):
        add("heat-map", k, 2.75, partial(drawing.heat_map, view=view))
    for k, view in enumerate(views):
        add(
            "tokens",
            k,
            TokenLayout(view, WIDTH).height,
            partial(tokens, view=view, above=TITLE if len(labels) > 1 else 0.0),
        )
    if views:
        add("by-lag", None, 2.4 + 0.4 * (len(views) - 1), partial(drawing.by_lag, views=views))
    for k, view in enumerate(views):
        add("singular-values", k, 2.4, partial(drawing.singular_values, view=view))
    for label, history in histories.items():
        if len(history.step):
            add("norms", labels.index(label), 2.8, partial(drawing.norms, history=history))
    for label, history in histories.items():
        if history.watched:
            add("lens", labels.index(label), 4.0, partial(drawing.lens, history=history))
    return result


def figure(plot: Plot) -> Figure:
    """One plot by itself."""
    made = Figure((WIDTH, plot.height), dpi=DPI, layout="none" if plot.kind == "tokens" else "constrained")
    _draw(plot, made)
    return made


def page(plots: Sequence[Plot]) -> Figure:
    """All plots, two in a row: those of networks or layers of one kind, or two kinds that have one plot each."""
    rows = list(_rows(plots))
    heights = [max(plot.height for plot in row) for row in rows]
    made = Figure((2 * WIDTH, sum(heights)), dpi=DPI, layout="constrained")
    parts = made.subfigures(len(rows), 2, height_ratios=heights, wspace=0, hspace=0, squeeze=False)
    for row, places in zip(rows, parts, strict=True):
        for plot, place in zip(row, places, strict=False):
            _draw(plot, place)
    return made


def _rows(plots: Sequence[Plot]) -> Iterator[list[Plot]]:
    kinds: dict[str, list[Plot]] = {}
    for plot in plots:
        kinds.setdefault(plot.kind, []).append(plot)
    single = [same[0] for same in kinds.values() if len(same) == 1]
    yield from (same[k : k + 2] for same in kinds.values() if len(same) > 1 for k in range(0, len(same), 2))
    yield from (single[k : k + 2] for k in range(0, len(single), 2))


def _draw(plot: Plot, part: Figure | SubFigure) -> None:
    if plot.title:
        part.suptitle(plot.title, fontsize=8)
    plot.draw(part)


@functools.cache
def chinese_font() -> str | None:
    """The name of an installed font with Chinese characters; None where there is none."""
    installed = set(fontManager.get_font_names())
    for name in FALLBACKS:
        if name in installed and all(get_font(findfont(name)).get_char_index(ord(each)) for each in SAMPLE):
            return name
    return None


def lacks_font() -> bool:
    """Whether plots are in English because no installed font has the characters of the current language."""
    return current_language() == CHINESE and chinese_font() is None


@contextmanager
def styled() -> Iterator[None]:
    """Our style whatever the user's is, and no warning for a character that no font has: it is drawn as a box.

    The language is the current one where a font has its characters, else English.
    """
    own: dict[str, Any] = {}
    if current_language() == CHINESE and (font := chinese_font()):
        own["font.family"] = [font, *STYLE["font.family"]]
    language = ENGLISH if lacks_font() else current_language()
    with warnings.catch_warnings(), style.context([STYLE, own], after_reset=True), in_language(language):
        warnings.filterwarnings("ignore", message=r"Glyph .* missing from", category=UserWarning)
        yield


def _save(made: Figure, path: Path, kind: str) -> None:
    content = io.BytesIO()
    made.savefig(content, format=kind, dpi=DPI, metadata=UNDATED[kind])
    write_whole(path, content.getvalue())
