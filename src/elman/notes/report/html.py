"""A report as one self-contained HTML page: the notes, each formula typeset, its verdict beside it, and the repairs.

The page fetches nothing, and runs one script of its own (`controls.py`); its policy forbids the browser all else.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

from elman.calculus.syntax.names import Names
from elman.notes.judge.verdict import Claim, Report, Verdict
from elman.notes.page.markdown import end_of_front_matter
from elman.notes.page.notebook import JOINT, cells_of
from elman.notes.page.page import Formula, Page
from elman.notes.report.claims_html import ClaimWriter, has_details, words
from elman.notes.report.controls import POLICY, SCRIPT, choice, copy_button
from elman.notes.report.latex_prose import latex_as_markdown
from elman.notes.report.open_points import open_points
from elman.notes.report.pieces import Slot, slot, without_marks
from elman.notes.report.render_markdown import code_to_html, markdown_to_html, plain_to_html
from elman.notes.report.style import STYLE
from elman.notes.report.typeset import Part, Typesetter, names_of
from elman.notes.report.words import SIGNS, Tally, category, summary
from elman.translation import CHINESE, ENGLISH, current_language, joined, sentence, translate
from elman.wording import choose, count

_KANA, _HAN = re.compile("[\u3041-\u30ff]"), re.compile("[\u4e00-\u9fff]")
_TABLE = re.compile(r"\\begin\s*\{(?:[bBpvV]?matrix|smallmatrix|array|d?cases)\*?\}")  # shown whole, not row by row
_COUNTED = {  # category → what one claim of it does, what several do
    "bad": ("does not hold", "do not hold"),
    "otherwise": ("holds, but not as written", "hold, but not as written"),
    "unknown": ("was not checked", "were not checked"),
    "good": ("holds", "hold"),
    "neutral": ("claims nothing", "claim nothing"),
}

_LANGUAGES = {ENGLISH: "en", CHINESE: "zh-Hans"}


def as_html(page: Page, report: Report, names: Names | None = None) -> str:
    """The page with its report in it, in the current language; `names` are those of the check, if they are known."""
    title = page.path.name
    return (
        f'<!doctype html>\n<html lang="{_LANGUAGES[current_language()]}">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}: {escape(summary(report))}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"
        f"{body_html(page, report, page.path.parent, names)}\n<script>{SCRIPT}</script>\n</body>\n</html>\n"
    )


def body_html(page: Page, report: Report, folder: Path | None, names: Names | None = None) -> str:
    """What `as_html` has between its body's tags, without the script. folder: whose images are embedded; None: none are
    read, for a page that came from elsewhere.
    """
    claims = ClaimWriter(
        Typesetter(page, names or names_of(page)),
        {id(claim): number for number, claim in enumerate(report.claims, 1)},
    )
    return (
        f"{_head(page.path.name, report, claims)}\n<main{_language(page.text)}>\n"
        f"{_Notes(page, report, claims, folder).html()}\n</main>\n{_foot(report)}"
    )


def _language(text: str) -> str:
    """The language of the notes, where their characters show it: it decides how a browser draws the characters."""
    if _KANA.search(text):
        return ' lang="ja"'
    return ' lang="zh"' if _HAN.search(text) else ""


def _head(title: str, report: Report, writer: ClaimWriter) -> str:
    """The summary: a bar, the counts, what is wrong, what was not checked, what holds, and the remarks."""
    tally = Tally.of(report)
    by_manner = {m: sum(category(claim.verdict) == m for claim in report.claims) for m in _COUNTED}
    segments = "".join(f'<span class="{m}" style="flex-grow:{n}"></span>' for m, n in by_manner.items() if n)
    counts = "".join(
        f'<li class="{m}"><span class="sign" aria-hidden="true">{SIGNS[m]}</span>'
        f"<b>{n}</b> {translate(choose(n, *_COUNTED[m]))}</li>"
        for m, n in by_manner.items()
        if n
    )
    remarks = "".join(f"<li>{words(translate(remark))}</li>" for remark in report.remarks)
    return (
        f'<header><p class="kind">{translate("Formulas checked")}</p><h1>{escape(title)}</h1>'
        f'<p class="sum">{escape(sentence(summary(report)))}</p>'
        f'<div class="bar" aria-hidden="true">{segments}</div><ul class="counts">{counts}</ul>'
        f"{choice(tally)}{_lists(tally, writer)}"
        + (f'<h2>{translate("The page as a whole")}</h2><ul class="remarks">{remarks}</ul>' if remarks else "")
        + "</header>"
    )


def _lists(tally: Tally, writer: ClaimWriter) -> str:
    """What is wrong; folded, what was not checked by its reasons, and what holds."""
    wrong, holding = ("".join(map(writer.link, claims)) for claims in (tally.wrong, tally.holding))
    open_ = "".join(
        f'<li><span class="where">{joined(map(writer.short_link, point.claims))}</span> {words(point.reason)}</li>'
        for point in open_points(tally.not_checked)
    )
    title = translate("To correct")
    lists = f'<section data-kind="wrong"><h2>{title}</h2><ol class="list">{wrong}</ol></section>' if wrong else ""
    n, m = len(tally.not_checked), len(tally.holding)
    if open_:
        title = translate(f"{count(n, 'formula')} {choose(n, 'was', 'were')} not checked, and what to write")
        lists += f'<details data-kind="open"><summary>{title}</summary><ul class="reasons">{open_}</ul></details>'
    if holding:
        title = translate(f"{count(m, 'formula')} {choose(m, 'holds', 'hold')}")
        lists += f'<details data-kind="holds"><summary>{title}</summary><ol class="list">{holding}</ol></details>'
    return lists


def _foot(report: Report) -> str:
    n = report.skipped
    time = f" in {report.seconds:.1f} s" if report.seconds else ""
    checked = words(translate(f"Checked by `elman check`{time}: each claim by value, at random points."))
    left_out = f"{count(n, 'formula')} {choose(n, 'was', 'were')} left out, as the page's directives ask."
    return f"<footer>{checked}{' ' + translate(left_out) if n else ''}</footer>"


@dataclass
class _Notes:
    """The notes themselves: each formula is a slot in the text, filled with its typeset form and its verdict."""

    page: Page
    report: Report
    claims: ClaimWriter
    folder: Path | None
    slots: dict[int, Slot] = field(default_factory=dict)
    edits: list[tuple[int, int, int]] = field(default_factory=list)  # start and end in the page's text, number of slot

    def html(self) -> str:
        """The notes as HTML."""
        self._fill_slots()
        page, folder = self.page, self.folder
        if page.kind == "notebook":
            return self._cells()
        if page.kind == "text":
            return plain_to_html(self._marked(0, len(page.text)), self.slots)
        if page.kind == "latex":
            return markdown_to_html(latex_as_markdown(self._marked(0, len(page.text))), self.slots, folder)
        begin = end_of_front_matter(page.text, 0, len(page.text))
        return markdown_to_html(self._marked(begin, len(page.text)), self.slots, folder)

    def _fill_slots(self) -> None:
        """A slot for each formula, with its claims, and for each claim that is in no formula, such as a shape."""
        claims = sorted(self.report.claims, key=lambda c: c.start)
        at = 0
        for formula in sorted([*self.page.formulas, *self.page.unchecked], key=lambda f: f.start):
            end = formula.start + len(formula.text)
            within: list[Claim] = []
            while at < len(claims) and claims[at].start < end:
                if claims[at].end > formula.start:
                    within.append(claims[at])
                else:
                    self._behind(claims[at])
                at += 1
            self._formula(formula, within)
        for claim in claims[at:]:
            self._behind(claim)
        self.edits.sort()

    def _add(self, start: int, end: int, content: Slot) -> None:
        number = len(self.slots)
        self.slots[number] = content
        self.edits.append((start, end, number))

    def _behind(self, claim: Claim) -> None:
        """Puts the verdict of a claim that is in no formula behind it."""
        end = min(max(claim.end, 0), len(self.page.text))
        self._add(end, end, Slot(self.claims.mark(claim), False, self.claims.notes([claim])))

    def _formula(self, formula: Formula, claims: list[Claim]) -> None:
        """Puts a formula in its place; one in code stays, and has its verdicts behind it."""
        if formula.kind == "display":
            self._add(*formula.outer, Slot(self._figure(formula, claims), True))
            return
        end, notes = formula.start + len(formula.text), self.claims.notes(claims)
        if formula.kind == "code":
            self._add(end, end, Slot("".join(map(self.claims.mark, claims)), False, notes))
        else:
            shown = self.claims.typesetter.inline(formula.text, bool(claims))
            marks = "".join((self.claims.mark if has_details(c) else self.claims.target)(c) for c in claims)
            self._add(*formula.outer, Slot(f'<span class="inline">{shown}{marks}</span>', False, notes))

    def _marked(self, begin: int, stop: int) -> str:
        """A stretch of the page's text with the marks of its slots."""
        pieces, since = [], begin
        for start, end, number in self.edits:
            if since <= start and end <= stop:
                pieces += [without_marks(self.page.text[since:start]), slot(number)]
                since = end
        return "".join([*pieces, without_marks(self.page.text[since:stop])])

    def _cells(self) -> str:
        """The cells of a notebook."""
        out = []
        starts = [*self.page.cells, len(self.page.text) + len(JOINT)]
        for number, (kind, _) in enumerate(cells_of(self.page.source, self.page.path)):
            marked = self._marked(starts[number], starts[number + 1] - len(JOINT))
            if kind in ("markdown", "heading"):
                html = markdown_to_html(marked, self.slots, self.folder)
            else:
                html = code_to_html(marked, self.slots)
            out.append(f'<section class="cell">{html}</section>')
        return "\n".join(out)

    # --- displayed formulas ---

    def _figure(self, formula: Formula, claims: list[Claim]) -> str:
        """A displayed formula: a row for each part of its chains, with the verdict, and the explanation below."""
        label = "copy" if self.claims.typesetter.is_code(formula.text) else "copy LaTeX"
        whole = self.page.text[slice(*formula.outer)].strip()
        source = whole if whole.startswith("\\begin") else formula.text
        return f"<figure>{self._rows(formula, claims)}{copy_button(source, label)}</figure>"

    def _rows(self, formula: Formula, claims: list[Claim]) -> str:
        typesetter = self.claims.typesetter
        written = None if claims else typesetter.as_written(formula.text, True)
        if written is not None:
            return self.claims.row("", "", written, None)
        statements = typesetter.parts(formula.text)
        if not statements or _TABLE.search(formula.text):
            shown = typesetter.unread(formula.text, True)
            if len(claims) == 1:
                return self.claims.row("", "", shown, claims[0])
            each = "".join(self.claims.row("", "", "", c) for c in claims if c.verdict is not Verdict.NOT_A_CLAIM)
            return f'<div class="full">{shown}</div>{each}'
        left = list(claims)
        rows: list[str] = []
        for parts in statements:
            first, claim = self._part(parts[0], formula, left if len(parts) == 1 else [])
            if len(parts) == 1:
                rows.append(self.claims.row("", "", first, claim))
            for number, part in enumerate(parts[1:]):
                shown, claim = self._part(part, formula, left)
                rows.append(self.claims.row(first if number == 0 else "", part.operator, shown, claim))
        rows += [self.claims.row("", "", "", c) for c in left]
        return "".join(rows)

    def _part(self, part: Part, formula: Formula, claims: list[Claim]) -> tuple[str, Claim | None]:
        """A part of a chain, typeset with its shapes, and the claim about it, which is removed from `claims`."""
        start, end = part.start + formula.start, part.end + formula.start
        claim = max(claims, key=lambda c: min(c.end, end) - max(c.start, start), default=None)
        if claim is None or min(claim.end, end) <= max(claim.start, start):
            return self.claims.typesetter.part(part), None
        claims.remove(claim)
        if (claim.start, claim.end) == (start, end) or claim.shapes:
            return self.claims.typesetter.claim(claim.formula, claim.shapes, True), claim
        return self.claims.typesetter.part(part), claim
