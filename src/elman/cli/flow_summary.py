"""What `elman flow` prints: the diagnosis, the numbers behind it, and norm against lag in a few bars."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from rich.console import Console
from rich.text import Text

from elman.cli.window import Side
from elman.gradient_flow.history import History
from elman.gradient_flow.shown import decimals, percent, shown
from elman.gradient_flow.view import LAGS, View

BAR = 24
EIGHTHS = " ▏▎▍▌▋▊▉█"
LEVELS = "▁▂▃▄▅▆▇█"
DECADES = 12
"""The longest range of a bar; below it there is none."""


def summary(sides: Sequence[Side]) -> None:
    """Prints it, in colour where there is a terminal."""
    console = Console(highlight=False, soft_wrap=True)
    width = min(console.width, 110) if console.is_terminal else 110
    views = [side.view for side in sides if side.view]
    for view in views:
        _say_view(console, view, width)
    if views:
        console.print(_table(views))
        console.print(_by_lag(views), end="")
    for side in sides:
        if side.history:
            _say_history(console, side.label, side.history)


def _say_view(console: Console, view: View, width: int) -> None:
    console.print(Text(view.named.label, style="bold"), Text(view.named.description))
    oov = f", {sum(view.oov)} OOV" if any(view.oov) else ""
    nats = view.nats_per_token
    perplexity = f" (perplexity {np.exp(nats):,.2f})" if nats < 20 else ""
    console.print(
        Text(
            f"{view.named.text}: {view.T} tokens from token {view.named.start:,} on{oov}, "
            f"{decimals(nats)} nats per token{perplexity}"
        )
    )
    style = "green" if view.diagnosis.verdict == "healthy" else "yellow"
    text = Text(view.diagnosis.text)
    text.stylize(style, 0, text.plain.find(":"))
    for line in text.wrap(console, width - 2):
        line.rstrip()
        console.print(Text("  ") + line)
    console.print()


def _table(views: Sequence[View]) -> Text:
    """The numbers, a column a network, and what each means."""
    numbers = [view.diagnosis.numbers for view in views]
    loses = {tau: [next((t for t in view.truncations if t.tau == tau), None) for view in views] for tau in (1, 4, 16)}
    rows = [
        ("reach", [f"{n.reach} steps" for n in numbers], "lags that hold 95 % of the norms of ∂J/∂W_h's contributions"),
        ("decay per step", [f"{n.decay_rate:.3g}" for n in numbers], "factor of ‖∂J^(t)/∂h^(i)‖ for each step back"),
        ("spectral radius", [f"{n.spectral_radius:.3g}" for n in numbers], "of W_h: its largest |eigenvalue|"),
        ("σ_max", [f"{n.sigma_max:.3g}" for n in numbers], "of W_h: its largest singular value, not the same number"),
        ("bound of a step", [f"{n.one_step_bound:.3g}" for n in numbers], "max σ' · σ_max: over 1, growth is possible"),
        ("mean σ'", [f"{n.mean_slope:.2g}" for n in numbers], "of at most 1/4 for sigmoid, 1 for tanh and relu"),
        ("saturated", [f"{n.flat:.0%}" for n in numbers], "of the units have under a tenth of the largest σ'"),
        ("cancellation", [f"{n.cancellation:.3g}" for n in numbers], "Σ‖contribution‖ / ‖Σ contribution‖"),
        *(
            (f"truncated at {tau}", [percent(t.lost) if t else "–" for t in each], "of ∂J/∂W_h lost (norm of the rest)")
            for tau, each in loses.items()
            if any(each)
        ),
    ]
    text = Text()
    column = max(10, *(len(value) + 2 for _, values, _ in rows for value in values))
    if len(views) > 1:
        for number, view in enumerate(views, 1):
            text.append(f"({number}) {view.named.label}\n")
        text.append(" " * 17 + "".join(f"{f'({k + 1})':>{column}}" for k in range(len(views))) + "\n")
    for name, values, meaning in rows:
        text.append(f"{name:<17}" + "".join(f"{value:>{column}}" for value in values))
        text.append(f"   {meaning}\n", style="dim")
    return text


def _by_lag(views: Sequence[View]) -> Text:
    """Bars: the logarithm of the norms against the lag."""
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
        text.append(f"{mark}norm of the contributions to ∂J/∂W_h against the lag, logarithmic\n")
        for lag in lags:
            value = norms[lag]
            share = (value - bottom) / (top - bottom) if top > bottom else 1.0
            note = "  reach" if lag == reach else ""
            text.append(f"{lag:>5} ")
            text.append(f"{bar(share):<{BAR}}", style="cyan")
            text.append(f" {scientific(value)}{note}\n")
        loss = view.loss_as_dict(view.chosen)
        steps = sorted(loss["contributions"], key=lambda c: -c["log10_norm"])[:5]
        named = ", ".join(f"“{shown(c['reads'])}” (lag {loss['at'] - c['step']}, {c['share']:+.0%})" for c in steps)
        text.append(
            f"the loss at {loss['at']}, which predicts “{shown(loss['predicts'])}”, has its gradient mostly from\n"
        )
        text.append(f"  {named}\n")
        text.append("\n")
    return text


def bar(share: float) -> str:
    """A bar of eighths; nothing for what is under the range."""
    if not np.isfinite(share) or share < 0:
        return ""
    eighths = max(1, round(min(share, 1.0) * BAR * 8))
    return EIGHTHS[8] * (eighths // 8) + EIGHTHS[eighths % 8].strip()


def scientific(log10: float) -> str:
    """10^log10 with two digits, also where a float cannot hold it."""
    if not np.isfinite(log10):
        return "0"
    exponent = int(np.floor(log10))
    mantissa = 10 ** (log10 - exponent)
    if mantissa >= 9.95:
        mantissa, exponent = 1.0, exponent + 1
    return f"{mantissa:.1f}e{exponent:+03}"


def sparkline(values: np.ndarray, width: int = 40) -> str:
    """The values in so many columns, each their mean."""
    finite = np.where(np.isfinite(values), values, np.nan)
    parts = [part[np.isfinite(part)] for part in np.array_split(finite, min(width, len(finite)))]
    means = np.array([part.mean() if len(part) else np.nan for part in parts])
    low, high = np.nanmin(means), np.nanmax(means)
    scale = (means - low) / (high - low) if high > low else np.zeros(len(means))
    return "".join(" " if np.isnan(s) else LEVELS[min(7, int(s * 8))] for s in scale)


def _say_history(console: Console, label: str, history: History) -> None:
    found = history.as_dict()
    if found["gradient_norm_median"] is None:
        console.print(Text(f"{label}: training recorded no gradient norms"))
        return
    norms = f"median {found['gradient_norm_median']:.3g}, largest {found['gradient_norm_largest']:.3g}"
    clip = f"clip {history.clip:g}" if history.clip else "no clip"
    console.print(
        Text(
            f"{label}: the norm of the gradient over {history.steps:,} steps, {norms}\n"
            f"  {clip}, clipped in {found['clipped_share']:.1%} of the steps, skipped in {found['skipped_share']:.1%}, "
            f"{found['rescues']} rescues"
        )
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        console.print(Text(f"  {sparkline(np.log(history.gradient_norm))}  logarithmic"))
    if not history.watched:
        console.print(
            Text("  The lens was not watched in this run; elman train --watch-gradients N records it.", style="dim")
        )
        return
    first, last = (int(history.flow_step[k]) for k in (0, -1))
    console.print(Text(f"  the lens, {len(history.flow_step)} times from step {first:,} to {last:,}:"))
    for name, words in (("reach", "reach"), ("decay_rate", "decay per step"), ("spectral_radius", "spectral radius"),
                        ("sigma_max", "σ_max")):  # fmt: skip
        values = history.flow[name]
        console.print(Text(f"  {words:<16}{sparkline(values):<40}  {values[0]:.3g} → {values[-1]:.3g}"))
