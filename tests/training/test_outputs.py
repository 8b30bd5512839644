"""Runs with other output layers than the full one: recorded losses, bitwise resume, the order of the vocabulary."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import elman
from elman.checkpoint import RunFolder, load_state
from elman.config import ModelConfig, TextConfig, TrainingConfig
from elman.errors import ConfigError
from elman.text.batches import count_tokens, open_tokens
from elman.text.corpus import Corpus
from elman.text.tokenizer import Tokenizer
from elman.text.vocabulary import given_vocabulary
from elman.training.defaults import UNKNOWN, cutoffs_of, with_defaults
from elman.training.loop import Trainer
from elman.training.records import StepRecord, StopRecord, ValidationRecord
from elman.training.start import Beginning, Sources, resume, start

SMALL: dict[str, Any] = {
    "epochs": 3, "B": 4, "T": 8, "dropout": 0.2, "save_every": 7, "record_every": 1,
    "lr": TrainingConfig.lr, "warmup": TrainingConfig.warmup,
}  # fmt: skip
OUTPUTS: dict[str, dict[str, Any]] = {
    "adaptive": {"output": "adaptive", "cutoffs": "6,11"},
    "sampled": {"output": "sampled", "tie": True},
}


def started(folder: Path, corpus: Path, output: str, **settings: Any) -> Trainer:
    model, sources = {"d": 16, "Dh": 16} | OUTPUTS[output], Sources(Corpus.from_paths([corpus]))
    settings = SMALL | ({"samples": 6} if output == "sampled" else {}) | settings
    return start(RunFolder(folder), sources, TextConfig("word"), model, settings)


def contents(folder: Path) -> tuple[bytes, bytes, list[float]]:
    """What must not differ between equal runs: model, state without its seconds, and losses."""
    found = RunFolder(folder)
    config, _ = elman.checkpoint.load_config(found)
    p, arrays, counters = load_state(found, found.state, config)
    del counters["progress"]["seconds"], counters["progress"]["metrics_bytes"]
    state = b"".join(a.tobytes() for _, a in sorted([*p.distinct(), *arrays.items()])) + json.dumps(counters).encode()
    records = [json.loads(line) for line in found.metrics.read_text().splitlines()]
    return found.model.read_bytes(), state, [r["nats_per_token"] for r in records if "nats_per_token" in r]


@pytest.mark.parametrize("output", OUTPUTS)
@pytest.mark.parametrize(("optimizer", "at"), [("adam", 1), ("adam", 51), ("sgd", 50)])
def test_a_stopped_run_goes_on_to_the_same_bytes(
    tmp_path: Path, corpus: Path, output: str, optimizer: str, at: int
) -> None:
    settings = {"optimizer": optimizer, "schedule": "mikolov" if optimizer == "sgd" else "cosine"}
    list(started(tmp_path / "whole", corpus, output, **settings).run())
    broken = started(tmp_path / "broken", corpus, output, **settings)
    for record in broken.run():
        if isinstance(record, StepRecord) and record.step == at:
            broken.stop()
    assert isinstance(record, StopRecord)
    assert (record.reason, record.step) == ("asked", at)
    *_, last = resume(RunFolder(tmp_path / "broken"), {}).run()
    assert last.reason != "asked"
    assert contents(tmp_path / "broken") == contents(tmp_path / "whole")


GOLDEN = {
    "adaptive": [
        2.90743050067,
        2.76791003616,
        2.60234870495,
        2.61703314428,
        2.52228557424,
        2.45719631316,
        2.47587302517,
    ],
    "sampled": [2.99384061001, 2.9392803113, 2.79902233642, 2.76517172587, 2.62564078016, 2.57482999586, 2.66469894405],
}


@pytest.mark.parametrize("output", OUTPUTS)
def test_golden_run(tmp_path: Path, corpus: Path, output: str) -> None:
    """Recorded losses of a short float64 run: whatever changes them changes the mathematics or the data."""
    settings = {"precision": "float64", "record_every": 20, "dropout": 0.1, "epochs": 2, "word_dropout": 0.0}
    trainer = started(tmp_path / "run", corpus, output, **settings)
    found = [r.nats_per_token for r in trainer.run() if isinstance(r, StepRecord | ValidationRecord)]
    np.testing.assert_allclose(found, GOLDEN[output], rtol=1e-9)


def test_a_byte_pair_vocabulary_is_ordered_by_frequency(tmp_path: Path, corpus: Path) -> None:
    text = TextConfig("bpe", vocab_size=290)
    folder = RunFolder(tmp_path / "run")
    model = {"d": 8, "Dh": 8, "output": "adaptive", "cutoffs": "10,40"}
    trainer = start(folder, Sources(Corpus.from_paths([corpus])), text, model, SMALL | {"epochs": 1})
    list(trainer.run())
    counts = np.bincount(open_tokens(folder.train_tokens)[1:], minlength=290)
    assert (np.diff(counts) <= 0).all()
    lm = elman.load(folder.path)
    assert lm.tokenizer.decode(lm.tokenizer.encode("the cat")) == "the cat"


def test_a_given_vocabulary_is_ordered_by_frequency(tmp_path: Path, corpus: Path) -> None:
    words = sorted(set(corpus.read_text().split()), reverse=True)
    given = given_vocabulary([*words, "never"], "word")
    model = {"d": 8, "Dh": 8, "output": "adaptive", "cutoffs": "5"}
    folder, sources = RunFolder(tmp_path / "run"), Sources(Corpus.from_paths([corpus]))
    start(folder, sources, TextConfig("word"), model, SMALL, beginning=Beginning(given))
    counts = np.bincount(open_tokens(folder.train_tokens)[1:], minlength=given.V)[2:]
    assert (np.diff(counts) <= 0).all()
    assert counts[-1] == 0
    tokens = Tokenizer.from_json(folder.tokenizer.read_text()).tokens
    assert tokens[:3] == ["<unk>", "<eos>", "the"]
    assert tokens[-1] == "never"


def test_a_tokenizer_by_frequency_has_the_same_tokens() -> None:
    text = "ab ab ab cd cd ef\n" * 3
    for tokenizer in (Tokenizer.of_words(["ef", "xy", "cd", "ab"]), Tokenizer.train([text], TextConfig("bpe", 300))):
        ranked = tokenizer.by_frequency(count_tokens([text], tokenizer))
        assert sorted(ranked.tokens) == sorted(tokenizer.tokens)
        counts = count_tokens([text], ranked)
        first = 2 if tokenizer.level == "word" else 0
        assert (np.diff(counts[first:]) <= 0).all()
        for a, b in zip(tokenizer.encode(text), ranked.encode(text), strict=True):
            assert tokenizer.tokens[a] == ranked.tokens[b]
        assert Tokenizer.from_json(ranked.to_json()).tokens == ranked.tokens


def test_defaults_of_an_adaptive_output() -> None:
    assert cutoffs_of(200_000) == "4000,20000"
    assert cutoffs_of(33_278) == "4000"
    assert cutoffs_of(100) == "25"
    _, network = with_defaults(TextConfig("word"), {"output": "adaptive"}, {}, V=200_000)
    assert (network.tie, network.d, network.Dh, network.cut_at) == (False, 200, 200, (4000, 20_000))
    _, network = with_defaults(TextConfig("word"), {"output": "adaptive", "cutoffs": "5,7"}, {})
    assert (network.V, network.cut_at) == (UNKNOWN, (5, 7))
    with pytest.raises(ConfigError, match="this one has 3 tokens"):
        cutoffs_of(3)
    for cutoffs in ("", "5,", "a", "7,5", "5,5", "0", "-1"):
        with pytest.raises(ConfigError, match=r"it must be ascending whole numbers, .* such as 4000,20000$"):
            ModelConfig(30, 4, 4, output="adaptive", cutoffs=cutoffs)
    with pytest.raises(ConfigError, match=r"it must be ascending whole numbers, .* V being 30"):
        ModelConfig(30, 4, 4, output="adaptive", cutoffs="5,30")
