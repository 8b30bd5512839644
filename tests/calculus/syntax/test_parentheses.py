"""A parenthesis too many, or too few, at the end of a part of a relation, where nothing else can be meant."""

from __future__ import annotations

import pytest

from elman.calculus.syntax.parse import read_formula

DERIVED = r"\frac{d y}{d u} = "


@pytest.mark.parametrize(
    ("slip", "meant"),
    [
        (r"\frac{\partial y}{\partial u}) = v", r"\frac{\partial y}{\partial u} = v"),
        (DERIVED + r"\frac{d}{d u} (a + u v \\ &= v)", DERIVED + r"\frac{d}{d u} (a + u v) \\ &= v"),
        (DERIVED + r"\frac{d}{d u} (\sum_{k=1}^{n} a_k u", DERIVED + r"\frac{d}{d u} (\sum_{k=1}^{n} a_k u)"),
    ],
)
def test_the_end_of_a_part_closes_what_is_open(slip: str, meant: str) -> None:
    found, right = read_formula(slip), read_formula(meant)
    assert not found.not_read
    assert [r.parts for r in found.relations] == [r.parts for r in right.relations]


@pytest.mark.parametrize("formula", [r"u = (a - b c", r"u = a) - b c", r"u = [a - b (c", r"u = 3 (a - b c = d"])
def test_what_may_mean_several_things_stays_unread(formula: str) -> None:
    assert read_formula(formula).not_read
