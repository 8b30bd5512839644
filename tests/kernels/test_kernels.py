"""The native kernels against the NumPy kernels in float64: one test an operation, with every instruction set here.

The error of a float32 sum of n products is at most n ε times the sum of their magnitudes, and √n ε times in a random
walk. Results here may differ by TOLERANCE times the largest entry; no sum has more than 5,000 terms.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from types import SimpleNamespace

import numpy as np
import pytest
import tile_emulator

import elman
from elman.errors import ConfigError, ShapeError
from elman.inference.generate import Sampling, choose
from elman.inference.predictor import NetworkPredictor
from elman.kernels.numpy_kernels import NumpyKernels

native = pytest.importorskip(
    "elman.kernels.native_kernels", reason="the native kernels were not built", exc_type=ImportError
)
_native = native._native

TOLERANCE = float(np.sqrt(5000) * np.finfo(np.float32).eps / 2)
BF16 = 2**-8  # one operand's relative rounding is 2^-9; two of them make a product
EXACT = NumpyKernels()
INSTRUCTION_SETS = [(name, False) for name in native.instruction_sets()] + [
    (name, True) for name in native.instruction_sets() if name.startswith("avx512_bf16")
]
"""Names, and whether bfloat16 products use the instruction that multiplies pairs or tiles of them."""
EMULATED = [
    (tile_emulator.NAME, True)
    for name in _native.compiled()
    if name == tile_emulator.NAME and name not in native.instruction_sets() and not tile_emulator.why_not(_native)
]
"""Tiles in software, where the processor has none; the other kernels of this set are those of avx512_bf16."""
ACTIVATIONS = ("sigmoid", "tanh", "relu")


@dataclass(frozen=True)
class Shape:
    T: int
    B: int
    d: int
    Dh: int
    V: int

    def __str__(self) -> str:
        return f"T{self.T}_B{self.B}_d{self.d}_Dh{self.Dh}_V{self.V}"

    @property
    def N(self) -> int:
        return self.T * self.B


SHAPES = [Shape(1, 1, 1, 1, 1), Shape(5, 3, 5, 7, 11), Shape(4, 20, 31, 200, 1000), Shape(3, 1, 16, 300, 3000),
          Shape(6, 33, 64, 128, 96), Shape(2, 5, 17, 515, 4100)]  # fmt: skip

every_shape = pytest.mark.parametrize("shape", SHAPES, ids=str)
every_activation = pytest.mark.parametrize("activation", ACTIVATIONS)
every_precision = pytest.mark.parametrize("bf16", [False, True], ids=["float32", "bf16"])


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "instruction_set" in metafunc.fixturenames:
        choices = INSTRUCTION_SETS + EMULATED * ("bf16" in metafunc.fixturenames)
        names = [name + "_pairs" * pairs for name, pairs in choices]
        metafunc.parametrize("instruction_set", choices, ids=names, indirect=True)


@pytest.fixture
def instruction_set(request: pytest.FixtureRequest) -> Iterator[str]:
    name, pairs = request.param
    if name not in native.instruction_sets():
        tile_emulator.load()
    name_before, pairs_before = _native.current(), _native.get_bf16_instruction()
    native.use_instruction_set(name)
    _native.set_bf16_instruction(pairs)
    yield name
    native.use_instruction_set(name_before)
    _native.set_bf16_instruction(pairs_before)


@pytest.fixture(params=[1, 2, 3], ids="{}_threads".format)
def threads(request: pytest.FixtureRequest) -> Iterator[int]:
    before = _native.get_threads()
    native.use_threads(request.param)
    yield request.param
    native.use_threads(before)


def error(given: np.ndarray, expected: np.ndarray) -> float:
    """The largest difference, over the largest entry of what is expected."""
    return float(np.abs(given - expected).max() / max(np.abs(expected).max(), 1e-30))


def tolerance(bf16: bool) -> float:
    return 4 * BF16 if bf16 else TOLERANCE


def doubles(*arrays: np.ndarray) -> list[np.ndarray]:
    return [a.astype(np.float64) if a.dtype == np.float32 else a for a in arrays]


class Operands:
    """Random operands of one shape, float32, with the results of the NumPy kernels in float64."""

    def __init__(self, shape: Shape) -> None:
        self.generator = np.random.default_rng(shape.T + shape.B + shape.d + shape.Dh + shape.V)
        T, B, d, Dh, V, N = shape.T, shape.B, shape.d, shape.Dh, shape.V, shape.N
        self.u, self.h_0, self.dh = self.normal(T, B, Dh), self.normal(B, Dh), self.normal(T, B, Dh)
        self.W_h = self.normal(Dh, Dh, scale=0.5 * Dh**-0.5)
        self.rows = self.generator.integers(0, N, (T, B))
        self.h, self.U, self.b_2 = self.normal(N, Dh), self.normal(V, Dh, scale=Dh**-0.5), self.normal(V)
        self.y = self.generator.integers(0, V, N)
        self.e, self.W_e, self.b_1 = self.normal(N, d), self.normal(Dh, d), self.normal(Dh)
        self.derivative = self.generator.random((T, B, Dh))

    def normal(self, *size: int, scale: float = 1.0) -> np.ndarray:
        return (self.generator.standard_normal(size) * scale).astype(np.float32)

    @cache  # noqa: B019  # of the few operands that live as long as the tests
    def states(self, activation: str) -> np.ndarray:
        return EXACT.recurrence(*doubles(self.u, self.W_h, self.h_0), activation)

    @cache  # noqa: B019
    def states_from_table(self, activation: str) -> np.ndarray:
        table = self.u.reshape(-1, self.u.shape[-1])
        return EXACT.recurrence(*doubles(table, self.W_h, self.h_0), activation, self.rows)

    @cache  # noqa: B019
    def state_errors(self, activation: str, limit: float) -> np.ndarray:
        h = self.states(activation).astype(np.float32)
        return EXACT.recurrence_gradient(*doubles(self.dh, h, self.W_h), activation, limit)

    @cache  # noqa: B019
    def softmax(self) -> tuple[np.ndarray, ...]:
        return EXACT.softmax_cross_entropy(*doubles(self.h, self.U, self.b_2), self.y, 1 / len(self.y))

    @cache  # noqa: B019
    def loss_gradient(self) -> tuple[np.ndarray, ...]:
        return EXACT.cross_entropy_gradient(*doubles(self.h, self.U, self.b_2), self.y)


@cache
def operands(shape: Shape) -> Operands:
    return Operands(shape)


@every_shape
@every_precision
@every_activation
def test_recurrence(instruction_set: str, threads: int, shape: Shape, bf16: bool, activation: str) -> None:
    x = operands(shape)
    h = native.NativeKernels(bf16).recurrence(x.u, x.W_h, x.h_0, activation)
    assert error(h, x.states(activation)) < tolerance(bf16)


@every_shape
@every_precision
@every_activation
def test_recurrence_from_a_table(instruction_set: str, threads: int, shape: Shape, bf16: bool, activation: str) -> None:
    """Steps that read rows of u: the same bits as with the rows copied."""
    x, kernels = operands(shape), native.NativeKernels(bf16)
    table = x.u.reshape(-1, shape.Dh)
    h = kernels.recurrence(table, x.W_h, x.h_0, activation, x.rows)
    assert np.array_equal(h, kernels.recurrence(table[x.rows], x.W_h, x.h_0, activation))
    assert error(h, x.states_from_table(activation)) < tolerance(bf16)


@every_shape
@every_precision
@every_activation
def test_recurrence_gradient(instruction_set: str, threads: int, shape: Shape, bf16: bool, activation: str) -> None:
    x = operands(shape)
    h = x.states(activation).astype(np.float32)
    dz = native.NativeKernels(bf16).recurrence_gradient(x.dh, h, x.W_h, activation)
    assert error(dz, x.state_errors(activation, 0.0)) < tolerance(bf16)


@every_shape
@every_precision
@every_activation
def test_recurrence_gradient_with_a_limit(
    instruction_set: str, threads: int, shape: Shape, bf16: bool, activation: str
) -> None:
    x = operands(shape)
    h = x.states(activation).astype(np.float32)
    dz = native.NativeKernels(bf16).recurrence_gradient(x.dh, h, x.W_h, activation, 0.5)
    assert error(dz, x.state_errors(activation, 0.5)) < tolerance(bf16)
    assert np.abs(dz).max() <= 0.5


@every_shape
@every_precision
def test_softmax_cross_entropy(instruction_set: str, threads: int, shape: Shape, bf16: bool) -> None:
    x = operands(shape)
    given = native.NativeKernels(bf16).softmax_cross_entropy(x.h, x.U, x.b_2, x.y, 1 / shape.N)
    for name, array, exact in zip(("J", "dh", "dU", "db_2"), given, x.softmax(), strict=True):
        if np.abs(exact).max() > 1e-12:
            assert error(array, exact) < tolerance(bf16), name


@every_shape
@every_precision
def test_cross_entropy(instruction_set: str, threads: int, shape: Shape, bf16: bool) -> None:
    """J alone: the same bits as with the gradients."""
    x, kernels = operands(shape), native.NativeKernels(bf16)
    J = kernels.cross_entropy(x.h, x.U, x.b_2, x.y)
    assert np.array_equal(J, kernels.softmax_cross_entropy(x.h, x.U, x.b_2, x.y, 1 / shape.N)[0])


@every_shape
@every_precision
def test_cross_entropy_gradient(instruction_set: str, threads: int, shape: Shape, bf16: bool) -> None:
    x = operands(shape)
    given = native.NativeKernels(bf16).cross_entropy_gradient(x.h, x.U, x.b_2, x.y)
    for name, array, exact in zip(("J", "dh"), given, x.loss_gradient(), strict=True):
        if np.abs(exact).max() > 1e-12:
            assert error(array, exact) < tolerance(bf16), name


@every_shape
@every_precision
@pytest.mark.parametrize("form", ["A_Bt_plus_bias", "At_B", "A_B", "At_Bt"])
def test_product(instruction_set: str, threads: int, shape: Shape, bf16: bool, form: str) -> None:
    x = operands(shape)
    a, b, a_transposed, b_transposed, bias = {
        "A_Bt_plus_bias": (x.e, x.W_e, False, True, x.b_1),
        "At_B": (x.h, x.e, True, False, None),
        "A_B": (x.h, x.W_e, False, False, None),
        "At_Bt": (x.h.T.copy(), x.U, True, True, None),
    }[form]
    exact = EXACT.product(*doubles(a, b), a_transposed, b_transposed, None if bias is None else bias.astype(np.float64))
    assert error(native.NativeKernels(bf16).product(a, b, a_transposed, b_transposed, bias), exact) < tolerance(bf16)


@every_shape
def test_state_gradient(instruction_set: str, threads: int, shape: Shape) -> None:
    x = operands(shape)
    given = native.NativeKernels().state_gradient(x.dh, x.derivative, x.W_h)
    exact = EXACT.state_gradient(x.dh, x.derivative, x.W_h)
    for name, array, expected in zip(("gamma", "dz", "exponent"), given, exact, strict=True):
        assert error(np.asarray(array), np.asarray(expected)) < 1e-12, name


@every_shape
def test_sum_columns(instruction_set: str, threads: int, shape: Shape) -> None:
    h = operands(shape).h
    exact = h.astype(np.float64).sum(axis=0)
    assert error(native.NativeKernels().sum_columns(h), exact) < TOLERANCE * np.sqrt(shape.N)


@every_shape
def test_group(shape: Shape) -> None:
    y = operands(shape).y
    given, expected = native.NativeKernels().group(y, shape.V), EXACT.group(y, shape.V)
    for name, array in vars(given).items():
        assert np.array_equal(array, getattr(expected, name)), name


@every_shape
def test_sum_rows(instruction_set: str, threads: int, shape: Shape) -> None:
    x, kernels = operands(shape), native.NativeKernels()
    groups = kernels.group(x.y, shape.V)
    exact = EXACT.sum_rows(x.h.astype(np.float64), groups)
    assert error(kernels.sum_rows(x.h, groups), exact) < TOLERANCE


@pytest.mark.parametrize("rows", [None, np.array([3, 4, 17, 49])], ids=["all", "some_rows"])
@pytest.mark.parametrize("update", ["sgd", "adam"])
def test_update(instruction_set: str, threads: int, update: str, rows: np.ndarray | None) -> None:
    kernels, generator = native.NativeKernels(), np.random.default_rng(0)
    w, g, m = (generator.standard_normal((50, 37)).astype(np.float32) for _ in range(3))
    v = np.abs(m) + 0.1
    part = g if rows is None else g[: len(rows)]
    given, exact = [w.copy(), m.copy(), v.copy()], doubles(w, m, v)
    if update == "adam":
        kernels.adam(given[0], part, *given[1:], 0.01, (0.9, 0.999), 1e-8, 0.5, rows)
        EXACT.adam(exact[0], part.astype(np.float64), *exact[1:], 0.01, (0.9, 0.999), 1e-8, 0.5, rows)
    else:
        kernels.sgd(given[0], part, 0.1, rows)
        EXACT.sgd(exact[0], part.astype(np.float64), 0.1, rows)
    for name, array, expected in zip("wmv", given, exact, strict=True):
        assert error(array, expected) < 4 * np.finfo(np.float32).eps, name


def test_sum_of_squares(instruction_set: str, threads: int) -> None:
    g = np.random.default_rng(0).standard_normal((50, 37)).astype(np.float32)
    expected = float((g.astype(np.float64) ** 2).sum())
    assert native.NativeKernels().sum_of_squares(g) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("function", ["exp", "sigmoid", "tanh"])
def test_vector_function(instruction_set: str, function: str) -> None:
    x = np.linspace(-87, 88, 100001, dtype=np.float32)
    if function == "tanh":
        x /= np.float32(10)
    y = np.empty_like(x)
    _native.map(["exp", "sigmoid", "tanh"].index(function), x, y)
    z = x.astype(np.float64)
    expected = {"exp": np.exp, "sigmoid": lambda z: 1 / (1 + np.exp(-z)), "tanh": np.tanh}[function](z)
    assert np.abs(y - expected).max() <= 1.5e-7 * np.abs(expected).max()
    normal = np.abs(expected) > 1e-30
    assert (np.abs(y - expected)[normal] / np.abs(expected)[normal]).max() < 1.5e-7


def test_vector_functions_of_special_numbers(instruction_set: str) -> None:
    special = np.array([np.nan, np.inf, -np.inf, 0], np.float32)
    out = np.empty_like(special)
    _native.map(1, special, out)
    assert np.isnan(out[0])
    assert out[1] == 1
    assert 0 <= out[2] < 1e-37
    assert out[3] == 0.5
    _native.map(2, special, out)
    assert out[1:].tolist() == [1.0, -1.0, 0.0]


@every_precision
def test_products_and_recurrences_repeat_the_same_bits(instruction_set: str, threads: int, bf16: bool) -> None:
    x, kernels = operands(Shape(6, 33, 64, 128, 96)), native.NativeKernels(bf16)

    def run() -> list[bytes]:
        h = kernels.recurrence(x.u, x.W_h, x.h_0, "tanh")
        given = [
            h, kernels.recurrence_gradient(x.dh, h, x.W_h, "tanh"), kernels.product(x.h, x.W_e),
            kernels.product(x.h, x.e, a_transposed=True), kernels.product(x.e, x.W_e, b_transposed=True),
        ]  # fmt: skip
        return [array.tobytes() for array in given]

    once = run()
    assert all(run() == once for _ in range(3))


@every_precision
def test_softmax_repeats_the_same_bits(instruction_set: str, bf16: bool) -> None:
    kernels, generator = native.NativeKernels(bf16), np.random.default_rng(1)
    h, U = generator.standard_normal((300, 64), np.float32), generator.standard_normal((5000, 64), np.float32)
    y = generator.integers(0, 5000, 300)
    once = [a.copy() for a in kernels.softmax_cross_entropy(h, U, U[:, 0].copy(), y, 1.0)]
    for _ in range(3):
        again = kernels.softmax_cross_entropy(h, U, U[:, 0].copy(), y, 1.0)
        assert all(np.array_equal(a, b) for a, b in zip(once, again, strict=True))


@every_precision
def test_softmax_of_words_that_outweigh_all_before(instruction_set: str, threads: int, bf16: bool) -> None:
    """The reference of the exp, from the first tiles of words, would let the sums of later ones overflow."""
    generator = np.random.default_rng(4)
    V, Dh, N = 3000, 40, 70
    h, U = generator.standard_normal((N, Dh), np.float32), generator.standard_normal((V, Dh), np.float32) * 0.1
    h[:, 0], U[:, 0] = np.linspace(0, 2, N), 0  # words count by tokens: some outweigh, some do not
    U[700, 0], U[1500:1510, 0], U[2900, 0] = 45, 125, 200
    b_2, y = generator.standard_normal(V).astype(np.float32), generator.integers(0, V, N)
    y[::3] = 2900
    given = native.NativeKernels(bf16).softmax_cross_entropy(h, U, b_2, y, 1 / N)
    exact = EXACT.softmax_cross_entropy(*doubles(h, U, b_2), y, 1 / N)
    for name, array, expected in zip(("J", "dh", "dU", "db_2"), given, exact, strict=True):
        assert error(array, expected) < tolerance(bf16), name


@every_precision
def test_softmax_in_chunks(instruction_set: str, threads: int, bf16: bool) -> None:
    """Where the threads share the tokens, they take 512 each at a time."""
    generator = np.random.default_rng(6)
    h, U = generator.standard_normal((1700, 16), np.float32), generator.standard_normal((200, 16), np.float32)
    b_2, y = generator.standard_normal(200).astype(np.float32), generator.integers(0, 200, 1700)
    given = native.NativeKernels(bf16).softmax_cross_entropy(h, U, b_2, y, 1 / 1700)
    exact = EXACT.softmax_cross_entropy(*doubles(h, U, b_2), y, 1 / 1700)
    for name, array, expected in zip(("J", "dh", "dU", "db_2"), given, exact, strict=True):
        assert error(array, expected) < tolerance(bf16), name


@every_precision
def test_softmax_without_negligible_blocks_is_within_its_bound(instruction_set: str, threads: int, bf16: bool) -> None:
    """What dh[n] lacks is Σ ŷ U over words whose ŷ < τ: at most τ Σ_w |U_w|; of dU[w], at most τ Σ_n |h_n|."""
    generator = np.random.default_rng(2)
    V, Dh, N, tau = 4096, 32, 256, 1e-5
    h, U = generator.standard_normal((N, Dh), np.float32), generator.standard_normal((V, Dh), np.float32) * 0.3
    b_2 = np.linspace(8, -16, V, dtype=np.float32)  # words by frequency: the rare ones come last
    y = generator.integers(0, 64, N)
    whole = native.NativeKernels(bf16).softmax_cross_entropy(h, U, b_2, y, 1.0)
    kernels = native.NativeKernels(bf16, skip_below=tau)
    parts = kernels.softmax_cross_entropy(h, U, b_2, y, 1.0)
    assert 0 < kernels.skipped < kernels.blocks
    assert error(parts[0], whole[0]) < TOLERANCE  # the same sums of exp, with other references
    slack = [BF16 * np.abs(array).max() if bf16 else 1e-5 for array in whole]  # exp of other references is rounded
    assert (np.abs(whole[1] - parts[1]) <= tau * np.abs(U).sum(axis=0) + slack[1]).all()
    assert (np.abs(whole[2] - parts[2]) <= tau * np.abs(h).sum(axis=0) + slack[2]).all()
    assert (np.abs(whole[3] - parts[3]) <= tau * N + slack[3]).all()


def test_wrong_shapes_types_and_ids_are_refused() -> None:
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


def test_strided_operands_and_nan() -> None:
    kernels, generator = native.NativeKernels(), np.random.default_rng(3)
    a = generator.standard_normal((20, 30), np.float32)
    assert np.allclose(kernels.product(a[::2, ::3], a[5:15, 10:20].T), a[::2, ::3] @ a[5:15, 10:20].T, atol=1e-4)
    a[7, 7] = np.nan
    J = kernels.cross_entropy(a, np.ones((9, 30), np.float32), np.zeros(9, np.float32), np.zeros(20, np.int64))
    assert np.isnan(J).tolist() == [k == 7 for k in range(20)]


def test_an_output_in_use_is_not_overwritten() -> None:
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
@pytest.mark.parametrize("B", [1, 2, 3, 17, 40])
def test_draw_each(instruction_set: str, threads: int, V: int, Dh: int, B: int) -> None:
    """Texts that are drawn together are, bit for bit, those that are drawn alone."""
    p = elman.Parameters.initialise(V, 6, Dh, seed=V)
    p.U *= 4
    kernels, generator = native.NativeKernels(), np.random.default_rng(5)
    inputs = kernels.product(p.E, p.W_e, b_transposed=True, bias=p.b_1)
    sampler = kernels.sampler(inputs, p.W_h, p.U, p.b_2, p.activation)
    steps, before = 6, generator.integers(0, V, B)
    uniform, h_0 = generator.random((steps, B)), generator.standard_normal((B, Dh)).astype(np.float32)
    temperature, top_p = generator.choice([0, 0.7, 1.5], B), generator.choice([0.8, 1.0], B)
    top_k, banned = generator.choice([0, 3], B), generator.choice([-1, 2], B)
    h, tokens = h_0.copy(), [before]
    for of_step in uniform:
        tokens.append(sampler.draw_each(h, tokens[-1], of_step, temperature, top_k, top_p, banned))
    for b in range(B):
        alone, limits = h_0[b].copy(), (float(temperature[b]), int(top_k[b]), float(top_p[b]), int(banned[b]))
        drawn = sampler.draw(alone, int(before[b]), np.ascontiguousarray(uniform[:, b]), *limits)
        assert drawn.tolist() == [int(of_step[b]) for of_step in tokens[1:]]
        assert (alone == h[b]).all()


@pytest.mark.parametrize(("V", "Dh"), [(5, 3), (96, 512), (3000, 40)])
@pytest.mark.parametrize("limits", [(0, 1.0), (7, 1.0), (0, 0.8), (20, 0.9)], ids=str)
def test_draw(instruction_set: str, threads: int, V: int, Dh: int, limits: tuple[int, float]) -> None:
    """The kernel draws the same tokens as the plain loop from the same uniform numbers."""
    p = elman.Parameters.initialise(V, 6, Dh, seed=V)
    p.U *= 4
    exact = p.astype("float64")
    kernels, generator = native.NativeKernels(), np.random.default_rng(5)
    inputs = kernels.product(p.E, p.W_e, b_transposed=True, bias=p.b_1)
    sampler = kernels.sampler(inputs, p.W_h, p.U, p.b_2, p.activation)
    h, uniform = np.zeros(Dh, np.float32), generator.random(40)
    drawn = sampler.draw(h, 1, uniform, 0.7, *limits, 2)
    network = NetworkPredictor(exact, 1)
    state = network.begin()
    sampling = Sampling(temperature=0.7, top_k=limits[0], top_p=limits[1])
    for token, number in zip(drawn, uniform, strict=True):
        log_probs = network.next(state)
        log_probs[2] = -np.inf
        assert token == choose(log_probs, sampling, SimpleNamespace(random=lambda number=number: number))
        state = network.after(state, [token])
    assert error(h, state.h[0]) < TOLERANCE
