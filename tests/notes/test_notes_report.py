"""What a check is shown as: JSON and lines for a terminal; and the command."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from command_line import Run
from report_examples import POINT, checked

import elman
from elman.notes import check
from elman.notes.judge.verdict import Claim, Repair, Report, Verdict
from elman.notes.page.page import Page
from elman.notes.page.reader import page_of
from elman.notes.report.json_report import as_json
from elman.notes.report.open_points import open_points
from elman.notes.report.terminal import as_terminal
from elman.notes.report.words import Tally, counterexample_in_words, summary


def test_json(report: Report) -> None:
    found = json.loads(json.dumps(as_json(report)))
    assert found["holds"] is False
    assert found["summary"] == summary(report) == "1 of 6 claims holds, 3 do not, 2 were not checked"
    assert found["counts"]["wrong sign"] == 1
    assert [c["line"] for c in found["claims"]] == [3, 5, 5, 10, 11, 18]
    assert found["claims"][2]["fix"] == "W x"
    assert found["claims"][2]["fixes"][0]["edits"] == ["drop the transpose"]
    assert found["claims"][1]["shapes"][0] == {"start": 0, "end": 1, "shape": "[m,n]"}


def test_summaries() -> None:
    assert summary(Report("p", ())) == "this page makes no claim"
    one = Claim(1, 1, 0, 1, "a", "b", Verdict.HOLDS)
    assert summary(Report("p", (one,))) == "the one claim holds"
    assert summary(Report("p", (one, one))) == "all 2 claims hold"
    bad = replace(one, verdict=Verdict.FALSE)
    assert summary(Report("p", (bad,))) == "the one claim does not hold"
    assert summary(Report("p", (one, bad))) == "1 of 2 claims holds, 1 does not"
    assert summary(Report("p", (one, one, bad, bad))) == "2 of 4 claims hold, 2 do not"


def plain(report: Report, width: int = 80, verbose: bool = False) -> list[str]:
    return [line.plain for line in as_terminal(report, width, verbose)]


def test_the_terminal_shows_first_what_is_wrong(report: Report) -> None:
    assert plain(report) == [
        " 3:73  ✗ wrong sign",
        "         a = c$",
        "         it is -1 times `b`",
        " 5:14  ✗ extra transpose",
        "         z = W^T x",
        "         <does not fit>",
        "         repair: W x  (drop the transpose)",
        "10:11  ✗ wrong shape",
        "         shape of z = [B,V]",
        "         it is [m,1]",
        "not checked:",
        "  ? line 11: z has no shape: declare one",
        "  ? line 18: { is not closed",
        "note: the layout is mixed",
        "2 formulas left out, as the page's directives ask",
        "1 holds; -v lists it",
        "reading: W a matrix [m,n]",
        "notes.md: 1 of 6 claims holds, 3 do not, 2 were not checked",
    ]


def test_the_verbose_terminal_lists_everything(report: Report) -> None:
    lines = plain(report, verbose=True)
    assert "  5:8  ✓ z = W x" in lines
    assert lines[lines.index(" 11:5  ? undefined symbol") + 1].strip() == "h = W @ z"
    assert not any("-v" in line for line in lines)
    assert len([line for line in lines if line.startswith("reading: ")]) == 1


def test_a_counterexample_is_one_line() -> None:
    words = "at m = 3, n = 5: left side -0.215, right side 0.2494 in entry (2,1), i = 1, j = 2"
    assert counterexample_in_words(POINT) == words
    numbers = replace(POINT, sizes={}, indices={}, letters={"w": ((2.0,),), "x": ((1 / 3,),)}, shapes=((1, 1), (1, 1)))
    assert counterexample_in_words(numbers) == "at w = 2, x = 0.3333: left side -0.215, right side 0.2494"
    near = replace(numbers, left=1.000001, right=1.000002)
    assert "left side 1.000001, right side 1.000002" in counterexample_in_words(near)
    shapes = replace(POINT, entry=None, left=None, right=None, indices={}, shapes=((3, 5), (5, 3)))
    assert counterexample_in_words(shapes) == "at m = 3, n = 5: left side is [3,5], right side [5,3]"
    endless = replace(POINT, left=float("nan"), right=float("inf"))
    assert "not finite" in counterexample_in_words(endless)


def test_the_reason_does_not_repeat_the_counterexample() -> None:
    wrong = Claim(1, 1, 0, 1, "a", "b", Verdict.FALSE, f"the two sides differ: {POINT}", counterexample=POINT)
    lines = plain(Report("p", (wrong,)))
    assert [line.strip() for line in lines[2:-1]] == [
        "at m = 3, n = 5: left side -0.215, right side 0.2494 in entry (2,1),",
        "i = 1, j = 2",
    ]


def test_json_is_valid_whatever_the_numbers(report: Report) -> None:
    strange = replace(POINT, letters={"x": ((float("nan"), 1.5),)}, left=float("-inf"), right=None)
    wrong = Claim(1, 1, 0, 1, "a", "b", Verdict.FALSE, counterexample=strange)
    found = as_json(replace(report, claims=(*report.claims, wrong), seconds=float("inf")))
    point = json.loads(json.dumps(found, allow_nan=False))["claims"][-1]["counterexample"]
    assert (point["left"], point["right"], point["letters"]["x"]) == (None, None, [[None, 1.5]])
    assert (found["wrong"], found["not_checked"], found["holding"]) == (4, 2, 1)


# --- what was not checked ---


def unchecked(line: int, why: str, verdict: Verdict = Verdict.NOT_CHECKED, cell: int | None = None) -> Claim:
    return Claim(line, 1, line, line + 1, "a", "b", verdict, why, cell=cell)


def test_what_was_not_checked_is_folded_by_reason() -> None:
    why = "the sum has no bound: write the bound"
    claims = [unchecked(n, why) for n in (2, 4, 4, 9)]
    claims += [unchecked(n, f"}} is missing (line {n}, column 3)", Verdict.NOT_READ) for n in (1, 5)]
    assert [len(point.claims) for point in open_points(claims)] == [4, 2]
    lines = plain(Report("p", tuple(claims)))
    assert lines[1:3] == [f"  ? lines 2, 4 and 9: {why}", "  ? lines 1 and 5: } is missing"]
    assert lines[-1] == "p: 0 of 6 claims hold, 6 were not checked"
    many = plain(Report("p", tuple(unchecked(n, why) for n in range(1, 21))), 100)
    assert many[1] == f"  ? lines 1, 2, 3, 4, 5, 6, 7, 8 and 12 more: {why}"
    of_a_notebook = plain(Report("p", (unchecked(2, why, cell=1), unchecked(7, why, cell=3))))
    assert of_a_notebook[1] == f"  ? cell 1:2 and cell 3:7: {why}"


def test_what_was_not_checked_has_at_most_twelve_lines() -> None:
    short = plain(Report("p", tuple(unchecked(n, f"reason {n}") for n in range(1, 31))))
    assert len([line for line in short if line.startswith("  ? ")]) == 12
    assert "    and 18 more (-v lists them)" in short
    long = plain(Report("p", tuple(unchecked(n, f"{n} " + "reason " * 30) for n in range(1, 31))))
    assert len(long) <= 16
    assert "    and 26 more (-v lists them)" in long
    assert len(plain(Report("p", (unchecked(1, "reason " * 400),)))) > 30  # one reason is never cut


def test_a_page_that_is_not_checked_is_not_wrong() -> None:
    report = Report("p", (unchecked(1, "why"),))
    assert report.holds
    assert Tally.of(report).wrong == ()
    assert "holds" not in "".join(plain(report))


def test_sections_are_read_in_a_few_lines() -> None:
    remarks = tuple(f"reading: x a column [n{n}]" for n in range(9))
    lines = plain(Report("p", (), remarks))
    assert lines[:-1] == [*remarks[:4], "and 5 more sections; -v says how each was read"]
    assert plain(Report("p", (), remarks), verbose=True)[:-1] == list(remarks)


def test_no_formula_is_cut() -> None:
    long = " + ".join(f"x_{{{n}}}" for n in range(80))
    for verdict in (Verdict.HOLDS, Verdict.FALSE, Verdict.NOT_CHECKED):
        lines = plain(Report("p", (Claim(1, 1, 0, 1, "y", long, verdict),)), 60, verbose=True)
        assert max(map(len, lines)) <= 60
        assert f"y = {long}" in " ".join(line.strip().removeprefix("1:1  ✓ ") for line in lines)


def test_wide_characters_are_counted_as_two() -> None:
    words = " ".join(["损失函数"] * 20)
    lines = as_terminal(Report("p", (Claim(1, 1, 0, 1, "a", "b", Verdict.FALSE, words),)), 50)
    assert max(line.cell_len for line in lines) <= 50


# --- the command ---


NOTES = """# Linear regression, $W \\in \\mathbb{R}^{m \\times n}$, $x \\in \\mathbb{R}^n$, $y \\in \\mathbb{R}^m$

$$ r = W x - y $$

$$ J = r^T r $$

$$ \\frac{\\partial J}{\\partial W} = 2 r x^T $$
"""


def test_check_a_page(tmp_path: Path, command: Run) -> None:
    (tmp_path / "good.md").write_text(NOTES)
    done = command("check", "good.md", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1].startswith("good.md: all")
    (tmp_path / "bad.md").write_text(NOTES.replace("2 r x^T", "-2 r x^T"))
    done = command("check", "bad.md", "--html", "bad.html", "--fix", "fixed.md", cwd=tmp_path)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "written: fixed.md, with 1 repair" in done.stderr
    checked((tmp_path / "bad.html").read_text())
    assert command("check", "fixed.md", cwd=tmp_path).returncode == 0
    found = json.loads(command("check", "bad.md", "--json", cwd=tmp_path).stdout)
    assert found["holds"] is False


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_report_in_the_guide_is_that_of_the_example(command: Run, language: str) -> None:
    root = Path(__file__).parents[2]
    guide = (root / "docs" / ("guide.md" if language == "en" else "guide.zh-CN.md")).read_text(encoding="utf-8")
    (shown,) = re.findall(r"^```console\n\$ elman check examples/wrong.md[^\n]*\n(.*?)^```", guide, re.S | re.M)
    printed = command("check", "examples/wrong.md", "--lang", language, cwd=root).stdout
    numbers = r"-?\d+\.\d+"  # the random point may change
    assert re.sub(numbers, "0.0", printed) == re.sub(numbers, "0.0", shown)


def test_the_public_names_of_the_room(tmp_path: Path) -> None:
    path = tmp_path / "good.md"
    path.write_text(NOTES)
    report = elman.notes.check(str(path))
    assert isinstance(report, elman.notes.Report)
    assert report.holds
    assert report.claims[0].verdict is elman.notes.Verdict.HOLDS
    assert (elman.notes.Claim, elman.notes.Repair) == (Claim, Repair)


def test_a_page_cannot_control_the_terminal() -> None:
    text = "$$ a = \x1b[31mb $$\n\n$$ \u202ec = d $$"
    for line in as_terminal(check(page_of(text, path=Path("\x1b[2J.md"))), 80):
        assert not re.search("[\x00-\x1f\u202a-\u202e]", line.plain), line.plain


def test_a_long_repair_is_wrapped(page: Page) -> None:
    words = tuple(f"edit number {n}" for n in range(9))
    fix = Repair(" + ".join(["x"] * 40), 0, 1, "", words)
    wrong = Claim(1, 1, 0, 1, "a", "b", Verdict.FALSE, fixes=(fix, fix))
    lines = [line.plain for line in as_terminal(Report("p", (wrong,)), 60)]
    assert max(map(len, lines)) <= 60
    assert sum(line.startswith("       repair: x + x") for line in lines) == 1
    assert sum(line.startswith("           or: x + x") for line in lines) == 1
    assert "               (edit number 0; edit number 1; edit number 2;" in lines


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["nowhere.md"], "nowhere.md does not exist"),
        (["notes.md", "--fix", "notes.md"], "is an input of this command"),
        (["notes.md", "--html", "o", "--fix", "o"], "name the same file"),
        (["notes.md", "--html", "no/where/o.html"], "cannot write no/where/o.html"),
        (["notes.md", "--model", "other"], "'other' is not 'elman'"),
        (["notes.md", "--json", "-v"], "--json lists every formula already"),
    ],
)
def test_wrong_calls_of_check(tmp_path: Path, command: Run, arguments: list[str], sentence: str) -> None:
    (tmp_path / "notes.md").write_text(NOTES)
    done = command("check", *arguments, cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr


def test_a_formula_of_which_nothing_is_left_is_shown_whole() -> None:
    found = check(page_of(r"$$ L = \text{其他}(x) $$")).claims[0]
    assert (found.verdict, found.formula) == (Verdict.NOT_READ, r"L = \text{其他}(x)")
