"""elman.train does what the command does, with the same refusals."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command_line import TEXT

import elman
from elman.errors import CheckpointError, ConfigError, ElmanError, TextError
from elman.training.records import Record, StopRecord, ValidationRecord

SMALL: dict[str, Any] = {"hidden": 16, "batch_size": 4, "bptt": 8}


def test_the_same_model_as_the_command(word_run: Path, corpus: Path, tmp_path: Path) -> None:
    records: list[Record] = []
    lm = elman.train(str(corpus), out=tmp_path / "run", epochs=4, on_record=records.append, **SMALL)
    expected = elman.load(word_run)
    assert lm.config == expected.config
    for (name, w), (_, other) in zip(lm.p.distinct(), expected.p.distinct(), strict=True):
        assert np.allclose(w, other, rtol=1e-3, atol=1e-4), name
    validations = [record.nats_per_token for record in records if isinstance(record, ValidationRecord)]
    assert len(validations) == 4
    assert isinstance(records[-1], StopRecord)
    assert records[-1].best_nats_per_token == min(validations)
    again = elman.load(tmp_path / "run")
    assert again.score("the cat sat") == lm.score("the cat sat") == pytest.approx(expected.score("the cat sat"), 1e-3)


def test_texts_in_memory_and_a_run_that_goes_on(corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    lines = TEXT.splitlines()
    lm = elman.train(texts=lines, valid_texts=lines[:20], epochs=2, seed=None, **SMALL)
    (folder,) = (tmp_path / "runs").iterdir()
    of_files = elman.train([corpus], valid=corpus, epochs=2, out="other", **SMALL)
    assert lm.tokenizer.tokens == of_files.tokenizer.tokens  # a text for each line is the file
    longer = elman.train(resume=folder, epochs=6)
    assert longer.config
    assert longer.config.training.epochs == 6
    assert longer.perplexity(TEXT) < lm.perplexity(TEXT)
    levels = elman.train(texts=["ab" * 300], level="char", epochs=1, hidden=4, embed=4)
    assert levels.tokenizer.level == "char"


def test_a_vocabulary_of_ones_own(corpus: Path, tmp_path: Path) -> None:
    words = tmp_path / "words.txt"
    words.write_text("the\nand\nzebra\non\n")
    by_file = elman.train(corpus, out=tmp_path / "file", vocab=words, epochs=1, **SMALL)
    assert by_file.tokenizer.tokens == ["<unk>", "<eos>", "the", "and", "zebra", "on"]
    assert by_file.evaluate("the zebra sat on\n").oov == 1
    by_list = elman.train(corpus, out=tmp_path / "list", vocab=["the", "and", "zebra", "on"], epochs=1, **SMALL)
    assert by_list.score("the zebra") == by_file.score("the zebra")
    assert by_file.next("the")[0].token == "<unk>", "every animal and place is one"


def test_a_new_text_goes_on_from_a_run(word_run: Path, tmp_path: Path) -> None:
    before = {path.name: path.read_bytes() for path in word_run.iterdir() if path.is_file()}
    new = ["the hen sat on the roof", "the zebra ran under the moon"] * 60
    lm, settings = elman.load(word_run), {"batch_size": 4, "bptt": 8, "lr_floor": 1.0, "warmup": 0}
    still = elman.train(texts=new, from_run=word_run, out=tmp_path / "still", lr=1e-12, epochs=1, **settings)
    assert still.tokenizer.tokens == lm.tokenizer.tokens
    assert still.score("the hen sat") == pytest.approx(lm.score("the hen sat"), rel=1e-6)
    moved = elman.train(texts=new, from_run=word_run, out=tmp_path / "moved", epochs=3, **settings)
    assert moved.perplexity("\n".join(new)) < lm.perplexity("\n".join(new)) / 2
    assert moved.config
    assert lm.config
    assert (moved.config.model, moved.config.text) == (lm.config.model, lm.config.text)
    longer = elman.train(resume=tmp_path / "moved", epochs=4)
    assert longer.perplexity("\n".join(new)) < lm.perplexity("\n".join(new)) / 2
    assert before == {path.name: path.read_bytes() for path in word_run.iterdir() if path.is_file()}


def test_a_vocabulary_grows_with_a_new_text(word_run: Path, tmp_path: Path) -> None:
    lm = elman.load(word_run)
    new = ["the zebra sat on the roof", "the zebra ran under a gnu", "the yak ran on the roof"] * 40
    settings = {"batch_size": 4, "bptt": 8, "warmup": 0, "from_run": word_run, "grow": True}
    still = elman.train(texts=[*new, "the ibex"], out=tmp_path / "a", lr=1e-12, epochs=1, min_count=2, **settings)
    V = lm.tokenizer.V
    assert still.tokenizer.tokens[:V] == lm.tokenizer.tokens
    assert still.tokenizer.tokens[V:] == ["zebra", "a", "gnu", "yak"]  # the most frequent first; the ibex once
    before, after = dict(lm.next("the cat", top=None)), dict(still.next("the cat", top=None))
    new_mass = sum(after[token] for token in ("zebra", "a", "gnu", "yak"))
    assert 0 < new_mass <= 4 / (V + 4)
    for token, probability in before.items():
        assert after[token] == pytest.approx(probability * (1 - new_mass), rel=1e-4)
    moved = elman.train(texts=new, out=tmp_path / "b", epochs=4, **settings)
    assert "zebra" in moved
    assert moved.evaluate("\n".join(new)).oov == 0
    assert moved.perplexity("\n".join(new)) < still.perplexity("\n".join(new)) / 2
    assert moved.score("the zebra sat") > still.score("the zebra sat")


def test_a_task(tmp_path: Path) -> None:
    lm = elman.train(task="xor", task_length=(10, 12), out=tmp_path / "xor", max_time=0.5, hidden=5, validate_every=50)
    assert lm.config
    assert lm.config.task
    assert (lm.config.task.shortest, lm.config.task.longest) == (10, 12)


@pytest.mark.parametrize(
    ("arguments", "kind", "sentence"),
    [
        ({"hiden": 3}, ConfigError, "'hiden' is no setting of training: did you mean hidden?"),
        ({"q": 3}, ConfigError, "'q' is no setting of training: there are level, vocab_size"),
        ({"epochs": 2.5}, ConfigError, "epochs is 2.5; it must be"),
        ({"batch_size": "9"}, ConfigError, "batch-size is '9'; it must be"),
        ({"level": "syllable"}, ConfigError, "level is 'syllable'; choose one of byte"),
        ({"text": "nowhere.txt"}, TextError, "nowhere.txt does not exist"),
        ({"text": 5}, ConfigError, "text is 5; it must be several"),
        ({"text": [5]}, ConfigError, "text is 5; it must be a text or a Path"),
        ({"texts": "one text"}, ConfigError, "texts is 'one text'; it must be several"),
        ({"texts": [5]}, ConfigError, "a text of texts is 5"),
        ({"texts": []}, TextError, "texts in memory is empty"),
        ({"texts": ["a"], "text": "b"}, ConfigError, "TEXT and texts contradict each other"),
        ({"valid": "b", "held_out": 0.1}, ConfigError, "--valid and --held-out contradict each other"),
        ({"held_out": "much"}, ConfigError, "held-out is 'much'"),
        ({"held_out": 2.0}, ConfigError, "held-out is 2.0; it must be over 0 and under 1"),
        ({"out": 5}, ConfigError, "out is 5; it must be a text or a Path"),
        ({"resume": "nowhere"}, CheckpointError, "there is no run at"),
        ({"resume": "{run}", "hidden": 5}, ConfigError, "--resume goes on with the run's own settings"),
        ({"resume": "{run}", "texts": ["a"]}, ConfigError, "contradicts texts"),
        ({"out": "{run}"}, CheckpointError, "already holds a run"),
        ({"task": "chess"}, ConfigError, "task is 'chess'; it must be one of temporal-order"),
        ({"task": "xor", "texts": ["a"]}, ConfigError, "--task makes its own sequences and contradicts texts"),
        ({"vocab": ["a", "a"]}, TextError, "token 2 of the vocabulary, 'a', is token 1 too"),
        ({"vocab": ["a"], "min_count": 2}, ConfigError, "--vocab is the whole vocabulary and contradicts --min-count"),
        ({"vocab": ["a"], "level": "bpe"}, ConfigError, "a token of level bpe is neither"),
        ({"vocab": 5}, ConfigError, "vocab is 5; it must be several"),
        ({"vocab": ["a"], "task": "xor"}, ConfigError, "contradicts --vocab"),
        ({"from_run": "nowhere"}, CheckpointError, "there is no run at nowhere"),
        ({"from_run": "{run}", "hidden": 5, "init": "identity"}, ConfigError, "and contradicts --hidden, --init"),
        ({"from_run": "{run}", "vocab": ["a"]}, ConfigError, "and contradicts --vocab: leave that out"),
        ({"grow": True}, ConfigError, "--grow is about the vocabulary of --from"),
        ({"grow": 1}, ConfigError, "grow is 1"),
        ({"from_run": "{run}", "grow": True, "vocab_size": 9}, ConfigError, "and contradicts --vocab-size: leave"),
        ({"from_run": "{run}", "min_count": 2}, ConfigError, "and contradicts --min-count: leave that out"),
        ({"from_run": "{run}", "resume": "{run}"}, ConfigError, "and contradicts --resume: leave that out"),
        ({"task_length": 50}, ConfigError, "--task-length is the length of a --task"),
        ({"task": "xor", "task_length": "50"}, ConfigError, "task-length is '50'"),
        ({"task": "xor", "task_length": (1, 2, 3)}, ConfigError, "task-length is a list of 3"),
        ({"device": "tpu"}, ConfigError, "device is 'tpu'; choose cpu"),
        ({"exact": True, "precision": "bf16"}, ConfigError, "--exact contradicts --precision bf16"),
        ({"exact": 1}, ConfigError, "exact is 1"),
        ({"recipe": "better"}, ConfigError, "recipe is 'better'; choose one of quick, best"),
        ({"recipe": "best", "task": "xor"}, ConfigError, "--recipe best is for a text and contradicts --task"),
        ({"recipe": "best", "resume": "{run}"}, ConfigError, "and contradicts --recipe: leave that out"),
        ({"on_record": 5}, ConfigError, "on_record is 5; it must be a function"),
        ({"omega_form": "ratio"}, ConfigError, "--omega-form is about --omega"),
    ],
    ids=str,
)
def test_wrong_calls(
    arguments: dict[str, Any], kind: type[ElmanError], sentence: str, word_run: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    given = {name: word_run if value == "{run}" else value for name, value in arguments.items()}
    with pytest.raises(kind) as raised:
        elman.train(**given)
    assert sentence in str(raised.value)
    assert not list(tmp_path.iterdir()), "a refused call left something behind"


def test_an_error_of_the_callers_function_is_the_callers(corpus: Path, tmp_path: Path) -> None:
    def stop(record: Record) -> None:
        raise ZeroDivisionError

    keep: Callable[[Record], None] = stop
    with pytest.raises(ZeroDivisionError):
        elman.train(corpus, out=tmp_path / "run", epochs=1, on_record=keep, **SMALL)
    lm = elman.train(resume=tmp_path / "run")  # the folder is not locked, and the run goes on
    assert math.isfinite(lm.score("the cat"))
