"""The diagnosis: whether the gradient vanishes or explodes, why, and what is left to try, in a few sentences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

from elman.config import RunConfig
from elman.gradient_flow.advice import LONGEST_REACH, USUAL_REACH, Treatment, is_usual, treatments
from elman.gradient_flow.decomposition import Flow
from elman.gradient_flow.jacobians import bound, largest_singular_value, saturation, spectral_radius
from elman.gradient_flow.reach import cancellation, decay_rate, reach
from elman.gradient_flow.trajectory import LARGEST_SLOPE, Doubles
from elman.notebook_html import block, in_wanted_language, label, table
from elman.representation import short_repr
from elman.translation import joined, translate

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
    one_step_bound   the most by which one step back can stretch the gradient; of a layer in a stack, the largest of its
                     own and of those of the layers above, since the gradient goes back through all of them
    mean_slope       the mean of σ'
    flat             the share of units with σ' under a tenth of its largest value
    cancellation     Σ‖contribution‖ / ‖Σ contribution‖
    largest_loss     (share, t): the loss with the largest share of all norms
    largest_step     (share, i): the step with the largest share of all norms
    layers_above     how many layers of the stack are above this one
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
    layers_above: int = 0

    __repr__ = short_repr


@dataclass(frozen=True)
class Diagnosis:
    """What is found, in words and numbers.

    findings    those of vanishing, exploding, saturated, dominated that apply, the most serious first
    sentences   what is found and why, and what to do; `text`: all of them
    treatments  what the run has not done yet, where its configuration is known
    """

    findings: tuple[str, ...]
    sentences: tuple[str, ...]
    numbers: DiagnosisNumbers
    treatments: tuple[Treatment, ...] = ()

    @property
    def text(self) -> str:
        """The sentences one after the other."""
        return " ".join(self.sentences)

    @property
    def verdict(self) -> str:
        """The most serious finding, or `healthy`."""
        return self.findings[0] if self.findings else "healthy"

    __repr__ = short_repr

    def __str__(self) -> str:
        return self.text

    @in_wanted_language
    def _repr_html_(self) -> str:
        """For notebooks: the text, and the numbers behind it."""
        n = self.numbers
        rows = [
            (label("decay per step back"), n.decay_rate),
            (label("reach, in steps"), n.reach),
            (label("largest singular value of W_h"), n.sigma_max),
            (label("spectral radius of W_h"), n.spectral_radius),
            (label("mean σ'"), n.mean_slope),
            (label("saturated units"), f"{n.flat:.0%}"),
            (label("cancellation"), n.cancellation),
        ]
        found = joined(map(translate, self.sentences), " ")
        title = joined((label("Gradient flow"), label(self.verdict)), ": ")
        return block(title, f"<p>{escape(found)}</p>", table(rows))


def diagnose(flow: Flow, config: RunConfig | None = None, trained: bool = True) -> Diagnosis:
    """The findings, their cause, and what is left to try. Needs about ten time steps; more make it more reliable.

    config: of the run, whose treatments are then known; trained: whether the weights are those of training, not of the
    start. A gradient that fades as it does in every network of a text is no finding then (`advice.is_usual`).
    """
    trajectory = flow.trajectory
    W_h, activation = trajectory.weights.W_h, trajectory.p.activation
    above = [largest_singular_value(layer.W_h) for layer in trajectory.p.layers[trajectory.number + 1 :]]
    sigma_max, saturated = largest_singular_value(W_h), saturation(trajectory)
    numbers = DiagnosisNumbers(
        decay_rate=decay_rate(flow),
        reach=reach(flow),
        sigma_max=sigma_max,
        spectral_radius=spectral_radius(W_h),
        one_step_bound=float(bound(activation, max([sigma_max, *above]), 1)),
        mean_slope=saturated.mean,
        flat=saturated.flat,
        cancellation=cancellation(flow),
        largest_loss=_largest(flow.log10_norms("W_h")),
        largest_step=_largest(flow.log10_norms("W_h").T),
        layers_above=len(above),
    )
    rate = numbers.decay_rate
    long_enough = flow.T >= FEWEST_STEPS
    dominated = max(numbers.largest_loss[0], numbers.largest_step[0]) > DOMINANT
    saturates = numbers.flat >= FLAT[activation]
    usual = rate <= GROWS and is_usual(numbers.reach, config)
    findings = tuple(
        name
        for name, found in (
            ("vanishing", rate < FADES and not usual),
            ("exploding", rate > GROWS),
            ("saturated", saturates and not usual),
            ("dominated", long_enough and dominated),
        )
        if found
    )
    sentences = [_SENTENCE[name](numbers, activation) for name in findings]
    if not findings:
        sentences = _usual(numbers, saturates) if rate < FADES else [_healthy(numbers)]
    left: tuple[Treatment, ...] = ()
    if findings and config is not None:
        each = [treatment for name in findings for treatment in treatments(name, config, trained)]
        left = tuple({treatment.flags: treatment for treatment in each}.values())
        sentences += _left(left, config)
    elif findings:
        sentences += [_GENERAL[name] for name in findings]
    return Diagnosis(findings, tuple(sentences), numbers, left)


def _largest(log10_norms: Doubles) -> tuple[float, int]:
    """(share, row): the row with the largest share of the sum of all norms."""
    top = log10_norms.max()
    if np.isneginf(top):
        return 0.0, 0
    rows = (10 ** (log10_norms - top)).sum(axis=1)
    return float(rows.max() / rows.sum()), int(rows.argmax())


def _vanishing(n: DiagnosisNumbers, activation: str) -> str:
    saturated = n.flat >= FLAT[activation]
    own = LARGEST_SLOPE[activation] * n.sigma_max
    growth = (
        f"σ_max(W_h) = {n.sigma_max:.3g} would allow growth" if own > ROUNDING else "a layer above would allow growth"
    )
    if n.decay_rate == 0:
        return "Vanishing: no gradient flows back over even one time step."
    if saturated and n.one_step_bound > ROUNDING:
        why = f"though {growth}, because the units are saturated"
    elif n.one_step_bound > ROUNDING:
        why = f"at a mean σ' of {n.mean_slope:.2g}, though {growth}"
    else:
        limit = 1 / LARGEST_SLOPE[activation]
        why = f"and cannot grow, since σ_max(W_h) = {n.sigma_max:.3g} is not over {limit:g}"
        if n.layers_above:  # a sum over paths may grow for a while, though no path does
            why = f"and cannot go on growing, since σ_max(W_h) of this layer and those above is not over {limit:g}"
    steps = np.log(10) / -np.log(n.decay_rate)
    left = f"a tenth is left after {steps:.0f}" if steps >= 1.5 else "one step takes nearly all of it"
    within = f"within {n.reach} steps" if n.reach else "within the step of the loss itself"
    return (
        f"Vanishing: the gradient is multiplied by {n.decay_rate:.3g} for each step back ({left}), {why}; "
        f"95 % of it lies {within}."
    )


def _exploding(n: DiagnosisNumbers, activation: str) -> str:
    return (
        f"Exploding: the gradient is multiplied by {n.decay_rate:.3g} for each step back "
        f"(spectral radius of W_h {n.spectral_radius:.3g}, σ_max {n.sigma_max:.3g})."
    )


def _saturated(n: DiagnosisNumbers, activation: str) -> str:
    cause = "are at 0" if activation == "relu" else "are saturated"
    return (
        f"Saturated: {n.flat:.0%} of the units {cause}, with σ' under a tenth of its largest value "
        f"(mean σ' {n.mean_slope:.2g} of at most {LARGEST_SLOPE[activation]:g})."
    )


def _dominated(n: DiagnosisNumbers, activation: str) -> str:
    by_loss = n.largest_loss[0] >= n.largest_step[0]
    (share, at), what = (n.largest_loss, "the loss at") if by_loss else (n.largest_step, "the input at")
    return (
        f"Dominated by a single step: {what} time step {at} (from 0) makes up {share:.0%} of the norms of ∂J/∂W_h: "
        "look at that token."
    )


def _usual(n: DiagnosisNumbers, saturates: bool) -> list[str]:
    usual = n.reach <= LONGEST_REACH
    how = "Usual" if usual else "Longer than usual"
    measured = f"the networks that were measured have {USUAL_REACH} to {LONGEST_REACH}"
    measured += ", whatever was done against it" if usual else ""
    found = (
        f"{how} for a text: the gradient is multiplied by {n.decay_rate:.3g} for each step back, and 95 % of it lies "
        f"within {n.reach} steps; {measured}."
    )
    saturated = f"{n.flat:.0%} of the units are saturated, and it reaches as far all the same."
    return [found, *([saturated] if saturates else []), "No treatment is needed."]


def _left(left: Sequence[Treatment], config: RunConfig) -> list[str]:
    """What a run has not done yet, and what it does already."""
    nothing = "Of what was measured against it, nothing is left to try."
    found = [f"Not done yet: {'; '.join(map(str, left))}." if left else nothing]
    if config.training.clip:
        found.append(f"The norm is clipped at {config.training.clip:g} already.")
    return found


def _healthy(n: DiagnosisNumbers) -> str:
    return (
        f"Healthy: the gradient is multiplied by {n.decay_rate:.3g} for each step back, 95 % of it lies within "
        f"{n.reach} steps, {n.flat:.0%} of the units are saturated; no treatment is needed."
    )


_SENTENCE = {"vanishing": _vanishing, "exploding": _exploding, "saturated": _saturated, "dominated": _dominated}

_GENERAL = {
    "vanishing": "What was measured against it is in docs/exploding-gradients.md, sections 6 to 8.",
    "exploding": "Clip the norm of the gradient, lower the learning rate, and truncate earlier.",
    "saturated": "Lower the learning rate, or begin with smaller weights.",
    "dominated": "Clip the norm of the gradient, or use larger batches.",
}
"""For a network whose training is not known."""
