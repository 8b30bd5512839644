"""Claims as HTML: the verdict as a badge, the reason, the counterexample, and the repairs."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

from elman.calculus.expression import Symbol
from elman.calculus.printing.mathml import mathml, mathml_operator
from elman.notes.judge.verdict import Claim, Repair, Verdict
from elman.notes.oracle.counterexample import Counterexample
from elman.notes.report.controls import copy_button
from elman.notes.report.typeset import Typesetter
from elman.notes.report.words import (
    SHAPE_OF,
    SIGNS,
    category,
    counterexample_in_words,
    edits_in_words,
    number,
    reason,
    source,
    verdict_in_words,
)
from elman.translation import joined, translate
from elman.wording import count

_SHOWN_REPAIRS = 3
_SHOWN_NUMBERS = 12  # entries of all letters of a counterexample; more of them are folded


@dataclass(frozen=True, slots=True)
class ClaimWriter:
    """Writes the claims of one report; `numbers` gives each its number on the page, by `id`."""

    typesetter: Typesetter
    numbers: Mapping[int, int]

    def anchor(self, claim: Claim) -> str:
        """The name of the place where the claim is explained."""
        return f"claim-{self.numbers[id(claim)]}"

    def equation(self, claim: Claim) -> str:
        """A claim on one line: left = formula."""
        if claim.left.startswith(SHAPE_OF):
            name = mathml(Symbol(claim.left.removeprefix(SHAPE_OF)), None, False)
            shape = f"<code>{escape(claim.formula)}</code>"
            return f'<span class="words">{translate("shape of")}</span> {name} {mathml_operator("=")} {shape}'
        left = self.typesetter.claim(claim.left) + mathml_operator("=") if claim.left.strip() else ""
        return left + self.typesetter.claim(claim.formula)

    def link(self, claim: Claim) -> str:
        """An item of a list of claims: its line, its verdict and the formula, as a link to its place."""
        return (
            f'<li><a href="#{self.anchor(claim)}"><span class="where">{where(claim)}</span>{badge(claim)}'
            f'<span class="what">{self.equation(claim)}</span></a></li>'
        )

    def short_link(self, claim: Claim) -> str:
        """The line of a claim, as a link to its place."""
        return f'<a href="#{self.anchor(claim)}">{where(claim)}</a>'

    def mark(self, claim: Claim) -> str:
        """The badge of a claim within a line; a link where there is an explanation below the block."""
        if has_details(claim):
            return f' <a class="ref" href="#{self.anchor(claim)}">{badge(claim)}</a>'
        return f' <span class="claim {category(claim.verdict)}" id="{self.anchor(claim)}">{badge(claim)}</span>'

    def target(self, claim: Claim) -> str:
        """The place of a claim within a line that has nothing to say; nothing is shown there."""
        return f'<span class="claim {category(claim.verdict)}" id="{self.anchor(claim)}"></span>'

    def notes(self, claims: Sequence[Claim]) -> str:
        """The explanations of claims within lines, for the place below their block."""
        return "".join(
            f'<aside class="row {category(c.verdict)}" id="{self.anchor(c)}"><div class="about">'
            f"{self.equation(c)} {badge(c)} {self._copy(c, source(c))}</div>{self.details(c)}</aside>"
            for c in claims
            if has_details(c)
        )

    def row(self, left: str, operator: str, right: str, claim: Claim | None) -> str:
        """A row of a displayed formula: a part of a chain with its verdict, and the explanation below."""
        if claim is None:
            return _row(left, operator, right)
        verdict = badge(claim)
        if claim.reading and not has_details(claim):
            verdict += f'<span class="quiet">{words(translate(claim.reading))}</span>'
        row = _row(left, operator, right or self.equation(claim), verdict, category(claim.verdict), self.anchor(claim))
        return row + self.details(claim)

    def details(self, claim: Claim) -> str:
        """The reason, the counterexample, the reading and the repairs."""
        if not has_details(claim):
            return ""
        blocks = [f"<p>{words(reason(claim))}</p>"] if reason(claim) else []
        blocks += [_counterexample(claim.counterexample)] if claim.counterexample is not None else []
        if claim.reading:
            blocks.append(f'<p class="reading"><b>{translate("Reading")}</b> {words(translate(claim.reading))}</p>')
        first = translate("Suggestion" if claim.good else "Repair")
        shown, more = claim.fixes[:_SHOWN_REPAIRS], claim.fixes[_SHOWN_REPAIRS:]
        blocks += [self._repair(claim, fix, first if n == 0 else translate("or")) for n, fix in enumerate(shown)]
        if more:
            inner = "".join(self._repair(claim, fix, translate("or")) for fix in more)
            others = translate(count(len(more), "more repair of the same size", "more repairs of the same size"))
            blocks.append(f"<details><summary>{others}</summary>{inner}</details>")
        return f'<div class="explanation {category(claim.verdict)}">{"".join(blocks)}</div>' if blocks else ""

    def _copy(self, claim: Claim, formula: str) -> str:
        """A button that copies a formula; none for a shape."""
        if claim.left.startswith(SHAPE_OF):
            return ""
        return copy_button(formula, "copy" if self.typesetter.is_code(formula) else "copy LaTeX")

    def _repair(self, claim: Claim, repair: Repair, label: str) -> str:
        whole = (repair.start, repair.end) == (claim.start, claim.end) and claim.left.strip()
        if claim.left.startswith(SHAPE_OF):
            formula = f"<code>{escape(repair.formula)}</code>"
        else:
            left = self.typesetter.claim(claim.left, (), True) + mathml_operator("=") if whole else ""
            formula = left + self.typesetter.repair(repair.formula)
        edited = edits_in_words(repair)
        edits = f'<span class="edits">{words(edited)}</span>' if edited else ""
        return (
            f'<div class="repair"><span class="label">{label}</span><span class="math">{formula}</span>'
            f"{edits}{self._copy(claim, repair.formula)}</div>"
        )


def _counterexample(found: Counterexample) -> str:
    """The point and the values of both sides, and the values of the letters there."""
    label = translate("Counterexample")
    line = f'<p class="counterexample"><b>{label}</b> {words(counterexample_in_words(found))}</p>'
    if not found.letters:
        return line
    values = "".join(
        f"<span>{mathml(Symbol(name), None, False)}{mathml_operator('=')}{_values(rows)}</span>"
        for name, rows in found.letters.items()
    )
    values = f'<div class="values">{values}</div>'
    if sum(len(row) for rows in found.letters.values() for row in rows) <= _SHOWN_NUMBERS:
        return line + values
    return f"{line}<details><summary>{translate('the values of the letters there')}</summary>{values}</details>"


def _values(rows: Sequence[Sequence[float]]) -> str:
    """A value of a letter: a number, or a matrix of numbers."""
    cells = [[f"<mn>{number(x).replace('-', '−')}</mn>" for x in row] for row in rows]
    if len(rows) == len(rows[0]) == 1:
        return f"<math>{cells[0][0]}</math>"
    table = "".join(f"<mtr>{''.join(f'<mtd>{cell}</mtd>' for cell in row)}</mtr>" for row in cells)
    return f'<math><mo fence="true">(</mo><mtable>{table}</mtable><mo fence="true">)</mo></math>'


def _row(left: str, operator: str, right: str, verdict: str = "", kind: str = "none", anchor: str = "") -> str:
    sign = mathml_operator(operator) if operator else ""
    place = f' id="{anchor}"' if anchor else ""
    return (
        f'<div class="row {kind}"{place}><div class="lhs">{left}</div><div class="rhs">{sign}{right}</div>'
        f'<div class="verdict">{verdict}</div></div>'
    )


def where(claim: Claim) -> str:
    """The line of a claim, with its cell in a notebook."""
    line = translate(f"line {claim.line}")
    return joined((translate(f"cell {claim.cell}"), line)) if claim.cell else line


def has_details(claim: Claim) -> bool:
    """Whether there is more to say of a claim than its verdict."""
    return not claim.good or (bool(claim.diagnosis) and claim.verdict is not Verdict.NOT_A_CLAIM) or bool(claim.fixes)


def badge(claim: Claim) -> str:
    """A verdict as a small label: its sign, and its words."""
    kind, verdict = category(claim.verdict), escape(verdict_in_words(claim))
    return f'<span class="badge {kind}"><span aria-hidden="true">{SIGNS[kind]}</span> {verdict}</span>'


def words(text: str) -> str:
    """A sentence as HTML: what is in backticks as code, and scripts raised and lowered."""
    pieces = re.split(r"`([^`]{1,300})`", text)
    for i, piece in enumerate(pieces):
        plain = escape(piece)
        if i % 2:
            pieces[i] = f"<code>{plain}</code>"
        else:
            plain = re.sub(r"(?<=[^\W\d_])_(\w{1,4}?)(?=\W|$)", r"<sub>\1</sub>", plain)
            pieces[i] = re.sub(r"\^(\([^()\s]{1,8}\)|T\b)", r"<sup>\1</sup>", plain)
    return "".join(pieces)
