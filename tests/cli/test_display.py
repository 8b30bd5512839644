"""What `elman train` shows: lines that fit the terminal, and a last hint that can be called as it is printed."""

from __future__ import annotations

import io
import itertools
import math
import shlex
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from elman.checkpoint import RunFolder
from elman.cli.display import Display, fitted, number, prompt_from
from elman.config import TextConfig
from elman.text.corpus import Corpus
from elman.text.tokenizer import Tokenizer
from elman.training.loop import Trainer
from elman.training.records import RescueRecord, StepRecord, StopRecord, ValidationRecord
from elman.training.start import Sources, resume, start

LONG = StepRecord(
    step=12_345_678, epoch=1000, tokens=10**12, nats_per_token=11.5, gradient_norm=123.45, clipped=100, skipped=17,
    learning_rate=1.25e-5, seconds=359_999.0, tokens_per_second=12_345_678.0, omega=12.345,
)  # fmt: skip


def display(level: str, width: int, terminal: bool = True, **more: Any) -> tuple[Display, io.StringIO]:
    settings = SimpleNamespace(epochs=1000, record_every=100, max_time=None, optimizer="adam", lr=0.01)
    trainer: Any = SimpleNamespace(
        config=SimpleNamespace(text=SimpleNamespace(level=level), task=None), settings=settings, share_done=0.5, **more
    )
    file = io.StringIO()
    console = Console(file=file, width=width, force_terminal=terminal, highlight=False, soft_wrap=True)
    return Display(trainer, console, now=itertools.count(1e9, 100.0).__next__), file


@pytest.mark.parametrize("level", ["word", "char"])
@pytest.mark.parametrize("width", [80, 70])
def test_lines_fit_the_terminal_whatever_the_numbers(level: str, width: int) -> None:
    shown, file = display(level, width, terminal=False)
    for nats in (0.5, 11.5, 700.0):
        train = nats if nats > 1 else 690.0
        shown.show(ValidationRecord(12_345_678, 1000, nats, train, True, 1.25e-5, 359_999.0))
        shown.show(LONG)
    lines = file.getvalue().splitlines()
    assert len(lines) == 6
    for line in lines:
        assert len(line) <= width
    for line in lines[::2]:
        assert "epoch 1000" in line
        assert "train" in line
        assert "valid" in line
    assert all("ETA 99:59:59" in line for line in lines[1::2])


@pytest.mark.parametrize("level", ["word", "char"])
def test_the_live_line_is_one_line_with_bar_and_eta(level: str) -> None:
    shown, file = display(level, 80)
    shown.show(ValidationRecord(12_345_678, 1000, 11.5, 11.5, True, 1.25e-5, 359_999.0))
    assert shown.live is not None
    with shown.live:
        shown.show(LONG)
    (task,) = shown.live.tasks
    line = str(task.description)
    assert len(line) + 1 + 10 <= 80
    assert task.completed == 0.5
    for piece in ("epoch 1000/1000", "train ", "valid ", "ETA 99:59:59"):
        assert piece in line
    assert "…" not in file.getvalue()
    assert "ETA 99:59:59" in file.getvalue()


def test_all_pieces_are_there_where_there_is_room() -> None:
    shown, file = display("word", 200, terminal=False)
    shown.show(LONG)
    for piece in ("step 12,345,678", "12,345,678 tokens/s", "Ω 12.345", "|g| 123.45", "clipped 100/100", "skipped 17"):
        assert piece in file.getvalue()


def test_the_least_important_pieces_are_left_out_first() -> None:
    pieces = [(0, "aa"), (2, "bb"), (1, "cc"), (0, "dd")]
    assert fitted(pieces, 14) == "aa  bb  cc  dd"
    assert fitted(pieces, 13) == "aa  cc  dd"
    assert fitted(pieces, 6) == "aa  dd"
    assert fitted(pieces, 1) == "aa  dd"  # what matters most stays


def test_numbers_stay_short() -> None:
    assert [number(math.log(value)) for value in (1.0, 1234.5, 1.2345e45)] == ["1.00", "1,234.50", "1.23e+45"]


@pytest.mark.parametrize(
    ("level", "text", "prompt"),
    [
        ("word", "The cat sat\n", "The"),
        ("word", "the cat sat\n", "the"),
        ("word", "42 žába 42\n", "žába"),
        ("word", "1 2 3\n", ""),
        ("char", "ооо 1\n", "о"),
        ("byte", "кот\n", "The"),
    ],
)
def test_the_hint_begins_with_a_word_of_the_vocabulary(level: str, text: str, prompt: str) -> None:
    tokenizer = Tokenizer.train([text] * 3, TextConfig(level))  # type: ignore[arg-type]
    assert prompt_from(tokenizer) == prompt
    assert not tokenizer.encode_with_oov(prompt)[1].any()


def hints(trainer: Trainer, reason: str) -> list[str]:
    file = io.StringIO()
    with Display(trainer, Console(file=file, width=80, highlight=False, soft_wrap=True)) as shown:
        shown.show(StopRecord(1, 1, reason, 2.0, 0, 0, 61.0))
    return file.getvalue().splitlines()


def test_the_hints_quote_the_folder_and_say_that_seconds_are_the_total(tmp_path: Path) -> None:
    text = tmp_path / "text"
    text.write_text("žába skáče přes kámen\n" * 40)
    folder = RunFolder(tmp_path / "my runs" / "it's")
    trainer = start(
        folder, Sources(Corpus.from_paths([text])), TextConfig(), {"Dh": 4}, {"B": 2, "T": 4, "epochs": 1}
    )  # fmt: skip
    lines = hints(trainer, "max_time")
    assert any("after 1 step, 1:01" in line for line in lines)
    (go_on,) = [line for line in lines if line.startswith("go on:")]
    assert shlex.split(go_on)[2:] == ["elman", "train", "--resume", str(folder.path), "--max-time", "SECONDS"]
    assert any("SECONDS is the total, the 61 so far included" in line for line in lines)
    (generate,) = [line for line in lines if line.startswith("try:")]
    words = shlex.split(generate)
    assert words[1:4] == ["elman", "generate", str(folder.path)]
    assert words[4] in ("žába", "skáče", "přes", "kámen")
    (go_on,) = [line for line in hints(trainer, "asked") if line.startswith("go on:")]
    assert shlex.split(go_on)[-2:] == ["--resume", str(folder.path)]
    assert resume(folder, {}).progress.step == 0


def test_a_rescue_is_said() -> None:
    shown, file = display("word", 80, terminal=False)
    shown.show(RescueRecord(24, 14, 0.5))
    assert "goes back to step 14 with 0.5 times the learning rate" in file.getvalue()
