"""Pages of other models, right and wrong: what the checker says of each, and whether its first repair makes the page
right again.
"""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import pytest
from page_mistakes import MISTAKES, Mistake

from elman.notes.check_page import check
from elman.notes.judge.verdict import Claim, Report, Verdict
from elman.notes.page.page import Page
from elman.notes.page.reader import KINDS, page_of, read_page
from elman.notes.repair.diagnose import explained
from elman.notes.report.assemble_report import claims_of

PAGES = Path(__file__).parent / "pages"
RIGHT = sorted({m.page for m in MISTAKES})
COUNTS = {
    "attention.md": 20, "linear-regression-code.md": 7, "linear-regression.md": 11, "logistic-numerator.md": 8,
    "logistic-regression.md": 14, "lstm-step.md": 34, "relu-rnn.md": 18, "skip-gram-negative.md": 6,
    "skip-gram-softmax.md": 10,
    "tanh-rnn.md": 15, "two-layer-network.tex": 15,
}  # fmt: skip


@cache
def text_of(name: str) -> str:
    return (PAGES / name).read_text(encoding="utf-8")


def page_with(name: str, text: str) -> Page:
    return page_of(text, KINDS[Path(name).suffix], Path(name))


def mended(text: str, claim: Claim) -> str:
    """The page's text with the first repair of a claim in it."""
    repair = claim.fixes[0]
    return text[: repair.start] + repair.replacement + text[repair.end :]


def said(claims: Sequence[Claim]) -> list[str]:
    return [f"{c.line}: {c.left} = {c.formula}: {c.verdict} ({c.diagnosis})" for c in claims if not c.good]


@pytest.mark.parametrize("name", RIGHT)
def test_a_right_page_is_right(name: str) -> None:
    page = explained(read_page(PAGES / name))
    claims = claims_of(page)
    assert said(claims) == []
    assert len([c for c in claims if c.verdict != Verdict.NOT_A_CLAIM]) >= COUNTS[name]
    assert page.checker.meter.spent < 50_000  # operations: less than a second's work


def test_the_work_of_checking_grows_with_the_length_of_the_page() -> None:
    """Eight times the page may take 24 times the work, and the square of its length would take 64 times."""

    def work(copies: int) -> float:
        began = time.process_time()
        assert check(page_with("tanh-rnn.md", text_of("tanh-rnn.md") * copies)).holds
        return time.process_time() - began

    work(1)
    for _ in range(3):
        if work(8) <= 3 * 8 * work(1):
            return
    pytest.fail("checking takes more than linear work")


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda m: m.id)
def test_a_mistake_is_found_where_it_is(mistake: Mistake) -> None:
    right = text_of(mistake.page)
    assert right.count(mistake.right) == 1, "the table names a place that is not on the page, or twice"
    text = right.replace(mistake.right, mistake.wrong)
    start = right.index(mistake.right)
    report = check(page_with(mistake.page, text))
    wrong = [c for c in report.claims if not c.good]
    here = [c for c in wrong if c.start < start + len(mistake.wrong) and start < c.end]
    assert here, said(report.claims)
    assert str(here[0].verdict) in mistake.verdicts, said(report.claims)
    assert [c for c in wrong if c not in here and c.verdict != Verdict.OWN_DELTA] == [], said(report.claims)
    assert here[0].fixes, "no repair"
    repaired = check(page_with(mistake.page, mended(text, here[0])))
    assert repaired.holds, (here[0].fix, said(repaired.claims))


def test_every_model_has_its_mistakes() -> None:
    for page in RIGHT:
        family = [
            m for m in MISTAKES if m.page == page or (page.startswith("logistic") and m.page.startswith("logistic"))
        ]
        assert len(family) >= 8, page


# --- what these pages asked of the checker ---


def report_of(text: str, kind: str = "markdown") -> Report:
    return check(page_of(text, kind))


def test_a_wrong_letter_is_blamed_and_what_uses_it_is_consistent() -> None:
    report = check(page_with("page.md", text_of("linear-regression.md").replace("$$ r = p - y $$", "$$ r = p + y $$")))
    assert [str(c.verdict) for c in report.claims if c.left == "r"] == ["wrong sign"]
    assert sum(c.verdict == Verdict.OWN_DELTA for c in report.claims) >= 3


def test_macros_keep_the_places_of_what_they_stand_for() -> None:
    text = text_of("two-layer-network.tex").replace(r"\pd{J}{W_2} &= A_1^\top \Delta_2", r"\pd{J}{W_2} &= A_1 \Delta_2")
    (claim,) = (c for c in check(page_with("page.tex", text)).claims if not c.good)
    assert (claim.left, claim.formula) == (r"\pd{J}{W_2}", r"A_1 \Delta_2")
    assert text[claim.start : claim.end] == claim.formula


@pytest.mark.parametrize(
    ("words", "axis"),
    [
        ("The softmax is taken row-wise.", "as the page says"), ("softmax 按行计算。", "as the page says"),
        ("Every row of X is a token.", "equations hold then"),
    ],
)  # fmt: skip
def test_the_axis_of_a_softmax_is_stated_or_found_by_trial(words: str, axis: str) -> None:
    text = re.sub(r"The attention weights are a row-wise softmax:[^\n]*", words, text_of("attention.md"))
    report = report_of(text.replace("Through the softmax, row by row; the", "The"))
    assert said(report.claims) == []
    (remark,) = (r for r in report.remarks if "softmax" in r)
    assert "along each row" in remark
    assert axis in remark


def test_a_stated_axis_is_believed_against_the_formulas() -> None:
    text = text_of("attention.md").replace("a row-wise softmax: each token", "a column-wise softmax: each token")
    text = text.replace("Through the softmax, row by row; the", "The")
    assert any(c.left == r"\Delta" and not c.good for c in report_of(text).claims)


def test_code_names_derivatives_by_a_d() -> None:
    report = check(PAGES / "linear-regression-code.md")
    assert {c.left: c.reading for c in report.claims}["dW"] == "dW is ∂loss/∂W"
    assert {c.left: c.reading for c in report.claims}["P"] == "defines P"


def test_differentials_in_latex_are_names() -> None:
    page = "X.shape = [N, D]\nw.shape = [D, 1]\ny.shape = [N, 1]\n\n$$ r = X w - y $$\n$$ J = \\frac{1}{2} r^T r $$\n"
    page += "$$ dw = %s $$\n"
    assert report_of(page % "X^T r").holds
    (claim,) = (c for c in report_of(page % "X r").claims if not c.good)
    assert (claim.verdict, claim.fix) == (Verdict.MISSING_TRANSPOSE, "X^T r")


def test_a_column_of_many_differs_by_its_index() -> None:
    page = "v.shape = [d, 1]\nu_k.shape = [d, 1]\n\n$$ J = \\sum_{k=1}^{K} (u_k^T v)^2 $$\n\n"
    page += "$$ \\frac{\\partial J}{\\partial u_k} = %s $$\n"
    assert report_of(page % "2 (u_k^T v) v").holds
    assert not report_of(page % "2 (u_1^T v) v").holds
    assert report_of(page.replace(r"{\partial u_k}", r"{\partial u_1}") % "2 (u_1^T v) v").holds


def test_a_letter_that_only_the_answer_has_is_a_given_one() -> None:
    text = text_of("linear-regression.md").replace(r"+ \lambda w $$", r"+ \mu w $$")
    (claim,) = (c for c in report_of(text).claims if not c.good)
    assert claim.verdict == Verdict.ARGUMENT
    assert claim.fix is not None
    assert r"\lambda" in claim.fix


def test_a_row_is_no_gradient_of_a_scalar_parameter() -> None:
    text = text_of("linear-regression.md").replace(r"= \frac{1}{N} 1_N^T r", r"= \frac{1}{N} r^T")
    assert [str(c.verdict) for c in report_of(text).claims if not c.good] == ["batch sum or mean missing"]


def test_jacobians_take_no_part_in_the_vote_on_the_layout() -> None:
    report = check(PAGES / "logistic-numerator.md")
    assert "3 of 3 gradients are in numerator layout" in report.remarks[0]
    (claim,) = (c for c in report.claims if "partial z}{" in c.left)
    assert claim.reading == "numerator layout"


def test_a_repaired_shape_is_written_as_shapes_are_on_the_page() -> None:
    text = text_of("two-layer-network.tex").replace(r"$W_2 \in \R^{H \times C}$", r"$W_2 \in \R^{C \times H}$")
    (claim,) = (c for c in check(page_with("page.tex", text)).claims if not c.good)
    assert claim.fixes[0].replacement == r"{H \times C}"


def first_repair(page: str, right: str, wrong: str) -> str | None:
    assert text_of(page).count(right) == 1
    (claim,) = (c for c in check(page_with(page, text_of(page).replace(right, wrong))).claims if not c.good)
    return claim.fix


def test_no_repair_says_the_left_side_of_itself() -> None:
    """The loss may be the mistake; that ε is ε, or that a gradient of zero is zero, is true of every page."""
    fix = first_repair("relu-rnn.md", r"\sum_{k=1}^{C} y", r"\sum_{k=1}^{C-1} y")
    assert fix is None or "epsilon" not in fix


def test_a_factor_left_out_inside_a_function_is_put_back() -> None:
    fix = first_repair(
        "skip-gram-negative.md", r"{\partial u_o} = (\sigma(u_o^T v_c)", r"{\partial u_o} = (\sigma(v_c)"
    )
    assert fix is not None
    assert "u_o^T v_c" in fix


def test_mistakes_with_a_name_come_before_what_may_be_missing() -> None:
    page = text_of("logistic-numerator.md").replace("J = -\\left(", "J = \\left(")
    (claim,) = (c for c in check(page_with("page.md", page)).claims if not c.good)
    assert (claim.left, claim.verdict) == ("J", Verdict.SIGN)


@pytest.mark.parametrize(
    ("page", "first", "second"),
    [
        ("attention.md", "A \\odot (G - 1_n 1_n^T (G \\odot A))", r"= (O - Y) V"),
        ("tanh-rnn.md", r"+ \delta_{t+1} W_h", r"\odot (1 - h_t h_t)"),
        ("linear-regression.md", r"\frac{1}{N} X^T r - \lambda w", r"= \frac{1}{N} X r $$"),
        ("two-layer-network.tex", r"\pd{J}{Z_2} = P - Y", r"\pd{J}{b_2} &= \Delta_2"),
    ],
)
def test_two_mistakes_are_two_mistakes_and_no_equation_takes_the_blame(page: str, first: str, second: str) -> None:
    one, two = (next(m for m in MISTAKES if m.page == page and m.wrong == w) for w in (first, second))
    text = text_of(page)
    for mistake in (one, two):
        text = text.replace(mistake.right, mistake.wrong)
    wrong = [c for c in check(page_with(page, text)).claims if not c.good]
    assert len(wrong) == 2, wrong
    for mistake in (one, two):
        start = text.index(mistake.wrong)
        (claim,) = (c for c in wrong if c.start < start + len(mistake.wrong) and start < c.end)
        assert str(claim.verdict) in mistake.verdicts
