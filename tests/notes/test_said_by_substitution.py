"""Definitions that a derivation gives by substitution, and what is none."""

from __future__ import annotations

from elman.notes import check
from elman.notes.judge.verdict import Verdict
from elman.notes.model.build import build
from elman.notes.model.said_by_substitution import definitions_by_substitution
from elman.notes.page.reader import page_of

PART = r"\frac{\partial C}{\partial q_i} = \frac{\partial}{\partial q_i} \log \sum_j e^{q_j}"


def defined(page: str) -> list[str]:
    """The letters that the derivations of a page say by substitution."""
    return [d.name for s in build(page_of(page)).statements for d in definitions_by_substitution(s)]


def test_what_stands_for_a_letter_defines_it() -> None:
    assert defined(f"$$ {PART} $$") == ["C"]


def test_what_stands_for_it_under_a_condition_does_not() -> None:
    assert defined(f"$$ {PART} \\quad \\text{{if }} i \\neq y $$") == []


FORWARD = """The label $t$ is a column vector.

$$ E = CE(t, \\hat{t}), \\qquad \\hat{t} = softmax(a) $$

$$ \\frac{\\partial E}{\\partial a} = (\\hat{t} - t)^T $$

"""
ANOTHER_LOSS = r"""

Another loss has, with $\frac{\partial \sigma(r)}{\partial r} = \sigma(r)(1 - \sigma(r))$,

$$ \frac{\partial E}{\partial w_o} = -(1 - \sigma(w^T_o q)) q $$
"""


def rows(outer: str, last: str) -> dict[str, Verdict]:
    """The verdicts of the rows of a derivation that says by its last factor what a is."""
    chain = rf"""$$\begin{{aligned}}
\frac{{\partial E}}{{\partial q}} &= \frac{{\partial E}}{{\partial a}} \frac{{\partial a}}{{\partial q}} \\
&= {outer} \frac{{\partial M^Tq}}{{\partial q}} \\
&= {last}
\end{{aligned}}$$"""
    claims = check(page_of(FORWARD + chain + ANOTHER_LOSS)).claims
    return {c.formula: c.verdict for c in claims if r"\partial q" in c.left}


def test_a_row_that_says_what_a_letter_is_may_put_a_value_for_the_other_factor_too() -> None:
    found = rows(r"(\hat{t} - t)^T", r"(\hat{t} - t)^T M^T")
    assert set(found.values()) == {Verdict.HOLDS}


def test_factors_that_cannot_stand_so_are_marked() -> None:
    _, second, third = rows(r"(\hat{t} - t)", r"M^T(\hat{t} - t)^T").values()
    assert second is Verdict.MISSING_TRANSPOSE
    assert third is Verdict.ORDER
