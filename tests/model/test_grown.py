"""A network with more tokens: each is the average token, and the old ones keep their ratios."""

from __future__ import annotations

import numpy as np
import pytest

import elman
from elman.config import TextConfig
from elman.errors import ConfigError
from elman.model.network import log_probabilities
from elman.text.tokenizer import Tokenizer


@pytest.mark.parametrize("tie", [False, True])
@pytest.mark.parametrize("n", [0, 1, 5])
def test_the_logit_of_a_new_token_is_the_mean_logit(tie: bool, n: int) -> None:
    p = elman.Parameters.initialise(7, 6, 6, tie=tie, dtype="float64", init_scale=2.0)
    p.b_2 += np.random.default_rng(0).normal(size=7)
    q = p.grown(n)
    assert (q.V, q.E is q.U) == (7 + n, tie)
    h = np.random.default_rng(1).normal(size=6)
    logits = p.U @ h + p.b_2
    expected = np.append(logits, np.full(n, logits.mean()))
    expected -= np.log(np.exp(expected).sum())
    assert log_probabilities(q, h) == pytest.approx(expected, rel=1e-12)
    assert np.exp(expected[7:]).sum() <= n / (7 + n) + 1e-12
    assert np.allclose(q.E[7:], p.E.mean(axis=0))
    q.W_h[0] += 1  # arrays of its own
    assert (q.W_h[0] != p.W_h[0]).all()


def test_a_tokenizer_grows_by_words_or_characters_alone() -> None:
    words = Tokenizer.of_words(["the", "cat"]).with_more(["ox"])
    assert words.encode("ox the\n").tolist() == [4, 2, 1]
    characters = Tokenizer.of_characters(["a"]).with_more(["b"])
    assert characters.encode("ab\n").tolist() == [2, 3, 1]
    with pytest.raises(ConfigError, match="level byte has tokens for any text"):
        Tokenizer.train(["a"], TextConfig("byte")).with_more([])
    with pytest.raises(ConfigError, match="n is -1; it must be"):
        elman.Parameters.initialise(3, 2, 2).grown(-1)
