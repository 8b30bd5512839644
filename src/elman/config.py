"""Settings as frozen dataclasses: every default stands here, once, and is saved beside the weights.

`TextConfig` says how text becomes tokens, `ModelConfig` which network reads them, `TrainingConfig` how
it learns. `None` in a field means "decided by the data or the level", and `resolve` decides it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, ClassVar, Literal, Self, get_args

from elman.errors import ConfigError

Level = Literal["byte", "char", "word", "bpe"]
Activation = Literal["sigmoid", "tanh", "relu"]
Precision = Literal["float32", "float64", "bf16", "tf32"]
OptimizerName = Literal["adam", "sgd"]
ScheduleName = Literal["cosine", "linear", "constant", "mikolov"]
InitName = Literal["orthogonal", "identity", "normal", "sparse"]
OmegaForm = Literal["ratio", "squared"]
TaskName = Literal["temporal-order", "adding", "copying", "xor", "anbn"]

LEVELS: tuple[Level, ...] = get_args(Level)
ACTIVATIONS: tuple[Activation, ...] = get_args(Activation)
PRECISIONS: tuple[Precision, ...] = get_args(Precision)
DTYPES: tuple[str, ...] = ("float32", "float64")
"""What weights may be; with precision bf16 and tf32 they are float32."""
OPTIMIZERS: tuple[OptimizerName, ...] = get_args(OptimizerName)
SCHEDULES: tuple[ScheduleName, ...] = get_args(ScheduleName)
INITS: tuple[InitName, ...] = get_args(InitName)
OMEGA_FORMS: tuple[OmegaForm, ...] = get_args(OmegaForm)
TASKS: tuple[TaskName, ...] = get_args(TaskName)


class _Config:
    """What they share: a dictionary with only known keys, and choices that are checked."""

    ADDED: ClassVar[frozenset[str]] = frozenset()
    """Settings that runs written before them lack; by default they do nothing."""

    def as_dict(self) -> dict[str, Any]:
        """The fields as plain JSON values."""
        return asdict(self)  # type: ignore[call-overload,no-any-return]

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """The configuration from its dictionary.

        Raises ConfigError for a key this version does not know, a missing key or a bad value.
        """
        known = {field.name for field in fields(cls)}  # type: ignore[arg-type]
        for what, names in (("unknown", set(values) - known), ("missing", known - set(values) - cls.ADDED)):
            if names:
                raise ConfigError(
                    f"{cls.__name__} has the {what} setting {', '.join(sorted(names))}: "
                    "it was written by another version of Elman; use that version"
                )
        try:
            return cls(**values)
        except TypeError as error:
            raise ConfigError(f"{cls.__name__} holds a value of the wrong type: {error}") from error


def _require_choice(name: str, value: object, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ConfigError(f"{name} is {value!r}; choose one of {', '.join(choices)}")


def _require(condition: bool, name: str, value: object, expected: str) -> None:
    if not condition:
        raise ConfigError(f"{name} is {value!r}; it must be {expected}")


@dataclass(frozen=True)
class TextConfig(_Config):
    """How text becomes tokens.

    level       byte, char (Unicode code points), word (white space) or bpe (byte pairs, learnt here)
    vocab_size  at most so many tokens, `<unk>` and `<eos>` counted; None: all (bpe: 8,192)
    min_count   words or characters seen less often become `<unk>`
    """

    level: Level = "word"
    vocab_size: int | None = None
    min_count: int = 1

    BPE_VOCAB_SIZE = 8192

    def __post_init__(self) -> None:
        _require_choice("level", self.level, LEVELS)
        _require(self.vocab_size is None or self.vocab_size >= 2, "vocab-size", self.vocab_size, "at least 2")
        _require(self.min_count >= 1, "min-count", self.min_count, "at least 1")
        if self.level == "byte" and (self.vocab_size is not None or self.min_count != 1):
            raise ConfigError("level byte always has its 256 tokens; leave out --vocab-size and --min-count")
        if self.level == "bpe":
            _require(
                self.vocab_size is None or self.vocab_size > 256,
                "vocab-size",
                self.vocab_size,
                "over 256 for level bpe, whose first 256 tokens are the bytes",
            )


@dataclass(frozen=True)
class ModelConfig(_Config):
    """The network: V tokens, d embedding units, Dh hidden units; U shared with E if `tie`."""

    V: int
    d: int
    Dh: int
    activation: Activation = "sigmoid"
    tie: bool = False

    def __post_init__(self) -> None:
        for name in ("V", "d", "Dh"):
            value = getattr(self, name)
            _require(isinstance(value, int) and value >= 1, name, value, "a whole number, at least 1")
        _require_choice("activation", self.activation, ACTIVATIONS)
        if self.tie and self.d != self.Dh:
            raise ConfigError(
                f"tied output weights need d = Dh, given embed {self.d} and hidden {self.Dh}: "
                "make them equal, or leave out --tie"
            )


@dataclass(frozen=True)
class TrainingConfig(_Config):
    """How the network learns.

    B, T            parallel streams, and steps in a window of truncated backpropagation
    lr              the learning rate at its height; None: by the optimizer
    schedule        cosine or linear (down to lr_floor · lr), constant, or mikolov (see training/schedule.py)
    warmup          steps over which lr rises from 0
    clip            largest global norm of the gradient of the mean loss; 0: never clipped
    clip_adaptive   the same as a multiple of the norm's running mean (training/clipping.py); 0: none
    clip_elements   largest entry of the gradient of the mean loss; 0: none
    clip_errors     largest entry of ∂J/∂h on its way back, J being one token's loss (Mikolov's rnnlm: 15); 0: none
    omega           weight of Pascanu's regulariser Ω (training/omega.py); omega_form: ratio, eq. 9 of the paper, or
                    squared, that of its released code
    init            how W_h begins; spectral_radius: what it is scaled to have; None: as it comes (sparse: 0.95)
    init_scale      E and U begin uniform in ± this
    floss           steps of gradient flossing before training (training/flossing.py), of the floss_exponents largest
                    Lyapunov exponents; None: of as many as a quarter of the units
    watch_gradients steps between two looks through the lens at a few sequences; 0: none
    dropout         share of e and of h that is zeroed in training
    epochs          passes over the text; max_time, in seconds, may end it sooner
    patience        validations in a row without gain that end the run; 0: none do
    validate_every  steps between validations within an epoch; 0: only after each epoch
    save_every      steps between checkpoints; they come after each epoch too
    record_every    steps that make one line of metrics.jsonl
    precision       of weights and products; bf16, tf32: products of numbers rounded to 8 and to 11 bits, float32 sums,
                    weights and updates
    skip_below      blocks of the softmax gradient with no entry ŷ - y this large are left out; 0: none is
    """

    B: int = 40
    T: int = 20
    optimizer: OptimizerName = "adam"
    lr: float = 0.01
    schedule: ScheduleName = "cosine"
    lr_floor: float = 0.02
    warmup: int = 100
    clip: float = 1.0
    dropout: float = 0.0
    epochs: int = 12
    max_time: float | None = None
    patience: int = 5
    validate_every: int = 0
    save_every: int = 250
    record_every: int = 10
    seed: int = 0
    precision: Precision = "float32"
    skip_below: float = 0.0
    clip_adaptive: float = 0.0
    clip_elements: float = 0.0
    clip_errors: float = 0.0
    omega: float = 0.0
    omega_form: OmegaForm = "ratio"
    init: InitName = "orthogonal"
    init_scale: float = 0.3
    spectral_radius: float | None = None
    floss: int = 0
    floss_exponents: int | None = None
    watch_gradients: int = 0

    ADDED = frozenset({
        "clip_adaptive", "clip_elements", "clip_errors", "floss", "floss_exponents", "omega", "omega_form",
        "init", "init_scale", "spectral_radius", "watch_gradients",
    })  # fmt: skip

    @property
    def dtype(self) -> str:
        """What the weights are."""
        return "float64" if self.precision == "float64" else "float32"

    def __post_init__(self) -> None:
        _require(self.B >= 1, "batch-size", self.B, "at least 1")
        _require(self.T >= 1, "bptt", self.T, "at least 1")
        _require_choice("optimizer", self.optimizer, OPTIMIZERS)
        _require_choice("schedule", self.schedule, SCHEDULES)
        _require_choice("precision", self.precision, PRECISIONS)
        _require(0 < self.lr < float("inf"), "lr", self.lr, "over 0 and finite")
        _require(0 <= self.lr_floor <= 1, "lr-floor", self.lr_floor, "from 0 to 1")
        _require(self.warmup >= 0, "warmup", self.warmup, "at least 0")
        _require(self.clip >= 0, "clip", self.clip, "at least 0 (0: no clipping)")
        _require(0 <= self.dropout < 1, "dropout", self.dropout, "from 0 to under 1")
        _require(self.epochs >= 1, "epochs", self.epochs, "at least 1")
        _require(self.max_time is None or self.max_time > 0, "max-time", self.max_time, "over 0 seconds")
        _require(self.patience >= 0, "patience", self.patience, "at least 0 (0: never stop early)")
        _require(self.validate_every >= 0, "validate-every", self.validate_every, "at least 0")
        _require(self.save_every >= 1, "save-every", self.save_every, "at least 1")
        _require(self.record_every >= 1, "record-every", self.record_every, "at least 1")
        for name in ("clip_adaptive", "clip_elements", "clip_errors", "omega"):
            value = getattr(self, name)
            _require(0 <= value < float("inf"), name.replace("_", "-"), value, "at least 0 and finite (0: none)")
        _require_choice("omega-form", self.omega_form, OMEGA_FORMS)
        _require_choice("init", self.init, INITS)
        _require(0 < self.init_scale < float("inf"), "init-scale", self.init_scale, "over 0 and finite")
        radius = self.spectral_radius
        _require(radius is None or 0 < radius < float("inf"), "spectral-radius", radius, "over 0 and finite")
        _require(self.floss >= 0, "floss", self.floss, "at least 0 (0: none)")
        count = self.floss_exponents
        _require(count is None or count >= 1, "floss-exponents", count, "at least 1")
        _require(self.watch_gradients >= 0, "watch-gradients", self.watch_gradients, "at least 0 (0: never)")
        _require(0 <= self.skip_below < 1, "skip-below", self.skip_below, "from 0 (leave nothing out) to under 1")
        _require(0 <= self.seed < 2**63, "seed", self.seed, "from 0 to 2^63 - 1")


@dataclass(frozen=True)
class TaskConfig(_Config):
    """A synthetic task (training/tasks.py), of sequences of `shortest` to `longest` steps."""

    name: TaskName
    shortest: int
    longest: int

    def __post_init__(self) -> None:
        _require_choice("task", self.name, TASKS)
        lengths = f"{self.shortest}-{self.longest}"
        _require(10 <= self.shortest <= self.longest, "task-length", lengths, "SHORTEST-LONGEST with at least 10 steps")


@dataclass(frozen=True)
class RunConfig:
    """All of them, as `config.json` holds them."""

    text: TextConfig
    model: ModelConfig
    training: TrainingConfig
    corpus: str = ""
    """What it was trained on, for people to read."""
    task: TaskConfig | None = None
    """What it was trained on, where that was no text."""

    def as_dict(self) -> dict[str, Any]:
        """The whole as plain JSON values."""
        parts = {name: getattr(self, name).as_dict() for name in ("text", "model", "training")}
        task = {"task": self.task.as_dict()} if self.task else {}
        return parts | {"corpus": self.corpus} | task

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> RunConfig:
        """The inverse of `as_dict`; raises ConfigError for anything else."""
        try:
            return cls(
                TextConfig.from_dict(values["text"]),
                ModelConfig.from_dict(values["model"]),
                TrainingConfig.from_dict(values["training"]),
                str(values["corpus"]),
                TaskConfig.from_dict(values["task"]) if "task" in values else None,
            )
        except (KeyError, TypeError) as error:
            raise ConfigError(f"the configuration lacks {error}: it was not written by Elman") from error

    def with_training(self, **changes: Any) -> RunConfig:
        """The same with some settings of training changed."""
        return replace(self, training=replace(self.training, **changes))
