"""The figures of docs/exploding-gradients.md, from networks that this script makes or trains.

    python benchmarks/gradient_figures.py --out docs/gradients [--only NAME …] [--run RUN --text TEXT]

With --run and --text, also the figures of a trained model: the heat map, and what truncation loses. Needs
elman[plots]. Prints the numbers that the page quotes.
"""

from __future__ import annotations

import argparse
import contextlib
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

import elman
from elman.checkpoint import RunFolder
from elman.config import TaskConfig
from elman.errors import DivergedError
from elman.gradient_flow import Flow, decompose, diagnose, norms_by_lag, truncation
from elman.gradient_flow.drawing import BLUE, GREY, PURPLE, VERMILION, heat_map
from elman.gradient_flow.jacobians import bound, jacobian_singular_values
from elman.gradient_flow.plots import styled
from elman.gradient_flow.view import Subject, View
from elman.model.bptt import backward
from elman.training.records import FlowRecord, RescueRecord, StepRecord, StopRecord
from elman.training.start import start_task

Doubles = NDArray[np.float64]
Make = Callable[[np.random.Generator, int], Doubles]
WIDE, DPI = 6.8, 200


def network(activation: str, W_h: Doubles, b_1: Doubles | float = 0.0, T: int = 60, small: float = 0.05) -> Flow:
    """The decomposition over T steps of two random token sequences; W_e is scaled by `small`."""
    generator, Dh = np.random.default_rng(0), len(W_h)
    p = elman.Parameters.initialise(12, 8, Dh, seed=0, activation=activation, dtype="float64")
    p.W_h[:] = W_h
    p.W_e *= small
    p.b_1[:] = b_1
    x, y = generator.integers(0, 12, (2, T, 2))
    return decompose(p, x, y)


def gaussian(Dh: int = 20) -> Doubles:
    return np.random.default_rng(1).standard_normal((Dh, Dh))


def orthogonal(Dh: int = 20) -> Doubles:
    return np.linalg.qr(gaussian(Dh))[0]


def of_radius(radius: float) -> Doubles:
    W_h = np.abs(gaussian())
    return np.asarray(W_h * (radius / np.abs(np.linalg.eigvals(W_h)).max()))


def of_sigma_max(sigma_max: float) -> Doubles:
    return gaussian() * (sigma_max / np.linalg.norm(gaussian(), 2))


def bounds() -> Figure:
    """Four networks of known behaviour: the mean norm of ∂J^(t)/∂h^(t-k) over the losses by lag, and its bound."""
    full = 60 * np.sign(np.random.default_rng(2).standard_normal(20))
    networks = (
        (r"sigmoid, $\sigma_{\max} = 3$", network("sigmoid", of_sigma_max(3))),
        (r"sigmoid, $\sigma_{\max} = 50$, saturated", network("sigmoid", of_sigma_max(50), full)),
        (r"tanh near 0, $W_h$ orthogonal", network("tanh", orthogonal())),
        (r"relu, all units active, spectral radius 1.2", network("relu", of_radius(1.2), 0.5)),
    )
    figure = Figure((WIDE, 4.2), dpi=DPI, layout="constrained")
    for axes, (title, flow) in zip(figure.subplots(2, 2).flat, networks, strict=True):
        diagnosis = diagnose(flow)
        norms, lags = mean_by_lag(flow), np.arange(flow.T)
        allowed = np.log10(bound(flow.trajectory.p.activation, diagnosis.numbers.sigma_max, 1)) * lags + norms[0]
        axes.plot(lags, norms, color=BLUE, label="norm")
        axes.plot(lags, allowed, color=VERMILION, ls="--", lw=0.8, label="bound")
        axes.set_title(f"{title}: {diagnosis.verdict}")
        low, high = min(norms.min(), norms[0] - 1), max(norms.max(), norms[0] + 1)
        axes.set_ylim(low - 0.05 * (high - low), high + 0.25 * (high - low))
        powers(axes)
        print(f"{title}: {diagnosis.text}")
    figure.axes[0].legend(loc="lower left")
    lag(figure)
    figure.supylabel(r"$\Vert\partial J^{(t)}/\partial h^{(t-k)}\Vert$, mean over $t$", fontsize=8)
    return figure


def two_numbers() -> Figure:
    """A W_h with a spectral radius below 1 and a largest singular value above 1: first growth, then decay."""
    Dh = 20
    W_h = np.triu(gaussian(Dh), 1) * 0.25 + 0.8 * np.eye(Dh)
    flow = network("tanh", W_h, T=300, small=1e-6)
    lags = list(range(0, 281, 4))
    values = jacobian_singular_values(flow.trajectory, lags=lags)[:, 0]
    sigma_max, radius = np.linalg.norm(W_h, 2), np.abs(np.linalg.eigvals(W_h)).max()
    figure = Figure((WIDE / 2, 2.6), dpi=DPI, layout="constrained")
    axes = figure.subplots()
    axes.plot(lags, values, color=BLUE, label=r"$\Vert\partial h^{(t)}/\partial h^{(t-k)}\Vert_2$")
    axes.plot(lags, np.log10(sigma_max) * np.array(lags), color=VERMILION, ls="--", lw=0.8,
              label=rf"$\sigma_{{\max}}^k$, $\sigma_{{\max}}$ = {sigma_max:.2f}")  # fmt: skip
    axes.plot(lags, np.log10(radius) * np.array(lags), color=PURPLE, ls=":", lw=1,
              label=rf"$\rho^k$, spectral radius $\rho$ = {radius:.2f}")  # fmt: skip
    top = values.max()
    axes.set_ylim(min(values.min(), np.log10(radius) * lags[-1]) - 0.5, top + 3)
    axes.legend(loc="lower left")
    powers(axes)
    lag(figure)
    at = lags[int(values.argmax())]
    print(f"two numbers: grows at most 10^{top:.1f} times, {at} steps back; σ_max {sigma_max:.2f}")
    return figure


def cliff() -> Figure:
    """One sigmoid unit over 50 steps: the last loss, and its derivative, against the recurrent weight w.

    h = σ(w h - 2.5) from h^(0) = 1/2. Above w = 4 there can be two stable states; at w = 5 h^(0) lies between them.
    """
    w, T = np.linspace(4.5, 5.5, 1001), 50
    x, y = np.zeros((T, 1), int), np.zeros((1, 1), int)
    J, derivative = np.empty(len(w)), np.empty(len(w))
    p = elman.Parameters.initialise(2, 1, 1, activation="sigmoid", dtype="float64")
    p.E[:], p.b_1[:], p.U[:], p.b_2[:] = 0.0, -2.5, [[4.0], [0.0]], [-2.0, 0.0]
    for k, each in enumerate(w):
        p.W_h[:] = each
        result = backward(p, x, y, np.array([[0.5]]), first=T - 1)
        J[k], derivative[k] = result.J, abs(result.gradients.W_h[0, 0])
    figure = Figure((WIDE, 2.4), dpi=DPI, layout="constrained")
    left, right = figure.subplots(1, 2)
    left.plot(w, J, color=BLUE)
    left.set(xlabel="recurrent weight $w$ of a network of one unit", ylabel=f"$J^{{({T})}}$, nats")
    right.plot(w, np.log10(derivative), color=VERMILION)
    right.set(xlabel="recurrent weight $w$", ylabel=rf"$|\partial J^{{({T})}}/\partial w|$")
    powers(right)
    at = int(derivative.argmax())
    print(f"cliff: derivative {derivative[at]:.3g} at w = {w[at]:.3f}; median {np.median(derivative):.3g}")
    return figure


def learning(settings: dict[str, Any], activation: str, steps: int, every: int = 1) -> list[Any]:
    """The records of a run on temporal order."""
    with tempfile.TemporaryDirectory() as folder:
        task = TaskConfig("temporal-order", 50, 100)
        shared = {"epochs": max(1, -(-steps // 1000)), "record_every": every, "schedule": "constant"}
        trainer = start_task(RunFolder(Path(folder) / "r"), task, {"activation": activation}, shared | settings)
        records: list[Any] = []
        with contextlib.suppress(DivergedError):
            for record in trainer.run():
                records.append(record)
                if getattr(record, "step", 0) >= steps and not isinstance(record, StopRecord):
                    trainer.stop()
        return records


def clipping() -> Figure:
    """SGD on temporal order from a W_h whose gradient explodes, without clipping and with the norm clipped at 1."""
    base = {"optimizer": "sgd", "lr": 0.01, "omega": 0.0, "init": "identity", "warmup": 0}
    cases = (("no clipping", {"clip": 0.0}, VERMILION), ("norm clipped at 1", {"clip": 1.0}, BLUE))
    figure = Figure((WIDE, 2.5), dpi=DPI, layout="constrained")
    left, right = figure.subplots(1, 2)
    for name, clip, colour in cases:
        records = learning(base | clip, "relu", 600)
        steps = [r for r in records if isinstance(r, StepRecord)]
        at = [r.step for r in steps]
        left.plot(at, log10([r.gradient_norm for r in steps]), color=colour, lw=0.7, label=name)
        right.plot(at, log10([r.nats_per_token for r in steps]), color=colour, lw=0.7, label=name)
        norms = [r.gradient_norm for r in steps]
        clipped, skipped = sum(r.clipped for r in steps), sum(r.skipped for r in steps)
        rescues = sum(isinstance(r, RescueRecord) for r in records)
        print(f"clipping, {name}: largest norm {np.nanmax(norms):.3g}, median {np.nanmedian(norms):.3g}; {clipped} "
              f"clipped, {skipped} skipped, {rescues} rescues, last loss {steps[-1].nats_per_token:.3g}")  # fmt: skip
    left.set(xlabel="training step", ylabel="norm of the gradient")
    right.set(xlabel="training step", ylabel="loss, nats")
    right.legend()
    for axes in (left, right):
        powers(axes)
    return figure


def starts() -> Figure:
    """The initial W_h and how far the gradient reaches: 100 units before training, 200 steps."""
    figure = Figure((WIDE, 2.6), dpi=DPI, layout="constrained")
    colours = {"orthogonal": BLUE, "identity": VERMILION, "normal": PURPLE, "sparse": GREY}
    for axes, activation in zip(figure.subplots(1, 3, sharey=True), ("tanh", "relu", "sigmoid"), strict=True):
        for init, colour in colours.items():
            p = elman.Parameters.initialise(12, 10, 100, activation=activation, init=init, seed=0, dtype="float64")
            x, y = np.random.default_rng(0).integers(0, 12, (2, 200, 4))
            flow = decompose(p, x, y)
            norms = mean_by_lag(flow)
            axes.plot(norms - norms[0], color=colour, label=init)
            print(f"start {activation} {init}: {diagnose(flow).numbers.decay_rate:.3f} a step")
        axes.set_title(activation)
        axes.set_ylim(-16, 3)
        powers(axes)
    figure.axes[0].legend(loc="lower left")
    lag(figure)
    figure.axes[0].set_ylabel(r"$\Vert\partial J/\partial h\Vert$ relative to lag 0")
    return figure


def omega() -> Figure:
    """The decay per step while sigmoid networks learn temporal order, with and without Ω."""
    figure = Figure((WIDE, 2.5), dpi=DPI, layout="constrained")
    left, right = figure.subplots(1, 2)
    for name, settings, colour in (
        ("clipping alone", {"omega": 0.0}, VERMILION),
        ("clipping and Ω, ratio", {"omega": 2.0, "omega_form": "ratio"}, PURPLE),
        ("clipping and Ω, squared", {"omega": 2.0, "omega_form": "squared"}, BLUE),
    ):
        records = learning({"init": "orthogonal", "watch_gradients": 50, **settings}, "sigmoid", 2000, every=20)
        flows = [r for r in records if isinstance(r, FlowRecord)]
        steps = [r for r in records if isinstance(r, StepRecord)]
        left.plot([r.step for r in flows], [r.decay_rate for r in flows], color=colour, label=name)
        far = [(r.log10_norms_by_lag[40] or -np.inf) - (r.log10_norms_by_lag[0] or 0.0) for r in flows]
        right.plot([r.step for r in flows], far, color=colour)
        print(f"omega, {name}: decay {flows[0].decay_rate:.3f} to {flows[-1].decay_rate:.3f}, "
              f"lag 40: 10^{far[0]:.1f} to 10^{far[-1]:.1f}, loss {steps[-1].nats_per_token:.3f}")  # fmt: skip
    left.axhline(1, color=GREY, ls=":", lw=1)
    left.set(xlabel="training step", ylabel="factor of the gradient per step back")
    right.set(xlabel="training step", ylabel="norm at lag 40 relative to lag 0")
    powers(right)
    left.legend()
    return figure


def trained(folder: str, text: str) -> dict[str, Figure]:
    """The heat map of the pairs (t, i) and what truncation would lose, for a run and a text."""
    lm = elman.load(folder)
    ids = np.asarray(lm.tokenizer.encode(Path(text).read_text()[:4000]), np.int64)[300:401]
    tokens = [lm.tokenizer.tokens[k] for k in ids]
    view = View.of(lm.p.astype("float64"), ids, tokens, Subject("", ""))
    pairs = Figure((WIDE / 2, 2.75), dpi=DPI, layout="constrained")
    heat_map(pairs, view, decades=12)
    taus = list(range(1, 41))
    rows = truncation(view.flow, taus)
    lost = Figure((WIDE, 2.2), dpi=DPI, layout="constrained")
    left, right = lost.subplots(1, 2)
    left.plot(taus, [100 * each.lost for each in rows], color=BLUE)
    left.set(xlabel=r"steps of backpropagation $\tau$", ylabel="relative error, %")
    right.plot(taus, [each.angle for each in rows], color=VERMILION)
    right.set(xlabel=r"steps of backpropagation $\tau$", ylabel="angle to the full gradient, °")
    for each in rows:
        if each.tau in (1, 2, 4, 8, 16, 32):
            print(f"truncation at {each.tau}: {each.lost:.2%} lost, {each.angle:.1f}°")
    print(f"trained: {view.diagnosis.text}")
    return {"pairs": pairs, "truncation": lost}


def mean_by_lag(flow: Flow) -> Doubles:
    """log10 of the mean of ‖∂J^(t)/∂h^(t-k)‖ over the losses t ≥ k, [T]."""
    result: Doubles = norms_by_lag(flow, "h") - np.log10(np.arange(flow.T, 0, -1))
    return result


def log10(values: list[float]) -> Doubles:
    with np.errstate(divide="ignore", invalid="ignore"):
        result: Doubles = np.log10(np.array(values, float))
    return result


def powers(axes: Axes) -> None:
    axes.yaxis.set_major_locator(MaxNLocator(6, integer=True, steps=[1, 2, 5, 10]))
    axes.yaxis.set_major_formatter(lambda value, _: f"$10^{{{value:g}}}$")
    axes.grid(axis="y", color="#e3e3e3", lw=0.4)


def lag(figure: Figure) -> None:
    figure.supxlabel("lag $k$, steps back", fontsize=8)


FIGURES: dict[str, Callable[[], Figure]] = {
    "bounds": bounds, "two-numbers": two_numbers, "cliff": cliff, "clipping": clipping, "starts": starts,
    "omega": omega,
}  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--only", nargs="+", choices=FIGURES)
    parser.add_argument("--run")
    parser.add_argument("--text")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    with styled():
        figures = {name: FIGURES[name]() for name in options.only or FIGURES}
        if options.run and options.text:
            figures |= trained(options.run, options.text)
        for name, figure in figures.items():
            figure.savefig(options.out / f"{name}.png", metadata={"Software": None})
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
