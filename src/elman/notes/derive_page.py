"""From a page of forward equations to a page of gradients: each with its chain, its rule, its shapes and its result.

`derive(read_page("model.md")).markdown` is the page that `elman derive model.md --wrt all` prints.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from elman.calculus.expression import Symbol, symbols
from elman.calculus.forward_equations import ChainStep, EquationError, ForwardModel
from elman.calculus.gradients import gradients
from elman.calculus.printing.mathml import mathml
from elman.calculus.printing.render import latex, text
from elman.errors import DerivationError, FormulaError
from elman.notebook_html import block, label
from elman.notes.check_page import check
from elman.notes.derivation.entries import with_whole_equations
from elman.notes.derivation.forward_model import at_its_line, forward_model
from elman.notes.derivation.losses import with_last_steps
from elman.notes.derivation.written import derivation_page
from elman.notes.judge.checker import Checker
from elman.notes.judge.verdict import UNJUDGED, Report
from elman.notes.model.build import build
from elman.notes.model.roles import with_roles
from elman.notes.page.language import language_for
from elman.notes.page.page import Page
from elman.notes.page.reader import page_of
from elman.representation import short_repr
from elman.translation import in_language, joined, translate
from elman.wording import count


@dataclass(frozen=True, slots=True)
class Derivation:
    """A derivation: the `page`, as Markdown; the `forward` equations; a step for each gradient; the page's check."""

    page: Page
    forward: ForwardModel
    steps: tuple[ChainStep, ...]
    report: Report

    __repr__ = short_repr

    def _repr_html_(self) -> str:
        """For notebooks: each gradient with its result, its shape and its rule."""
        with in_language(language_for(self.page)):
            return self._html()

    def _html(self) -> str:
        cells = "".join(
            f"<tr><td>{mathml(s.left, None, False)} = {mathml(s.result, None, False)}</td>"
            f"<td>[{','.join(map(escape, s.shape))}]</td>"
            f"<td class='elman-soft'>{escape(translate(s.rule).replace('$', ''))}</td></tr>"
            for s in self.steps
        )
        held = [label(f"{count(self.checked, 'formula')} of the page checked by value")]
        held += [label(f"{self.unchecked:,} not checked")] if self.unchecked else []
        end = f"<p class='elman-soft'>{joined(held)}</p>"
        return block(label(count(len(self.steps), "gradient")), f"<table>{cells}</table>", end)

    @property
    def markdown(self) -> str:
        """The text of the page."""
        return self.page.text

    @property
    def checked(self) -> int:
        """How many formulas of the page hold by value."""
        return sum(claim.good for claim in self.report.claims)

    @property
    def unchecked(self) -> int:
        """How many formulas of the page could not be checked as a whole; the gradient in each was, by itself."""
        return sum(claim.verdict in UNJUDGED for claim in self.report.claims)


def derive(page: Page, wrt: Sequence[str] = (), layout: str = "shape") -> Derivation:
    """The gradients of a page's loss with respect to everything, or to the names in `wrt`, from its forward equations.

    `layout` as in `ForwardModel`. The resulting page is itself checked, formula by formula, against the forward
    equations by complex step. Raises `FormulaError`, with the line where there is one, where the page has no loss, or
    an equation that the loss depends on is not read, does not fit or is not differentiated; and `DerivationError` if a
    formula of the result does not hold.
    """
    checker = Checker(page, model=with_whole_equations(with_roles(with_last_steps(build(page)))))
    try:
        forward, remarks = forward_model(checker, layout)
        steps = _needed(gradients(forward, frozenset(wrt)), wrt)
    except EquationError as error:
        raise at_its_line(error, checker.model) from None
    lines = derivation_page(forward, steps, remarks, _title(page))
    result = page_of("\n".join(lines), "markdown", Path("derivation.md"))
    report = check(result)
    wrong = [claim for claim in report.claims if claim.is_wrong]
    if wrong:
        raise DerivationError(
            f"the derived formula {wrong[0].left} = {wrong[0].formula} failed its check: please report it"
        )
    return Derivation(result, forward, tuple(steps), report)


def _title(page: Page) -> str:
    """The heading of the first line of a page in Markdown, if it has words and no formulas; empty without one."""
    found = re.match(r"\s*# +([\w ,.:;()'’–-]+?) *(?:\n|$)", page.text)
    return found[1] if found and "_" not in found[1] else ""


def steps_as_json(derivation: Derivation) -> list[dict[str, object]]:
    """Every gradient as plain values for JSON."""
    return [
        {
            "gradient": text(s.left),
            "letter": text(s.letter) if s.letter is not None else None,
            "chain": text(s.chain) if s.chain is not None else None,
            "result": text(s.result),
            "latex": latex(s.result),
            "shape": list(s.shape),
            "rule": translate(s.rule).replace("$", ""),
        }
        for s in derivation.steps
    ]


def as_latex(derivation: Derivation) -> str:
    """The page as a LaTeX document."""
    lines = [r"\documentclass{article}", r"\usepackage{amsmath, amssymb}", r"\begin{document}"]
    fenced = False
    for line in derivation.markdown.splitlines():
        if line.startswith("```"):
            fenced = not fenced
            lines.append(r"\begin{verbatim}" if fenced else r"\end{verbatim}")
        elif fenced:
            lines.append(line)
        elif line.startswith("#"):
            depth, title = line.split(" ", 1)
            lines.append((r"\section*{" if depth == "#" else r"\subsection*{") + title + "}")
        elif line.startswith("$$"):
            lines.append(r"\[" + line.strip("$ ") + r"\]")
        else:
            lines.append(line)
    return "\n".join([*lines, r"\end{document}"])


def _needed(steps: list[ChainStep], wrt: Sequence[str]) -> list[ChainStep]:
    """The gradients with respect to these names (all without names) and those that they use, in order."""
    if not wrt:
        return steps
    known = {s.left.wrt.name for s in steps if isinstance(s.left.wrt, Symbol)}
    missing = [name for name in wrt if name not in known]
    if missing:
        raise FormulaError(f"no gradient by {', '.join(missing)}: the loss depends on {', '.join(sorted(known))}")
    chosen = [isinstance(s.left.wrt, Symbol) and s.left.wrt.name in wrt for s in steps]
    while True:
        used = {x.name for s, is_chosen in zip(steps, chosen, strict=True) if is_chosen for x in symbols(s.result)}
        more = [
            is_chosen or (s.letter is not None and s.letter.name in used)
            for s, is_chosen in zip(steps, chosen, strict=True)
        ]
        if more == chosen:
            return [s for s, is_chosen in zip(steps, chosen, strict=True) if is_chosen]
        chosen = more
