"""The diagnosis: whether the gradient vanishes or explodes, why, and what to try, in one or two sentences."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

import numpy as np

from elman.gradient_flow.decomposition import Flow
from elman.gradient_flow.jacobians import bound, largest_singular_value, saturation, spectral_radius
from elman.gradient_flow.reach import cancellation, decay_rate, reach
from elman.gradient_flow.trajectory import LARGEST_SLOPE, Doubles
from elman.notebook_html import block, table
from elman.representation import short_repr

FADES = 10 ** (-1 / 20)
"""A gradient that shrinks to a tenth within 20 steps vanishes: it carries nothing from a sentence back."""
GROWS = 10 ** (1 / 20)
"""A gradient that grows tenfold within 20 steps explodes."""
FLAT = {"sigmoid": 0.5, "tanh": 0.5, "relu": 0.9}
"""Saturated: at least this share of the units has σ' under a tenth of its largest value. For relu a half is normal."""
DOMINANT = 0.5
"""Dominated: one loss, or one step, makes up more than this share of all contributions' norms."""
ROUNDING = 1 + 1e-4
"""A bound of one step up to this allows no growth: an orthogonal W_h has σ_max = 1 up to rounding."""
FEWEST_STEPS = 8
"""With fewer steps, one of them often makes up half, and that is no finding."""


@dataclass(frozen=True)
class DiagnosisNumbers:
    """The numbers behind the diagnosis.

    decay_rate       the factor of ‖∂J^(t)/∂h^(i)‖ for each step back
    reach            the smallest lag within which 95 % of the norms of the contributions to ∂J/∂W_h lie
    sigma_max        the largest singular value of W_h
    spectral_radius  the largest |eigenvalue| of W_h
    one_step_bound   the most by which one step back can stretch the gradient
    mean_slope       the mean of σ'
    flat             the share of units with σ' under a tenth of its largest value
    cancellation     Σ‖contribution‖ / ‖Σ contribution‖
    largest_loss     (share, t): the loss with the largest share of all norms
    largest_step     (share, i): the step with the largest share of all norms
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

    __repr__ = short_repr


@dataclass(frozen=True)
class Diagnosis:
    """findings: those of vanishing, exploding, saturated, dominated that apply, the most serious first."""

    findings: tuple[str, ...]
    text: str
    numbers: DiagnosisNumbers

    @property
    def verdict(self) -> str:
        """The most serious finding, or `healthy`."""
        return self.findings[0] if self.findings else "healthy"

    __repr__ = short_repr

    def __str__(self) -> str:
        return self.text

    def _repr_html_(self) -> str:
        """For notebooks: the text, and the numbers behind it."""
        n = self.numbers
        rows = [
            ("decay per step back", n.decay_rate),
            ("reach, in steps", n.reach),
            ("largest singular value of W_h", n.sigma_max),
            ("spectral radius of W_h", n.spectral_radius),
            ("mean σ'", n.mean_slope),
            ("saturated units", f"{n.flat:.0%}"),
            ("cancellation", n.cancellation),
        ]
        return block("Gradient flow: " + self.verdict, f"<p>{escape(self.text)}</p>", table(rows))


def diagnose(flow: Flow) -> Diagnosis:
    """The findings, their cause and a treatment to try. Needs about ten time steps; more make it more reliable."""
    trajectory = flow.trajectory
    W_h, activation = trajectory.p.W_h, trajectory.p.activation
    sigma_max, saturated = largest_singular_value(W_h), saturation(trajectory)
    numbers = DiagnosisNumbers(
        decay_rate=decay_rate(flow),
        reach=reach(flow),
        sigma_max=sigma_max,
        spectral_radius=spectral_radius(W_h),
        one_step_bound=float(bound(activation, sigma_max, 1)),
        mean_slope=saturated.mean,
        flat=saturated.flat,
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
            ("saturated", numbers.flat >= FLAT[activation]),
            ("dominated", long_enough and dominated),
        )
        if found
    )
    sentences = [_SENTENCE[name](numbers, activation) for name in findings]
    if not findings:
        sentences = [_healthy(numbers)]
    return Diagnosis(findings, " ".join(sentences), numbers)


def _largest(log10_norms: Doubles) -> tuple[float, int]:
    """(share, row): the row with the largest share of the sum of all norms."""
    top = log10_norms.max()
    if np.isneginf(top):
        return 0.0, 0
    rows = (10 ** (log10_norms - top)).sum(axis=1)
    return float(rows.max() / rows.sum()), int(rows.argmax())


def _vanishing(n: DiagnosisNumbers, activation: str) -> str:
    saturated = n.flat >= FLAT[activation]
    cure = (
        "Start W_h as the identity (IRNN), or use tanh."
        if activation == "relu"
        else "Start W_h orthogonal, with tanh, or add the regulariser Ω, which keeps the norm up on the way back."
    )
    if n.decay_rate == 0:
        return "Vanishing: no gradient flows back over even one time step."
    if saturated and n.one_step_bound > ROUNDING:
        why = f"though σ_max(W_h) = {n.sigma_max:.3g} would allow growth, because the units are saturated"
    elif n.one_step_bound > ROUNDING:
        why = f"at a mean σ' of {n.mean_slope:.2g}, though σ_max(W_h) = {n.sigma_max:.3g} would allow growth"
    else:
        limit = 1 / LARGEST_SLOPE[activation]
        why = f"and cannot grow, since σ_max(W_h) = {n.sigma_max:.3g} is not over {limit:g}"
    steps = np.log(10) / -np.log(n.decay_rate)
    left = f"a tenth is left after {steps:.0f}" if steps >= 1.5 else "one step takes nearly all of it"
    within = f"within {n.reach} steps" if n.reach else "within the step of the loss itself"
    text = (
        f"Vanishing: the gradient is multiplied by {n.decay_rate:.3g} for each step back ({left}), {why}; "
        f"95 % of it lies {within}."
    )
    return text if saturated else f"{text} {cure}"  # the sentence on saturation gives the cure


def _exploding(n: DiagnosisNumbers, activation: str) -> str:
    return (
        f"Exploding: the gradient is multiplied by {n.decay_rate:.3g} for each step back "
        f"(spectral radius of W_h {n.spectral_radius:.3g}, σ_max {n.sigma_max:.3g}). "
        "Clip the norm of the gradient, scale W_h down or start it orthogonal, and truncate earlier."
    )


def _saturated(n: DiagnosisNumbers, activation: str) -> str:
    cause = "are at 0" if activation == "relu" else "are saturated"
    cure = (
        "Raise b_1, or use tanh, and lower the learning rate."
        if activation == "relu"
        else "Make W_h, W_e and b_1 smaller (or restart from an orthogonal W_h) and lower the learning rate."
    )
    return (
        f"Saturated: {n.flat:.0%} of the units {cause}, with σ' under a tenth of its largest value "
        f"(mean σ' {n.mean_slope:.2g} of at most {LARGEST_SLOPE[activation]:g}). {cure}"
    )


def _dominated(n: DiagnosisNumbers, activation: str) -> str:
    by_loss = n.largest_loss[0] >= n.largest_step[0]
    (share, at), what = (n.largest_loss, "the loss at") if by_loss else (n.largest_step, "the input at")
    return (
        f"Dominated by a single step: {what} time step {at} (from 0) makes up {share:.0%} of the norms of ∂J/∂W_h. "
        "Clip the norm of the gradient, use larger batches, and inspect that token."
    )


def _healthy(n: DiagnosisNumbers) -> str:
    return (
        f"Healthy: the gradient is multiplied by {n.decay_rate:.3g} for each step back, 95 % of it lies within "
        f"{n.reach} steps, {n.flat:.0%} of the units are saturated; no treatment is needed."
    )


_SENTENCE = {"vanishing": _vanishing, "exploding": _exploding, "saturated": _saturated, "dominated": _dominated}
