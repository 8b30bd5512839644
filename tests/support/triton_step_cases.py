"""What test_triton.py runs in a process of its own, of a step: the softmax, the updates, and all of it together.

As triton_cases.py does it, and with its tolerances. On a GPU the whole step is captured in a CUDA graph.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from triton_cases import DEVICE, EXACT, TOLERANCE, doubles, error, normal, tensor

from elman.config import TrainingConfig
from elman.kernels import device_kernels, torch_softmax, torch_update
from elman.kernels import triton_softmax as kernels
from elman.kernels import triton_update as updates
from elman.model.parameters import Parameters
from elman.training.device import DeviceStep
from elman.training.host import HostStep
from elman.training.problem import TextProblem
from elman.training.records import Progress
from elman.training.team import ALONE

ROWS = [3, -7, 17, 49, -1]
"""Those below 0 must not change."""


def number(value: float) -> Any:
    return torch.tensor(value, dtype=torch.float64, device=DEVICE)


@pytest.mark.parametrize("rows", [None, ROWS], ids=["whole", "rows"])
@pytest.mark.parametrize("width", [1, 37, 1500])
def test_updates(width: int, rows: list[int] | None, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    for name in ("sgd", "adam"):
        made = getattr(updates, name)
        monkeypatch.setattr(updates, name, lambda *a, made=made, name=name: calls.append(name) or made(*a))
    generator = np.random.default_rng(width)
    w, g, m = (normal(generator, torch.float32, 50, width) for _ in range(3))
    v = m.abs() + 0.1
    chosen = None if rows is None else torch.tensor(rows, device=DEVICE)
    kept = None if rows is None else [k for k, row in enumerate(rows) if row >= 0]
    g = g if rows is None else g[: len(rows)]
    exact = doubles(w, m, v)
    true_g, true_rows = (doubles(g)[0], None) if kept is None else (doubles(g)[0][kept], np.array(rows)[kept])
    beta = (0.9, 0.999)
    torch_update.adam(w, g, m, v, number(0.01), beta, number(1e-8), number(0.5), chosen)
    EXACT.adam(exact[0], true_g, exact[1], exact[2], 0.01, beta, 1e-8, 0.5, true_rows)
    torch_update.sgd(w, g, number(0.1), chosen)
    EXACT.sgd(exact[0], true_g, 0.1, true_rows)
    for mine, true in zip((w, m, v), exact, strict=True):
        assert error(mine, true) < 4 * np.finfo(np.float32).eps
    before = [each.clone() for each in (w, m, v)]
    g *= float("nan")  # which a factor of 0 would not hide
    torch_update.adam(w, g, m, v, number(0.01), beta, number(1e-8), number(0.0), chosen)
    torch_update.sgd(w, g, number(0.0), chosen)
    assert all(map(torch.equal, (w, m, v), before))
    assert calls == ["adam", "sgd"] * 2


def test_other_updates_run_on_plain_operations() -> None:
    w = torch.ones(2, 3, dtype=torch.float64, device=DEVICE)
    assert not updates.takes(w, number(1.0))
    assert not updates.takes(w.float(), 1.0)
    torch_update.sgd(w, w.clone(), number(0.5))
    assert (w == 0.5).all()


@pytest.mark.parametrize("precision", ["float32", "bf16"])
@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
@pytest.mark.parametrize("tie", [False, True])
def test_steps_are_those_of_the_host(tie: bool, optimizer: str, precision: str) -> None:
    """Of windows of two sizes, often enough that on a GPU each is captured and replayed; and a bad one is left out."""
    V, B, T = 11, 5, 4
    p = Parameters.initialise(V, 6, 6, tie=tie)
    problem = TextProblem(np.random.default_rng(0).integers(0, V, 4 * B * T + 12), np.arange(3), B, T)
    settings = TrainingConfig(B=B, T=T, optimizer=optimizer, clip=0.2, clip_adaptive=1.1, clip_errors=0.5)  # type: ignore
    device = device_kernels(DEVICE).at(precision)
    steps = [
        DeviceStep(settings, p.on(device), problem),
        HostStep(settings, p.astype("float64"), problem, ALONE),
    ]
    now, told = [Progress(), Progress()], [[], []]  # type: ignore
    for epoch in range(3):
        for window in range(len(problem)):
            for k, step in enumerate(steps):
                if (epoch, window) == (2, 1):
                    step.p.b_1[0] = float("nan")
                with np.errstate(invalid="ignore"):  # the interpreter's NumPy would warn
                    told[k] += step.take(problem.batch(epoch, window), 0.05, now[k])
                if (epoch, window) == (2, 1):
                    step.p.b_1[0] = 0.25
                for outcome in told[k][now[k].taken_steps :] if k else ():
                    if outcome.taken:
                        now[k].mean_norm += (outcome.norm - now[k].mean_norm) / (now[k].taken_steps + 1)
                        now[k].taken_steps += 1
    told[0] += steps[0].settle()
    tolerance = TOLERANCE[torch.bfloat16 if precision == "bf16" else torch.float32]
    for mine, true in zip(*told, strict=True):
        assert mine.taken == true.taken
        assert (mine.losses, mine.tokens) == (true.losses, true.tokens)
        if true.taken:
            assert pytest.approx(true.J, rel=tolerance) == mine.J
            assert mine.norm == pytest.approx(true.norm, rel=4 * tolerance)
            assert mine.clipped == true.clipped
    assert [outcome.taken for outcome in told[1]].count(False) == 1
    assert any(outcome.clipped for outcome in told[1])
    for (name, mine), (_, true) in zip(steps[0].p.items(), steps[1].p.items(), strict=True):
        assert error(mine, true) < 16 * tolerance, name
    if DEVICE == "cuda":
        assert all(window.graph is not None for window in steps[0].windows.values())


@pytest.mark.parametrize("V", [1, 5, 1000, 5001])
def test_softmax_and_its_gradient(V: int) -> None:
    generator = np.random.default_rng(V)
    theta = tensor(generator.uniform(-80, 80, (7, V)))
    theta[0] = 80.0
    theta[1] = -80.0
    theta[2] = torch.linspace(0, 5, V)  # the largest comes last, and what came before still counts
    theta[3] = torch.linspace(5, 0, V)
    y = torch.as_tensor(generator.integers(0, V, 7), device=DEVICE)
    y[4] = theta[4].argmax()
    exact = doubles(theta)[0]
    exact -= exact.max(1, keepdims=True)
    target = (np.arange(7), y.cpu().numpy())
    true_J = np.log(np.exp(exact).sum(1)) - exact[target]
    true = np.exp(exact) / np.exp(exact).sum(1, keepdims=True)
    true[target] -= 1
    for dtype in (torch.bfloat16, torch.float32):
        J, delta1 = kernels.softmax_gradient(theta, y, 0.25, dtype)
        assert (J.dtype, delta1.dtype) == (torch.float64, dtype)
        assert (delta1 is theta) == (dtype == torch.float32)
        assert np.abs(doubles(J)[0] - true_J).max() <= TOLERANCE[torch.float32] * max(true_J.max(), 1.0)
        assert np.abs(doubles(delta1)[0] - true / 4).max() <= TOLERANCE[dtype] / 4


def test_a_sure_prediction_keeps_the_digits_of_its_gradient() -> None:
    theta = tensor(np.zeros((1, 1000)))
    theta[0, 3] = 40.0
    kernels.softmax_gradient(theta, torch.tensor([3], device=DEVICE), 1.0, torch.float32)
    others = 999 * np.exp(-40.0)
    assert float(theta[0, 3]) == pytest.approx(-others / (1 + others), rel=1e-5, abs=0)
    assert float(theta[0, 4]) == pytest.approx(np.exp(-40.0), rel=1e-5, abs=0)


def test_logits_of_nan_give_a_loss_of_nan() -> None:
    theta = tensor(np.zeros((2, 5)))
    theta[0, 2] = float("nan")
    J, _ = kernels.softmax_gradient(theta, torch.zeros(2, dtype=torch.int64, device=DEVICE), 1.0, torch.float32)
    assert torch.isnan(J).tolist() == [True, False]


@pytest.mark.parametrize("V", [1, 5, 1000])
def test_torch_softmax_chooses_the_kernel(V: int, monkeypatch: pytest.MonkeyPatch) -> None:
    N, Dh, generator, calls = 10, 4, np.random.default_rng(V), []
    for name in ("LOGITS_BYTES", "DEVICE_LOGITS_BYTES"):
        monkeypatch.setattr(torch_softmax, name, 3 * V * 4)  # chunks of three rows
    monkeypatch.setattr(kernels, "softmax_gradient", lambda *a: calls.append(a) or SOFTMAX(*a))
    h, U, b_2 = (normal(generator, torch.float32, *size) for size in ((N, Dh), (V, Dh), (V,)))
    y = torch.as_tensor(generator.integers(0, V, N), device=DEVICE)
    torch_kernels = device_kernels(DEVICE)
    for name, more in (("softmax_cross_entropy", (1 / N,)), ("cross_entropy_gradient", ())):
        found = getattr(torch_kernels, name)(h, U, b_2, y, *more)
        expected = getattr(EXACT, name)(*doubles(h, U, b_2), y.cpu().numpy(), *more)
        for mine, true in zip(found, expected, strict=True):
            if np.abs(true).max() > 1e-12:
                assert error(mine, true) < TOLERANCE[torch.float32], name
    assert len(calls) == 8


SOFTMAX = kernels.softmax_gradient
