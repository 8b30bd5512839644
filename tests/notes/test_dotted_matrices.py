"""Matrices with dots on pages, beside the marked page of them."""

from __future__ import annotations

from elman.notes import check
from elman.notes.judge.verdict import Verdict
from elman.notes.page.reader import page_of


def test_the_layout_of_a_derivative_of_any_letter_is_no_claim() -> None:
    page = (
        r"$$\frac{\partial r}{\partial \mathbf{v}} = \begin{bmatrix} \frac{\partial r}{\partial v_1} \\ \vdots \\"
        r" \frac{\partial r}{\partial v_d} \end{bmatrix}$$"
    )
    (claim,) = check(page_of(page)).claims
    assert claim.verdict is Verdict.NOT_A_CLAIM


WEIGHTED = (
    r"$u \in \mathbb{{R}}^n$, $W \in \mathbb{{R}}^{{n \times n}}$"
    "\n\n$$z = W s$$\n\n$$s = f(u)$$\n\n"
    r"$$\frac{{\partial z}}{{\partial u}} = W \operatorname{{diag}}[f'(u)] = \begin{{bmatrix}} {} \\ {} \\"
    r" \vdots & & & \\ {} \end{{bmatrix}}$$"
)


def row(number: str, last: str = "f'") -> str:
    return rf"w_{{{number}1}} f'(u_1) & w_{{{number}2}} f'(u_2) & \ldots & w_{{{number}n}} {last}(u_n)"


def test_cells_that_lack_a_part_of_the_formula_of_the_others_are_a_slip() -> None:
    right = check(page_of(WEIGHTED.format(row("1"), row("2"), row("n")))).claims[-1]
    assert right.good, right.diagnosis
    for rows in ((row("1", "f"), row("2", "f"), row("n")), (row("1"), row("2"), row("n", "f"))):
        wrong = check(page_of(WEIGHTED.format(*rows))).claims[-1]
        assert wrong.is_wrong
        assert "some cells of this matrix are" in wrong.diagnosis


def test_a_matrix_of_which_many_cells_lack_a_part_is_not_read() -> None:
    page = WEIGHTED.format(row("1", "f"), row("2", "f"), row("n", "f"))
    assert not check(page_of(page)).claims[-1].is_wrong
