"""Predictors: the network, caches, dynamic evaluation and mixtures, by loops over their formulas."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from elman.config import TextConfig
from elman.errors import ConfigError
from elman.inference.caches import ContinuousCache, UnigramCache
from elman.inference.distributions import distributions, step
from elman.inference.dynamic import DynamicEvaluation, mean_squares
from elman.inference.evaluate import evaluations, mean_loss
from elman.inference.mixture import Mixture, best_weights, tuned
from elman.inference.predictor import WINDOW, NetworkPredictor, Predictor, stream_log_probs, windows
from elman.model.bptt import loss_and_gradients
from elman.model.embedding import Rows
from elman.model.network import hidden_states, losses
from elman.model.parameters import Parameters
from elman.ngram.kneser_ney import train
from elman.text.tokenizer import Tokenizer

V, EOS = 11, 1
TEXT = np.random.default_rng(5).zipf(1.4, 90) % V


def network(activation: str = "sigmoid", tie: bool = False, layers: int = 1) -> Parameters:
    d = 6 if tie else 4
    return Parameters.initialise(
        V, d, 6, activation=activation, tie=tie, seed=3, dtype="float64", init_scale=1.0, layers=layers
    )


def predictors() -> dict[str, Predictor]:
    p, deep = network(), network(layers=3)
    squares = mean_squares(p, EOS, TEXT)
    return {
        "network of three layers": NetworkPredictor(deep, EOS),
        "continuous cache of three layers": ContinuousCache(deep, EOS, 0.7, 20),
        "dynamic, three layers": DynamicEvaluation(
            deep, EOS, mean_squares(deep, EOS, TEXT), rate=0.01, decay=0.1, window=7
        ),
        "network": NetworkPredictor(p, EOS),
        "n-gram": train(TEXT, V, EOS, 3),
        "unigram cache": UnigramCache(V, 20),
        "continuous cache": ContinuousCache(p, EOS, 0.7, 20),
        "dynamic": DynamicEvaluation(p, EOS, squares, rate=0.01, decay=0.1, window=7),
        "mixture": Mixture((NetworkPredictor(p, EOS), train(TEXT, V, EOS, 2), UnigramCache(V, 9)), (0.5, 0.3, 0.2)),
    }


@pytest.mark.parametrize("name", predictors())
def test_reading_in_parts_gives_the_same_and_the_distribution_agrees(name: str) -> None:
    predictor = predictors()[name]
    whole, _ = predictor.read(predictor.begin(), TEXT)
    assert whole.shape == TEXT.shape
    state: Any = predictor.begin()
    at = 0
    for length in (1, 3, 0, 7, 1, 12, 5, 40):
        log_probs = predictor.next(state)
        without = predictor.after(predictor.begin(), TEXT[:at])
        assert predictor.next(without) == pytest.approx(log_probs, rel=1e-9)
        assert np.exp(log_probs).sum() == pytest.approx(1, abs=1e-6)
        part, state = predictor.read(state, TEXT[at : at + length])
        assert part == pytest.approx(whole[at : at + length], rel=1e-6)
        if length:
            assert log_probs[TEXT[at]] == pytest.approx(part[0], rel=1e-6)
        at += length


@pytest.mark.parametrize("name", predictors())
def test_a_step_and_the_distributions_of_a_text_are_next_and_after(name: str) -> None:
    predictor, some = predictors()[name], TEXT[:25]
    state: Any = predictor.begin()
    found, at_end = distributions(predictor, state, some)
    assert found.shape == (len(some), V)
    for row, token in zip(found, some, strict=True):
        expected = predictor.next(state)
        log_probs, after = step(predictor, state)
        assert log_probs == pytest.approx(expected, rel=1e-12)
        assert row == pytest.approx(expected, rel=1e-9)
        state = after(int(token))
    assert predictor.next(at_end) == pytest.approx(predictor.next(state), rel=1e-9)
    assert predictor.next(predictor.after(predictor.begin(), some)) == pytest.approx(predictor.next(state), rel=1e-9)
    assert distributions(predictor, state, [])[0].shape == (0, V)


def test_the_network_reads_a_stream_in_any_parts() -> None:
    p = network().astype("float32")
    long = np.resize(TEXT, 2500)
    x = np.concatenate([[EOS], long[:-1]])
    J, _ = losses(p, x[:, None], long[:, None])
    found = np.concatenate(list(stream_log_probs(NetworkPredictor(p, EOS), [long[:1300], long[1300:]])))
    assert -found == pytest.approx(J[:, 0], rel=1e-5)
    assert mean_loss(p, np.concatenate([[EOS], long])) == pytest.approx(J.mean(), rel=1e-5)


@pytest.mark.parametrize("ends", [(), (1,), (WINDOW,), (3, 3, 900, 1100, 2499), (2 * WINDOW, 2 * WINDOW + 1)])
def test_the_windows_of_a_stream_do_not_depend_on_its_parts(ends: tuple[int, ...]) -> None:
    stream = np.arange(5000).reshape(2, 2500)
    found = list(windows(np.split(stream, ends, axis=1)))
    assert [window.shape for window in found] == [(2, WINDOW), (2, WINDOW), (2, 2500 - 2 * WINDOW)]
    assert (np.concatenate(found, axis=1) == stream).all()
    assert list(windows([])) == list(windows([np.empty(0, np.int64)])) == []


def test_all_parts_are_measured_in_one_reading() -> None:
    text = "the sea was grey\nthe wind was cold\n" * 3
    tokenizer = Tokenizer.train([text], TextConfig(level="word"))
    p = Parameters.initialise(tokenizer.V, 4, 6, seed=1)
    ids = tokenizer.encode(text)
    parts = {"network": NetworkPredictor(p, tokenizer.eos), "n-gram": train(ids, tokenizer.V, tokenizer.eos, 2)}
    mixture = Mixture(tuple(parts.values()), (0.25, 0.75))
    words = iter([text[:20], text[20:]])
    found = evaluations(parts, tokenizer, words, mixture)
    assert list(found) == ["network", "n-gram", "mixture"]
    for name, predictor in (*parts.items(), ("mixture", mixture)):
        log_probs, _ = predictor.read(predictor.begin(), ids)
        assert found[name].nats == pytest.approx(-log_probs.sum(), rel=1e-6)
        assert found[name].tokens == len(ids)


def test_the_unigram_cache_counts_the_last_tokens() -> None:
    cache = UnigramCache(V, 15)
    found, _ = cache.read(cache.begin(), TEXT)
    for t, token in enumerate(TEXT.tolist()):
        last = TEXT[max(0, t - 15) : t].tolist()
        expected = last.count(token) / len(last) if last else 1 / V
        assert math.exp(found[t]) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(("activation", "layers"), [("sigmoid", 1), ("tanh", 1), ("sigmoid", 2)])
def test_the_continuous_cache_compares_states(activation: str, layers: int) -> None:
    p, theta, size = network(activation, layers=layers), 0.6, 25
    cache = ContinuousCache(p, EOS, theta, size)
    found, _ = cache.read(cache.begin(), TEXT)
    x = np.concatenate([[EOS], TEXT[:-1]])
    h = hidden_states(p, x[:, None], p.initial_state(1)).h[1:, 0]
    g = 2 * h - 1 if activation == "sigmoid" else h
    for t, token in enumerate(TEXT.tolist()):
        weight = {i: math.exp(theta * float(g[i] @ g[t])) for i in range(max(0, t - size), t)}
        total = sum(weight.values())
        expected = sum(w for i, w in weight.items() if TEXT[i] == token) / total if weight else 1 / V
        assert math.exp(found[t]) == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_weights_of_a_mixture_are_the_best() -> None:
    generator = np.random.default_rng(0)
    log_probs = np.log(generator.uniform(0.01, 1, (3, 200)))
    w = np.array(best_weights(log_probs))
    assert w.sum() == pytest.approx(1)

    def mean(weights: Any) -> float:
        return float(np.log(weights @ np.exp(log_probs)).mean())

    for direction in np.eye(3):  # no step towards one part gains
        assert mean(0.99 * w + 0.01 * direction) <= mean(w) + 1e-7


def test_a_part_that_knows_nothing_gets_no_weight() -> None:
    p = network()
    knowing, poor = train(TEXT, V, EOS, 3), NetworkPredictor(p, EOS)
    mixture = tuned([knowing, poor], TEXT)
    assert mixture.weights[0] > 0.97
    log_probs, _ = mixture.read(mixture.begin(), TEXT)
    assert log_probs.mean() >= knowing.read(knowing.begin(), TEXT)[0].mean() - 1e-6


def test_mixtures_that_make_no_sense_are_refused() -> None:
    cache = UnigramCache(V)
    for parts, weights, reason in (
        ((cache,), (0.5, 0.5), "as many weights"),
        ((cache, cache), (0.5, 0.6), "add to 1"),
        ((cache, UnigramCache(V + 1)), (0.5, 0.5), "11, 12 tokens"),
    ):
        with pytest.raises(ConfigError, match=reason):
            Mixture(parts, weights)


def test_without_a_rate_dynamic_evaluation_is_the_network() -> None:
    p = network()
    still = DynamicEvaluation(p, EOS, mean_squares(p, EOS, TEXT), rate=0.0, decay=0.3)
    network_alone = NetworkPredictor(p, EOS)
    assert np.array_equal(still.read(still.begin(), TEXT)[0], network_alone.read(network_alone.begin(), TEXT)[0])


@pytest.mark.parametrize("every", [1, 2])
@pytest.mark.parametrize(("tie", "layers"), [(False, 1), (True, 1), (False, 2)])
def test_dynamic_evaluation_takes_the_steps_of_its_formula(tie: bool, layers: int, every: int) -> None:
    p = network(tie=tie, layers=layers)
    before = {name: w.copy() for name, w in p.distinct()}
    squares = mean_squares(p, EOS, TEXT, window=5)
    learning = DynamicEvaluation(p, EOS, squares, 0.02, 0.4, 0.1, window=5, decayed_every=every)
    log_probs, state = learning.read(learning.begin(), TEXT[:10])
    assert all(np.array_equal(w, before[name]) for name, w in p.distinct()), "the trained weights changed"

    weights, h, expected = {name: w.copy() for name, w in before.items()}, p.initial_state(1), []
    for start in (0, 5):
        q = Parameters.from_distinct(weights, p.activation)
        y = TEXT[start : start + 5]
        x = np.concatenate([[TEXT[start - 1] if start else EOS], y[:-1]])
        expected.append(NetworkPredictor(q, EOS).read(type(state.network)(h, int(x[0])), y)[0])
        _, gradients, h = loss_and_gradients(q, x[:, None], y[:, None], h)
        for name, g in gradients.distinct():
            dense = np.zeros_like(weights[name])
            if isinstance(g, Rows):
                dense[g.index] = g.values
            else:
                dense = g
            r = np.sqrt(squares[name])
            pull = 1 - (1 - np.minimum(0.4 * r / r.mean(), 1)) ** every if (start // 5 + 1) % every == 0 else 0
            stepped = weights[name] - 0.02 * dense / (r + 0.1 * r.mean())
            weights[name] = stepped + pull * (before[name] - stepped)
    assert np.concatenate(expected) == pytest.approx(log_probs, rel=1e-12)
    for name, w in state.p.distinct():
        assert np.allclose(w, weights[name], rtol=1e-12, atol=1e-14)


def test_learning_from_a_text_that_repeats_helps() -> None:
    p = network()
    text = np.tile([2, 5, 7, 3, EOS], 40)
    learning = DynamicEvaluation(p, EOS, mean_squares(p, EOS, TEXT), rate=0.1)
    static = NetworkPredictor(p, EOS)
    assert learning.read(learning.begin(), text)[0].mean() > static.read(static.begin(), text)[0].mean() + 0.2
