"""Modified Kneser-Ney: against lmplz, against the formulas in loops over dictionaries, and what sums to 1."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import pytest

from elman.errors import ConfigError, TextError
from elman.ngram.kneser_ney import FALLBACK, discounts, train
from elman.ngram.model import NgramModel

TEXT = Path(__file__).parents[2] / "examples" / "lighthouse.txt"
EOS = 1

# log10 p that KenLM's `lmplz -o 3` (commit 4cb443e) gives for this text: the words before, the word.
LMPLZ = [
    ("", "the", -1.1611283),
    ("", "</s>", -2.6323082),
    ("<s>", "the", -0.71998394),
    ("the", "sea", -1.3657911),
    ("sea", ".", -0.9498667),
    ("sea .", "</s>", -0.24178815),
    ("in the", "morning", -1.3193803),
    ("the sea", "was", -0.71409655),
    ("<s> the", "keeper", -0.7598921),
    ("<s> the", "chairs", -1.8073652),
    ("the keeper", "made", -1.5743957),
]


@pytest.fixture(scope="module")
def text() -> tuple[list[str], np.ndarray]:  # type: ignore[type-arg]
    lines = TEXT.read_text().splitlines()
    tokens = ["<unk>", "</s>", *sorted({word for line in lines for word in line.split()})]
    index = {token: k for k, token in enumerate(tokens)}
    return tokens, np.array([k for line in lines for k in [*(index[word] for word in line.split()), EOS]])


def log10_p(model: NgramModel, tokens: list[str], before: str, word: str) -> float:
    state = model.begin()
    context = [tokens.index(w) for w in before.split() if w != "<s>"]
    if not before.startswith("<s>"):
        state = type(state)((-1,) * len(state.rows))  # nothing is known of what stands before
    _, state = model.read(state, context)
    log_probs, _ = model.read(state, [tokens.index(word)])
    return float(log_probs[0]) / math.log(10)


@pytest.mark.parametrize(("before", "word", "expected"), LMPLZ)
def test_probabilities_are_those_of_lmplz(
    text: tuple[list[str], np.ndarray],  # type: ignore[type-arg]
    before: str,
    word: str,
    expected: float,
) -> None:
    tokens, ids = text
    model = train(ids, len(tokens), EOS, 3)
    assert [len(order) for order in model.orders] == [285, 811, 1126]
    assert log10_p(model, tokens, before, word) == pytest.approx(expected, abs=1e-6)


def reference(ids: list[int], V: int, order: int, lines: bool) -> dict[tuple[int, ...], float]:
    """p of every n-gram of every order, by the formulas of kneser_ney.py in loops; V is the beginning of a line."""
    sentences: list[list[int]] = [[V] if lines else []]
    for k in ids:
        sentences[-1].append(k)
        if lines and k == EOS:
            sentences.append([V])
    counts = [Counter[tuple[int, ...]]() for _ in range(order)]
    begins = set[tuple[int, ...]]()
    for sentence in sentences:
        for n in range(1, order + 1):
            for at in range(len(sentence) - n + 1):
                gram = tuple(sentence[at : at + n])
                counts[n - 1][gram] += 1
                if at == 0 and lines:
                    begins.add(gram)
    p: dict[tuple[int, ...], float] = {}
    for n in range(1, order + 1):
        a = dict(counts[n - 1])
        if n < order:
            before = defaultdict[tuple[int, ...], set[int]](set)
            for gram in counts[n]:
                before[gram[1:]].add(gram[0])
            a = {g: c if g in begins else max(len(before[g]), n > 1) for g, c in a.items()}
        if n == 1:
            a = {(k,): a.get((k,), 0) for k in range(V)}
        D = [0.0, *discounts(np.array(list(a.values())))]
        for gram, c in a.items():
            same = [x for g, x in a.items() if g[:-1] == gram[:-1]]
            gamma = sum(D[min(x, 3)] for x in same) / sum(same)
            below = p[gram[1:]] if n > 1 else 1 / V
            p[gram] = (c - D[min(c, 3)]) / sum(same) + gamma * below
    return p


@pytest.mark.parametrize("lines", [True, False])
@pytest.mark.parametrize("order", [1, 2, 4])
def test_every_probability_by_the_formulas(order: int, lines: bool) -> None:
    V = 9
    ids = np.random.default_rng(order).zipf(1.5, 300) % V
    model = train(ids, V, EOS, order, lines)
    expected = reference(ids.tolist(), V, order, lines)
    found: dict[tuple[int, ...], float] = {}
    grams: list[tuple[int, ...]] = [()]
    for n, table in enumerate(model.orders):
        grams = [
            (*(grams[c] if n else ()), int(w)) for c, w in zip(table.context.tolist(), table.word.tolist(), strict=True)
        ]
        found.update(zip(grams, np.exp(table.log_prob.astype(float)).tolist(), strict=True))
    del found[(V,)]
    assert found.keys() == expected.keys()
    assert all(found[gram] == pytest.approx(p, rel=1e-6) for gram, p in expected.items())


@pytest.mark.parametrize("lines", [True, False])
@pytest.mark.parametrize("order", [1, 3, 5])
def test_after_every_state_the_probabilities_add_to_1(order: int, lines: bool) -> None:
    V = 12
    ids = np.random.default_rng(1).zipf(1.4, 500) % V
    model = train(ids, V, EOS, order, lines)
    state = model.begin()
    for k in [0, 3, EOS, 2, 2, 11, 0, EOS, 5, 7]:
        log_probs = model.next(state)
        assert np.exp(log_probs).sum() == pytest.approx(1, abs=1e-6)
        one, state = model.read(state, [k])
        assert one[0] == pytest.approx(log_probs[k], abs=1e-6)


def test_a_text_in_parts_is_read_as_whole() -> None:
    ids = np.random.default_rng(2).zipf(1.4, 400) % 12
    model = train(ids, 12, EOS, 4)
    whole, last = model.read(model.begin(), ids)
    parts, state = [], model.begin()
    for at in range(0, len(ids), 7):
        log_probs, state = model.read(state, ids[at : at + 7])
        parts.append(log_probs)
    assert np.array_equal(np.concatenate(parts), whole)
    assert state == last
    assert model.read(last, [])[1] == last


def test_lines_begin_anew_or_do_not() -> None:
    ids = [2, 3, EOS, 3, 2, EOS, 2, 3, EOS, 3, 3, EOS] * 3
    with_lines, stream = (train(np.array(ids), 4, EOS, 3, lines) for lines in (True, False))
    assert with_lines.read(with_lines.begin(), [3, EOS])[1] == with_lines.begin()
    assert stream.read(stream.begin(), [3, EOS])[1] != stream.begin()


def test_counts_without_discounts_of_their_own() -> None:
    assert discounts(np.array([1, 1, 1])) == FALLBACK  # no n-gram was seen twice
    model = train(np.array([2, 3, 2, EOS]), 5, EOS, 2)
    assert np.exp(model.next(model.begin())).sum() == pytest.approx(1, abs=1e-6)


def test_what_cannot_be_trained_is_refused() -> None:
    with pytest.raises(ConfigError, match="it must be 1 to 10"):
        train(np.array([2, EOS]), 4, EOS, 11)
    with pytest.raises(TextError, match="at least one token"):
        train(np.array([], int), 4, EOS)
