"""Counts agree with their nouns and verbs."""

from __future__ import annotations

import pytest

from elman.wording import choose, count


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
