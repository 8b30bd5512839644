"""Gradients by a whole letter behind a derivation by entries, as a program computes them: with sums along an axis."""

from __future__ import annotations

import pytest

from elman.notes import check
from elman.notes.page.reader import page_of
from elman.notes.page.sums_along_axes import with_sums_along_axes

SCALED = r"""$X \in \mathbb{R}^{M \times N}$

$msq(x)_i = \frac{1}{N}\sum_{j=1}^{N} x_{ij}^2$

$rmsnorm(x)_{ij} = msq(x)_i . x_{ij} . g_j$

$\frac{\partial f(rmsnorm(X))}{\partial x_{ij}}$

$= \sum_{k=1}^{M}\sum_{l=1}^{N}
\frac{\partial f(rmsnorm(X))}{\partial rmsnorm(x)_{kl}} . \frac{\partial rmsnorm(x)_{kl}}{\partial x_{ij}}$

$= \sum_{k=1}^{M}\sum_{l=1}^{N} df_{kl} . \frac{\partial rmsnorm(x)_{kl}}{\partial x_{ij}}$

$= df_{ij} . msq(x)_i . g_j + \frac{2 x_{ij}}{N} \sum_{l=1}^{N} df_{il} . x_{il} . g_l$

As a program:

$\frac{\partial f(rmsnorm(X))}{\partial X}$

$= df . msq(X) . g + \frac{2 X}{N} . sum(df . X . g, dim=-1, keepdim=True)$
"""
SOFTMAX = r"""$X \in \mathbb{R}^{M \times N}$

$softmax(x_{ij}) = \frac{e^{x_{ij}}}{\sum_{k=1}^{N} e^{x_{ik}}}$

$\frac{\partial f(softmax(X))}{\partial x_{ij}}$

$=\sum_{p=1}^{M} \sum_{q=1}^{N}
\frac{\partial f(softmax(X))}{\partial softmax(x_{pq})} . \frac{\partial softmax(x_{pq})}{\partial x_{ij}}$

$=\sum_{q=1}^{N} df_{iq} . \frac{\partial softmax(x_{iq})}{\partial x_{ij}}$

$\frac{\partial f(softmax(X))}{\partial X}$

$= softmax(X)(df_{X} - sum(softmax(X).df_{X}, dim=1, keepdim=True))$
"""


@pytest.mark.parametrize(
    ("page", "right", "wrong"),
    [
        (SCALED, "dim=-1", "dim=0"),
        (SCALED, "sum(df . X . g", "sum(df . X . msq(X)"),
        (SCALED, "$= df . msq(X) . g +", "$= df . msq(X) +"),
        (SOFTMAX, "dim=1", "axis=0"),
        (SOFTMAX, "(df_{X} - sum", "(df_{X} + sum"),
    ],
)
def test_a_row_with_a_sum_along_an_axis_is_judged_by_entries(page: str, right: str, wrong: str) -> None:
    assert [c for c in check(page_of(page)).claims if not c.good] == []
    last = check(page_of(page.replace(right, wrong))).claims[-1]
    assert last.is_wrong
    assert last.fixes == ()


def test_sums_along_an_axis_keep_their_places() -> None:
    text = "a + sum(sum(b, axis=0), dim = 1, keepdims=True) c"
    found, places = with_sums_along_axes(text, range(len(text) + 1))
    assert " ".join(found.split()) == "a + rowsum(colsum(b ) ) c"
    assert len(places) == len(found) + 1
    assert [text[places[found.index(c)]] for c in "abc)"] == ["a", "b", "s", ")"]


@pytest.mark.parametrize("text", ["sum(a, b)", "sum(a, dim=3)", "sum(a, dim=1", r"x_{sum}(a, dim=b)"])
def test_other_sums_stay(text: str) -> None:
    assert with_sums_along_axes(text, range(len(text) + 1)) == (text, [*range(len(text) + 1)])


SLICES = (
    SOFTMAX[: SOFTMAX.index("$\\frac{\\partial f(softmax(X))}{\\partial X}$")]
    + r"""
Let $x_{i:}$ be any entry of row $i$.

$\frac{\partial f(softmax(X))}{\partial x_{i:}}$

$= softmax(x_{i:})(df_{i:} - \sum_{q=1}^{N} softmax(x_{iq}).df_{iq})$
"""
)


def test_a_slice_that_is_said_to_be_any_entry_is_an_entry() -> None:
    assert check(page_of(SLICES)).claims[-1].good
    assert check(page_of(SLICES.replace("(df_{i:} -", "(df_{i:} +"))).claims[-1].is_wrong
    assert not check(page_of(SLICES.replace("any entry of", "the"))).claims[-1].is_wrong
