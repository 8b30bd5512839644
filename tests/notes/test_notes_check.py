"""The checker on the notes this project began with, on the derivation, and on corrupted copies of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from corruptions import corruptions

from elman.calculus.printing.render import text
from elman.errors import FormulaError
from elman.notes.check_page import check
from elman.notes.derive_page import derive
from elman.notes.judge.checker import Checker, JudgedPage, judge
from elman.notes.judge.verdict import Claim, Report, Verdict
from elman.notes.page.reader import page_of, read_page
from elman.notes.repair.diagnose import ExplainedPage, explained
from elman.notes.repair.fix import apply_fixes
from elman.notes.report.assemble_report import claims_of

ROOT = Path(__file__).parents[2]
PAGES = ROOT / "tests" / "notes" / "pages"
NOTES = PAGES / "rnn_notes.md"
DERIVATION = ROOT / "docs" / "derivation.md"
EXPLODING = ROOT / "docs" / "exploding-gradients.md"


@pytest.fixture(scope="module")
def notes() -> Report:
    return check(NOTES)


def at(report: Report, line: int) -> Claim:
    """The last claim that begins on a line: the result of a chain."""
    return [c for c in report.claims if c.line == line][-1]


# Line by line, as the page stands: the line, the verdicts, the first repair.
EXPECTED = [
    (6, {Verdict.HOLDS}, None),
    (8, {Verdict.TIME}, r"h^{(t)} = \sigma(W_hh^{(t - 1)} + W_ee^{(t)} + b_1)"),
    (10, {Verdict.HOLDS}, None),
    (13, {Verdict.SIGN}, r"-\sum_{j=1}^V y_j^{(t)} \ln(\hat{y}_j^{(t)})"),
    (15, {Verdict.NOT_A_CLAIM}, r"P = \exp(\frac{1}{B T} (\sum_{t=1}^T J^{(t)}))"),
    (22, {Verdict.SELF_REFERENCE}, None),
    (27, {Verdict.SELF_REFERENCE}, None),
    (56, {Verdict.HOLDS}, None),
    (58, {Verdict.HOLDS}, None),
    (63, {Verdict.HOLDS}, None),
    (
        70,
        {Verdict.ARGUMENT, Verdict.OPERATOR, Verdict.MISSING_TRANSPOSE},
        r"(\delta_1^{(t)} U) \circ (h \circ (1 - h))^T",
    ),
    (74, {Verdict.HOLDS}, None),
    (75, {Verdict.HOLDS}, None),
    (83, {Verdict.HOLDS}, None),
    (90, {Verdict.TRANSPOSED}, r"W_e^T {\delta_2^{(t)}}^T"),
    (98, {Verdict.HOLDS}, None),
    (104, {Verdict.MISSING_TRANSPOSE}, r"{\delta_2^{(t)}}^T {h^{(t-1)}}^T"),
    (114, {Verdict.ORDER, Verdict.EXTRA_TRANSPOSE}, r"\delta_2^{(t)} W_h"),
    (118, {Verdict.ARGUMENT}, r"\sigma'(z^{(t-1)}) = h^{(t-1)} \circ (1 - h^{(t-1)})"),
    (122, {Verdict.SHAPE}, "[B,Dh]"),
    (168, {Verdict.HOLDS}, None),
    (172, {Verdict.HOLDS}, None),
]


@pytest.mark.parametrize(("line", "verdicts", "repair"), EXPECTED)
def test_the_notes_line_by_line(notes: Report, line: int, verdicts: set[Verdict], repair: str | None) -> None:
    claim = at(notes, line)
    assert {claim.verdict} == verdicts or set(claim.verdicts) == verdicts
    if repair is not None:
        assert claim.fix == repair


def test_the_notes_chains_hold(notes: Report) -> None:
    for line in (67, 81, 88, 97, 103, 113, 129, 137, 145):
        assert at(notes, line).verdict == Verdict.HOLDS, line


def test_the_two_matrices_want_a_trace(notes: Report) -> None:
    for line in (168, 172):
        first = next(c for c in notes.claims if c.line == line)
        assert first.verdict == Verdict.TRACE
        assert first.fix is not None
        assert r"\mathrm{tr}" in first.fix


def test_both_minimal_repairs_of_gamma_are_listed(notes: Report) -> None:
    assert [fix.formula for fix in at(notes, 114).fixes] == [r"\delta_2^{(t)} W_h", r"W_h^T {\delta_2^{(t)}}^T"]


def test_a_misfit_that_equal_sizes_would_hide_is_told(notes: Report) -> None:
    diagnosis = at(notes, 104).diagnosis
    assert "[B,Dh] times [B,Dh]" in diagnosis
    assert "where Dh = B the shapes agree by accident" in diagnosis


def test_no_interpretation_makes_the_last_three_agree(notes: Report) -> None:
    assert at(notes, 132).reading == "holds only for B = 1 and with γ as [Dh,B] and with σ′ as a diagonal matrix"
    assert at(notes, 140).reading == "holds under no interpretation"
    assert at(notes, 148).reading == "holds only with γ as [B,Dh] and with neighbours multiplied entry by entry (∘)"
    assert any("hold under no common interpretation" in remark for remark in notes.remarks)
    assert not notes.holds


def test_the_repaired_notes_hold(notes: Report) -> None:
    page = read_page(NOTES)
    repaired = check(page_of(apply_fixes(page, notes), "markdown"))
    assert repaired.holds
    assert all(c.verdict == Verdict.HOLDS for c in repaired.claims)


@pytest.mark.parametrize("page", [EXPLODING, EXPLODING.with_name("exploding-gradients.zh-CN.md")], ids=["en", "zh"])
def test_the_page_on_exploding_gradients_holds_and_would_not_if_it_were_wrong(page: Path) -> None:
    report = check(page)
    assert [(c.line, c.formula, c.diagnosis) for c in report.claims if not c.good] == []
    assert sum(c.verdict == Verdict.HOLDS for c in report.claims) >= 25
    text = page.read_text(encoding="utf-8")
    for right, wrong in ((r"4 (q - 1)", r"2 (q - 1)"), (r"\delta^T \delta W $$", r"W \delta^T \delta $$")):
        assert right in text
        assert not check(page_of(text.replace(right, wrong, 1))).holds, wrong


@pytest.mark.parametrize("page", [DERIVATION, DERIVATION.with_name("derivation.zh-CN.md")], ids=["en", "zh"])
def test_the_derivation_holds(page: Path) -> None:
    report = check(page)
    assert [(c.line, c.formula, c.diagnosis) for c in report.claims if not c.good] == []
    assert sum(c.verdict == Verdict.HOLDS for c in report.claims) > 60


@pytest.mark.parametrize(("first", "otherwise_repaired"), [(0, 2), (1, 2), (2, 1), (3, 3), (4, 2)])
def test_corruptions_of_the_derivation_are_caught_and_repaired(first: int, otherwise_repaired: int) -> None:
    """Every fifth of 200 corruptions, so that the five tests run beside each other, and at most 10 of all have another
    first repair. Of one layer and a full softmax: the sections from 11 on are the next test's.
    """
    page = page_of(DERIVATION.read_text().split("## 11.")[0], "markdown")
    judged = judge(Checker(page))
    made = corruptions(judged, 200)
    assert len(made) == 200
    missed, otherwise = [], []
    for c in made[first::5]:
        repaired = explained(page_of(c.text, "markdown"), oracles=judged.checker.oracles)
        if all(claim.good for claim in claims_of(repaired)):
            missed.append(f"{c.kind}: {text(c.left)} = {text(c.expression)}")
        if not _is_the_original(judged, repaired, c):
            otherwise.append(f"{c.kind}: {text(c.left)} = {text(c.expression)}")
    assert missed == []
    assert len(otherwise) <= otherwise_repaired, otherwise


@pytest.mark.parametrize("section", ["## 11.", "## 12.", "## 13."])
def test_corruptions_of_further_parts_are_caught(section: str) -> None:
    """A section from 11 on, with the equations of section 1 that it goes on from.

    ω of section 13 is a given constant that stands in its definition alone: no claim depends on its sign.
    """
    first, _, others = DERIVATION.read_text().partition("## 2.")
    page = page_of(first + section + others.partition(section)[2].partition("\n## ")[0], "markdown")
    judged = judge(Checker(page))
    made = [c for c in corruptions(judged, 40) if c.text.startswith(first) and "ω" not in text(c.expression)]
    assert len(made) > 5
    for c in made:
        found = explained(page_of(c.text, "markdown"), oracles=judged.checker.oracles)
        assert not all(claim.good for claim in claims_of(found)), f"{c.kind}: {text(c.left)} = {text(c.expression)}"


def _is_the_original(judged: JudgedPage, repaired: ExplainedPage, c: object) -> bool:
    """Whether the first repair of the corrupted part is what stood there, or of its value."""
    key = (c.statement, c.part)  # type: ignore[attr-defined]
    original = judged.judgements[key]
    found = next(s.explanations[key].candidates for s in repaired.sections if key in s.explanations)
    if not found or text(found[0].left) != text(original.left):
        return False
    try:
        return judged.checker.agree(original.statement, original.left, found[0].part).plain
    except FormulaError:
        return False


OWN_ERROR = r"""
```
X.shape = [N, D]
w.shape = [D, 1]
y.shape = [N, 1]
b.shape = [1, 1]
```
$$ p = X w + b $$
$$ J = \frac{1}{2} \|p - y\|^2 $$
$$ \delta = y - p $$
$$ \frac{\partial J}{\partial w} = X^T \delta $$
$$ \frac{\partial J}{\partial b} = 1_N^T \delta $$
"""


def test_a_wrong_letter_of_the_page_is_blamed_not_the_formulas_that_use_it() -> None:
    page = page_of(OWN_ERROR, "markdown")
    report = check(page)
    verdicts = [c.verdict for c in report.claims]
    assert verdicts == [Verdict.HOLDS, Verdict.HOLDS, Verdict.SIGN, Verdict.OWN_DELTA, Verdict.OWN_DELTA]
    assert report.claims[2].fix == "p - y"
    assert check(page_of(apply_fixes(page, report), "markdown")).holds


def test_gradients_alone_are_held_against_this_network() -> None:
    text = r"$$ \delta_1^{(t)} = \frac{\partial J^{(t)}}{\partial \theta^{(t)}} = (y^{(t)} - \hat{y}^{(t)})^T $$"
    page = page_of(text, "markdown")
    assert [c.verdict for c in check(page).claims] == [Verdict.HOLDS, Verdict.NOT_CHECKED]
    (claim,) = [c for c in check(page, model="elman").claims if not c.good]
    assert claim.verdict == Verdict.SIGN
    assert claim.fix == r"(\hat{y}^{(t)} - y^{(t)})^T"


# --- derivations ---


@pytest.mark.parametrize("layout", ["shape", "denominator", "numerator"])
def test_a_derivation_from_the_forward_equations_holds(layout: str) -> None:
    found = derive(read_page(NOTES), layout=layout)
    assert found.checked > 50
    assert check(page_of(found.markdown, "markdown")).holds


def test_the_notes_equations_give_the_formulas_of_the_derivation() -> None:
    steps = {text(s.left): text(s.result) for s in derive(read_page(NOTES)).steps}
    judged = judge(Checker(read_page(DERIVATION)))
    written = {text(j.left): text(j.expression) for j in judged.judgements.values() if j.good}
    for left in ("∂J^(t)/∂U", "∂J^(t)/∂b_2", "∂J^(t)/∂h^(0)"):
        assert steps[left] == written[left]
    for name in ("W_h", "W_e", "b_1"):
        for step in ("t", "i"):
            left = f"∂J^(t)/∂{name}|_{{({step})}}"
            assert steps[left] == written[left]
    letters = {text(s.letter): text(s.result) for s in derive(read_page(NOTES)).steps if s.letter is not None}
    assert letters["δ_1^(t)"] == written["δ_1^(t)"]
    assert letters["γ^(i)"] == written["γ^(i)"]
    assert letters["δ_2^(i)"] == written["δ_2^(i)"]


@pytest.mark.parametrize("page", sorted(PAGES.glob("*.*")), ids=lambda p: p.name)
def test_derivations_of_other_models_hold(page: Path) -> None:
    if page.name == "skip-gram-negative.md":
        with pytest.raises(FormulaError, match=r"families of columns \(u\) are not derived"):
            derive(read_page(page))
        return
    assert derive(read_page(page)).checked >= 10


def test_a_page_that_declares_no_shapes_is_read_by_convention() -> None:
    formulas = (
        r"h_t = \tanh(W h_{t-1} + U x_t + b)",
        r"\hat y_t = \mathrm{softmax}(V h_t + c)",
        r"J_t = -y_t^T \ln \hat y_t",
        r"\frac{\partial J_t}{\partial V} = (\hat y_t - y_t) h_t^T",
        r"\frac{\partial J_t}{\partial c} = y_t - \hat y_t",
    )
    text = "\n\n".join(f"$$ {formula} $$" for formula in formulas)
    page = page_of(text, "markdown")
    report = check(page)
    assert [c.verdict for c in report.claims] == [*[Verdict.HOLDS] * 4, Verdict.SIGN]
    assert any("W a matrix [m,m]" in remark for remark in report.remarks)
    assert derive(page).checked > 20


def test_a_circle_is_named_by_check_and_by_derive() -> None:
    shapes = "```\nW.shape = [n, n]\na.shape = [n, 1]\n```\n"
    page = page_of(shapes + "$$ a = W b $$\n\n$$ b = W a $$\n\n$$ J = a^T a $$\n", "markdown")
    assert {c.verdict for c in check(page).claims} == {Verdict.NOT_CHECKED}
    assert all("defined in a circle" in c.diagnosis for c in check(page).claims)
    with pytest.raises(FormulaError, match="defined in a circle: a → b → a"):
        derive(page)


def test_a_derivative_by_one_entry_of_a_row() -> None:
    shapes = "```\nX.shape = [N, D]\nW.shape = [D, K]\nb.shape = [1, K]\nY.shape = [N, K]\n```\n"
    formulas = (
        r"Z = X W + 1_N b",
        r"J = \frac{1}{2} \|Z - Y\|_F^2",
        r"\frac{\partial J}{\partial b_j} = \sum_{i=1}^{N} (Z_{ij} - Y_{ij})",
        r"\frac{\partial J}{\partial b_j} = \sum_{i=1}^{N} (Y_{ij} - Z_{ij})",
    )
    claims = check(page_of(shapes + "\n\n".join(f"$$ {formula} $$" for formula in formulas), "markdown")).claims
    assert [c.verdict for c in claims] == [*[Verdict.HOLDS] * 3, Verdict.SIGN]


def test_an_entry_that_a_number_does_not_have_is_told() -> None:
    shapes = "```\nX.shape = [N, D]\nr.shape = [N, 1]\nw.shape = [1, 1]\n```\n"
    formulas = (r"J = r^T r", r"\frac{\partial J}{\partial w_j} = \sum_{i=1}^{N} r_i X_{ij}")
    claims = check(page_of(shapes + "\n\n".join(f"$$ {formula} $$" for formula in formulas), "markdown")).claims
    assert [c.good for c in claims] == [True, False]
    assert claims[1].diagnosis.startswith("an index leaves the shape [1,1]: declare")
