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


BROKEN = r"""
$$ \begin{bmatrix} u_{1,1} & u_{1,2} \\ u_{2,1} & u_{2,2} \end{bmatrix} =
\begin{bmatrix} \begin{matrix} x_{1,1} k_{1,1} + \\ x_{1,2} k_{1,2} \\ \end{matrix} &
\begin{matrix} x_{1,10} k_{1,1} + \\ x_{1,11} k_{1,2} \\ \end{matrix} \\
\begin{matrix} x_{11,1} k_{1,1} + \\ x_{11,2} k_{1,2} \\ \end{matrix} &
\begin{matrix} x_{11,10} k_{1,1} \\ + x_{11,11} k_{1,2} \\ \end{matrix} \end{bmatrix} $$
with the errors $\delta_{i,j} = \frac{\partial L}{\partial u_{i,j}}$ and $\frac{\partial u_{i,j}}{\partial x_{p,q}}$:
"""


def test_cells_that_are_broken_sums_and_indices_of_two_digits() -> None:
    by_x = rf"{BROKEN} $$ \frac{{\partial L}}{{\partial x_{{11,1}}}} = "
    assert last(rf"{by_x} \delta_{{2,1}} k_{{1,1}} $$").verdict is Verdict.HOLDS
    assert last(rf"{by_x} \delta_{{1,2}} k_{{1,2}} $$").verdict is not Verdict.HOLDS  # that is the gradient by x_{1,11}
