"""elman.train: `elman train` from Python."""

from __future__ import annotations

import difflib
import os
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, get_args

from elman.arguments import require, several
from elman.config import RecipeName, TaskName
from elman.errors import ConfigError
from elman.language_model import LanguageModel, load
from elman.schema import in_words
from elman.training.call import MODEL_OPTIONS, TEXT_OPTIONS, TRAINING_OPTIONS, Call, reserved, trainer_of
from elman.training.records import Record
from elman.training.team import ALONE

Paths = str | os.PathLike[str] | Iterable[str | os.PathLike[str]]


def train(
    text: Paths = (),
    *,
    texts: Iterable[str] | None = None,
    valid: Paths = (),
    valid_texts: Iterable[str] | None = None,
    held_out: float | None = None,
    vocab: str | os.PathLike[str] | Iterable[str] | None = None,
    from_run: str | os.PathLike[str] | None = None,
    grow: bool = False,
    out: str | os.PathLike[str] | None = None,
    resume: str | os.PathLike[str] | None = None,
    task: TaskName | None = None,
    task_length: int | tuple[int, int] | None = None,
    device: str | None = None,
    recipe: RecipeName = "quick",
    exact: bool = False,
    on_record: Callable[[Record], object] | None = None,
    **settings: Any,
) -> LanguageModel:
    """Trains a model as `elman train` does, and returns it with its best weights.

    lm = elman.train("book.txt", out="runs/book", level="word", max_time=60)
    lm = elman.train(texts=["the cat sat", "the dog ran"], hidden=20, on_record=print)

    text         the path of a file or of a folder of .txt files, or several; without any text, the embedded one
    texts        texts in memory instead of paths; each ends with a line end
    valid, valid_texts, held_out  the text to validate on: paths, texts, or a share at the end of the text
    vocab        the vocabulary: the path of a file with one token a line, or several tokens
    from_run     the run whose vocabulary, sizes and weights the new one begins with (--from of the command)
    grow         with from_run: the words or characters of the text that the vocabulary lacks are added
    out          the folder of the run; by default runs/ and the time, as the command has it
    resume       a run that goes on; of the settings, epochs, max_time and patience may be given
    task, task_length  a synthetic task instead of a text; its length is a number, or the shortest and the longest
    recipe       the defaults: `quick`, those that suit the time, or `best`, a larger network for an hour
    on_record    is called with each record of training: a StepRecord, ValidationRecord, … of elman.training.records
    settings     those of the command, by the names of its options: level, batch_size, hidden, lr, epochs, seed, …;
                 what is None or not given has its default

    Nothing is printed. Ctrl-C ends it with KeyboardInterrupt; `resume` goes on from the last checkpoint.

    Raises ConfigError for settings that are not known or do not fit, TextError for a text that cannot be read,
    CheckpointError for a folder that is taken, DivergedError where training diverged.
    """
    began = time.monotonic()
    if on_record is not None and not callable(on_record):
        raise ConfigError(f"on_record is {in_words(on_record)}; it must be a function of one record")
    if task is not None and task not in get_args(TaskName):
        raise ConfigError(f"task is {in_words(task)}; it must be one of {', '.join(get_args(TaskName))}")
    if held_out is not None:
        require("held-out", held_out, float)
    require("exact", exact, bool)
    require("grow", grow, bool)
    call = Call(
        text=_paths("text", text), texts=_texts("texts", texts),
        valid=_paths("valid", valid), valid_texts=_texts("valid_texts", valid_texts), held_out=held_out,
        vocab=_vocab(vocab), from_run=_path("from", from_run), grow=grow, task=task, task_lengths=_lengths(task_length),
        out=_path("out", out), resume=_path("resume", resume), recipe=recipe, exact=exact, options=_options(settings),
    )  # fmt: skip
    if device is not None:
        require("device", device, str)
    with reserved(call, ALONE) as folder:
        trainer = trainer_of(call, folder, device, ALONE)
        trainer.count_from(began)
        for record in trainer.run():
            if on_record is not None:
                on_record(record)
    return load(folder.path)


def _options(settings: dict[str, Any]) -> dict[str, Any]:
    """The settings that were given. Raises ConfigError for one that there is not."""
    known = [*TEXT_OPTIONS, *MODEL_OPTIONS, *TRAINING_OPTIONS]
    for name in settings:
        if name not in known:
            close = difflib.get_close_matches(name, known, 1)
            advice = f"did you mean {close[0]}?" if close else f"there are {', '.join(known)}"
            raise ConfigError(f"{in_words(name)} is no setting of training: {advice}")
    return {name: value for name, value in settings.items() if value is not None}


def _path(name: str, value: Any) -> Path | None:
    if value is None:
        return None
    if not isinstance(value, str | os.PathLike):
        raise ConfigError(f"{name} is {in_words(value)}; it must be a text or a Path")
    return Path(value)


def _paths(name: str, values: Any) -> Sequence[Path | str]:
    """Paths, given alone or several."""
    if isinstance(values, str | os.PathLike):
        values = [values]
    paths = []
    for value in several(name, values):
        path = value if value == "-" else _path(name, value)
        if path is None:
            raise ConfigError(f"{name} has null; it must be paths")
        paths.append(path)
    return tuple(paths)


def _texts(name: str, values: Any) -> Sequence[str] | None:
    """Texts in memory, which must be several: one alone would be taken letter by letter."""
    if values is None:
        return None
    texts = tuple(several(name, values))
    for text in texts:
        require(f"a text of {name}", text, str)
    return texts


def _vocab(value: Any) -> Path | Sequence[str] | None:
    """A path, or tokens."""
    return (
        _path("vocab", value)
        if value is None or isinstance(value, str | os.PathLike)
        else tuple(several("vocab", value))
    )


def _lengths(value: Any) -> tuple[int, int] | None:
    """The shortest and the longest sequence."""
    if value is None:
        return None
    both = value if isinstance(value, tuple | list) else (value, value)
    if len(both) != 2:
        raise ConfigError(f"task-length is {in_words(value)}; it must be a number of steps, or the least and the most")
    for length in both:
        require("task-length", length, int)
    return both[0], both[1]
