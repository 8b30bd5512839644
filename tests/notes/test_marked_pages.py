"""The pages of tests/pages: `<!-- right -->` marks what holds, `<!-- wrong -->` what does not.

`<!-- open -->` marks what is not checked. Each page shows a way of writing that public pages have: entries of
functions, layers as superscripts, equations in words.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from elman.notes import check
from elman.notes.judge.verdict import UNJUDGED, Claim, Verdict
from elman.notes.page.reader import page_of

PAGES = Path(__file__).parents[1] / "pages"
MARKS = ("right", "wrong", "open")


def marked(page: str) -> dict[str, list[Claim]]:
    """The claims on the lines with each mark."""
    lines = page.split("\n")
    claims = [c for c in check(page_of(page)).claims if c.verdict is not Verdict.NOT_A_CLAIM]
    return {mark: [c for c in claims if lines[c.line - 1].endswith(f"<!-- {mark} -->")] for mark in MARKS}


@pytest.mark.parametrize("name", sorted(path.name for path in PAGES.glob("*.md")))
def test_what_is_right_holds_and_what_is_wrong_is_marked(name: str) -> None:
    page = (PAGES / name).read_text(encoding="utf-8")
    found = marked(page)
    for mark in MARKS:
        assert len({c.line for c in found[mark]}) == page.count(f"<!-- {mark} -->")
    assert [(c.line, c.verdict, c.diagnosis) for c in found["right"] if not c.good] == []
    assert [(c.line, c.verdict, c.diagnosis) for c in found["wrong"] if c.good or c.verdict in UNJUDGED] == []
    assert [(c.line, c.verdict, c.diagnosis) for c in found["open"] if c.verdict not in UNJUDGED] == []


def test_a_repair_calls_the_last_layer_as_the_page_does() -> None:
    page = (PAGES / "layers-as-superscripts.md").read_text(encoding="utf-8")
    (wrong,) = (c for c in check(page_of(page)).claims if "(t - g^L)" in c.formula)
    assert wrong.fix is not None
    assert "L" in wrong.fix
    assert "T" not in wrong.fix


def test_an_index_that_the_right_side_lacks_is_one_of_what_it_is_by() -> None:
    page = "$r_i = \\sum_j a_{ij}^2$\n\n$$\\frac{\\partial r_k}{\\partial a_{ij}} = 2 a_{ij}$$"
    (claim,) = (c for c in check(page_of(page)).claims if "partial" in c.left)
    assert claim.good
    assert "k = i" in claim.reading


def test_a_repair_of_a_cell_keeps_the_braces_of_a_label_with_two_digits() -> None:
    product = (
        r"\begin{pmatrix} f_1 & f_2 \end{pmatrix} \begin{pmatrix} m_{11} & m_{12} \\ m_{21} & m_{22} \end{pmatrix}"
    )
    row = r"\begin{pmatrix} f_1 m_{11} + f_2 m_{21} & f_1 m_{12} + f_2 m_{12} \end{pmatrix}"
    (claim,) = check(page_of(f"$$ {product} = {row} $$")).claims
    assert claim.fix is not None
    assert "f_1 m_{12} + f_2 m_{22}" in claim.fix


def test_a_symmetric_matrix_of_products_has_no_slip() -> None:
    left, right = r"o_{11} & o_{12} \\ o_{21} & o_{22}", r"q_1 c_{11} & q_1 c_{12} \\ q_2 c_{12} & q_2 c_{22}"
    page = f"$$ \\begin{{bmatrix}} {left} \\end{{bmatrix}} = \\begin{{bmatrix}} {right} \\end{{bmatrix}} $$"
    assert not any(c.is_wrong for c in check(page_of(page)).claims)


def test_a_row_by_another_letter_than_the_row_above_is_wrong() -> None:
    page = (PAGES / "other-variables.md").read_text(encoding="utf-8")
    claims = [c for c in check(page_of(page)).claims if "(M k + c)" in c.formula]
    assert [c.is_wrong for c in claims] == [False, False, True]
    assert claims[-1].diagnosis == "the row above is by k, and M k + c has no u"


def test_a_missing_break_is_no_chain_to_another_letter() -> None:
    page = (PAGES / "other-variables.md").read_text(encoding="utf-8")
    line = next(k for k, written in enumerate(page.split("\n"), 1) if written.endswith("<!-- break -->"))
    ends = [c for c in check(page_of(page)).claims if c.line == line]
    assert len(ends) > 2
    assert not any("the chain ends" in c.diagnosis for c in ends)
