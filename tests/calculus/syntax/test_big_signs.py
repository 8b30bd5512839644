"""Σ and ∏: their bounds, what they range over, and how far they reach."""

from __future__ import annotations

import pytest
from reading import read, refused

from elman.calculus.expression import BigSum, Index
from elman.calculus.syntax.parse import parse

SUMS = [
    (r"\sum_{k=1}^{K} u_k", "∑_{k=1}^K u_k"),
    (r"\sum_{k=0}^{|V|-1} u_k", "∑_{k=0}^{V-1} u_k"),
    (r"\sum_{k=0}^{V-1} u_k", "∑_{k=0}^{V-1} u_k"),
    (r"\sum\limits_i \sum_j W_{ij}", "∑_i ∑_j W_{ij}"),
    (r"\sum_{i,j} W_{ij}", "∑_i ∑_j W_{ij}"),
    (r"\sum_{(i,j)} W_{ij}", "∑_i ∑_j W_{ij}"),
    (r"\sum_{i \in S} u_i", "∑_i u_i"),
    (r"\sum_{j \neq i} u_j", "∑_j [j ≠ i] u_j"),
    (r"\sum_{i<j} u_i u_j", "∑_i [i < j] (u_i u_j)"),
    (r"\sum_{\substack{j \\ j \ne i}} u_j", "∑_j [j ≠ i] u_j"),
    (r"\sum_{i=1..n} u_i", "∑_{i=1}^n u_i"),
    (r"\sum_{1 \le i \le n} u_i", "∑_{i=1}^n u_i"),
    (r"\underset{i}{\sum} u_i", "∑_i u_i"),
    ("Σ_i u_i", "∑_i u_i"),
    (r"\prod_k p_k", "∏_k p_k"),
    (r"\sum_i u_i v_i + w", "∑_i u_i v_i + w"),
    (r"\sum_i \left[ u_i - v_i \right]", "∑_i (u_i - v_i)"),
]


@pytest.mark.parametrize(("formula", "meaning"), SUMS)
def test_the_bounds_of_a_sum(formula: str, meaning: str) -> None:
    assert read(formula) == [meaning]


def test_an_infinite_sum_is_refused() -> None:
    ((_, reason),) = refused(r"\sum_{k=0}^{\infty} u^k")
    assert "infinite sum" in reason


def test_a_sum_without_bounds_is_left_to_the_page() -> None:
    bare = parse(r"\sum u_i^2")
    assert isinstance(bare, BigSum)
    assert (bare.index, bare.lower, bare.upper) == ("", None, None)


def test_a_sum_from_zero_keeps_its_bounds() -> None:
    total = parse(r"\sum_{k=0}^{n-1} u_k")
    assert isinstance(total, BigSum)
    assert (total.lower, total.upper) == (Index(None, 0), Index("n", -1))


def test_a_typed_capital_sigma_is_a_matrix_without_an_index() -> None:
    assert read("x^T Σ x", form="latex") == ["x^T Σ x"]
