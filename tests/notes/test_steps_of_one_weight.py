"""The letters that all time steps have, and those that a step of a method has."""

from __future__ import annotations

from elman.notes.model.build import build
from elman.notes.model.shares_of_steps import letters_of_all_steps
from elman.notes.page.reader import page_of


def of_all_steps(page: str) -> frozenset[str]:
    """The letters of a page that all of its time steps have."""
    return letters_of_all_steps(build(page_of(page)).statements)


def test_a_recurrence_has_its_weights_at_all_steps() -> None:
    assert of_all_steps(r"$$ r_t = \tanh(K r_{t-1} + M v_t) $$") == {"K", "M"}


def test_an_update_has_no_letters_of_time_steps() -> None:
    assert of_all_steps(r"$$ w_{t+1} = w_t - \alpha X^T(\hat{q} - q) $$") == frozenset()
