"""Settings as frozen dataclasses. A setting is one field, and all that is known about it is in the field's metadata.

`TextConfig` says how text becomes tokens, `ModelConfig` which network reads them, `TrainingConfig` how it learns. The
options of `elman train`, their help, the checks of values, what older files may lack, and the table in docs/guide.md
all come from the metadata. A default that depends on the data or the level is in training/defaults.py.

To add a setting: a field here with `added=True`, and the place where it takes effect.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import Field, asdict, dataclass, field, fields, replace
from functools import partial
from typing import Any, Literal, Self, get_args, get_type_hints

from elman.errors import ConfigError
from elman.schema import Range, expected, fields_of, fits, in_words

Level = Literal["byte", "char", "word", "bpe"]
Activation = Literal["sigmoid", "tanh", "relu"]
Precision = Literal["float32", "float64", "bf16", "tf32"]
OptimizerName = Literal["adam", "sgd"]
ScheduleName = Literal["cosine", "linear", "constant", "mikolov"]
InitName = Literal["orthogonal", "identity", "normal", "sparse"]
OmegaForm = Literal["ratio", "squared"]
OutputName = Literal["full", "adaptive", "sampled"]
RecipeName = Literal["quick", "best"]
TaskName = Literal["temporal-order", "adding", "copying", "xor", "anbn"]

LEVELS: tuple[Level, ...] = get_args(Level)
ACTIVATIONS: tuple[Activation, ...] = get_args(Activation)
PRECISIONS: tuple[Precision, ...] = get_args(Precision)
DTYPES: tuple[str, ...] = ("float32", "float64")
"""The types of weights; with precision bf16 and tf32 they are float32."""
OPTIMIZERS: tuple[OptimizerName, ...] = get_args(OptimizerName)
SCHEDULES: tuple[ScheduleName, ...] = get_args(ScheduleName)
INITS: tuple[InitName, ...] = get_args(InitName)
OMEGA_FORMS: tuple[OmegaForm, ...] = get_args(OmegaForm)
OUTPUTS: tuple[OutputName, ...] = get_args(OutputName)
RECIPES: tuple[RecipeName, ...] = get_args(RecipeName)
TASKS: tuple[TaskName, ...] = get_args(TaskName)

LONGEST_SEQUENCE = 10_000
"""Steps of the longest sequence of a task."""

GROUPS = (
    "Text", "Network", "Optimisation", "Gradient treatments", "Start", "Task", "Records", "Device",
)  # fmt: skip
"""The groups of settings, in the order of `elman train --help`."""


def at_least(low: int, zero: str = "") -> Range:
    """From `low` on; `zero` is what 0 means."""
    return Range(f"at least {low}" + (f" (0: {zero})" if zero else ""), low)


COUNT = at_least(1)
SIZE = Range("a whole number, at least 1", 1, whole=True)
CUTOFFS = Range("ascending whole numbers, from 1 to under V, such as 4000,20000")
LAYERS = Range("a whole number from 1 to 64", 1, 64, whole=True)
POSITIVE = Range("over 0 and finite", 0, without_low=True, without_high=True)
SCALE = Range("over 0 and at most 1,000,000", 0, 1e6, without_low=True)
SECONDS = Range("over 0 seconds and finite", 0, without_low=True, without_high=True)
NORM = Range("at least 0 and finite (0: no clipping)", 0, without_high=True)
WEIGHT = Range("at least 0 and finite (0: none)", 0, without_high=True)


_RANK = re.compile("[0-9]{1,15}")


@dataclass(frozen=True)
class Setting:
    """What is known about a field besides its type.

    help     a sentence for `elman train --help` and the guide
    group    one of GROUPS
    option   its name on the command line and in messages; "" where it has no option
    metavar  what the value stands for: a letter of the mathematics, or its unit, as in STEPS
    range    the numbers it may be; for text see `choices`
    choices  the words it may be
    shown    the default for people, where it is not the field's own and not by level or optimizer
    added    whether files written before it was added lack it; its default then changes nothing
    """

    help: str
    group: str
    option: str = ""
    metavar: str | None = None
    range: Range | None = None
    choices: tuple[str, ...] = ()
    shown: str = ""
    added: bool = False


def described(help: str, group: str, **more: Any) -> dict[str, Setting]:
    """The metadata of a field that is a setting."""
    return {"setting": Setting(help, group, **more)}


_text, _network, _optimisation, _treatment, _start, _task, _record, _device = (
    partial(described, group=group) for group in GROUPS
)


def settings(config: type[Config]) -> dict[Field[Any], Setting]:
    """The fields of a configuration that are settings, in their order."""
    return {f: f.metadata["setting"] for f in fields(config) if "setting" in f.metadata}


def field_type(config: type[Config], name: str) -> type:
    """The type of a field's values, without None: int, float, bool or str."""
    hint = get_type_hints(config)[name]
    kinds = [kind for kind in get_args(hint) if kind is not type(None)] or [hint]
    return kinds[0] if kinds[0] in (int, float, bool) else str


@dataclass(frozen=True)
class Config:
    """The base of the configurations: values are checked, and so are the keys of a dictionary."""

    def __post_init__(self) -> None:
        for name, (hint, declared) in fields_of(type(self)).items():
            known: Setting = declared.metadata.get("setting", Setting("", ""))
            value, name = getattr(self, name), known.option or name
            if value is None and declared.default is None:
                continue
            if known.choices and value not in known.choices:
                raise ConfigError(f"{name} is {in_words(value)}; choose one of {', '.join(known.choices)}")
            if not fits(hint, value, known.range):
                raise ConfigError(f"{name} is {in_words(value)}; it must be {expected(hint, known.range, value)}")

    def as_dict(self) -> dict[str, Any]:
        """The fields as plain JSON values."""
        return asdict(self)

    @classmethod
    def added(cls) -> set[str]:
        """The fields that older files lack."""
        return {f.name for f, known in settings(cls).items() if known.added}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """The configuration from its dictionary.

        Raises ConfigError for a key this version does not know, a missing key or a bad value.
        """
        if not isinstance(values, Mapping):
            raise ConfigError(f"{cls.__name__} is {in_words(values)}; it must be an object with its settings")
        known = {f.name for f in fields(cls)}
        for what, names in (("unknown", set(values) - known), ("missing", known - set(values) - cls.added())):
            if names:
                raise ConfigError(
                    f"{cls.__name__} has the {what} setting {', '.join(sorted(names))}: "
                    "it was written by another version of Elman; use that version"
                )
        return cls(**values)


@dataclass(frozen=True)
class TextConfig(Config):
    """How text becomes tokens."""

    level: Level = field(default="word", metadata=_text(
        "What a token is: a byte, a character (Unicode code point), a word between white space, or a byte pair.",
        option="level", choices=LEVELS, shown="word; char for a text with hardly any blanks",
    ))  # fmt: skip
    vocab_size: int | None = field(default=None, metadata=_text(
        "The most tokens, <unk> and <eos> counted.",
        option="vocab-size", metavar="N", range=at_least(2), shown="all; 8,192 for bpe",
    ))  # fmt: skip
    min_count: int = field(default=1, metadata=_text(
        "Words or characters seen less often become <unk>.",
        option="min-count", metavar="N", range=COUNT,
    ))  # fmt: skip

    BPE_VOCAB_SIZE = 8192

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.level == "byte" and (self.vocab_size is not None or self.min_count != 1):
            raise ConfigError("level byte always has its 256 tokens; leave out --vocab-size and --min-count")
        if self.level == "bpe" and self.vocab_size is not None and self.vocab_size <= 256:
            raise ConfigError(
                f"vocab-size is {self.vocab_size!r}; it must be over 256 for level bpe, whose first 256 tokens are the "
                "bytes"
            )


@dataclass(frozen=True)
class ModelConfig(Config):
    """The network: V tokens, d embedding units, layers of Dh hidden units; U shared with E if `tie`."""

    V: int = field(metadata=_network(
        "Tokens of the vocabulary.",
        range=SIZE,
    ))  # fmt: skip
    d: int = field(metadata=_network(
        "Embedding units.",
        option="embed", metavar="d", range=SIZE,
    ))  # fmt: skip
    Dh: int = field(metadata=_network(
        "Hidden units.",
        option="hidden", metavar="Dh", range=SIZE,
    ))  # fmt: skip
    activation: Activation = field(default="sigmoid", metadata=_network(
        "σ of the recurrence.",
        option="activation", choices=ACTIVATIONS,
    ))  # fmt: skip
    tie: bool = field(default=False, metadata=_network(
        "Use one matrix as E and U (embed = hidden).",
        option="tie",
    ))  # fmt: skip
    layers: int = field(default=1, metadata=_network(
        "Recurrent layers, each of Dh units; every one reads the states of the one below it.",
        option="layers", metavar="N", range=LAYERS, added=True,
    ))  # fmt: skip
    skip: bool = field(default=False, metadata=_network(
        "Add the states of the layers below to what is read of each layer above the first.",
        option="skip", added=True,
    ))  # fmt: skip
    output: OutputName = field(default="full", metadata=_network(
        "The softmax. For a large vocabulary, adaptive: a head and tails by frequency; sampled: training over some "
        "tokens.",
        option="output", choices=OUTPUTS, shown="full; sampled from 2,048 tokens on", added=True,
    ))  # fmt: skip
    cutoffs: str | None = field(default=None, metadata=_network(
        "The ranks where the head of the adaptive output ends, and each tail but the last.",
        option="cutoffs", metavar="N,N", range=CUTOFFS, shown="4000,20000; fewer for a small vocabulary", added=True,
    ))  # fmt: skip

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.tie and self.d != self.Dh:
            raise ConfigError(
                f"tied output weights need d = Dh, given embed {self.d} and hidden {self.Dh}: "
                "make them equal, or leave out --tie"
            )
        if self.skip and self.layers == 1:
            raise ConfigError("--skip connects layers, and there is one: add --layers 2, or leave out --skip")
        if self.tie and self.output == "adaptive":
            raise ConfigError(
                "--tie makes E and U one matrix, and --output adaptive has none of that shape: leave out --tie, or "
                "take another --output"
            )
        if self.output != "adaptive":
            if self.cutoffs is not None:
                raise ConfigError("--cutoffs is about --output adaptive: choose that, or leave --cutoffs out")
        elif not self.cut_at or list(self.cut_at) != sorted({*self.cut_at} - {0}):
            raise ConfigError(f"cutoffs is {in_words(self.cutoffs)}; it must be {CUTOFFS.words}")
        elif self.cut_at[-1] >= self.V:
            raise ConfigError(
                f"cutoffs is {in_words(self.cutoffs)}; it must be {CUTOFFS.words}, V being {self.V:,} here"
            )

    @property
    def cut_at(self) -> tuple[int, ...]:
        """The ranks of `cutoffs`; () where there are none, or they are no whole numbers."""
        ranks = (self.cutoffs or "").split(",")
        return tuple(map(int, ranks)) if all(_RANK.fullmatch(rank) for rank in ranks) else ()


@dataclass(frozen=True)
class TrainingConfig(Config):
    """How the network learns."""

    B: int = field(default=40, metadata=_optimisation(
        "Parallel streams of the text.",
        option="batch-size", metavar="B", range=COUNT,
    ))  # fmt: skip
    T: int = field(default=20, metadata=_optimisation(
        "Steps of truncated backpropagation through time.",
        option="bptt", metavar="T", range=COUNT,
    ))  # fmt: skip
    optimizer: OptimizerName = field(default="adam", metadata=_optimisation(
        "The rule that updates the weights.",
        option="optimizer", choices=OPTIMIZERS,
    ))  # fmt: skip
    lr: float = field(default=0.01, metadata=_optimisation(
        "The largest learning rate.",
        option="lr", metavar="RATE", range=POSITIVE,
    ))  # fmt: skip
    schedule: ScheduleName = field(default="cosine", metadata=_optimisation(
        "How lr falls; mikolov halves it when validation gains little.",
        option="schedule", choices=SCHEDULES,
    ))  # fmt: skip
    lr_floor: float = field(default=0.02, metadata=_optimisation(
        "Where cosine and linear end, as a share of lr.",
        option="lr-floor", metavar="SHARE", range=Range("from 0 to 1", 0, 1),
    ))  # fmt: skip
    warmup: int = field(default=100, metadata=_optimisation(
        "Steps in which lr rises from 0.",
        option="warmup", metavar="STEPS", range=at_least(0),
    ))  # fmt: skip
    clip: float = field(default=1.0, metadata=_treatment(
        "The largest norm of the gradient of the mean loss; 0: no limit.",
        option="clip", metavar="NORM", range=NORM,
    ))  # fmt: skip
    dropout: float = field(default=0.0, metadata=_network(
        "Share of e and of every layer's h that is set to 0 in training.",
        option="dropout", metavar="SHARE", range=Range("from 0 to under 1", 0, 1, without_high=True),
    ))  # fmt: skip
    variational_dropout: bool = field(default=False, metadata=_network(
        "One dropout mask for all steps of a window, instead of one a step.",
        option="variational-dropout", added=True,
    ))  # fmt: skip
    word_dropout: float = field(default=0.0, metadata=_optimisation(
        "A token that occurs n times is read as <unk> with the probability A / (A + n), to learn <unk>; 0: never.",
        option="word-dropout", metavar="A", range=WEIGHT,
        shown="0.25; 0 for a text with unknown tokens", added=True,
    ))  # fmt: skip
    epochs: int = field(default=12, metadata=_optimisation(
        "Passes over the text.",
        option="epochs", metavar="N", range=COUNT,
    ))  # fmt: skip
    max_time: float | None = field(default=None, metadata=_optimisation(
        "End after so many seconds in all, before and after --resume; the schedule is fitted to it.",
        option="max-time", metavar="SECONDS", range=SECONDS, shown="no limit",
    ))  # fmt: skip
    patience: int = field(default=5, metadata=_optimisation(
        "End after N validations in a row without gain; 0: never.",
        option="patience", metavar="N", range=at_least(0, "never stop early"),
    ))  # fmt: skip
    validate_every: int = field(default=0, metadata=_record(
        "Steps between validations; 0: only after each epoch.",
        option="validate-every", metavar="STEPS", range=at_least(0),
    ))  # fmt: skip
    save_every: int = field(default=250, metadata=_record(
        "Steps between checkpoints; there is one after each epoch too.",
        option="save-every", metavar="STEPS", range=COUNT,
    ))  # fmt: skip
    record_every: int = field(default=10, metadata=_record(
        "Steps that one line of metrics.jsonl covers.",
        option="record-every", metavar="STEPS", range=COUNT,
    ))  # fmt: skip
    seed: int = field(default=0, metadata=_start(
        "The same seed, threads and machine give the same bytes.",
        option="seed", metavar="N", range=Range("from 0 to 2^63 - 1", 0, 2**63, without_high=True),
    ))  # fmt: skip
    precision: Precision = field(default="float32", metadata=_device(
        "Of weights and products. bf16 and tf32 (GPUs only): products of rounded numbers, float32 weights and sums.",
        option="precision", choices=PRECISIONS,
    ))  # fmt: skip
    skip_below: float = field(default=0.0, metadata=_device(
        "Leave out blocks of the softmax gradient ŷ - y whose entries are all smaller than X; 0: none.",
        option="skip-below", metavar="X", range=Range("from 0 (leave nothing out) to under 1", 0, 1, without_high=True),
    ))  # fmt: skip
    clip_adaptive: float = field(default=0.0, metadata=_treatment(
        "The same limit as X times the running mean of the norm; 0: none.",
        option="clip-adaptive", metavar="X", range=WEIGHT, added=True,
    ))  # fmt: skip
    clip_elements: float = field(default=0.0, metadata=_treatment(
        "Limit every entry of the gradient of the mean loss to ±X; 0: no limit.",
        option="clip-elements", metavar="X", range=WEIGHT, added=True,
    ))  # fmt: skip
    clip_errors: float = field(default=0.0, metadata=_treatment(
        "Limit every entry of ∂J/∂h, J being the loss of one token, to ±X in the backward pass (rnnlm: 15); 0: no "
        "limit.",
        option="clip-errors", metavar="X", range=WEIGHT, added=True,
    ))  # fmt: skip
    samples: int = field(default=1024, metadata=_optimisation(
        "Tokens that --output sampled draws for each step.",
        option="samples", metavar="N", range=COUNT, shown="1,024; 2,048 from 16,384 tokens on", added=True,
    ))  # fmt: skip
    average: float = field(default=0.0, metadata=_optimisation(
        "Measure and keep the average of the weights over about this last share of the steps; 0: the last weights.",
        option="average", metavar="SHARE", range=Range("from 0 (no average) to 1", 0, 1), added=True,
    ))  # fmt: skip
    weight_decay: float = field(default=0.0, metadata=_optimisation(
        "Each step makes the matrices of weights smaller by this times the learning rate (AdamW); 0: it does not.",
        option="weight-decay", metavar="WEIGHT", range=WEIGHT, added=True,
    ))  # fmt: skip
    omega: float = field(default=0.0, metadata=_treatment(
        "Weight of the regulariser Ω against vanishing gradients (Pascanu et al. 2013); 0: none.",
        option="omega", metavar="WEIGHT", range=WEIGHT, added=True,
    ))  # fmt: skip
    omega_form: OmegaForm = field(default="ratio", metadata=_treatment(
        "ratio: eq. 9 of the paper; squared: its released code.",
        option="omega-form", choices=OMEGA_FORMS, added=True,
    ))  # fmt: skip
    init: InitName = field(default="orthogonal", metadata=_start(
        "The initial W_h.",
        option="init", choices=INITS, added=True,
    ))  # fmt: skip
    init_scale: float = field(default=0.3, metadata=_start(
        "E and U begin uniform in ±X.",
        option="init-scale", metavar="X", range=SCALE, added=True,
    ))  # fmt: skip
    spectral_radius: float | None = field(default=None, metadata=_start(
        "Scale the initial W_h to this spectral radius.",
        option="spectral-radius", metavar="R", range=SCALE, shown="not scaled; 0.95 for sparse", added=True,
    ))  # fmt: skip
    floss: int = field(default=0, metadata=_treatment(
        "Steps of gradient flossing before training: they push Lyapunov exponents towards 0; 0: none.",
        option="floss", metavar="STEPS", range=at_least(0, "none"), added=True,
    ))  # fmt: skip
    floss_exponents: int | None = field(default=None, metadata=_treatment(
        "Floss the K largest exponents.",
        option="floss-exponents", metavar="K", range=COUNT, shown="a quarter of --hidden", added=True,
    ))  # fmt: skip
    watch_gradients: int = field(default=0, metadata=_record(
        "Steps between records of the gradient flow, for `elman flow`; 0: never.",
        option="watch-gradients", metavar="STEPS", range=at_least(0, "never"), added=True,
    ))  # fmt: skip

    @property
    def dtype(self) -> str:
        """The type of the weights."""
        return "float64" if self.precision == "float64" else "float32"


@dataclass(frozen=True)
class TaskConfig(Config):
    """A synthetic task (training/tasks/), of sequences of `shortest` to `longest` steps."""

    name: TaskName = field(metadata=_task(
        "Learn this synthetic task instead of a text.",
        option="task", choices=TASKS, shown="none",
    ))  # fmt: skip
    shortest: int
    longest: int

    def __post_init__(self) -> None:
        super().__post_init__()
        lengths = f"{self.shortest}-{self.longest}"
        if not 10 <= self.shortest <= self.longest <= LONGEST_SEQUENCE:
            raise ConfigError(
                f"task-length is {lengths!r}; it must be SHORTEST-LONGEST with at least 10 and at most "
                f"{LONGEST_SEQUENCE:,} steps"
            )


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
        known = fields_of(cls)
        for what, names in (("unknown", set(values) - set(known)), ("missing", set(known) - {"task"} - set(values))):
            if names:
                raise ConfigError(
                    f"the configuration has the {what} key {in_words(min(names))}: it was written by another version "
                    "of Elman; use that version"
                )
        if not fits(str, values["corpus"]):
            raise ConfigError(f"corpus is {in_words(values['corpus'])}; it must be a text")
        return cls(
            TextConfig.from_dict(values["text"]),
            ModelConfig.from_dict(values["model"]),
            TrainingConfig.from_dict(values["training"]),
            values["corpus"],
            TaskConfig.from_dict(values["task"]) if "task" in values else None,
        )

    def with_training(self, **changes: Any) -> RunConfig:
        """The same with some settings of training changed."""
        return replace(self, training=replace(self.training, **changes))
