"""Runs with another output layer on the command line: every command that a full one has, and the guide's examples."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest
from command_line import TEXT, Run, fails
from safetensors import safe_open

GUIDE = Path(__file__).parents[2] / "docs" / "guide.md"
SMALL = ("--epochs", 4, "--hidden", 16, "--batch-size", 4, "--bptt", 8)


@pytest.fixture(scope="module")
def adaptive_run(command: Run, corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small run of two tails and two layers."""
    out = tmp_path_factory.mktemp("runs") / "adaptive"
    more = ("--output", "adaptive", "--cutoffs", "5,11", "--layers", 2)
    done = command("train", corpus, "--out", out, *more, *SMALL)
    assert done.returncode == 0, done.stderr
    assert "adaptive output" in done.stderr
    return out


def test_every_command_reads_an_adaptive_run(adaptive_run: Path, corpus: Path, command: Run) -> None:
    info = json.loads(command("info", adaptive_run, "--json").stdout)
    assert (info["model"]["output"], info["model"]["cutoffs"], info["model"]["tie"]) == ("adaptive", "5,11", False)
    with safe_open(adaptive_run / "model.safetensors", "numpy") as file:
        names = {name for name in file.keys() if name.startswith("tails")}  # noqa: SIM118 (no mapping)
        assert names == {f"tails.{n}.{letter}" for n in (1, 2) for letter in ("P", "U", "b_2")}
        assert file.get_tensor("U").shape == (7, 16)
    evaluated = json.loads(command("evaluate", adaptive_run, corpus, "--json").stdout)
    assert evaluated["perplexity_including_oov"] < 15
    assert command("score", adaptive_run, stdin="the cat sat\n").stdout.startswith("log10=-")
    one, two = (command("generate", adaptive_run, "the", "--seed", 3) for _ in range(2))
    assert one.returncode == 0
    assert one.stdout == two.stdout != ""
    assert command("generate", adaptive_run, "the", "--beam", 3).returncode == 0
    likeliest = command("next", adaptive_run, "the").stdout.splitlines()
    assert 0.5 < sum(float(line.split()[0]) for line in likeliest) < 1.0001
    mixed = command("evaluate", adaptive_run, corpus, "--mix", "ngram:2,unigram,cache,dynamic")
    assert mixed.returncode == 0, mixed.stderr
    assert command("flow", adaptive_run).returncode == 0  # the history of the run


def test_the_lens_and_a_new_text(corpus: Path, tmp_path: Path, command: Run) -> None:
    """The gradient flow of an adaptive run, and a run that goes on from it with new words."""
    run, new = tmp_path / "run", tmp_path / "new.txt"
    done = command("train", corpus, "--out", run, "--output", "adaptive", "--watch-gradients", 20, "--floss", 2, *SMALL)
    assert done.returncode == 0, done.stderr
    assert command("flow", run, corpus).returncode == 0
    new.write_text(TEXT.replace("moon", "star"))
    grown = command("train", new, "--from", run, "--grow", "--epochs", 1, "--out", tmp_path / "grown")
    assert grown.returncode == 0, grown.stderr
    info = json.loads(command("info", tmp_path / "grown", "--json").stdout)
    assert (info["model"]["output"], info["model"]["V"]) == ("adaptive", 22)


def test_every_command_reads_a_sampled_run(corpus: Path, tmp_path: Path, command: Run) -> None:
    """Its weights are those of a full layer, and so is all that is not training."""
    run = tmp_path / "run"
    done = command("train", corpus, "--out", run, "--output", "sampled", "--samples", 8, *SMALL)
    assert done.returncode == 0, done.stderr
    evaluated = json.loads(command("evaluate", run, corpus, "--json").stdout)
    assert evaluated["perplexity_including_oov"] < 15
    assert command("evaluate", run, corpus, "--mix", "dynamic").returncode == 0
    assert command("generate", run, "the").returncode == 0
    further = command("train", corpus, "--from", run, "--epochs", 1, "--samples", 5, "--out", tmp_path / "further")
    assert further.returncode == 0, further.stderr


def test_what_an_output_layer_does_not_have_is_refused(corpus: Path, adaptive_run: Path, command: Run) -> None:
    train = ("train", corpus, "--out", corpus.parent / "refused")
    adaptive = (*train, "--output", "adaptive")
    fails(command(*adaptive, "--tie"), "--output adaptive has none of that shape: leave out --tie")
    fails(command(*adaptive, "--level", "byte"), "level byte has 256 tokens: leave it out")
    fails(command(*adaptive, "--cutoffs", "7,5"), "cutoffs is '7,5'; it must be ascending whole numbers")
    fails(command(*adaptive, "--cutoffs", "500"), "V being 21 here")
    fails(command(*train, "--samples", "5"), "--samples is about --output sampled: choose that")
    fails(command(*train, "--output", "sampled", "--samples", 0), "samples is 0; it must be at least 1")
    fails(command(*train, "--cutoffs", "5"), "--cutoffs is about --output adaptive: choose that")
    fails(command("train", "--task", "anbn", "--output", "adaptive"), "contradicts --output: leave that out")
    fails(
        command("train", corpus, "--from", adaptive_run, "--output", "full"),
        "contradicts --output: leave that out",
    )
    assert not (corpus.parent / "refused").exists()


def example(part: str, tmp_path: Path, command: Run, monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    """Runs the first call and the first code of a part of the guide, on a small text and in less time."""
    call, code = (re.search(rf"```{kind}\n(.*?)```", part, re.DOTALL) for kind in ("sh", "python"))
    assert call is not None
    assert code is not None
    (tmp_path / "book.txt").write_text(TEXT)
    words = shlex.split(call[1].replace("--max-time 300", "--epochs 1 --batch-size 4 --bptt 8"))
    assert words.pop(0) == "elman"
    done = command(*words, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    exec(code[1], names)
    return names


def test_the_example_of_the_guide(tmp_path: Path, command: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    part = GUIDE.read_text().split("**Large vocabularies.**")[1]
    names = example(part, tmp_path, command, monkeypatch)
    assert len(names["gradients"].tails) == 1  # type: ignore[attr-defined]
