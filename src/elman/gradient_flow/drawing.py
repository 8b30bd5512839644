"""The plots of the lens, each drawn into a figure or a part of one. Axes are log10: norms exceed a float64.

Zeros (log10: -∞) and unknown values (NaN) are not drawn. The page of `--html` shows the same (page/flow.js).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure, SubFigure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle
from matplotlib.ticker import FixedLocator, FuncFormatter, Locator, MaxNLocator

from elman.gradient_flow.figure_text import said
from elman.gradient_flow.history import History
from elman.gradient_flow.trajectory import Doubles, Integers
from elman.gradient_flow.view import View
from elman.translation import sign, translate

DECADES = 3
"""The range of heat maps and of plots against the lag, from their largest value down: what is smaller hardly counts."""
POINTS = 150
"""Points of a curve over training; more records are averaged in bins."""
BLUE, VERMILION, PURPLE, GREY = "#0072b2", "#d55e00", "#cc79a7", "#666666"
"""From Okabe and Ito's palette, which is distinct with every kind of colour vision."""
VIEW_COLOURS = (BLUE, VERMILION, PURPLE, "#009e73", "#e69f00", "#56b4e9")
"""More networks begin again."""
BY_LAG = r"$\sum_t\,\Vert\partial J^{(t)}/\partial W_h|_{(t-k)}\Vert$"
CONTRIBUTION = r"$\Vert\partial J^{(t)}/\partial W_h|_{(i)}\Vert$"
JACOBIAN = r"$\partial h^{(T)}/\partial h^{(T-k)}$"


def heat_map(part: Figure | SubFigure, view: View, decades: float = DECADES) -> None:
    """The norm of what each step i contributes to each loss t, all pairs i ≤ t; framed: the loss of the tokens plot."""
    axes = part.subplots()
    norms = view.flow.log10_norms("W_h")
    axes.set(xlabel=said("step $i$"), ylabel=said("loss $t$"))
    axes.xaxis.set_major_locator(_whole(6))
    axes.yaxis.set_major_locator(_whole(6))
    seen = np.ma.masked_invalid(np.where(np.tri(view.T, dtype=bool), norms, np.nan))
    scale, cut = _colour_scale(seen, decades)
    image = axes.imshow(seen, norm=scale, cmap="viridis", origin="upper", aspect="auto")
    t = view.chosen
    frame = axes.add_patch(Rectangle((-0.5, t - 0.5), t + 1, 1, facecolor="none", edgecolor=VERMILION, lw=0.7))
    axes.legend([frame], [said(f"loss {t}")], loc="upper right")
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    _colour_bar(part, image, axes, said(f"{CONTRIBUTION}, nats"), cut)


def by_lag(part: Figure | SubFigure, views: Sequence[View]) -> None:
    """The norm of the contributions summed over all losses against the lag, its bound, and the reach."""
    axes = part.subplots()
    handles: list[Artist] = []
    names: list[str] = []
    for colour, view in zip(cycle(VIEW_COLOURS), views, strict=False):
        norms, lags = view.by_lag["W_h"], np.arange(view.T)
        (line,) = axes.plot(lags, _finite(norms), color=colour, zorder=3)
        axes.plot(lags, _finite(view.bounds["W_h"]), color=colour, ls="--", lw=0.8)
        axes.axvline(view.diagnosis.numbers.reach, color=colour, ls=":", lw=1)
        reach = said(f"reach {view.diagnosis.numbers.reach}")
        handles.append(line)
        name = said("norm") if len(views) == 1 else plain_label(translate(view.subject.label), 34)
        names.append(f"{name}{sign(', ')}{reach}")
    handles += [Line2D([], [], color=GREY, ls="--", lw=0.8), Line2D([], [], color=GREY, ls=":", lw=1)]
    axes.set(xlabel=said("lag $k$, steps back"), ylabel=said(f"{BY_LAG}, nats"))
    known = np.concatenate([view.by_lag["W_h"] for view in views])
    low = _log_axis(axes, known, above=0.16, decades=DECADES)
    far = [_last_above(view.by_lag["W_h"], np.arange(view.T), low) for view in views]
    reach_of_all = max(view.diagnosis.numbers.reach for view in views)
    axes.set_xlim(-0.5, _last_lag(reach_of_all, max(far), max(view.T for view in views) - 1) + 0.5)
    axes.xaxis.set_major_locator(_whole(7))
    _legend(axes, handles, [*names, said("bound"), said("reach (95 %)")], columns=3 if len(views) == 1 else 1)


def singular_values(part: Figure | SubFigure, view: View) -> None:
    """The singular values of ∂h^(T)/∂h^(T-k) against the lag: the largest, the median, the smallest, and two bands."""
    axes = part.subplots()
    lags = np.array(view.singular_lags)
    largest, ninety, upper, median, lower, ten, smallest = view.quantiles().T
    colours = (VERMILION, BLUE, PURPLE)
    for low, high, shade in ((ten, ninety, 0.14), (lower, upper, 0.28)):
        axes.fill_between(lags, _finite(low), _finite(high), color=BLUE, alpha=shade, lw=0)
    lines = [
        axes.plot(lags, _finite(values), color=colour, marker="o", markersize=2.2)[0]
        for values, colour in zip((largest, median, smallest), colours, strict=True)
    ]
    axes.axhline(0, color=GREY, ls=":", lw=1)
    axes.set(xlabel=said("lag $k$, steps back"), ylabel=said(f"singular values of {JACOBIAN}"))
    low = _log_axis(axes, np.array([0.0, -float(DECADES), *largest]), above=0.08, decades=DECADES)
    far = _last_above(largest, lags, low)
    axes.set_xlim(0, _last_lag(view.diagnosis.numbers.reach, far, view.T - 1) + 0.5)
    axes.xaxis.set_major_locator(_whole(7))
    bands = [Patch(color=BLUE, alpha=0.35, lw=0), Patch(color=BLUE, alpha=0.14, lw=0)]
    names = [said("largest"), said("median"), said("smallest"), "25–75 %", "10–90 %"]
    _legend(axes, [*lines, *bands], names, columns=3)


def norms(part: Figure | SubFigure, history: History) -> None:
    """The norm of the gradient over training with the clipping limit; the shares of steps clipped and skipped."""
    bins = history.binned(POINTS)
    above, below = part.subplots(2, sharex=True, height_ratios=(1.6, 1))
    low, mean, high = (_log10(bins[key]) for key in ("lowest", "gradient_norm", "highest"))
    handles: list[Artist] = list(above.plot(bins["step"], mean, color=BLUE))
    names = [said("norm")]
    if (high > low).any():  # several records a point
        above.fill_between(bins["step"], low, high, color=BLUE, alpha=0.28, lw=0)
        handles.append(Patch(color=BLUE, alpha=0.28, lw=0))
        names = [said("mean"), said("range")]
    limit = [np.log10(history.clip)] if history.clip > 0 else []
    for each in limit:
        handles.append(above.axhline(each, color=VERMILION, ls="--", lw=1))
        names.append(said(f"clip limit {history.clip:g}"))
    for k, step in enumerate(history.rescues[np.isfinite(history.rescues)]):
        rescue = above.axvline(step, color=PURPLE, ls=":", lw=1)
        if k == 0:
            handles.append(rescue)
            names.append(said("rescue"))
    above.set_ylabel(said("gradient norm"))
    _log_axis(above, np.array([*low, *mean, *high, *limit]), below=0.06, above=0.06)
    for key, name, colour, dash in (
        ("clipped", said("clipped"), VERMILION, "-"),
        ("skipped", said("skipped"), PURPLE, "--"),
    ):
        handles += below.plot(bins["step"], bins[key], color=colour, ls=dash)
        names.append(name)
    below.set(xlabel=said("training step"), ylabel=said("share of steps"), ylim=(-0.03, 1.03))
    _over_training(below)
    part.align_ylabels([above, below])
    _legend(above, handles, names, columns=3)


def lens(part: Figure | SubFigure, history: History) -> None:
    """The lens during training: norm against lag, reach, decay per step back. Of a step recorded twice, the later."""
    steps, last = np.unique(history.flow_step[::-1], return_index=True)
    pick = len(history.flow_step) - 1 - last
    grid = part.add_gridspec(3, 2, width_ratios=(24, 1), height_ratios=(2.2, 1, 1))
    top = part.add_subplot(grid[0, 0])
    reach, decay = (part.add_subplot(grid[k, 0], sharex=top) for k in (1, 2))
    seen = np.ma.masked_invalid(history.log10_norms_by_lag[pick].T)
    scale, cut = _colour_scale(seen)
    edges = np.arange(len(seen) + 1) - 0.5
    image = top.pcolormesh(_edges(steps), edges, seen, norm=scale, cmap="viridis", rasterized=True)
    top.set_ylabel(said("lag $k$, steps back"))
    inside = np.nonzero((seen.filled(-np.inf) >= scale.vmin).any(axis=1))[0]
    far = int(inside[-1]) + 1 if len(inside) else len(seen)
    reach_of_all = int(np.nanmax(history.flow["reach"], initial=1))
    top.set_ylim(-0.5, _last_lag(reach_of_all, far, len(seen) - 1) + 0.5)
    top.yaxis.set_major_locator(_whole(5))
    _colour_bar(part, image, part.add_subplot(grid[0, 1]), said(f"{BY_LAG}, nats"), cut, own=True)
    reached = reach.plot(steps, history.flow["reach"][pick], color=BLUE, marker="o", markersize=1.6)
    reach.legend(reached, [said("steps that hold 95 % of the norms")], loc="upper right")
    reach.set_ylabel(said("reach, steps"))
    reach.set_ylim(0, 1.4 * max(1.0, np.nanmax(history.flow["reach"], initial=0)))
    decayed = decay.plot(steps, history.flow["decay_rate"][pick], color=BLUE, marker="o", markersize=1.6)
    one = decay.axhline(1, color=GREY, ls=":", lw=1)
    decay.legend([*decayed, one], [said("factor per step back"), said("1: neither decay nor growth")], loc="best")
    decay.set(xlabel=said("training step"), ylabel=said("decay per step"))
    for axes in (top, reach):
        axes.tick_params(labelbottom=False)
    reach.yaxis.set_major_locator(_whole(3))
    decay.yaxis.set_major_locator(MaxNLocator(3))
    _over_training(decay)
    part.align_ylabels([top, reach, decay])


def _last_lag(reach: int, far: int, longest: int) -> int:
    """The largest lag that a plot shows: ten times the reach, or `far`, where its last curve leaves its range; from 4
    up to the longest that there is.
    """
    return min(longest, max(4, min(far, 10 * max(1, reach))))


def _last_above(log10: Doubles, lags: Integers, low: float) -> int:
    """The first lag after the last one that is in the range."""
    (inside,) = np.nonzero(np.where(np.isfinite(log10), log10, -np.inf) >= low)
    after = inside[-1] + 1 if len(inside) else 0
    return int(lags[min(after, len(lags) - 1)])


def plain_label(label: str, longest: int) -> str:
    """The end of a label, with nothing that matplotlib reads as a formula or as hidden (a leading underscore)."""
    short = label if len(label) <= longest else "…" + label[len(label) - longest + 1 :]
    return (" " * short.startswith("_") + short).replace("$", r"\$")


def _finite(log10: Doubles) -> Doubles:
    return np.where(np.isfinite(log10), log10, np.nan)


def _log10(values: Doubles) -> Doubles:
    with np.errstate(divide="ignore", invalid="ignore"):
        return _finite(np.log10(values))


def _log_axis(
    axes: Axes, log10: Doubles, *, below: float = 0.0, above: float, decades: float = np.inf
) -> float:  # fmt: skip
    """Limits around the finite values, at most so many decades, extended by shares of their range; ticks at powers of
    ten. Returns the lower limit.
    """
    known = log10[np.isfinite(log10)]
    low, high = (float(known.min()), float(known.max())) if len(known) else (-1.0, 0.0)
    if not len(known):
        axes.text(0.5, 0.5, said("all contributions are zero"), transform=axes.transAxes, ha="center", color=GREY)
    low = max(low, high - decades)
    range_ = high - low or 1.0
    low, high = low - below * range_, high + above * range_
    axes.set_ylim(low, high)
    ticks, form = _powers(low, high)
    axes.yaxis.set_major_locator(ticks)
    axes.yaxis.set_major_formatter(form)
    axes.grid(axis="y", color="#e3e3e3", lw=0.4)
    axes.set_axisbelow(True)
    return low


def _whole(count: int) -> Locator:
    return MaxNLocator(count, integer=True, steps=[1, 2, 5, 10])


def _powers(low: float, high: float) -> tuple[Locator, FuncFormatter]:
    """Ticks at powers of ten over more than two decades, else at 1, 2 and 5 times them, else at round exponents."""
    if high - low > 2:
        return _whole(6), FuncFormatter(lambda log10, _: f"$10^{{{round(log10)}}}$")
    decades = range(int(np.floor(low)), int(np.ceil(high)) + 1)
    between = [n + part for n in decades for part in np.log10((1, 2, 5)) if low <= n + part <= high]
    ticks = FixedLocator(between) if len(between) > 1 else MaxNLocator(4)
    return ticks, FuncFormatter(lambda log10, _: _number(log10))


def _number(log10: float) -> str:
    if -3 < log10 < 4:
        return f"{10**log10:.3g}"
    exponent = int(np.floor(log10 + 1e-9))
    return rf"${10 ** (log10 - exponent):.3g}\cdot 10^{{{exponent}}}$"


def _colour_scale(log10: np.ma.MaskedArray, decades: float = DECADES) -> tuple[Normalize, bool]:
    """The colour scale, at most so many decades from the largest value down; and whether values lie below it."""
    known = log10.compressed()
    if not len(known):
        return Normalize(-1.0, 0.0), False
    low, high = float(known.min()), float(known.max())
    lowest = max(low, high - decades) if high > low else low - 1
    return Normalize(lowest, high), lowest > low


def _colour_bar(
    part: Figure | SubFigure, image: ScalarMappable, axes: Axes, label: str, cut: bool, *, own: bool = False
) -> None:
    """Draws the colour bar beside the axes, or into them if they are its own."""
    ticks, form = _powers(*image.get_clim())
    place = {"cax": axes} if own else {"ax": axes, "fraction": 0.05, "pad": 0.02}
    bar = part.colorbar(image, ticks=ticks, format=form, extend="min" if cut else "neither", **place)
    bar.set_label(label)
    bar.outline.set_linewidth(0.4)


def _edges(steps: Doubles) -> Doubles:
    """The borders of columns around these increasing steps."""
    if len(steps) == 1:
        return np.array([steps[0] - 0.5, steps[0] + 0.5])
    between = (steps[1:] + steps[:-1]) / 2
    return np.array([2 * steps[0] - between[0], *between, 2 * steps[-1] - between[-1]])


def _over_training(axes: Axes) -> None:
    axes.xaxis.set_major_locator(_whole(5))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda step, _: f"{step:,.0f}"))


def _legend(axes: Axes, handles: Sequence[Artist], names: Sequence[str], columns: int) -> None:
    axes.legend(handles, names, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=columns)
