"""The kernels on PyTorch, on a CPU: each operation against NumPy's in float64, and the numerical tests of gradients.

The tests named below are those of test_gradients.py, test_layers.py and test_adaptive.py, run again with every array a
tensor.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import fields
from typing import Any

import numpy as np
import pytest
import test_gradients
from networks import problem
from test_adaptive import test_a_tail_that_does_not_occur_has_no_gradient  # noqa: F401
from test_adaptive import test_central_differences as test_central_differences_of_tails  # noqa: F401
from test_adaptive import test_fast_path_equals_reference_in_float64 as test_tails_equal_the_reference  # noqa: F401
from test_adaptive import test_float32_error_is_at_most_twice_that_of_plain_float32 as test_tails_in_float32  # noqa: F401
from test_gradients import (  # noqa: F401  # collected here once more
    test_cancelling_terms_are_no_error,
    test_directional_derivative_with_dropout,
    test_dropout_keeps_the_mean_and_is_off_without_masks,
    test_fast_path_equals_reference_at_random_shapes,
    test_fast_path_equals_reference_in_float64,
    test_float32_error_is_at_most_twice_that_of_plain_float32,
    test_huge_logits_neither_overflow_nor_lose_the_gradient,
    test_inputs_that_do_not_fit_are_refused,
    test_rows_are_summed_before_a_norm,
    test_sigmoid_network_is_a_tanh_network,
    test_truncation_at_T_is_the_full_gradient_and_shorter_windows_are_not,
    test_uniform_model_has_perplexity_V,
    test_windows_with_carried_state_give_the_losses_of_one_long_window,
)
from test_layers import test_central_differences as test_central_differences_of_layers  # noqa: F401
from test_layers import test_dropout_acts_on_what_each_layer_reads  # noqa: F401
from test_layers import test_fast_path_equals_reference_in_float64 as test_layers_equal_the_reference  # noqa: F401
from test_layers import test_float32_error_is_at_most_twice_that_of_plain_float32 as test_layers_in_float32  # noqa: F401

import elman
from elman.config import ACTIVATIONS, TrainingConfig
from elman.errors import ShapeError
from elman.kernels import Groups, device_kernels, host_kernels, numpy_kernels
from elman.model import bptt, network
from elman.model.embedding import Embedded, Rows
from elman.model.network import DropoutMasks, Forward
from elman.model.output.gradients import TailWeights
from elman.model.parameters import Gradients, LayerWeights, Parameters
from elman.training.optimizer import make_optimizer

torch = pytest.importorskip("torch", reason="PyTorch is not installed", exc_type=ImportError)

EXACT = numpy_kernels.NumpyKernels()
TORCH = device_kernels("cpu")
TOLERANCE = {"float32": float(np.sqrt(5000) * np.finfo(np.float32).eps / 2), "float64": 1e-12}  # as in test_kernels.py
SHAPES = [(1, 1, 1, 1, 1), (5, 3, 5, 7, 11), (4, 20, 31, 200, 1000), (2, 5, 17, 515, 4100)]  # T, B, d, Dh, V


def hosted(value: Any) -> Any:
    """Tensors as arrays, wherever they are in a result."""
    if isinstance(value, torch.Tensor):
        return TORCH.host(value)
    if isinstance(value, tuple | list):
        return type(value)(map(hosted, value))
    if isinstance(value, (Gradients, LayerWeights, TailWeights, Rows, Forward, Embedded, Groups)):
        return type(value)(**{field.name: hosted(getattr(value, field.name)) for field in fields(value)})
    return host_kernels() if value is TORCH else value


@pytest.fixture(autouse=True, scope="module")
def on_torch() -> Iterator[None]:
    """What test_gradients.py calls goes by way of tensors and back."""

    def by_tensors(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(p: Parameters, *arrays: Any, masks: DropoutMasks | None = None, **named: Any) -> Any:
            more = {}
            if masks:
                between = tuple(map(TORCH.array, masks.between))
                more = {"masks": DropoutMasks(TORCH.array(masks.on_e), TORCH.array(masks.on_h), between)}
            found = function(p.on(TORCH), *arrays, **named, **more)
            assert isinstance(found[-1] if isinstance(found, tuple) else found.h, torch.Tensor)
            return hosted(found)

        return call

    class Sums:
        @staticmethod
        def group(tokens: np.ndarray, V: int) -> Groups:
            return hosted(TORCH.group(tokens, V))

        @staticmethod
        def sum_rows(values: np.ndarray, groups: Groups) -> np.ndarray:
            given = Groups(**{name: TORCH.array(part) for name, part in vars(groups).items()})
            return hosted(TORCH.sum_rows(TORCH.array(values), given))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(elman, "loss_and_gradients", by_tensors(bptt.loss_and_gradients), raising=False)
        patch.setattr(test_gradients, "losses", by_tensors(network.losses))
        states = by_tensors(network.hidden_states)
        patch.setattr(test_gradients, "hidden_states", lambda p, x, h_0: states(p, x, TORCH.array(h_0)))
        patch.setattr(test_gradients, "host_kernels", lambda: Sums)
        yield


def error(found: Any, expected: np.ndarray) -> float:
    found = TORCH.host(found) if isinstance(found, torch.Tensor) else np.asarray(found)
    assert found.shape == np.shape(expected)
    return float(np.abs(found - expected).max() / max(np.abs(expected).max(), 1e-30))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_every_operation(shape: tuple[int, ...], dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    T, B, d, Dh, V = shape
    N, tolerance, generator = T * B, TOLERANCE[dtype], np.random.default_rng(sum(shape))

    def normal(*size: int, scale: float = 1.0) -> np.ndarray:
        return (generator.standard_normal(size) * scale).astype(dtype)

    def check(operation: str, *operands: Any) -> None:
        """The operation on tensors against it on NumPy's float64."""
        exact = [a.astype(np.float64) if getattr(a, "dtype", None) == np.float32 else a for a in operands]
        tensors = [TORCH.array(a) if isinstance(a, np.ndarray) else a for a in operands]
        found, expected = getattr(TORCH, operation)(*tensors), getattr(EXACT, operation)(*exact)
        for mine, true in zip(*((r if isinstance(r, tuple) else (r,)) for r in (found, expected)), strict=True):
            if np.abs(true).max() > 1e-12:
                assert error(mine, np.asarray(true)) < tolerance, operation

    u, W_h, h_0, dh = normal(T, B, Dh), normal(Dh, Dh, scale=0.5 * Dh**-0.5), normal(B, Dh), normal(T, B, Dh)
    for activation in ACTIVATIONS:
        check("recurrence", u, W_h, h_0, activation)
        check("recurrence", u.reshape(-1, Dh), W_h, h_0, activation, generator.integers(0, N, (T, B)))
        h = EXACT.recurrence(u, W_h, h_0, activation)
        check("recurrence_gradient", dh, h, W_h, activation)
        check("recurrence_gradient", dh, h, W_h, activation, 0.5)
    check("state_gradient", dh.astype(np.float64), generator.random((T, B, Dh)), W_h.astype(np.float64))
    check("state_gradient", dh.astype(np.float64), np.full((T, B, Dh), 1e80), W_h.astype(np.float64))
    rows, U, b_2, y = normal(N, Dh), normal(V, Dh, scale=Dh**-0.5), normal(V), generator.integers(0, V, N)
    for limit in (numpy_kernels.LOGITS_BYTES, 3 * V * rows.itemsize):  # whole, and in chunks of three rows
        monkeypatch.setattr("elman.kernels.torch_softmax.LOGITS_BYTES", limit)
        check("softmax_cross_entropy", rows, U, b_2, y, 1 / N)
        check("cross_entropy", rows, U, b_2, y)
        check("cross_entropy_gradient", rows, U, b_2, y)
    e, W_e, bias = normal(N, d), normal(Dh, d), normal(Dh)
    check("product", e, W_e, False, True, bias)
    check("product", rows, e, True)
    check("product", rows, W_e)
    check("product", rows.T.copy(), U, True, True)
    check("sum_of_squares", rows)
    assert error(TORCH.sum_columns(TORCH.array(rows)), rows.astype(np.float64).sum(0)) < tolerance * np.sqrt(N)
    groups, true = TORCH.group(y, V), EXACT.group(y, V)
    index, inverse, n = TORCH.host(groups.index), TORCH.host(groups.inverse), len(true.index)
    assert len(index) == min(N, V)
    assert np.array_equal(index[:n], true.index)
    assert np.array_equal(inverse, true.inverse)
    assert (index[n:] < 0).all()  # others that do not occur, each once
    assert len(np.unique(index % V)) == len(index)
    sums = TORCH.host(TORCH.sum_rows(TORCH.array(rows), groups))
    assert error(sums[:n], EXACT.sum_rows(rows.astype(np.float64), true)) < tolerance
    assert not sums[n:].any()


@pytest.mark.parametrize("chosen", [None, np.array([3, 4, 17, 49])], ids=["whole", "rows"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_updates(chosen: np.ndarray | None, dtype: str) -> None:
    generator = np.random.default_rng(0)
    w, g, m = (generator.standard_normal((50, 37)).astype(dtype) for _ in range(3))
    v = np.abs(m) + np.dtype(dtype).type(0.1)
    g = g if chosen is None else g[: len(chosen)]
    exact = [a.astype(np.float64) for a in (w, m, v)]
    mine = [TORCH.array(a.copy()) for a in (w, m, v)]
    rows = None if chosen is None else TORCH.array(chosen)
    TORCH.adam(mine[0], TORCH.array(g), *mine[1:], 0.01, (0.9, 0.999), 1e-8, 0.5, rows)
    EXACT.adam(exact[0], g.astype(np.float64), *exact[1:], 0.01, (0.9, 0.999), 1e-8, 0.5, chosen)
    TORCH.sgd(mine[0], TORCH.array(g), 0.1, rows)
    EXACT.sgd(exact[0], g.astype(np.float64), 0.1, chosen)
    for a, b in zip(mine, exact, strict=True):
        assert error(a, b) < 4 * np.finfo(dtype).eps


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
@pytest.mark.parametrize("tie", [False, True])
def test_steps_on_tensors_are_steps_on_arrays(optimizer: str, tie: bool) -> None:
    p, x, y, h_0 = problem(d=7 if tie else 5, tie=tie)
    p = p.with_kernels(EXACT)
    q = p.on(TORCH)
    assert isinstance(q.E, torch.Tensor)
    assert (q.tied, q.count, q.dtype) == (tie, p.count, p.dtype)
    settings = TrainingConfig(optimizer=optimizer)
    optimizers = [make_optimizer(settings, p), make_optimizer(settings, q)]
    for _ in range(5):
        for parameters, stepper in zip((p, q), optimizers, strict=True):
            _, gradients, _ = bptt.loss_and_gradients(parameters, x, y, h_0)
            norm = gradients.norm()
            stepper.step(parameters, gradients, 0.1, 1 / max(norm, 1))
    back = q.on(EXACT)
    for name, array in p.items():
        assert error(getattr(back, name), array) < 1e-10, name


def test_a_copy_is_made_and_what_is_no_array_of_it_is_taken() -> None:
    p, x, y, h_0 = problem()
    q = p.on(TORCH)
    q.E.zero_()
    assert p.E.any()
    assert p.kernels.name != q.kernels.name == "torch (cpu)"
    assert q.astype("float32").E.dtype == torch.float32
    h_0.flags.writeable = False  # as a memory-mapped file is
    J, *_ = bptt.loss_and_gradients(q, x, y, h_0)
    again, *_ = bptt.loss_and_gradients(q, x, y, TORCH.array(h_0))
    assert again == J
    with pytest.raises(ShapeError, match=r"h_0 has shape \(2, 7\)"):
        bptt.loss_and_gradients(q, x, y, TORCH.array(h_0[:2]))
