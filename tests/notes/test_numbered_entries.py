"""X_{11}, X_{12}, X_{21}, … of one letter are the entries of a matrix, numbers; blocks are used as matrices are."""

from __future__ import annotations

from elman.notes import check
from elman.notes.judge.verdict import Claim, Verdict
from elman.notes.page.reader import page_of

EQUATIONS = r"""
$$ Y_{11} = A_{11} K_{11} + A_{12} K_{12} + A_{21} K_{21} + A_{22} K_{22} $$
$$ Y_{12} = A_{12} K_{11} + A_{13} K_{12} + A_{22} K_{21} + A_{23} K_{22} $$
"""


def last(text: str) -> Claim:
    return check(page_of(text)).claims[-1]


def test_gradients_of_a_convolution_written_out() -> None:
    by = r"$$ \frac{\partial L}{\partial A_{12}} = "
    first, second = r"\frac{\partial L}{\partial Y_{11}}", r"\frac{\partial L}{\partial Y_{12}}"
    assert last(f"{EQUATIONS}{by}{first} * K_{{12}} + {second} * K_{{11}} $$").verdict is Verdict.HOLDS
    wrong = last(f"{EQUATIONS}{by}{first} * K_{{12}} + {second} * K_{{12}} $$")
    assert wrong.is_wrong
    assert r"K_11" in wrong.fixes[0].formula or r"K_{11}" in wrong.fixes[0].formula


def test_blocks_are_matrices() -> None:
    page = r"$$ S = P_{11} - P_{12} P_{22}^{-1} P_{21} $$" + "\n\n" + r"$$ S - P_{11} = - P_{12} P_{22}^{-1} P_{21} $$"
    report = check(page_of(page))
    assert report.claims[-1].verdict is Verdict.HOLDS
    assert "P_12 a matrix" in str(report.remarks)
