"""Whatever is in a run folder, with right checksums too, gives the same values or one sentence: never a traceback."""

from __future__ import annotations

import hashlib
import json
import math
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from run_files import (
    change_arrays,
    change_config,
    change_counters,
    change_tokenizer,
    giant,
    pipe_with,
    put,
    with_metadata,
)

import elman
from elman.checkpoint import RunFolder, load_config
from elman.cli import main
from elman.errors import CheckpointError, ElmanError, TextError
from elman.text.batches import open_tokens
from elman.text.tokenizer import Tokenizer
from elman.training.start import resume


@pytest.fixture
def copy(word_run: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(word_run, tmp_path / "copy"))


def refused(call: Callable[[], object], *parts: str) -> None:
    """The call raises one sentence of the family that has all the parts."""
    with pytest.raises(ElmanError) as error:
        call()
    assert "\n" not in str(error.value)
    assert error.value.exit_code == 2
    for part in parts:
        assert part in str(error.value)


def called(*arguments: object) -> str:
    """What a command that is refused prints, in this process: a traceback fails the test."""
    done = CliRunner().invoke(main, list(map(str, arguments)), catch_exceptions=False)
    assert done.exit_code == 2, done.output
    assert done.stderr.count("\n") == 1
    return done.stderr


def values_of(run: Path) -> list[Any]:
    lm = elman.load(run)
    return [lm.config, lm.tokenizer.to_json(), *(array.tobytes() for _, array in lm.p.items())]


@pytest.mark.parametrize(
    ("key", "value", "sentence"),
    [
        ("training.B", "4", "batch-size is '4'; it must be a whole number"),
        ("training.B", True, "batch-size is true; it must be a whole number"),
        ("training.B", 4.0, "batch-size is 4.0; it must be a whole number"),
        ("training.T", 10**30, "bptt is 1000000000000000000000000000000; it must be"),
        ("training.lr", float("nan"), "lr is nan; it must be over 0 and finite"),
        ("training.lr", float("inf"), "lr is inf; it must be over 0 and finite"),
        ("training.clip", [], "clip is a list of 0; it must be a number"),
        ("training.optimizer", ["adam"], "optimizer is a list of 1; choose one of adam, sgd"),
        ("training.warmup", 1e308, "warmup is 1e+308; it must be a whole number"),
        ("training.init_scale", 1e308, "init-scale is 1e+308; it must be"),
        ("training.seed", "0" * 5000, "seed is '000"),
        ("model.V", 1e308, "V is 1e+308; it must be a whole number"),
        ("model.layers", 10**12, "layers is 1000000000000; it must be a whole number from 1 to 64"),
        ("model.layers", 2, "the array layers.1.W_e is missing"),
        ("model.output", "adaptive", "cutoffs is null; it must be ascending whole numbers"),
        ("model.output", "half", "output is 'half'; choose one of full, adaptive"),
        ("model.cutoffs", "5", "--cutoffs is about --output adaptive"),
        ("model.cutoffs", [5], "cutoffs is a list of 1; it must be a text"),
        ("model.tie", "yes", "tie is 'yes'; it must be true or false"),
        ("model", None, "ModelConfig is null; it must be an object"),
        ("text", [], "TextConfig is a list of 0; it must be an object"),
        ("training", 5, "TrainingConfig is 5; it must be an object"),
        ("corpus", 5, "corpus is 5; it must be a text"),
        ("corpus", "\ud800", r"corpus is '\ud800'; it must be a text"),
        ("corpus", ..., "the configuration has the missing key 'corpus'"),
        ("other", 1, "the configuration has the unknown key 'other'"),
        ("task", {"name": "xor", "shortest": "10", "longest": 20}, "shortest is '10'; it must be a whole number"),
        ("task", {"name": "xor", "shortest": 10, "longest": 10**9}, "and at most 10,000 steps"),
        ("task", 5, "TaskConfig is 5; it must be an object"),
        ("format", True, "is of format true, this Elman reads format 1"),
        ("format", [1], "is of format a list of 1, this Elman reads"),
        ("format", ..., "the key format is missing; take a copy from elsewhere"),
        ("text.level", "char", "has 21 tokens of level word, config.json says 21 of level char"),
    ],
)
def test_every_value_of_the_configuration_is_checked(copy: Path, key: str, value: Any, sentence: str) -> None:
    change_config(copy, put(key, value))
    refused(lambda: elman.load(copy), f"{copy}/", sentence)


@pytest.mark.parametrize("content", [b"[]", b"5", b"null", b'"x"', b"", b"{", b"[" * 100_000, b"\xff{}", b"1" * 5000])
def test_a_configuration_that_is_no_object_is_refused(copy: Path, content: bytes) -> None:
    (copy / "config.json").write_bytes(content)
    refused(lambda: elman.load(copy), f"{copy}/config.json: ", "; take a copy from elsewhere, or train again")


def panicking(content: dict[str, Any]) -> None:
    """The tokenizers library panics while it reads this: a Rust backtrace, and an exception that is no Exception."""
    content["normalizer"] = {"type": "Precompiled", "precompiled_charsmap": "AAAA"}


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (panicking, "does not encode as one of Elman's levels does"),
        (put("normalizer", None), "does not encode as one of Elman's levels does"),
        (put("truncation", {"max_length": 1, "stride": 5}), "does not encode as one of Elman's levels does"),
        (put("added_tokens", [{}]), "does not encode as one of Elman's levels does"),
        (put("model", None), "model is null, expected an object"),
        (put("model.vocab", []), "model.vocab is a list of 0, expected an object"),
        (put("model.vocab.cat", 0), "is 0, expected each of 0 to 20 once"),
        (put("model.vocab.cat", -1), "is -1, expected each of 0 to 20 once"),
        (put("model.vocab.cat", 2**32), "is 4294967296, expected each of 0 to 20 once"),
        (put("model.vocab.cat", True), "is true, expected each of 0 to 20 once"),
        (put("model.vocab.<eos>", ...), "expected each of 0 to"),
        (put("model.merges", [["c", "at"]]), "its merge 'c' 'at' does not join two tokens to a third"),
        (put("model.merges", 5), "model.merges is 5, expected a list"),
    ],
)
def test_every_part_of_a_tokenizer_is_checked_before_the_library_sees_it(
    copy: Path, change: Callable[[dict[str, Any]], None], sentence: str, capfd: pytest.CaptureFixture[str]
) -> None:
    content = json.loads((copy / "tokenizer.json").read_text())
    sorted_ids = sorted(content["model"]["vocab"].values())
    assert sorted_ids == list(range(21))
    change(content)
    change_tokenizer(copy, json.dumps(content).encode())
    refused(lambda: elman.load(copy), f"{copy}/tokenizer.json: ", sentence)
    assert capfd.readouterr().err == ""  # no backtrace of a library


@pytest.mark.parametrize("content", [b"\xff\xfe{}", b"[" * 100_000, b"5", b"null", b"\0" * 100])
def test_a_tokenizer_that_is_no_text_or_no_object_is_refused(copy: Path, content: bytes) -> None:
    change_tokenizer(copy, content)
    refused(lambda: elman.load(copy), f"{copy}/tokenizer.json: ")


@pytest.mark.parametrize("level", ["byte", "char", "word", "bpe"])
def test_each_level_reads_its_own_tokenizer_and_refuses_those_with_gaps(level: Any) -> None:
    V = 260 if level == "bpe" else None
    tokenizer = Tokenizer.train(["the cat sat on the mat\n"], elman.config.TextConfig(level, vocab_size=V))
    content = json.loads(tokenizer.to_json())
    again = Tokenizer.from_json(json.dumps(content))
    assert (again.to_json(), again.level) == (tokenizer.to_json(), level)
    del content["model"]["vocab"][next(iter(content["model"]["vocab"]))]
    with pytest.raises(TextError, match=r"expected each of 0 to \d+ once|lacks|is not"):
        Tokenizer.from_json(json.dumps(content))


def test_merges_of_tokens_that_are_not_there_are_refused() -> None:
    tokenizer = Tokenizer.train(["the cat sat on the mat\n"], elman.config.TextConfig("bpe", vocab_size=260))
    for merge in (["a", "zz"], ["a"], ["a", "b", "c"]):
        content = json.loads(tokenizer.to_json())
        content["model"]["merges"].append(merge)
        with pytest.raises(TextError, match="does not join two tokens to a third"):
            Tokenizer.from_json(json.dumps(content))
    content["model"]["merges"] = []
    content["model"]["continuing_subword_prefix"] = "xxxxxx"  # with which the library panics
    with pytest.raises(TextError, match="does not encode as one of Elman's levels does"):
        Tokenizer.from_json(json.dumps(content))


STATES = ("model.safetensors", "training/state.safetensors")


def loaded(run: Path, name: str) -> object:
    return elman.load(run) if name == "model.safetensors" else resume(RunFolder(run), {"epochs": 6})


@pytest.mark.parametrize("name", STATES)
@pytest.mark.parametrize(
    "text", ["[]", "5", "null", '"x"', "{}", "[" * 100_000, '{"sha256": 5}', '{"activation": []}', "{"]
)
def test_metadata_of_any_other_form_are_refused(copy: Path, name: str, text: str) -> None:
    with_metadata(copy / name, text)
    refused(lambda: loaded(copy, name), f"{copy / name}")


@pytest.mark.parametrize("name", STATES)
@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda w: w.astype(np.int32), "U is int32 [21, 16], expected float32 [21, 16]"),
        (lambda w: w.astype(bool), "U is bool [21, 16], expected float32 [21, 16]"),
        (lambda w: w.astype(np.float64), "U is float64 [21, 16], expected float32 [21, 16]"),
        (lambda w: w.T.copy(), "U is float32 [16, 21], expected float32 [21, 16]"),
        (lambda w: w[:0], "U is float32 [0, 16], expected float32 [21, 16]"),
        (
            lambda w: np.full_like(w, np.nan),
            "336 of the 336 numbers of U are not finite, so the network predicts nothing",
        ),
        (
            lambda w: np.where(np.arange(16) == 3, np.inf, w).astype(w.dtype),
            "21 of the 336 numbers of U are not finite",
        ),
    ],
)
def test_weights_of_another_type_or_shape_or_not_finite_are_refused(
    copy: Path, name: str, change: Callable[[Any], Any], sentence: str
) -> None:
    key = "U" if name == "model.safetensors" else "parameters.U"
    change_arrays(copy / name, lambda arrays, metadata: arrays.update({key: change(arrays[key])}))
    refused(lambda: loaded(copy, name), f"{copy / name}", sentence)


@pytest.mark.parametrize("name", STATES)
def test_weights_that_are_missing_or_too_many_are_refused(copy: Path, name: str) -> None:
    key = "U" if name == "model.safetensors" else "parameters.U"
    original = (copy / name).read_bytes()
    change_arrays(copy / name, lambda arrays, metadata: arrays.pop(key))
    refused(lambda: loaded(copy, name), "the array U is missing")
    (copy / name).write_bytes(original)
    change_arrays(copy / name, lambda arrays, metadata: arrays.update({key + "x": arrays[key]}))
    refused(lambda: loaded(copy, name), "the array 'Ux' is not known")


@pytest.mark.parametrize(
    ("key", "value", "sentence"),
    [
        ("progress", ..., "the key counters.progress is missing"),
        ("progress", [], "counters.progress is a list of 0, expected an object"),
        ("progress.step", ..., "the key counters.progress.step is missing"),
        ("progress.step", "7", "counters.progress.step is '7', expected a whole number, at least 0"),
        ("progress.step", 7.0, "counters.progress.step is 7.0, expected a whole number, at least 0"),
        ("progress.step", True, "counters.progress.step is true, expected a whole number"),
        ("progress.step", -1, "counters.progress.step is -1, expected a whole number, at least 0"),
        ("progress.step", 7, "counters.progress.step is 7, expected "),
        ("progress.window", 10**6, "counters.progress.window is 1000000, expected under "),
        ("progress.seconds", float("nan"), "counters.progress.seconds is nan, expected a number of seconds"),
        ("progress.seconds", 1e308, "counters.progress.seconds is 1e+308, expected a number of seconds"),
        ("progress.seconds", None, "counters.progress.seconds is null, expected a number of seconds"),
        ("progress.best", float("nan"), "counters.progress.best is nan, expected a number, at least 0"),
        ("progress.mean_norm", float("inf"), "counters.progress.mean_norm is inf, expected a finite number"),
        ("progress.since_nats", 10**400, "counters.progress.since_nats is a whole number of more than 40 digits"),
        ("progress.factor", 0, "counters.progress.factor is 0, expected over 0, at most 1"),
        ("progress.ended", "tired", "counters.progress.ended is 'tired', expected one of"),
        ("progress.other", 1, "the key counters.progress.other is not known"),
        ("mikolov.halving", 1, "counters.mikolov.halving is 1, expected true or false"),
        ("mikolov.last", float("nan"), "counters.mikolov.last is nan"),
        ("generator", {}, "the key counters.generator.bit_generator is missing"),
        ("generator.bit_generator", "MT19937", "counters.generator.bit_generator is 'MT19937', expected one of PCG64"),
        ("generator.state.state", 2**128, "expected a whole number of 128 bits"),
        ("generator.state.inc", -1, "counters.generator.state.inc is -1, expected a whole number of 128 bits"),
        ("generator.uinteger", 2**32, "counters.generator.uinteger is 4294967296, expected a whole number of 32 bits"),
    ],
)
def test_every_counter_is_checked_and_a_refused_resume_changes_nothing(
    copy: Path, key: str, value: Any, sentence: str
) -> None:
    state = copy / "training" / "state.safetensors"
    change_counters(state, put(key, value))
    before = {path: path.read_bytes() for path in copy.rglob("*") if path.is_file()}
    refused(lambda: resume(RunFolder(copy), {"epochs": 6}), f"{state}: ", sentence)
    assert before == {path: path.read_bytes() for path in copy.rglob("*") if path.is_file()}


@pytest.mark.parametrize("text", ["[]", "5", "null", "{}", "[" * 100_000, "{"])
def test_counters_of_any_other_form_are_refused(copy: Path, text: str) -> None:
    state = copy / "training" / "state.safetensors"
    change_arrays(state, lambda arrays, metadata: metadata.update(counters=text))
    refused(lambda: resume(RunFolder(copy), {}), f"{state}: ")
    change_arrays(state, lambda arrays, metadata: metadata.pop("counters"))
    refused(lambda: resume(RunFolder(copy), {}), f"{state}: the key counters is missing")


@pytest.mark.parametrize("name", ["h", "adam.m.U", "adam.v.W_h", "adam.count"])
def test_the_arrays_of_the_optimizer_and_the_state_are_checked(copy: Path, name: str) -> None:
    state = copy / "training" / "state.safetensors"
    original = state.read_bytes()
    changes: dict[str, tuple[Callable[[Any], Any], str]] = {
        "reshaped": (lambda a: a.reshape(1, 1, -1), f"{name} is "),
        "another type": (lambda a: a.astype(np.int16), f"{name} is "),
        "longer": (lambda a: np.concatenate([a, a]), f"{name} is "),
    }  # fmt: skip
    if name == "adam.count":
        changes["negative"] = (lambda a: a * 0 - 5, "adam.count is -5, expected a number of steps, from 0 to ")
    else:
        changes["NaN"] = (lambda a: a * np.nan, f"{name} has numbers that are NaN")
    if name.startswith("adam.m"):
        changes["infinite"] = (lambda a: a + np.inf, f"{name} has numbers that are infinite")
    if name.startswith("adam.v"):
        changes["negative"] = (lambda a: -1 - a, f"{name} has negative numbers, and they are means of squares")
    for change, sentence in changes.values():
        change_arrays(state, lambda arrays, metadata, change=change: arrays.update({name: change(arrays[name])}))
        refused(lambda: resume(RunFolder(copy), {}), f"{state}", sentence)
        state.write_bytes(original)
    change_arrays(state, lambda arrays, metadata: arrays.pop(name))
    refused(lambda: resume(RunFolder(copy), {}), f"the array {name} is missing")


@pytest.mark.parametrize(
    "line",
    [
        "{}", "5", "null", "[]", '"x"', "", "{", "[" * 100_000, "\x00" * 50, '{"kind": "step"}', '{"kind": []}',
        '{"kind": "validation", "step": 1, "epoch": 1, "nats_per_token": "x", "train_nats_per_token": 1.0, '
        '"best": true, "learning_rate": 0.1, "seconds": 1.0, "wrong": null}',
        '{"kind": "rescue", "step": 1, "back_to": -1, "factor": 0.5}',
        '{"kind": "rescue", "step": 1, "back_to": 0, "factor": 1e308}',
        '{"kind": "flow", "step": 1, "sequences": 1, "T": 5, "verdict": "x", "decay_rate": 1.0, "reach": 1, '
        '"mean_slope": 1.0, "flat": 0.0, "sigma_max": 1.0, "spectral_radius": 1.0, "cancellation": 1.0, '
        '"log10_norms_by_lag": [0.5, -1e308], "seconds": 0.1}',
        '{"kind": "rescue", "step": 1e999, "back_to": 0, "factor": 0.5}',
    ],
)  # fmt: skip
def test_a_line_of_the_metrics_that_is_no_record_is_named(copy: Path, corpus: Path, line: str) -> None:
    metrics = copy / "metrics.jsonl"
    lines = metrics.read_text().splitlines()
    metrics.write_text("\n".join([lines[0], line, *lines[1:]]) + "\n")
    for command in (("info", copy), ("flow", copy)):
        assert f"{metrics}, line 2: " in called(*command)


def test_the_end_of_the_metrics_that_a_crash_cut_off_is_left_out(copy: Path) -> None:
    whole = CliRunner().invoke(main, ["info", str(copy)], catch_exceptions=False).output
    with (copy / "metrics.jsonl").open("ab") as file:
        file.write(b'{"kind": "validation", "step": 99, "nats')
    assert CliRunner().invoke(main, ["info", str(copy)], catch_exceptions=False).output == whole


def test_a_loss_of_a_billion_nats_is_no_traceback(copy: Path) -> None:
    metrics = copy / "metrics.jsonl"
    metrics.write_text(re.sub(r'"nats_per_token": [0-9.]+', '"nats_per_token": 1e9', metrics.read_text()))
    for options in ((), ("--json",)):
        done = CliRunner().invoke(main, ["info", str(copy), *options], catch_exceptions=False)
        assert done.exit_code == 0
    bits = json.loads(done.output)["validation_bits_per_token"]
    assert bits == pytest.approx(1e9 / math.log(2), rel=1e-9)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"(", b"(-"), (b",)", b"0,)"), (b",)", b",2)"), (b"'|u1'", b"'|O'"), (b"'|u1'", b"'<u8'"),
        (b"'|u1'", b"'|b1'"), (b"'|u1'", b"'|i1'"), (b"False", b"True"), (b"'shape'", b"'shapes'"),
        (b"'descr': ", b"(" * 300), (b"NUMPY", b"PICKL"), (b"\x01\x00v\x00", b"\x02\x00v\x00\x00\xff"),
        (b"\x01\x00v\x00", b"\x03\x00v\x00\x00\x00"),
    ],
)  # fmt: skip
def test_a_damaged_header_of_an_array_file_is_refused(copy: Path, old: bytes, new: bytes) -> None:
    path = copy / "training" / "train.npy"
    data = path.read_bytes()
    assert old in data[:128]
    path.write_bytes(data[:128].replace(old, new, 1) + data[128:])
    refused(lambda: open_tokens(path), f"{path} is damaged: ", "; train again from the text")


def test_an_array_file_that_is_shorter_than_it_says_is_refused(copy: Path) -> None:
    path = copy / "training" / "valid.npy"
    data = path.read_bytes()
    for length in (0, 100, 128, len(data) - 1):
        path.write_bytes(data[:length])
        refused(lambda: open_tokens(path), f"{path} is damaged: ", "; train again from the text")
        assert f"{path} is damaged: " in called("train", "--resume", copy, "--epochs", 6)


@pytest.mark.parametrize("known", [True, False])
def test_tokens_that_the_vocabulary_does_not_have_are_refused(copy: Path, tmp_path: Path, known: bool) -> None:
    """known: the run has the checksum of its tokens, here that of the changed ones."""
    path = copy / "training" / "train.npy"
    data = bytearray(path.read_bytes())
    data[200:210] = b"\xff" * 10
    path.write_bytes(data)

    def checksums(content: dict[str, Any]) -> None:
        del content["tokens_sha256"]["train.npy"]
        if known:
            content["tokens_sha256"]["train.npy"] = hashlib.sha256(data[128:]).hexdigest()

    V = load_config(RunFolder(copy))[0].model.V
    change_config(copy, checksums)
    text = tmp_path / "text.txt"
    text.write_text("the cow\n")
    for call in (
        ("evaluate", copy, text, "--mix", "ngram:2"), ("next", copy, "the", "--mix", "dynamic"),
        ("export", copy, "--to", "arpa", "--out", tmp_path / "arpa"), ("train", "--resume", copy, "--epochs", 6),
    ):  # fmt: skip
        assert f"{path} is damaged: it has the token id 255, and the vocabulary has {V} tokens" in called(*call)


def test_a_mixture_of_a_run_whose_tokens_have_another_checksum_is_refused(copy: Path, tmp_path: Path) -> None:
    path = copy / "training" / "train.npy"
    data = bytearray(path.read_bytes())
    data[200] = (data[200] + 1) % 8
    path.write_bytes(data)
    for call in (("next", copy, "the", "--mix", "ngram"), ("export", copy, "--to", "arpa", "--out", tmp_path / "arpa")):
        assert f"{path} is damaged: its content does not match its checksum" in called(*call)


FILES = ("config.json", "tokenizer.json", "model.safetensors", "metrics.jsonl", "training/state.safetensors",
         "training/train.npy", "training/valid.npy")  # fmt: skip


def reading(run: Path, name: str) -> str:
    """What the command that reads this file says."""
    return called("train", "--resume", run, "--epochs", 6) if name.startswith("training") else called("info", run)


@pytest.mark.parametrize("name", FILES)
def test_a_folder_a_device_or_a_giant_in_the_place_of_a_file_is_refused(copy: Path, name: str) -> None:
    path = copy / name
    path.unlink()
    path.mkdir()
    assert f"{path} is a folder, expected a file: " in reading(copy, name)
    path.rmdir()
    path.symlink_to("/dev/zero")
    assert f"{path} is a device, expected a file: " in reading(copy, name)
    path.unlink()
    path.symlink_to(path.name)
    assert f"cannot read {path}: Too many levels of symbolic links" in reading(copy, name)
    path.unlink()
    giant(path)
    assert f"{path} is larger than " in reading(copy, name)


@pytest.mark.parametrize("name", FILES)
def test_a_pipe_in_the_place_of_a_file_is_refused_and_not_waited_for(copy: Path, name: str) -> None:
    with pipe_with(copy / name, (copy / name).read_bytes()):
        assert f"{copy / name} is a pipe, expected a file: " in reading(copy, name)


def test_a_refused_model_is_said_by_every_command(copy: Path, corpus: Path) -> None:
    change_arrays(copy / "model.safetensors", lambda arrays, metadata: arrays.update(U=arrays["U"] * np.nan))
    for command in (
        ("info", copy), ("evaluate", copy, corpus), ("score", copy, corpus), ("generate", copy), ("flow", copy, corpus),
    ):  # fmt: skip
        assert "are not finite, so the network predicts nothing; take a copy from elsewhere" in called(*command)


def test_finite_weights_that_overflow_are_said_and_not_printed_as_a_perplexity(copy: Path, corpus: Path) -> None:
    def huge(arrays: dict[str, Any], metadata: dict[str, str]) -> None:
        arrays["U"][::2] = 3e38
        arrays["U"][1::2] = -3e38

    change_arrays(copy / "model.safetensors", huge)
    for command in (("evaluate", copy, corpus), ("generate", copy), ("generate", copy, "the cat")):
        assert "is not a number: the weights are so large that the network overflows; take another" in called(*command)


def test_a_pipe_in_the_place_of_the_metrics_is_not_waited_for_by_a_resumed_run(copy: Path) -> None:
    for _ in range(2):
        with pipe_with(copy / "metrics.jsonl"):
            said = called("train", "--resume", copy, "--epochs", 6)
            assert f"{copy / 'metrics.jsonl'} is a pipe, expected a file: take a copy from elsewhere" in said


def test_a_file_that_the_metrics_are_a_link_to_is_not_changed(copy: Path, tmp_path: Path) -> None:
    other = tmp_path / "thesis.tex"
    other.write_text("years of work\n" * 10_000)
    (copy / "metrics.jsonl").unlink()
    (copy / "metrics.jsonl").symlink_to(other)
    said = called("train", "--resume", copy, "--epochs", 6)
    assert f"{copy / 'metrics.jsonl'} is a link to another file, which would be changed" in said
    assert other.read_text() == "years of work\n" * 10_000


def test_a_disk_that_fails_while_it_is_read_is_one_sentence(copy: Path) -> None:
    """/proc/self/mem is a regular file; who reads its beginning gets the error of a broken disk."""
    for name in ("config.json", "metrics.jsonl", "training/train.npy"):
        (copy / name).rename(copy / "kept")
        (copy / name).symlink_to("/proc/self/mem")
        assert re.search(r"Input/output error|is not JSON|is damaged", reading(copy, name))
        (copy / name).unlink()
        (copy / "kept").rename(copy / name)


def test_what_is_not_mutated_is_read_as_before(copy: Path) -> None:
    before = values_of(copy)
    change_config(copy, lambda content: None)
    change_arrays(copy / "model.safetensors", lambda arrays, metadata: None)
    assert values_of(copy) == before
    (copy / "tokenizer.json").write_bytes((copy / "tokenizer.json").read_bytes() + b"\n")
    with pytest.raises(CheckpointError, match="does not match its checksum"):
        load_config(RunFolder(copy))


@pytest.mark.slow
def test_mutated_folders_under_every_command() -> None:
    """The small form of benchmarks/mutated_folders.py, whose long run is in docs/reliability.md."""
    import os
    import subprocess
    import sys

    script = Path(__file__).parents[1] / "benchmarks" / "mutated_folders.py"
    done = subprocess.run(
        [sys.executable, script, "--folders", "60"],
        capture_output=True, text=True, check=False, env=os.environ | {"OPENBLAS_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    summary = json.loads(done.stdout.splitlines()[-1])
    assert summary["folders"] == 60
    assert set(summary["exit_codes"]) <= {"0", "1", "2"}
    assert summary["exit_codes"]["0"] > 100
    assert summary["exit_codes"]["2"] > 100
