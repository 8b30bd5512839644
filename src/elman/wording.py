"""Counts in English sentences: `1 claim`, `2 claims`, `1 claim does not hold`."""

from __future__ import annotations


def count(number: int, noun: str, plural: str | None = None) -> str:
    """The number with its noun: `1 claim`, `0 claims`, `1,204 claims`; `plural` where it is not noun + s."""
    return f"{number:,} {choose(number, noun, plural or noun + 's')}"


def choose(number: int, singular: str, plural: str) -> str:
    """The form that agrees with the number: `choose(n, "does", "do")`, `choose(n, "it is", "they are")`."""
    return singular if number == 1 else plural
