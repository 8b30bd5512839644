"""From a text to a trainer: vocabulary, tokens, configuration and first weights, all in the run folder."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np

from elman.checkpoint import RunFolder, load_config, load_state, save_config
from elman.config import ModelConfig, RunConfig, TaskConfig, TextConfig, TrainingConfig, level_defaults, passes_in
from elman.errors import CheckpointError, ConfigError
from elman.kernels import Backend, bf16_is_fast
from elman.model.parameters import Parameters
from elman.text.batches import open_tokens, write_tokens
from elman.text.corpus import Corpus
from elman.text.tokenizer import Tokenizer
from elman.training.flossing import floss
from elman.training.problem import Problem, TextProblem
from elman.training.tasks import VOCABULARY, TaskProblem
from elman.training.team import ALONE, Team
from elman.training.trainer import Trainer

HELD_OUT_LIMIT = 512 * 2**10
"""Unless a share is asked for, no more bytes than this are held out: validation should stay quick."""
DEFAULT_HELD_OUT = 0.05
TASK_DEFAULTS: tuple[dict[str, Any], dict[str, Any]] = (
    {"d": 10, "Dh": 50, "activation": "relu", "tie": False},
    {"B": 20, "lr": 3e-4, "schedule": "constant", "epochs": 100, "patience": 0, "init": "identity", "omega": 2.0,
     "omega_form": "squared", "save_every": 1000, "record_every": 100},
)  # fmt: skip
"""Sizes and settings of a task: 50 units, batches of 20, clipping and Ω as in Pascanu, Mikolov and Bengio (2013).

The start is that of Le, Jaitly and Hinton (2015): relu, and W_h the identity; what it is worth: docs/measured.md.
"""


class Watcher(Protocol):
    """Is told how far the reading of the text is."""

    def __call__(self, what: str, pieces: Iterable[str], size: int) -> Iterable[str]:
        """The same pieces; `size` is about their number of bytes."""
        ...


@dataclass(frozen=True)
class Sources:
    """The texts of a run. Without `valid` the last share of `train` is held out."""

    train: Corpus
    valid: Corpus | None = None
    held_out: float | None = None

    def training_pieces(self) -> tuple[Iterator[str], int]:
        """The part to learn from, and its size in bytes."""
        stop = self.train.size if self.valid else self._boundary()
        return self.train.pieces(0, stop), stop

    def validation_pieces(self) -> tuple[Iterator[str], int]:
        """The part to validate on, and its size in bytes."""
        if self.valid:
            return self.valid.pieces(), self.valid.size
        start = self._boundary()
        return self.train.pieces(start), self.train.size - start

    def describe(self) -> str:
        """Which text is learnt from, and which validates: a sentence for people."""
        if self.valid:
            return f"{self.train.name}; validation: {self.valid.name}"
        size = self.train.size - self._boundary()
        return f"{self.train.name}; validation: its last {size:,} bytes ({size / self.train.size:.1%}), held out"

    def _boundary(self) -> int:
        limit = HELD_OUT_LIMIT if self.held_out is None else None
        return self.train.held_out_start(self.held_out or DEFAULT_HELD_OUT, limit)


def start(
    folder: RunFolder,
    sources: Sources,
    text: TextConfig,
    model: dict[str, Any],
    training: dict[str, Any],
    watch: Watcher = lambda what, pieces, size: pieces,
    device: Backend | None = None,
    team: Team = ALONE,
) -> Trainer:
    """A trainer of a new run. `model` (d, Dh, activation, tie) and `training` hold what was asked for.

    What was not asked for is default, and what depends on the level by `level_defaults`. device: the torch backend that
    computes it, where it is not the CPU's own (elman.kernels.chosen_device). team: as in `resume`; the first of its
    processes calls this, the others `resume` once it is begun.

    Raises CheckpointError where the folder is taken, TextError or ConfigError where text or settings do not fit.
    """
    if sources.held_out is not None and not 0 < sources.held_out < 1:
        raise ConfigError(f"held-out is {sources.held_out!r}; it must be over 0 and under 1")
    fast = device is None and bf16_is_fast()
    settings, sizes = _settings(text, model, training, sources.train.size, fast=fast)
    if device:
        require_for_device(settings)
    else:
        require_for_cpu(settings)
    require_for_team(settings, team)
    folder.require_new()
    with_bytes = sources.training_pieces()
    tokenizer = Tokenizer.train(watch("vocabulary", *with_bytes), text)
    with folder.writing():
        folder.training.mkdir(parents=True, exist_ok=True)
        count = write_tokens(folder.train_tokens, watch("tokens", *sources.training_pieces()), tokenizer)
        write_tokens(folder.valid_tokens, watch("validation", *sources.validation_pieces()), tokenizer)
    if settings.max_time is not None and device is None:  # of a GPU it is not known how many it allows
        passes = passes_in(settings.max_time, text.level, tokenizer.V, count.tokens, fast)
        settings, sizes = _settings(text, model, training, sources.train.size, passes, fast)
    config = RunConfig(text, ModelConfig(V=tokenizer.V, **sizes), settings, sources.describe())
    return _begun(folder, config, tokenizer, device, team)


def start_task(
    folder: RunFolder, task: TaskConfig, model: dict[str, Any], training: dict[str, Any], team: Team = ALONE
) -> Trainer:
    """A trainer of a new run on a synthetic task; settings that were not asked for are `TASK_DEFAULTS`.

    Raises CheckpointError where the folder is taken, ConfigError where settings do not fit.
    """
    tokenizer = Tokenizer.of_words(VOCABULARY[task.name])
    sizes, settings = TASK_DEFAULTS
    config = RunConfig(
        TextConfig("word"),
        ModelConfig(V=tokenizer.V, **(sizes | model)),
        replace(TrainingConfig(), **(settings | training)),
        f"the task {task.name}, {task.shortest} to {task.longest} steps",
        task,
    )
    _require_flossing(config.training, config.model.activation, config.model.Dh)
    if task.name == "adding":  # reads real numbers, not tokens
        for option in ("dropout", "watch_gradients", "floss"):
            if getattr(config.training, option):
                raise ConfigError(f"the task adding reads real numbers: leave out --{option.replace('_', '-')}")
    require_for_cpu(config.training)
    require_for_team(config.training, team)
    folder.require_new()
    with folder.writing():
        folder.training.mkdir(parents=True, exist_ok=True)
    return _begun(folder, config, tokenizer, team=team)


def _begun(
    folder: RunFolder, config: RunConfig, tokenizer: Tokenizer, device: Backend | None = None, team: Team = ALONE
) -> Trainer:
    """Everything of the run is in its folder before the others of a team may look."""
    trainer = _trainer(folder, config, first_parameters(config), device)
    if config.training.floss:
        floss(trainer.p, trainer.problem, config.training, trainer.step.kernels)
    trainer.save_first()
    save_config(folder, config, tokenizer.to_json())
    if team.size == 1:
        return trainer
    team.wait()
    return resume(folder, {}, device, team)


def first_parameters(config: RunConfig) -> Parameters:
    """The weights that a run of this configuration begins with, the same bits each time."""
    model, settings = config.model, config.training
    return Parameters.initialise(
        model.V, model.d, model.Dh, activation=model.activation, tie=model.tie,
        seed=np.random.default_rng([settings.seed, 1]), dtype=settings.dtype,
        init=settings.init, spectral_radius=settings.spectral_radius, init_scale=settings.init_scale,
    )  # fmt: skip


def _require_flossing(settings: TrainingConfig, activation: str, Dh: int) -> None:
    """Raises ConfigError where flossing was asked for and cannot be."""
    count = settings.floss_exponents
    if not settings.floss:
        if count is not None:
            raise ConfigError("--floss-exponents is about --floss: say how many STEPS of it, or leave it out")
        return
    if activation == "relu":
        raise ConfigError("flossing needs --activation sigmoid or tanh: the slope of relu does not move with W_h")
    if count is not None and count > Dh:
        raise ConfigError(f"floss-exponents is {count}; it must be at most --hidden, {Dh}")


def _settings(
    text: TextConfig, model: dict[str, Any], training: dict[str, Any], size: int, passes: float = float("inf"),
    fast: bool = False,
) -> tuple[TrainingConfig, dict[str, Any]]:  # fmt: skip
    """Defaults of the level, the text's size in bytes and the passes there is time for, under what was asked for.

    fast: bfloat16 products may be taken by default.
    """
    optimizer = training.get("optimizer", TrainingConfig.optimizer)
    sizes, settings = level_defaults(text.level, optimizer, size, passes)
    if not fast:
        settings.pop("precision", None)
    if model.get("tie") and "d" in model and "Dh" not in model:
        model = model | {"Dh": model["d"]}
    square = model.get("tie", sizes["tie"]) or sizes["d"] == sizes["Dh"]
    if "Dh" in model and "d" not in model and square:
        model = model | {"d": model["Dh"]}
    if "tie" not in model and model.get("d", sizes["d"]) != model.get("Dh", sizes["Dh"]):
        sizes = sizes | {"tie": False}  # tied by default only where that is possible
    sizes = sizes | model
    found = replace(TrainingConfig(), **(settings | training))
    checked = ModelConfig(V=2, **sizes)  # complains before anything is read
    _require_flossing(found, checked.activation, checked.Dh)
    return found, sizes


def resume(folder: RunFolder, changes: dict[str, Any], device: Backend | None = None, team: Team = ALONE) -> Trainer:
    """A trainer that goes on where the run stopped. `changes`: epochs, max_time or patience, where given.

    device: as in `start`; it need not be that of before. team: the processes that go on with it, all of
    which call this; they need not be as many as before. Raises CheckpointError where the folder is no run, or damaged.
    """
    config, tokenizer_json = load_config(folder)
    require_for_team(config.training, team)
    if device:
        require_for_device(config.training, config.task)
    if changes:
        config = config.with_training(**changes)
    path = folder.stopped if folder.stopped.exists() else folder.state
    p, _, _ = load_state(folder, path, config)
    trainer = _trainer(folder, config, p, device, team)
    trainer.resume(extended=bool(changes))
    team.wait()  # all have read what the first now changes
    if changes and team.rank == 0:
        save_config(folder, config, tokenizer_json)
    return trainer


def require_for_device(settings: TrainingConfig, task: TaskConfig | None = None) -> None:
    """Raises ConfigError where a run has what only the CPU computes."""
    for given, what in (
        (task is not None, "--task"), (settings.skip_below > 0, "--skip-below"), (settings.omega > 0, "--omega"),
        (settings.floss > 0, "--floss"),
    ):  # fmt: skip
        if given:
            raise ConfigError(f"{what} is computed on the CPU alone: leave it or --device out")


def require_for_cpu(settings: TrainingConfig) -> None:
    """Raises ConfigError where a new run has what only a GPU computes; on a CPU tf32 goes on as float32."""
    if settings.precision == "tf32":
        raise ConfigError("--precision tf32 is a GPU's: choose float32, float64 or bf16, or add --device cuda")


def require_for_team(settings: TrainingConfig, team: Team) -> None:
    """Raises ConfigError where several processes cannot share a run."""
    if settings.B % team.size:
        raise ConfigError(
            f"batch-size is {settings.B}, which {team.size} processes cannot share evenly: "
            f"take a multiple of {team.size}"
        )
    if team.size > 1 and settings.omega:
        raise ConfigError("--omega is computed in one process: leave it out, or start without torchrun")


def _trainer(
    folder: RunFolder, config: RunConfig, p: Parameters, device: Backend | None = None, team: Team = ALONE
) -> Trainer:
    return Trainer(folder, config, p, _problem(folder, config), device=device, team=team)


def _problem(folder: RunFolder, config: RunConfig) -> Problem:
    settings = config.training
    if config.task:
        return TaskProblem(config.task, settings.B, settings.seed)
    for path in (folder.train_tokens, folder.valid_tokens):
        if not path.exists():
            raise CheckpointError(f"{path} is missing: the run was not copied whole, so it can be used but not resumed")
    return TextProblem(open_tokens(folder.train_tokens), open_tokens(folder.valid_tokens), settings.B, settings.T)
