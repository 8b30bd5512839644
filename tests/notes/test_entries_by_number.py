"""x_{i1} and x_{11} are entries of a matrix on a page with x_{ij}, also in sums with an ellipsis."""

from __future__ import annotations

from elman.notes import check
from elman.notes.judge.verdict import Claim, Verdict
from elman.notes.page.reader import page_of

SUM = r"$$ s_{ij} = p_{i1} q_{1j} + p_{i2} q_{2j} + ... + p_{id} q_{dj} + c_j $$"


def last(text: str) -> Claim:
    return check(page_of(text)).claims[-1]


def test_a_product_that_is_written_out() -> None:
    assert last(SUM + r"$$ \frac{\partial s_{i1}}{\partial q_{11}} = p_{i1} $$").verdict is Verdict.HOLDS
    assert last(SUM + r"$$ \frac{\partial s_{i1}}{\partial q_{11}} = p_{i2} $$").is_wrong
    by_all = r"$$ \frac{\partial E}{\partial q_{11}} = \sum_i \frac{\partial E}{\partial s_{i1}} p_{i1} $$"
    assert last(SUM + by_all).verdict is Verdict.HOLDS


def test_an_entry_by_numbers_of_a_defined_matrix() -> None:
    page = r"$$ s_{ij} = p_{ij}^3 $$" + r"$$ \frac{\partial s_{13}}{\partial p_{13}} = 3 p_{13}^2 $$"
    assert last(page).verdict is Verdict.HOLDS


def test_numbers_that_are_defined_by_themselves_stay_letters() -> None:
    page = r"$$ z_{11} = 2 a, \quad z_{12} = 3 a, \quad r = \sum_{ij} z_{ij} $$ $$ z_{11} + z_{12} = 5 a $$"
    assert last(page).verdict is Verdict.HOLDS


def test_a_loss_in_greek_that_is_not_read() -> None:
    page = r"""$$ y = W x $$ $$ \xi = \sum_{i=c}^{C} \sum_j t_{ijc} \log y_i $$
$$ \frac{\partial \xi}{\partial W} = \frac{\partial \xi}{\partial y} x^T $$"""
    assert last(page).verdict is Verdict.HOLDS
