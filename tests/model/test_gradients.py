"""Gradients, proved: complex step → reference → fast path; random directions; identities."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from gradient_checks import relative
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from networks import as_reference, problem

import elman
from elman.config import ACTIVATIONS
from elman.kernels import host_kernels
from elman.model import reference
from elman.model.embedding import Rows
from elman.model.network import DropoutMasks, hidden_states, losses

pytestmark = pytest.mark.usefixtures("every_kernels")
ROUNDING = 1e-13  # of sums of magnitudes
WEIGHTS = ("E", "W_e", "W_h", "b_1", "U", "b_2")


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("name", [*WEIGHTS, "h_0"])
def test_reference_equals_complex_step(name: str, activation: str) -> None:
    p, x, y, h_0 = problem(T=5, activation=activation)
    model = as_reference(p)
    _, gradients = reference.gradients(model, x, y, h_0.T)
    weights = {key: getattr(model, key).astype(complex) for key in WEIGHTS} | {"h_0": h_0.T.astype(complex)}
    found = np.empty(weights[name].shape)
    for index in np.ndindex(found.shape):
        moved = {key: value.copy() for key, value in weights.items()}
        moved[name][index] += 1e-20j
        h = moved.pop("h_0")
        J = sum(reference.forward(reference.ReferenceNetwork(**moved, activation=activation), x, y, h).J)
        found[index] = J.imag / 1e-20
    assert relative(gradients[name], found) <= 1e-12


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_contribution_equals_complex_step(activation: str) -> None:
    """∂J^(t)/∂e^(i), one time step by one: e^(i) is moved alone, through a column of E that only it uses."""
    p, _, y, h_0 = problem(V=13, B=1, T=4, activation=activation)
    x = np.arange(4)[:, None]  # every step has a token of its own
    model = as_reference(p)
    trace = reference.forward(model, x, y, h_0.T)
    for t in range(1, 5):
        for i, terms in enumerate(reference.contributions(model, trace, t), 1):
            found = np.empty((p.d, 1))
            for k in range(p.d):
                E = model.E.astype(complex)
                E[k, x[i - 1, 0]] += 1e-20j
                moved = reference.ReferenceNetwork(E, model.W_e, model.W_h, model.b_1, model.U, model.b_2, activation)
                found[k, 0] = reference.forward(moved, x, y, h_0.T).J[t - 1].imag / 1e-20
            assert relative(terms["e"], found) <= 1e-12


def magnitudes(m: reference.ReferenceNetwork, trace: reference.Trace) -> dict[str, np.ndarray]:
    """What the reference sums, every term of it by its magnitude: rounding is relative to that, and not to a result in
    which the terms cancel.

    ŷ - y becomes ŷ + y; h is what z sums, where it is not 0; J is θ_y and the logarithm of the softmax's sum.
    """
    U, W_h, W_e, b_1, b_2 = (np.abs(w) for w in (m.U, m.W_h, m.W_e, m.b_1, m.b_2))
    h, e = [np.abs(a) for a in trace.h], [np.abs(a) for a in trace.e]
    sums = [h[0], *((W_h @ h[t] + W_e @ e[t] + b_1) * np.sign(h[t + 1]) for t in range(len(e)))]
    total = dict.fromkeys(("J", "E", "W_e", "W_h", "b_1", "U", "b_2"), np.zeros(()))
    later = np.zeros(h[0].T.shape)
    for t in range(len(e), 0, -1):
        x, y = trace.x[t - 1], trace.y[t - 1]
        delta1 = (trace.y_hat[t - 1] + y).T
        delta2 = (delta1 @ U + later) * reference.sigma_prime(h[t], m.activation).T
        here = {
            "J": trace.J[t - 1] + 2 * np.sum(y * (U @ sums[t] + b_2)),
            "U": delta1.T @ sums[t].T, "b_2": delta1.sum(0)[:, None], "W_h": delta2.T @ sums[t - 1].T,
            "W_e": delta2.T @ e[t - 1].T, "b_1": delta2.sum(0)[:, None], "E": W_e.T @ delta2.T @ x.T,
        }  # fmt: skip
        total = {name: value + here[name] for name, value in total.items()}
        later = delta2 @ W_h
    return total | {"h_0": later.T, "h_T": sums[-1]}


def compare(
    p: elman.Parameters, x: np.ndarray, y: np.ndarray, h_0: np.ndarray, wrong: Callable[..., None] | None = None
) -> dict[str, float]:
    """Errors of the fast path against the reference in float64, the largest over the largest of the `magnitudes`;
    `wrong` spoils the fast path's gradients first.
    """
    J, gradients, h_T = elman.loss_and_gradients(p, x, y, h_0)
    model = as_reference(p.astype("float64"))
    true_J, true = reference.gradients(model, x, y, h_0.T.astype(np.float64))
    trace = reference.forward(model, x, y, h_0.T.astype(np.float64))
    scale = magnitudes(model, trace)
    found = {"J": J * x.size, "h_T": h_T.T, "h_0": gradients.h_0.T * x.size}
    for name, value in gradients.distinct():
        dense = (value.dense() if isinstance(value, Rows) else value) * x.size
        found[name] = dense.T if name == "E" else dense[:, None] if dense.ndim == 1 else dense
    if p.tied:
        for each in (true, scale):
            each["U"] = each["U"] + each["E"].T
    if wrong is not None:
        wrong(found, model, trace)
    true |= {"J": true_J, "h_T": trace.h[-1]}
    assert all(np.shape(found[name]) == np.shape(true[name]) for name in found)
    return {name: float(np.abs(found[name] - true[name]).max() / max(scale[name].max(), 1e-30)) for name in found}


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("tie", [False, True])
def test_fast_path_equals_reference_in_float64(activation: str, tie: bool) -> None:
    p, x, y, h_0 = problem(d=7 if tie else 5, activation=activation, tie=tie)
    assert max(compare(p, x, y, h_0).values()) <= ROUNDING


@settings(max_examples=60, deadline=None)
@given(
    V=st.integers(2, 40), d=st.integers(1, 9), Dh=st.integers(1, 9), B=st.integers(1, 5), T=st.integers(1, 12),
    activation=st.sampled_from(ACTIVATIONS), seed=st.integers(0, 999),
)  # fmt: skip
def test_fast_path_equals_reference_at_random_shapes(
    V: int, d: int, Dh: int, B: int, T: int, activation: str, seed: int
) -> None:
    """T = 1, B = 1, V = 2 and repeated tokens are among them."""
    p, x, y, h_0 = problem(V, d, Dh, B, T, activation=activation, seed=seed)
    if activation == "relu":  # at its kink the order of a sum decides which slope is taken: both are right
        forward = hidden_states(p, x, h_0)
        z = forward.h[:-1] @ p.W_h.T + p.E[x] @ p.W_e.T + p.b_1
        assume(np.abs(z).min() > 1e-12)
    assert max(compare(p, x, y, h_0).values()) <= ROUNDING


def test_cancelling_terms_are_no_error() -> None:
    """∂J/∂h^(0) of this problem is 3e-9 of what it sums, so that its last 8 digits are rounding on either path."""
    p, x, y, h_0 = problem(2, 9, 1, 2, 2, activation="relu", seed=2)
    model = as_reference(p)
    summed = magnitudes(model, reference.forward(model, x, y, h_0.T))["h_0"].max()
    assert np.abs(reference.gradients(model, x, y, h_0.T)[1]["h_0"]).max() < 1e-8 * summed
    assert compare(p, x, y, h_0)["h_0"] <= ROUNDING


def a_term_missing(found: dict[str, np.ndarray], model: reference.ReferenceNetwork, trace: reference.Trace) -> None:
    found["W_h"] -= reference.contributions(model, trace, 1)[0]["W_h"]


def a_state_too_late(found: dict[str, np.ndarray], model: reference.ReferenceNetwork, trace: reference.Trace) -> None:
    delta2 = reference.contributions(model, trace, 1)[0]["delta2"]
    found["W_h"] += delta2.T @ (trace.h[1] - trace.h[0]).T


def a_billionth(found: dict[str, np.ndarray], model: reference.ReferenceNetwork, trace: reference.Trace) -> None:
    largest = np.unravel_index(np.abs(found["h_0"]).argmax(), found["h_0"].shape)
    found["h_0"][largest] *= 1 + 1e-9


@pytest.mark.parametrize("wrong", [a_term_missing, a_state_too_late, a_billionth])
@pytest.mark.parametrize("activation", ["sigmoid", "tanh"])
def test_a_wrong_gradient_is_distinguished_from_rounding(wrong: Callable[..., None], activation: str) -> None:
    generator = np.random.default_rng(0)
    for seed in range(100):
        shape = generator.integers((2, 1, 1, 1, 1), (41, 10, 10, 6, 13)).tolist()
        assert max(compare(*problem(*shape, activation=activation, seed=seed), wrong).values()) > ROUNDING


def plain(p: elman.Parameters, x: np.ndarray, y: np.ndarray, h_0: np.ndarray) -> dict[str, np.ndarray]:
    """The reference run in float32: the plain implementation whose error is the measure."""
    weights = as_reference(p)
    total = reference.gradients(weights, x, y, h_0.T.astype(p.dtype))[1]
    return {name: np.asarray(value) / x.size for name, value in total.items()}


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("shape", [(50, 16, 24, 8, 20), (300, 32, 32, 4, 35), (96, 8, 64, 16, 10)])
def test_float32_error_is_at_most_twice_that_of_plain_float32(activation: str, shape: tuple[int, ...]) -> None:
    """Both against float64; a weight's worst entry may err by chance, so the norm of the error is held."""
    p, x, y, h_0 = problem(*shape, activation=activation, dtype="float32")
    _, ours, _ = elman.loss_and_gradients(p, x, y, h_0)
    theirs = plain(p, x, y, h_0)
    _, true, _ = elman.loss_and_gradients(p.astype("float64"), x, y, h_0.astype(np.float64))
    for name in ("W_e", "W_h", "b_1", "U", "b_2", "h_0", "E"):
        exact = getattr(true, name)
        mine, other = getattr(ours, name), theirs[name].T if name in ("E", "h_0") else theirs[name]
        if isinstance(exact, Rows):
            exact, mine = exact.dense(), mine.dense()
        other = other.reshape(exact.shape)
        floor = np.finfo(np.float32).eps * np.linalg.norm(exact)  # half a unit in each last place, or so
        assert np.linalg.norm(mine - exact) <= 2 * np.linalg.norm(other - exact) + floor, name


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_directional_derivative_with_dropout(activation: str) -> None:
    """Central differences along random directions, masks held: the gradient with dropout, which the reference lacks."""
    p, x, y, h_0 = problem(activation=activation)
    masks = DropoutMasks.draw(p, *x.shape, 0.4, np.random.default_rng(5))
    _, gradients, _ = elman.loss_and_gradients(p, x, y, h_0, masks=masks)
    generator = np.random.default_rng(6)
    directions = {name: generator.normal(size=w.shape) for name, w in p.distinct()}
    slope = sum(
        float(((g.dense() if isinstance(g, Rows) else g) * directions[name]).sum()) for name, g in gradients.distinct()
    )

    def J(step: float) -> float:
        moved = elman.Parameters.from_distinct({n: w + step * directions[n] for n, w in p.distinct()}, p.activation)
        return elman.loss_and_gradients(moved, x, y, h_0, masks=masks)[0]

    step = 1e-5
    assert (J(step) - J(-step)) / (2 * step) == pytest.approx(slope, rel=1e-7)


def test_dropout_keeps_the_mean_and_is_off_without_masks() -> None:
    p, *_ = problem(dtype="float32")
    masks = DropoutMasks.draw(p, 200, 50, 0.25, np.random.default_rng(0))
    assert set(np.unique(masks.on_e)) == {np.float32(0), np.float32(1 / 0.75)}
    assert masks.on_h.mean() == pytest.approx(1, abs=0.02)


def test_windows_with_carried_state_give_the_losses_of_one_long_window() -> None:
    p, x, y, h_0 = problem(T=12)
    whole, _ = losses(p, x, y, h_0)
    first, h = losses(p, x[:5], y[:5], h_0)
    second, _ = losses(p, x[5:], y[5:], h)
    np.testing.assert_allclose(np.concatenate([first, second]), whole, rtol=1e-13)


def test_truncation_at_T_is_the_full_gradient_and_shorter_windows_are_not() -> None:
    p, x, y, h_0 = problem(T=12)
    _, full, _ = elman.loss_and_gradients(p, x, y, h_0)
    h, parts = h_0, []
    for window in (slice(0, 6), slice(6, 12)):
        _, g, h = elman.loss_and_gradients(p, x[window], y[window], h)
        parts.append(g)
    truncated = (parts[0].W_h + parts[1].W_h) / 2
    assert relative((parts[0].U + parts[1].U) / 2, full.U) <= 1e-13  # the output layer has no past
    assert relative(truncated, full.W_h) > 1e-6
    # what is missing is exactly what flows over the cut: ∂J(second)/∂h^(6), sent back through the first window
    model = as_reference(p)
    trace = reference.forward(model, x, y, h_0.T)
    over = sum(
        terms["W_h"]
        for t in range(7, 13)
        for i, terms in enumerate(reference.contributions(model, trace, t), 1)
        if i <= 6
    )
    assert relative(truncated + over / x.size, full.W_h) <= 1e-12


def test_sigmoid_network_is_a_tanh_network() -> None:
    """h = (1+g)/2 with g = tanh: W_h/4, W_e/2, b_1/2 + W_h 1/4; U/2, b_2 + U 1/2; and g_0 = 2h_0 - 1."""
    p, x, y, h_0 = problem()
    ones = np.ones(p.Dh)
    tanh = elman.Parameters(
        p.E, p.W_e / 2, p.W_h / 4, p.b_1 / 2 + p.W_h @ ones / 4, p.U / 2, p.b_2 + p.U @ ones / 2, "tanh"
    )
    J, gradients, h_T = elman.loss_and_gradients(p, x, y, h_0)
    J_tanh, gradients_tanh, g_T = elman.loss_and_gradients(tanh, x, y, 2 * h_0 - 1)
    assert J_tanh == pytest.approx(J, rel=1e-14)
    np.testing.assert_allclose((1 + g_T) / 2, h_T, rtol=1e-13)
    assert relative(gradients_tanh.E.dense(), gradients.E.dense()) <= 1e-12
    assert relative(gradients_tanh.W_e / 2, gradients.W_e) <= 1e-12  # the chain rule through W_e/2


def test_uniform_model_has_perplexity_V() -> None:
    p, x, y, _ = problem()
    p.U[:] = 0
    p.b_2[:] = 3.5
    J, _ = losses(p, x, y)
    assert np.exp(J.mean()) == pytest.approx(p.V, rel=1e-14)


def test_huge_logits_neither_overflow_nor_lose_the_gradient() -> None:
    p, x, y, h_0 = problem(dtype="float32")
    p.b_2[:] = 0
    p.b_2[4] = 3e4
    J, gradients, _ = elman.loss_and_gradients(p, x, y, h_0)
    assert np.isfinite(J)
    assert np.isfinite(gradients.norm())


def test_rows_are_summed_before_a_norm() -> None:
    values, tokens = np.array([[1.0], [2.0], [4.0]]), np.array([3, 1, 3])
    for dtype in ("float32", "float64"):
        groups = host_kernels().group(tokens, 5)
        index, sums = groups.index, host_kernels().sum_rows(values.astype(dtype), groups)
        rows = Rows(index, sums, (5, 1))
        assert rows.index.tolist()[:2] == [1, 3]
        assert rows.values.tolist()[:2] == [[2.0], [5.0]]
        assert not rows.values[2:].any()  # a device has as many rows as there are tokens
        assert rows.dense().ravel().tolist() == [0, 2, 0, 5, 0]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"x": np.zeros((3, 2, 2), int)}, "x has shape"),
        ({"y": np.zeros((4, 3), int)}, "y has shape"),
        ({"x": np.full((11, 3), 13)}, "x holds token id 13, expected ids from 0 to 12"),
        ({"y": np.full((11, 3), -1)}, "y holds token id -1"),
        ({"x": np.zeros((11, 3))}, "x holds float64"),
        ({"h_0": np.zeros((2, 7))}, r"h_0 has shape \(2, 7\), expected"),
    ],
)
def test_inputs_that_do_not_fit_are_refused(change: dict[str, np.ndarray], sentence: str) -> None:
    p, x, y, h_0 = problem()
    given = {"x": x, "y": y, "h_0": h_0} | change
    with pytest.raises(elman.ElmanError, match=sentence):
        elman.loss_and_gradients(p, **given)
