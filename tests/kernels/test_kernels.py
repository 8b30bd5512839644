"""The native kernels against the NumPy backend in float64, every instruction set of this machine forced in turn.

The tolerance of a float32 sum of n products: each is off by at most n ε of the sum of their magnitudes; by random
walk √n ε. Everything here is compared with TOLERANCE of the largest entry, and the depths stay under 5,000.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace

import numpy as np
import pytest

import elman
from elman.errors import ConfigError, ShapeError
from elman.inference.generate import Sampling, choose
from elman.inference.score import State, read
from elman.kernels.numpy_kernels import NumpyKernels
from elman.model.network import log_probabilities

native = pytest.importorskip(
    "elman.kernels.native_kernels", reason="the native kernels were not built", exc_type=ImportError
)
_native = native._native

TOLERANCE = float(np.sqrt(5000) * np.finfo(np.float32).eps / 2)
BF16 = 2**-8  # one operand's relative rounding is 2^-9; two of them make a product
EXACT = NumpyKernels()
MODES = [(name, False) for name in native.instruction_sets()] + [
    (name, True) for name in native.instruction_sets() if name == "avx512_bf16"
]  # an instruction set, and whether bfloat16 products take its own instruction
SHAPES = [(1, 1, 1, 1, 1), (5, 3, 5, 7, 11), (4, 20, 31, 200, 1000), (3, 1, 16, 300, 3000), (6, 33, 64, 128, 96),
          (2, 5, 17, 515, 4100)]  # fmt: skip  # T, B, d, Dh, V


@pytest.fixture(params=MODES, ids=lambda mode: mode[0] + "-paired" * mode[1])
def mode(request: pytest.FixtureRequest) -> Iterator[bool]:
    name, paired = request.param
    before, was = _native.current(), _native.get_bf16_instruction()
    native.use_instruction_set(name)
    _native.set_bf16_instruction(paired)
    yield paired
    native.use_instruction_set(before)
    _native.set_bf16_instruction(was)


@pytest.fixture(params=[1, 2, 3])
def threads(request: pytest.FixtureRequest) -> Iterator[int]:
    before = _native.get_threads()
    native.use_threads(request.param)
    yield request.param
    native.use_threads(before)


def error(found: np.ndarray, expected: np.ndarray) -> float:
    return float(np.abs(found - expected).max() / max(np.abs(expected).max(), 1e-30))


def doubles(*arrays: np.ndarray) -> list[np.ndarray]:
    return [a.astype(np.float64) if a.dtype == np.float32 else a for a in arrays]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("bf16", [False, True])
def test_every_operation(mode: bool, threads: int, shape: tuple[int, ...], bf16: bool) -> None:
    T, B, d, Dh, V = shape
    kernels = native.NativeKernels(bf16)
    tolerance = 4 * BF16 if bf16 else TOLERANCE
    generator = np.random.default_rng(sum(shape))

    def normal(*size: int, scale: float = 1.0) -> np.ndarray:
        return (generator.standard_normal(size) * scale).astype(np.float32)

    for activation in ("sigmoid", "tanh", "relu"):
        u, W_h, h_0, dh = normal(T, B, Dh), normal(Dh, Dh, scale=0.5 * Dh**-0.5), normal(B, Dh), normal(T, B, Dh)
        h = kernels.recurrence(u, W_h, h_0, activation)
        assert error(h, EXACT.recurrence(*doubles(u, W_h, h_0), activation)) < tolerance
        dz = kernels.recurrence_gradient(dh, h, W_h, activation)
        assert error(dz, EXACT.recurrence_gradient(*doubles(dh, h, W_h), activation)) < tolerance
        cut = kernels.recurrence_gradient(dh, h, W_h, activation, 0.5)
        assert error(cut, EXACT.recurrence_gradient(*doubles(dh, h, W_h), activation, 0.5)) < tolerance
        assert np.abs(cut).max() <= 0.5
        chosen = generator.integers(0, T * B, (T, B))  # steps that read rows of a table
        table = u.reshape(-1, Dh)
        found = kernels.recurrence(table, W_h, h_0, activation, chosen)
        assert np.array_equal(found, kernels.recurrence(table[chosen], W_h, h_0, activation))
        assert error(found, EXACT.recurrence(*doubles(table, W_h, h_0), activation, chosen)) < tolerance
    N = T * B
    rows, U, b_2, y = normal(N, Dh), normal(V, Dh, scale=Dh**-0.5), normal(V), generator.integers(0, V, N)
    found = kernels.softmax_cross_entropy(rows, U, b_2, y, 1 / N)
    for mine, exact in zip(found, EXACT.softmax_cross_entropy(*doubles(rows, U, b_2), y, 1 / N), strict=True):
        if np.abs(exact).max() > 1e-12:
            assert error(mine, exact) < tolerance
    assert np.array_equal(kernels.cross_entropy(rows, U, b_2, y), found[0])
    alone = kernels.cross_entropy_gradient(rows, U, b_2, y)
    for mine, exact in zip(alone, EXACT.cross_entropy_gradient(*doubles(rows, U, b_2), y), strict=True):
        assert error(mine, exact) < tolerance
    slope = generator.random((T, B, Dh))
    for mine, exact in zip(kernels.state_gradient(dh, slope, W_h), EXACT.state_gradient(dh, slope, W_h), strict=True):
        assert error(np.asarray(mine), np.asarray(exact)) < 1e-12
    e, W_e, bias = normal(N, d), normal(Dh, d), normal(Dh)
    for a, b, a_t, b_t, added in (
        (e, W_e, False, True, bias), (rows, e, True, False, None), (rows, W_e, False, False, None),
        (rows.T.copy(), U, True, True, None),
    ):  # fmt: skip
        exact = EXACT.product(*doubles(a, b), a_t, b_t, None if added is None else added.astype(np.float64))
        assert error(kernels.product(a, b, a_t, b_t, added), exact) < tolerance
    assert error(kernels.sum_columns(rows), rows.astype(np.float64).sum(axis=0)) < TOLERANCE * np.sqrt(N)
    groups, groups_ = kernels.group(y, V), EXACT.group(y, V)
    for name, mine in vars(groups).items():
        assert np.array_equal(mine, getattr(groups_, name)), name
    assert error(kernels.sum_rows(rows, groups), EXACT.sum_rows(rows.astype(np.float64), groups)) < TOLERANCE


def test_updates(mode: bool, threads: int) -> None:
    kernels, generator = native.NativeKernels(), np.random.default_rng(0)
    w, g, m = (generator.standard_normal((50, 37)).astype(np.float32) for _ in range(3))
    v, rows = np.abs(m) + 0.1, np.array([3, 4, 17, 49])
    for chosen in (None, rows):
        part = g if chosen is None else g[: len(rows)]
        mine, exact = [w.copy(), m.copy(), v.copy()], doubles(w, m, v)
        kernels.adam(mine[0], part, *mine[1:], 0.01, (0.9, 0.999), 1e-8, 0.5, chosen)
        EXACT.adam(exact[0], part.astype(np.float64), *exact[1:], 0.01, (0.9, 0.999), 1e-8, 0.5, chosen)
        kernels.sgd(mine[0], part, 0.1, chosen)
        EXACT.sgd(exact[0], part.astype(np.float64), 0.1, chosen)
        for a, b in zip(mine, exact, strict=True):
            assert error(a, b) < 4 * np.finfo(np.float32).eps
    assert kernels.sum_of_squares(g) == pytest.approx(float((g.astype(np.float64) ** 2).sum()), rel=1e-6)


def test_exp_sigmoid_and_tanh(mode: bool) -> None:
    x = np.linspace(-87, 88, 100001, dtype=np.float32)
    y = np.empty_like(x)
    exact = [np.exp, lambda z: 1 / (1 + np.exp(-z)), lambda z: np.tanh(z / 10)]
    for what, function in enumerate(exact):
        _native.map(what, x / np.float32(10) if what == 2 else x, y)
        expected = function(x.astype(np.float64)) if what < 2 else np.tanh((x / np.float32(10)).astype(np.float64))
        assert np.abs(y - expected).max() <= 1.5e-7 * np.abs(expected).max()
        there = np.abs(expected) > 1e-30
        assert (np.abs(y - expected)[there] / np.abs(expected)[there]).max() < 1.5e-7
    special = np.array([np.nan, np.inf, -np.inf, 0], np.float32)
    out = np.empty_like(special)
    _native.map(1, special, out)
    assert np.isnan(out[0])
    assert out[1] == 1
    assert 0 <= out[2] < 1e-37
    assert out[3] == 0.5
    _native.map(2, special, out)
    assert out[1:].tolist() == [1.0, -1.0, 0.0]


def test_the_same_bits_again(mode: bool) -> None:
    kernels, generator = native.NativeKernels(), np.random.default_rng(1)
    h, U = generator.standard_normal((300, 64), np.float32), generator.standard_normal((5000, 64), np.float32)
    y = generator.integers(0, 5000, 300)
    once = [a.copy() for a in kernels.softmax_cross_entropy(h, U, U[:, 0].copy(), y, 1.0)]
    for _ in range(3):
        again = kernels.softmax_cross_entropy(h, U, U[:, 0].copy(), y, 1.0)
        assert all(np.array_equal(a, b) for a, b in zip(once, again, strict=True))


def test_left_out_blocks_cost_no_more_than_their_threshold() -> None:
    """What is left out of dh[n] is Σ ŷ U over words whose ŷ < τ: at most τ Σ_w |U_w|; of dU[w], at most τ Σ_n |h_n|."""
    generator = np.random.default_rng(2)
    V, Dh, N, tau = 4096, 32, 256, 1e-5
    h, U = generator.standard_normal((N, Dh), np.float32), generator.standard_normal((V, Dh), np.float32) * 0.3
    b_2 = np.linspace(8, -16, V, dtype=np.float32)  # words by frequency: the rare ones last
    y = generator.integers(0, 64, N)
    whole = native.NativeKernels().softmax_cross_entropy(h, U, b_2, y, 1.0)
    kernels = native.NativeKernels(skip_below=tau)
    parts = kernels.softmax_cross_entropy(h, U, b_2, y, 1.0)
    assert 0 < kernels.skipped < kernels.blocks
    assert error(parts[0], whole[0]) < TOLERANCE  # the same sums of exp, taken against other references
    slack = 1e-5
    assert (np.abs(whole[1] - parts[1]) <= tau * np.abs(U).sum(axis=0) + slack).all()
    assert (np.abs(whole[2] - parts[2]) <= tau * np.abs(h).sum(axis=0) + slack).all()
    assert (np.abs(whole[3] - parts[3]) <= tau * N + slack).all()


def test_what_does_not_fit_is_refused() -> None:
    kernels = native.NativeKernels()
    f = np.zeros((4, 3), np.float32)
    y = np.zeros(4, np.int64)
    b = np.zeros(5, np.float32)
    U = np.zeros((5, 3), np.float32)
    for call in (
        lambda: kernels.softmax_cross_entropy(f, U[:, :2], b, y, 1.0),
        lambda: kernels.softmax_cross_entropy(f, U, b[:4], y, 1.0),
        lambda: kernels.softmax_cross_entropy(f, U, b, y + 5, 1.0),
        lambda: kernels.softmax_cross_entropy(f, U, b, y - 1, 1.0),
        lambda: kernels.softmax_cross_entropy(f, U, b, y.astype(float), 1.0),
        lambda: kernels.softmax_cross_entropy(f[:0], U, b, y[:0], 1.0),
        lambda: kernels.softmax_cross_entropy(f, U.astype(np.float64), b, y, 1.0),
        lambda: kernels.recurrence(np.zeros((2, 4, 3), np.float32), U, f, "tanh"),
        lambda: kernels.recurrence(np.zeros((0, 4, 3), np.float32), f[:3], f, "tanh"),
        lambda: kernels.recurrence(f, f[:3], f, "tanh", np.full((2, 4), 4)),
        lambda: kernels.recurrence(f, f[:3], f, "tanh", np.zeros((2, 3), np.int64)),
        lambda: kernels.group(y + 5, 5),
        lambda: kernels.sum_rows(f[:3], kernels.group(y, 5)),
        lambda: kernels.recurrence_gradient(np.ones((2, 4, 3), np.float32), np.ones((2, 4, 3)), f[:3], "tanh"),
        lambda: kernels.product(f, f),
        lambda: kernels.sgd(f, U, 0.1),
        lambda: kernels.sgd(f, f[:1], 0.1, np.array([4])),
    ):  # fmt: skip
        with pytest.raises(ShapeError):
            call()
    with pytest.raises(ConfigError):
        native.use_instruction_set("abacus")
    with pytest.raises(ConfigError):
        native.use_threads(0)


def test_strides_are_followed_and_nan_is_passed_on() -> None:
    kernels, generator = native.NativeKernels(), np.random.default_rng(3)
    a = generator.standard_normal((20, 30), np.float32)
    assert np.allclose(kernels.product(a[::2, ::3], a[5:15, 10:20].T), a[::2, ::3] @ a[5:15, 10:20].T, atol=1e-4)
    a[7, 7] = np.nan
    J = kernels.cross_entropy(a, np.ones((9, 30), np.float32), np.zeros(9, np.float32), np.zeros(20, np.int64))
    assert np.isnan(J).tolist() == [k == 7 for k in range(20)]


def test_an_output_in_use_is_not_written_again() -> None:
    kernels = native.NativeKernels()
    a = np.ones((600, 600), np.float32)
    first = kernels.product(a, a)
    view = first[3]
    second = kernels.product(a, 2 * a)
    del first
    third = kernels.product(a, 3 * a)
    assert (view == 600).all()
    assert (second == 1200).all()
    assert (third == 1800).all()


@pytest.mark.parametrize(("V", "Dh"), [(5, 3), (96, 512), (3000, 40)])
@pytest.mark.parametrize("limits", [(0, 1.0), (7, 1.0), (0, 0.8), (20, 0.9)], ids=str)
def test_tokens_are_drawn_as_one_by_one(mode: bool, threads: int, V: int, Dh: int, limits: tuple[int, float]) -> None:
    """The kernel and the plain loop take the same tokens from the same uniform numbers."""
    p = elman.Parameters.initialise(V, 6, Dh, seed=V)
    p.U *= 4
    exact = p.astype("float64")
    kernels, generator = native.NativeKernels(), np.random.default_rng(5)
    inputs = kernels.product(p.E, p.W_e, b_transposed=True, bias=p.b_1)
    sampler = kernels.sampler(inputs, p.W_h, p.U, p.b_2, p.activation)
    h, uniform = np.zeros(Dh, np.float32), generator.random(40)
    drawn = sampler.draw(h, 1, uniform, 0.7, *limits, 2)
    state, last = State(exact.initial_state(1)), 1
    sampling = Sampling(temperature=0.7, top_k=limits[0], top_p=limits[1])
    for token, number in zip(drawn, uniform, strict=True):
        state = read(exact, state, [last])
        log_probs = log_probabilities(exact, state.h[0])
        log_probs[2] = -np.inf
        last = choose(log_probs, sampling, SimpleNamespace(random=lambda number=number: number))
        assert token == last
    assert error(h, state.h[0]) < TOLERANCE
