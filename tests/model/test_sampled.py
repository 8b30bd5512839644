"""The sampled output layer (docs/derivation.md, section 13): its gradients, and what its loss is of."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from gradient_checks import dense
from networks import problem

import elman
from elman.model.bptt import backward_unchecked
from elman.model.embedding import Rows
from elman.model.network import DropoutMasks
from elman.model.output.sampled import Drawn, SampledOutput
from elman.model.parameters import Parameters
from elman.training.drawing import TokenDraw

pytestmark = pytest.mark.usefixtures("every_kernels")

V = 23


def draw(samples: int = 9, seed: int = 0) -> TokenDraw:
    tokens = np.random.default_rng(3).zipf(1.5, 500).clip(1, V) - 1
    return TokenDraw.of(tokens, V, samples, seed)


def loss(h: Any, U: Any, b_2: Any, y: Any, drawn: Drawn) -> Any:
    """The mean of J, written again, in any type."""
    total = 0
    C = sorted({*y.tolist(), *drawn.tokens.tolist()})
    for row, target in zip(h, y.tolist(), strict=True):
        theta = [U[j] @ row + b_2[j] - (0 if j in y else drawn.log_inclusion[j]) for j in C]
        total = total - theta[C.index(target)] + np.log(sum(np.exp(each) for each in theta))
    return total / len(y)


def test_every_gradient_equals_the_complex_step() -> None:
    p, _, y, _ = problem(V, B=2, T=3)
    drawn, y = draw().at(0, 0), y.reshape(-1)
    h = np.random.default_rng(1).random((len(y), p.Dh))
    J, dh, found = SampledOutput(p.U, p.b_2, drawn, p.kernels).backward(h, y, 1 / len(y))
    assert isinstance(found.U, Rows)
    assert isinstance(found.b_2, Rows)
    assert J.mean() == pytest.approx(loss(h, p.U, p.b_2, y, drawn), rel=1e-13)
    given = {"h": h, "U": p.U, "b_2": p.b_2}
    for name, mine in (("h", dh), ("U", found.U.dense()), ("b_2", found.b_2.dense())):
        true = np.empty(mine.shape)
        for index in np.ndindex(true.shape):
            moved = given[name].astype(complex)
            moved[index] += 1e-20j
            true[index] = loss(**(given | {name: moved}), y=y, drawn=drawn).imag / 1e-20
        np.testing.assert_allclose(mine, true, rtol=1e-11, atol=1e-14, err_msg=name)


@pytest.mark.parametrize("tie", [False, True])
@pytest.mark.parametrize("rate", [0.0, 0.4])
def test_central_differences(tie: bool, rate: float) -> None:
    """Along random directions of all parameters; the tokens drawn and the masks are held."""
    p, x, y, h_0 = problem(V, d=7 if tie else 5, tie=tie, layers=2)
    drawn = draw().at(1, 2)
    masks = DropoutMasks.draw(p, *x.shape, rate, np.random.default_rng(5)) if rate else None
    found = dense(backward_unchecked(p, x, y, h_0, 0, masks, 0.0, drawn).gradients)
    generator = np.random.default_rng(6)
    directions = {name: generator.normal(size=w.shape) for name, w in p.distinct()}
    slope = sum(float((g * directions[name]).sum()) for name, g in found.items())

    def J(step: float) -> float:
        there = Parameters.from_distinct({n: w + step * directions[n] for n, w in p.distinct()}, p.activation)
        return float(backward_unchecked(there, x, y, h_0, 0, masks, 0.0, drawn).J)

    assert (J(1e-5) - J(-1e-5)) / 2e-5 == pytest.approx(slope, rel=1e-6)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("tie", [False, True])
def test_with_every_token_it_is_the_full_layer(dtype: str, tie: bool) -> None:
    p, x, y, h_0 = problem(V, d=7, tie=tie, dtype=dtype)
    sampled = backward_unchecked(p, x, y, h_0, 0, None, 0.0, Drawn(np.arange(V).repeat(2), np.zeros(V)))
    J, full, _ = elman.loss_and_gradients(p, x, y, h_0)
    tolerance = 1e-12 if dtype == "float64" else 1e-5
    assert float(sampled.J) == pytest.approx(J, rel=tolerance)
    for (name, mine), exact in zip(dense(sampled.gradients).items(), dense(full).values(), strict=True):
        np.testing.assert_allclose(mine, exact, rtol=tolerance, atol=tolerance / 10, err_msg=name)


def test_the_sum_under_the_softmax_has_the_mean_of_the_full_one() -> None:
    """Over 20,000 draws, within 5 standard errors."""
    theta, y = np.random.default_rng(0).normal(size=V), [4, 7]
    drawing = draw(samples=6)
    sums = []
    for k in range(20_000):
        drawn = drawing.at(0, k)
        others = np.setdiff1d(drawn.tokens, y)
        sums.append(np.exp(theta[y]).sum() + np.exp(theta[others] - drawn.log_inclusion[others]).sum())
    error = np.std(sums) / np.sqrt(len(sums))
    assert abs(np.mean(sums) - np.exp(theta).sum()) < 5 * error
    assert error < 0.05 * np.exp(theta).sum()


def test_the_draw_of_a_step_is_the_same_each_time_and_of_another_step_another() -> None:
    a, b, c, d = (
        draw(50, seed).at(*step).tokens for seed, step in ((0, (0, 0)), (0, (0, 0)), (0, (0, 1)), (1, (0, 0)))
    )
    np.testing.assert_array_equal(a, b)
    assert (a != c).any()
    assert (a != d).any()
    assert np.isfinite(draw().log_inclusion).all()
    assert (draw().log_inclusion <= 0).all()


def test_autodiff_of_the_same_loss_in_pytorch() -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed", exc_type=ImportError)
    p, _, y, _ = problem(V)
    drawn, y = draw().at(0, 0), y.reshape(-1)
    C = np.unique(np.concatenate([y, drawn.tokens]))
    h, U, b_2 = (
        torch.tensor(a, requires_grad=True) for a in (np.random.default_rng(1).random((len(y), 7)), p.U, p.b_2)
    )
    correction = torch.tensor(np.where(np.isin(C, y), 0, drawn.log_inclusion[C]))
    theta = h @ U[C].T + b_2[C] - correction
    torch.nn.functional.cross_entropy(theta, torch.from_numpy(np.searchsorted(C, y))).backward()
    _, dh, found = SampledOutput(p.U, p.b_2, drawn, p.kernels).backward(h.detach().numpy(), y, 1 / len(y))
    for mine, theirs in ((dh, h), (found.U.dense(), U), (found.b_2.dense(), b_2)):  # type: ignore[union-attr]
        np.testing.assert_allclose(mine, theirs.grad.numpy(), rtol=1e-11, atol=1e-15)
