"""--mix of the commands, mixtures from Python, and elman ngram."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path

import numpy as np
import pytest
from command_line import Run, fails
from networks import as_reference

import elman
from elman.errors import ConfigError
from elman.model import reference
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


def by_hand(lm: elman.LanguageModel, text: str) -> list[float]:
    """ln p of each token of a text by a mixture with a unigram cache: the network by the reference, the cache by
    counting."""
    assert lm.company
    weights, p = lm.company.weights, lm.p.astype("float64")
    y = lm.tokenizer.encode(text).tolist()
    x = np.array([lm.tokenizer.eos, *y[:-1]])
    J = reference.forward(as_reference(p), x[:, None], np.array(y)[:, None], np.zeros((p.Dh, 1))).J
    found = []
    for t, token in enumerate(y):
        share = y[:t].count(token) / t if t else 1 / p.V
        found.append(math.log(weights["network"] * math.exp(-float(J[t])) + weights["unigram"] * share))
    return found


def test_a_mixture_from_python_scores_as_its_formula(word_run: Path) -> None:
    lm = elman.load(word_run, mix=["unigram"])
    assert lm.company
    assert list(lm.company.weights) == ["network", "unigram"]
    assert 0 < lm.company.weights["unigram"] < 1
    sentence = "the cat sat on the mat and the zebra ran"
    expected = by_hand(lm, sentence + "\n")
    assert lm.score(sentence, base=math.e) == pytest.approx(sum(expected), rel=1e-5)
    assert lm.evaluate(sentence).nats == pytest.approx(-sum(expected), rel=1e-5)
    assert [s.log_prob for s in lm.full_scores(sentence, base=math.e)] == pytest.approx(expected, rel=1e-4)
    two = by_hand(lm, f"{sentence}\nthe cat\n")
    found = list(lm.scores([sentence, "the cat"], reset=False))
    assert np.concatenate([s.log_probs for s in found]) == pytest.approx(two, rel=1e-4)
    assert lm.score("the cat", after=f"{sentence}\n", base=math.e) == pytest.approx(sum(two[-3:]), rel=1e-5)
    log_prob, _ = lm.step(lm.begin(), "the", base=math.e)
    assert log_prob == pytest.approx(expected[0], rel=1e-4)


def test_the_next_tokens_and_texts_of_a_mixture(word_run: Path) -> None:
    lm = elman.load(word_run, mix=["unigram", "ngram:2"])
    everything = dict(lm.next("the cat the", top=None))
    assert sum(everything.values()) == pytest.approx(1, rel=1e-5)
    alone = dict(elman.load(word_run).next("the cat the", top=None))
    assert everything["cat"] > alone["cat"], "the cache gives a word that was read more"
    text = ["the"]
    for _ in range(6):
        token = next(t for t, _ in lm.next(" ".join(text)) if t != "<unk>")
        if token == "<eos>":
            break
        text.append(token)
    assert lm.generate("the", temperature=0, max_tokens=6, stop="\n") == "".join(f" {word}" for word in text[1:])
    assert lm.generate("the", seed=3) == lm.generate("the", seed=3)


def test_a_mixture_begins_at_a_line(word_run: Path) -> None:
    with pytest.raises(ConfigError, match="the other parts of a mixture begin at a line"):
        elman.load(word_run, mix=["unigram"]).score("the", bos=False)
    with pytest.raises(ConfigError, match="mix is 'ngram'; it must be several"):
        elman.load(word_run, mix="ngram")


def test_the_other_commands_take_mixtures(word_run: Path, command: Run) -> None:
    lm, parts = elman.load(word_run, mix=["ngram:3", "cache"]), ("--mix", "ngram:3,cache")
    found = json.loads(command("score", word_run, *parts, "--no-reset", "--json", stdin="the cat\n").stdout)
    assert found["log_probability"] == pytest.approx(lm.score("the cat"), rel=1e-12)
    found = json.loads(command("next", word_run, "the", *parts, "--top", 1, "--json").stdout)
    assert found["next"][0]["probability"] == pytest.approx(lm.next("the", 1)[0].probability, rel=1e-12)
    drawn = command("generate", word_run, "the", *parts, "--seed", 1, "--max-tokens", 9).stdout
    assert drawn == f"the{lm.generate('the', seed=1, max_tokens=9)}\n"
    fails(command("next", word_run, "--mix", "magic"), "magic is no part of a mixture")


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


def test_a_run_on_a_task_has_no_mixture(command: Run, tmp_path: Path) -> None:
    run = tmp_path / "xor"
    done = command("train", "--task", "xor", "--out", run, "--epochs", 1, "--hidden", 3, "--max-time", 0.5)
    assert done.returncode == 0, done.stderr
    for arguments in (("evaluate", run, "--mix", "unigram"), ("next", run, "--mix", "ngram")):
        fails(command(*arguments), "was trained on the task xor, 50 to 200 steps, not on a text: it has no mixture")
