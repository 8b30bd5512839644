"""Runs that PyTorch computes, with its CPU as the device: the run of the host to rounding, and one folder for both."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command_line import Run

import elman
from elman.checkpoint import RunFolder
from elman.config import TextConfig, TrainingConfig
from elman.errors import ConfigError
from elman.kernels import Kernels, choose_again, chosen_device, device_kernels, native_in_use
from elman.model.network import DropoutMasks
from elman.model.parameters import Parameters
from elman.text.corpus import Corpus
from elman.training.loop import Trainer
from elman.training.problem import NextTokenLoss
from elman.training.records import FlowRecord, StepRecord, StopRecord, ValidationRecord
from elman.training.start import Sources, resume, start

torch = pytest.importorskip("torch", reason="PyTorch is not installed", exc_type=ImportError)

from torch._subclasses.fake_tensor import DataDependentOutputException, FakeTensor, FakeTensorMode  # noqa: E402

from elman.training.device import DeviceStep  # noqa: E402

SMALL: dict[str, Any] = {
    "epochs": 2, "B": 4, "T": 8, "dropout": 0.2, "save_every": 7, "record_every": 5, "precision": "float64",
}  # fmt: skip
TORCH = device_kernels("cpu")
GROWN = 1e-9
"""What float64's rounding, 1e-16, may have grown to over the steps of a run."""
LAGGING = {"record_every": 7, "save_every": 11, "validate_every": 13}
"""Something is due at other steps than before."""
CLOCKS = ("seconds", "tokens_per_second")
TREATMENTS: dict[str, dict[str, Any]] = {
    "adam": {},
    "mikolov": {"optimizer": "sgd", "schedule": "mikolov", "lr": 8.0, "clip": 0.25, "epochs": 6},
    "cut": {"clip_elements": 0.001, "clip_errors": 0.5, "clip_adaptive": 1.5},
    "watched": {"watch_gradients": 20},
    "three layers": {"layers": 3, "clip_errors": 0.5},
    "skip connections": {"layers": 3, "skip": True, "variational_dropout": True},
}


@pytest.fixture(autouse=True)
def as_on_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """A GPU's tensors do not become NumPy's unasked; here they would."""

    def refuse(*_: Any, **__: Any) -> None:
        raise TypeError("a tensor became an array in passing")

    monkeypatch.setattr(torch.Tensor, "__array__", refuse)
    with pytest.raises(TypeError):
        np.asarray(torch.ones(1))


@pytest.fixture
def same_masks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each draws its own, from the same seeds."""

    def draw(p: Parameters, T: int, B: int, rate: float, generator: Any, fixed: bool = False) -> DropoutMasks:
        on_host = isinstance(generator, np.random.Generator)
        drawn = np.random.default_rng(int(generator.integers(2**63)) if on_host else generator.initial_seed())
        shapes = [(1 if fixed else T, B, width) for width in (p.d, p.Dh, *(p.Dh for _ in p.above))]
        masks = (np.repeat((drawn.random(s) >= rate) / (1 - rate), T // s[0], axis=0) for s in shapes)
        on_e, on_h, *between = (p.kernels.array(mask, p.E) for mask in masks)
        return DropoutMasks(on_e, on_h, tuple(between))

    monkeypatch.setattr(DropoutMasks, "draw", draw)


def started(
    folder: Path,
    corpus: Path,
    device: Kernels | None = TORCH,
    tie: bool = True,
    layers: int = 1,
    skip: bool = False,
    **settings: Any,
) -> Trainer:
    sources, sizes = (
        Sources(Corpus.from_paths([corpus])),
        {"d": 16, "Dh": 16, "tie": tie, "layers": layers, "skip": skip},
    )
    return start(RunFolder(folder), sources, TextConfig("word"), sizes, SMALL | settings, device=device)


def assert_same_weights(one: Path, other: Path, tolerance: float = GROWN) -> None:
    for (name, a), (_, b) in zip(elman.load(one).p.items(), elman.load(other).p.items(), strict=True):
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance * float(np.abs(b).max()), err_msg=name)


@pytest.mark.usefixtures("same_masks")
@pytest.mark.parametrize("name", TREATMENTS)
def test_a_run_on_the_device_is_the_run_of_the_host(tmp_path: Path, corpus: Path, name: str) -> None:
    trainers = [
        started(tmp_path / place, corpus, device, tie=name != "cut", **TREATMENTS[name])
        for place, device in (("device", TORCH), ("host", None))
    ]
    assert isinstance(trainers[0].p.E, torch.Tensor)
    kinds: set[type] = set()
    worse = 0
    for mine, true in zip(trainers[0].run(), trainers[1].run(), strict=True):
        kinds.add(type(mine))
        assert type(mine) is type(true)
        if isinstance(mine, StepRecord):
            assert mine.nats_per_token == pytest.approx(true.nats_per_token, rel=GROWN)
            assert mine.clipped == true.clipped
        if isinstance(mine, ValidationRecord):
            assert (mine.nats_per_token, mine.best) == (pytest.approx(true.nats_per_token, rel=GROWN), true.best)
            worse += not mine.best
        if isinstance(mine, FlowRecord):
            assert mine.verdict == true.verdict
    assert worse > 0 or name != "mikolov"  # so that the best weights were taken back
    assert ((FlowRecord in kinds), StopRecord in kinds) == (name == "watched", True)
    assert_same_weights(tmp_path / "device", tmp_path / "host")


@pytest.mark.usefixtures("same_masks")
@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
@pytest.mark.parametrize("first", [TORCH, None], ids=["device to host", "host to device"])
def test_a_run_goes_on_where_the_other_stopped(
    tmp_path: Path, corpus: Path, first: Kernels | None, optimizer: str
) -> None:
    *_, whole = started(tmp_path / "whole", corpus, None, optimizer=optimizer).run()
    trainer = started(tmp_path / "broken", corpus, first, optimizer=optimizer)
    for record in trainer.run():
        if isinstance(record, StepRecord) and record.step == 25:
            trainer.stop()
    assert record.reason == "asked"
    *_, last = resume(RunFolder(tmp_path / "broken"), {}, None if first else TORCH).run()
    assert (last.reason, last.step) == (whole.reason, whole.step)
    assert_same_weights(tmp_path / "broken", tmp_path / "whole")


@pytest.mark.parametrize("precision", ["float32", "bf16"])
@pytest.mark.parametrize("V", [7, 500], ids=["fewer tokens than in a window", "more"])
@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
@pytest.mark.parametrize(("tie", "layers"), [(False, 1), (True, 1), (False, 2)])
def test_nothing_in_a_step_waits_for_the_device(tie: bool, layers: int, optimizer: str, V: int, precision: str) -> None:
    """On tensors that have no numbers: what asks for one, or for a shape that depends on one, is an error."""
    settings = {
        "optimizer": optimizer,
        "dropout": 0.3,
        "variational_dropout": layers > 1,
        "clip_elements": 0.1,
        "clip_errors": 1.0,
        "clip_adaptive": 2.0,
    }
    p = Parameters.initialise(V, 8, 8, tie=tie, layers=layers, skip=layers > 1)
    with FakeTensorMode(allow_non_fake_inputs=True):
        step = DeviceStep(TrainingConfig(B=4, T=6, **settings), p.on(TORCH.at(precision)), NextTokenLoss())
        step.compute(step.window(6))
        assert isinstance(step.p.E, FakeTensor)
        with pytest.raises(DataDependentOutputException):
            float(step.result[0])


def test_a_run_that_was_broken_on_the_device_ends_as_one_that_was_not(tmp_path: Path, corpus: Path) -> None:
    """The same bits: its masks come from seeds that the host draws."""
    *_, whole = started(tmp_path / "whole", corpus, **LAGGING).run()
    trainer = started(tmp_path / "broken", corpus, **LAGGING)
    for record in trainer.run():
        if isinstance(record, StepRecord) and record.step == 25:
            trainer.stop()
    *_, last = resume(RunFolder(tmp_path / "broken"), {}, TORCH).run()
    assert (last.step, last.best_nats_per_token) == (whole.step, whole.best_nats_per_token)
    assert_same_weights(tmp_path / "broken", tmp_path / "whole", 0.0)
    lines = [(tmp_path / name / "metrics.jsonl").read_text().splitlines() for name in ("broken", "whole")]
    kept = [[{k: v for k, v in json.loads(line).items() if k not in CLOCKS} for line in part] for part in lines]
    assert kept[0] == kept[1]


def test_masks_of_the_device() -> None:
    like = torch.zeros(1)
    for rate in (0.1, 0.5):
        mask = TORCH.dropout_mask((100, 50, 20), rate, np.random.default_rng(1), like)
        again = TORCH.dropout_mask((100, 50, 20), rate, np.random.default_rng(1), like)
        assert torch.equal(mask, again)
        assert torch.unique(mask).tolist() == [0, pytest.approx(1 / (1 - rate), rel=1e-4)]
        assert float(mask.mean()) == pytest.approx(1, abs=5 * np.sqrt(rate / (1 - rate) / mask.numel()))


def test_float32_and_its_rescues(tmp_path: Path, corpus: Path) -> None:
    """A learning rate that explodes: taken back from the checkpoint on the device, too."""
    settings = {"precision": "float32", "optimizer": "sgd", "lr": 1e6, "clip": 0.0, "schedule": "constant", "warmup": 0}
    trainer = started(tmp_path / "run", corpus, **settings, dropout=0.0)
    assert trainer.p.E.dtype == torch.float32
    assert trainer.step.kernels.name == TORCH.name
    for record in trainer.run():
        assert np.isfinite(getattr(record, "rate", 0.0))
    assert elman.load(tmp_path / "run").p.dtype == np.float32


@pytest.mark.parametrize(
    ("settings", "option"),
    [
        ({"precision": "float32", "skip_below": 1e-5}, "--skip-below"),
        ({"omega": 1.0}, "--omega"),
        ({"average": 0.1}, "--average"),
        ({"weight_decay": 0.1}, "--weight-decay"),
        ({"floss": 3}, "--floss"),
    ],
)
def test_what_only_the_host_computes_is_refused(
    tmp_path: Path, corpus: Path, settings: dict[str, Any], option: str
) -> None:
    with pytest.raises(ConfigError, match=f"{option} is computed on the CPU alone: leave it or --device out"):
        started(tmp_path / "run", corpus, **settings)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("precision", ["bf16", "tf32"])
def test_other_precisions_train_as_float32_does(tmp_path: Path, corpus: Path, precision: str) -> None:
    """Nearly: their products are rounded to 8 and 11 bits (tf32 on a GPU alone). And it goes on on the CPU."""
    losses = {}
    for name in ("float32", precision):
        trainer = started(tmp_path / name, corpus, precision=name, dropout=0.0)
        assert trainer.step.kernels.precision == name
        assert trainer.p.E.dtype == torch.float32
        *_, last = trainer.run()
        losses[name] = last.best_nats_per_token
    assert losses[precision] == pytest.approx(losses["float32"], rel=0.02)
    if precision == "tf32" or native_in_use():
        *_, last = resume(RunFolder(tmp_path / precision), {"epochs": 3}).run()
        assert last.best_nats_per_token < losses[precision] * 1.01
    with pytest.raises(ConfigError, match="--precision tf32 is a GPU's: choose float32, float64 or bf16"):
        started(tmp_path / "host", corpus, None, precision="tf32")


def test_brisk_runs_take_no_bf16_by_default_there(tmp_path: Path, corpus: Path) -> None:
    sources = Sources(Corpus.from_paths([corpus]))
    trainer = start(RunFolder(tmp_path / "run"), sources, TextConfig(), {}, {"max_time": 0.001, "B": 4}, device=TORCH)
    assert trainer.settings.precision == "float32"


def test_the_best_recipe_has_no_average_there(tmp_path: Path, corpus: Path) -> None:
    """It is computed on the CPU alone, and was not asked for."""
    sources = Sources(Corpus.from_paths([corpus]))
    trainer = start(RunFolder(tmp_path / "run"), sources, TextConfig(), {}, {"B": 4}, device=TORCH, recipe="best")
    assert (trainer.settings.average, trainer.p.Dh) == (0.0, 400)


@pytest.fixture
def two_gpus(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """PyTorch says that it sees two."""
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    yield
    choose_again()


@pytest.mark.usefixtures("two_gpus")
def test_which_device_is_chosen() -> None:
    assert chosen_device(None) is chosen_device("cpu") is None
    assert [chosen_device(name).name for name in ("auto", "cuda", "cuda:1")] == [
        "torch (cuda)", "torch (cuda)", "torch (cuda:1)",
    ]  # fmt: skip
    for name, sentence in (
        ("cuda:2", "device is cuda:2, but PyTorch sees 2 GPUs here: leave --device out to use the CPU"),
        ("gpu", "device is 'gpu'; choose cpu, cuda, cuda:N"),
        ("cuda:x", "device is 'cuda:x'"),
    ):
        with pytest.raises(ConfigError, match=sentence):
            chosen_device(name)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_on_the_command_line_without_a_gpu(command: Run, corpus: Path, tmp_path: Path) -> None:
    for arguments in ([corpus], ["--resume", tmp_path / "auto"]):
        if arguments[0] == "--resume":
            done = command(
                "train", corpus, "--device", "auto", "--out", tmp_path / "auto", "--epochs", 1, "--hidden", 8
            )
            assert done.returncode == 0, done.stderr
            assert "device" not in done.stderr
        done = command("train", *arguments, "--device", "cuda")
        assert done.returncode == 2
        assert "device is cuda, but PyTorch sees 0 GPUs here: leave --device out to use the CPU" in done.stderr
    done = command("train", "--task", "xor", "--device", "cuda")
    assert done.returncode == 2
    assert "--task is computed on the CPU alone" in done.stderr
