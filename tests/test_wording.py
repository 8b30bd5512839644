"""Counts agree with their nouns and verbs."""

from __future__ import annotations

import math

import pytest

from elman.wording import choose, count, escaped, perplexity_in_words


@pytest.mark.parametrize(
    ("number", "words"), [(0, "0 claims"), (1, "1 claim"), (2, "2 claims"), (1204, "1,204 claims")]
)
def test_a_count_agrees_with_its_noun(number: int, words: str) -> None:
    assert count(number, "claim") == words


def test_an_irregular_plural_is_given() -> None:
    assert count(1, "hypothesis", "hypotheses") == "1 hypothesis"
    assert count(3, "hypothesis", "hypotheses") == "3 hypotheses"


def test_a_verb_agrees_with_its_number() -> None:
    assert [choose(n, "does", "do") for n in (0, 1, 2)] == ["do", "does", "do"]


@pytest.mark.parametrize(
    ("nats", "words"),
    [
        (0.0, "1.00"), (math.log(1234.5), "1,234.50"), (math.log(9.99e8), "999,000,000.00"), (30.0, "1.07e+13"),
        (709.5, "1.35e+308"), (1e4, "8.81e+4342"),
        (1e9, "8.00e+434294481"), (1e300, "10^4.34e+299"), (math.inf, "infinite"), (math.nan, "–"),
    ],
)  # fmt: skip
def test_a_perplexity_is_never_a_row_of_digits(nats: float, words: str) -> None:
    assert perplexity_in_words(nats) == words


def test_a_token_stays_on_its_line() -> None:
    assert escaped("a\tb\nc\r\\d\x1b") == "a\\tb\\nc\\r\\\\d\\x1b"
