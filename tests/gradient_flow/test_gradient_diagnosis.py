"""The diagnosis of made-up networks of known behaviour."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from networks import problem

import elman
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
