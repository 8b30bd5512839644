"""From a call of `elman train`, or `elman.train`, to its trainer: a new run on a text or a task, or one that goes on.

Both have the same arguments and the same refusals, which name the options of the command.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from elman.config import (
    RECIPES,
    Config,
    Level,
    ModelConfig,
    RecipeName,
    TaskConfig,
    TaskName,
    TextConfig,
    TrainingConfig,
    settings,
)
from elman.errors import ConfigError
from elman.files import same_place
from elman.schema import in_words
from elman.training.defaults import BEST_SECONDS, TASK_LENGTHS

if TYPE_CHECKING:
    from elman.checkpoint import RunFolder
    from elman.text.corpus import Corpus
    from elman.text.tokenizer import Tokenizer, Waiting
    from elman.training.loop import Trainer
    from elman.training.start import Beginning, Reporter
    from elman.training.team import Team


def _fields_of(config: type[Config]) -> dict[str, str]:
    """The field of each option, by the name of its argument: `batch_size` → `B`."""
    return {known.option.replace("-", "_"): f.name for f, known in settings(config).items() if known.option}


TEXT_OPTIONS, MODEL_OPTIONS, TRAINING_OPTIONS = map(_fields_of, (TextConfig, ModelConfig, TrainingConfig))
"""The fields of options; an option that was not given is left to the defaults."""
RESUME_OPTIONS = ("epochs", "max_time", "patience")
NOT_WITH_FROM = {*TEXT_OPTIONS, *MODEL_OPTIONS, "init", "init_scale", "spectral_radius", "floss", "floss_exponents"}
"""The options that say how weights and vocabulary begin."""
TEXT_ONLY = ("bptt", "output", "cutoffs", "samples")
"""The other options that a task does not have."""


def _as_options(names: Iterable[str]) -> list[str]:
    """Names of arguments as the command line writes them."""
    return [f"--{name.replace('_', '-')}" for name in names]


@dataclass(frozen=True)
class Call:
    """What was asked for; what is None, or not in `options`, was not.

    text         paths of files, folders of .txt files, or "-"; empty for the embedded text
    texts        texts in memory instead, one after the other, each ended by a line end
    valid, valid_texts, held_out  the text to validate on: paths, texts in memory, or a share of the text
    task_lengths  the shortest and the longest sequence of the task
    vocab        the vocabulary of the new run: the path of a file with one token a line, or the tokens
    from_run     the run whose vocabulary, sizes and weights the new run begins with
    grow         the words or characters that it lacks of the new text are added to it
    out, resume  the folder of a new run, and the run that goes on
    recipe       which defaults the new run has: `quick`, by its time, or `best`, for an hour
    options      settings by the names of their options: batch_size, hidden, …
    """

    text: Sequence[Path | str] = ()
    texts: Sequence[str] | None = None
    valid: Sequence[Path | str] = ()
    valid_texts: Sequence[str] | None = None
    held_out: float | None = None
    task: TaskName | None = None
    task_lengths: tuple[int, int] | None = None
    vocab: Path | Sequence[str] | None = None
    from_run: Path | None = None
    grow: bool = False
    out: Path | None = None
    resume: Path | None = None
    recipe: RecipeName = "quick"
    exact: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        given = dict(self.options)
        if self.recipe not in RECIPES:
            raise ConfigError(f"recipe is {in_words(self.recipe)}; choose one of {', '.join(RECIPES)}")
        if self.recipe == "best":
            if self.task:
                raise ConfigError("--recipe best is for a text and contradicts --task: leave one out")
            if not given.keys() & {"max_time", "epochs"} and not self.resume:
                given["max_time"] = BEST_SECONDS
        if self.exact and self.resume:
            raise ConfigError("--resume goes on with the run's own settings and contradicts --exact: leave --exact out")
        if self.exact:
            given.setdefault("precision", "float32")
            if self.from_run is None and not self.task:
                given.setdefault("output", "full")
        approximate = given.get("precision") in ("bf16", "tf32") or given.get("output") == "sampled"
        if self.exact and (approximate or given.get("skip_below")):
            raise ConfigError(
                "--exact contradicts --precision bf16 or tf32, --output sampled and --skip-below, which approximate: "
                "leave one out"
            )
        if "omega_form" in given and not self.task and not self.resume and not given.get("omega"):
            raise ConfigError("--omega-form is about --omega: give its WEIGHT, or leave --omega-form out")
        if self.task_lengths and not self.task:
            raise ConfigError("--task-length is the length of a --task: name one, or leave it out")
        if self.grow and self.from_run is None:
            raise ConfigError("--grow is about the vocabulary of --from: name its RUN, or leave --grow out")
        others = [name for name in given if name in NOT_WITH_FROM and not (self.grow and name == "min_count")]
        others = [*self._named_beginning, *others]
        if self.from_run is not None and others:
            raise ConfigError(
                f"--from goes on with the vocabulary, the sizes and the weights of {self.from_run} and contradicts "
                f"{', '.join(_as_options(others))}: leave that out"
            )
        others = [name for name in ("vocab_size", "min_count") if name in given]
        if self.vocab is not None and others:
            raise ConfigError(
                f"--vocab is the whole vocabulary and contradicts {', '.join(_as_options(others))}: leave that out"
            )
        if self.out is not None:
            _refuse_overwriting(self.out, (*self.text, *self.valid))
        object.__setattr__(self, "options", given)

    @property
    def _named_beginning(self) -> list[str]:
        """The arguments that say how a run begins, but for --from, and were given."""
        given = (("vocab", self.vocab is not None), ("task", self.task), ("resume", self.resume))
        return [name for name, value in given if value]

    @property
    def named_texts(self) -> list[str]:
        """The names of the arguments that are texts, and were given."""
        given = (
            ("TEXT", self.text), ("texts", self.texts is not None), ("--valid", self.valid),
            ("valid_texts", self.valid_texts is not None), ("--held-out", self.held_out is not None),
        )  # fmt: skip
        return [name for name, value in given if value]


def reserved(call: Call, team: Team) -> contextlib.AbstractContextManager[RunFolder]:
    """The run's folder, locked for this process before anything in it is read or written."""
    from elman.checkpoint import RunFolder

    if call.out is None and call.resume is None:
        return RunFolder.begun_unnamed(Path("runs"), time.strftime("%Y%m%d-%H%M%S"))
    folder = RunFolder(call.resume or call.out or "")
    if team.rank:  # the first of several processes has the lock
        return contextlib.nullcontext(folder)
    return folder.resumed() if call.resume else folder.begun()


def trainer_of(
    call: Call,
    folder: RunFolder,
    device: str | None,
    team: Team,
    *,
    report: Reporter = lambda what, pieces, size: pieces,
    waiting: Waiting = contextlib.nullcontext,
    say: Callable[[str], None] = lambda sentence: None,
) -> Trainer:
    """The trainer of a call, whose folder is `reserved`.

    report, waiting: as for `start`; say: takes a sentence for people about the text. Raises the errors of `start` and
    `resume`, and ConfigError where arguments contradict each other.
    """
    if call.resume:
        return _resumed(call, folder, device, team)
    if call.task:
        return _started_task(call, call.task, folder, device, team)
    return _started(call, folder, device, team, report, waiting, say)


def _resumed(call: Call, folder: RunFolder, device: str | None, team: Team) -> Trainer:
    """The trainer of a run that goes on. Raises ConfigError for options that contradict its settings."""
    from elman.kernels import chosen_device
    from elman.training import start

    others = [*call.named_texts, *(["--out"] if call.out else []), *(["--task"] if call.task else [])]
    others += ["--vocab"] if call.vocab is not None else []
    others += ["--recipe"] if call.recipe != "quick" else []
    others += _as_options(name for name in call.options if name not in RESUME_OPTIONS)
    if others:
        raise ConfigError(
            f"--resume goes on with the run's own settings and contradicts {', '.join(others)}: leave that out "
            f"(--epochs, --max-time, --patience and --device may be changed)"
        )
    changes = {TRAINING_OPTIONS[name]: value for name, value in call.options.items()}
    return start.resume(folder, changes, chosen_device(device), team)


def _started(
    call: Call, folder: RunFolder, device: str | None, team: Team, report: Reporter, waiting: Waiting,
    say: Callable[[str], None],
) -> Trainer:  # fmt: skip
    """The trainer of a new run on a text."""
    from elman.kernels import chosen_device
    from elman.text.corpus import Corpus
    from elman.training import start

    validating = [name for name in call.named_texts if name not in ("TEXT", "texts")]
    if len(validating) > 1:
        raise ConfigError(f"{' and '.join(validating)} contradict each other: leave one of them out")
    if call.text and call.texts is not None:
        raise ConfigError("TEXT and texts contradict each other: leave one of them out")
    if team.rank:
        return _joined(folder, device, team)
    text_config, model, training = (
        {field: call.options[name] for name, field in table.items() if name in call.options}
        for table in (TEXT_OPTIONS, MODEL_OPTIONS, TRAINING_OPTIONS)
    )
    corpus = _corpus(call.text, call.texts) or Corpus.embedded()
    sources = start.Sources(corpus, _corpus(call.valid, call.valid_texts), call.held_out)
    if call.from_run is not None:
        text, sizes, beginning = _taken_over(call.from_run, call.grow, text_config)
        return start.start(
            folder, sources, text, sizes, training, report, chosen_device(device), team, waiting, beginning, call.recipe
        )
    if text_config.get("level", "word") == "word":
        text_config["level"] = _level(corpus, "level" in text_config, say)
    text = TextConfig(**text_config)
    return start.start(
        folder, sources, text, model, training, report, chosen_device(device), team, waiting,
        None if call.vocab is None else start.Beginning(_vocabulary(call.vocab, text.level)), call.recipe,
    )  # fmt: skip


def _taken_over(run: Path, grow: bool, chosen: Mapping[str, Any]) -> tuple[TextConfig, dict[str, Any], Beginning]:
    """How a run reads text, its sizes (as `start` takes them), and its vocabulary and weights.

    chosen: of a vocabulary that grows, the fields of TextConfig for the tokens that are new.

    Raises CheckpointError where it is no run, ConfigError for one on a task and for a vocabulary that cannot grow.
    """
    from elman.checkpoint import RunFolder, load_model
    from elman.training import start

    config, tokenizer, p = load_model(RunFolder(run))
    if config.task:
        raise ConfigError(f"{run} was trained on {config.corpus}, not on a text: it cannot go on with one")
    model = config.model
    taken = ("d", "Dh", "activation", "tie", "layers", "skip", "output", "cutoffs")
    sizes = {name: getattr(model, name) for name in taken}
    if not grow:
        return config.text, sizes, start.Beginning(tokenizer, p)
    tokenizer.with_more([])  # refuses a level whose vocabulary cannot grow, before the text is read
    return TextConfig(config.text.level, **chosen), sizes, start.Beginning(tokenizer, p, grow=True)


def _vocabulary(vocab: Path | Sequence[str], level: Level) -> Tokenizer:
    """The tokenizer of a vocabulary, a file or tokens."""
    from elman.text.vocabulary import given_vocabulary, read_vocabulary

    return read_vocabulary(vocab, level) if isinstance(vocab, Path) else given_vocabulary(vocab, level)


def _corpus(paths: Sequence[Path | str], texts: Sequence[str] | None) -> Corpus | None:
    """The corpus of paths, or of texts in memory; None where neither was given."""
    from elman.text.corpus import Corpus

    if texts is not None:
        return Corpus.from_texts(texts)
    return Corpus.from_paths(paths) if paths else None


def _level(corpus: Corpus, chosen: bool, say: Callable[[str], None]) -> Level:
    """Level word, or the one that fits the text if the user chose none; says so where word does not fit."""
    from elman.training.defaults import fitting_level, share_of_blanks

    beginning = next(iter(corpus.pieces()))
    if (fitting := fitting_level(beginning)) == "word":
        return fitting
    blanks = f"the text has hardly any blanks ({share_of_blanks(beginning):.1%} of its characters)"
    if chosen:
        say(f"{blanks}: nearly every word will be a new one; --level {fitting} or bpe fits it better")
        return "word"
    say(f"{blanks}, so --level {fitting} is used; choose --level bpe for longer tokens")
    return fitting


def _refuse_overwriting(out: Path, texts: Sequence[Path | str]) -> None:
    """Raises ConfigError where a text is a file that the new run would write. Asked before the folder is reserved."""
    from elman.checkpoint import RunFolder

    for each in texts:
        if any(same_place(Path(each), path) for path in RunFolder(out).files):
            raise ConfigError(f"{each} would be overwritten by the run {out}: choose another --out")


def _started_task(call: Call, name: TaskName, folder: RunFolder, device: str | None, team: Team) -> Trainer:
    """The trainer of a new run on a task. Raises ConfigError for options that a task does not use."""
    from elman.training import start

    if device not in (None, "cpu", "auto"):
        raise ConfigError("--task is computed on the CPU alone: leave it or --device out")
    others = [*call.named_texts, *(["--vocab"] if call.vocab is not None else [])]
    others += _as_options(name for name in call.options if name in TEXT_OPTIONS or name in TEXT_ONLY)
    if others:
        raise ConfigError(
            f"--task makes its own sequences and contradicts {', '.join(others)}: leave that out "
            "(--task-length says how long they are)"
        )
    task = TaskConfig(name, *(call.task_lengths or TASK_LENGTHS))
    model, training = (
        {field: call.options[name] for name, field in table.items() if name in call.options}
        for table in (MODEL_OPTIONS, TRAINING_OPTIONS)
    )
    if team.rank:
        return _joined(folder, None, team)
    return start.start_task(folder, task, model, training, team)


def _joined(folder: RunFolder, device: str | None, team: Team) -> Trainer:
    """The trainer of a process that is not the first, once the first has written the folder."""
    from elman.kernels import chosen_device
    from elman.training import start

    team.wait()
    return start.resume(folder, {}, chosen_device(device), team)
