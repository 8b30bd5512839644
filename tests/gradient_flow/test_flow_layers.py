"""The lens on each layer of a stack: the reference, autodiff, the complex step, and the gradients of training."""

from __future__ import annotations

import numpy as np
import pytest
from networks import as_reference, problem

import elman
from elman.config import ACTIVATIONS
from elman.errors import ConfigError
from elman.gradient_flow import NAMES, decay_rate, decompose, decompose_loss, diagnose, reach, truncation
from elman.gradient_flow.view import QUANTITIES, Subject, View
from elman.model import reference

WEIGHTS = ("W_h", "W_e", "b_1")
CASES = [
    (activation, layers, layer, skip)
    for activation in ACTIVATIONS
    for layers, skip in ((2, False), (3, False), (3, True))
    for layer in range(layers)
]


def relative(found: np.ndarray, true: np.ndarray) -> float:
    """The norm of the error over the norm; 0 / 0 is 0."""
    error = np.linalg.norm(found - true)
    return float(error / max(np.linalg.norm(true), 1e-300)) if error else 0.0


def name_of(letter: str, layer: int) -> str:
    """The name in files of a layer's weight."""
    return f"layers.{layer}.{letter}" if layer else letter


@pytest.mark.parametrize("B", [1, 3])
@pytest.mark.parametrize(("activation", "layers", "layer", "skip"), CASES)
def test_contributions_equal_the_reference_and_sum_to_the_gradient_of_training(
    activation: str, layers: int, layer: int, skip: bool, B: int
) -> None:
    p, x, y, h_0 = problem(B=B, T=7, activation=activation, layers=layers, skip=skip)
    flow = decompose(p, x, y, h_0, layer=layer)
    model = as_reference(p)
    trace = reference.forward(model, x, y, h_0.T)
    terms = [reference.contributions(model, trace, t) for t in range(1, len(x) + 1)]
    _, gradients, _ = elman.loss_and_gradients(p, x, y, h_0)
    total = gradients if layer == 0 else gradients.above[layer - 1]
    for letter in WEIGHTS:
        norms, cosines = flow.norms(letter), flow.cosines(letter)
        whole = getattr(total, letter) * x.size  # those of training are means over the tokens
        for t, row in enumerate(terms):
            for i, each in enumerate(row):
                true = each[name_of(letter, layer)]
                true = true[:, 0] if letter == "b_1" else true
                assert relative(flow.contribution(letter, t, i), true) <= 1e-12
                size = np.linalg.norm(true)
                assert norms[t, i] == pytest.approx(size, rel=1e-10)
                along = np.vdot(true, whole) / np.linalg.norm(whole)
                assert cosines[t, i] == pytest.approx(along / size if size else 0, abs=1e-9)
        pairs = [(t, i) for t in range(flow.T) for i in range(t + 1)]
        assert relative(sum(flow.contribution(letter, t, i) for t, i in pairs), whole) <= 1e-12
        assert relative(flow.total(letter), whole) <= 1e-12
        assert flow.shares(letter).sum() == pytest.approx(1, abs=1e-11)
    for name in ("e", "h"):
        for i in range(flow.T):
            each = sum(flow.contribution(name, t, i) for t in range(i, flow.T))
            assert relative(each, flow.total(name)[i]) <= 1e-12


@pytest.mark.parametrize(("activation", "layers", "layer", "skip"), CASES)
def test_contributions_equal_autodiff_with_a_weight_copy_a_step(
    activation: str, layers: int, layer: int, skip: bool
) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed", exc_type=ImportError)
    p, x, y, h_0 = problem(B=2, T=6, activation=activation, layers=layers, skip=skip)
    flow = decompose(p, x, y, h_0, layer=layer)
    stack = p.layers
    copies = {
        letter: [torch.tensor(getattr(stack[layer], letter), requires_grad=True) for _ in x] for letter in WEIGHTS
    }
    copies |= {"e": [], "h": []}
    h, losses = [torch.tensor(each) for each in np.split(h_0, layers, axis=1)], []
    for i in range(len(x)):
        read = torch.tensor(p.E[x[i]], requires_grad=True)
        for n, own in enumerate(stack):
            W_h, W_e, b_1 = (torch.tensor(getattr(own, letter)) for letter in WEIGHTS)
            e = read * torch.ones_like(read)  # this use of what is read
            if n == layer:
                W_h, W_e, b_1 = (copies[letter][i] for letter in WEIGHTS)
                copies["e"].append(e)
            h[n] = getattr(torch, activation)(h[n] @ W_h.T + e @ W_e.T + b_1)
            read = h[n] + read if n and skip else h[n]
            if n == layer:
                copies["h"].append(h[n])
        theta = read @ torch.tensor(p.U).T + torch.tensor(p.b_2)
        losses.append(torch.nn.functional.cross_entropy(theta, torch.tensor(y[i]), reduction="sum"))
    for t, loss in enumerate(losses):
        for name in NAMES:
            for i, true in enumerate(torch.autograd.grad(loss, copies[name][: t + 1], retain_graph=True)):
                assert relative(flow.contribution(name, t, i), true.numpy()) <= 1e-12, name
                assert flow.norms(name)[t, i] == pytest.approx(float(true.norm()), rel=1e-10)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_contributions_equal_the_complex_step_in_one_time_step(activation: str) -> None:
    """A step of 1e-20 i in one entry of a layer's W_h, taken at time step i alone."""
    p, x, y, h_0 = problem(V=6, d=3, Dh=4, B=2, T=5, activation=activation, layers=2)
    for layer in range(2):
        flow = decompose(p, x, y, h_0, layer=layer)
        for i in range(5):
            parts = [flow.contribution("W_h", t, i) for t in range(i, 5)]
            for j, k in ((0, 0), (1, 3), (3, 2)):
                h = [each.T.astype(complex) for each in np.split(h_0, 2, axis=1)]
                for t in range(5):
                    read = p.E[x[t]].T.astype(complex)
                    for n, own in enumerate(p.layers):
                        W_h = own.W_h.astype(complex)
                        W_h[j, k] += 1e-20j if (n, t) == (layer, i) else 0
                        h[n] = read = reference.sigma(W_h @ h[n] + own.W_e @ read + own.b_1[:, None], activation)
                    y_hat = reference.softmax(p.U @ read + p.b_2[:, None])
                    if t >= i:
                        J = -np.log(y_hat[y[t], np.arange(2)]).sum()
                        assert parts[t - i][j, k] == pytest.approx(J.imag / 1e-20, rel=1e-11, abs=1e-15)


@pytest.mark.parametrize("layer", [0, 1])
def test_float32_on_every_kernels(every_kernels: str, layer: int) -> None:
    p, x, y, h_0 = problem(13, 9, 17, 3, 20, layers=2)
    exact, rounded = (decompose(q, x, y, h_0, layer=layer) for q in (p, p.astype("float32")))
    for name in NAMES:
        true, found = exact.log10_norms(name), rounded.log10_norms(name)
        flows = np.isfinite(true)
        assert (flows == np.isfinite(found)).all()
        assert np.abs(true[flows] - found[flows]).max() < 1e-4
        assert np.abs(exact.cosines(name) - rounded.cosines(name)).max() < 1e-4


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_layers_whose_gradients_differ_by_hundreds_of_decades(dtype: str) -> None:
    """The last layer forgets at once; the first one keeps its state for ever, and its gradient does not vanish."""
    p = elman.Parameters.initialise(5, 4, 6, seed=0, dtype=dtype, activation="tanh", layers=2)
    (above,) = p.above
    p.W_h[:], p.W_e[:] = np.eye(6), 0  # h stays 0, σ' is 1
    above.W_h[:] = 1e-3 * np.eye(6)
    x, y = np.zeros((300, 1), int), np.ones((300, 1), int)
    first, last = (decompose(p, x, y, layer=layer) for layer in (0, 1))
    fade = last.log10_norms("b_1")[299]
    assert fade[0] - fade[299] == pytest.approx(-3 * 299, rel=1e-4)
    kept = first.log10_norms("b_1")[299]
    assert np.abs(kept - kept[299]).max() < 1e-3
    assert np.isfinite(kept).all()
    assert (diagnose(last).verdict, diagnose(first).verdict) == ("vanishing", "healthy")
    assert decay_rate(first) == pytest.approx(1, abs=1e-3)
    assert reach(last) == 0 < 200 < reach(first, "b_1")
    p.W_h[:] = 10 * np.eye(6)
    first = decompose(p, x, y)
    grown = first.log10_norms("b_1")[299]
    assert grown[0] - grown[299] == pytest.approx(299, abs=0.01)
    assert first.shares("b_1").sum() == pytest.approx(1, abs=1e-4)


def test_what_is_derived_from_a_decomposition_is_of_its_layer() -> None:
    p, x, y, h_0 = problem(B=1, T=9, layers=3)
    for layer in range(3):
        flow = decompose(p, x, y, h_0, layer=layer)
        norms = flow.norms("W_h")
        by_lag = np.array([np.diagonal(norms, -k).sum() for k in range(9)])
        held = np.cumsum(by_lag) / by_lag.sum()
        assert reach(flow) == np.flatnonzero(held >= 0.95)[0]
        whole = truncation(flow)[-1]
        assert (whole.norm, whole.lost) == pytest.approx((1, 0), abs=1e-12)
        alone = decompose_loss(p, x, y, h_0, layer=layer)
        for name in QUANTITIES:
            assert alone.log10_norms[name] == pytest.approx(flow.log10_norms(name)[-1], abs=1e-10)
        assert alone.shares["W_h"] == pytest.approx(flow.shares_of_loss("W_h", 8), abs=1e-11)
        numbers = diagnose(flow).numbers
        sigma = [float(np.linalg.norm(each.W_h, 2)) for each in p.layers]
        assert numbers.sigma_max == pytest.approx(sigma[layer], rel=1e-10)
        assert numbers.one_step_bound == pytest.approx(max(sigma[layer:]) / 4, rel=1e-10)
        assert f"layer={layer} of 3" in repr(flow)


@pytest.mark.parametrize("skip", [False, True])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_no_norm_is_over_its_bound(activation: str, skip: bool) -> None:
    p, x, _, h_0 = problem(B=1, T=12, activation=activation, layers=3, skip=skip)
    ids = np.append(x[:, 0], 0)
    for layer in range(3):
        view = View.of(p, ids, [str(k) for k in ids], Subject("a run", ""), h_0=h_0, layer=layer)
        for name in QUANTITIES:
            assert (view.by_lag[name] <= view.bounds[name] + 1e-9).all()
        assert view.as_dict()["layer"] == layer


def test_a_layer_that_is_not_there_is_refused() -> None:
    p, x, y, h_0 = problem(layers=2)
    with pytest.raises(ConfigError, match="layer is 2; it must be a number from 0 to 1"):
        decompose(p, x, y, h_0, layer=2)
    with pytest.raises(ConfigError, match="layer is 1; it must be 0, as the network has one layer"):
        decompose(problem()[0], x, y, layer=1)
