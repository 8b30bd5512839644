"""A report as one self-contained HTML page: the notes, each formula typeset, its verdict beside it, and the repairs."""

from __future__ import annotations

from html import escape

from elman.calculus.expression import Expression, Symbol
from elman.calculus.printing.mathml import mathml, mathml_operator, mathml_relation
from elman.calculus.printing.mathml_fallback import mathml_loose
from elman.calculus.syntax.names import Names
from elman.calculus.syntax.parse import parse_statements
from elman.errors import FormulaError
from elman.notes.judge.verdict import Claim, Repair, Report
from elman.notes.page.latex import latex_as_markdown
from elman.notes.page.macros import expand
from elman.notes.page.notebook import JOINT, cells_of
from elman.notes.page.page import Formula, Page
from elman.notes.report.html_parts import badge, moved, names_of, said, source, words
from elman.notes.report.markdown import Slot, markdown_to_html, plain_to_html, slot, unreserved
from elman.notes.report.style import STYLE
from elman.notes.report.text import SIGNS, manner, summary

_SHOWN_REPAIRS = 3
_SHAPE_OF = "shape of "
_ORDER = ("good", "neutral", "otherwise", "unknown", "bad")
_WORDS = {
    "good": "hold", "neutral": "define, or claim nothing", "otherwise": "hold otherwise than they stand",
    "unknown": "could not be checked", "bad": "do not hold",
}  # fmt: skip


def as_html(page: Page, report: Report, names: Names | None = None) -> str:
    """The page with its report in it. `names` are those that the check was made with, where they are at hand."""
    writer = _Writer(page, report, names)
    body = writer.notes()
    title = page.path.name
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}: {escape(summary(report))}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"
        f"{writer.head(title)}\n<main>\n{body}\n</main>\n{_foot(report)}\n</body>\n</html>\n"
    )


def _foot(report: Report) -> str:
    left_out = f" {report.skipped} formulas were left out, as the page's own directives say." if report.skipped else ""
    time = f" in {report.seconds:.1f} s" if report.seconds else ""
    return (
        f"<footer>Checked by <code>elman check</code>{time}: each claim by value, at random points.{left_out}</footer>"
    )


class _Writer:
    def __init__(self, page: Page, report: Report, names: Names | None) -> None:
        self.page, self.report = page, report
        self.names = names or names_of(page)
        self.slots: dict[int, Slot] = {}
        self.numbers = {id(claim): number for number, claim in enumerate(report.claims, 1)}

    # --- the head ---

    def head(self, title: str) -> str:
        """The summary: a bar, the counts, links to what is to be mended, and the remarks."""
        claims = self.report.claims
        by_manner = {m: [c for c in claims if manner(c.verdict) == m] for m in _ORDER}
        segments = "".join(
            f'<span class="{m}" style="flex-grow:{len(found)}"></span>' for m, found in by_manner.items() if found
        )
        counts = "".join(
            f'<li class="{m}"><span class="sign" aria-hidden="true">{SIGNS[m]}</span>'
            f"<b>{len(found)}</b> {_WORDS[m]}</li>"
            for m, found in by_manner.items()
            if found
        )
        mend = "".join(self._link(claim) for claim in claims if not claim.good)
        remarks = "".join(f"<li>{words(remark)}</li>" for remark in self.report.remarks)
        return (
            f'<header><p class="kind">Formulas checked</p><h1>{escape(title)}</h1>'
            f'<p class="sum">{escape(summary(self.report).capitalize())}.</p>'
            f'<div class="bar" aria-hidden="true">{segments}</div><ul class="counts">{counts}</ul>'
            + (f"<h2>To mend</h2><ol class='mend'>{mend}</ol>" if mend else "")
            + (f'<h2>On the page as a whole</h2><ul class="remarks">{remarks}</ul>' if remarks else "")
            + "</header>"
        )

    def _link(self, claim: Claim) -> str:
        number = self.numbers[id(claim)]
        where = (f"cell {claim.cell}, " if claim.cell else "") + f"line {claim.line}"
        shown = self._claimed(claim)
        return (
            f'<li><a href="#claim-{number}"><span class="where">{where}</span>{badge(claim)}'
            f'<span class="what">{shown}</span></a></li>'
        )

    def _claimed(self, claim: Claim) -> str:
        """A claim in a line: left = formula."""
        if claim.left.startswith(_SHAPE_OF):
            name = mathml(Symbol(claim.left.removeprefix(_SHAPE_OF)), None, False)
            shape = f"<code>{escape(claim.formula)}</code>"
            return f'<span class="words">shape of</span> {name} {mathml_operator("=")} {shape}'
        left = self.typeset(claim.left) + mathml_operator("=") if claim.left.strip() else ""
        return left + self.typeset(claim.formula)

    # --- formulas ---

    def typeset(
        self, text: str, shapes: tuple[tuple[int, int, str], ...] = (), display: bool = False, parted: bool = False
    ) -> str:
        """A part of a formula as MathML, or its source where it cannot be read."""
        try:
            expanded, places = expand(text, self.page.macros)
            relations = parse_statements(expanded, self.names)
        except (FormulaError, RecursionError):
            return source(text)
        return "<span class='sep'>,</span> ".join(
            mathml_relation(relation, moved(shapes, places), display, parted) for relation in relations
        )

    def notes(self) -> str:
        """The notes, with what is said of them."""
        edits: list[tuple[int, int, int]] = []
        claims = sorted(self.report.claims, key=lambda c: c.start)
        at = 0
        for number, formula in enumerate(sorted([*self.page.formulas, *self.page.unchecked], key=lambda f: f.start)):
            end = formula.start + len(formula.text)
            mine: list[Claim] = []
            while at < len(claims) and claims[at].start < end:
                if claims[at].end > formula.start:
                    mine.append(claims[at])
                else:
                    self._loose(edits, claims[at])
                at += 1
            self.slots[number], place = self._slot(formula, mine)
            edits.append((*place, number))
        for claim in claims[at:]:
            self._loose(edits, claim)
        edits.sort()
        if self.page.kind == "notebook":
            return self._cells(edits)
        marked = self._marked(edits, 0, len(self.page.text))
        if self.page.kind == "text":
            return plain_to_html(marked, self.slots)
        return markdown_to_html(latex_as_markdown(marked) if self.page.kind == "latex" else marked, self.slots)

    def _slot(self, formula: Formula, claims: list[Claim]) -> tuple[Slot, tuple[int, int]]:
        """What is put in for a formula, and for which stretch of the text."""
        end = formula.start + len(formula.text)
        if formula.kind == "code":
            return Slot("".join(map(self.anchor, claims)), False, self.after(claims)), (end, end)
        if formula.kind == "display":
            return Slot(self.figure(formula, claims), True), formula.outer
        refs = "".join(self.anchor(c) for c in claims if said(c))
        return Slot(
            f'<span class="inline">{self.chain(formula, bool(claims))}{refs}</span>', False, self.after(claims)
        ), formula.outer

    def _loose(self, edits: list[tuple[int, int, int]], claim: Claim) -> None:
        """Puts what is said of a claim that is in no formula, such as a shape, behind it."""
        number = 1_000_000 + len(self.slots)
        end = min(max(claim.end, 0), len(self.page.text))
        self.slots[number] = Slot(self.anchor(claim), False, self.after([claim]))
        edits.append((end, end, number))

    def _marked(self, edits: list[tuple[int, int, int]], begin: int, stop: int) -> str:
        """A stretch of the page's text with slots in it."""
        pieces, since = [], begin
        for start, end, number in edits:
            if since <= start and end <= stop:
                pieces += [unreserved(self.page.text[since:start]), slot(number)]
                since = end
        return "".join([*pieces, unreserved(self.page.text[since:stop])])

    def _cells(self, edits: list[tuple[int, int, int]]) -> str:
        """The cells of a notebook."""
        out = []
        starts = [*self.page.cells, len(self.page.text) + len(JOINT)]
        for number, (kind, _) in enumerate(cells_of(self.page.source, self.page.path)):
            begin, stop = starts[number], starts[number + 1] - len(JOINT)
            cell = self._marked([e for e in edits if begin <= e[0] <= stop], begin, stop)
            marked = cell if kind in ("markdown", "heading") else f"~~~~~~~~\n{cell}\n~~~~~~~~"
            out.append(f'<section class="cell">{markdown_to_html(marked, self.slots)}</section>')
        return "\n".join(out)

    def chain(self, formula: Formula, claimed: bool) -> str:
        """A whole formula in a line; one that nothing is claimed of, as it is written."""
        written = None if claimed else mathml_loose(formula.text)
        if written is not None:
            return written
        parts = self._parts(formula.text)
        if parts is None:
            return source(formula.text)
        return "<span class='sep'>,</span> ".join(
            "".join((mathml_operator(operator) if operator else "") + mathml(e, None, False) for operator, e, _ in rows)
            for rows in parts
        )

    def _parts(self, text: str) -> list[list[tuple[str, Expression, tuple[int, int]]]] | None:
        """The statements of a formula: for each part the sign before it, itself, and its offsets in the formula."""
        try:
            expanded, places = expand(text, self.page.macros)
            relations = parse_statements(expanded, self.names)
        except (FormulaError, RecursionError):
            return None
        return [
            [(sign, e, (places[e.span[0]], places[min(e.span[1], len(places) - 1)])) for sign, e in
             zip(("", *relation.operators), relation.parts, strict=True)]
            for relation in relations
        ]  # fmt: skip

    def figure(self, formula: Formula, claims: list[Claim]) -> str:
        """A displayed formula: a row for each part of its chains, the verdict beside it, what is to be said below."""
        statements = self._parts(formula.text)
        written = None if claims else mathml_loose(formula.text, True)
        if written is not None:
            return f"<figure>{self._row('', '', written, None)}</figure>"
        if not statements:
            shown = source(formula.text)
            if len(claims) == 1:
                return f"<figure>{self._row('', '', shown, claims[0])}</figure>"
            each = "".join(self._row("", "", "", c) for c in claims)
            return f'<figure><div class="full">{shown}</div>{each}</figure>'
        left = list(claims)
        rows: list[str] = []
        for parts in statements:
            first = self._shown(parts[0], formula, left, only=len(parts) == 1)
            if len(parts) == 1:
                rows.append(self._row("", "", first[0], first[1]))
            for number, part in enumerate(parts[1:]):
                shown, claim = self._shown(part, formula, left, only=True)
                rows.append(self._row(first[0] if number == 0 else "", part[0], shown, claim))
        rows += [self._row("", "", self._claimed(c), c) for c in left]
        return f"<figure>{''.join(rows)}</figure>"

    def _shown(
        self, part: tuple[str, Expression, tuple[int, int]], formula: Formula, claims: list[Claim], only: bool
    ) -> tuple[str, Claim | None]:
        """A part of a chain, typeset with its shapes, and the claim about it, which is taken out of `claims`."""
        _, e, (start, end) = part
        start, end = start + formula.start, end + formula.start
        found = None
        if only:
            found = max(claims, key=lambda c: min(c.end, end) - max(c.start, start), default=None)
            if found is not None and min(found.end, end) <= max(found.start, start):
                found = None
        if found is None:
            return mathml(e, None, True), None
        claims.remove(found)
        same = (found.start, found.end) == (start, end) or found.shapes
        return (self.typeset(found.formula, found.shapes, True) if same else mathml(e, None, True)), found

    def _row(self, left: str, operator: str, right: str, claim: Claim | None) -> str:
        if not right and claim is not None:
            right = self._claimed(claim)
        how = manner(claim.verdict) if claim else "none"
        anchor = f' id="claim-{self.numbers[id(claim)]}"' if claim else ""
        sign = mathml_operator(operator) if operator else ""
        verdict = badge(claim) if claim else ""
        if claim and claim.reading and not said(claim):
            verdict += f'<span class="quiet">{words(claim.reading)}</span>'
        return (
            f'<div class="row {how}"{anchor}><div class="lhs">{left}</div><div class="rhs">{sign}{right}</div>'
            f'<div class="verdict">{verdict}</div></div>' + (self.said(claim) if claim else "")
        )

    def anchor(self, claim: Claim) -> str:
        """The badge of a claim within a line, or a link to what is said of it below the block."""
        number = self.numbers[id(claim)]
        if said(claim):
            return f' <a class="ref" href="#claim-{number}">{badge(claim)}</a>'
        return f' <span id="claim-{number}">{badge(claim)}</span>'

    def after(self, claims: list[Claim]) -> str:
        """What is said of claims within lines, below their block."""
        return "".join(
            f'<aside class="row {manner(c.verdict)}" id="claim-{self.numbers[id(c)]}"><div class="about">'
            f"{self._claimed(c)} {badge(c)}</div>{self.said(c)}</aside>"
            for c in claims
            if said(c)
        )

    def said(self, claim: Claim) -> str:
        """The diagnosis, the reading and the repairs."""
        if not said(claim):
            return ""
        pieces = [f"<p>{words(claim.diagnosis)}</p>"] if claim.diagnosis else []
        pieces += [f'<p class="reading"><b>Interpretation</b> {words(claim.reading)}</p>'] if claim.reading else []
        first = "Suggestion" if claim.good else "Repair"
        shown, more = claim.fixes[:_SHOWN_REPAIRS], claim.fixes[_SHOWN_REPAIRS:]
        pieces += [self._repair(claim, fix, first if n == 0 else "or") for n, fix in enumerate(shown)]
        if more:
            inner = "".join(self._repair(claim, fix, "or") for fix in more)
            pieces.append(f"<details><summary>{len(more)} more of the same length</summary>{inner}</details>")
        return f'<div class="said {manner(claim.verdict)}">{"".join(pieces)}</div>' if pieces else ""

    def _repair(self, claim: Claim, repair: Repair, label: str) -> str:
        whole = (repair.start, repair.end) == (claim.start, claim.end) and claim.left.strip()
        shape = claim.left.startswith(_SHAPE_OF)
        left = self.typeset(claim.left, (), True) + mathml_operator("=") if whole and not shape else ""
        edits = f'<span class="edits">{words("; ".join(repair.edits))}</span>' if repair.edits else ""
        return (
            f'<div class="repair"><span class="label">{label}</span><span class="math">{left}'
            f"{self.typeset(repair.formula, (), True, True)}</span>{edits}</div>"
        )
