"""Models in the formats of other programs: read by those programs where they are installed, and by NumPy everywhere."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tokenizers
from command_line import Run, fails
from scripts import script

import elman
from elman.checkpoint import RunFolder
from elman.cli.export import FORMATS as OF_THE_COMMAND
from elman.errors import ConfigError, MissingExtraError
from elman.export import FORMATS, export
from elman.export.torch_module import state_dict
from elman.model.network import hidden_states
from elman.ngram.arpa import read_arpa

readers = script("export_readers")
MODELS: list[dict[str, Any]] = readers.MODELS
NAMES = [
    "-".join([m["level"], f"{m.get('layers', 1)}", m["activation"], "tied" * m["tie"] or m.get("output", "untied")])
    for m in MODELS
]
PACKAGES = {"transformers": "transformers", "onnx": "onnxruntime", "torch": "torch"}


@pytest.fixture(scope="module", params=MODELS, ids=NAMES)
def lm(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> elman.LanguageModel:
    """A small model of each kind."""
    model: elman.LanguageModel = readers.trained(tmp_path_factory.mktemp("exported") / "run", **request.param)
    return model


@pytest.mark.filterwarnings("default")  # those of the readers
@pytest.mark.parametrize("kind", PACKAGES)
def test_a_reader_computes_what_elman_does(kind: str, lm: elman.LanguageModel, tmp_path: Path) -> None:
    pytest.importorskip(PACKAGES[kind])
    if kind == "onnx":
        pytest.importorskip("onnx")
    if kind == "torch" and lm.p.skip:
        pytest.skip("nn.RNN has no skip connections")
    found = readers.READERS[kind][1](lm, tmp_path / "out")
    assert {name: value for name, value in found.items() if not value <= readers.LIMIT} == {}


def test_kenlm_reads_the_n_grams(lm: elman.LanguageModel, tmp_path: Path) -> None:
    pytest.importorskip("kenlm")
    if lm.tokenizer.level != "word":
        pytest.skip("the stream of another level has no sentences")
    assert readers.with_kenlm(lm, tmp_path / "out")["line"] < readers.LIMIT


def by_pytorchs_equations(weights: dict[str, Any], config: dict[str, Any], x: Any) -> Any:
    """The logits of x [T,B] by the equations in PyTorch's documentation of nn.RNN, in NumPy."""
    activate = {"tanh": np.tanh, "relu": lambda z: np.maximum(z, 0)}[config["nonlinearity"]]
    read = weights["embedding.weight"][x]
    for k in range(config["layers"]):
        h = np.full((x.shape[1], config["Dh"]), config["initial"])
        states = []
        for row in read:
            z = row @ weights[f"rnn.weight_ih_l{k}"].T + weights[f"rnn.bias_ih_l{k}"]
            h = activate(z + h @ weights[f"rnn.weight_hh_l{k}"].T + weights[f"rnn.bias_hh_l{k}"])
            states.append(h)
        read = np.stack(states)
    linear = weights["embedding.weight"] if config["tied"] else weights["linear.weight"]
    theta = read @ linear.T + weights["linear.bias"]
    if not config["tails"]:
        return theta
    n, head = theta.shape[-1] - len(config["tails"]), log_softmax(theta)
    parts = [head[..., :n]]
    for k in range(len(config["tails"])):
        inside = read @ weights[f"tails.{k}.0.weight"].T @ weights[f"tails.{k}.1.weight"].T
        parts.append(log_softmax(inside + weights[f"tails.{k}.1.bias"]) + head[..., n + k, None])
    return np.concatenate(parts, axis=-1)


def log_softmax(theta: Any) -> Any:
    return theta - np.log(np.exp(theta).sum(axis=-1, keepdims=True))


def test_the_state_dict_computes_what_elman_does(lm: elman.LanguageModel, tmp_path: Path) -> None:
    if lm.p.skip:
        with pytest.raises(ConfigError, match=r"skip connections \(--skip\), which nn.RNN does not have"):
            export(lm, "torch", tmp_path / "out")
        return
    export(lm, "torch", tmp_path / "out")
    config = json.loads((tmp_path / "out" / "config.json").read_text())
    p = lm.p.astype("float64")
    x = np.random.default_rng(0).integers(0, p.V, (7, 3))
    logits = by_pytorchs_equations(state_dict(p), config, x)
    expected = p.output.log_probabilities(hidden_states(p, x, p.initial_state(3)).h_out)
    assert np.allclose(log_softmax(logits), expected, rtol=0, atol=1e-12)


def test_the_tokenizer_begins_a_text_with_a_line_end(lm: elman.LanguageModel, tmp_path: Path) -> None:
    export(lm, "transformers", tmp_path / "out")
    exported = tokenizers.Tokenizer.from_file(str(tmp_path / "out" / "tokenizer.json"))
    text = "the keeper saw\r\nthe unseen Zoë\n\n"
    ids = lm.tokenizer.encode(text).tolist()
    assert exported.encode(text).ids == [lm.tokenizer.eos, *ids]
    assert exported.encode(text, add_special_tokens=False).ids == ids
    assert exported.decode(ids, skip_special_tokens=True) == lm.tokenizer.decode(ids)
    both = exported.encode("the keeper", "saw").ids
    assert both == [lm.tokenizer.eos, *lm.tokenizer.encode("the keeper"), *lm.tokenizer.encode("saw")]


def test_every_file_is_whole_and_names_no_path(lm: elman.LanguageModel, tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    assert lm.run is not None
    for kind in FORMATS:
        if kind == "torch" and lm.p.skip:  # refused, as another test shows
            continue
        paths = export(lm, kind, tmp_path / kind)
        assert sorted(p.name for p in (tmp_path / kind).iterdir()) == [p.name for p in paths]
        for path in paths:
            assert str(lm.run.parent).encode() not in path.read_bytes()


def test_the_command(word_run: Path, tmp_path: Path, command: Run) -> None:
    assert OF_THE_COMMAND == FORMATS  # named there too, so that --help imports nothing heavy
    done = command("export", word_run, "--to", "transformers", "--out", tmp_path / "model", "--json")
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["format"] == "transformers"
    assert {"config.json", "model.safetensors", "modeling_elman.py", "README.md"} <= set(said["files"])
    again = command("export", word_run, "--to", "torch", "--out", tmp_path / "model")
    fails(again, f"{tmp_path / 'model'} is there and not empty: give a new folder, or an empty one")
    done = command("export", word_run, "--to", "arpa", "--order", 2, "--out", tmp_path / "arpa")
    assert "1 file" in done.stdout
    model, tokens = read_arpa(tmp_path / "arpa" / "ngram.arpa")
    assert model.order == 2
    assert "cat" in tokens


def test_what_cannot_be_exported_is_refused(
    word_run: Path, tmp_path: Path, command: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    lm, out = elman.load(word_run), tmp_path / "out"
    task = tmp_path / "task"
    command("train", "--task", "xor", "--epochs", 1, "--hidden", 8, "--task-length", "10", "--out", task)
    mixed = elman.load(word_run, mix=["unigram"])
    alone = elman.LanguageModel(lm.p, lm.tokenizer)
    monkeypatch.setitem(sys.modules, "onnx", None)
    wrong: list[tuple[type[Exception], str, Any, str, dict[str, Any]]] = [
        (ConfigError, "must be one of transformers, onnx, torch, arpa", lm, "gguf", {}),
        (ConfigError, "order is for n-gram models", lm, "torch", {"order": 3}),
        (ConfigError, "order", lm, "arpa", {"order": 0}),
        (ConfigError, "mixture", mixed, "torch", {}),
        (ConfigError, "not on a text", elman.load(task), "torch", {}),
        (ConfigError, "not from a run folder", alone, "arpa", {}),
        (MissingExtraError, r"pip install 'elman\[onnx\]'", lm, "onnx", {}),
    ]
    for kind, sentence, model, to, options in wrong:
        with pytest.raises(kind, match=sentence):
            export(model, to, out, **options)
        assert not out.exists()
    taken = tmp_path / "file"
    taken.write_text("")
    with pytest.raises(ConfigError, match="choose another --out"):
        export(lm, "torch", taken)


def test_a_run_names_the_class_of_its_tokenizer(word_run: Path) -> None:
    config = json.loads(RunFolder(word_run).tokenizer_config.read_text())
    assert config["tokenizer_class"] == "PreTrainedTokenizerFast"
