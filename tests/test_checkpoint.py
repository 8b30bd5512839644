"""Run folders: whole or not at all, and no damaged file is taken for a model."""

from __future__ import annotations

import json
import random
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from command_line import Run

import elman
from elman.checkpoint import RunFolder, load_config, load_model, save_config, save_model
from elman.errors import CheckpointError, ElmanError


@pytest.fixture
def copy(word_run: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(word_run, tmp_path / "copy"))


def test_a_model_comes_back_to_the_bit(copy: Path) -> None:
    config, tokenizer, p = load_model(RunFolder(copy))
    save_model(RunFolder(copy), p)
    again = load_model(RunFolder(copy))[2]
    for (name, a), (_, b) in zip(p.items(), again.items(), strict=True):
        np.testing.assert_array_equal(a, b, err_msg=name)
    assert again.tied == p.tied == config.model.tie
    assert tokenizer.V == p.V


def mutated(data: bytes, chance: random.Random) -> bytes:
    """A bit flipped, a byte changed, a stretch cut out, doubled or zeroed, or the end torn off."""
    at = chance.randrange(len(data))
    length = chance.choice((1, 2, 8, 100))
    changes: list[Callable[[], bytes]] = [
        lambda: data[:at] + bytes([data[at] ^ (1 << chance.randrange(8))]) + data[at + 1 :],
        lambda: data[:at] + bytes([chance.randrange(256)]) + data[at + 1 :],
        lambda: data[:at] + data[at + length :],
        lambda: data[:at] + data[at : at + length] + data[at:],
        lambda: data[:at] + bytes(min(length, len(data) - at)) + data[at + length :],
        lambda: data[:at],
    ]
    # headers and JSON are where a reader could go wrong: half of the changes go there
    if chance.random() < 0.5:
        at = chance.randrange(min(len(data), 600))
    return chance.choice(changes)()


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "tokenizer.json", "training/state.safetensors"])
def test_a_mutated_file_is_refused_or_loads_the_same_values(copy: Path, name: str) -> None:
    """1,000 mutations in all: our error, one sentence; or the very same model."""
    folder, chance = RunFolder(copy), random.Random(name)
    path = copy / name
    data, (config, tokenizer, p) = path.read_bytes(), load_model(folder)
    state = elman.checkpoint.load_state(folder, folder.state, config)
    refused = 0
    for _ in range(250):
        path.write_bytes(mutated(data, chance))
        try:
            if name.startswith("training"):
                again, arrays, counters = elman.checkpoint.load_state(folder, folder.state, config)
                assert counters == state[2]
                assert all((arrays[k] == state[1][k]).all() for k in state[1])
                same = zip(again.items(), state[0].items(), strict=True)
            else:
                config_again, tokenizer_again, again = load_model(folder)
                assert config_again == config
                assert tokenizer_again.to_json() == tokenizer.to_json()
                same = zip(again.items(), p.items(), strict=True)
            assert all((a == b).all() for (_, a), (_, b) in same)
        except ElmanError as error:
            refused += 1
            assert "\n" not in str(error)
            assert error.exit_code == 2
    assert refused > 200


def test_files_of_two_runs_do_not_mix(copy: Path, char_run: Path) -> None:
    shutil.copy(char_run / "model.safetensors", copy)
    with pytest.raises(CheckpointError, match=r"does not fit config\.json"):
        elman.load(copy)


def test_another_version_is_refused(copy: Path) -> None:
    content = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps(content | {"format": 99}))
    with pytest.raises(CheckpointError, match="is of format 99, this Elman reads format 1"):
        elman.load(copy)


def test_a_setting_of_another_version_is_refused(copy: Path) -> None:
    folder = RunFolder(copy)
    content = json.loads(folder.config.read_text())
    content["training"]["momentum"] = 0.9
    del content["sha256"]
    content["sha256"] = elman.checkpoint.json_checksum(content)
    folder.config.write_text(json.dumps(content))
    with pytest.raises(CheckpointError, match="unknown setting momentum"):
        load_config(folder)


def test_what_is_no_run_is_said(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="there is no run at"):
        elman.load(tmp_path / "none")
    with pytest.raises(CheckpointError, match=r"has no config\.json"):
        elman.load(tmp_path)


def test_a_run_is_not_overwritten(copy: Path, corpus: Path, command: Run) -> None:
    before = {p: p.read_bytes() for p in copy.rglob("*") if p.is_file()}
    done = command("train", corpus, "--out", copy)
    assert done.returncode == 2
    assert f"continue it with --resume {copy}" in done.stderr
    assert before == {p: p.read_bytes() for p in copy.rglob("*") if p.is_file()}


def test_a_folder_of_other_things_is_left_alone(tmp_path: Path, corpus: Path, command: Run) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    done = command("train", corpus, "--out", tmp_path)
    assert done.returncode == 2
    assert "holds thesis.tex, no run" in done.stderr


LIMITED = """
import resource, signal, sys
from pathlib import Path
from elman.checkpoint import RunFolder, load_model, save_model
folder = RunFolder(Path(sys.argv[1]))
p = load_model(folder)[2]
p.U += 1
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    save_model(folder, p)
except Exception as error:
    print(type(error).__name__, error)
"""


def test_a_disk_that_fills_up_in_mid_checkpoint_leaves_the_old_one(copy: Path) -> None:
    """The file size limit of the process stands for the full disk: the write fails in the middle."""
    assert hasattr(resource, "RLIMIT_FSIZE")
    before = (copy / "model.safetensors").read_bytes()
    assert len(before) > 1000
    done = subprocess.run([sys.executable, "-c", LIMITED, str(copy)], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("CheckpointError cannot write")
    assert "the files of the run are as they were" in done.stdout
    assert (copy / "model.safetensors").read_bytes() == before
    assert not list(copy.glob(".partial*"))


def test_what_a_killed_writer_left_is_deleted_by_the_next_who_trains(copy: Path) -> None:
    leftovers = [copy / ".partial-99-model.safetensors", copy / "training" / ".partial-99-state.safetensors"]
    for path in leftovers:
        path.write_bytes(b"half")
    with RunFolder(copy).locked():
        assert not any(path.exists() for path in leftovers)


def test_config_round_trip(copy: Path) -> None:
    folder = RunFolder(copy)
    config, tokenizer_json = load_config(folder)
    save_config(folder, config, tokenizer_json)
    assert load_config(folder) == (config, tokenizer_json)
