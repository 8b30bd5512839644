"""The adaptive output layer (docs/derivation.md, section 12): the proofs that the full one has, and identities."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from gradient_checks import (
    check_central_differences,
    check_float32,
    check_reference_by_complex_step,
    dense,
    on_page,
    relative,
)
from networks import as_reference, problem

import elman
from elman.config import ACTIVATIONS
from elman.errors import ConfigError, ShapeError
from elman.model import reference
from elman.model.equivalents import sigmoid_from_tanh, tanh_from_sigmoid, tanh_state
from elman.model.network import hidden_states, log_probabilities, losses
from elman.model.output.adaptive import equivalent_V, width
from elman.model.output.gradients import TailWeights
from elman.model.parameters import Parameters

pytestmark = pytest.mark.usefixtures("every_kernels")

CUTOFFS = (5, 11)
V = 23


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_reference_equals_complex_step(activation: str) -> None:
    """Every entry of every parameter, and of the state before."""
    p, x, y, h_0 = problem(9, 3, 4, 3, 4, activation=activation, cutoffs=(2, 5))
    check_reference_by_complex_step(p, x, y, h_0)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("cutoffs", [(7,), CUTOFFS, (1, 2, 22)])
@pytest.mark.parametrize("layers", [1, 2])
def test_fast_path_equals_reference_in_float64(activation: str, cutoffs: tuple[int, ...], layers: int) -> None:
    p, x, y, h_0 = problem(V, activation=activation, cutoffs=cutoffs, layers=layers)
    J, gradients, _ = elman.loss_and_gradients(p, x, y, h_0)
    true_J, true = reference.gradients(as_reference(p), x, y, h_0.T)
    assert pytest.approx(true_J, rel=1e-13) == J * x.size
    assert losses(p, x, y, h_0)[0].sum() == pytest.approx(true_J, rel=1e-13)
    found = dense(gradients) | {"h_0": gradients.h_0}
    assert found.keys() == true.keys()
    for name, value in found.items():
        assert relative(on_page(name, value) * x.size, true[name]) <= 1e-12, name


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_float32_error_is_at_most_twice_that_of_plain_float32(activation: str) -> None:
    p, x, y, h_0 = problem(96, 16, 32, 8, 20, activation=activation, dtype="float32", cutoffs=(20, 50))
    check_float32(p, x, y, h_0)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("rate", [0.0, 0.4])
def test_central_differences(activation: str, rate: float) -> None:
    """Along random directions of all parameters and the state; with dropout the masks are held."""
    p, x, y, h_0 = problem(V, activation=activation, cutoffs=CUTOFFS)
    check_central_differences(p, x, y, h_0, rate)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_probabilities_are_exact(dtype: str) -> None:
    """They sum to 1, and -ln of the one of y is the loss."""
    p, x, y, h_0 = problem(V, cutoffs=CUTOFFS, dtype=dtype)
    h = hidden_states(p, x, h_0).h[1:]
    log_probs = log_probabilities(p, h)
    assert log_probs.shape == (*x.shape, V)
    tolerance = 1e-13 if dtype == "float64" else 1e-5
    np.testing.assert_allclose(np.exp(log_probs).sum(axis=-1), 1, rtol=tolerance)
    J = -np.take_along_axis(log_probs, y[..., None], axis=-1)[..., 0]
    np.testing.assert_allclose(losses(p, x, y, h_0)[0], J, rtol=tolerance)


def test_a_wide_tail_can_be_the_full_layer() -> None:
    """Where P is the identity, and the head has each tail's ln Σ exp θ as its logit: here that of one h."""
    p, _, _, _ = problem(V, B=1, T=1, d=7)
    n = 9
    h = np.random.default_rng(1).random((1, p.Dh))
    theta = h @ p.U.T + p.b_2
    tail = TailWeights(np.eye(p.Dh), p.U[n:].copy(), p.b_2[n:].copy())
    U = np.concatenate([p.U[:n], np.zeros((1, p.Dh))])
    b_2 = np.concatenate([p.b_2[:n], [np.log(np.exp(theta[0, n:]).sum())]])
    q = replace(p, U=U, b_2=b_2, tails=[tail])
    np.testing.assert_allclose(log_probabilities(q, h), log_probabilities(p, h), rtol=1e-12)
    y = np.array([14])
    np.testing.assert_allclose(q.output.gradient(h, y)[0], p.output.gradient(h, y)[0], rtol=1e-12)


def test_a_tail_that_does_not_occur_has_no_gradient() -> None:
    p, x, _, h_0 = problem(V, cutoffs=CUTOFFS)
    y = x % CUTOFFS[1]  # none in the last tail
    gradients = elman.loss_and_gradients(p, x, y, h_0)[1]
    first, last = gradients.tails
    assert first.U.any()
    assert not any(np.asarray(w).any() for w in (last.P, last.U, last.b_2))
    assert [w.shape for w in (last.P, last.U, last.b_2)] == [
        w.shape for w in (p.tails[1].P, p.tails[1].U, p.tails[1].b_2)
    ]


def test_the_gradient_of_the_lens_is_that_of_training() -> None:
    p, x, y, h_0 = problem(V, cutoffs=CUTOFFS)
    h = hidden_states(p, x, h_0).h[1:].reshape(-1, p.Dh)
    J, dh, _ = p.output.backward(h, y.reshape(-1), 1.0)
    again, alone = p.output.gradient(h, y.reshape(-1))
    np.testing.assert_allclose(again, J, rtol=1e-13)
    np.testing.assert_allclose(alone, dh, rtol=1e-12)


def test_names_shapes_and_counts() -> None:
    p = Parameters.initialise(V, 5, 70, cutoffs=CUTOFFS)
    assert (width(70, 1), width(70, 2), width(7, 1), width(640, 2)) == (17, 16, 7, 40)
    shapes = {name: array.shape for name, array in p.items()}
    assert shapes["U"] == (7, 70)
    assert [shapes[f"tails.2.{letter}"] for letter in ("P", "U", "b_2")] == [(16, 70), (12, 16), (12,)]
    assert (p.V, p.cutoffs, p.tied) == (V, CUTOFFS, False)
    assert p.count == sum(array.size for _, array in p.items())
    again = Parameters.from_distinct(dict(p.distinct()), p.activation)
    assert again.cutoffs == CUTOFFS
    assert all((a == b).all() for (_, a), (_, b) in zip(again.items(), p.items(), strict=True))
    full = Parameters.initialise(V, 5, 70)
    for name in ("E", "W_e", "W_h"):
        np.testing.assert_array_equal(getattr(full, name), getattr(p, name))


def test_work_is_counted() -> None:
    """Of V = 200,000 the work of a token is under a tenth of the full layer's."""
    assert equivalent_V(200_000, 200, (4000, 20_000)) < 20_000
    assert equivalent_V(23, 7, (22,)) == pytest.approx(23 + np.log(23 / 22) / np.log(23) * 8)


def test_more_tokens_belong_to_the_last_tail() -> None:
    p, x, y, h_0 = problem(V, cutoffs=CUTOFFS)
    more = p.grown(3)
    assert (more.V, more.cutoffs, len(more.tails[1].U)) == (V + 3, CUTOFFS, V - CUTOFFS[1] + 3)
    before, after = losses(p, x, y, h_0)[0], losses(more, x, y, h_0)[0]
    first = y < CUTOFFS[1]
    np.testing.assert_allclose(after[first], before[first], rtol=1e-13)
    assert (after[~first] > before[~first]).all()


def test_the_equal_tanh_network() -> None:
    p, x, y, h_0 = problem(V, cutoffs=CUTOFFS)
    q, biases = tanh_from_sigmoid(p)
    same = replace(q, b_1=q.b_1 + biases[0])
    np.testing.assert_allclose(losses(same, x, y, tanh_state(h_0))[0], losses(p, x, y, h_0)[0], rtol=1e-12)
    back = sigmoid_from_tanh(q, biases)
    for (_, a), (_, b) in zip(back.items(), p.items(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-14)


def test_what_does_not_fit_is_refused() -> None:
    p, x, y, h_0 = problem(V, cutoffs=CUTOFFS)
    with pytest.raises(ShapeError, match="y holds token id 23, expected ids from 0 to 22"):
        elman.loss_and_gradients(p, x, y + V - y.max(), h_0)
    with pytest.raises(ShapeError, match=r"tails\.1\.P has shape \(7, 6\)"):
        replace(p, tails=[replace(p.tails[0], P=np.ones((7, 6))), p.tails[1]])
    with pytest.raises(ShapeError, match=r"tails\.2\.U has shape"):
        replace(p, tails=[p.tails[0], replace(p.tails[1], U=np.ones((12, 3)))])
    with pytest.raises(ShapeError, match="the head and the tails have 22 tokens"):
        replace(p, tails=[p.tails[0], replace(p.tails[1], U=p.tails[1].U[:-1], b_2=p.tails[1].b_2[:-1])])
    for cutoffs in ((0, 5), (5, 5), (8, 5), (5, 23)):
        with pytest.raises(ConfigError, match="it must be ascending whole numbers, from 1 to under V"):
            Parameters.initialise(V, 5, 7, cutoffs=cutoffs)
    with pytest.raises(ConfigError, match="--output adaptive has none of that shape"):
        Parameters.initialise(V, 7, 7, tie=True, cutoffs=CUTOFFS)


def test_autodiff_of_the_same_layer_in_pytorch() -> None:
    """PyTorch's own adaptive softmax, whose tails have no bias: its losses, and its gradients of them."""
    torch = pytest.importorskip("torch", reason="PyTorch is not installed", exc_type=ImportError)
    p, _, y, _ = problem(V, cutoffs=CUTOFFS)
    for tail in p.tails:
        tail.b_2[:] = 0
    h = np.random.default_rng(2).random((y.size, p.Dh))
    layer = torch.nn.AdaptiveLogSoftmaxWithLoss(
        p.Dh, V, list(CUTOFFS), div_value=1, head_bias=True, dtype=torch.float64
    )
    with torch.no_grad():
        layer.head.weight.copy_(torch.from_numpy(p.U))
        layer.head.bias.copy_(torch.from_numpy(p.b_2))
        for of_torch, tail in zip(layer.tail, p.tails, strict=True):
            of_torch[0].weight.copy_(torch.from_numpy(tail.P))
            of_torch[1].weight.copy_(torch.from_numpy(tail.U))
    read = torch.tensor(h, requires_grad=True)
    output, loss = layer(read, torch.from_numpy(y.reshape(-1)))
    loss.backward()
    J, dh, gradients = p.output.backward(h, y.reshape(-1), 1 / y.size)
    np.testing.assert_allclose(J, -output.detach().numpy(), rtol=1e-12)
    np.testing.assert_allclose(p.output.log_probabilities(h), layer.log_prob(read).detach().numpy(), rtol=1e-12)
    pairs = [(dh, read.grad), (gradients.U, layer.head.weight.grad), (gradients.b_2, layer.head.bias.grad)]
    for found, of_torch in zip(gradients.tails, layer.tail, strict=True):
        pairs += [(found.P, of_torch[0].weight.grad), (found.U, of_torch[1].weight.grad)]
    for mine, theirs in pairs:
        assert relative(mine, theirs.numpy()) <= 1e-12
