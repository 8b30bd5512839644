"""Commands whose macros another file defines are read by their names, where no command of LaTeX is called so."""

from __future__ import annotations

import pytest

from elman.notes import check
from elman.notes.judge.verdict import Verdict
from elman.notes.page.macros_from_elsewhere import macros_from_elsewhere
from elman.notes.page.reader import page_of

LAYER = r"""
The layers are $$ \midMatrix = \dataMatrix \weightMatrix $$ and $$ \outMatrix = \gateMatrix \midMatrix $$
$$ \frac{\partial J}{\partial \weightMatrix} = \dataMatrix^T \frac{\partial J}{\partial \midMatrix} $$
$$ \frac{\partial J}{\partial \gateMatrix} = \frac{\partial J}{\partial \outMatrix} \midMatrix^T $$
"""


def verdicts(text: str) -> list[Verdict]:
    return [c.verdict for c in check(page_of(text)).claims]


def test_names_are_letters_and_say_what_is_a_matrix() -> None:
    by_mid, to_mid = r"$$ \frac{\partial J}{\partial \midMatrix} =", r"\frac{\partial J}{\partial \outMatrix}"
    assert verdicts(rf"{LAYER} {by_mid} \gateMatrix^T {to_mid} $$") == 5 * [Verdict.HOLDS]
    assert verdicts(rf"{LAYER} {by_mid} 2 \gateMatrix^T {to_mid} $$")[-1] is not Verdict.HOLDS


@pytest.mark.parametrize(("x", "y", "w"), [(r"\myvec{x}", r"\myvec y", r"\mymat{W}"), (r"\vx", r"\vy", r"\mW")])
def test_a_command_that_dresses_a_letter(x: str, y: str, w: str) -> None:
    by_x, by_y = rf"\frac{{\partial J}}{{\partial {x}}}", rf"\frac{{\partial J}}{{\partial {y}}}"
    again = rf"for ${x}$ and ${y}$ of $\myvec{{y}}$"
    assert verdicts(f"$$ {y} = {w} {x} $$ and $$ {by_x} = {w}^T {by_y} $$ {again}") == 2 * [Verdict.HOLDS]


def test_commands_of_latex_stay() -> None:
    formulas = 3 * [
        r"\nLeftarrow \varGamma \vec{x} \mathbf{y} \int \lVert z \rVert \mu \bf \bm{x} \mp \vee \operatorname{f}"
    ]
    assert not macros_from_elsewhere(formulas, ())
    assert not macros_from_elsewhere([r"\unknown \vx"], ())
    assert not macros_from_elsewhere(2 * [r"\inputMatrix"], {"inputMatrix"})


def test_a_product_in_two_definitions_is_no_slip() -> None:
    scores = (
        r"$$ A = \softmax(\frac{Q K^T}{\sqrt{d}}), \quad L = \frac{Q K^T}{\sqrt{d}}, \quad Q = X U, \quad K = X V $$"
    )
    by_query = r"$$ \frac{\partial J}{\partial Q} = \frac{\partial J}{\partial L} K $$"
    by_key = r"$$ \frac{\partial J}{\partial K} = \frac{\partial J}{\partial L}^T Q $$"
    by_weight = r"$$ \frac{\partial J}{\partial U} = X^T \frac{\partial J}{\partial Q} $$"
    found = verdicts(scores + by_query + by_key + by_weight)
    assert [v.is_wrong for v in found[:4]] == 4 * [False]
