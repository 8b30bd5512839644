"""From a call of `elman train` to its trainer: a new run on a text or a task, or one that is resumed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from elman.cli.settings import fields_of
from elman.cli.streams import message
from elman.config import Level, ModelConfig, TaskConfig, TextConfig, TrainingConfig
from elman.errors import ConfigError
from elman.files import same_place

if TYPE_CHECKING:
    from elman.checkpoint import RunFolder
    from elman.text.corpus import Corpus
    from elman.training.loop import Trainer
    from elman.training.team import Team

TEXT_OPTIONS, MODEL_OPTIONS, TRAINING_OPTIONS = map(fields_of, (TextConfig, ModelConfig, TrainingConfig))
"""The fields of options; an option that was not given is left to the defaults."""
RESUME_OPTIONS = ("epochs", "max_time", "patience")


def resumed(
    folder: RunFolder, text: tuple[Path, ...], out: Path | None, valid: Any, held_out: Any, given: dict[str, Any],
    device: str | None, team: Team,
) -> Trainer:  # fmt: skip
    """The trainer of a run that goes on. Raises ConfigError for options that contradict its settings."""
    from elman.kernels import chosen_device
    from elman.training import start

    others = ["TEXT"] if text else []
    others += [f"--{name}" for name, value in (("out", out), ("valid", valid), ("held-out", held_out)) if value]
    others += [f"--{name.replace('_', '-')}" for name in given if name not in RESUME_OPTIONS]
    if others:
        raise ConfigError(
            f"--resume goes on with the run's own settings and contradicts {', '.join(others)}: leave that out "
            f"(--epochs, --max-time, --patience and --device may be changed)"
        )
    changes = {TRAINING_OPTIONS[name]: value for name, value in given.items()}
    return start.resume(folder, changes, chosen_device(device), team)


def started(
    folder: RunFolder, text: tuple[Path, ...], valid: tuple[Path, ...], held_out: float | None, given: Any,
    device: str | None, team: Team,
) -> Trainer:  # fmt: skip
    """The trainer of a new run on a text."""
    from elman.cli import display
    from elman.kernels import chosen_device
    from elman.text.corpus import Corpus
    from elman.training import start

    if valid and held_out is not None:
        raise ConfigError("--valid and --held-out contradict each other: leave one of them out")
    if team.rank:
        return _joined(folder, device, team)
    text_config, model, training = (
        {field: given[name] for name, field in table.items() if name in given}
        for table in (TEXT_OPTIONS, MODEL_OPTIONS, TRAINING_OPTIONS)
    )
    corpus = Corpus.from_paths(text) if text else Corpus.embedded()
    if text_config.get("level", "word") == "word":
        text_config["level"] = _level(corpus, chosen="level" in text_config)
    sources = start.Sources(corpus, Corpus.from_paths(valid) if valid else None, held_out)
    return start.start(
        folder, sources, TextConfig(**text_config), model, training, display.reading, chosen_device(device), team,
        display.waiting,
    )  # fmt: skip


def _level(corpus: Corpus, chosen: bool) -> Level:
    """Level word, or the one that fits the text if the user chose none; says so where word does not fit."""
    from elman.training.defaults import fitting_level, share_of_blanks

    beginning = next(iter(corpus.pieces()))
    if (fitting := fitting_level(beginning)) == "word":
        return fitting
    blanks = f"the text has hardly any blanks ({share_of_blanks(beginning):.1%} of its characters)"
    if chosen:
        message(f"{blanks}: nearly every word will be a new one; --level {fitting} or bpe fits it better")
        return "word"
    message(f"{blanks}, so --level {fitting} is used; choose --level bpe for longer tokens")
    return fitting


def refuse_overwriting(out: Path, texts: tuple[Path, ...]) -> None:
    """Raises ConfigError where a text is a file that the new run would write. Asked before the folder is reserved."""
    from elman.checkpoint import RunFolder

    for each in texts:
        if any(same_place(each, path) for path in RunFolder(out).files):
            raise ConfigError(f"{each} would be overwritten by the run {out}: choose another --out")


def refuse_text(text: tuple[Path, ...], valid: Any, held_out: Any, given: dict[str, Any], device: str | None) -> None:
    """Raises ConfigError for options that a task does not use."""
    if device not in (None, "cpu", "auto"):
        raise ConfigError("--task is computed on the CPU alone: leave it or --device out")
    others = ["TEXT"] if text else []
    others += [f"--{name}" for name, value in (("valid", valid), ("held-out", held_out)) if value]
    others += [f"--{name.replace('_', '-')}" for name in given if name in TEXT_OPTIONS or name == "bptt"]
    if others:
        raise ConfigError(
            f"--task makes its own sequences and contradicts {', '.join(others)}: leave that out "
            "(--task-length says how long they are)"
        )


def started_task(folder: RunFolder, task: TaskConfig, given: dict[str, Any], team: Team) -> Trainer:
    """The trainer of a new run on a task."""
    from elman.training import start

    model, training = (
        {field: given[name] for name, field in table.items() if name in given}
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
