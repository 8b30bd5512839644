"""Several processes on one run, by torchrun: the losses of one process, its files, and the loss of a process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import elman
from elman.checkpoint import RunFolder, load_config, load_state

pytest.importorskip("torch", reason="PyTorch is not installed")

SIZES = ("--hidden", "16", "--batch-size", "4", "--bptt", "8", "--epochs", "2", "--record-every", "1")
EXACT = ("--precision", "float64", "--threads", "1")


def call(count: int, *arguments: object) -> list[str]:
    """`elman …` in so many processes."""
    ours = ["-m", "elman", *map(str, arguments)]
    if count == 1:
        return [sys.executable, *ours]
    starter = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(count)]
    return [sys.executable, *starter, *ours]


def train(count: int, *arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(call(count, "train", *arguments), capture_output=True, text=True, check=False)


def records(folder: Path, kind: str = "step") -> list[dict[str, Any]]:
    lines = (folder / "metrics.jsonl").read_text().splitlines()
    return [record for record in map(json.loads, lines) if record["kind"] == kind]


def assert_same_records(one: list[dict[str, Any]], two: list[dict[str, Any]]) -> None:
    assert len(one) == len(two) > 30
    for mine, other in zip(one, two, strict=True):
        assert other["nats_per_token"] == pytest.approx(mine["nats_per_token"], rel=1e-6)
        assert other["gradient_norm"] == pytest.approx(mine["gradient_norm"], rel=1e-6)
        for key in ("step", "tokens", "clipped", "skipped", "learning_rate"):
            assert other[key] == mine[key], key


@pytest.mark.parametrize(
    "settings",
    [("--no-tie", "--dropout", "0.2"), ("--tie", "--embed", "16", "--clip-elements", "0.01", "--optimizer", "sgd")],
    ids=["rows of E", "tied"],
)
def test_two_processes_do_what_one_does(tmp_path: Path, corpus: Path, settings: tuple[str, ...]) -> None:
    for count in (1, 2):
        done = train(count, corpus, "--out", tmp_path / f"{count}", *SIZES, *EXACT, *settings)
        assert done.returncode == 0, done.stderr
    assert_same_records(*(records(tmp_path / name) for name in ("1", "2")))
    assert [r["nats_per_token"] for r in records(tmp_path / "2", "validation")] == pytest.approx(
        [r["nats_per_token"] for r in records(tmp_path / "1", "validation")], rel=1e-6
    )
    weights = [elman.load(tmp_path / name).p for name in ("1", "2")]
    for (name, mine), (_, other) in zip(*(p.distinct() for p in weights), strict=True):
        assert np.abs(mine - other).max() < 1e-6, name


def test_a_run_goes_on_with_another_number_of_processes(tmp_path: Path, corpus: Path) -> None:
    """Two, then one, then four: the carried states are those of all streams, whoever computes them."""
    whole = train(1, corpus, "--out", tmp_path / "whole", *SIZES, *EXACT, "--epochs", "3")
    assert whole.returncode == 0, whole.stderr
    done = train(2, corpus, "--out", tmp_path / "run", *SIZES, *EXACT, "--epochs", "3", "--save-every", "5")
    assert done.returncode == 0, done.stderr
    folder = RunFolder(tmp_path / "run")
    config, _ = load_config(folder)
    _, arrays, _ = load_state(folder, folder.state, config)
    assert arrays["h"].shape == (4, 16)
    for count, epochs in ((1, 4), (4, 5)):
        done = train(count, "--resume", tmp_path / "run", "--epochs", epochs, "--threads", "1")
        assert done.returncode == 0, done.stderr
    assert records(tmp_path / "run", "validation")[2]["nats_per_token"] == pytest.approx(
        records(tmp_path / "whole", "validation")[2]["nats_per_token"], rel=1e-6
    )
    assert len(records(tmp_path / "run", "validation")) == 5


ON_A_DEVICE = """
import sys
from pathlib import Path
from elman.checkpoint import RunFolder
from elman.config import TextConfig
from elman.kernels import device_kernels
from elman.text.corpus import Corpus
from elman.torch.team import TorchTeam
from elman.training.start import Sources, resume, start
from elman.training.team import ALONE

corpus, folder, tie, count = Path(sys.argv[1]), RunFolder(Path(sys.argv[2])), sys.argv[3] == "tie", int(sys.argv[4])
team, device = TorchTeam() if count > 1 else ALONE, device_kernels("cpu")
if team.rank:
    team.wait()
    trainer = resume(folder, {}, device, team)
else:
    settings = {"B": 4, "T": 8, "epochs": 2, "record_every": 1, "precision": "float64", "dropout": 0.2}
    sizes, sources = {"d": 16, "Dh": 16, "tie": tie}, Sources(Corpus.from_paths([corpus]))
    trainer = start(folder, sources, TextConfig("word"), sizes, settings, device=device, team=team)
for record in trainer.run():
    pass
"""


@pytest.mark.parametrize("tie", ["tie", "no tie"])
def test_two_devices_do_what_one_does(tmp_path: Path, corpus: Path, tie: str) -> None:
    """Tensors are what they exchange; their device is the CPU."""
    script = tmp_path / "train.py"
    script.write_text(ON_A_DEVICE)
    starter = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    for count in (1, 2):
        begin = [sys.executable, *(starter if count > 1 else ())]
        arguments = [script, corpus, tmp_path / f"{count}", tie, count]
        done = subprocess.run([*begin, *map(str, arguments)], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    assert_same_records(*(records(tmp_path / name) for name in ("1", "2")))


def children(pid: int) -> list[int]:
    found = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(word) for word in found.read_text().split()] if found.exists() else []


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs /proc to find the processes")
def test_a_killed_process_ends_the_job_with_a_word_and_a_good_checkpoint(tmp_path: Path, corpus: Path) -> None:
    out = tmp_path / "run"
    command = call(2, "train", corpus, "--out", out, *SIZES, *EXACT, "--epochs", "100000", "--save-every", "3")
    job = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        while not (out / "metrics.jsonl").exists() or len(records(out)) < 10:
            assert job.poll() is None
            time.sleep(0.1)
        workers = children(job.pid)
        assert len(workers) == 2
        ranks = {int(dict(e.split("=", 1) for e in environment(pid) if "=" in e)["RANK"]): pid for pid in workers}
        os.kill(ranks[1], signal.SIGKILL)
        _, said = job.communicate()
    finally:
        job.kill()
    assert job.returncode != 0
    assert "another process of this run was lost" in said
    assert "continue with --resume" in said
    config, _ = load_config(RunFolder(out))
    p, _, counters = load_state(RunFolder(out), RunFolder(out).state, config)
    assert counters["progress"]["step"] >= 3
    assert np.isfinite(p.W_h).all()


def environment(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/environ").read_bytes().decode().split("\0")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--batch-size", "3", "--out", "{run}"), "batch-size is 3, which 2 processes cannot share evenly"),
        ((), "several processes need the same run folder: name it with --out RUN"),
        (("--omega", "1", "--out", "{run}"), "--omega is computed in one process"),
        (("--device", "cuda:1", "--out", "{run}"), "several processes take a GPU each: --device cuda, not cuda:1"),
    ],
)
def test_what_several_processes_cannot_do_is_said(
    tmp_path: Path, corpus: Path, arguments: tuple[str, ...], says: str
) -> None:
    done = train(2, corpus, *(a.format(run=tmp_path / "run") for a in arguments))
    assert done.returncode != 0
    assert says in done.stderr
    assert not (tmp_path / "run").exists()
