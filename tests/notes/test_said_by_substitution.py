"""Definitions that a derivation gives by substitution, and what is none."""

from __future__ import annotations

from elman.notes.model.build import build
from elman.notes.model.said_by_substitution import definitions_by_substitution
from elman.notes.page.reader import page_of

PART = r"\frac{\partial C}{\partial q_i} = \frac{\partial}{\partial q_i} \log \sum_j e^{q_j}"


def defined(page: str) -> list[str]:
    """The letters that the derivations of a page say by substitution."""
    return [d.name for s in build(page_of(page)).statements for d in definitions_by_substitution(s)]


def test_what_stands_for_a_letter_defines_it() -> None:
    assert defined(f"$$ {PART} $$") == ["C"]


def test_what_stands_for_it_under_a_condition_does_not() -> None:
    assert defined(f"$$ {PART} \\quad \\text{{if }} i \\neq y $$") == []
