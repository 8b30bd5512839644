"""A letter of the page in place of the function that it looks like: δ(z) for σ(z)."""

from __future__ import annotations

from elman.notes import check
from elman.notes.judge.verdict import Verdict
from elman.notes.page.reader import page_of

PAGE = (
    r"$$z^l=V^l s^{l-1}+c^l$$" "\n\n" r"$$s^l=\sigma (z^l)$$" "\n\n" r"$$E=\frac{1}{2}||s^L-y||^2$$" "\n\n"
    r"$$\gamma^l=\frac{\partial E}{\partial z^l}$$" "\n\n" r"$$z^{l+1}=V^{l+1}s^l+c^{l+1}=V^{l+1}\sigma(z^l)+c^{l+1}$$"
)  # fmt: skip


def test_a_letter_in_place_of_a_function_is_a_slip() -> None:
    assert check(page_of(PAGE)).claims[-1].verdict is not Verdict.ARGUMENT
    last = check(page_of(PAGE.replace(r"V^{l+1}\sigma(z^l)", r"V^{l+1}\gamma(z^l)"))).claims[-1]
    assert last.verdict is Verdict.ARGUMENT
    assert "is a letter of the page and no function" in last.diagnosis


def test_a_letter_without_parentheses_is_a_factor() -> None:
    last = check(page_of(PAGE.replace(r"V^{l+1}\sigma(z^l)", r"V^{l+1}\gamma z^l"))).claims[-1]
    assert last.verdict is not Verdict.ARGUMENT
