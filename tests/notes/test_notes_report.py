"""What a check is shown as: JSON, lines for a terminal, one HTML page; and the command."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from base64 import b64encode
from dataclasses import replace
from hashlib import sha256
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest
from command_line import Run
from hypothesis import example, given, settings
from hypothesis import strategies as st

import elman
from elman.calculus.printing.mathml import mathml
from elman.calculus.syntax.parse import parse
from elman.notes import check
from elman.notes.judge.verdict import Claim, Repair, Report, Verdict
from elman.notes.oracle.counterexample import Counterexample
from elman.notes.page.page import Page
from elman.notes.page.reader import page_of
from elman.notes.report.displayed_math import displayed_math
from elman.notes.report.html import as_html
from elman.notes.report.json_report import as_json
from elman.notes.report.open_points import open_points
from elman.notes.report.pieces import Slot, slot
from elman.notes.report.render_markdown import markdown_to_html
from elman.notes.report.terminal import as_terminal
from elman.notes.report.words import Tally, counterexample_in_words, summary

TEXT = r"""# Notes <b>

Some *prose* with `code` and $W \in \mathbb{R}^{m \times n}$, then $a = c$.

$$ z = W x = W^T x $$

    今天的注

```python
z.shape = [B,V]
h = W @ z
```

| symbol | shape |
|---|---|
| $W$ | $[m,n]$ |

$$ \frac{a}{ $$
"""
GUIDE = (Path(__file__).parents[2] / "docs" / "guide.md").read_text()
POINT = Counterexample(
    {"m": 3, "n": 5}, {"i": 1, "j": 2}, {"x": ((0.5,), (-1.25,))}, ((3, 5), (3, 5)), (2, 1), -0.215, 0.2494
)


def claim(page: Page, formula: str, verdict: Verdict, left: str = "", **more: object) -> Claim:
    start = page.text.index(formula)
    line, column, cell = page.place(start)
    return Claim(line, column, start, start + len(formula), left, formula, verdict, cell=cell, **more)  # type: ignore[arg-type]


@pytest.fixture
def page() -> Page:
    return page_of(TEXT, path=Path("notes.md"))


@pytest.fixture
def report(page: Page) -> Report:
    start = page.text.index("W^T x")
    fix = Repair("W x", start, start + 5, "W x", ("drop the transpose",), (Verdict.EXTRA_TRANSPOSE,))
    return Report(
        "notes.md",
        (
            claim(page, "c$", Verdict.SIGN, "a", diagnosis="it is -1 times `b`"),
            claim(page, "W x", Verdict.HOLDS, "z", shapes=((0, 1, "[m,n]"), (2, 3, "[n,1]")), reading="defines z"),
            claim(page, "W^T x", Verdict.EXTRA_TRANSPOSE, "z", diagnosis="<does not fit>", fixes=(fix,)),
            claim(page, "[B,V]", Verdict.SHAPE, "shape of z", diagnosis="it is [m,1]"),
            claim(page, "W @ z", Verdict.UNDEFINED, "h", diagnosis="z has no shape: declare one"),
            claim(page, r"\frac{a}{", Verdict.NOT_READ, diagnosis="{ is not closed (line 18, column 9)"),
        ),
        ("the layout is mixed", "reading: W a matrix [m,n]"),
        skipped=2,
        seconds=0.25,
    )


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


# --- HTML ---


class Checked(HTMLParser):
    """Tags closed as they were opened, and no address outside the page."""

    VOID = frozenset({"meta", "br", "hr"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.targets: list[str] = []
        self.scripts = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        assert tag not in {"link", "img", "iframe", "b1"}
        self.scripts += tag == "script"
        assert "src" not in given
        if given.get("id"):
            self.ids.append(str(given["id"]))
        if str(given.get("href", "")).startswith("#"):
            self.targets.append(str(given["href"])[1:])
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def checked(html: str) -> Checked:
    parser = Checked()
    parser.feed(html)
    parser.close()
    assert parser.open == []
    assert parser.scripts == 1  # the report's own
    assert len(parser.ids) == len(set(parser.ids))
    assert set(parser.targets) <= set(parser.ids)
    return parser


def test_html_is_one_page_with_everything_on_it(page: Page, report: Report) -> None:
    html = as_html(page, report)
    parser = checked(html)
    assert {f"claim-{n}" for n in range(1, 7)} <= set(parser.ids)
    assert "<title>notes.md: 1 of 6 claims holds, 3 do not, 2 were not checked</title>" in html
    for words in (
        "extra transpose", "&lt;does not fit&gt;", "it is -1 times <code>b</code>", "the layout is mixed",
        "Notes &lt;b&gt;", "<em>prose</em>", "今天的注", "drop the transpose", "<table>", "2 formulas were left out",
    ):  # fmt: skip
        assert words in html, words
    assert '<mtext class="shape">[m,n]</mtext>' in html
    assert "http" not in html.replace("http-equiv", "")


def test_the_policy_allows_one_script_by_its_hash(page: Page, report: Report) -> None:
    html = as_html(page, report)
    (script,) = re.findall(r"<script>(.*?)</script>", html, re.S)
    assert f"script-src 'sha256-{b64encode(sha256(script.encode()).digest()).decode()}'\"" in html
    assert not re.search(r"\son\w+=", re.sub(r"<script>.*?</script>", "", html, flags=re.S))


def test_the_lists_have_what_is_wrong_first(page: Page, report: Report) -> None:
    html = as_html(page, report)
    head = html[html.index("<header>") : html.index("</header>")]
    kinds = re.findall(r'data-kind="(\w+)"', head)
    assert kinds == ["wrong", "open", "holds"]
    wrong, open_, holds = re.split(r"data-kind=", head)[1:]
    assert len(re.findall("<li>", wrong)) == 3
    assert "z has no shape: declare one" in open_
    assert "1 formula holds" in holds
    assert re.findall(r'<button type="button" value="(\w+)"', head) == ["all", "wrong", "open", "holds"]
    assert "<button" not in as_html(page, Report("p", ()))[: html.index("</header>")].split("<figure>")[0]


def test_every_displayed_formula_and_every_repair_can_be_copied(page: Page, report: Report) -> None:
    html = as_html(page, report)
    copied = re.findall(r'class="copy" value="([^"]*)"', html)
    assert {"z = W x = W^T x", r"\frac{a}{", "W x", "a = c$"} <= set(copied)
    assert html.count("<figure>") == 2
    aligned = "\\begin{align}\na &= b\n\\end{align}"
    assert f'value="{aligned}">copy LaTeX<' in as_html(page_of(aligned, "latex"), Report("p", ()))


def test_a_counterexample_shows_its_point(page: Page) -> None:
    html = as_html(page, Report("p", (claim(page, "W^T x", Verdict.FALSE, "z", counterexample=POINT),)))
    assert "left side -0.215, right side 0.2494 in entry (2,1), i = 1, j = 2" in html
    assert "<mtr><mtd><mn>0.5</mn></mtd></mtr><mtr><mtd><mn>−1.25</mn></mtd></mtr>" in html
    many = replace(POINT, letters={"x": ((0.5,),) * 8, "y": ((0.5,),) * 8})
    folded = as_html(page, Report("p", (claim(page, "W^T x", Verdict.FALSE, "z", counterexample=many),)))
    assert "<details><summary>the values of the letters there</summary>" in folded


@pytest.mark.parametrize(
    ("formula", "shown", "hidden"),
    [
        (r"J = -\sum_{i \in S} y_i \log p_i", ["<mi>log</mi>", "<mi>S</mi>"], "<mi>ln</mi>"),
        (r"\frac{\partial^2 J}{\partial x^2} = \operatorname{tr}(A)", ["<mi>tr</mi>"], "tr2"),
        (r"J_{\text{损失}} = a", ["<mtext>损失</mtext>"], "<code"),
        (r"J = \mathrm{Trace}(A)", ["<mi>Trace</mi>"], "<mi>tr</mi>"),
        (r"\begin{aligned} J &= \log a \\ &= \log b \end{aligned}", ["<mi>log</mi>"], "<code"),
    ],
)
def test_a_formula_is_shown_as_the_page_writes_it(formula: str, shown: list[str], hidden: str) -> None:
    page = page_of(f"$$ {formula} $$")
    html = as_html(page, check(page))
    figure = html[html.index("<figure>") : html.index("</figure>")]
    for part in shown:
        assert part in figure, figure
    assert hidden not in figure


def test_shapes_stand_below_the_letters_of_a_formula_as_it_is_written() -> None:
    page = page_of("$$ y =  {W}^T   x + 2 W_{1}^2 $$")
    formula = "{W}^T x + 2 W_{1}^2"
    start = page.text.index("{W}")
    shapes = ((0, 3, "[m,n]"), (6, 7, "[m,1]"), (12, 17, "[k,k]"))
    found = Claim(1, 1, start, start + 20, "y", formula, Verdict.HOLDS, shapes=shapes)
    html = as_html(page, Report("p", (found,)))
    assert re.findall(r'<mtext class="shape">(.*?)</mtext>', html) == ["[n,m]", "[m,1]"]


def test_the_language_of_the_notes_is_named() -> None:
    for text, language in (("损失函数", ' lang="zh"'), ("損失のかんすう", ' lang="ja"'), ("a loss", "")):
        assert f"<main{language}>" in as_html(page_of(text), Report("p", ()))


CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)
USE = """<script>
const shown = {}, visible = node => node.getClientRects().length > 0;
for (const button of document.querySelectorAll(".choose button")) {
  button.click();
  shown[button.value] = [...document.querySelectorAll("main [id^=claim]")].filter(visible).map(node => node.id);
}
document.title = JSON.stringify(shown);
</script>"""


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed")
def test_the_buttons_choose_what_is_shown(tmp_path: Path, page: Page, report: Report) -> None:
    def used(html: str) -> str:
        (tmp_path / "page.html").write_text(html)
        assert CHROMIUM is not None
        call = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom"]
        call += [f"--user-data-dir={tmp_path / 'profile'}", (tmp_path / "page.html").as_uri()]
        return subprocess.run(call, capture_output=True, text=True, timeout=100, check=True).stdout

    html = as_html(page, report)
    assert '<html lang="en" class="scripted">' in used(html)  # its policy lets the script run
    without_policy = re.sub(r"<meta http-equiv[^>]*>", "", html)
    found = used(without_policy.replace("</body>", f"{USE}</body>"))
    shown = json.loads(re.search(r"<title>(.*?)</title>", found)[1])  # type: ignore[index]
    assert set(shown["all"]) == {f"claim-{n}" for n in range(1, 7)}
    assert {"claim-1", "claim-3", "claim-4"} <= set(shown["wrong"])
    assert "claim-6" not in shown["wrong"]
    assert {"claim-5", "claim-6"} <= set(shown["open"])
    assert "claim-3" not in shown["open"]
    assert "claim-2" in shown["holds"]
    assert "claim-6" not in shown["holds"]


@pytest.mark.parametrize("kind", ["latex", "text", "notebook"])
def test_html_of_other_pages(kind: str) -> None:
    text = {
        "latex": "\\section{One}\nProse \\emph{here}.\n\\begin{equation}z = Wx\\end{equation}",
        "text": "One <b>\nz = W x\n\nTwo",
        "notebook": json.dumps({"cells": [{"cell_type": "markdown", "source": "# One\n$$z = Wx$$"},
                                          {"cell_type": "code", "source": "a = b @ c"}]}),
    }[kind]  # fmt: skip
    page = page_of(text, kind)
    assert page.formulas
    formula = page.formulas[0].text
    html = as_html(page, Report("p", (claim(page, formula, Verdict.ORDER, diagnosis="no"),)))
    assert "wrong order" in html
    assert "One" in html
    checked(html)


PIECES = [
    "$$ a = b $$", "$x$", "# h\n", "- i\n", "1. n\n", "> q\n", "|a|b|\n", "|-|-|\n", "```\n", "<i>", "&", "**b**",
    "*e*", "`c`", "[l](javascript:x)", "[l](#a)", "\n", "\n\n", "    ", "<!--", "-->", "\ue0001\ue001", "a_b_c",
    "\\$", "---\n", "x.shape = [A,B]\n",
]  # fmt: skip


@example(["*e*", "**b**"])
@example(["*", "[l](#a)", "*"])
@example(["***e***"])
@example(["$$ a = b $$", "```\n", "$$ a = b $$", "`c`"])
@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from(PIECES) | st.text(max_size=5), max_size=30))
def test_html_of_any_page_is_well_formed(pieces: list[str]) -> None:
    page = page_of("".join(pieces))
    places = [(f.line, f.column, f.start, f.start + len(f.text), "", f.text) for f in page.formulas]
    claims = [Claim(*place, Verdict.FALSE, "why") for place in places]
    html = as_html(page, Report("p", tuple(claims)))
    parser = Checked()
    parser.feed(html.replace('href="#a"', ""))
    assert parser.open == []
    assert "javascript:" not in re.sub(r">[^<]*<|value=\"[^\"]*\"", "><", html)
    assert {f"claim-{n}" for n in range(1, len(claims) + 1)} <= set(parser.ids)


def test_markdown() -> None:
    html = markdown_to_html(
        "Title\n===\n\n1. one\n2. two\n   - in\n\n> q **b**\n\n| a | b |\n|---|---|\n| x \\| y | `\\|` |\n\n"
        "![p](x.png) [t](u.md)",
        {},
    )
    assert "<h2>Title</h2>" in html
    assert "<ol><li>one</li><li>two\n<ul><li>in</li></ul></li></ol>" in html.replace("<p>two</p>", "two")
    assert "<blockquote><p>q <strong>b</strong></p></blockquote>" in html
    assert "<td>x | y</td><td><code>|</code></td>" in html
    assert '<a href="u.md">t</a>' in html
    parted = markdown_to_html(f"a {slot(1)} b", {1: Slot("<div></div>", True, "<hr>")})
    assert parted == "<p>a</p>\n<div></div>\n<p>b</p><hr>"


# --- what a page cannot do to the report ---


def text_and_tags(html: str) -> tuple[str, list[str]]:
    """The text of HTML, and its start tags with their attributes."""
    parser = Collected()
    parser.feed(html)
    parser.close()
    return "".join(parser.texts), parser.tags


class Collected(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.tags: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(" ".join([tag, *(f"{name}={value}" for name, value in attrs)]))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


@pytest.mark.parametrize(
    ("written", "tags", "text"),
    [
        ("a <script>alert(1)</script>", ["p"], "a <script>alert(1)</script>"),
        ("<script>\nalert(1)\n", [], "<script>\nalert(1)\n"),
        ("<style>p{display:none}</style>", [], "<style>p{display:none}</style>"),
        ('x <b onclick="f()" style="a">y</b>', ["p", "b"], "x y"),
        ("x <b>y", ["p"], "x <b>y"),
        ("x </b></p></main> y", ["p"], "x </b></main> y"),
        ("**x </strong> y**", ["p", "strong"], "x </strong> y"),
        ('<a href="javascript:f()">x</a>', ["p", "a"], "x"),
        ('<a href=" java&#115;cript:f()">x</a>', ["p", "a"], "x"),
        ("[x](JaVaScRiPt:f) [y](vbscript:f)", ["p"], "[x](JaVaScRiPt:f) [y](vbscript:f)"),
        ("[x](ftp://a/b) [y](//a/b)", ["p", "a href=//a/b"], "x y"),
        ("![x](https://a.b/c.png)", ["p", "a href=https://a.b/c.png"], "x"),
        ('<img src="https://a.b/c.png" onerror="f()" alt="x">', ["a href=https://a.b/c.png"], "x"),
        ("![x](file:///etc/passwd) ![y](../../secret.png)", ["p", "em"], "![x](file:///etc/passwd) y"),
        ("<iframe src=x></iframe>", [], "<iframe src=x></iframe>"),
        ("H<sub>2</sub>O<br>x <!-- c --> y", ["p", "sub", "br"], "H2Ox  y"),
        ("<details open><summary>s</summary>\n\n*x*\n\n</details>", ["details open=None", "summary", "p", "em"], "sx"),
        ("<details>\n\nx", ["p"], "<details>x"),
        ("<font color=red>红</font>", ["p"], "红"),
        ("&lt;b&gt; &amp; &copy;", ["p"], "<b> & ©"),
        ("**注意：**这里", ["p", "strong"], "注意：这里"),
        ("&#xe000;1&#xe001;", ["p"], "\ufffd1\ufffd"),
    ],
)
def test_the_html_of_a_page_is_made_harmless(written: str, tags: list[str], text: str) -> None:
    shown, found = text_and_tags(markdown_to_html(written, {1: Slot("<hr>")}, Path(__file__).parent))
    assert found == tags
    assert shown.replace("\n", "") == text.replace("\n", "")


def test_a_script_of_a_page_is_shown_and_not_run() -> None:
    text = (
        "<script>f()</script>\n\n$\\text{<script>f()</script>}$\n\n$$ \\href{javascript:f()}{x} + \\unicode{x3c} $$\n\n"
        "```\n<script>\n```\n\n| <script>f()</script> | [<script>](<script>) |\n|-|-|\n"
    )
    html = as_html(page_of(text), Report("p", ()))
    checked(html)
    assert html.count("<script") == 1
    assert text_and_tags(html)[0].count("<script>") == 5
    assert 'href="javascript' not in html
    assert "default-src 'none'" in html


def test_an_image_beside_the_page_is_embedded(tmp_path: Path) -> None:
    (tmp_path / "notes").mkdir()
    for path in ("notes/a.png", "b.png"):
        (tmp_path / path).write_bytes(b"\x89PNG\r\n\x1a\n")
    (tmp_path / "notes" / "c.png").write_text("no image")
    (tmp_path / "notes" / "d.png").symlink_to(tmp_path / "b.png")
    html = markdown_to_html("![a](a.png) ![b](../b.png) ![c](c.png) ![d](d.png)", {}, tmp_path / "notes")
    assert text_and_tags(html)[1] == ["p", "img src=data:image/png;base64,iVBORw0KGgo= alt=a", "em", "em", "em"]
    assert text_and_tags(html)[0].split() == ["b", "c", "d"]


def test_no_slot_is_lost_and_none_comes_twice() -> None:
    slots = {n: Slot(f"<i>{n}</i>", False, f"<hr>{n}") for n in range(5)}
    marks = [slot(n) for n in range(5)]
    html = markdown_to_html(
        f"[l]({marks[0]}) ![{marks[1]}](x) {marks[2]} {marks[2]}\n\n[r]: x '{marks[3]}'\n\n<i x='{marks[4]}'>", slots
    )
    for n in range(5):
        assert html.count(f"<i>{n}</i>") == html.count(f"<hr>{n}") == 1


def test_a_block_splits_what_it_stands_in() -> None:
    block = {1: Slot("<figure></figure>", True)}
    for text, expected in (
        (f"**a {slot(1)} b**", "<p><strong>a</strong></p>\n<figure></figure>\n<p><strong>b</strong></p>"),
        (f"# {slot(1)}", "<figure></figure>"),
        (f"- a {slot(1)}", "<ul><li>a\n<figure></figure></li></ul>"),
        (f"|a|\n|-|\n|*b {slot(1)}*|", "<td><em>b</em>\n<figure></figure>\n</td>"),
        (f"    a\n    {slot(1)}\n    b", '<pre class="aside">a</pre>\n<figure></figure>\n<pre class="aside">b</pre>'),
    ):
        assert expected.replace("\n", "") in markdown_to_html(text, block).replace("\n", "")


# --- MathML ---


@pytest.mark.parametrize(
    ("formula", "inside"),
    [
        (r"\begin{pmatrix} a & b \\ c & d \end{pmatrix}^T", "<mo>)</mo></mrow><mi>T</mi></msup>"),
        (r"\begin{cases} 1 & x > 0 \\ 0 & \text{else} \end{cases}", '<mtd style="text-align:left"><mn>1</mn></mtd>'),
        (r"\sqrt[3]{x}", "<mroot>"),
        (r"\underbrace{a + b}_{c}", "<munder>"),
        (r"a &= b \\ &= c", "<mtr>"),
        (r"\begin{aligned} a &= b \end{aligned}", "<mtable"),
        (r"a = b \label{x}", "<mi>a</mi><mo>=</mo><mi>b</mi>"),
        (r"\mathrm{softmax}_j", "<msub><mrow><mi>softmax</mi></mrow><mi>j</mi></msub>"),
        (r"ln\hat{y}", "<mi>ln</mi>"),
        (r"\boldsymbol{\theta}", "<mi>𝜽</mi>"),
        (r"\Delta x", '<mi mathvariant="normal">Δ</mi>'),
        (r"y_i \log p_i", '<mspace width="0.17em"/><mi>log</mi><mspace width="0.17em"/>'),
        (r"\log(p)", '<mi>log</mi><mo stretchy="false">(</mo>'),
        (r"2 \operatorname{Var} x", '<mspace width="0.17em"/><mi>Var</mi><mspace width="0.17em"/>'),
        (r"\text{<script>}", "<mtext>&lt;script&gt;</mtext>"),
    ],
)
def test_formulas_that_are_only_displayed(formula: str, inside: str) -> None:
    found = displayed_math(formula)
    assert found is not None
    assert inside in found
    ElementTree.fromstring(found)


@pytest.mark.parametrize(
    "formula", [r"\href{javascript:f()}{x}", r'\class{" onclick="f()}{x}', r"\style{background:url(//f())}{x}"]
)
def test_no_address_and_no_style_of_a_formula_is_kept(formula: str) -> None:
    assert "f()" not in str(displayed_math(formula))


@pytest.mark.parametrize(
    "formula",
    [
        r"\frac{a", r"a}", r"\left( a", r"x^", r"\frac{a}", r"a $ b", r"\newcommand{\a}{b} \a", r"\def\a{\a\a}\a", "",
        "{" * 2000, "x^{" * 500 + "}" * 500, r"\sqrt" * 1500, r"\text{" * 600, r"\begin{matrix}" * 40, "x" * 5000,
    ],
)  # fmt: skip
def test_formulas_that_cannot_be_displayed(formula: str) -> None:
    assert displayed_math(formula) is None


@pytest.mark.parametrize(
    "formula",
    [
        r"\frac{\partial J^{(t)}}{\partial W_h}|_{(t)}",
        r"(\delta_1 U) \circ (h \circ (1 - h))^T",
        r"-\sum_{j=1}^V y_j \ln \hat{y}_j",
        r"\|A x - b\|^2 + \det(X) X^{-1} 1_B^T",
        "a/(b+c)^T",
        r"\sigma'(z^{(t-1)})",
        r"[j=k] \mathbf{W} I_n",
    ],
)
def test_mathml_is_well_formed(formula: str) -> None:
    shapes = {(0, len(formula)): "[a,b]"}
    root = ElementTree.fromstring(mathml(parse(formula), shapes))
    counts = {"mfrac": 2, "msub": 2, "msup": 2, "msubsup": 3, "munder": 2, "mover": 2, "munderover": 3}
    for element in root.iter():
        if element.tag in counts:
            assert len(element) == counts[element.tag]


def test_mathml_of_scripts_and_shapes() -> None:
    found = mathml(parse(r"{W_h}^T x"), {(1, 4): "[m,n]", (8, 9): "[m,1]"})
    assert "[n,m]" in found
    assert "[m,1]" in found
    assert "<mo" in mathml(parse(r"(a+b)c"))
    assert displayed_math(r"[D_h,B], \dots") is not None
    assert displayed_math(r"\unknown{x}") is None
    assert "<mtext>mean of </mtext>" in str(displayed_math(r"\exp(\text{mean of }J)")).replace("\xa0", " ")


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


def test_the_report_in_the_guide_is_that_of_the_example(command: Run) -> None:
    root = Path(__file__).parents[2]
    (shown,) = re.findall(r"^```console\n\$ elman check examples/wrong.md\n(.*?)^```", GUIDE, re.S | re.M)
    printed = command("check", "examples/wrong.md", cwd=root).stdout
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
        (["notes.md", "--fix", "notes.md"], "is the page itself"),
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


def test_a_script_on_a_function_stands_on_all_of_it() -> None:
    """<msup> has two children; a third, the argument, would be drawn as the script."""
    for formula in (r"\sigma'(z)^T", r"\mathrm{softmax}(z)_j", r"\tanh(z)^2"):
        root = ElementTree.fromstring(mathml(parse(formula)))
        for node in root.iter():
            if node.tag in ("msup", "msub"):
                assert len(node) == 2, formula
