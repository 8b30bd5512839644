"""The page of learning curves: a chart that shows the numbers under the pointer, and a table; without matplotlib."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape
from pathlib import Path

from elman.files import write_whole
from elman.gradient_flow.document import document
from elman.gradient_flow.figure_text import said
from elman.training.curves import ABSCISSA, WORDS, Against, Curve, require_one_measure
from elman.translation import joined, listed, sign


def write_curves(path: Path, curves: Sequence[Curve], against: Against) -> None:
    """Writes the page. Raises ConfigError for curves of different measures, FileError where it cannot be written."""
    write_whole(path, as_html(curves, against))


def as_html(curves: Sequence[Curve], against: Against) -> str:
    """The page as a text, in the current language; it fetches nothing.

    Raises ConfigError for curves of different measures.
    """
    require_one_measure(curves)
    measure = curves[0].measure
    title = listed([each.label for each in curves])
    kind, x, y = said("Learning curves"), said(ABSCISSA[against]), said(WORDS[measure])
    caption = [said("Solid: the validation text, a point a validation.")]
    if measure != "wrong":
        caption.append(said("Dashed: over the training text since the validation before."))
    columns = (
        said("run"), said("validations"), said(f"best {WORDS[measure]}"), said(f"at {ABSCISSA[against]}"),
        said("last of validation"),
    )  # fmt: skip
    head = "".join(f"<th>{each}</th>" for each in columns)
    body = (
        f'<header><p class="kind">{kind}</p><h1>{escape(title)}</h1></header>\n<main>'
        f'<figure><div id="curves"></div><figcaption>{joined(caption, " ")}'
        f'</figcaption></figure>\n<div class="wide"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{''.join(map(_row, curves))}</tbody></table></div></main>"
    )
    data = {"measure": measure, "x": x, "y": y, "curves": [c.as_dict() for c in curves]}
    return document(f"{kind}{sign(': ')}{title}", body, data, ("numbers.js", "charts.js", "curves.js"))


def _row(curve: Curve) -> str:
    known = [(valid, at) for valid, at in zip(curve.valid, curve.at, strict=True) if math.isfinite(valid)]
    best, at = min(known, default=(math.nan, math.nan))
    cells = (f"{len(curve.at):,}", _number(best), _number(at), _number(curve.valid[-1]))
    numbers = "".join(f'<td class="n">{cell}</td>' for cell in cells)
    return f"<tr><th>{escape(curve.label)}</th>{numbers}</tr>"


def _number(value: float) -> str:
    if not math.isfinite(value):
        return "–"
    return f"{value:,.0f}" if value == int(value) else f"{value:,.4g}" if value < 1000 else f"{value:,.1f}"
