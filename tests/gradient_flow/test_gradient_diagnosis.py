"""The diagnosis of made-up networks of known behaviour."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from networks import problem

import elman
from elman.config import ModelConfig, RunConfig, TaskConfig, TextConfig, TrainingConfig
from elman.gradient_flow import (
    Flow,
    cancellation,
    decompose,
    diagnose,
    jacobian_singular_values,
    lyapunov_spectrum,
    reach,
    truncation,
)
from elman.gradient_flow.advice import treatments

SEEDS = range(100)


def network(seed: int, activation: str, make: Callable[[np.random.Generator, int], np.ndarray], b_1: float = 0) -> Flow:
    """A network of 20 units over 40 steps of two sequences, small inputs."""
    generator = np.random.default_rng(seed)
    p = elman.Parameters.initialise(12, 8, 20, seed=seed, activation=activation, dtype="float64")
    p.W_h[:] = make(generator, 20)
    p.W_e *= 0.05
    p.b_1[:] = b_1
    if activation != "relu":
        p.b_1 *= np.sign(generator.standard_normal(20))
    x, y = generator.integers(0, 12, (2, 40, 2))
    return decompose(p, x, y)


def of_sigma_max(sigma_max: float) -> Callable[[np.random.Generator, int], np.ndarray]:
    def make(generator: np.random.Generator, n: int) -> np.ndarray:
        W_h = generator.standard_normal((n, n))
        return W_h * (sigma_max / np.linalg.norm(W_h, 2))

    return make


def of_spectral_radius(radius: float) -> Callable[[np.random.Generator, int], np.ndarray]:
    """Entries at least 0: with positive states no unit is ever at 0, and relu is linear."""

    def make(generator: np.random.Generator, n: int) -> np.ndarray:
        W_h = generator.random((n, n))
        return W_h * (radius / np.abs(np.linalg.eigvals(W_h)).max())

    return make


def orthogonal(generator: np.random.Generator, n: int) -> np.ndarray:
    return np.linalg.qr(generator.standard_normal((n, n)))[0]


@pytest.mark.parametrize("seed", SEEDS)
def test_made_up_networks_get_the_right_diagnosis(seed: int) -> None:
    small = diagnose(network(seed, "sigmoid", of_sigma_max(3)))
    assert small.findings == ("vanishing",)
    assert small.numbers.sigma_max == pytest.approx(3)
    assert small.numbers.decay_rate < 0.75  # the bound
    assert "cannot grow, since σ_max(W_h) = 3 is not over 4" in small.text

    linear = diagnose(network(seed, "relu", of_spectral_radius(1.2), b_1=0.5))
    assert linear.verdict == "exploding"
    assert linear.numbers.spectral_radius == pytest.approx(1.2)
    assert linear.numbers.decay_rate == pytest.approx(1.2, rel=0.02)

    full = diagnose(network(seed, "sigmoid", of_sigma_max(50), b_1=250))
    assert full.findings[:2] == ("vanishing", "saturated")
    assert full.numbers.sigma_max == pytest.approx(50)
    assert "though σ_max(W_h) = 50 would allow growth" in full.text

    near_0 = diagnose(network(seed, "tanh", orthogonal))
    assert near_0.findings == ()
    assert near_0.verdict == "healthy"
    assert near_0.numbers.decay_rate == pytest.approx(1, abs=0.05)


def test_a_loss_that_dominates_the_gradient_is_named() -> None:
    """A network that is right with certainty, and at step 20 wrong with certainty."""
    p = elman.Parameters.initialise(12, 8, 20, seed=0, activation="tanh", dtype="float64")
    p.b_2[3] = 12
    y = np.full((40, 1), 3)
    y[20] = 5
    found = diagnose(decompose(p, np.random.default_rng(0).integers(0, 12, (40, 1)), y))
    assert found.findings == ("dominated",)
    assert found.numbers.largest_loss[1] == 20
    assert "the loss at time step 20" in str(found)


def test_a_dead_relu_network_is_diagnosed() -> None:
    p, x, y, h_0 = problem(activation="relu")
    p.b_1[:] = -100
    flow = decompose(p, x, y, h_0)
    found = diagnose(flow)
    assert found.findings[:2] == ("vanishing", "saturated")
    assert found.numbers.decay_rate == 0
    assert (reach(flow), cancellation(flow), truncation(flow)[0].norm) == (0, 1, 1)
    assert np.isneginf(jacobian_singular_values(flow.trajectory, lags=[2])).all()
    assert not np.isnan(lyapunov_spectrum(flow.trajectory)).any()


FINDINGS = ("vanishing", "exploding", "saturated", "dominated")


def run(
    level: str = "char", activation: str = "sigmoid", layers: int = 1, task: bool = False, **training: Any
) -> RunConfig:
    return RunConfig(
        TextConfig(level=level), ModelConfig(V=9, d=4, Dh=4, activation=activation, layers=layers),  # type: ignore[arg-type]
        TrainingConfig(**training), task=TaskConfig("temporal-order", 50, 200) if task else None,
    )  # fmt: skip


def flags(finding: str, config: RunConfig, trained: bool = True) -> list[str]:
    return [each.flags for each in treatments(finding, config, trained)]


def test_only_what_is_not_done_yet_is_named() -> None:
    assert flags("vanishing", run()) == ["--activation tanh", "--omega 0.1"]
    assert flags("vanishing", run("word")) == ["--omega 0.1"]  # tanh made words worse
    assert flags("vanishing", run(omega=0.1)) == ["--activation tanh"]
    assert flags("vanishing", run(layers=2)) == ["--activation tanh"]  # Ω is of one layer
    assert flags("vanishing", run(activation="tanh")) == []
    assert flags("vanishing", run(activation="tanh", init="identity")) == ["--init orthogonal"]
    assert flags("vanishing", run(activation="relu")) == ["--init identity"]
    assert flags("vanishing", run(activation="tanh", clip_errors=0.1)) == ["no --clip-errors"]
    on_task = {"task": True, "activation": "relu"}
    assert flags("vanishing", run(**on_task, init="identity")) == []
    assert flags("vanishing", run(**on_task, clip=0.0)) == [
        "--init identity",
        "--clip 1",
        "--omega 2 --omega-form squared",
    ]
    assert flags("vanishing", run(task=True))[0] == "--activation relu --init identity"
    assert flags("exploding", run()) == ["--lr below 0.01", "--bptt 8"]
    assert flags("exploding", run(clip=0.0, T=8)) == ["--clip 1", "--lr below 0.01"]
    assert "--clip 1" not in flags("exploding", run(clip=0.0, clip_adaptive=0.5))
    assert flags("exploding", run(T=8), trained=False) == ["--spectral-radius 1"]
    assert flags("saturated", run()) == []  # a smaller rate than the default learnt slower
    assert flags("saturated", run(lr=0.05)) == ["--lr 0.01"]
    assert flags("saturated", run(), trained=False) == ["--init-scale below 0.3"]
    assert flags("dominated", run()) == ["--batch-size over 40"]


def test_what_is_said_to_be_measured_is_in_the_documentation() -> None:
    """Each figure of a treatment, but for sizes of the flags themselves."""
    page = (Path(__file__).parents[2] / "docs" / "exploding-gradients.md").read_text()
    configs = [
        run(level, activation, task=task, init=init, clip=clip, clip_errors=errors)
        for level in ("char", "word") for activation in ("sigmoid", "tanh", "relu") for task in (False, True)
        for init in ("orthogonal", "identity") for clip in (0.0, 1.0) for errors in (0.0, 0.1)
    ]  # fmt: skip
    said = {each.measured for config in configs for name in FINDINGS for each in treatments(name, config, True)}
    assert len(said) > 8
    for sentence in said:
        for figure in re.findall(r"(?<![\w-])[\d,]+(?:\.\d+)?\b", sentence):
            assert re.search(rf"(?<![\d.]){re.escape(figure)}(?![\d])", page), (figure, sentence)


def test_a_gradient_that_fades_as_on_every_text_is_no_finding() -> None:
    flow = network(0, "sigmoid", of_sigma_max(3))
    assert diagnose(flow).findings == ("vanishing",)
    assert "docs/exploding-gradients.md" in diagnose(flow).text
    short = diagnose(flow, run())
    assert (short.findings, short.numbers.reach) == (("vanishing",), 2)
    longer = network(0, "sigmoid", of_sigma_max(10))
    usual = diagnose(longer, run())
    assert diagnose(longer).findings == ("vanishing",)
    assert (usual.findings, usual.verdict, usual.treatments) == ((), "healthy", ())
    assert usual.text.startswith("Usual for a text: ")
    on_task = diagnose(flow, run(task=True))
    assert on_task.findings == ("vanishing",)
    assert "Not done yet: --activation relu --init identity (5 of 5 seeds" in on_task.text
    assert "clipped at 1 already" in on_task.text
    nothing = diagnose(flow, run(task=True, activation="relu", init="identity", clip=0.5, omega=1.0))
    assert "nothing is left to try. The norm is clipped at 0.5 already." in nothing.text
    saturated = diagnose(network(0, "sigmoid", of_sigma_max(50), b_1=250), run())
    assert saturated.findings[:2] == ("vanishing", "saturated")
    saturated = diagnose(network(0, "sigmoid", of_sigma_max(20), b_1=1), run())
    assert saturated.numbers.flat >= 0.5
    assert saturated.numbers.reach >= 3
    assert diagnose(network(0, "sigmoid", of_sigma_max(20), b_1=1)).findings == ("vanishing", "saturated")
    assert saturated.findings == ()
    assert "of the units are saturated, and it reaches as far all the same. No treatment" in saturated.text
