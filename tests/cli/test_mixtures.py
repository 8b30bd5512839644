"""elman evaluate --mix, and elman ngram."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from command_line import Run, fails

import elman
from elman.inference.company import company_of_run
from elman.inference.predictor import NetworkPredictor
from elman.ngram.arpa import read_arpa


def test_the_figures_of_a_mixture_and_of_its_parts(word_run: Path, corpus: Path, command: Run) -> None:
    alone = json.loads(command("evaluate", word_run, corpus, "--json").stdout)
    found = json.loads(command("evaluate", word_run, corpus, "--mix", "ngram:3,unigram,cache,dynamic", "--json").stdout)
    assert found["tokens"] == alone["tokens"]
    assert list(found["parts"]) == ["network", "ngram:3", "unigram", "cache", "dynamic"]
    assert sum(part["weight"] for part in found["parts"].values()) == pytest.approx(1)
    network = found["parts"]["network"]["perplexity_including_oov"]
    assert network == pytest.approx(alone["perplexity_including_oov"], rel=1e-9)
    assert found["perplexity_including_oov"] < network
    shown = command("evaluate", word_run, corpus, "--mix", "ngram").stdout
    assert "perplexity including OOV" in shown
    assert "tokens of the run's validation text" in shown


def test_an_arpa_file_is_the_model_that_was_written(word_run: Path, corpus: Path, command: Run, tmp_path: Path) -> None:
    out = tmp_path / "cats.arpa"
    written = json.loads(command("ngram", word_run, "--order", 3, "--out", out, "--json").stdout)
    model, _ = read_arpa(out)
    assert written["ngrams"] == [len(order) for order in model.orders]
    own = json.loads(command("evaluate", word_run, corpus, "--mix", "ngram:3", "--json").stdout)
    read = json.loads(command("evaluate", word_run, corpus, "--mix", str(out), "--json").stdout)
    assert read["nats"] == pytest.approx(own["nats"], rel=1e-6)


def test_a_mixture_from_python(word_run: Path) -> None:
    lm = elman.load(word_run)
    company = company_of_run(word_run, lm.p, lm.tokenizer, ["ngram", "unigram"])
    assert isinstance(company.parts["network"], NetworkPredictor)
    log_probs, _ = company.mixture.read(company.mixture.begin(), lm.tokenizer.encode("the cat sat"))
    assert (log_probs < 0).all()
    assert list(company.weights) == ["network", "ngram", "unigram"]


@pytest.mark.parametrize(
    ("names", "sentence"),
    [
        ("ngram,magic", "magic is no part of a mixture; there are ngram, ngram:N, FILE.arpa, unigram, cache, dynamic"),
        ("ngram,ngram", "ngram is given twice"),
        ("ngram:0", "the order of an n-gram model is 0; it must be 1 to 10"),
        ("ngram:x", "ngram:x is no part of a mixture"),
        ("", " is no part of a mixture"),
        ("nothing.arpa", "nothing.arpa does not exist"),
    ],
)
def test_wrong_names_are_one_sentence(word_run: Path, corpus: Path, command: Run, names: str, sentence: str) -> None:
    fails(command("evaluate", word_run, corpus, "--mix", names), sentence)


def test_a_run_without_its_text(word_run: Path, corpus: Path, command: Run, tmp_path: Path) -> None:
    bare = tmp_path / "bare"
    shutil.copytree(word_run, bare)
    shutil.rmtree(bare / "training")
    fails(command("evaluate", bare, corpus, "--mix", "ngram"), "train.npy is gone: train again")
    fails(command("ngram", bare, "--out", tmp_path / "x.arpa"), "train.npy is gone: train again")


def test_an_arpa_file_overwrites_no_run(word_run: Path, command: Run) -> None:
    before = (word_run / "config.json").read_bytes()
    fails(command("ngram", word_run, "--out", word_run / "config.json"), "config.json")
    assert (word_run / "config.json").read_bytes() == before
