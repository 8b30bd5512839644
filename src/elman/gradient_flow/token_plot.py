"""The text as a plot: each token tinted by the norm and the sign of its step's contribution to one loss's gradient."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import RendererAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure, SubFigure
from matplotlib.font_manager import FontProperties, fontManager
from matplotlib.patches import Rectangle

from elman.gradient_flow.figure_text import said
from elman.gradient_flow.view import View
from elman.gradient_flow.visible_tokens import text_direction, visible

WITH, AGAINST = "#0072b2", "#e07000"
TINT = 3
"""The range of a tint in decades, from the largest norm down."""
SIZE, LINE, MARGIN = 8.0, 0.175, 0.06
"""Points; inches."""
HEAD, FOOT = 0.24, 0.5
MOST_LINES = 40
MONOSPACE = ("DejaVu Sans Mono", "Noto Sans Mono CJK SC", "Noto Sans Mono CJK JP")
PROPORTIONAL = ("DejaVu Sans",)
FALLBACKS = (
    "DejaVu Sans", "Noto Sans", "Noto Sans CJK SC", "Noto Sans CJK JP", "Noto Sans Mono CJK SC", "Noto Serif CJK SC",
    "Source Han Sans SC", "PingFang SC", "Hiragino Sans", "Hiragino Sans GB", "Apple SD Gothic Neo", "Microsoft YaHei",
    "Yu Gothic", "MS Gothic", "Malgun Gothic", "SimSun", "WenQuanYi Micro Hei", "WenQuanYi Zen Hei",
    "Droid Sans Fallback", "Noto Sans Arabic", "Noto Sans Hebrew", "Noto Sans Devanagari", "Noto Sans Bengali",
    "Noto Sans Tamil", "Noto Sans Thai", "Noto Sans Ethiopic", "Noto Sans Georgian", "Noto Sans Armenian",
    "Noto Sans Symbols", "Noto Sans Symbols 2", "Noto Emoji", "Segoe UI Symbol", "Arial Unicode MS",
)  # fmt: skip
_DPI = 300


@dataclass(frozen=True)
class PlacedToken:
    """Token k as it is printed: on which line, from which x on, and its width, in inches."""

    k: int
    text: str
    line: int
    x: float
    width: float


class TokenLayout:
    """A view's tokens laid out in lines of a width (inches); of more than MOST_LINES, those around the chosen loss."""

    def __init__(self, view: View, width: float) -> None:
        installed = set(fontManager.get_font_names())
        wanted = (*(PROPORTIONAL if view.subject.separator else MONOSPACE), *FALLBACKS)
        self.view, self.width = view, width
        self.font = FontProperties(family=[name for name in dict.fromkeys(wanted) if name in installed], size=SIZE)
        self._renderer = RendererAgg(1, 1, _DPI)
        every = self._in_lines(view.tokens)
        last = every[view.chosen + 1].line + 2
        first = max(0, min(last, every[-1].line + 1) - MOST_LINES)
        self.first = first
        self.placed = [each for each in every if first <= each.line < first + MOST_LINES]
        self.cut_after = every[-1].line >= first + MOST_LINES
        self.lines = self.placed[-1].line - first + 1

    @property
    def height(self) -> float:
        """Of the whole plot, in inches."""
        return HEAD + self.lines * LINE + (self.first > 0) * LINE + self.cut_after * LINE + FOOT

    def _in_lines(self, tokens: Sequence[str]) -> list[PlacedToken]:
        result: list[PlacedToken] = []
        line, x, room = 0, 0.0, self.width - 2 * MARGIN
        gap = self.measure("x") * 0.6 if self.view.subject.separator else 0.0
        begun = 0  # the first token of the last word, which goes to the next line as a whole
        for k, token in enumerate(tokens):
            if k and (self.view.subject.separator or tokens[k - 1].isspace() or token[:1].isspace()):
                begun = k
            text = visible(token)
            while len(text) > 1 and self.measure(text) > room:
                text = text[: len(text) - 2] + "…"
            width = self.measure(text)
            if x + width > room + 1e-6 and x > 0:
                moved = result[begun:k]
                if moved and (moved[0].line < line or x - moved[0].x + width > room or moved[0].x == 0):
                    moved = []  # a word that is longer than a line
                line, x = line + 1, 0.0
                for each in moved:
                    result[each.k] = replace(each, line=line, x=x)
                    x += each.width + gap
            result.append(PlacedToken(k, text, line, x, width))
            x += width + gap
            if text.endswith("⏎"):
                line, x = line + 1, 0.0
        return result

    def measure(self, text: str) -> float:
        """The width of a text in inches."""
        return float(self._renderer.get_text_width_height_descent(text, self.font, ismath=False)[0]) / _DPI


def strengths(view: View) -> list[tuple[float, bool]]:
    """(strength, share is negative) for each step i ≤ t of the chosen loss.

    The strength goes from 0, for a thousandth of the largest norm or less, to 1 for the largest.
    """
    steps = view.loss_as_dict(view.chosen)["contributions"]
    top = max(step["log10_norm"] for step in steps)
    if np.isneginf(top):
        return [(0.0, False)] * len(steps)
    return [(max(0.0, 1 - (top - step["log10_norm"]) / TINT), step["share"] < 0) for step in steps]


def tint(strength: float, against: bool) -> tuple[float, float, float]:
    """The colour mixed with white, as an RGB triple."""
    share = 0.06 + 0.69 * strength if strength > 0 else 0.0
    red, green, blue = (1 - share + share * c for c in to_rgb(AGAINST if against else WITH))
    return red, green, blue


def tokens(part: Figure | SubFigure, view: View, above: float = 0.0) -> None:
    """Draws the tokens. Blue: positive share of the chosen loss's gradient, orange: negative. Framed: the predicted.

    above: inches that stay free for a title.
    """
    width = part.bbox.width / part.dpi
    layout = TokenLayout(view, width)
    axes = part.add_axes((0, 0, 1, 1), xlim=(0, width), ylim=(part.bbox.height / part.dpi - above, -above))
    axes.set_axis_off()
    axes.set_in_layout(False)
    gradient = rf"$\partial J^{{({view.chosen})}}/\partial W_h$"
    axes.text(MARGIN, 0.13, said(f"contributions to {gradient}"), va="center")
    tints, right_to_left = strengths(view), text_direction(view.tokens) == "rtl"
    top = HEAD
    if layout.first > 0:
        axes.text(MARGIN, top + LINE / 2, "…", va="center", color="#888888")
        top += LINE
    for each in layout.placed:
        x = width - MARGIN - each.x - each.width if right_to_left else MARGIN + each.x
        y = top + (each.line - layout.first) * LINE
        if each.k < len(tints) and tints[each.k][0] > 0:
            axes.add_patch(_box(x, y, each.width, facecolor=tint(*tints[each.k]), edgecolor="none"))
        predicted, later = each.k == view.chosen + 1, each.k > view.chosen + 1
        if predicted:
            axes.add_patch(_box(x, y, each.width, facecolor="none", edgecolor="black", linewidth=0.9, zorder=3))
        colour = "#a0a0a0" if later else "black"
        axes.text(x, y + LINE * 0.7, each.text, font=layout.font, color=colour, parse_math=False)
        if view.oov[each.k]:
            axes.plot([x, x + each.width], [y + LINE * 0.9] * 2, color=colour, ls=":", lw=0.7)
    bottom = top + layout.lines * LINE
    if layout.cut_after:
        axes.text(MARGIN, bottom + LINE / 2, "…", va="center", color="#888888")
        bottom += LINE
    _key(axes, bottom + 0.16)


def _box(x: float, y: float, width: float, **look: Any) -> Rectangle:
    return Rectangle((x, y + 0.01), width, LINE - 0.02, **look)


def _key(axes: Axes, y: float) -> None:
    """Draws the legend of the colours."""
    small: dict[str, Any] = {"fontsize": 7, "va": "center"}
    x = MARGIN
    for against, name, room in ((False, said("with this gradient"), 1.42), (True, said("against it"), 1.06)):
        for k in range(12):
            colour = tint((k + 1) / 12, against)
            axes.add_patch(Rectangle((x + k * 0.035, y - 0.05), 0.036, 0.1, facecolor=colour, edgecolor="none"))
        axes.text(x + 0.47, y, name, **small)
        x += room
    axes.add_patch(Rectangle((x, y - 0.05), 0.1, 0.1, facecolor="none", edgecolor="black", linewidth=0.9))
    axes.text(x + 0.15, y, said("predicted"), **small)
    axes.text(MARGIN, y + 0.17, said("pale to strong: a thousandth of the largest norm to the largest"), **small)
