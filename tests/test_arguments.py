"""Wrong arguments of public functions: one sentence of our error family, for every function and every kind of value."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import elman
from elman.config import ModelConfig, TextConfig, TrainingConfig
from elman.errors import ElmanError
from elman.inference.generate import Sampling
from elman.text.corpus import Corpus
from elman.text.tokenizer import Tokenizer

p = elman.Parameters.initialise(V=6, d=3, Dh=4, seed=0, dtype="float64")
x, y = np.random.default_rng(0).integers(0, 6, (2, 5, 2))
flow = elman.gradient_flow.decompose(p, x, y)
weights = dict(p.items())


def with_weight(name: str, value: Any) -> elman.Parameters:
    return elman.Parameters(**(weights | {name: value}))


def initialised(**other: Any) -> elman.Parameters:
    return elman.Parameters.initialise(**({"V": 6, "d": 3, "Dh": 4} | other))


Model = elman.LanguageModel
OF_A_MODEL: dict[str, Callable[[Model], object]] = {
    "sentences is 'HOW'; it must be several, as in ['HOW']": lambda lm: lm.scores("HOW"),
    "sentences is 5": lambda lm: lm.scores(5),
    "a text is expected, not int: 5": lambda lm: list(lm.scores(["a", 5])),
    "group is 0; it must be a whole number from 1": lambda lm: lm.scores(["a"], group=0),
    "a text is expected, not NoneType": lambda lm: lm.score(None),
    "surrogate U+D800 at character 2": lambda lm: lm.score("a \ud800"),
    "base is 1": lambda lm: lm.score("a", base=1),
    "base is '10'; it must be a number": lambda lm: lm.score("a", base="10"),
    "base is nan": lambda lm: list(lm.full_scores("a", base=math.nan)),
    "base is inf": lambda lm: lm.step(lm.begin(), "cat", base=math.inf),
    "state is 5; it must be one that begin or step returned": lambda lm: lm.step(5, "cat"),
    "a text is expected, not bytes": lambda lm: lm.step(lm.begin(), b"cat"),
    "text is 5": lambda lm: lm.perplexity(5),
    "a text is expected, not list": lambda lm: lm.evaluate([["a"]]),
    "seed is -1; it must be a whole number, at least 0": lambda lm: lm.generate(seed=-1),
    "seed is 1.5; it must be a whole number": lambda lm: lm.generate(seed=1.5),
    "seed is true": lambda lm: lm.generate(seed=True),
    "top-k is 1.5; it must be a whole number": lambda lm: lm.generate(top_k=1.5),
    "top-k is 99999999999999999999999; it must be a whole number from 0": lambda lm: lm.generate(top_k=10**23 - 1),
    "top-k is -1": lambda lm: lm.generate(top_k=-1),
    "top-p is 'all'; it must be a number": lambda lm: lm.generate(top_p="all"),
    "top-p is nan": lambda lm: lm.generate(top_p=math.nan),
    "temperature is inf": lambda lm: lm.generate(temperature=math.inf),
    "max-tokens is 2.0": lambda lm: lm.generate(max_tokens=2.0),
    "max-tokens is null": lambda lm: lm.generate(max_tokens=None),
    "stop is 5": lambda lm: lm.generate(stop=5),
    "stop has ''": lambda lm: lm.generate(stop=["a", ""]),
    "stop has 5": lambda lm: lm.generate(stop=[5]),
    "a text is expected, not int": lambda lm: lm.generate(5),
    "a stream needs a Sampling": lambda lm: lm.stream("a", None, np.random.default_rng()),
}


@pytest.mark.parametrize("sentence", OF_A_MODEL)
def test_of_a_model(lm: Model, sentence: str) -> None:
    with pytest.raises(ElmanError) as raised:
        OF_A_MODEL[sentence](lm)
    assert sentence in str(raised.value)
    assert "\n" not in str(raised.value)


OTHERS: dict[str, Callable[[], object]] = {
    "x is a list of 1, expected an array of token ids [T,B]": lambda: elman.loss_and_gradients(p, [[1]], y),
    "y is null, expected an array": lambda: elman.loss_and_gradients(p, x, None),
    "y holds float64, expected whole numbers": lambda: elman.loss_and_gradients(p, x, y * 1.5),
    "x has shape (2,)": lambda: elman.loss_and_gradients(p, x[0], y),
    "h_0 is a list of 1, expected an array [B,Dh]": lambda: elman.loss_and_gradients(p, x, y, [1.0]),
    "p is str, expected elman.Parameters": lambda: elman.loss_and_gradients("p", x, y),
    "p is dict, expected elman.Parameters": lambda: elman.gradient_flow.decompose(weights, x, y),
    "y is a list of 5, expected an array": lambda: elman.gradient_flow.decompose(p, x, y.tolist()),
    "E is a list of 6, expected an array [V,d]": lambda: with_weight("E", p.E.tolist()),
    "W_h has shape (4,), expected [Dh,Dh]": lambda: with_weight("W_h", p.W_h[0]),
    "U is int64, expected float32 or float64": lambda: with_weight("U", p.U.astype(int)),
    "seed is -1": lambda: initialised(seed=-1),
    "seed is 'a'": lambda: initialised(seed="a"),
    "init-scale is nan": lambda: initialised(init_scale=math.nan),
    "spectral-radius is -1": lambda: initialised(spectral_radius=-1),
    "hidden is 2.5": lambda: initialised(Dh=2.5),
    "dtype is 'int8'": lambda: initialised(dtype="int8"),
    "batch-size is 1.5": lambda: TrainingConfig(B=1.5),
    "max-time is inf": lambda: TrainingConfig(max_time=math.inf),
    "clip is inf": lambda: TrainingConfig(clip=math.inf),
    "tie is 1": lambda: ModelConfig(V=3, d=2, Dh=2, tie=1),
    "vocab-size is '9'": lambda: TextConfig("word", vocab_size="9"),
    "top-k is true": lambda: Sampling(top_k=True),
    "the path of a run is 5": lambda: elman.load(5),
    "there is no run at": lambda: elman.load("/no/such/run"),
    "surrogate U+D800": lambda: Corpus.from_text("\ud800"),
    "a text is expected, not int": lambda: Tokenizer.train([5], TextConfig("char")),
}  # fmt: skip


@pytest.mark.parametrize("sentence", OTHERS)
def test_of_other_functions(sentence: str) -> None:
    with pytest.raises(ElmanError) as raised:
        OTHERS[sentence]()
    assert sentence in str(raised.value)
    assert "\n" not in str(raised.value)


CALCULUS: dict[str, Callable[[], object]] = {
    "formula": lambda: elman.calculus.derive(5, "x"),
    "wrt": lambda: elman.calculus.derive("a^T x", 5),
    "surrogate": lambda: elman.calculus.derive("a\ud800", "a"),
    "layout": lambda: elman.calculus.derive("a^T x", "x", layout="row"),
    "no wrt": lambda: elman.calculus.derive("a^T x", ""),
    "shapes": lambda: elman.calculus.derive("a^T x", "x", shapes={"x": 5}),
    "page": lambda: elman.notes.check(5),
    "no page": lambda: elman.notes.check(Path("/no/such/page.md")),
    "name": lambda: flow.norms("Q"),
}


@pytest.mark.parametrize("name", CALCULUS)
def test_of_the_calculus_and_the_lens(name: str) -> None:
    with pytest.raises(ElmanError) as raised:
        CALCULUS[name]()
    assert "\n" not in str(raised.value)


def test_one_text_to_stop_at_is_one_text(lm: Model) -> None:
    assert Sampling(stop="YOU") == Sampling(stop=("YOU",))
    whole = lm.generate("the", seed=3, max_tokens=30)
    stop = whole.split()[2]
    assert lm.generate("the", seed=3, max_tokens=30, stop=stop) == whole[: whole.index(stop)]


def test_numbers_of_numpy_are_numbers(lm: Model) -> None:
    assert lm.generate("the", seed=np.int64(3), top_k=np.int32(2)) == lm.generate("the", seed=3, top_k=2)
    assert lm.score("the", base=np.float32(2)) == lm.score("the", base=2)
