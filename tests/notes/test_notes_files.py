"""Notebooks, pages with their repairs in them, and files that do not do."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from elman.errors import TextError
from elman.notes.judge.verdict import Claim, Repair, Report, Verdict
from elman.notes.page.page import Page
from elman.notes.page.reader import page_of, read_page
from elman.notes.repair.fix import apply_fixes, corrected_file, planned_edits


def notebook(*cells: tuple[str, str | list[str]]) -> str:
    made = [{"cell_type": kind, "metadata": {"é": 1.0}, "source": source} for kind, source in cells]
    return json.dumps({"cells": made, "nbformat": 4}, indent=1, ensure_ascii=False) + "\n"


def test_notebooks(tmp_path: Path) -> None:
    source = notebook(
        ("markdown", ["# Title\n", "prose and $$z = W x$$\n", "$a"]), ("code", "x.shape = [V,B]\nh = W @ x"),
        ("raw", "$no$"), ("code", ["import numpy\n", "h = W @ x"]), ("markdown", "b$ and $y = z^T$"),
    )  # fmt: skip
    path = tmp_path / "n.ipynb"
    path.write_text(source)
    page = read_page(path)
    assert [f.text for f in page.formulas] == ["z = W x", "h = W @ x", "y = z^T"]
    assert [(f.cell, f.line, f.column) for f in page.formulas] == [(1, 2, 13), (2, 2, 1), (5, 1, 9)]
    assert page.formulas[2].heading == "Title"
    assert [(s.name, s.cell, s.line) for s in page.shapes] == [("x", 2, 1)]
    assert corrected_file(page, report(page)) == source
    fixed = corrected_file(page, report(page, ("z^T", "z"), ("z = W x", "z = W x\n+ b")))
    expected = json.loads(source)
    expected["cells"][0]["source"] = ["# Title\n", "prose and $$z = W x\n", "+ b$$\n", "$a"]
    expected["cells"][4]["source"] = "b$ and $y = z$"
    assert json.loads(fixed) == expected
    assert fixed == json.dumps(expected, indent=1, ensure_ascii=False) + "\n"


def test_a_display_in_the_first_line_of_a_cell_stands_alone(tmp_path: Path) -> None:
    """Words of the cell before are no words of its line, which would make it inline."""
    path = tmp_path / "n.ipynb"
    path.write_text(notebook(("markdown", "A matrix and a column."), ("markdown", "$$z = W$$\nand then"), ("raw", "")))
    assert [f.kind for f in read_page(path).formulas] == ["display"]


def report(page: Page, *changes: tuple[str, str]) -> Report:
    """A report that asks for these replacements."""
    claims = []
    for old, new in changes:
        start = page.text.index(old)
        fix = Repair(new, start, start + len(old), new, ("edit",))
        line, column, cell = page.place(start)
        claims.append(Claim(line, column, start, start + len(old), "l", old, Verdict.SIGN, fixes=(fix,), cell=cell))
    return Report(str(page.path), tuple(claims))


def test_fixes() -> None:
    page = page_of("Prose.\r\n\r\n$a = b$ and $c = d$,\twell.  \n")
    assert apply_fixes(page, report(page)) == page.text
    wanted = report(page, ("d$", "-d$"), ("b", "b^T"), ("b", "b^T"), ("a = b", "x"), ("b", "c"))
    assert apply_fixes(page, wanted) == "Prose.\r\n\r\n$a = b^T$ and $c = -d$,\twell.  \n"
    assert [claim.formula for claim in planned_edits(page, wanted)[1]] == ["a = b", "b"]


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("a.md", b"\x7fELF\0", "is binary: it has a zero byte at offset 4"),
        ("a.md", b"good \xff\n", "is not UTF-8: byte 0xFF at offset 5"),
        ("a.ipynb", b"{", "is not a notebook: its JSON is not valid at line 1"),
        ("a.ipynb", b"[" * 100_000, "its JSON is not valid"),
        ("a.ipynb", b"[]", "it has no list of cells"),
        ("a.ipynb", b'{"cells": [{"source": [1]}]}', "the source of cell 1 is not text"),
        ("a.md", b" " * (16 * 2**20 + 1), "is larger than 16 MB"),
    ],
)
def test_pages_that_do_not_do(tmp_path: Path, name: str, content: bytes, sentence: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(TextError, match=sentence.replace("[", r"\[")):
        read_page(tmp_path / name)


def test_missing_pages_and_folders(tmp_path: Path) -> None:
    with pytest.raises(TextError, match="does not exist"):
        read_page(tmp_path / "nowhere.md")
    with pytest.raises(TextError, match="is a folder"):
        read_page(tmp_path)
    (tmp_path / "empty.md").write_text("")
    assert read_page(tmp_path / "empty.md").formulas == ()
