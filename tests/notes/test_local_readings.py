"""Claims that the reading of their section leaves open, each read by itself or as a step of its derivation."""

from __future__ import annotations

from elman.notes import check
from elman.notes.judge.verdict import GOOD, Claim, Verdict
from elman.notes.page.reader import page_of


def claims(text: str) -> list[Claim]:
    return [c for c in check(page_of(text)).claims if c.verdict is not Verdict.NOT_A_CLAIM]


def page(*formulas: str) -> str:
    return "\n\n".join(f"$$ {formula} $$" for formula in formulas)


CROWDED = (  # in one reading with these, a and r are columns, and b an unknown
    r"m_k = \frac{e^{r_k}}{\sum_l e^{r_l}}", r"E = -\sum_{k=1}^{Q} b_k \ln m_k",
)  # fmt: skip


def test_a_claim_about_one_number_is_read_by_itself() -> None:
    text = page(*CROWDED, r"g = \tanh(r)", r"\frac{dg}{dr} = 1 - g^2")
    last = claims(text)[-1]
    assert last.verdict is Verdict.HOLDS
    assert "read by itself" in last.reading


def test_a_wrong_claim_about_one_number_does_not_hold_by_itself() -> None:
    text = page(*CROWDED, r"g = \tanh(r)", r"\frac{dg}{dr} = 1 + g^2")
    assert claims(text)[-1].verdict not in GOOD


def test_a_row_follows_from_the_row_above() -> None:
    """The left side is not known: F does not depend on u, as the page was read."""
    text = page(
        r"F = \sum_{k=1}^{Q} \ln c",
        r"\frac{\partial F}{\partial u} = (s - p) (q + p)",
        r"= s q - p q + s p - p^2",
    )
    found = claims(text)
    assert found[-1].verdict is Verdict.HOLDS
    assert "step from the row above" in found[-1].reading
    assert found[-2].verdict is Verdict.NOT_CHECKED


def test_a_wrong_row_does_not_follow_from_the_row_above() -> None:
    text = page(
        r"F = \sum_{k=1}^{Q} \ln c",
        r"\frac{\partial F}{\partial u} = (s - p) (q + p)",
        r"= s q - p q - s p - p^2",
    )
    assert claims(text)[-1].verdict not in GOOD


def test_a_missing_transpose_does_not_hold_by_itself() -> None:
    """K is a matrix wherever the section uses it: it becomes no number for one claim."""
    text = page(
        r"v = K g", r"e = \frac{\partial F}{\partial v}",
        r"\frac{\partial F}{\partial g} = K e", r"\frac{\partial F}{\partial K} = e g^T",
    )  # fmt: skip
    by_line = {c.formula: c for c in claims(text)}
    assert by_line["K e"].verdict not in GOOD


def test_nothing_follows_from_a_wrong_row() -> None:
    text = page(
        r"F = \sum_{k=1}^{Q} \ln c",
        r"\frac{\partial F}{\partial u} = (s - p) (q + p)",
        r"= s q - p q - s p - p^2",
        r"= s (q - p) - p q - p^2",
    )
    assert not any(c.verdict in GOOD for c in claims(text)[-2:])
