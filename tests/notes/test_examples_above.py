"""Examples that a superscript numbers: the running index of a sum above several letters."""

from __future__ import annotations

from elman.notes import check
from elman.notes.judge.verdict import Claim
from elman.notes.page.reader import page_of


def claims(*formulas: str) -> list[Claim]:
    return list(check(page_of("\n\n".join(f"$$ {formula} $$" for formula in formulas))).claims)


ERROR = r"E(u, c) = \sum_{k=1}^{12} (\hat{t}^k - (c + u r_a^k))^2"


def test_the_index_of_a_sum_above_letters_numbers_examples() -> None:
    by_u = r"\frac{\partial E}{\partial u} = -2 \sum_{k=1}^{12} (\hat{t}^k - (c + u r_a^k)) r_a^k"
    by_c = r"\frac{\partial E}{\partial c} = \sum_{k=1}^{12} 2 (\hat{t}^k - (c + u r_a^k)) (-1)"
    assert [c.good for c in claims(ERROR, by_u, by_c)] == [True] * 3
    assert claims(ERROR, by_c, by_u.replace(") r_a^k", ") r_a"))[-1].good is False
    assert claims(ERROR, by_u, by_c.replace("(-1)", ""))[-1].is_wrong


def test_powers_in_a_series_stay_powers() -> None:
    series = r"g = \sum_{k=1}^{3} q^k"
    assert claims(series, r"\frac{\partial g}{\partial q} = \sum_{k=1}^{3} k q^{k-1}")[-1].good


def test_a_loss_below_a_gradient_of_zero_is_no_solution() -> None:
    stop = r"\frac{d E}{d u} = 0"
    page = "We look for the optimum.\n\n$$ " + stop + " $$\n\nNow $$ E = (u - c)^2 $$\n\n$$ \\frac{d E}{d u} = "
    assert check(page_of(page + "2 (u - c) $$")).claims[-1].good
    assert check(page_of(page + "(u - c) $$")).claims[-1].is_wrong
