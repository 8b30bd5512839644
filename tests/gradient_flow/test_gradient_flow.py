"""The lens compared with the reference, with autodiff, and with networks of known behaviour."""

from __future__ import annotations

import numpy as np
import pytest
from networks import as_reference, problem

import elman
from elman.config import ACTIVATIONS
from elman.gradient_flow import (
    NAMES,
    Trajectory,
    bound,
    cancellation,
    decay_rate,
    decompose,
    decompose_loss,
    diagnose,
    jacobian_singular_values,
    largest_singular_value,
    lyapunov_spectrum,
    norms_by_lag,
    reach,
    saturation,
    spectral_radius,
    truncation,
)
from elman.model import reference


def relative(found: np.ndarray, true: np.ndarray) -> float:
    """The norm of the error over the norm; 0 / 0 is 0."""
    error = np.linalg.norm(found - true)
    return float(error / max(np.linalg.norm(true), 1e-300)) if error else 0.0


def true_terms(p: elman.Parameters, x: np.ndarray, y: np.ndarray, h_0: np.ndarray) -> dict[str, list[list[np.ndarray]]]:
    """The reference's single terms, by name, loss and step, in the shapes of Flow.contribution."""
    model = as_reference(p)
    trace = reference.forward(model, x, y, h_0.T)
    terms = [reference.contributions(model, trace, t) for t in range(1, len(x) + 1)]
    return {
        "W_h": [[each["W_h"] for each in row] for row in terms],
        "W_e": [[each["W_e"] for each in row] for row in terms],
        "b_1": [[each["b_1"][:, 0] for each in row] for row in terms],
        "e": [[each["e"].T for each in row] for row in terms],
        "h": [[each["gamma"] for each in row] for row in terms],
    }


@pytest.mark.parametrize("B", [1, 3])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_contribution_equals_the_reference(activation: str, B: int) -> None:
    p, x, y, h_0 = problem(B=B, activation=activation)
    flow = decompose(p, x, y, h_0)
    for name, terms in true_terms(p, x, y, h_0).items():
        norms, log10_norms, cosines, shares = (
            table(name) for table in (flow.norms, flow.log10_norms, flow.cosines, flow.shares)
        )
        for t, row in enumerate(terms):
            for i, true in enumerate(row):
                assert relative(flow.contribution(name, t, i), true) <= 1e-12
                size = np.linalg.norm(true)
                assert norms[t, i] == pytest.approx(size, rel=1e-11)
                total = flow.total(name)[i] if name in ("e", "h") else flow.total(name)
                along = np.vdot(true, total) / np.linalg.norm(total)
                assert cosines[t, i] == pytest.approx(along / size if size else 0, abs=1e-10)
                assert shares[t, i] == pytest.approx(along / np.linalg.norm(total), abs=1e-10)
        below = np.tri(flow.T, dtype=bool)
        assert (norms[~below] == 0).all()
        assert np.isneginf(log10_norms[~below]).all()
        assert norms[below] == pytest.approx(10 ** log10_norms[below], rel=1e-11)


@pytest.mark.parametrize("B", [1, 3])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_the_contributions_sum_to_the_gradient_of_training(activation: str, B: int) -> None:
    p, x, y, h_0 = problem(B=B, activation=activation)
    flow = decompose(p, x, y, h_0)
    J, gradients, _ = elman.loss_and_gradients(p, x, y, h_0)
    pairs = [(t, i) for t in range(flow.T) for i in range(t + 1)]
    assert flow.trajectory.J.sum() / x.size == pytest.approx(J, rel=1e-13)
    for name in ("W_h", "W_e", "b_1"):
        total = getattr(gradients, name) * x.size  # those of training are means over the tokens
        assert relative(sum(flow.contribution(name, t, i) for t, i in pairs), total) <= 1e-12
        assert relative(flow.total(name), total) <= 1e-12
        assert flow.shares(name).sum() == pytest.approx(1, abs=1e-11)
    for name in ("e", "h"):
        for i in range(flow.T):
            each = sum(flow.contribution(name, t, i) for t in range(i, flow.T))
            assert relative(each, flow.total(name)[i]) <= 1e-12
        assert flow.shares(name).sum(axis=0) == pytest.approx(1, abs=1e-11)


def test_shares_of_one_loss() -> None:
    p, x, y, h_0 = problem()
    flow = decompose(p, x, y, h_0)
    for name in ("W_h", "W_e", "b_1"):
        parts = [flow.contribution(name, 7, i) for i in range(8)]
        whole = sum(parts)
        expected = [np.vdot(part, whole) / np.vdot(whole, whole) for part in parts]
        assert flow.shares_of_loss(name, 7) == pytest.approx(expected, abs=1e-12)
        assert flow.shares_of_loss(name, 7).sum() == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("B", [1, 3])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_contribution_equals_autodiff_with_a_weight_copy_a_step(activation: str, B: int) -> None:
    torch = pytest.importorskip("torch")
    p, x, y, h_0 = problem(B=B, T=8, activation=activation)
    flow = decompose(p, x, y, h_0)
    copies = {name: [torch.tensor(getattr(p, name), requires_grad=True) for _ in x] for name in ("W_h", "W_e", "b_1")}
    copies["e"], copies["h"] = [torch.tensor(p.E[row], requires_grad=True) for row in x], []
    h, losses = torch.tensor(h_0), []
    for i, e in enumerate(copies["e"]):
        z = h @ copies["W_h"][i].T + e @ copies["W_e"][i].T + copies["b_1"][i]
        h = getattr(torch, activation)(z)
        copies["h"].append(h)
        theta = h @ torch.tensor(p.U).T + torch.tensor(p.b_2)
        losses.append(torch.nn.functional.cross_entropy(theta, torch.tensor(y[i]), reduction="sum"))
    for t, loss in enumerate(losses):
        for name in NAMES:
            for i, true in enumerate(torch.autograd.grad(loss, copies[name][: t + 1], retain_graph=True)):
                assert relative(flow.contribution(name, t, i), true.numpy()) <= 1e-12
                assert flow.norms(name)[t, i] == pytest.approx(float(true.norm()), rel=1e-11)


def test_float32_is_as_good_as_float32() -> None:
    p, x, y, h_0 = problem(50, 16, 24, 4, 30)
    exact, rounded = decompose(p, x, y, h_0), decompose(p.astype("float32"), x, y, h_0)
    below = np.tri(30, dtype=bool)
    for name in NAMES:
        difference = exact.log10_norms(name)[below] - rounded.log10_norms(name)[below]
        assert np.abs(difference).max() < 1e-4
        assert np.abs(exact.cosines(name) - rounded.cosines(name)).max() < 1e-4


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize(
    "shape", [(13, 5, 7, 1, 11), (13, 40, 17, 3, 20), (9, 3, 70, 5, 9), (5, 64, 33, 1, 90), (5, 1, 1, 1, 6)]
)
def test_float32_on_every_kernels(every_kernels: str, shape: tuple[int, ...], activation: str) -> None:
    """One native call where there is one, W_e by its triangle or whole; against float64, which goes lag by lag.

    (At B > 1 and Dh = 1 a norm can cancel over the batch, and has half the digits on every backend.)
    """
    p, x, y, h_0 = problem(*shape, activation=activation)
    p = p.astype("float32")
    p.W_e[-1] = p.W_e[0]  # not of full rank
    exact, rounded = decompose(p.astype("float64"), x, y, h_0), decompose(p, x, y, h_0)
    for name in NAMES:
        true, found = exact.log10_norms(name), rounded.log10_norms(name)
        flows = np.isfinite(true)
        assert (flows == np.isfinite(found)).all()
        assert np.abs(true[flows] - found[flows]).max() < 1e-4
        assert np.abs(exact.cosines(name) - rounded.cosines(name)).max() < 1e-4


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("gain", [4 * 10 ** (-300 / 499), 4 * 10 ** (-900 / 499)])
def test_norms_neither_overflow_nor_vanish_over_500_steps(gain: float, dtype: str) -> None:
    """W_h = gain · I, and U that drives every unit the same way: contributions down to 1e-300, and to 1e-900."""
    T, Dh = 500, 6
    p = elman.Parameters.initialise(5, 4, Dh, seed=0, dtype=dtype)
    p.W_h[:], p.W_e[:], p.b_1[:] = gain * np.eye(Dh), 0, -gain / 2  # z = 0, h = 1/2, σ' = 1/4 for ever
    x, y = np.random.default_rng(0).integers(0, 5, (2, T, 1))
    flow = decompose(p, x, y, np.full((1, Dh), 0.5))
    below = np.tri(T, dtype=bool)
    for name in NAMES:
        log10_norms = flow.log10_norms(name)
        assert not np.isnan(log10_norms).any()
        assert not np.isnan(flow.norms(name)).any()
        assert not np.isnan(flow.cosines(name)).any()
        assert not np.isnan(flow.shares(name)).any()
        if name == "e":
            continue  # W_e is 0
        assert np.isfinite(log10_norms[below]).all()
        fade = log10_norms[499, 0] - log10_norms[499, 499]
        assert fade == pytest.approx(499 * np.log10(gain / 4), rel=1e-4 if dtype == "float32" else 1e-10)
    if gain > 1:
        assert (flow.norms("W_h")[below] > 0).all()
    assert decay_rate(flow) == pytest.approx(gain / 4, rel=1e-3 if dtype == "float32" else 1e-10)


def test_a_derivative_that_rounds_to_zero_is_not_zero() -> None:
    """At z = 60, 1 - h is 0 in float64, σ' = e^-60 is not."""
    for activation, slope in (("sigmoid", -60.0), ("tanh", 2 * np.log(2) - 120)):
        p = elman.Parameters.initialise(5, 4, 6, seed=0, dtype="float64", activation=activation)
        p.W_h[:], p.W_e[:], p.b_1[:] = np.eye(6), 0, 59  # and h = 1
        flow = decompose(p, np.zeros((50, 1), int), np.ones((50, 1), int), np.ones((1, 6)))
        assert np.log(decay_rate(flow)) == pytest.approx(slope, rel=1e-12)
        assert diagnose(flow).findings[:2] == ("vanishing", "saturated")


def test_a_growing_gradient_does_not_overflow() -> None:
    """A linear network, h = 0.01^t and then the weights grown: 1e400 and more, past any float64."""
    p = elman.Parameters.initialise(5, 4, 6, seed=0, dtype="float64", activation="tanh")
    p.W_h[:], p.W_e[:] = 10 * np.eye(6), 0  # h stays 0, σ' is 1
    x, y = np.zeros((500, 1), int), np.ones((500, 1), int)
    flow = decompose(p, x, y)
    assert flow.log10_norms("b_1")[499, 0] - flow.log10_norms("b_1")[499, 499] == pytest.approx(499, rel=1e-12)
    assert np.isinf(flow.norms("b_1")[499, 0])
    assert flow.cosines("b_1")[499, 0] == pytest.approx(1)
    assert flow.shares("b_1").sum() == pytest.approx(1, abs=1e-11)
    assert diagnose(flow).verdict == "exploding"


def test_singular_values_of_jacobians_equal_those_of_the_product() -> None:
    for activation in ACTIVATIONS:
        p, x, y, h_0 = problem(activation=activation)
        trajectory = Trajectory.of(p, x, y, h_0)
        found = jacobian_singular_values(trajectory, t=10, sequence=1)
        product = np.eye(p.Dh)
        for k in range(12):
            if k:
                product = product @ (trajectory.slope[10 - k + 1, 1][:, None] * p.W_h)
            true = np.linalg.svd(product, compute_uv=False)
            large = true > 1e-10 * true[0]  # below, the SVD of the product itself is rounding
            assert 10 ** found[k][large] == pytest.approx(true[large], rel=1e-6)
            assert found[k][0] <= np.log10(bound(activation, largest_singular_value(p.W_h), k)) + 1e-12
        assert jacobian_singular_values(trajectory, t=10, lags=[3, 0], sequence=1) == pytest.approx(
            found[[3, 0]], rel=1e-12
        )


def test_singular_values_far_apart_keep_every_digit() -> None:
    """W_h = Q diag(s) Q^T and derivatives of 1: the k-th product has the singular values s^k, from 1 down to 1e-400."""
    s = np.array([1.0, 0.9, 0.5, 0.1, 0.01])
    Q = np.linalg.qr(np.random.default_rng(0).standard_normal((5, 5)))[0]
    p = elman.Parameters.initialise(5, 4, 5, activation="tanh", dtype="float64")
    p.W_h[:], p.W_e[:] = Q @ np.diag(s) @ Q.T, 0
    trajectory = Trajectory.of(p, np.zeros((200, 1), int), np.zeros((200, 1), int))
    found = jacobian_singular_values(trajectory, lags=[1, 20, 200])
    assert found == pytest.approx(np.outer([1, 20, 200], np.log10(s)), rel=1e-9, abs=1e-9)
    assert lyapunov_spectrum(trajectory, skip=100) == pytest.approx(np.log(s), abs=1e-4)
    assert lyapunov_spectrum(trajectory, count=2, skip=100) == pytest.approx(np.log(s[:2]), abs=1e-4)


def test_singular_values_close_together_and_far_apart() -> None:
    """Clusters that differ by 1 % a step, spread over hundreds of orders of magnitude."""
    s = np.array([1.0, 0.99, 0.98, 0.2, 0.199, 0.01, 0.0099, 0.0])
    Q = np.linalg.qr(np.random.default_rng(1).standard_normal((8, 8)))[0]
    p = elman.Parameters.initialise(5, 4, 8, activation="tanh", dtype="float64")
    p.W_h[:], p.W_e[:] = Q @ np.diag(s) @ Q.T, 0
    trajectory = Trajectory.of(p, np.zeros((150, 1), int), np.zeros((150, 1), int))
    found = jacobian_singular_values(trajectory, lags=[10, 60, 150])
    assert found[:, :7] == pytest.approx(np.outer([10, 60, 150], np.log10(s[:7])), rel=1e-7, abs=1e-6)


def test_spectral_radius_and_largest_singular_value_differ() -> None:
    W_h = np.array([[0.5, 100.0], [0.0, 0.5]])
    assert spectral_radius(W_h) == pytest.approx(0.5)
    assert largest_singular_value(W_h) == pytest.approx(100.0025, rel=1e-6)


def test_the_spectral_radius_of_many_units_is_that_of_the_eigenvalues() -> None:
    """Normal and not, with a real and with a complex leading pair, and nilpotent; at any scale."""
    generator = np.random.default_rng(0)
    Q, _ = np.linalg.qr(generator.standard_normal((200, 200)))
    kinds = [Q, generator.standard_normal((200, 200)), np.triu(generator.standard_normal((200, 200)))]
    for A in kinds:
        for scale in (1e-30, 1.0, 1e30):
            true = np.abs(np.linalg.eigvals(A)).max() * scale
            assert spectral_radius(scale * A) == pytest.approx(true, rel=2e-4)
            sigma = np.linalg.norm(A, 2) * scale
            assert largest_singular_value(scale * A) == pytest.approx(sigma, rel=1e-12)
    assert spectral_radius(np.eye(100, k=1)) == 0
    assert largest_singular_value(np.zeros((3, 3))) == 0


def test_reach_truncation_and_cancellation_equal_their_definitions() -> None:
    p, x, y, h_0 = problem()
    flow = decompose(p, x, y, h_0)
    T, full = flow.T, flow.total("W_h")
    norms = flow.norms("W_h")
    by_lag = np.array([np.diagonal(norms, -k).sum() for k in range(T)])
    assert norms_by_lag(flow) == pytest.approx(np.log10(by_lag), abs=1e-11)
    held = np.cumsum(by_lag) / by_lag.sum()
    assert reach(flow) == np.flatnonzero(held >= 0.95)[0]
    assert reach(flow, share=1) == T - 1
    assert cancellation(flow) == pytest.approx(norms.sum() / np.linalg.norm(full), rel=1e-11)
    rows = truncation(flow)
    assert [row.tau for row in rows] == [1, 2, 4, 8, 11]
    assert (rows[-1].norm, rows[-1].lost, rows[-1].angle) == pytest.approx((1, 0, 0), abs=1e-12)
    for row in rows[:-1]:
        pairs = [(t, i) for t in range(T) for i in range(t + 1) if t - i < row.tau]
        part = sum(flow.contribution("W_h", t, i) for t, i in pairs)
        cosine = np.vdot(part, full) / np.linalg.norm(part) / np.linalg.norm(full)
        assert row.norm == pytest.approx(np.linalg.norm(part) / np.linalg.norm(full), rel=1e-11)
        assert row.lost == pytest.approx(relative(part, full), rel=1e-9)
        assert np.cos(np.radians(row.angle)) == pytest.approx(cosine, abs=1e-12)


def test_saturation_is_the_mean_slope() -> None:
    p, x, y, h_0 = problem()
    trajectory = Trajectory.of(p, x, y, h_0)
    found, h = saturation(trajectory), trajectory.h[1:]
    assert found.mean == pytest.approx((h * (1 - h)).mean(), rel=1e-12)
    assert found.by_step == pytest.approx((h * (1 - h)).mean(axis=(1, 2)), rel=1e-12)


def test_one_time_step() -> None:
    p, x, y, h_0 = problem(T=1)
    flow = decompose(p, x, y, h_0)
    assert flow.norms("W_h").shape == (1, 1)
    assert diagnose(flow).verdict == "healthy"
    assert [row.tau for row in truncation(flow)] == [1]


def test_invalid_arguments_are_refused() -> None:
    p, x, y, h_0 = problem(activation="relu")
    flow = decompose(p, x, y, h_0)
    for call, sentence in (
        (lambda: decompose(p, x, y[:2]), "y has shape"),
        (lambda: flow.norms("U"), "name is 'U'; choose one of"),
        (lambda: flow.contribution("W_h", 3, 4), "t, i are 3, 4, expected"),
        (lambda: flow.shares_of_loss("e", 3), "name is 'e'"),
        (lambda: truncation(flow, [12]), "tau is"),
        (lambda: reach(flow, share=95), "share is 95"),
        (lambda: lyapunov_spectrum(flow.trajectory, count=8), "count, skip, sequence are 8"),
        (lambda: jacobian_singular_values(flow.trajectory, lags=[12]), "lags are"),
    ):
        with pytest.raises(elman.ElmanError, match=sentence):
            call()
    p.W_h[:] = np.eye(p.Dh) * 1e60
    p.b_1[:] = 1
    with pytest.raises(elman.ElmanError, match="h is not finite from time step"):
        decompose(p, x, y, h_0)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("scale", [1.0, 1e3, 1e-20])
def test_one_loss_alone_has_the_figures_of_all_together(activation: str, scale: float) -> None:
    p, x, y, h_0 = problem(B=1, activation=activation)
    p.W_h *= scale
    flow, found = decompose(p, x, y, h_0), decompose_loss(p, x, y, h_0)
    t = len(x) - 1
    for name in ("W_h", "W_e", "e", "h"):
        assert found.log10_norms[name] == pytest.approx(flow.log10_norms(name)[t], abs=1e-9)
    for name in ("W_h", "W_e"):
        assert found.shares[name] == pytest.approx(flow.shares_of_loss(name, t), abs=1e-9)
    assert pytest.approx(flow.trajectory.J[t]) == found.J
    norms = 10 ** (found.log10_norms["W_h"] - found.log10_norms["W_h"].max())
    k = found.reach()
    assert norms[t - k :].sum() >= 0.95 * norms.sum() * (1 - 1e-12)
    assert k == 0 or norms[t - k + 1 :].sum() < 0.95 * norms.sum()


def test_one_loss_alone_refuses_what_it_cannot_do() -> None:
    p, x, y, h_0 = problem(B=3)
    with pytest.raises(elman.errors.ShapeError, match="3 sequences"):
        decompose_loss(p, x, y, h_0)
    p, x, y, h_0 = problem(B=1)
    with pytest.raises(elman.errors.ConfigError, match="choose one of"):
        decompose_loss(p, x, y, h_0).reach("U")
