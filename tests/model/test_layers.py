"""Several layers (docs/derivation.md, section 11): the proofs that one layer has, and what holds of any stack."""

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
from elman.model.network import DropoutMasks, hidden_states, log_probabilities, losses
from elman.model.parameters import Parameters

pytestmark = pytest.mark.usefixtures("every_kernels")

LETTERS = ("W_e", "W_h", "b_1")


@pytest.mark.parametrize("skip", [False, True])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_reference_equals_complex_step(activation: str, skip: bool) -> None:
    """Every entry of every parameter of three layers, and of the state before."""
    p, x, y, h_0 = problem(V=6, d=3, Dh=4, B=2, T=4, activation=activation, layers=3, skip=skip)
    check_reference_by_complex_step(p, x, y, h_0)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("layers", [2, 3])
@pytest.mark.parametrize(("tie", "skip"), [(False, False), (True, False), (True, True)])
def test_fast_path_equals_reference_in_float64(activation: str, layers: int, tie: bool, skip: bool) -> None:
    p, x, y, h_0 = problem(d=7 if tie else 5, activation=activation, tie=tie, layers=layers, skip=skip)
    J, gradients, h_T = elman.loss_and_gradients(p, x, y, h_0)
    m = as_reference(p)
    true_J, true = reference.gradients(m, x, y, h_0.T)
    trace = reference.forward(m, x, y, h_0.T)
    assert pytest.approx(true_J, rel=1e-13) == J * x.size
    assert relative(h_T.T, np.concatenate([trace.h[-1], *(h[-1] for h in trace.above)])) <= 1e-13
    if tie:
        true["U"] = true["U"] + true.pop("E").T
    found = dense(gradients) | {"h_0": gradients.h_0}
    assert found.keys() == true.keys()
    for name, value in found.items():
        assert relative(on_page(name, value) * x.size, true[name]) <= 1e-12, name


@pytest.mark.parametrize("skip", [False, True])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_float32_error_is_at_most_twice_that_of_plain_float32(activation: str, skip: bool) -> None:
    p, x, y, h_0 = problem(96, 16, 32, 8, 20, activation=activation, dtype="float32", layers=3, skip=skip)
    check_float32(p, x, y, h_0)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize(("rate", "skip"), [(0.0, False), (0.4, False), (0.4, True)])
def test_central_differences(activation: str, rate: float, skip: bool) -> None:
    """Along random directions of all parameters and the state; with dropout the masks are held."""
    p, x, y, h_0 = problem(activation=activation, layers=3, skip=skip)
    check_central_differences(p, x, y, h_0, rate)


def test_dropout_acts_on_what_each_layer_reads() -> None:
    """A mask of zeros between the layers cuts the lower one off: it has no gradient."""
    p, x, y, h_0 = problem(layers=2)
    ones = DropoutMasks(np.ones((*x.shape, p.d)), np.ones((*x.shape, p.Dh)), (np.zeros((*x.shape, p.Dh)),))
    _, gradients, _ = elman.loss_and_gradients(p, x, y, h_0, masks=ones)
    found = dense(gradients)
    assert not any(found[name].any() for name in ("E", "W_e", "W_h", "b_1", "layers.1.W_e"))
    assert found["layers.1.W_h"].any()
    masks = DropoutMasks.draw(p, 200, 50, 0.25, np.random.default_rng(0))
    (between,) = masks.between
    assert set(np.unique(between)) == {0, 1 / 0.75}
    assert (between != masks.on_h).any()


def test_variational_masks_are_fixed_over_time() -> None:
    """Gradients by central differences, as with other masks; drawn anew for every window."""
    p, x, y, h_0 = problem(layers=2, skip=True)
    generator = np.random.default_rng(1)
    masks = DropoutMasks.draw(p, *x.shape, 0.4, generator, fixed=True)
    for mask in (masks.on_e, masks.on_h, *masks.between):
        mask = np.asarray(p.kernels.host(mask))
        assert (mask == mask[:1]).all()
        assert np.unique(mask) == pytest.approx([0, 1 / 0.6], rel=1e-4)
    assert (masks.on_h != DropoutMasks.draw(p, *x.shape, 0.4, generator, fixed=True).on_h).any()
    _, gradients, _ = elman.loss_and_gradients(p, x, y, h_0, masks=masks)
    for name, w in (("W_e", p.W_e), ("U", p.U), ("layers.1.W_e", p.above[0].W_e)):
        before, step = w[1, 2], 1e-5
        J = []
        for moved in (before + step, before - step):
            w[1, 2] = moved
            J.append(elman.loss_and_gradients(p, x, y, h_0, masks=masks)[0])
        w[1, 2] = before
        assert (J[0] - J[1]) / (2 * step) == pytest.approx(float(dense(gradients)[name][1, 2]), rel=1e-6, abs=1e-12)


def test_one_layer_draws_and_computes_what_it_did() -> None:
    """The masks and the initial weights of one layer, whatever is added for several."""
    one, two = (Parameters.initialise(13, 5, 7, seed=3, layers=layers) for layers in (1, 2))
    for name in ("E", "W_e", "W_h", "b_1", "b_2"):
        np.testing.assert_array_equal(getattr(one, name), getattr(two, name))
    a, b = (DropoutMasks.draw(p, 4, 3, 0.5, np.random.default_rng(2)) for p in (one, two))
    np.testing.assert_array_equal(a.on_e, b.on_e)
    np.testing.assert_array_equal(a.on_h, b.on_h)
    assert a.between == ()


@pytest.mark.parametrize("skip", [False, True])
def test_log_probabilities_of_a_state_are_those_of_the_losses(skip: bool) -> None:
    p, x, y, h_0 = problem(layers=3, skip=skip)
    J, h_T = losses(p, x, y, h_0)
    before = losses(p, x[:-1], y[:-1], h_0)[1] if len(x) > 1 else h_0
    h = hidden_states(p, x[-1:], before).h_T
    np.testing.assert_allclose(h, h_T, rtol=1e-13)
    np.testing.assert_allclose(-log_probabilities(p, h)[np.arange(x.shape[1]), y[-1]], J[-1], rtol=1e-12)


def test_skip_connections_alone_pass_everything_on() -> None:
    """With upper layers of sigmoid units that are 1/2 whatever they read, the output layer reads h and constants."""
    p, x, y, h_0 = problem(layers=3, skip=True)
    for weights in p.above:
        weights.W_e[:], weights.W_h[:], weights.b_1[:] = 0, 0, 0
    lower = replace(p, above=[], skip=False, b_2=p.b_2 + p.U.sum(axis=1))  # two layers of 1/2
    np.testing.assert_allclose(losses(p, x, y, h_0)[0], losses(lower, x, y, h_0[:, : p.Dh])[0], rtol=1e-13)
    found, true = (elman.loss_and_gradients(q, x, y, h)[1] for q, h in ((p, h_0), (lower, h_0[:, : p.Dh])))
    np.testing.assert_allclose(found.W_h, true.W_h, rtol=1e-12)


def test_windows_with_carried_state_give_the_losses_of_one_long_window() -> None:
    p, x, y, h_0 = problem(T=12, layers=3, skip=True)
    whole, end = losses(p, x, y, h_0)
    first, h = losses(p, x[:5], y[:5], h_0)
    second, last = losses(p, x[5:], y[5:], h)
    np.testing.assert_allclose(np.concatenate([first, second]), whole, rtol=1e-13)
    np.testing.assert_allclose(last, end, rtol=1e-13)


def test_an_upper_layer_is_a_network_that_reads_the_states_of_the_lower_one() -> None:
    """Two layers are one layer whose embedded tokens are h of another network."""
    p, x, _, h_0 = problem(B=1, layers=2)
    both = hidden_states(p, x, h_0)
    (above,) = p.above
    lower = replace(p, above=())
    h = hidden_states(lower, x, h_0[:, : p.Dh]).h[1:, 0]  # [T,Dh]: a token's embedding at each step
    upper = Parameters(h, above.W_e, above.W_h, above.b_1, np.ones((len(h), p.Dh)), np.ones(len(h)), p.activation)
    found = hidden_states(upper, np.arange(len(x))[:, None], h_0[:, p.Dh :])
    np.testing.assert_allclose(found.h, both.h, rtol=1e-13)


def test_names_shapes_and_counts() -> None:
    p = Parameters.initialise(13, 5, 7, layers=3)
    names = ["E", "W_e", "W_h", "b_1", "U", "b_2", *(f"layers.{n}.{letter}" for n in (1, 2) for letter in LETTERS)]
    assert [name for name, _ in p.items()] == names
    assert p.count == 13 * 5 + 5 * 7 + 7 * 7 + 7 + 13 * 7 + 13 + 2 * (2 * 7 * 7 + 7)
    assert (len(p.layers), p.state_size, p.initial_state(2).shape) == (3, 21, (2, 21))
    again = Parameters.from_distinct(dict(p.distinct()), p.activation)
    assert all((a == b).all() for (_, a), (_, b) in zip(again.items(), p.items(), strict=True))


def test_what_does_not_fit_is_refused() -> None:
    p, x, y, h_0 = problem(layers=2)
    with pytest.raises(ShapeError, match=r"h_0 has shape \(3, 7\), expected \[B,2·Dh\] = \(3, 14\)"):
        elman.loss_and_gradients(p, x, y, h_0[:, :7])
    (above,) = p.above
    with pytest.raises(ShapeError, match=r"layers\.1\.W_e has shape \(7, 5\)"):
        replace(p, above=[replace(above, W_e=np.ones((7, 5)))])
    with pytest.raises(ShapeError, match=r"layers\.1\.b_1 is float32, expected float64 as E is"):
        replace(p, above=[replace(above, b_1=np.ones(7, np.float32))])
    with pytest.raises(ConfigError, match="--skip connects layers, and there is one"):
        Parameters.initialise(13, 5, 7, skip=True)
    with pytest.raises(ConfigError, match="layers is 0; it must be a whole number from 1 to 64"):
        Parameters.initialise(13, 5, 7, layers=0)


@pytest.mark.parametrize("skip", [False, True])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_autodiff_of_the_same_network_in_pytorch(activation: str, skip: bool) -> None:
    """Forward equations alone, written once more; PyTorch differentiates them."""
    torch = pytest.importorskip("torch", reason="PyTorch is not installed", exc_type=ImportError)
    p, x, y, h_0 = problem(activation=activation, layers=3, skip=skip)
    w = {name: torch.tensor(array, requires_grad=True) for name, array in p.items()}
    begin = torch.tensor(h_0, requires_grad=True)
    f = {"sigmoid": torch.sigmoid, "tanh": torch.tanh, "relu": torch.relu}[activation]
    h, J = list(begin.split(p.Dh, dim=1)), 0
    for t in range(len(x)):
        read = w["E"][torch.from_numpy(x[t])]
        for n in range(3):
            of = f"layers.{n}." if n else ""
            h[n] = f(h[n] @ w[of + "W_h"].T + read @ w[of + "W_e"].T + w[of + "b_1"])
            read = h[n] + read if n and skip else h[n]
        theta = read @ w["U"].T + w["b_2"]
        J = J + torch.nn.functional.cross_entropy(theta, torch.from_numpy(y[t]), reduction="sum")
    (J / x.size).backward()
    true_J, gradients, _ = elman.loss_and_gradients(p, x, y, h_0)
    assert pytest.approx(float(J.detach()) / x.size, rel=1e-13) == true_J
    assert relative(gradients.h_0, begin.grad.numpy()) <= 1e-12
    for name, gradient in dense(gradients).items():
        assert relative(gradient, w[name].grad.numpy()) <= 1e-12, name
