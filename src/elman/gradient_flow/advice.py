"""What is left to try against a finding, for a run whose configuration is known, and what was measured of it.

Every figure is one of docs/exploding-gradients.md, sections 7 and 8; what was not measured says so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from elman.config import RunConfig, TrainingConfig

USUAL_REACH, LONGEST_REACH = 3, 12
"""The reaches of the networks on texts that were measured, from the shortest to the longest."""
NOT_MEASURED = "its effect was not measured"
ON_CHARACTERS = "characters of Tiny Shakespeare"


@dataclass(frozen=True)
class Treatment:
    """Something that a run has not done yet. flags: of `elman train`; measured: what the documentation says of it."""

    flags: str
    measured: str

    def __str__(self) -> str:
        return f"{self.flags} ({self.measured})"


CLIP = Treatment("--clip 1", "temporal order was learnt in 2,000 steps instead of 6,000")


def treatments(finding: str, config: RunConfig, trained: bool) -> tuple[Treatment, ...]:
    """What this run has not done yet against a finding, the most effective first; empty where nothing is left.

    trained: whether the weights are those of training, not of the start. What a run of its kind cannot do is left out:
    Ω is of one layer, flossing of sigmoid and tanh.
    """
    return tuple(_OF_FINDING[finding](config, trained))


def is_usual(reach: int, config: RunConfig | None) -> bool:
    """Whether a gradient that vanishes with this reach is what a network of a text has, and no treatment changes."""
    return config is not None and config.task is None and reach >= USUAL_REACH


def _clips(config: RunConfig) -> bool:
    training = config.training
    return any((training.clip, training.clip_adaptive, training.clip_elements))


def _vanishing(config: RunConfig, trained: bool) -> Iterator[Treatment]:
    model, training = config.model, config.training
    if training.clip_errors:
        yield Treatment(
            "no --clip-errors", f"at 0.1 it cost 0.3 to 0.45 bits on {ON_CHARACTERS}, and a reach of 5 fell to 3"
        )
    if model.activation == "relu" and training.init != "identity":
        yield Treatment(
            "--init identity",
            "on temporal order all is left 100 steps back, and 5 of 5 seeds learnt it; from --init normal none did "
            "without treatment",
        )
    if config.task is not None:
        yield from _vanishing_on_a_task(config)
    elif model.activation == "sigmoid":
        if config.text.level in ("char", "byte"):
            yield Treatment(
                "--activation tanh", f"a reach of 8 instead of 5, and 2.485 instead of 2.547 bits, on {ON_CHARACTERS}"
            )
        if not training.omega and model.layers == 1:
            yield Treatment("--omega 0.1", f"0.57 per step instead of 0.55, and the same bits, on {ON_CHARACTERS}")
    if config.task is None and model.activation != "relu" and training.init == "identity":
        yield Treatment("--init orthogonal", f"the identity cost 0.03 to 0.04 bits on {ON_CHARACTERS}")


def _vanishing_on_a_task(config: RunConfig) -> Iterator[Treatment]:
    model, training = config.model, config.training
    if model.activation != "relu":
        yield Treatment(
            "--activation relu --init identity", "5 of 5 seeds learnt temporal order; with sigmoid or tanh none did"
        )
    if not training.clip:
        yield CLIP
    if not training.omega and model.layers == 1 and model.activation == "relu" and training.init != "identity":
        yield Treatment(
            "--omega 2 --omega-form squared", "with --clip 1, 2 of 5 seeds learnt temporal order instead of none"
        )


def _exploding(config: RunConfig, trained: bool) -> Iterator[Treatment]:
    training = config.training
    if not _clips(config):
        yield CLIP
    if not trained and training.spectral_radius is None:
        yield Treatment("--spectral-radius 1", NOT_MEASURED)
    if trained:
        yield Treatment(f"--lr below {training.lr:g}", NOT_MEASURED)
    if config.task is None and training.T > 8:
        yield Treatment("--bptt 8", f"nothing was lost against 32 on {ON_CHARACTERS}")


def _saturated(config: RunConfig, trained: bool) -> Iterator[Treatment]:
    training = config.training
    if not trained:
        yield Treatment(f"--init-scale below {training.init_scale:g}", NOT_MEASURED)
    elif training.optimizer == "adam" and training.lr > TrainingConfig.lr:
        yield Treatment(f"--lr {TrainingConfig.lr:g}", "the default, whose effect on saturation was not measured")


def _dominated(config: RunConfig, trained: bool) -> Iterator[Treatment]:
    if not _clips(config):
        yield Treatment("--clip 1", f"2.455 instead of 2.485 bits with tanh, nothing with sigmoid, on {ON_CHARACTERS}")
    yield Treatment(f"--batch-size over {config.training.B}", NOT_MEASURED)


_OF_FINDING: dict[str, Callable[[RunConfig, bool], Iterator[Treatment]]] = {
    "vanishing": _vanishing, "exploding": _exploding, "saturated": _saturated, "dominated": _dominated
}  # fmt: skip
