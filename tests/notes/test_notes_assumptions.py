"""What the author tells the reader: directives on the page, and --assume."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from elman.cli import main as main_command
from elman.errors import ConfigError, TextError
from elman.notes.page.assumptions import assuming_options
from elman.notes.page.page import Page
from elman.notes.page.reader import page_of

TOLD = [
    ("g is a number", ("g", "number", "1", "1")),
    ("u is a column [p]", ("u", "column", "p", "1")),
    ("u is a column vector", ("u", "column", "", "")),
    ("u is a vector [p]", ("u", "column", "p", "1")),
    ("v is a row [q]", ("v", "row", "1", "q")),
    ("M is a matrix [p, q]", ("M", "matrix", "p", "q")),
    ("$M_h$ [p,q]", ("M_h", "matrix", "p", "q")),
    (r"\lambda is a scalar", ("lambda", "number", "1", "1")),
    ("W_{hh} (Dh, Dh)", ("W_hh", "matrix", "Dh", "Dh")),
    ("g is any function", ("g", "function", "", "")),
    ("e is Euler's number", ("e", "euler", "", "")),
    ("l numbers the layers", ("l", "layers", "", "")),
    ("i numbers the examples", ("i", "examples", "", "")),
    ("k numbers the time steps", ("k", "steps", "", "")),
    ("u = p", ("u", "column", "p", "1")),
]


def told(page: Page) -> list[tuple[str, str, str, str]]:
    return [(a.name, a.role, a.rows, a.columns) for a in page.assumptions]


@pytest.mark.parametrize(("words", "expected"), TOLD)
def test_a_directive_is_read(words: str, expected: tuple[str, str, str, str]) -> None:
    assert told(page_of(f"# A page\n\n<!-- elman: {words} -->\n\n$$y = u$$\n")) == [expected]
    assert told(page_of(f"Text.\n% elman: {words}\n\\[ y = u \\]\n", "latex")) == [expected]


def test_a_directive_in_a_notebook_and_in_plain_text() -> None:
    cells = [
        {"cell_type": "code", "source": ["1 + 1\n"]},
        {"cell_type": "markdown", "source": ["Hello\n", "<!-- elman: g is a number; u [p] -->\n"]},
    ]
    page = page_of(json.dumps({"cells": cells}), "notebook")
    assert [(a.name, a.line, a.cell) for a in page.assumptions] == [("g", 2, 2), ("u", 2, 2)]
    assert told(page_of("<!-- elman: g is a number -->\ny = g * u\n", "text")) == [("g", "number", "1", "1")]


def test_a_directive_overrides_what_the_page_declares() -> None:
    page = page_of("<!-- elman: b is a number -->\n$b \\in \\mathbb{R}^m$, $w \\in \\mathbb{R}^{n}$\n")
    assert [(s.name, s.rows, s.columns) for s in page.shapes] == [("b", "1", "1"), ("w", "n", "1")]
    assert page.kinds["b"].kind == "number"


@pytest.mark.parametrize(
    ("words", "part"),
    [
        ("b is a bias", "not known"),
        ("", "not known"),
        ("b", "not known"),
        ("x is a column [m,n]", "contradicts itself"),
        ("x is a number [n]", "contradicts itself"),
        ("x is a row [0]", "size of 0"),
        ("x [a,b,c]", "write m,n"),
        ("784 is a number", "not the name of a letter"),
    ],
)
def test_an_unknown_directive_is_an_error_with_its_line(words: str, part: str) -> None:
    with pytest.raises(TextError, match=r"page\.md, line 3: the directive") as error:
        page_of(f"Text\n\n<!-- elman: {words} -->\n")
    assert part in str(error.value)


@pytest.mark.parametrize("comment", ["Elman (1990)", "see Elman: 1990", "to do", "elman check: off"])
def test_other_comments_are_no_directives(comment: str) -> None:
    assert not page_of(f"<!-- {comment} -->\n$y = x$\n").assumptions


def test_a_misspelt_switch_is_an_error() -> None:
    with pytest.raises(TextError, match="check: of"):
        page_of("<!-- elman check: of -->\n$y = x$\n")


def test_options_win_over_directives() -> None:
    page = page_of("<!-- elman: b is a number -->\n$$y = W x + b + \\lambda + \\hat{z}$$\n")
    assumed = assuming_options(page, ["b=m", r"\lambda=1", "W=m,n", "z_hat=m"])
    assert [(s.name, s.rows, s.columns) for s in assumed.shapes] == [
        ("b", "m", "1"), ("lambda", "1", "1"), ("W", "m", "n"), ("z_hat", "m", "1"),
    ]  # fmt: skip
    assert {name: kind.kind for name, kind in assumed.kinds.items()} == {
        "b": "column", "lambda": "number", "W": "matrix", "z_hat": "column",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("option", "part"),
    [("b=1,2,3", "write m,n"), ("b", "not known"), ("q=1", "no formula of page.md has q"), ("b=0", "size of 0")],
)
def test_an_option_that_is_no_assumption_is_refused(option: str, part: str) -> None:
    page = page_of("$$y = W x + b + \\eqref{1}$$\n")
    with pytest.raises(ConfigError, match=f"--assume {option}: ") as error:
        assuming_options(page, [option])
    assert part in str(error.value)


FORWARD = "$$z = W x + b$$\n$$L = \\frac{1}{2} \\|z\\|^2$$\n"
ASSUMED = ["--assume", "W=k,r", "--assume", "x=r", "--assume", "b=k"]


def test_check_and_derive_take_assumptions(tmp_path: Path) -> None:
    path = tmp_path / "model.md"
    path.write_text(FORWARD)
    done = CliRunner().invoke(main_command, ["derive", str(path), "--wrt", "W", *ASSUMED])
    assert "W.shape = [k, r]" in done.output
    path.write_text(FORWARD + "$$\\frac{\\partial L}{\\partial W} = z x^T$$\n")
    assert CliRunner().invoke(main_command, ["check", str(path), *ASSUMED]).exit_code == 0


def test_a_formula_has_shapes_and_no_assumptions() -> None:
    done = CliRunner().invoke(main_command, ["derive", "a^T x", "--wrt", "x", "--assume", "a=n"])
    assert done.exit_code == 2
    assert "--shape a=n" in done.output
