"""Reads a run and a window of a text for `elman flow`: the only place where the lens meets files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from elman.checkpoint import RunFolder
from elman.errors import ConfigError, TextError
from elman.gradient_flow.history import History
from elman.gradient_flow.view import FEWEST_TOKENS, Subject, View
from elman.language_model import LanguageModel, load
from elman.model.network import hidden_states
from elman.text.batches import encode_stream
from elman.text.corpus import Corpus
from elman.text.tokenizer import Ids
from elman.training.metrics_file import as_row, read_metrics
from elman.training.start import first_parameters
from elman.wording import count

CONTEXT = 1000
"""Tokens before the window that are read to compute the state at its start."""


@dataclass(frozen=True)
class RunFlow:
    """One run: its name, its history (None for a network before training), and its view of the text if one is given."""

    label: str
    history: History | None
    view: View | None

    def as_dict(self) -> dict[str, Any]:
        """Everything as JSON values."""
        shown = self.view.as_dict() if self.view else {"model": self.label}
        return {**shown, "history": self.history.as_dict() if self.history else None}


def read_run(
    run: Path, corpus: Corpus | None, *, steps: int, start: int, at: int | None, layer: int | None = None,
    before_training: bool = False,
) -> list[RunFlow]:  # fmt: skip
    """Reads a run and decomposes its gradients on at most `steps` tokens of the text, from token `start` on.

    One result, or one for each layer of a stack if `layer` is None; the first has the history. Raises CheckpointError
    where there is no run, TextError for a text that is too short, ConfigError for a run on a task that has no tokens
    and for a layer that the network does not have.
    """
    lm = load(run)
    assert lm.config is not None  # a loaded model has one
    label = f"{run}, before training" if before_training else f"{run}"
    settings = lm.config.training
    history = None
    if not before_training:
        records = read_metrics(RunFolder(run).metrics)
        history = History.of(map(as_row, records), settings.clip, settings.record_every)
    if corpus is None:
        return [RunFlow(label, history, None)]
    if lm.config.task and lm.config.task.name == "adding":
        raise ConfigError(f"{run} was trained on real numbers, not on tokens: leave TEXT out")
    p = (first_parameters(lm.config) if before_training else lm.p).astype("float64")
    separator = " " if lm.tokenizer.level == "word" else ""
    ids, oov = _context_and_window(corpus, lm, steps, start)
    before, window = ids[: _context(start)], ids[_context(start) :]
    h_0 = hidden_states(p, before[:, None], p.initial_state(1)).h_T if len(before) else None
    tokens = [lm.tokenizer.tokens[k] for k in window]
    found: list[RunFlow] = []
    for n in range(p.depth) if layer is None else [layer]:
        name = f"{label}, layer {n}" if p.above and layer is None else label
        description = f"{describe(lm)}; layer {n}, from 0" if p.above else describe(lm)
        subject = Subject(name, description, corpus.name, start, separator)
        view = View.of(
            p, window, tokens, subject, oov=list(oov[-len(window) :]), h_0=h_0, at=at, layer=n, config=lm.config,
            trained=not before_training,
        )  # fmt: skip
        found.append(RunFlow(name if found else label, None if found else history, view))
    return found


def with_same_loss(runs: Sequence[RunFlow]) -> list[RunFlow]:
    """The runs, each that has the first one's tokens showing the first one's loss, so that predictions compare."""
    first = runs[0].view
    return [
        replace(run, view=replace(run.view, chosen=first.chosen))
        if first and run.view and list(run.view.tokens) == list(first.tokens)
        else run
        for run in runs
    ]


def describe(lm: LanguageModel) -> str:
    """The model's sizes in one line."""
    p, level = lm.p, lm.tokenizer.level
    tied = ", tied" if p.tied else ""
    layers = f" layers={p.depth}{' skip' * p.skip}" if p.above else ""
    output = ", adaptive output" if p.tails else ""
    return f"V={p.V:,} ({level}) d={p.d} Dh={p.Dh}{layers} {p.activation}{tied}{output}, {count(p.count, 'parameter')}"


def _context(start: int) -> int:
    return min(start, CONTEXT)


def _context_and_window(corpus: Corpus, lm: LanguageModel, steps: int, start: int) -> tuple[Ids, NDArray[np.bool_]]:
    """Ids and OOVs of the tokens start - context … start + steps, where token 0 is the line end before the text."""
    needed = start + steps + 1
    id_parts, oov_parts, read = [np.array([lm.tokenizer.eos])], [np.array([False])], 1
    for ids, oov in encode_stream(corpus.at_level(lm.tokenizer.level).pieces(), lm.tokenizer):
        id_parts.append(ids)
        oov_parts.append(oov)
        read += len(ids)
        if read >= needed:
            break
    first = start - _context(start)
    ids, oov = np.concatenate(id_parts)[first:needed], np.concatenate(oov_parts)[first:needed]
    left = max(0, read - 1 - start)
    if left < FEWEST_TOKENS:
        if start:
            raise TextError(
                f"{corpus.name} has {count(left, 'token')} after the first {start:,}, and at least {FEWEST_TOKENS} are "
                "needed: give a longer text or a smaller --start"
            )
        raise TextError(
            f"{corpus.name} has {count(left, 'token')}, and at least {FEWEST_TOKENS} are needed: give a longer text"
        )
    return ids.astype(np.int64), oov
