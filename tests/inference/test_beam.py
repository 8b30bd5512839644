"""Beam search: with enough beams it is the maximum over all continuations; with one, the likeliest token each time."""

from __future__ import annotations

import itertools
import math
from pathlib import Path

import numpy as np
import pytest

import elman
from elman.errors import ConfigError
from elman.inference.beam import beam_search
from elman.inference.predictor import NetworkPredictor
from elman.model.parameters import Parameters

V, EOS, MOST = 5, 1, 4


def network(seed: int) -> NetworkPredictor:
    p = Parameters.initialise(V, 4, 6, seed=seed, dtype="float64", init_scale=2.0)
    p.b_2[EOS] -= 1
    return NetworkPredictor(p, EOS)


def every_continuation(predictor: NetworkPredictor) -> dict[tuple[int, ...], float]:
    """ln p of every continuation that ends at the line end or has MOST tokens."""
    found = {}
    for n in range(1, MOST + 1):
        for tokens in itertools.product(range(V), repeat=n):
            if EOS not in tokens[:-1] and (tokens[-1] == EOS or n == MOST):
                found[tokens] = float(predictor.read(predictor.begin(), tokens)[0].sum())
    return found


@pytest.mark.parametrize("seed", range(6))
def test_enough_beams_find_the_likeliest(seed: int) -> None:
    predictor = network(seed)
    everything = every_continuation(predictor)
    assert math.fsum(math.exp(ln) for ln in everything.values()) == pytest.approx(1, rel=1e-12)
    best = max(everything, key=lambda tokens: everything[tokens])
    found = beam_search(predictor, predictor.begin(), EOS, beams=V**MOST, max_tokens=MOST)
    assert found.tokens == best
    assert found.log_prob == pytest.approx(everything[best], rel=1e-12)
    allowed = {tokens: ln for tokens, ln in everything.items() if 2 not in tokens}
    without = beam_search(predictor, predictor.begin(), EOS, beams=V**MOST, max_tokens=MOST, banned=[2])
    assert without.tokens == max(allowed, key=lambda tokens: allowed[tokens])


def test_one_beam_takes_the_likeliest_token_each_time() -> None:
    predictor = network(3)
    state, tokens = predictor.begin(), []
    while len(tokens) < MOST and EOS not in tokens:
        tokens.append(int(np.argmax(predictor.next(state))))
        state = predictor.after(state, tokens[-1:])
    assert beam_search(predictor, predictor.begin(), EOS, beams=1, max_tokens=MOST).tokens == tuple(tokens)


def test_a_continuation_has_the_score_of_its_text(word_run: Path) -> None:
    lm = elman.load(word_run)
    one, more = (lm.continuation("the cat", beams=n) for n in (1, 30))
    assert more.log_prob >= one.log_prob
    assert one.text == lm.generate("the cat", temperature=0, stop="\n")
    assert more.log_prob == pytest.approx(lm.score(more.text, after="the cat"), rel=1e-12)
    assert lm.continuation("the cat", max_tokens=0) == ("", 0)
    short = lm.continuation("the", max_tokens=1, base=math.e)
    assert short.log_prob == pytest.approx(math.log(max(p for t, p in lm.next("the") if t != "<unk>")), rel=1e-12)


def test_continuations_that_make_no_sense_are_refused(word_run: Path) -> None:
    lm = elman.load(word_run)
    with pytest.raises(ConfigError, match="beams is 0; it must be"):
        lm.continuation("the", beams=0)
    with pytest.raises(ConfigError, match="max-tokens is -1; it must be"):
        lm.continuation("the", max_tokens=-1)
