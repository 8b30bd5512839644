"""A chain that begins with the derivative by a whole matrix and goes on by its entries is read by entries."""

from __future__ import annotations

from elman.notes import check
from elman.notes.judge.verdict import Claim, Verdict
from elman.notes.page.reader import page_of

SUMMED = "Repeated indices are summed.\n\n"
BY_ENTRIES = r"\frac{\partial}{\partial W} \tr(C W) = \frac{\partial (C_{ij} W_{ji})}{\partial W_{pq}}"


def claims(formula: str) -> list[Claim]:
    return list(check(page_of(f"{SUMMED}$$ {formula} $$")).claims)


def test_entries_and_whole_matrices_in_one_chain() -> None:
    chain = r" = C_{ij} \delta_{jp} \delta_{iq} = C_{qp} = (C^T)_{pq} = C_{pq}^T = C^T"
    assert [c.verdict for c in claims(BY_ENTRIES + chain)] == 6 * [Verdict.HOLDS]


def test_a_wrong_matrix_in_such_a_chain_is_marked() -> None:
    found = claims(BY_ENTRIES + r" = C_{qp} = C")
    assert [c.verdict is Verdict.HOLDS for c in found] == [True, True, False]
    assert found[-1].is_wrong


def test_the_identity_in_such_a_chain() -> None:
    trace = r"\frac{\partial}{\partial W} \tr(W) = \frac{\partial W_{ii}}{\partial W_{pq}} = \delta_{pq} = I"
    assert [c.verdict for c in claims(trace)] == 3 * [Verdict.HOLDS]


def test_rows_of_a_display_go_on_by_entries() -> None:
    rows = r"\begin{align} " + BY_ENTRIES.replace("= ", "&= ") + r" \\ &= C_{qp} \\ &= C^T \end{align}"
    assert [c.verdict for c in claims(rows)] == 3 * [Verdict.HOLDS]
