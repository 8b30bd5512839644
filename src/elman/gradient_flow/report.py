"""The lens as one self-contained HTML page: the text to explore, the heat map, the plots, and what each one shows.

The page contains the numbers and draws the plots from them in the browser. So it needs no plotting package, and it
follows the chosen weight, the width of the window and the colour scheme. Pairs (t, i) take 16 bits each: about 3 MB at
T = 500.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import numpy as np

from elman.gradient_flow.document import document
from elman.gradient_flow.figure_text import said
from elman.gradient_flow.history import History
from elman.gradient_flow.number_text import nats_text, percent
from elman.gradient_flow.trajectory import Doubles
from elman.gradient_flow.view import QUANTILES, QUANTITIES, View
from elman.gradient_flow.visible_tokens import text_direction, visible
from elman.translation import joined, listed, sign, translate
from elman.wording import count

LETTERS = {"W_h": "Wₕ", "W_e": "Wₑ", "e": "e", "h": "h"}
_HTML = {"W_h": "<i>W<sub>h</sub></i>", "W_e": "<i>W<sub>e</sub></i>", "e": "<i>e</i>", "h": "<i>h</i>"}
_POINTS = 400
"""Points of a curve over training; more records are averaged in bins."""
_CODES = 2**16 - 1


def as_html(views: Sequence[View], histories: Mapping[str, History], command: str = "") -> str:
    """The page of networks or of their layers (views), of what training recorded (histories by label), or of both.

    It is in the current language. command: the one that makes it, which the page shows.
    """
    labels = [translate(label) for label in [view.subject.label for view in views] or histories]
    title = listed(labels)
    recorded = {label: history for label, history in histories.items() if history.recorded}
    body = [
        _head(title, views),
        *([_text(views), _numbers(views), _charts(views)] if views else []),
        *(_history(translate(label), history, k) for k, (label, history) in enumerate(recorded.items())),
        _foot(views, command),
    ]
    scripts = ("numbers.js", "charts.js", "flow.js")
    heading = f"{said('Gradient flow')}{sign(': ')}{title}"
    return document(heading, "\n".join(body), _data(views, recorded), scripts)


def _typeset(sentence: str) -> str:
    """A sentence as HTML: its symbols typeset, exponents raised, and letters between asterisks in italics."""
    text = escape(sentence, quote=False).replace("σ_max", "σ<sub>max</sub>").replace("b_1", "<i>b</i><sub>1</sub>")
    for name in ("W_h", "W_e"):
        text = text.replace(name, _HTML[name])
    text = re.sub(r"\*(\w)\*", r"<i>\1</i>", text)
    return re.sub(r"\^(\([^()]*\)|\w)", r"<sup>\1</sup>", text)


def _html(text: str) -> str:
    """A text of the page in the current language, typeset."""
    return _typeset(said(text))


def _head(title: str, views: Sequence[View]) -> str:
    parts = []
    for view in views:
        name = f"<b>{escape(translate(view.subject.label))}</b>" if len(views) > 1 else ""
        verdicts = view.diagnosis.findings or ("healthy",)
        badges = "".join(f'<span class="badge {escape(v)}">{_html(v)}</span>' for v in verdicts)
        found = joined(map(translate, view.diagnosis.sentences), " ")
        parts.append(f'<div class="diagnosis">{name}{badges}<p>{_typeset(found)}</p></div>')
    about = "".join(f'<p class="about">{escape(_about(view))}</p>' for view in views)
    kind = f'<p class="kind">{_html("Gradient flow")}</p>'
    return f"<header>{kind}<h1>{escape(title)}</h1>{about}{''.join(parts)}</header>\n<main>"


def _about(view: View) -> str:
    window = said(f"{count(view.T, 'token')} from token {view.subject.start:,} on")
    parts = (translate(view.subject.description), f"{view.subject.text}{sign(', ')}{window}")
    return " · ".join((*parts, said(f"{nats_text(view.nats_per_token)} nats per token")))


def _text(views: Sequence[View]) -> str:
    """The choice of a weight; then for each network its tokens and a canvas for its heat map."""
    choices = "".join(
        f'<input type="radio" name="weight" id="weight-{name}" value="{name}"{" checked" * (name == "W_h")}>'
        f'<label for="weight-{name}">{_HTML[name]}</label>'
        for name in QUANTITIES
    )
    norm = _html("norm of the contribution, from a thousandth of the largest to the largest")
    positive = _html("; its share of this loss’s gradient is positive")
    negative = _html("the same, but its share is negative")
    scale = (
        f'<ul class="scale"><li><span class="swatch with"></span><span>{norm}<span class="signed">{positive}</span>'
        f'</span></li><li class="signed"><span class="swatch against"></span>{negative}</li>'
        f'<li><span class="swatch box"></span>{_html("predicted token")}</li></ul>'
    )
    networks = "".join(_network(view, k, len(views) > 1) for k, view in enumerate(views))
    heading = _html("What each earlier token contributes to the gradient of one prediction")
    note = _html(
        "Choose a token (click, or ← →): each token before it is tinted by the norm of what its time step contributes "
        "to the gradient of the loss of predicting the chosen one. Point at a token before it (or Shift ← →) for its "
        "numbers."
    )
    needs = _html("The tints, numbers and plots need JavaScript, which this browser does not run.")
    return (
        f'<h2>{heading}</h2><p class="note">{note}</p><fieldset class="choose"><legend>'
        f"{_html('Gradient with respect to')}</legend>{choices}</fieldset>{scale}{networks}"
        f"<noscript><p>{needs}</p></noscript>"
    )


def _network(view: View, k: int, named: bool) -> str:
    heading = f"<h3>{escape(translate(view.subject.label))}</h3>" if named else ""
    words = " words" if view.subject.separator else ""
    keys = said("The text. Left and right arrows choose the predicted token, with Shift the earlier step.")
    table = said("Heat map of the norms of all contributions: the loss t downwards, the step i to the right")
    caption = _html(
        "The norm, which has no sign, of what step *i* contributes to the gradient of loss *t*, for every pair; blank: "
        "zero. Click to choose a pair."
    )
    return (
        f'<section class="network" id="network-{k}">{heading}<div><div class="text{words}" '
        f'dir="{text_direction(view.tokens)}" tabindex="0" role="group" aria-label="{escape(keys)}">'
        f'{_tokens(view)}</div><div class="say" aria-live="polite"><p class="loss"></p><p class="step"></p></div></div>'
        f'<figure class="map"><canvas tabindex="0" role="img" aria-label="{escape(table)}"></canvas>'
        f"<figcaption>{caption}</figcaption></figure></section>"
    )


def _tokens(view: View) -> str:
    out = []
    for i, (token, oov) in enumerate(zip(view.tokens, view.oov, strict=True)):
        text = visible(token)
        kind = " ws" * (token.isspace() or text in ("⏎", "")) + " oov" * bool(oov)
        hint = "read before the text" if i == 0 and view.subject.start == 0 else f"token {view.subject.start + i}"
        title = escape(joined([said(hint), said("not in the vocabulary")] if oov else [said(hint)]))
        out.append(f'<span class="tok{kind}" data-i="{i}" title="{title}">{escape(text)}</span>')
        out.append("<br>" if text.endswith("⏎") else view.subject.separator or "<wbr>" * token.isspace())
    return "".join(out)


def _numbers(views: Sequence[View]) -> str:
    """The numbers behind the diagnosis, and what truncation would lose."""
    numbers = [view.diagnosis.numbers for view in views]
    rows = [
        (said("Reach"), [said(count(n.reach, "step")) for n in numbers],
         said("within which 95 % of the norms of the contributions lie, for ∂J/∂W_h")),
        (said("Decay per step"), [f"{n.decay_rate:.3g}" for n in numbers],
         said("the factor of ‖∂J^(t)/∂h^(i)‖ for each step back; below 1 it decays, above 1 it grows")),
        (said("Spectral radius"), [f"{n.spectral_radius:.3g}" for n in numbers],
         said("the largest |eigenvalue| of W_h: the factor per step by which its high powers grow")),
        (said("Largest singular value σ_max"), [f"{n.sigma_max:.3g}" for n in numbers],
         said("the most by which one product with W_h stretches a vector; never below the spectral radius")),
        (said("Bound of a step"), [f"{n.one_step_bound:.3g}" for n in numbers],
         said("max σ′ · σ_max: below 1 the gradient must vanish, above 1 it may explode (Pascanu, Mikolov and Bengio "
              "2013)")),
        (said("Mean σ′"), [f"{n.mean_slope:.2g}" for n in numbers],
         said("of at most 1/4 for sigmoid, 1 for tanh and relu")),
        (said("Saturated"), [f"{n.flat:.0%}" for n in numbers],
         said("of the units have under a tenth of the largest σ′")),
        (said("Cancellation"), [f"{n.cancellation:.3g}" for n in numbers],
         said("Σ‖contribution‖ / ‖Σ contribution‖: 1 where all point the same way")),
    ]  # fmt: skip
    head = ""
    if len(views) > 1:
        names = "".join(f"<th>{escape(translate(view.subject.label))}</th>" for view in views)
        head = f'<thead><tr><th></th>{names}<th class="m"></th></tr></thead>'
    body = "".join(
        f"<tr><th>{_typeset(name)}</th>{''.join(f'<td class=n>{value}</td>' for value in values)}"
        f"<td class=m>{_typeset(meaning)}</td></tr>"
        for name, values, meaning in rows
    ).replace("class=n", 'class="n"').replace("class=m", 'class="m"')  # fmt: skip
    name = said("The numbers")
    return (
        f'<h2>{name} {_copy()}</h2>{_scrolled(name)}<table class="numbers">{head}<tbody>{body}'
        f"</tbody></table></div>{_truncations(views)}"
    )


def _truncations(views: Sequence[View]) -> str:
    """What truncated backpropagation would lose, one column for each number of steps."""
    taus = sorted({each.tau for view in views for each in view.truncations})
    rows = []
    for view in views:
        lost = {each.tau: percent(each.lost) for each in view.truncations}
        turned = {each.tau: f"{each.angle:.1f}°" for each in view.truncations}
        for words, found in ((said("relative error"), lost), (said("angle to the full gradient"), turned)):
            cells = "".join(f'<td class="n">{found.get(tau, "–")}</td>' for tau in taus)
            rows.append(f"<tr><th>{words}{_of(view, views)}</th>{cells}</tr>")
    head = "".join(f"<th>{tau}</th>" for tau in taus)
    return (
        f'{_scrolled(said("What truncation loses"))}<table class="numbers taus"><thead><tr><th>'
        f"{_html('∂J/∂W_h, truncated to so many steps')}</th>{head}</tr></thead><tbody>{''.join(rows)}</tbody>"
        "</table></div>"
    )


def _charts(views: Sequence[View]) -> str:
    singular_caption = _html(
        "How strongly the last state depends on the state k steps before: along the direction with the strongest "
        "effect, along the median one, and bands of the middle half and the middle 80 %. The dotted line is 1."
    )
    singular = "".join(
        f"<figure><h3>{_html('Singular values of ∂h^(T)/∂h^(T−k)')}{_of(view, views)}</h3>"
        f'<div id="singular-{k}"></div><figcaption>{singular_caption}</figcaption></figure>'
        for k, view in enumerate(views)
    )
    lag_caption = _html(
        "Norms (without sign), summed over all losses; dashed: the bound from σ_max, (σ_max/4)^k for sigmoid, σ_max^k "
        "for tanh and relu; dotted: the reach."
    )
    title = _html("Norm of the contributions to the gradient with respect to")
    return (
        f'<h2>{_html("Against the lag")}</h2><div class="charts"><figure><h3>{title} <span id="by-lag-title"></span>'
        f'</h3><div id="by-lag"></div><figcaption>{lag_caption}</figcaption></figure>{singular}</div>'
    )


def _of(view: View, views: Sequence[View]) -> str:
    return f"{sign(', ')}{escape(translate(view.subject.label))}" if len(views) > 1 else ""


def _history(label: str, history: History, k: int) -> str:
    """The plots over training, empty: the page's script draws them."""

    def figure(name: str, heading: str, caption: str, tag: str = "div") -> str:
        return (
            f'<figure><h3>{_typeset(heading)}</h3><{tag} id="{name}-{k}"></{tag}>'
            f"<figcaption>{_typeset(caption)}</figcaption></figure>"
        )

    figures = [
        figure(
            "norms", said("The norm of the gradient"),
            said("Of all parameters together, before clipping: mean and range."),
        ),
        figure(
            "clipped", said("Steps clipped or skipped"),
            said("Clipped: the gradient was scaled down to the limit. Skipped: it was not finite."),
        ),
    ]  # fmt: skip
    note = ""
    if history.watched:
        figures += [
            figure(
                "lens", said("The lens: norm against lag"),
                said("The norms of the contributions to ∂J/∂W_h, summed over the losses of a few sequences; blank: "
                     "zero."),
                "canvas",
            ),
            figure("reach", said("Reach"), said("The steps back within which 95 % of the contributions’ norms lie.")),
            figure("decay", said("Decay per step back"), said("Dotted: 1, neither decay nor growth.")),
            figure(
                "radius", said("Spectral radius and largest singular value"),
                said("Of W_h: its largest |eigenvalue|, and the most by which it stretches a vector."),
            ),
        ]  # fmt: skip
    else:
        note = f'<p class="note">{_watched(said("This run recorded no decompositions; ELMAN does."))}</p>'
    heading = f"{said('Over training')}{sign(': ')}{label}"
    return f'<h2>{escape(heading)}</h2>{note}<div class="charts">{"".join(figures)}</div>'


def _watched(sentence: str) -> str:
    return escape(sentence).replace("ELMAN", "<code>elman train --watch-gradients N</code>")


def _copy(value: str = "") -> str:
    """A button that copies its value, or the tables where it has none; shown where scripts run."""
    given = f' value="{escape(value)}"' if value else ""
    return f'<button type="button" class="copy"{given} hidden>{_html("copy")}</button>'


def _scrolled(name: str) -> str:
    """Begins a table that may be wider than the window: a shadow shows where there is more, and arrow keys go there."""
    return f'<div class="wide" tabindex="0" role="region" aria-label="{escape(name)}">'


def _foot(views: Sequence[View], command: str) -> str:
    exact = [
        said("Every contribution is exact: nothing is truncated or sampled."),
        said("Time steps and losses count from 0; step *i* reads token *i*, loss *t* predicts token *t* + 1."),
        said("The heat map, the strength of the tints and the plots show norms, which have no sign."),
        said("With respect to W_h and W_e the contributions of all steps add up to the gradient of the loss, so each "
             "has a signed share of it, which gives the tints their colour."),
        said("With respect to *e* and *h* each step has a vector of its own, nothing is added up, and there is no "
             "share."),
    ]  # fmt: skip
    if any(view.flow.trajectory.p.above for view in views):
        exact += [
            said("Layers count from 0; the letters of a layer are its own, and what a step contributes goes through "
                 "all layers above it."),
            said("Above layer 0, *e* is *h* of the layer below, and the gradient by it is the part that comes through "
                 "this layer."),
        ]  # fmt: skip
    words = " ".join(f'<span class="word">{escape(word)}</span>' for word in (command or "elman flow").split(" "))
    made = said("Made by ELMAN.").replace("ELMAN", f"<code>{words}</code>")
    told = _typeset(joined(exact, " ")) + sign(" ") if views else ""
    return f"</main><footer><p>{told}{made}{_copy(command) if command else ''}</p></footer>"


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
        "label": translate(view.subject.label),
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
