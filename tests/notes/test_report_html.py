"""The report as one HTML page: what is on it, its buttons, and what a page of notes cannot do to it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from base64 import b64encode
from dataclasses import replace
from hashlib import sha256
from html import escape
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from report_examples import POINT, Checked, checked, claim

from elman.notes import check
from elman.notes.judge.verdict import Claim, Report, Verdict
from elman.notes.page.page import Page
from elman.notes.page.reader import page_of
from elman.notes.report.html import as_html
from elman.notes.report.pieces import Slot, slot
from elman.notes.report.render_markdown import markdown_to_html


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
    assert f'value="{escape(aligned)}">copy LaTeX<' in as_html(page_of(aligned, "latex"), Report("p", ()))


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
@example(["<WBR>"])
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


def test_the_repair_of_a_declared_shape_is_a_shape_and_no_matrix() -> None:
    page = page_of(
        "```python\nA.shape = [p,q]\nx.shape = [q,1]\nr = A @ x\nr.shape = [p,1]\n```\n\n"
        "$$E = \\frac12 \\|r\\|^2$$\n\n$$g = \\frac{\\partial E}{\\partial x}$$\n\n```python\ng.shape = [p,1]\n```\n"
    )
    html = as_html(page, check(page))
    (repair,) = re.findall(r'<div class="repair">(.*?)</div>', html)
    assert '<span class="math"><code>[q,1]</code></span>' in repair
