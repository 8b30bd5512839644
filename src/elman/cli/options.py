"""Options that several commands share."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from elman.cli.streams import message
from elman.errors import ConfigError
from elman.thread_count import processors, wanted_threads
from elman.wording import choose, count, printable

if TYPE_CHECKING:
    from elman.language_model import LanguageModel

THREAD_VARIABLES = (
    "ELMAN_THREADS",
    "OPENBLAS_NUM_THREADS",
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)


def _as_typed(value: str) -> str:
    """A text argument as UTF-8, also in a locale (C) where Python keeps its bytes as surrogates."""
    if any("\udc80" <= character <= "\udcff" for character in value):
        return os.fsencode(value).decode(errors="surrogateescape")
    return value


def _as_utf8(value: str) -> str:
    """The same; what is not UTF-8 is refused."""
    text = _as_typed(value)
    try:
        text.encode()
    except UnicodeEncodeError:
        raise click.BadParameter(f"'{printable(text)}' is not UTF-8") from None
    return text


def _text_type(convert: Callable[[str], str]) -> Any:
    kind = click.types.FuncParamType(convert)
    kind.name = click.STRING.name
    return kind


UTF8_TEXT = _text_type(_as_utf8)
"""The type of text arguments. (A path may be any bytes.)"""
ANY_TEXT = _text_type(_as_typed)
"""The type of texts that a model reads: any bytes at level byte."""


def _set_threads(ctx: click.Context, parameter: click.Parameter, value: int | None) -> None:
    """Sets the number of threads before NumPy is imported, which is when its BLAS reads it.

    More threads than processors are not used (thread_count.py), and the user is told.
    """
    asked, available = value or wanted_threads(), processors()
    if asked is not None and asked > available:
        message(f"{asked:,} threads were asked for, but this process may use {count(available, 'processor')}: "
                f"{choose(available, 'one thread is', f'{available} threads are')} used")  # fmt: skip
    if value is not None:
        os.environ.update(dict.fromkeys(THREAD_VARIABLES, str(min(value, available))))


def _one_thread(ctx: click.Context, parameter: click.Parameter, value: int | None) -> None:
    """One thread, unless the call or the environment chooses another number."""
    if value is None and not any(name in os.environ for name in THREAD_VARIABLES):
        value = 1
    _set_threads(ctx, parameter, value)


def threads(command: Callable[..., Any]) -> Callable[..., Any]:
    """--threads: for matrix products and elementwise operations."""
    return click.option(
        "--threads", type=click.IntRange(1), callback=_set_threads, expose_value=False, metavar="N",
        help="Threads to use.  [default: all processors]",
    )(command)  # fmt: skip


def one_thread(command: Callable[..., Any]) -> Callable[..., Any]:
    """--threads, for commands that mostly factorize small matrices, where more threads only wait for each other."""
    return click.option(
        "--threads", type=click.IntRange(1), callback=_one_thread, expose_value=False, metavar="N",
        help="Threads to use.  [default: 1]",
    )(command)  # fmt: skip


def as_json(command: Callable[..., Any]) -> Callable[..., Any]:
    """--json."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON, for machines.")(command)


def mix(command: Callable[..., Any]) -> Callable[..., Any]:
    """--mix, as a tuple of names; empty where it is not given."""
    return click.option(
        "--mix",
        metavar="PARTS",
        callback=lambda ctx, parameter, value: () if value is None else tuple(value.split(",")),
        help="Mix the network with other predictors, separated by commas: ngram or ngram:N (of the run's training "
        "text), FILE.arpa, unigram, cache, dynamic. The weights are those that suit the run's validation text best.",
    )(command)


def run_argument(command: Callable[..., Any]) -> Callable[..., Any]:
    """RUN, a run folder."""
    return click.argument("run", type=click.Path(path_type=Path))(command)


def lengths(text: str) -> tuple[int, int]:
    """The shortest and the longest of --task-length: 50-200, or 100 for both. Raises ConfigError."""
    parts = text.split("-")
    if len(parts) > 2 or not all(part.isascii() and part.isdigit() and len(part) < 10 for part in parts):
        raise ConfigError(f"task-length is {text!r}; it must be a number of steps, or SHORTEST-LONGEST, as in 50-200")
    return int(parts[0]), int(parts[-1])


def unknown_in(lm: LanguageModel, what: str, text: str) -> None:
    """Says on stderr how many tokens of a text (a prompt, a context) are not in the vocabulary, if any."""
    _, oov = lm.tokenizer.encode_with_oov(text)
    if unknown := int(oov.sum()):
        message(f"not in the vocabulary: {unknown} of the {what}'s {count(len(oov), 'token')}")
