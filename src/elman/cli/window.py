"""From a run and a text to what the lens shows of them: the only place where it meets files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from elman.checkpoint import RunFolder
from elman.cli.metrics import read_metrics
from elman.errors import ConfigError, TextError
from elman.gradient_flow.history import History
from elman.gradient_flow.view import FEWEST_TOKENS, Named, View
from elman.language_model import LanguageModel, load
from elman.model.network import hidden_states
from elman.text.batches import encode_stream
from elman.text.corpus import Corpus
from elman.text.tokenizer import Ids
from elman.training.run import first_parameters

CONTEXT = 1000
"""Tokens before the window that are read for the state at its start."""


@dataclass(frozen=True)
class Side:
    """One run: its name, its history (None of a network before training), its view of the text where there is one."""

    label: str
    history: History | None
    view: View | None


def open_side(
    run: Path, corpus: Corpus | None, *, steps: int, start: int, at: int | None, before_training: bool = False
) -> Side:
    """Reads a run and a window of the text: the tokens from `start` on, `steps` of them where there are so many.

    Raises CheckpointError for no run, TextError for a text that ends too soon, ConfigError where it cannot be read.
    """
    lm = load(run)
    assert lm.config is not None  # a loaded model has one
    label = f"{run}, before training" if before_training else f"{run}"
    settings = lm.config.training
    history = None
    if not before_training:
        history = History.of(read_metrics(RunFolder(run).metrics), settings.clip, settings.record_every)
    if corpus is None:
        return Side(label, history, None)
    if lm.config.task and lm.config.task.name == "adding":
        raise ConfigError(f"{run} learnt to read real numbers, not tokens: leave TEXT out")
    p = (first_parameters(lm.config) if before_training else lm.p).astype("float64")
    named = Named(label, describe(lm), corpus.name, start, " " if lm.tokenizer.level == "word" else "")
    ids, oov = _window(corpus, lm, steps, start)
    before, window = ids[: _context(start)], ids[_context(start) :]
    h_0 = hidden_states(p, before[:, None], p.initial_state(1)).h[-1] if len(before) else None
    tokens = [lm.tokenizer.tokens[k] for k in window]
    return Side(label, history, View.of(p, window, tokens, named, oov=list(oov[-len(window) :]), h_0=h_0, at=at))


def same_loss(sides: Sequence[Side]) -> list[Side]:
    """The first side's chosen loss in each that has the same tokens: two networks are compared at one prediction."""
    first = sides[0].view
    return [
        replace(side, view=replace(side.view, chosen=first.chosen))
        if first and side.view and list(side.view.tokens) == list(first.tokens)
        else side
        for side in sides
    ]


def _context(start: int) -> int:
    return min(start, CONTEXT)


def _window(corpus: Corpus, lm: LanguageModel, steps: int, start: int) -> tuple[Ids, NDArray[np.bool_]]:
    """Ids and OOVs of the tokens start - context … start + steps, the line end before the text being token 0."""
    wanted = start + steps + 1
    parts, unknown, have = [np.array([lm.tokenizer.eos])], [np.array([False])], 1
    for ids, oov in encode_stream(corpus.pieces(), lm.tokenizer):
        parts.append(ids)
        unknown.append(oov)
        have += len(ids)
        if have >= wanted:
            break
    first = start - _context(start)
    ids, oov = np.concatenate(parts)[first:wanted], np.concatenate(unknown)[first:wanted]
    left = max(0, have - 1 - start)
    if left < FEWEST_TOKENS:
        after = f" after the first {start:,}" if start else ""
        raise TextError(
            f"{corpus.name} has {left} token{'s' * (left != 1)}{after}, and at least {FEWEST_TOKENS} are needed: "
            f"give a longer text{' or a smaller --start' if start else ''}"
        )
    return ids.astype(np.int64), oov


def describe(lm: LanguageModel) -> str:
    """Its sizes, in a line."""
    p, level = lm.p, lm.tokenizer.level
    tied = ", tied" if p.tied else ""
    return f"V={p.V:,} ({level}) d={p.d} Dh={p.Dh} {p.activation}{tied}, {p.count:,} parameters"
