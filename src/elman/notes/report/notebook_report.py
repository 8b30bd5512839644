"""A report as a notebook shows it: what is wrong with its repairs, what was not checked, and what holds, folded."""

from __future__ import annotations

from dataclasses import dataclass, field
from html import escape
from pathlib import Path

from elman.notebook_html import block
from elman.notes.judge.verdict import Claim, Report
from elman.notes.page.language import language_for
from elman.notes.page.page import Page
from elman.notes.report.claims_html import ClaimWriter, where, words
from elman.notes.report.typeset import Typesetter, names_of
from elman.notes.report.words import (
    SIGNS,
    Tally,
    category,
    counterexample_in_words,
    edits_in_words,
    reason,
    summary,
    verdict_in_words,
)
from elman.representation import short_repr
from elman.translation import in_language, joined, translate
from elman.wording import count

_MOST_REPAIRS = 2


@dataclass(frozen=True, slots=True)
class PageReport(Report):
    """The report of a page, with the page that it is about, whose formulas it shows in a notebook."""

    page: Page = field(default_factory=lambda: Page(Path(), "", (), ()), repr=False, compare=False)

    __repr__ = short_repr

    def _repr_html_(self) -> str:
        """For notebooks: the summary, and a row for each claim, in the page's language."""
        with in_language(language_for(self.page)):
            return self._html()

    def _html(self) -> str:
        writer = ClaimWriter(Typesetter(self.page, names_of(self.page)), {})
        tally = Tally.of(self)
        open_ = "".join(_row(claim, writer) for claim in (*tally.wrong, *tally.not_checked))
        parts = [f"<table>{open_}</table>"] if open_ else []
        if tally.holding:
            held = "".join(_row(claim, writer) for claim in tally.holding)
            shown = "" if open_ else " open"
            title = f"<summary>{translate(count(len(tally.holding), 'claim that holds', 'claims that hold'))}</summary>"
            parts.append(f"<details{shown}>{title}<table>{held}</table></details>")
        parts += [f'<p class="elman-soft">{words(translate(remark))}</p>' for remark in self.remarks]
        title = joined((self.page.path.name, summary(self)), ": ")
        return block(title, *parts)


def _row(claim: Claim, writer: ClaimWriter) -> str:
    """A claim: its line, its verdict, its formula, and why it is wrong and how to mend it."""
    kind = category(claim.verdict)
    verdict = f'<span class="elman-{kind}">{SIGNS[kind]} {escape(verdict_in_words(claim))}</span>'
    said = []
    if not claim.good:
        said += [words(reason(claim))] if reason(claim) else []
        if claim.counterexample is not None:
            said.append(
                joined((translate("counterexample"), words(counterexample_in_words(claim.counterexample))), ": ")
            )
    for repair in claim.fixes[:_MOST_REPAIRS]:
        edits = edits_in_words(repair)
        shown = writer.typesetter.repair(repair.formula)
        repaired = joined((translate("repair"), shown), ": ")
        said.append(repaired + (f' <span class="elman-soft">{words(edits)}</span>' if edits else ""))
    explained = "".join(f"<p>{each}</p>" for each in said)
    return (
        f'<tr><td class="elman-soft">{where(claim)}</td><td>{verdict}</td>'
        f"<td>{writer.equation(claim)}{explained}</td></tr>"
    )
