"""What cures a gradient: clipping, Ω, the cut of errors, how W_h begins. Each by its formula, and each in a run."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command_line import Run
from networks import problem

import elman
from elman.checkpoint import RunFolder
from elman.config import INITS, TextConfig, TrainingConfig
from elman.errors import ConfigError
from elman.kernels import host_kernels
from elman.model.bptt import backward
from elman.model.embedding import Rows
from elman.model.initial import CONNECTIONS
from elman.text.corpus import Corpus
from elman.training.start import Sources, start
from elman.training.treatments import clipping
from elman.training.treatments.flossing import flossing
from elman.training.treatments.omega import omega

FORMS = ("ratio", "squared")
EVERY = ["clip_adaptive", "clip_elements", "clip_errors", "omega"]
FLAGS: list[tuple[str, ...]] = [
    ("--clip-adaptive", "0.5"),
    ("--clip-elements", "1e-3"),
    ("--clip-errors", "1e-3"),
    ("--omega", "1"),
    ("--omega", "1", "--omega-form", "squared"),
    ("--init", "identity"),
    ("--init", "normal"),
    ("--init", "sparse"),
    ("--spectral-radius", "0.5"),
    ("--init-scale", "0.1"),
    ("--word-dropout", "0.5"),
]
SMALL = ("--epochs", 2, "--hidden", 16, "--batch-size", 4, "--bptt", 8, "--word-dropout", 0)


# The error that goes back


@pytest.mark.usefixtures("every_kernels")
@pytest.mark.parametrize("activation", ["sigmoid", "tanh", "relu"])
def test_errors_are_cut_as_rnnlm_does_entry_by_entry(activation: str) -> None:
    """γ^(t) = dh^(t) + δ2^(t+1) W_h is held within ±cut before it goes through the slope: written out in loops."""
    p, x, y, h_0 = problem(T=6, activation=activation)
    whole = backward(p, x, y, h_0)
    T, B, Dh = whole.dh.shape
    N = x.size
    sizes = np.sort(np.abs(whole.dh).ravel()) * N
    cut = float(sizes[len(sizes) // 2])  # half of the entries are over it
    found = backward(p, x, y, h_0, cut=cut)
    h = elman.model.network.hidden_states(p, x, h_0).h
    slope = {"sigmoid": lambda a: a * (1 - a), "tanh": lambda a: 1 - a**2, "relu": lambda a: 1.0 * (a > 0)}[activation]
    over = 0
    for t in range(T - 1, -1, -1):
        for b in range(B):
            for k in range(Dh):
                total = whole.dh[t, b, k]
                if t < T - 1:
                    total += sum(found.dz[t + 1, b, j] * p.W_h[j, k] for j in range(Dh))
                over += abs(total) > cut / N
                held = max(-cut / N, min(cut / N, total))
                assert found.dz[t, b, k] == pytest.approx(held * slope(h[t + 1, b, k]), rel=1e-10, abs=1e-16)
    assert 0 < over < T * B * Dh


def test_a_cut_that_nothing_reaches_changes_nothing() -> None:
    p, x, y, h_0 = problem()
    whole, cut = (backward(p, x, y, h_0, cut=limit) for limit in (0.0, 1e6))
    for name, gradient in whole.gradients.distinct():
        other = dict(cut.gradients.distinct())[name]
        for a, b in ((gradient.values, other.values) if isinstance(gradient, Rows) else (gradient, other),):
            assert np.array_equal(a, b), name


# Clipping


def test_entries_are_held_and_the_rest_is_left() -> None:
    p, x, y, h_0 = problem()
    _, found, _ = elman.loss_and_gradients(p, x, y, h_0)
    found.b_1[0], found.b_1[1] = 3.0, -0.5
    before = {name: np.copy(g.values if isinstance(g, Rows) else g) for name, g in found.distinct()}
    assert clipping.clip_elements(found, 0.4)
    for name, gradient in found.distinct():
        after = gradient.values if isinstance(gradient, Rows) else gradient
        assert np.array_equal(after, np.clip(before[name], -0.4, 0.4)), name
    assert not clipping.clip_elements(found, 0.4)


def test_the_adaptive_limit_follows_the_running_mean() -> None:
    settings = TrainingConfig(clip=0.0, clip_adaptive=2.0)
    assert clipping.limit(settings, 0.0) == math.inf  # nothing is known before the first step
    mean = 0.0
    for count, norm in enumerate([1.0, 3.0, 5.0]):
        mean = clipping.running_mean(mean, norm, count)
    assert mean == pytest.approx(3.0)
    assert clipping.limit(settings, mean) == pytest.approx(6.0)
    assert clipping.limit(TrainingConfig(clip=4.0, clip_adaptive=2.0), mean) == 4.0
    for count in range(3, 2000):
        mean = clipping.running_mean(mean, 7.0, count)
    assert mean == pytest.approx(7.0, rel=1e-6)  # what was long ago is forgotten
    assert clipping.limit(TrainingConfig(clip=0.0), mean) == math.inf


# Ω


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("activation", ["sigmoid", "tanh", "relu"])
def test_the_gradient_of_omega_equals_complex_step(form: str, activation: str) -> None:
    """Of Ω as the paper writes it, with γ^(i) and σ' held constant and W_h moved (∂⁺ in its eq. 10)."""
    p, x, y, h_0 = problem(T=6, activation=activation)
    found = backward(p, x, y, h_0)
    gamma = found.dh.copy()
    gamma[:-1] += found.dz[1:] @ p.W_h

    def value(W_h: np.ndarray) -> Any:
        onward = found.dz @ W_h  # γ^(i) diag(σ'(z^(i))) W_h = γ^(i) ∂h^(i)/∂h^(i-1)
        q2 = (onward**2).sum(-1) / (gamma**2).sum(-1)
        terms = (q2 - 1) ** 2 if form == "squared" else (np.sqrt(q2) - 1) ** 2
        return terms.mean()

    J, gradient = omega(found.dz, found.dh, p.W_h, p.kernels, form)
    assert pytest.approx(value(p.W_h), rel=1e-12) == J
    expected = np.empty_like(p.W_h)
    for index in np.ndindex(p.W_h.shape):
        moved = p.W_h.astype(complex)
        moved[index] += 1e-20j
        expected[index] = value(moved).imag / 1e-20
    assert np.abs(gradient - expected).max() <= 1e-12 * np.abs(expected).max()


@pytest.mark.usefixtures("every_kernels")
@pytest.mark.parametrize("form", FORMS)
def test_omega_in_float32_is_omega_in_float64(form: str) -> None:
    generator = np.random.default_rng(0)
    dz, dh = (generator.standard_normal((7, 5, 40)) * 10.0 ** -generator.uniform(0, 8, (7, 5, 1)) for _ in range(2))
    W_h = generator.standard_normal((40, 40)) / 6
    dz, dh, W_h = (a.astype(np.float32) for a in (dz, dh, W_h))
    J, gradient = omega(dz, dh, W_h, host_kernels(), form)
    exact, expected = omega(*(a.astype(np.float64) for a in (dz, dh, W_h)), host_kernels(), form)  # type: ignore[arg-type]
    assert pytest.approx(exact, rel=1e-5) == J
    assert np.abs(gradient - expected).max() <= 1e-5 * np.abs(expected).max()


def test_omega_is_zero_where_lengths_are_kept() -> None:
    """An orthogonal W_h and slopes of 1: the error is as long at every step."""
    generator = np.random.default_rng(0)
    Q, _ = np.linalg.qr(generator.standard_normal((8, 8)))
    dz = np.empty((5, 3, 8))
    dz[4] = generator.standard_normal((3, 8))
    for t in range(3, -1, -1):
        dz[t] = dz[t + 1] @ Q
    dh = np.zeros_like(dz)
    dh[4] = dz[4]
    for form in FORMS:
        J, gradient = omega(dz, dh, Q, host_kernels(), form)
        assert J < 1e-28
        assert np.abs(gradient).max() < 1e-14


def test_omega_leaves_out_errors_too_short_to_tell() -> None:
    dz, dh, W_h = np.zeros((2, 1, 3)), np.zeros((2, 1, 3)), np.eye(3)
    assert omega(dz, dh, W_h, host_kernels())[0] == 0
    dh[1], dz[1] = 1e-11, 1e-11  # ‖γ‖² is 3e-22
    J, gradient = omega(dz, dh, W_h, host_kernels())
    assert J == 0
    assert not gradient.any()
    dh[1], dz[1] = 1e-3, 5e-4
    J, gradient = omega(dz, dh, W_h, host_kernels())
    assert pytest.approx((0.25 + 1.0) / 2) == J  # q is 0.5 at the last step, and 0 at the one before
    assert gradient.any()


# How W_h begins


@pytest.mark.parametrize("activation", ["sigmoid", "tanh", "relu"])
def test_each_start_is_what_its_name_says(activation: str) -> None:
    gain = 2.0 if activation == "sigmoid" else 1.0

    def W_h(init: str, **more: Any) -> np.ndarray:
        p = elman.Parameters.initialise(5, 4, 200, activation=activation, dtype="float64", init=init, **more)
        return np.asarray(p.W_h)

    radius = {init: float(np.abs(np.linalg.eigvals(W_h(init))).max()) for init in INITS}
    assert np.allclose(W_h("orthogonal") @ W_h("orthogonal").T, gain**2 * np.eye(200))
    assert np.array_equal(W_h("identity"), gain * np.eye(200))
    assert W_h("normal").std() == pytest.approx(gain / math.sqrt(200), rel=0.02)
    assert radius["normal"] == pytest.approx(gain, rel=0.1)
    assert ((W_h("sparse") != 0).sum(axis=1) == CONNECTIONS).all()
    assert radius["sparse"] == pytest.approx(0.95 * gain, rel=1e-9)
    for init in INITS:
        scaled = W_h(init, spectral_radius=1.2)
        assert np.abs(np.linalg.eigvals(scaled)).max() == pytest.approx(1.2, rel=1e-9)
        assert not np.array_equal(scaled, W_h(init, spectral_radius=1.2, seed=1)) or init == "identity"


def test_a_small_sparse_start_has_no_more_entries_than_units() -> None:
    p = elman.Parameters.initialise(5, 4, 6, activation="tanh", init="sparse", dtype="float64")
    assert np.count_nonzero(p.W_h) == 36


def test_init_scale_is_the_range_of_E_and_U() -> None:
    p = elman.Parameters.initialise(500, 20, 10, init_scale=0.01)
    assert 0.0099 < np.abs(p.E).max() <= 0.01
    assert 0.0099 < np.abs(p.U).max() <= 0.01
    assert np.array_equal(p.W_e, elman.Parameters.initialise(500, 20, 10).W_e)


def test_an_unknown_start_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"init is 'xavier'; choose one of orthogonal, identity, normal, sparse"):
        elman.Parameters.initialise(5, 4, 3, init="xavier")


# In a run


@pytest.fixture(scope="module")
def plain(command: Run, corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("treatments") / "plain"
    done = command("train", corpus, "--out", out, *SMALL)
    assert done.returncode == 0, done.stderr
    return out


@pytest.mark.parametrize("flags", FLAGS, ids=" ".join)
def test_every_flag_does_something_and_is_kept(
    command: Run, corpus: Path, plain: Path, tmp_path: Path, flags: tuple[str, ...]
) -> None:
    out = tmp_path / "run"
    done = command("train", corpus, "--out", out, *SMALL, *flags)
    assert done.returncode == 0, done.stderr
    assert (out / "model.safetensors").read_bytes() != (plain / "model.safetensors").read_bytes()
    kept = json.loads((out / "config.json").read_text())["training"]
    for name, value in zip(flags[::2], flags[1::2], strict=True):
        assert str(kept[name[2:].replace("-", "_")]) in (value, str(float(value)) if value[0].isdigit() else value)
    records = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    steps = [record for record in records if record["kind"] == "step"]
    assert all((record["omega"] is None) == ("--omega" not in flags) for record in steps)
    if flags[0].startswith("--clip") and flags[0] != "--clip-errors":
        assert sum(record["clipped"] for record in steps) > 0


@pytest.mark.parametrize(
    ("flag", "value", "says"),
    [
        ("--clip-adaptive", "-1", "clip-adaptive is -1.0; it must be at least 0 and finite (0: none)"),
        ("--clip-elements", "nan", "clip-elements is nan; it must be at least 0"),
        ("--clip-errors", "inf", "clip-errors is inf; it must be at least 0 and finite"),
        ("--omega", "-0.5", "omega is -0.5; it must be at least 0"),
        ("--spectral-radius", "0", "spectral-radius is 0.0; it must be over 0 and at most 1,000,000"),
        ("--init-scale", "0", "init-scale is 0.0; it must be over 0 and at most 1,000,000"),
        ("--omega-form", "squared", "--omega-form is about --omega: give its WEIGHT, or leave --omega-form out"),
        ("--watch-gradients", "-1", "watch-gradients is -1; it must be at least 0 (0: never)"),
    ],
)
def test_a_bad_value_gets_one_sentence(
    command: Run, corpus: Path, tmp_path: Path, flag: str, value: str, says: str
) -> None:
    done = command("train", corpus, "--out", tmp_path / "run", flag, value)
    assert done.returncode == 2
    assert says in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "run").exists()


def test_a_run_from_before_the_treatments_is_read_with_none(command: Run, plain: Path) -> None:
    path = plain / "config.json"
    values = json.loads(path.read_text())
    settings = {k: v for k, v in values["training"].items() if k not in TrainingConfig.added()}
    assert len(settings) < len(values["training"])
    assert TrainingConfig.from_dict(settings) == TrainingConfig.from_dict(values["training"])


# Flossing


@pytest.mark.usefixtures("every_kernels")
@pytest.mark.parametrize("activation", ["sigmoid", "tanh"])
@pytest.mark.parametrize("count", [1, 3, 6])
def test_the_gradient_of_flossing_equals_central_differences(activation: str, count: int) -> None:
    """Through the QR of every step, the slopes, the states: of W_h, W_e, b_1 and E, entry by entry."""
    p, x, *_ = problem(Dh=6, T=7, B=2, activation=activation)
    found = flossing(p, x, count)
    for name in ("W_h", "W_e", "b_1", "E"):
        gradient = getattr(found.gradients, name)
        dense = gradient.dense() if isinstance(gradient, Rows) else gradient
        w = getattr(p, name)
        for index in list(np.ndindex(w.shape))[::3]:
            before, losses = w[index], []
            for step in (1e-5, -1e-5):
                w[index] = before + step
                losses.append(flossing(p, x, count).L)
            w[index] = before
            assert dense[index] == pytest.approx((losses[0] - losses[1]) / 2e-5, rel=1e-5, abs=1e-8), (name, index)
    assert not found.gradients.U.any()
    assert not found.gradients.b_2.any()


def test_flossed_exponents_are_those_of_the_lens() -> None:
    p, x, y, _ = problem(Dh=12, T=30, B=1, activation="tanh")
    found = flossing(p, x, 12)
    flow = elman.gradient_flow.decompose(p, x, y)
    lens = elman.gradient_flow.lyapunov_spectrum(flow.trajectory)
    assert np.allclose(np.sort(found.exponents[0])[::-1], lens, atol=1e-8)


def test_flossing_before_training_pushes_the_exponents_to_0(tmp_path: Path, corpus: Path) -> None:
    sources = Sources(Corpus.from_paths([corpus]))
    trainers = []
    for name, steps in (("plain", 0), ("flossed", 300)):
        settings: dict[str, Any] = {"B": 4, "T": 20, "floss": steps, "epochs": 1}
        settings |= {"floss_exponents": 4} if steps else {}
        trainers.append(start(RunFolder(tmp_path / name), sources, TextConfig(), {"d": 16, "Dh": 16}, settings))
    plain, flossed = trainers
    x = plain.problem.batch(0, 0).x[:, :4]
    before, after = (flossing(trainer.p, x, 4).exponents for trainer in trainers)
    assert before.mean() < -0.5  # a sigmoid network from an orthogonal W_h
    assert np.abs(after).mean() < 0.1 * np.abs(before).mean()
    assert np.array_equal(plain.p.b_2, flossed.p.b_2)
    again = start(
        RunFolder(tmp_path / "again"), sources, TextConfig(), {"d": 16, "Dh": 16}, dict(settings)
    )  # the same bits each time
    assert np.array_equal(again.p.W_h, flossed.p.W_h)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--floss", 5, "--activation", "relu"), "flossing needs --activation sigmoid or tanh"),
        (("--floss", 5, "--floss-exponents", 17), "floss-exponents is 17; it must be at most --hidden, 16"),
        (("--floss-exponents", 4), "--floss-exponents is about --floss"),
        (("--floss", -1), "floss is -1; it must be at least 0 (0: none)"),
    ],
)
def test_what_cannot_be_flossed_is_said(
    command: Run, corpus: Path, tmp_path: Path, arguments: tuple[Any, ...], says: str
) -> None:
    done = command("train", corpus, "--hidden", 16, "--out", tmp_path / "run", *arguments)
    assert done.returncode == 2
    assert says in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "run").exists()
