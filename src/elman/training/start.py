"""The start of a run, from a text to a trainer: vocabulary, tokens, configuration and initial weights; and `resume`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from elman.checkpoint import (
    LARGEST_METRICS,
    RESTORE,
    RunFolder,
    load_settings,
    load_state,
    require_finite,
    save_config,
    tokenizer_of,
)
from elman.config import (
    Level,
    ModelConfig,
    OutputName,
    RecipeName,
    RunConfig,
    TaskConfig,
    TextConfig,
    TrainingConfig,
)
from elman.errors import CheckpointError, ConfigError
from elman.files import is_there, open_input, whole
from elman.kernels import Kernels, bf16_is_fast
from elman.model.output.adaptive import equivalent_V
from elman.model.parameters import Parameters
from elman.text.batches import TokenCounts, count_tokens, open_tokens, write_tokens
from elman.text.corpus import Corpus
from elman.text.tokenizer import Tokenizer, Waiting
from elman.training.defaults import (
    HELD_OUT,
    HELD_OUT_LIMIT,
    SIZES,
    for_few_tokens,
    passes_in,
    task_defaults,
    with_defaults,
)
from elman.training.drawing import TokenDraw, WordDropout
from elman.training.loop import Trainer
from elman.training.pace import operations_per_second
from elman.training.problem import Problem, TextProblem
from elman.training.tasks.problem import TaskProblem
from elman.training.tasks.sequences import VOCABULARY
from elman.training.team import ALONE, Team
from elman.training.treatments.flossing import floss
from elman.wording import count as count_of

TO_TRAIN_ON = "the text to train on"


class Reporter(Protocol):
    """Reports how far the reading of the text is."""

    def __call__(self, what: str, pieces: Iterable[str], size: int) -> Iterable[str]:
        """Passes the pieces on; `size` is about their number of bytes."""
        ...


@dataclass(frozen=True)
class Sources:
    """The texts of a run. Without `valid`, the end of `train` is held out for validation."""

    train: Corpus
    valid: Corpus | None = None
    held_out: float | None = None

    def at_level(self, level: Level) -> Sources:
        """The same texts, read as a level reads them."""
        return replace(self, train=self.train.at_level(level), valid=self.valid and self.valid.at_level(level))

    def training_pieces(self) -> tuple[Iterator[str], int]:
        """The text to train on, and its size in bytes."""
        stop = self.train.size if self.valid else self._boundary()
        return self.train.pieces(0, stop), stop

    def validation_pieces(self) -> tuple[Iterator[str], int]:
        """The text to validate on, and its size in bytes."""
        if self.valid:
            return self.valid.pieces(), self.valid.size
        start = self._boundary()
        return self.train.pieces(start), self.train.size - start

    def validation_name(self) -> str:
        """What the text to validate on is."""
        if self.valid:
            return f"the text to validate on, {self.valid.name},"
        size = count_of(self.validation_pieces()[1], "byte")
        return f"the part that is held out for validation, the last {size} of the text,"

    def describe(self) -> str:
        """The names of both texts, for people to read."""
        if self.valid:
            return f"{self.train.name}; validation: {self.valid.name}"
        size = self.train.size - self._boundary()
        return f"{self.train.name}; validation: its last {size:,} bytes ({size / self.train.size:.1%}), held out"

    def _boundary(self) -> int:
        limit = HELD_OUT_LIMIT if self.held_out is None else None
        return self.train.held_out_start(self.held_out or HELD_OUT, limit)


@dataclass(frozen=True)
class Beginning:
    """What a new run takes over instead of making it from its text: the vocabulary, and the weights of another run.

    grow: what the vocabulary lacks of that of the new text is added, and to the weights (`Parameters.grown`)
    """

    tokenizer: Tokenizer
    p: Parameters | None = None
    grow: bool = False

    def grown(self, vocabulary: Tokenizer) -> tuple[Beginning, str]:
        """With the tokens of another vocabulary too; and a sentence that says how many."""
        new = [token for token in vocabulary.tokens if token not in self.tokenizer]
        p = None if self.p is None else self.p.grown(len(new))
        return Beginning(self.tokenizer.with_more(new), p), f"the vocabulary grew by {count_of(len(new), 'token')}"


def start(
    folder: RunFolder,
    sources: Sources,
    text: TextConfig,
    model: dict[str, Any],
    training: dict[str, Any],
    report: Reporter = lambda what, pieces, size: pieces,
    device: Kernels | None = None,
    team: Team = ALONE,
    waiting: Waiting = nullcontext,
    beginning: Beginning | None = None,
    recipe: RecipeName = "quick",
) -> Trainer:
    """A trainer of a new run. `model` and `training` hold the fields of ModelConfig and TrainingConfig asked for.

    What was not asked for is default, and what depends on the level by `level_defaults`. device: the TorchKernels
    that compute it (elman.kernels.chosen_device); None for the CPU. team: as in `resume`; the first of its
    processes calls this, the others `resume` once it is begun. waiting: as for `Tokenizer.train`. beginning:
    what is taken over; `model` must be as its weights are. recipe: of the defaults. The caller holds `folder.begun()`.

    Raises CheckpointError where the folder is taken, TextError or ConfigError where text or settings do not fit.
    """
    if sources.held_out is not None and not 0 < sources.held_out < 1:
        raise ConfigError(f"held-out is {sources.held_out!r}; it must be over 0 and under 1")
    fast = device is None and bf16_is_fast()
    sampling = device is None and team.size == 1 and not training.get("skip_below")
    if device:  # these are computed on the CPU alone
        training = {"average": 0.0, "weight_decay": 0.0} | training
    fill_in = partial(
        with_defaults, text, model, training, size=sources.train.size, recipe=recipe, fast_bf16=fast, sampling=sampling
    )
    settings, network = fill_in()  # reports what does not fit before the text is read
    require_consistent(settings, network)
    require_for_layers(settings, network)
    require_for_level(network, text.level, training)
    if device:
        require_for_device(settings, output=network.output)
    else:
        require_for_cpu(settings)
    require_for_team(settings, team, network.output)
    folder.require_new()
    sources = sources.at_level(text.level)
    remarks: list[str] = []
    if beginning is None or beginning.grow:
        tokenizer = Tokenizer.train(report("vocabulary", *sources.training_pieces()), text, waiting)
        if beginning:
            beginning, remark = beginning.grown(tokenizer)
            remarks.append(remark)
    if beginning:
        tokenizer = beginning.tokenizer
    if network.output == "adaptive" and (text.level == "bpe" or (beginning and beginning.p is None)):
        tokenizer = tokenizer.by_frequency(count_tokens(report("counts", *sources.training_pieces()), tokenizer))
    with folder.writing():
        folder.training.mkdir(parents=True, exist_ok=True)
    count = _write_tokens(
        folder, folder.train_tokens, report("tokens", *sources.training_pieces()), tokenizer, TO_TRAIN_ON,
        "give a longer text",
    )  # fmt: skip
    valid = _write_tokens(
        folder, folder.valid_tokens, report("validation", *sources.validation_pieces()), tokenizer,
        sources.validation_name(), "give a longer text, or another one with --valid",
    )  # fmt: skip
    fill_in = partial(fill_in, V=tokenizer.V, unk_to_learn=tokenizer.unk is not None and not count.unk)
    settings, network = fill_in()
    if settings.max_time is not None and device is None and recipe == "quick":  # of a GPU it is not known
        passes = _passes(settings, settings.max_time, network, text.level, count.tokens, fast)
        settings, network = fill_in(passes=passes)
        remarks.append(f"at the speed of this machine, just measured, the time is for about {passes:,.3g} passes")
    settings, remark = for_few_tokens(settings, training, count.tokens, team.size)
    require_consistent(settings, network)
    config = RunConfig(text, network, settings, sources.describe())
    checksums = {folder.train_tokens.name: count.sha256, folder.valid_tokens.name: valid.sha256}
    trainer = _begun(folder, config, tokenizer, checksums, device, team, beginning.p if beginning else None)
    trainer.remarks += [*remarks, remark] if remark else remarks
    return trainer


def _passes(
    settings: TrainingConfig, seconds: float, network: ModelConfig, level: Level, tokens: int, fast_bf16: bool
) -> float:
    """How many passes over the text the time is for, at the speed that this machine has now."""
    equivalent: float = network.V
    if network.cut_at:
        equivalent = equivalent_V(network.V, SIZES[level]["Dh"], network.cut_at)
    elif network.output == "sampled":
        equivalent = min(equivalent, settings.samples + settings.B * settings.T)
    rate = operations_per_second(level, equivalent, seconds, fast_bf16)
    return passes_in(seconds, rate, level, equivalent, tokens, network.layers)


def _write_tokens(
    folder: RunFolder, path: Path, pieces: Iterable[str], tokenizer: Tokenizer, what: str, advice: str
) -> TokenCounts:
    """`write_tokens`, beside the file's place: another process may have mapped what is there."""
    with whole(path, CheckpointError, folder.advice) as temporary:
        return write_tokens(temporary, pieces, tokenizer, what, advice)


def start_task(
    folder: RunFolder, task: TaskConfig, model: dict[str, Any], training: dict[str, Any], team: Team = ALONE
) -> Trainer:
    """A trainer of a new run on a synthetic task; for what was not chosen see `task_defaults`.

    The caller holds `folder.begun()`. Raises CheckpointError where the folder is taken, ConfigError where settings do
    not fit.
    """
    tokenizer = Tokenizer.of_words(VOCABULARY[task.name])
    settings, network = task_defaults(tokenizer.V, model, training)
    about = f"the task {task.name}, {task.shortest} to {task.longest} steps"
    config = RunConfig(TextConfig("word"), network, settings, about, task)
    require_consistent(settings, network)
    require_for_layers(settings, network)
    if task.name == "adding":  # reads real numbers, not tokens
        for option in ("dropout", "watch_gradients", "floss"):
            if getattr(settings, option):
                raise ConfigError(f"the task adding reads real numbers: leave out --{option.replace('_', '-')}")
    if settings.word_dropout:
        raise ConfigError("--word-dropout is of a text, and a task has no <unk> to learn: leave it out")
    require_for_cpu(settings)
    require_for_team(settings, team)
    folder.require_new()
    with folder.writing():
        folder.training.mkdir(parents=True, exist_ok=True)
    return _begun(folder, config, tokenizer, {}, team=team)


def _begun(
    folder: RunFolder, config: RunConfig, tokenizer: Tokenizer, tokens_sha256: dict[str, str],
    device: Kernels | None = None, team: Team = ALONE, p: Parameters | None = None,
) -> Trainer:  # fmt: skip
    """Writes the whole run folder, then lets the other processes of a team read it. p: the first weights, if given."""
    first = first_parameters(config) if p is None else p.astype(config.training.dtype)
    trainer = _trainer(folder, config, tokenizer, first, device)
    if config.training.floss:
        floss(trainer.p.with_kernels(trainer.step.kernels), trainer.problem, config.training)
    trainer.save_first()
    save_config(folder, config, tokenizer.to_json(), tokens_sha256)
    if team.size == 1:
        return trainer
    team.wait()
    return resume(folder, {}, device, team)


def first_parameters(config: RunConfig) -> Parameters:
    """The initial weights of a run with this configuration; the same bits each time."""
    model, settings = config.model, config.training
    return Parameters.initialise(
        model.V, model.d, model.Dh, activation=model.activation, tie=model.tie,
        seed=np.random.default_rng([settings.seed, 1]), dtype=settings.dtype,
        init=settings.init, spectral_radius=settings.spectral_radius, init_scale=settings.init_scale,
        layers=model.layers, skip=model.skip, cutoffs=model.cut_at,
    )  # fmt: skip


def resume(folder: RunFolder, changes: dict[str, Any], device: Kernels | None = None, team: Team = ALONE) -> Trainer:
    """A trainer that goes on where the run stopped. changes: epochs, max_time or patience, where given.

    device: as in `start`; it may be another than before. team: the processes that go on, all of which call this; there
    may be more or fewer than before. The caller holds `folder.locked()`. Raises CheckpointError where the folder is no
    run, or is damaged; then nothing was changed.
    """
    config, tokenizer_json, tokens_sha256 = load_settings(folder)
    require_for_team(config.training, team, config.model.output)
    if device:
        require_for_device(config.training, config.task, config.model.output)
    if changes:
        config = config.with_training(**changes)
    state = load_state(folder, folder.latest_state, config)
    require_finite(state[0], folder.latest_state)
    if is_there(folder.metrics, CheckpointError, RESTORE):  # records are appended to it: it must be a file of the run
        open_input(folder.metrics, LARGEST_METRICS, CheckpointError, RESTORE).close()
        if folder.metrics.is_symlink():
            raise CheckpointError(f"{folder.metrics} is a link to another file, which would be changed; {RESTORE}")
    tokenizer = tokenizer_of(folder, config, tokenizer_json)
    trainer = _trainer(folder, config, tokenizer, state[0], device, team, tokens_sha256)
    trainer.resume(state, extended=bool(changes))
    team.wait()  # until all have read what the first process changes now
    if changes and team.rank == 0:
        save_config(folder, config, tokenizer_json, tokens_sha256)
    return trainer


def require_flossing(settings: TrainingConfig, network: ModelConfig) -> None:
    """Raises ConfigError where flossing was asked for and is not possible."""
    count = settings.floss_exponents
    if not settings.floss:
        if count is not None:
            raise ConfigError("--floss-exponents is about --floss: give its number of STEPS, or leave it out")
        return
    if network.activation == "relu":
        raise ConfigError("flossing needs --activation sigmoid or tanh: the slope of relu does not change with W_h")
    if count is not None and count > network.Dh:
        raise ConfigError(f"floss-exponents is {count}; it must be at most --hidden, {network.Dh}")


def require_dropout(settings: TrainingConfig) -> None:
    """Raises ConfigError where a kind of dropout was asked for and there is none."""
    if settings.variational_dropout and not settings.dropout:
        raise ConfigError(
            "--variational-dropout is a kind of dropout, and dropout is 0 here: add --dropout SHARE, or leave it out"
        )


def require_consistent(settings: TrainingConfig, network: ModelConfig) -> None:
    """Raises ConfigError for settings that contradict each other, whatever is learnt."""
    require_flossing(settings, network)
    require_dropout(settings)
    require_average(settings)
    require_weight_decay(settings)


def require_weight_decay(settings: TrainingConfig) -> None:
    """Raises ConfigError where a step would shrink the weights to 0 or past it."""
    if settings.weight_decay * settings.lr >= 1:
        raise ConfigError(
            f"--weight-decay {settings.weight_decay:g} at --lr {settings.lr:g} would leave nothing of the weights: "
            f"give less than {1 / settings.lr:g}"
        )


def require_average(settings: TrainingConfig) -> None:
    """Raises ConfigError where an average was asked for and the schedule goes back to the best weights."""
    if settings.average and settings.schedule == "mikolov":
        raise ConfigError(
            "--average is of weights that learn on, and --schedule mikolov goes back to the best ones: leave one out"
        )


def require_for_layers(settings: TrainingConfig, network: ModelConfig) -> None:
    """Raises ConfigError for settings that several layers do not have."""
    if network.layers == 1:
        return
    for given, what in (
        (settings.omega > 0, "--omega"), (settings.floss > 0, "--floss"),
        (settings.watch_gradients > 0, "--watch-gradients"),
    ):  # fmt: skip
        if given:
            raise ConfigError(f"{what} is of one recurrent layer: leave it out, or take --layers 1")


def require_for_level(network: ModelConfig, level: Level, training: Mapping[str, Any]) -> None:
    """Raises ConfigError for what the level does not have, or a chosen setting of another output layer."""
    if network.output == "adaptive" and level == "byte":
        raise ConfigError(
            "--output adaptive divides a large vocabulary by frequency, and level byte has 256 tokens: leave it out"
        )
    if training.get("word_dropout") and level in ("bpe", "byte"):
        raise ConfigError(f"--word-dropout reads tokens as <unk>, which level {level} does not have: leave it out")
    if "samples" in training and network.output != "sampled":
        raise ConfigError("--samples is about --output sampled: choose that, or leave --samples out")


def require_for_device(
    settings: TrainingConfig, task: TaskConfig | None = None, output: OutputName = "full"
) -> None:  # fmt: skip
    """Raises ConfigError for settings that only the CPU computes."""
    for given, what in (
        (task is not None, "--task"), (settings.skip_below > 0, "--skip-below"), (settings.omega > 0, "--omega"),
        (settings.floss > 0, "--floss"), (settings.average > 0, "--average"),
        (settings.weight_decay > 0, "--weight-decay"), (output != "full", f"--output {output}"),
    ):  # fmt: skip
        if given:
            raise ConfigError(f"{what} is computed on the CPU alone: leave it or --device out")


def require_for_cpu(settings: TrainingConfig) -> None:
    """Raises ConfigError for settings of a new run that only a GPU computes; a CPU resumes a tf32 run in float32."""
    if settings.precision == "tf32":
        raise ConfigError("--precision tf32 is a GPU's: choose float32, float64 or bf16, or add --device cuda")


def require_for_team(settings: TrainingConfig, team: Team, output: OutputName = "full") -> None:
    """Raises ConfigError for settings that several processes cannot share."""
    if settings.B % team.size:
        raise ConfigError(
            f"batch-size is {settings.B}, which {team.size} processes cannot share evenly: "
            f"take a multiple of {team.size}"
        )
    if team.size > 1 and settings.omega:
        raise ConfigError("--omega is computed in one process: leave it out, or start without torchrun")
    if team.size > 1 and output == "sampled":
        raise ConfigError("--output sampled is computed in one process: take another, or start without torchrun")


def _trainer(
    folder: RunFolder, config: RunConfig, tokenizer: Tokenizer, p: Parameters, device: Kernels | None = None,
    team: Team = ALONE, tokens_sha256: Mapping[str, str] | None = None,
) -> Trainer:  # fmt: skip
    problem = _problem(folder, config, tokenizer, tokens_sha256 or {})
    return Trainer(folder, config, p, problem, device=device, team=team)


def _problem(folder: RunFolder, config: RunConfig, tokenizer: Tokenizer, tokens_sha256: Mapping[str, str]) -> Problem:
    settings = config.training
    if config.task:
        return TaskProblem(config.task, settings.B, settings.seed)
    model = config.model
    for path in (folder.train_tokens, folder.valid_tokens):
        if not is_there(path, CheckpointError, RESTORE):
            raise CheckpointError(f"{path} is missing: the run was not copied whole, so it can be used but not resumed")
    train, valid = (
        open_tokens(path, tokens_sha256.get(path.name), V=model.V)
        for path in (folder.train_tokens, folder.valid_tokens)
    )
    sampled = model.output == "sampled"
    draw = TokenDraw.of(train, model.V, settings.samples, settings.seed) if sampled else None
    dropout = None
    if settings.word_dropout and tokenizer.unk is not None:
        A, unk, eos = settings.word_dropout, tokenizer.unk, tokenizer.eos
        dropout = WordDropout.of(train, model.V, A, unk, eos, settings.T, settings.seed)
    return TextProblem(train, valid, settings.B, settings.T, draw, dropout)
