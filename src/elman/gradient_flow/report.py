"""The lens as one self-contained HTML page: the text to explore, the heat map, the plots, and what each one shows.

The page contains the numbers and draws the plots from them in the browser. So it needs no plotting package, and it
follows the chosen weight, the width of the window and the colour scheme. Pairs (t, i) take 16 bits each: about 3 MB at
T = 500.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import numpy as np

from elman.gradient_flow.document import document
from elman.gradient_flow.history import History
from elman.gradient_flow.number_text import nats_text, percent
from elman.gradient_flow.trajectory import Doubles
from elman.gradient_flow.view import QUANTILES, QUANTITIES, View
from elman.gradient_flow.visible_tokens import text_direction, visible
from elman.wording import count

LETTERS = {"W_h": "Wₕ", "W_e": "Wₑ", "e": "e", "h": "h"}
_HTML = {"W_h": "<i>W<sub>h</sub></i>", "W_e": "<i>W<sub>e</sub></i>", "e": "<i>e</i>", "h": "<i>h</i>"}
_LENS = f"The norms of the contributions to ∂J/∂{_HTML['W_h']}, summed over the losses of a few sequences; blank: zero."
_POINTS = 400
"""Points of a curve over training; more records are averaged in bins."""
_CODES = 2**16 - 1


def as_html(views: Sequence[View], histories: Mapping[str, History], command: str = "") -> str:
    """The page of networks or of their layers (views), of what training recorded (histories by label), or of both.

    command: the one that makes it, which the page shows.
    """
    labels = [view.subject.label for view in views] or list(histories)
    title = " and ".join(labels)
    recorded = {label: history for label, history in histories.items() if history.recorded}
    body = [
        _head(title, views),
        *([_text(views), _numbers(views), _charts(views)] if views else []),
        *(_history(label, history, k) for k, (label, history) in enumerate(recorded.items())),
        _foot(views, command),
    ]
    scripts = ("numbers.js", "charts.js", "flow.js")
    return document(f"Gradient flow: {title}", "\n".join(body), _data(views, recorded), scripts)


def _head(title: str, views: Sequence[View]) -> str:
    parts = []
    for view in views:
        name = f"<b>{escape(view.subject.label)}</b>" if len(views) > 1 else ""
        verdicts = view.diagnosis.findings or ("healthy",)
        badges = "".join(f'<span class="badge {escape(v)}">{escape(v)}</span>' for v in verdicts)
        parts.append(f'<div class="diagnosis">{name}{badges}<p>{_formulas(view.diagnosis.text)}</p></div>')
    about = "".join(
        f'<p class="about">{escape(view.subject.description)} · {escape(view.subject.text)}, '
        f"{count(view.T, 'token')} from token {view.subject.start:,} on · "
        f"{nats_text(view.nats_per_token)} nats per token</p>"
        for view in views
    )
    return f'<header><p class="kind">Gradient flow</p><h1>{escape(title)}</h1>{about}{"".join(parts)}</header>\n<main>'


def _formulas(sentence: str) -> str:
    """A sentence of the diagnosis with its symbols typeset."""
    text = escape(sentence).replace("σ_max", "σ<sub>max</sub>").replace("b_1", "<i>b</i><sub>1</sub>")
    for name in ("W_h", "W_e"):
        text = text.replace(name, _HTML[name])
    return text


def _text(views: Sequence[View]) -> str:
    """The choice of a weight; then for each network its tokens and a canvas for its heat map."""
    choices = "".join(
        f'<input type="radio" name="weight" id="weight-{name}" value="{name}"{" checked" * (name == "W_h")}>'
        f'<label for="weight-{name}">{_HTML[name]}</label>'
        for name in QUANTITIES
    )
    scale = (
        '<ul class="scale"><li><span class="swatch with"></span><span>norm of the contribution, from a thousandth '
        'of the largest to the largest<span class="signed">; its share of this loss’s gradient is positive</span>'
        '</span></li><li class="signed"><span class="swatch against"></span>the same, but its share is negative</li>'
        '<li><span class="swatch box"></span>predicted token</li></ul>'
    )
    networks = "".join(_network(view, k, len(views) > 1) for k, view in enumerate(views))
    return (
        "<h2>What each earlier token contributes to the gradient of one prediction</h2>"
        '<p class="note">Choose a token (click, or ← →): each token before it is tinted by the norm of what its time '
        "step contributes to the gradient of the loss of predicting the chosen one. Point at a token before it (or "
        f'Shift ← →) for its numbers.</p><fieldset class="choose"><legend>Gradient with respect to</legend>{choices}'
        f"</fieldset>{scale}{networks}"
        "<noscript><p>The tints, numbers and plots need JavaScript, which this browser does not run.</p></noscript>"
    )


def _network(view: View, k: int, named: bool) -> str:
    heading = f"<h3>{escape(view.subject.label)}</h3>" if named else ""
    words = " words" if view.subject.separator else ""
    return (
        f'<section class="network" id="network-{k}">{heading}<div><div class="text{words}" '
        f'dir="{text_direction(view.tokens)}" tabindex="0" role="group" '
        'aria-label="The text. Left and right arrows choose the predicted token, with Shift the earlier step.">'
        f'{_tokens(view)}</div><div class="say" aria-live="polite"><p class="loss"></p><p class="step"></p></div></div>'
        '<figure class="map"><canvas tabindex="0" role="img" aria-label="Heat map of the norms of all contributions: '
        'the loss t downwards, the step i to the right"></canvas><figcaption>The norm, which has no sign, of what step '
        "<i>i</i> contributes to the gradient of loss <i>t</i>, for every pair; blank: zero. Click to choose a pair."
        "</figcaption></figure></section>"
    )


def _tokens(view: View) -> str:
    out = []
    for i, (token, oov) in enumerate(zip(view.tokens, view.oov, strict=True)):
        text = visible(token)
        kind = " ws" * (token.isspace() or text in ("⏎", "")) + " oov" * bool(oov)
        hint = "read before the text" if i == 0 and view.subject.start == 0 else f"token {view.subject.start + i}"
        title = hint + ", not in the vocabulary" * bool(oov)
        out.append(f'<span class="tok{kind}" data-i="{i}" title="{title}">{escape(text)}</span>')
        out.append("<br>" if text.endswith("⏎") else view.subject.separator or "<wbr>" * token.isspace())
    return "".join(out)


def _numbers(views: Sequence[View]) -> str:
    """The numbers behind the diagnosis, and what truncation would lose."""
    numbers = [view.diagnosis.numbers for view in views]
    rows = [
        ("Reach", [count(n.reach, "step") for n in numbers],
         f"within which 95 % of the norms of the contributions lie, for ∂J/∂{_HTML['W_h']}"),
        ("Decay per step", [f"{n.decay_rate:.3g}" for n in numbers],
         "the factor of ‖∂J<sup>(t)</sup>/∂h<sup>(i)</sup>‖ for each step back; below 1 it decays, above 1 it grows"),
        ("Spectral radius", [f"{n.spectral_radius:.3g}" for n in numbers],
         f"the largest |eigenvalue| of {_HTML['W_h']}: the factor per step by which its high powers grow"),
        ("Largest singular value σ<sub>max</sub>", [f"{n.sigma_max:.3g}" for n in numbers],
         f"the most by which one product with {_HTML['W_h']} stretches a vector; never below the spectral radius"),
        ("Bound of a step", [f"{n.one_step_bound:.3g}" for n in numbers],
         "max σ′ · σ<sub>max</sub>: below 1 the gradient must vanish, above 1 it may explode (Pascanu, Mikolov and "
         "Bengio 2013)"),
        ("Mean σ′", [f"{n.mean_slope:.2g}" for n in numbers], "of at most 1/4 for sigmoid, 1 for tanh and relu"),
        ("Saturated", [f"{n.flat:.0%}" for n in numbers], "of the units have under a tenth of the largest σ′"),
        ("Cancellation", [f"{n.cancellation:.3g}" for n in numbers],
         "Σ‖contribution‖ / ‖Σ contribution‖: 1 where all point the same way"),
    ]  # fmt: skip
    head = ""
    if len(views) > 1:
        names = "".join(f"<th>{escape(view.subject.label)}</th>" for view in views)
        head = f'<thead><tr><th></th>{names}<th class="m"></th></tr></thead>'
    body = "".join(
        f"<tr><th>{name}</th>{''.join(f'<td class=n>{value}</td>' for value in values)}<td class=m>{meaning}</td></tr>"
        for name, values, meaning in rows
    ).replace("class=n", 'class="n"').replace("class=m", 'class="m"')  # fmt: skip
    return (
        f'<h2>The numbers {_COPY}</h2>{_scrolled("The numbers")}<table class="numbers">{head}<tbody>{body}'
        f"</tbody></table></div>{_truncations(views)}"
    )


def _truncations(views: Sequence[View]) -> str:
    """What truncated backpropagation would lose, one column for each number of steps."""
    taus = sorted({each.tau for view in views for each in view.truncations})
    rows = []
    for view in views:
        lost = {each.tau: percent(each.lost) for each in view.truncations}
        turned = {each.tau: f"{each.angle:.1f}°" for each in view.truncations}
        for words, found in (("relative error", lost), ("angle to the full gradient", turned)):
            cells = "".join(f'<td class="n">{found.get(tau, "–")}</td>' for tau in taus)
            rows.append(f"<tr><th>{words}{_of(view, views)}</th>{cells}</tr>")
    head = "".join(f"<th>{tau}</th>" for tau in taus)
    return (
        f'{_scrolled("What truncation loses")}<table class="numbers taus"><thead><tr><th>∂J/∂{_HTML["W_h"]}, '
        f"truncated to so many steps</th>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
    )


def _charts(views: Sequence[View]) -> str:
    singular = "".join(
        f"<figure><h3>Singular values of ∂h<sup>(T)</sup>/∂h<sup>(T−k)</sup>{_of(view, views)}</h3>"
        f'<div id="singular-{k}"></div><figcaption>How strongly the last state depends on the state k steps before: '
        "along the direction with the strongest effect, along the median one, and bands of the middle half and the "
        "middle 80 %. The dotted line is 1."
        "</figcaption></figure>"
        for k, view in enumerate(views)
    )
    return (
        '<h2>Against the lag</h2><div class="charts"><figure><h3>Norm of the contributions to the gradient '
        'with respect to <span id="by-lag-title"></span></h3><div id="by-lag"></div><figcaption>Norms (without '
        "sign), summed over all losses; dashed: the bound from σ<sub>max</sub>, (σ<sub>max</sub>/4)<sup>k</sup> for "
        "sigmoid, σ<sub>max</sub><sup>k</sup> for tanh and relu; dotted: the reach.</figcaption></figure>"
        f"{singular}</div>"
    )


def _of(view: View, views: Sequence[View]) -> str:
    return f", {escape(view.subject.label)}" if len(views) > 1 else ""


def _history(label: str, history: History, k: int) -> str:
    """The plots over training, empty: the page's script draws them."""

    def figure(name: str, heading: str, caption: str, tag: str = "div") -> str:
        return f'<figure><h3>{heading}</h3><{tag} id="{name}-{k}"></{tag}><figcaption>{caption}</figcaption></figure>'

    norms, clipped = "The norm of the gradient", "Steps clipped or skipped"
    figures = [
        figure("norms", norms, "Of all parameters together, before clipping: mean and range."),
        figure("clipped", clipped, "Clipped: the gradient was scaled down to the limit. Skipped: it was not finite."),
    ]
    note = ""
    if history.watched:
        figures += [
            figure("lens", "The lens: norm against lag", _LENS, "canvas"),
            figure("reach", "Reach", "The steps back within which 95 % of the contributions’ norms lie."),
            figure("decay", "Decay per step back", "Dotted: 1, neither decay nor growth."),
            figure(
                "radius",
                "Spectral radius and largest singular value",
                f"Of {_HTML['W_h']}: its largest |eigenvalue|, and the most by which it stretches a vector.",
            ),
        ]
    else:
        note = (
            '<p class="note">This run recorded no decompositions; <code>elman train --watch-gradients N</code> '
            "does.</p>"
        )
    return f'<h2>Over training: {escape(label)}</h2>{note}<div class="charts">{"".join(figures)}</div>'


_COPY = '<button type="button" class="copy" hidden>copy</button>'


def _scrolled(name: str) -> str:
    """Begins a table that may be wider than the window: a shadow shows where there is more, and arrow keys go there."""
    return f'<div class="wide" tabindex="0" role="region" aria-label="{name}">'


def _foot(views: Sequence[View], command: str) -> str:
    exact = (
        "Every contribution is exact: nothing is truncated or sampled. Time steps and losses count from 0; step "
        "<i>i</i> reads token <i>i</i>, loss <i>t</i> predicts token <i>t</i> + 1. The heat map, the strength of the "
        "tints and the plots show norms, which have no sign. With respect to <i>W<sub>h</sub></i> and "
        "<i>W<sub>e</sub></i> the contributions of all steps add up to the gradient of the loss, so each has a "
        "signed share of it, which gives the tints their colour. With respect to <i>e</i> and <i>h</i> each step has a "
        "vector of its own, nothing is added up, and there is no share. "
    )
    if any(view.flow.trajectory.p.above for view in views):
        exact += (
            "Layers count from 0; the letters of a layer are its own, and what a step contributes goes through all "
            "layers above it. Above layer 0, <i>e</i> is <i>h</i> of the layer below, and the gradient by it "
            "is the part that comes through this layer. "
        )
    words = " ".join(f'<span class="word">{escape(word)}</span>' for word in (command or "elman flow").split(" "))
    made = f"<code>{words}</code>"
    button = f'<button type="button" class="copy" value="{escape(command)}" hidden>copy</button>' if command else ""
    return f"</main><footer><p>{exact if views else ''}Made by {made}.{button}</p></footer>"


def _data(views: Sequence[View], histories: Mapping[str, History]) -> dict[str, Any]:
    same = len({tuple(view.tokens) for view in views}) == 1
    return {
        "letters": LETTERS,
        "linked": same,
        "networks": [_network_data(view) for view in views],
        "histories": [_history_data(history) for history in histories.values()],
    }


def _network_data(view: View) -> dict[str, Any]:
    norms = {name: view.flow.log10_norms(name) for name in QUANTITIES}
    finite = {name: table[np.isfinite(table)] for name, table in norms.items()}
    return {
        "label": view.subject.label,
        "T": view.T,
        "chosen": view.chosen,
        "J": _rounded(view.flow.trajectory.J),
        "norms": {name: _packed(table) for name, table in norms.items()},
        "tops": {name: float(values.max(initial=-400.0)) for name, values in finite.items()},
        "bottoms": {name: float(values.min(initial=400.0)) for name, values in finite.items()},
        "loss_shares": {
            name: {
                "cosines": _base64(np.rint(_triangle(shares.cosines) * (2**15 - 1)).astype("<i2")),
                "log10_norms": _rounded(shares.log10_norms),
            }
            for name, shares in view.loss_shares.items()
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
    """The lower triangle in 16 bits an entry: 0 for a zero norm (-∞), else 1 + (log10 - low) / step."""
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
    """Six decimals of a logarithm: a third of the size, and more digits than a plot shows."""
    return np.asarray(np.round(values, 6))
