"""The lens as one self-contained page: the text to point at, its heat map, the plots, and what each figure means.

The page draws its plots itself, from the numbers in it: so a report needs no plotting package, follows the choice of a
weight, the width and the colours of the screen, and holds every number once. Pairs (t, i) stand in it with 16 bits
each, some 3 MB at T = 500.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from html import escape
from importlib import resources
from typing import Any

import numpy as np

from elman.gradient_flow.history import History
from elman.gradient_flow.shown import decimals, direction, percent, shown
from elman.gradient_flow.trajectory import Doubles
from elman.gradient_flow.view import QUANTILES, SHOWN, View, plain

LETTERS = {"W_h": "Wₕ", "W_e": "Wₑ", "e": "e", "h": "h"}
_HTML = {"W_h": "<i>W<sub>h</sub></i>", "W_e": "<i>W<sub>e</sub></i>", "e": "<i>e</i>", "h": "<i>h</i>"}
_LENS = f"Of the contributions to ∂J/∂{_HTML['W_h']}, on a few sequences; blank: nothing comes back so far."
_POINTS = 400
"""Points of a curve over training; more records are taken together."""
_CODES = 2**16 - 1


def as_html(views: Sequence[View], histories: Mapping[str, History]) -> str:
    """The report of one network or two, of what training recorded of them, or of both."""
    page = resources.files("elman.gradient_flow") / "page"
    style = (page / "flow.css").read_text(encoding="utf-8")
    script = "".join((page / name).read_text(encoding="utf-8") for name in ("numbers.js", "charts.js", "flow.js"))
    labels = [view.named.label for view in views] or list(histories)
    title = " beside ".join(labels)
    past = {label: history for label, history in histories.items() if history.recorded}
    body = [
        _head(title, views),
        *([_text(views), _numbers(views), _charts(views)] if views else []),
        *(_history(label, history, k) for k, (label, history) in enumerate(past.items())),
        _foot(views),
    ]
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>Gradient flow: {escape(title)}</title>\n<style>\n{style}</style>\n</head>\n<body>\n"
        + "\n".join(body)
        + f'\n<script type="application/json" id="data">{_data(views, past)}</script>\n'
        f"<script>\n{script}</script>\n</body>\n</html>\n"
    )


def _head(title: str, views: Sequence[View]) -> str:
    parts = []
    for view in views:
        name = f"<b>{escape(view.named.label)}</b>" if len(views) > 1 else ""
        verdicts = view.diagnosis.findings or ("healthy",)
        badges = "".join(f'<span class="badge {escape(v)}">{escape(v)}</span>' for v in verdicts)
        parts.append(f'<div class="diagnosis">{name}{badges}<p>{_formulas(view.diagnosis.text)}</p></div>')
    about = "".join(
        f'<p class="about">{escape(view.named.description)} · {escape(view.named.text)}, {view.T} tokens from token '
        f"{view.named.start:,} on · {decimals(view.nats_per_token)} nats per token</p>"
        for view in views
    )
    return f'<header><p class="kind">Gradient flow</p><h1>{escape(title)}</h1>{about}{"".join(parts)}</header>\n<main>'


def _formulas(sentence: str) -> str:
    """A sentence of the diagnosis, its letters as on a page."""
    text = escape(sentence).replace("σ_max", "σ<sub>max</sub>").replace("b_1", "<i>b</i><sub>1</sub>")
    for name in ("W_h", "W_e"):
        text = text.replace(name, _HTML[name])
    return text


def _text(views: Sequence[View]) -> str:
    """The choice of a weight; then for each network its tokens and the place of its heat map."""
    choices = "".join(
        f'<input type="radio" name="weight" id="weight-{name}" value="{name}"{" checked" * (name == "W_h")}>'
        f'<label for="weight-{name}">{_HTML[name]}</label>'
        for name in SHOWN
    )
    scale = (
        '<ul class="scale"><li><span class="swatch with"></span><span>contributes: a thousandth of the largest … the '
        'largest<span class="signed">, with the gradient of this loss</span></span></li><li class="signed">'
        '<span class="swatch against"></span>the same, against it</li>'
        '<li><span class="swatch box"></span>is predicted</li></ul>'
    )
    sides = "".join(_side(view, k, len(views) > 1) for k, view in enumerate(views))
    return (
        "<h2>What each earlier token contributes to the gradient of one prediction</h2>"
        '<p class="note">Choose a token (click, or ← →): every token before it is tinted by how much its time step '
        "contributes to the gradient of the loss of predicting it. Point at a token before it (or Shift ← →) for its "
        f'numbers.</p><fieldset class="choose"><legend>Gradient by</legend>{choices}</fieldset>{scale}{sides}'
        "<noscript><p>The tints, numbers and plots need JavaScript, which this browser does not run.</p></noscript>"
    )


def _side(view: View, k: int, named: bool) -> str:
    heading = f"<h3>{escape(view.named.label)}</h3>" if named else ""
    return (
        f'<section class="side" id="side-{k}">{heading}<div><div class="text{" words" * bool(view.named.separator)}" '
        f'dir="{direction(view.tokens)}" tabindex="0" role="group" '
        'aria-label="The text. Left and right choose the predicted token, with Shift the earlier step.">'
        f'{_tokens(view)}</div><div class="say" aria-live="polite"><p class="loss"></p><p class="step"></p></div></div>'
        '<figure class="map"><canvas tabindex="0" role="img" aria-label="Heat map of all contributions: the loss t '
        'downwards, the step i to the right"></canvas><figcaption>The norm of what step <i>i</i> contributes to the '
        "gradient of loss <i>t</i>, for every pair; blank: nothing. Click to choose.</figcaption></figure></section>"
    )


def _tokens(view: View) -> str:
    out = []
    for i, (token, oov) in enumerate(zip(view.tokens, view.oov, strict=True)):
        text = shown(token)
        kind = " ws" * (token.isspace() or text in ("⏎", "")) + " oov" * bool(oov)
        hint = "what stands before the text" if i == 0 and view.named.start == 0 else f"token {view.named.start + i}"
        title = hint + ", not in the vocabulary" * bool(oov)
        out.append(f'<span class="tok{kind}" data-i="{i}" title="{title}">{escape(text)}</span>')
        out.append("<br>" if text.endswith("⏎") else view.named.separator or "<wbr>" * token.isspace())
    return "".join(out)


def _numbers(views: Sequence[View]) -> str:
    """The numbers behind the diagnosis, and what a truncation would lose."""
    numbers = [view.diagnosis.numbers for view in views]
    rows = [
        ("Reach", [f"{n.reach} steps" for n in numbers],
         f"the lags that hold 95 % of the norms of the contributions to ∂J/∂{_HTML['W_h']}"),
        ("Decay per step", [f"{n.decay_rate:.3g}" for n in numbers],
         "the factor of ‖∂J<sup>(t)</sup>/∂h<sup>(i)</sup>‖ for each step back; under 1 it fades, over 1 it grows"),
        ("Spectral radius", [f"{n.spectral_radius:.3g}" for n in numbers],
         f"the largest |eigenvalue| of {_HTML['W_h']}: what its powers tend to"),
        ("Largest singular value σ<sub>max</sub>", [f"{n.sigma_max:.3g}" for n in numbers],
         f"the most that one product with {_HTML['W_h']} stretches; at least the spectral radius, and another number"),
        ("Bound of a step", [f"{n.one_step_bound:.3g}" for n in numbers],
         "max σ′ · σ<sub>max</sub>: under 1 the gradient must vanish, over 1 it may explode (Pascanu, Mikolov and "
         "Bengio 2013)"),
        ("Mean σ′", [f"{n.mean_slope:.2g}" for n in numbers], "of at most 1/4 for sigmoid, 1 for tanh and relu"),
        ("Saturated", [f"{n.flat:.0%}" for n in numbers], "of the units have under a tenth of the largest σ′"),
        ("Cancellation", [f"{n.cancellation:.3g}" for n in numbers],
         "Σ‖contribution‖ / ‖Σ contribution‖: 1 where all point one way"),
    ]  # fmt: skip
    head = ""
    if len(views) > 1:
        names = "".join(f"<th>{escape(view.named.label)}</th>" for view in views)
        head = f'<thead><tr><th></th>{names}<th class="m"></th></tr></thead>'
    body = "".join(
        f"<tr><th>{name}</th>{''.join(f'<td class=n>{value}</td>' for value in values)}<td class=m>{meaning}</td></tr>"
        for name, values, meaning in rows
    ).replace("class=n", 'class="n"').replace("class=m", 'class="m"')  # fmt: skip
    return (
        f'<h2>The numbers</h2><div class="wide"><table class="numbers">{head}<tbody>{body}</tbody></table></div>'
        f"{_truncations(views)}"
    )


def _truncations(views: Sequence[View]) -> str:
    """What backpropagation through so many steps alone would lose, a column for each number of steps."""
    taus = sorted({each.tau for view in views for each in view.truncations})
    rows = []
    for view in views:
        lost = {each.tau: percent(each.lost) for each in view.truncations}
        turned = {each.tau: f"{each.angle:.1f}°" for each in view.truncations}
        for words, found in (("of it is lost", lost), ("it turns by", turned)):
            cells = "".join(f'<td class="n">{found.get(tau, "–")}</td>' for tau in taus)
            rows.append(f"<tr><th>{words}{_of(view, views)}</th>{cells}</tr>")
    head = "".join(f"<th>{tau}</th>" for tau in taus)
    return (
        f'<div class="wide"><table class="numbers taus"><thead><tr><th>∂J/∂{_HTML["W_h"]} with so many steps of '
        f"backpropagation</th>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
    )


def _charts(views: Sequence[View]) -> str:
    singular = "".join(
        f"<figure><h3>Singular values of ∂h<sup>(T)</sup>/∂h<sup>(T−k)</sup>{_of(view, views)}</h3>"
        f'<div id="singular-{k}"></div><figcaption>How much the last state still depends on the one k steps before: in '
        "the direction it feels most, in the median one, and in the middle half and 80 % of them. The dotted line is 1."
        "</figcaption></figure>"
        for k, view in enumerate(views)
    )
    return (
        '<h2>Against the lag</h2><div class="charts"><figure><h3>Norm of the contributions to the gradient by '
        '<span id="by-lag-title"></span></h3><div id="by-lag"></div><figcaption>Summed over all losses; dashed: what '
        "σ<sub>max</sub> allows, (σ<sub>max</sub>/4)<sup>k</sup> for sigmoid, σ<sub>max</sub><sup>k</sup> for tanh and "
        f"relu; dotted: the reach.</figcaption></figure>{singular}</div>"
    )


def _of(view: View, views: Sequence[View]) -> str:
    return f", {escape(view.named.label)}" if len(views) > 1 else ""


def _history(label: str, history: History, k: int) -> str:
    """The places of the plots over training."""

    def figure(place: str, heading: str, caption: str, tag: str = "div") -> str:
        return f'<figure><h3>{heading}</h3><{tag} id="{place}-{k}"></{tag}><figcaption>{caption}</figcaption></figure>'

    norms, clipped = "The norm of the gradient", "Steps clipped or skipped"
    figures = [
        figure("norms", norms, "Of all parameters together, before it is clipped: mean and range."),
        figure("clipped", clipped, "Clipped: the norm was cut to the limit. Skipped: it was not finite."),
    ]
    note = ""
    if history.watched:
        figures += [
            figure("lens", "The lens: norm against lag", _LENS, "canvas"),
            figure("reach", "Reach", "The lags that hold 95 % of the contributions’ norms."),
            figure("decay", "Decay per step back", "Dotted: 1, neither fading nor growing."),
            figure("radius", "Spectral radius and largest singular value", f"Two numbers of {_HTML['W_h']}."),
        ]
    else:
        note = (
            '<p class="note">The lens was not watched in this run; <code>elman train --watch-gradients N</code> '
            "records it.</p>"
        )
    return f'<h2>Over training: {escape(label)}</h2>{note}<div class="charts">{"".join(figures)}</div>'


def _foot(views: Sequence[View]) -> str:
    exact = (
        "Every contribution is exact: nothing is truncated or sampled. Time steps and losses are counted from 0; "
        "step <i>i</i> reads token <i>i</i>, loss <i>t</i> predicts token <i>t</i> + 1. By <i>W<sub>h</sub></i> and "
        "<i>W<sub>e</sub></i> the contributions of all steps add up to the gradient of the loss, so each has a signed "
        "share in it; by <i>e</i> and <i>h</i> every step has a vector of its own, nothing is added up, and there is "
        "no sign. "
    )
    return f"</main><footer><p>{exact if views else ''}Made by <code>elman flow</code>.</p></footer>"


def _data(views: Sequence[View], histories: Mapping[str, History]) -> str:
    """JSON that may stand in a script element: no `<` in it."""
    same = len({tuple(view.tokens) for view in views}) == 1
    content = {
        "letters": LETTERS,
        "linked": same,
        "sides": [_side_data(view) for view in views],
        "histories": [_history_data(history) for history in histories.values()],
    }
    return json.dumps(plain(content), ensure_ascii=False, separators=(",", ":"), allow_nan=False).replace(
        "<", "\\u003c"
    )


def _side_data(view: View) -> dict[str, Any]:
    norms = {name: view.flow.log10_norms(name) for name in SHOWN}
    finite = {name: table[np.isfinite(table)] for name, table in norms.items()}
    return {
        "label": view.named.label,
        "T": view.T,
        "chosen": view.chosen,
        "J": _rounded(view.flow.trajectory.J),
        "norms": {name: _packed(table) for name, table in norms.items()},
        "tops": {name: float(values.max(initial=-400.0)) for name, values in finite.items()},
        "bottoms": {name: float(values.min(initial=400.0)) for name, values in finite.items()},
        "within": {
            name: {
                "cosines": _base64(np.rint(_triangle(within.cosines) * (2**15 - 1)).astype("<i2")),
                "log10_norms": _rounded(within.log10_norms),
            }
            for name, within in view.within.items()
        },
        "by_lag": {name: _rounded(values) for name, values in view.by_lag.items()},
        "bounds": {name: _rounded(values) for name, values in view.bounds.items()},
        "singular": {"lags": list(view.singular_lags), "percentiles": QUANTILES, "log10": _rounded(view.quantiles())},
    }


def _history_data(history: History) -> dict[str, Any]:
    return {
        **history.binned(_POINTS),
        "clip": history.clip,
        "rescues": history.rescues,
        "flow_step": history.flow_step,
        "flow": dict(history.flow),
        "log10_norms_by_lag": _rounded(history.log10_norms_by_lag),
    }


def _packed(log10_norms: Doubles) -> dict[str, Any]:
    """The lower triangle with 16 bits an entry: 0 for nothing (-∞), else 1 + (log10 - low) / step."""
    values = _triangle(log10_norms)
    finite = values[np.isfinite(values)]
    low, high = (float(finite.min()), float(finite.max())) if len(finite) else (0.0, 0.0)
    step = (high - low) / (_CODES - 1) or 1.0
    codes = np.zeros(len(values))
    codes[np.isfinite(values)] = 1 + np.rint((finite - low) / step)
    return {"low": low, "step": step, "codes": _base64(codes.astype("<u2"))}


def _triangle(table: Doubles) -> Doubles:
    return np.asarray(table[np.tril_indices(len(table))])


def _base64(codes: np.ndarray[Any, Any]) -> str:
    return base64.b64encode(codes.tobytes()).decode()


def _rounded(values: Doubles) -> Doubles:
    """Six digits after the point of a logarithm are plenty, and a third of the size."""
    return np.asarray(np.round(values, 6))
