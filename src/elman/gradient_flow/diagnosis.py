"""What a decomposition shows, in a sentence or two that a person can act on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from elman.gradient_flow.decomposition import Flow
from elman.gradient_flow.jacobians import bound, largest_singular_value, saturation, spectral_radius
from elman.gradient_flow.reach import cancellation, decay_rate, reach
from elman.gradient_flow.trajectory import LARGEST_SLOPE, Doubles

FADES = 10 ** (-1 / 20)
"""A gradient that loses nine tenths within 20 steps vanishes: it learns nothing of what lies a sentence back."""
GROWS = 10 ** (1 / 20)
"""A gradient that becomes ten times as long within 20 steps explodes."""
FLAT = {"sigmoid": 0.5, "tanh": 0.5, "relu": 0.9}
"""Saturated: at least so many units have less than a tenth of the slope they could have; of relu half do by nature."""
DOMINANT = 0.5
"""One loss, or one step, that holds this much of all contributions' norms is the gradient."""
ROUNDING = 1 + 1e-4
"""A bound on one step under this allows no growth: an orthogonal W_h has σ_max = 1 but for rounding."""
FEWEST_STEPS = 8
"""With fewer steps one of them may well hold half."""


@dataclass(frozen=True)
class Numbers:
    """What the diagnosis rests on.

    decay_rate: the factor of ‖∂J^(t)/∂h^(i)‖ for each step back · reach: the lag that 95 % of ∂J/∂W_h lies within ·
    sigma_max: the largest singular value of W_h · spectral_radius: its largest |eigenvalue| · one_step_bound:
    the most by which one step back can stretch · mean_slope: of σ' · flat: share of units with under a tenth of
    the largest σ' · cancellation: Σ‖·‖/‖Σ‖ · largest_loss, largest_step: the share of the norms that the
    largest loss t, the largest step i holds, and which they are
    """

    decay_rate: float
    reach: int
    sigma_max: float
    spectral_radius: float
    one_step_bound: float
    mean_slope: float
    flat: float
    cancellation: float
    largest_loss: tuple[float, int]
    largest_step: tuple[float, int]


@dataclass(frozen=True)
class Diagnosis:
    """findings: of vanishing, exploding, saturated, dominated; the gravest first; none for a healthy network."""

    findings: tuple[str, ...]
    text: str
    numbers: Numbers

    @property
    def verdict(self) -> str:
        """The gravest finding, or healthy."""
        return self.findings[0] if self.findings else "healthy"

    def __str__(self) -> str:
        return self.text


def diagnose(flow: Flow) -> Diagnosis:
    """The findings, why, and the treatment to try. From about ten time steps on; more tell more."""
    way = flow.trajectory
    sigma_max, slopes = largest_singular_value(way.p.W_h), saturation(way)
    numbers = Numbers(
        decay_rate=decay_rate(flow),
        reach=reach(flow),
        sigma_max=sigma_max,
        spectral_radius=spectral_radius(way.p.W_h),
        one_step_bound=float(bound(way.p.activation, sigma_max, 1)),
        mean_slope=slopes.mean,
        flat=slopes.flat,
        cancellation=cancellation(flow),
        largest_loss=_largest(flow.log10_norms("W_h")),
        largest_step=_largest(flow.log10_norms("W_h").T),
    )
    rate = numbers.decay_rate
    long_enough = flow.T >= FEWEST_STEPS
    dominated = max(numbers.largest_loss[0], numbers.largest_step[0]) > DOMINANT
    findings = tuple(
        name
        for name, found in (
            ("vanishing", rate < FADES),
            ("exploding", rate > GROWS),
            ("saturated", numbers.flat >= FLAT[way.p.activation]),
            ("dominated", long_enough and dominated),
        )
        if found
    )
    sentences = [_SENTENCE[name](numbers, way.p.activation) for name in findings]
    if not findings:
        sentences = [_healthy(numbers)]
    return Diagnosis(findings, " ".join(sentences), numbers)


def _largest(log10_norms: Doubles) -> tuple[float, int]:
    """The share of all norms that the largest row holds, and which row that is."""
    top = log10_norms.max()
    if np.isneginf(top):
        return 0.0, 0
    rows = (10 ** (log10_norms - top)).sum(axis=1)
    return float(rows.max() / rows.sum()), int(rows.argmax())


def _vanishing(n: Numbers, activation: str) -> str:
    saturated = n.flat >= FLAT[activation]
    cure = (
        "Start W_h as the identity (IRNN), or use tanh."
        if activation == "relu"
        else "Start W_h orthogonal, with tanh, or add the regulariser Ω, which holds the norm up on its way back."
    )
    if n.decay_rate == 0:
        return "Vanishing: no gradient at all comes back over a time step."
    if saturated and n.one_step_bound > ROUNDING:
        why = f"though σ_max(W_h) = {n.sigma_max:.3g} would allow growth, because the units are saturated"
    elif n.one_step_bound > ROUNDING:
        why = f"at a mean σ' of {n.mean_slope:.2g}, though σ_max(W_h) = {n.sigma_max:.3g} would allow growth"
    else:
        limit = 1 / LARGEST_SLOPE[activation]
        why = f"and cannot grow, since σ_max(W_h) = {n.sigma_max:.3g} is not over {limit:g}"
    steps = np.log(10) / -np.log(n.decay_rate)
    left = f"a tenth is left after {steps:.0f}" if steps >= 1.5 else "one step takes nearly all of it"
    within = f"within {n.reach} steps" if n.reach else "in the step of the loss itself"
    text = (
        f"Vanishing: the gradient is multiplied by {n.decay_rate:.3g} for each step back ({left}), {why}; "
        f"95 % of it lies {within}."
    )
    return text if saturated else f"{text} {cure}"  # the sentence on saturation has the cure


def _exploding(n: Numbers, activation: str) -> str:
    return (
        f"Exploding: the gradient is multiplied by {n.decay_rate:.3g} for each step back "
        f"(spectral radius of W_h {n.spectral_radius:.3g}, σ_max {n.sigma_max:.3g}). "
        "Clip the norm of the gradient, scale W_h down or start it orthogonal, and truncate earlier."
    )


def _saturated(n: Numbers, activation: str) -> str:
    cause = "stand at 0" if activation == "relu" else "are saturated"
    cure = (
        "Raise b_1, or use tanh, and lower the learning rate."
        if activation == "relu"
        else "Make W_h, W_e and b_1 smaller (or start again from an orthogonal W_h) and lower the learning rate."
    )
    return (
        f"Saturated: {n.flat:.0%} of the units {cause}, with σ' under a tenth of its largest value "
        f"(mean σ' {n.mean_slope:.2g} of at most {LARGEST_SLOPE[activation]:g}). {cure}"
    )


def _dominated(n: Numbers, activation: str) -> str:
    by_loss = n.largest_loss[0] >= n.largest_step[0]
    (share, at), what = (n.largest_loss, "the loss at") if by_loss else (n.largest_step, "what enters at")
    return (
        f"Dominated by a single step: {what} time step {at} (from 0) makes {share:.0%} of the gradient of W_h. "
        "Clip the norm of the gradient, take larger batches, and look at that token."
    )


def _healthy(n: Numbers) -> str:
    return (
        f"Healthy: the gradient is multiplied by {n.decay_rate:.3g} for each step back, 95 % of it lies within "
        f"{n.reach} steps, {n.flat:.0%} of the units are saturated; nothing to treat."
    )


_SENTENCE = {"vanishing": _vanishing, "exploding": _exploding, "saturated": _saturated, "dominated": _dominated}
