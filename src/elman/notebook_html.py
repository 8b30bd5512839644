"""The small HTML blocks by which notebooks show reports, models and figures (`_repr_html_`).

Every selector of the style sheet begins with the block's own class, so that nothing else on a page changes. Colours are
the page's own, so that a block is right on a light and on a dark one. No scripts, and nothing is fetched.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from html import escape
from typing import TypeVar

from elman.translation import in_language, joined, translate, wanted_language

DOMAIN = "notebook"
"""The name of the catalogue of what blocks say: notebook.po."""
_Shown = TypeVar("_Shown")
_CLASS = "elman-block"
_RULES = (
    ("", "font-size:.92em;line-height:1.45;max-width:60em"),
    ("p", "margin:.3em 0"),
    (".elman-title", "font-weight:600"),
    ("table", "border-collapse:collapse;margin:.4em 0;font-size:1em"),
    ("th,td", "padding:.15em .8em .15em 0;text-align:left;vertical-align:top;border:0;background:none"),
    ("th", "font-weight:400;opacity:.7"),
    ("td.elman-number", "text-align:right;font-variant-numeric:tabular-nums"),
    (".elman-soft", "opacity:.7"),
    (".elman-good", "color:#0077ac;font-weight:600"),
    (".elman-otherwise", "color:#a26a00;font-weight:600"),
    (".elman-unknown", "color:#b0509a;font-weight:600"),
    (".elman-bad", "color:#cf4400;font-weight:600"),
    ("svg", "display:block;max-width:100%;margin:.4em 0"),
    ("summary", "cursor:pointer;opacity:.7"),
)
STYLE = "".join(
    ",".join(f".{_CLASS} {part}".strip() for part in selector.split(",")) + f"{{{rules}}}" for selector, rules in _RULES
)
"""About 1 KB."""
_DASHES = 'stroke-dasharray="4 3"'
_WIDTH, _HEIGHT, _LEFT, _BOTTOM, _TOP = 420, 130, 56, 30, 14


def label(text: str) -> str:
    """A title, a name or a sentence of a block in the current language; English where the catalogue lacks it."""
    return translate(text, DOMAIN)


def in_wanted_language(shown: Callable[[_Shown], str]) -> Callable[[_Shown], str]:
    """Runs a `_repr_html_` in the reader's language: that of ELMAN_LANG, or else of the locale."""

    @functools.wraps(shown)
    def wrapped(value: _Shown) -> str:
        with in_language(wanted_language(None)):
            return shown(value)

    return wrapped


def block(title: str, *parts: str) -> str:
    """A block with a title, which is text, and parts, which are HTML."""
    head = f'<p class="elman-title">{escape(title)}</p>' if title else ""
    return f'<div class="{_CLASS}"><style>{STYLE}</style>{head}{"".join(parts)}</div>'


def table(rows: Iterable[tuple[str, object]]) -> str:
    """Names and values; numbers are written so that they are read at a glance."""
    cells = "".join(
        f'<tr><th>{escape(name)}</th><td class="elman-number">{escape(figure(value))}</td></tr>' for name, value in rows
    )
    return f"<table>{cells}</table>"


def figure(value: object) -> str:
    """A value as text: whole numbers in groups of three, others with four digits."""
    if isinstance(value, bool):
        return label("yes") if value else label("no")
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        if not math.isfinite(value):
            return "–" if math.isnan(value) else label("infinite")
        return f"{value:,.2f}" if 100 <= abs(value) < 1e9 else f"{value:.4g}"
    return str(value)


@dataclass(frozen=True)
class Line:
    """A line of a chart; y may have NaN and infinite entries, which are left out. dashed: to tell it from another."""

    label: str
    x: Sequence[float]
    y: Sequence[float]
    dashed: bool = False


def chart(lines: Sequence[Line], x_label: str, y_label: str) -> str:
    """A small chart as SVG; empty where no line has two points."""
    found = [
        (line, [(x, y) for x, y in zip(line.x, line.y, strict=True) if math.isfinite(x) and math.isfinite(y)])
        for line in lines
    ]
    found = [(line, points) for line, points in found if len(points) > 1]
    if not found:
        return ""
    xs, ys = ([point[k] for _, points in found for point in points] for k in (0, 1))
    (left, right), (low, high) = (min(xs), max(xs)), (min(ys), max(ys))
    width, height = _WIDTH - _LEFT - 8, _HEIGHT - _TOP - _BOTTOM

    def place(point: tuple[float, float]) -> str:
        across = (point[0] - left) / ((right - left) or 1)
        up = (point[1] - low) / ((high - low) or 1)
        return f"{_LEFT + width * across:.1f},{_TOP + height * (1 - up):.1f}"

    def words(x: float, y: float, anchor: str, text: str) -> str:
        return f'<text x="{x:.0f}" y="{y:.0f}" text-anchor="{anchor}">{escape(text)}</text>'

    drawn = "".join(
        f'<polyline fill="none" stroke="currentColor" stroke-width="1.5" {_DASHES if line.dashed else ""} '
        f'points="{" ".join(map(place, points))}"/>'
        for line, points in found
    )
    floor = _TOP + height
    legend = joined(label(f"{line.label} (dashed)" if line.dashed else f"{line.label} (solid)") for line, _ in found)
    named = joined((y_label, legend), ": ") if len(found) > 1 else y_label
    text = (
        words(_LEFT, _TOP - 4, "start", named)
        + words(_LEFT - 6, _TOP + 8, "end", figure(float(high)))
        + words(_LEFT - 6, floor, "end", figure(float(low)))
        + words(_LEFT, floor + 13, "start", figure(float(left)))
        + words(_LEFT + width, floor + 13, "end", figure(float(right)))
        + words(_LEFT + width / 2, floor + 13, "middle", x_label)
    )
    axes = f'<path d="M{_LEFT} {_TOP}V{floor}H{_LEFT + width}" fill="none" stroke="currentColor" stroke-opacity=".4"/>'
    whole = escape(label(f"{named}, against {x_label}"))
    return (
        f'<svg role="img" aria-label="{whole}" width="{_WIDTH}" height="{_HEIGHT}" '
        f'viewBox="0 0 {_WIDTH} {_HEIGHT}" font-size="10" fill="currentColor">{axes}{drawn}{text}</svg>'
    )
