"""What `elman flow` prints: the diagnosis, the numbers behind it, and bars of norm against lag."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from rich.console import Console
from rich.text import Text

from elman.cli.flow_runs import RunFlow
from elman.cli.streams import console
from elman.gradient_flow.history import History
from elman.gradient_flow.number_text import nats_text, percent, scientific
from elman.gradient_flow.view import LAGS, View
from elman.gradient_flow.visible_tokens import visible
from elman.translation import joined, sign, translate
from elman.wording import columns, count, padded, perplexity_in_words

BAR = 24
EIGHTHS = " ▏▎▍▌▋▊▉█"
LEVELS = "▁▂▃▄▅▆▇█"
DECADES = 12
"""The range of the bars, from the largest value down; smaller values have no bar."""


def summary(runs: Sequence[RunFlow]) -> None:
    """Prints the summary, in colour on a terminal."""
    out = console()
    width = min(out.width, 110) if out.is_terminal else 110
    views = [run.view for run in runs if run.view]
    for view in views:
        _print_view(out, view, width)
    if views:
        out.print(_table(views))
        out.print(_by_lag(views), end="")
    for run in runs:
        if run.history:
            _print_history(out, run.label, run.history)


def _print_view(out: Console, view: View, width: int) -> None:
    out.print(Text(translate(view.subject.label), style="bold"), Text(translate(view.subject.description)))
    nats = view.nats_per_token
    what = (
        f"{view.subject.text}: {count(view.T, 'token')} from token {view.subject.start:,} on, "
        f"{nats_text(nats)} nats per token (perplexity {perplexity_in_words(nats)})"
    )
    if any(view.oov):
        what += f"; OOV: {sum(view.oov)}"
    out.print(Text(translate(what)))
    style = "green" if view.diagnosis.verdict == "healthy" else "yellow"
    text = Text(joined(map(translate, view.diagnosis.sentences), " "))
    text.stylize(style, 0, text.plain.find(sign(": ").strip()))
    for line in text.wrap(out, width - 2):
        line.rstrip()
        out.print(Text("  ") + line)
    out.print()


def _table(views: Sequence[View]) -> Text:
    """The numbers, one column a network, and what each one means."""
    numbers = [view.diagnosis.numbers for view in views]
    truncated = {
        tau: [next((t for t in view.truncations if t.tau == tau), None) for view in views] for tau in (1, 4, 16)
    }
    rows = [
        (
            "reach",
            [count(n.reach, "step") for n in numbers],
            "within which 95 % of the norms of the contributions to ∂J/∂W_h lie",
        ),
        ("decay per step", [f"{n.decay_rate:.3g}" for n in numbers], "factor of ‖∂J^(t)/∂h^(i)‖ for each step back"),
        ("spectral radius", [f"{n.spectral_radius:.3g}" for n in numbers], "of W_h: its largest |eigenvalue|"),
        ("σ_max", [f"{n.sigma_max:.3g}" for n in numbers], "of W_h: its largest singular value, at least the radius"),
        (
            "bound of a step",
            [f"{n.one_step_bound:.3g}" for n in numbers],
            "max σ' · σ_max: above 1, growth is possible",
        ),
        ("mean σ'", [f"{n.mean_slope:.2g}" for n in numbers], "of at most 1/4 for sigmoid, 1 for tanh and relu"),
        ("saturated", [f"{n.flat:.0%}" for n in numbers], "of the units have under a tenth of the largest σ'"),
        ("cancellation", [f"{n.cancellation:.3g}" for n in numbers], "Σ‖contribution‖ / ‖Σ contribution‖"),
        *(
            (
                f"truncated at {tau}",
                [percent(t.lost) if t else "–" for t in each],
                "of ∂J/∂W_h lost (relative norm of the rest)",
            )
            for tau, each in truncated.items()
            if any(each)
        ),
    ]
    text = Text()
    column = max(10, *(len(value) + 2 for _, values, _ in rows for value in values))
    if len(views) > 1:
        for number, view in enumerate(views, 1):
            text.append(f"({number}) {translate(view.subject.label)}\n")
        text.append(" " * 17 + "".join(f"{f'({k + 1})':>{column}}" for k in range(len(views))) + "\n")
    for name, values, meaning in rows:
        text.append(padded(translate(name), 17))
        for value in map(translate, values):
            text.append(" " * (column - columns(value)) + value)
        text.append(f"   {translate(meaning)}\n", style="dim")
    return text


def _by_lag(views: Sequence[View]) -> Text:
    """Bars of log10 of the norms against the lag, and the largest contributions to the chosen loss."""
    text = Text()
    for number, view in enumerate(views, 1):
        norms = view.by_lag["W_h"]
        reach = view.diagnosis.numbers.reach
        lags = sorted({0, reach, *(lag for lag in LAGS if lag < view.T)})
        finite = norms[np.isfinite(norms)]
        if not len(finite):
            continue
        top, bottom = finite.max(), max(finite.min(), finite.max() - DECADES)
        mark = f"({number}) " if len(views) > 1 else ""
        text.append(f"{mark}{translate('norms of the contributions to ∂J/∂W_h by lag, on a logarithmic scale')}\n")
        for lag in lags:
            value = norms[lag]
            share = (value - bottom) / (top - bottom) if top > bottom else 1.0
            note = f"  {translate('reach')}" if lag == reach else ""
            text.append(f"{lag:>5} ")
            text.append(f"{bar(share):<{BAR}}", style="cyan")
            text.append(f" {scientific(value)}{note}\n")
        loss = view.loss_as_dict(view.chosen)
        steps = sorted(loss["contributions"], key=lambda c: -c["log10_norm"])[:5]
        largest = [f"“{visible(c['reads'])}” (lag {loss['at'] - c['step']}, {c['share']:+.0%})" for c in steps]
        what = (
            f"the loss at {loss['at']} predicts “{visible(loss['predicts'])}”; the largest contributions to its "
            "gradient, with their signed shares:"
        )
        text.append(f"{translate(what)}\n")
        text.append(f"  {joined(map(translate, largest))}\n")
        text.append("\n")
    return text


def bar(share: float) -> str:
    """A bar in steps of an eighth of a character; empty below the range."""
    if not np.isfinite(share) or share < 0:
        return ""
    eighths = max(1, round(min(share, 1.0) * BAR * 8))
    return EIGHTHS[8] * (eighths // 8) + EIGHTHS[eighths % 8].strip()


def sparkline(values: np.ndarray, width: int = 40) -> str:
    """The values averaged in `width` columns."""
    finite = np.where(np.isfinite(values), values, np.nan)
    parts = [part[np.isfinite(part)] for part in np.array_split(finite, min(width, len(finite)))]
    means = np.array([part.mean() if len(part) else np.nan for part in parts])
    low, high = np.nanmin(means), np.nanmax(means)
    scale = (means - low) / (high - low) if high > low else np.zeros(len(means))
    return "".join(" " if np.isnan(s) else LEVELS[min(7, int(s * 8))] for s in scale)


def _print_history(out: Console, label: str, history: History) -> None:
    record = history.as_dict()
    if record["gradient_norm_median"] is None:
        out.print(Text(translate(f"{label}: training recorded no gradient norms")))
        return
    norms = f"median {record['gradient_norm_median']:.3g}, largest {record['gradient_norm_largest']:.3g}"
    clip = f"clip {history.clip:g}" if history.clip else "no clipping"
    what = f"{label}: the norm of the gradient over {count(history.steps, 'step')}, {norms}"
    steps = (
        f"{clip}, clipped in {record['clipped_share']:.1%} of the steps, skipped in "
        f"{record['skipped_share']:.1%}, {count(record['rescues'], 'rescue')}"
    )
    out.print(Text(f"{translate(what)}\n  {translate(steps)}"))
    with np.errstate(divide="ignore", invalid="ignore"):
        out.print(Text(f"  {sparkline(np.log(history.gradient_norm))}  {translate('log scale')}"))
    if not history.watched:
        what = "This run recorded no decompositions; elman train --watch-gradients N does."
        out.print(Text(f"  {translate(what)}", style="dim"))
        return
    first, last = (int(history.flow_step[k]) for k in (0, -1))
    what = f"the lens, {count(len(history.flow_step), 'time')} from step {first:,} to {last:,}:"
    out.print(Text(f"  {translate(what)}"))
    for name, words in (("reach", "reach"), ("decay_rate", "decay per step"), ("spectral_radius", "spectral radius"),
                        ("sigma_max", "σ_max")):  # fmt: skip
        values = history.flow[name]
        name = padded(translate(words), 16)
        out.print(Text(f"  {name}{sparkline(values):<40}  {values[0]:.3g} → {values[-1]:.3g}"))
