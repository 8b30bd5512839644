"""Runs of several layers: every command that a run of one layer has, and the example of the guide."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest
from command_line import TEXT, Run
from safetensors import safe_open

GUIDE = Path(__file__).parents[2] / "docs" / "guide.md"


def test_every_command_reads_a_run_of_several_layers(deep_run: Path, corpus: Path, command: Run) -> None:
    info = json.loads(command("info", deep_run, "--json").stdout)
    assert info["model"]["layers"] == 3
    with safe_open(deep_run / "model.safetensors", "numpy") as file:
        above = {f"layers.{n}.{letter}" for n in (1, 2) for letter in ("W_e", "W_h", "b_1")}
        assert above == {name for name in file.keys() if name.startswith("layers")}  # noqa: SIM118 (no mapping)
    evaluated = json.loads(command("evaluate", deep_run, corpus, "--json").stdout)
    assert evaluated["perplexity_including_oov"] < 15
    assert command("score", deep_run, stdin="the cat sat\n").stdout.startswith("log10=-")
    one, two = (command("generate", deep_run, "the", "--seed", 3) for _ in range(2))
    assert one.returncode == 0
    assert one.stdout == two.stdout != ""
    mixed = command("evaluate", deep_run, corpus, "--mix", "unigram,cache,dynamic")
    assert mixed.returncode == 0, mixed.stderr
    assert command("flow", deep_run).returncode == 0  # the history of the run


def test_the_lens_shows_every_layer_or_one(deep_run: Path, corpus: Path, command: Run, tmp_path: Path) -> None:
    page = tmp_path / "flow.html"
    done = command("flow", deep_run, corpus, "--steps", 30, "--html", page)
    assert done.returncode == 0, done.stderr
    for n in range(3):
        assert f"{deep_run}, layer {n}" in done.stdout
        assert f"<h3>{deep_run}, layer {n}</h3>" in page.read_text()
    assert page.read_text().count('<section class="network"') == 3
    every = json.loads(command("flow", deep_run, corpus, "--steps", 30, "--json").stdout)
    assert [each["layer"] for each in (every, *every["compared"])] == [0, 1, 2]
    assert every["history"]["steps"] > 0
    assert every["compared"][0]["chosen_loss"]["at"] == every["chosen_loss"]["at"]
    for n, shown in enumerate((every, *every["compared"])):
        alone = json.loads(command("flow", deep_run, corpus, "--steps", 30, "--layer", n, "--json").stdout)
        assert (alone["layer"], alone["model"], alone["compared"]) == (n, str(deep_run), [])
        assert alone["log10_norms_by_lag"] == shown["log10_norms_by_lag"]
    both = command("flow", deep_run, corpus, "--steps", 30, "--layer", 1, "--init", "--compare", deep_run)
    assert both.stdout.count("layer 1, from 0") == 2


def test_skip_connections_and_variational_dropout(corpus: Path, command: Run, tmp_path: Path) -> None:
    """Every command computes the network that was trained."""
    out = tmp_path / "skip"
    small = ("--epochs", 4, "--hidden", 16, "--batch-size", 4, "--bptt", 8, "--dropout", 0.1)
    done = command("train", corpus, "--out", out, "--layers", 2, "--skip", "--variational-dropout", *small)
    assert done.returncode == 0, done.stderr
    assert "layers=2 skip" in done.stderr
    info = json.loads(command("info", out, "--json").stdout)
    assert info["model"]["skip"] is True
    assert info["training"]["variational_dropout"] is True
    evaluated = json.loads(command("evaluate", out, corpus, "--json").stdout)
    assert evaluated["perplexity_including_oov"] < 15
    assert command("score", out, stdin="the cat sat\n").stdout.startswith("log10=-")
    assert command("next", out, "the cat").returncode == 0
    one, two = (command("generate", out, "the", "--seed", 3) for _ in range(2))
    assert one.stdout == two.stdout != ""
    flow = json.loads(command("flow", out, corpus, "--steps", 30, "--json").stdout)
    assert len(flow["compared"]) == 1


def test_a_task_is_learnt_by_two_layers(tmp_path: Path, command: Run) -> None:
    out = tmp_path / "task"
    done = command("train", "--task", "anbn", "--task-length", 20, "--layers", 2, "--epochs", 1, "--out", out)
    assert done.returncode == 0, done.stderr
    assert "layers=2" in done.stderr
    assert command("evaluate", out).returncode == 0


def test_the_example_of_the_guide(tmp_path: Path, command: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a small text, in less time."""
    part = GUIDE.read_text().split("**Several layers.**")[1]
    call, code = (re.search(rf"```{kind}\n(.*?)```", part, re.DOTALL) for kind in ("sh", "python"))
    assert call is not None
    assert code is not None
    (tmp_path / "book.txt").write_text(TEXT)
    words = shlex.split(call[1].replace("--max-time 300", "--epochs 1 --hidden 200 --batch-size 4 --bptt 8"))
    assert words.pop(0) == "elman"
    done = command(*words, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    exec(code[1], names)
    assert names["gradients"].above[0].W_e.shape == (200, 200)  # type: ignore[attr-defined]
