"""A page → its report: every formula judged by value against the page's own model."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field, replace

from elman.calculus.expression import (
    BigSum,
    Derivative,
    Dots,
    Entry,
    Expression,
    Index,
    Symbol,
    children,
    symbols,
    transform,
    walk,
)
from elman.calculus.printing.render import text
from elman.errors import FormulaError
from elman.notes.judge.verdict import Verdict
from elman.notes.model.build import build
from elman.notes.model.builtin_model import page_with_equations
from elman.notes.model.page_model import TIME, Definition, PageModel, Statement, free_times
from elman.notes.model.roles import with_roles
from elman.notes.model.stated_sizes import states_a_size
from elman.notes.oracle.agreement import Agreement, agreement, shape_names
from elman.notes.oracle.numeric_sizes import numbers_in, why_unchecked
from elman.notes.oracle.oracle import Oracle
from elman.notes.oracle.sampling import Sampling, sampling_of
from elman.notes.page.page import Page
from elman.notes.repair.repairer import Candidate

EQUALITIES = ("=", ":=")
SECONDS = 30  # for judging a page, and as much for explaining it: what is left then is said to be unchecked


@dataclass
class Judgement:
    """One part of a chain: what it is held against, how it agrees, and what is said of it."""

    statement: Statement
    part: int
    left: Expression
    result: Agreement = field(default_factory=Agreement)
    verdict: Verdict | None = None
    diagnosis: str = ""
    reading: str = ""
    found: list[Candidate] = field(default_factory=list)
    defines: Definition | None = None
    settled: bool = False
    ordinary: bool = False

    @property
    def expression(self) -> Expression:
        """The part."""
        return self.statement.parts[self.part]

    @property
    def key(self) -> tuple[int, int]:
        """Statement and part."""
        return self.statement.number, self.part

    @property
    def line(self) -> int:
        """The line of the page on which the part stands."""
        formula = self.statement.formula
        return formula.line + formula.text.count("\n", 0, self.statement.region(self.part)[0])

    @property
    def good(self) -> bool:
        """Whether it holds as it stands."""
        return self.verdict is None and self.result.plain


class Checker:
    """Judges one page; `judged` is every part of every chain, `remarks` what concerns the page as a whole, `reshaped`
    the declared shapes that took a blame.
    """

    def __init__(self, page: Page, supplied: str | None = None, model: PageModel | None = None) -> None:
        self.page = page if supplied is None else page_with_equations(page, supplied)
        self.remarks: list[str] = []
        model = with_roles(build(self.page)) if model is None else model
        self.sampling: Sampling = sampling_of(model, self.remarks, self.page.text)
        self.reshaped: dict[str, tuple[tuple[str, str], str]] = {}
        self.model: PageModel = self.sampling.model
        self.judged: dict[tuple[int, int], Judgement] = {}
        self.layout = "denominator"
        self._definitions = {
            (d.statement, d.part): d
            for table in (self.model.equations, self.model.named)
            for found in table.values()
            for d in found
        } | {(d.statement, d.part): d for d in self.model.start.values()}

    def judge(self, until: float = float("inf")) -> None:
        """Judges every equation of the page, as far as it comes `until` then, and settles its layout."""
        for statement in self.model.statements:
            if is_claim(statement) and not is_condition(statement, self.model):
                for k in range(1, len(statement.parts)):
                    if statement.relation.operators[k - 1] in EQUALITIES:
                        judged = Judgement(statement, k, statement.parts[0])
                        self.judged[judged.key] = judged
                        if time.monotonic() < until:
                            self._part(judged)
                            continue
                        judged.verdict, judged.settled = Verdict.NOT_READ, True
                        judged.diagnosis = f"not checked within {SECONDS} seconds: make it a page of its own"
        self._settle_layout()

    def _part(self, j: Judgement) -> None:
        j.defines = self._definitions.get(j.key)
        if j.defines is not None:
            self._definition(j, j.defines)
            return
        if isinstance(j.left, Symbol) and j.left.name in self.model.differentials:
            j.reading = f"{text(j.left)} is {text(self.model.named[j.left.name][0].value)}"
        j.result = self.agree(j.statement, j.left, j.expression)
        j.ordinary = not j.result.column
        if not j.result.any:
            self._at_hand(j)
        if j.result.error is None and contains_itself(j.left, j.expression):
            j.verdict = Verdict.SELF_REFERENCE
        if j.result.turned and not j.result.plain and (j.result.chain or isinstance(j.expression, Derivative)):
            j.result = replace(j.result, plain=True)  # a chain, a bare derivative: either layout is what is meant
        if j.result.chain:
            j.reading = "the chain rule" + (f", {j.reading}" if j.reading else "")
        self._unchecked(j)

    def _unchecked(self, j: Judgement) -> None:
        """What fails for the sizes at which the page is looked at, and may hold at its own, is not judged."""
        oracles = self.sampling.oracles(j.statement)
        why = "" if j.result.any else why_unchecked(oracles, j.result, (j.left, j.expression), self.sampling.written)
        if why:
            j.verdict, j.settled, j.diagnosis = Verdict.NOT_READ, True, f"not checked: {why}"

    def _at_hand(self, j: Judgement) -> None:
        """A bare J where the page has J and J^(t): the one of the step at hand, if that makes the claim true."""
        left, part = self.at_hand(j.left, j.expression)
        if (left, part) == (j.left, j.expression):
            return
        found = self.agree(j.statement, left, part)
        if found.any:
            j.result, j.ordinary = found, False
            j.reading = f"with the loss of step {TIME}"

    def at_hand(self, left: Expression, part: Expression) -> tuple[Expression, Expression]:
        """Both sides with every bare letter, of which the page has one of each step and one of all, at the step at
        hand.
        """
        both = {n for n, found in self.model.equations.items() if len(found) > 1}

        def change(node: Expression) -> Expression:
            if isinstance(node, Symbol) and node.time is None and node.name in both:
                return replace(node, time=Index(TIME))
            return node

        return (transform(left, change), transform(part, change)) if both else (left, part)

    def agree(self, statement: Statement, left: Expression, part: Expression) -> Agreement:
        """The agreement over all oracles. What is written by entries, or differentiates vectors by vectors, speaks of
        one column; a number that is a size of the page, too, is that size and itself, in turn.
        """
        found = self._agree(self.sampling.oracles(statement), left, part)
        sizes = self.sampling.written
        if found.plain or not sizes or sizes.isdisjoint(map(str, numbers_in(self.model, (left, part)))):
            return found
        literal = self._agree(self.sampling.literal_worlds(statement), left, part)
        return literal if literal.plain or (literal.any and not found.any) else found

    def _agree(self, oracles: list[Oracle], left: Expression, part: Expression) -> Agreement:
        first = agreement(oracles[0], left, part)
        if first.error is not None and about_one_column(left, part, first.error):
            column = [w for w in oracles if w.point.label == "B = 1"]
            if column:
                return replace(agreement(column[0], left, part), column=True)
        if not first.any:
            return first
        results = [first, *(agreement(w, left, part) for w in oracles[1:])]
        plain = all(r.plain for r in results)
        return replace(first, plain=plain, turned=not plain and all(r.turned or r.plain for r in results))

    # --- definitions ---

    def _definition(self, j: Judgement, d: Definition) -> None:
        """A definition holds if it has a value, and that of the declared shape."""
        j.reading = f"{text(j.left)} names it" if d.name in self.model.named else f"defines {text(j.left)}"
        oracle = self.sampling.oracles(j.statement)[0]
        j.result = agreement(oracle, j.left, j.expression)
        if j.result.any:
            j.result = Agreement(plain=True)
        if j.result.plain and d.name not in self.model.named:
            self._against_declared(j, oracle, d.name)
        if j.result.plain and lacks_time(j.left, j.expression):
            j.verdict = Verdict.TIME
        self._unchecked(j)

    def _against_declared(self, j: Judgement, oracle: Oracle, name: str) -> None:
        declared, actual = oracle.shape(name), oracle.shape_of(name)
        if declared is None or actual is None or declared == actual or actual == (1, 1):
            return
        words = f"{name} is declared {shape_names(oracle, declared)}, and this is {shape_names(oracle, actual)}"
        j.result = Agreement(error=FormulaError(words))

    # --- layouts ---

    def _settle_layout(self) -> None:
        """Which layout the page's gradients are in, by count; one that is true only in the other is no longer plain."""
        votes: Counter[str] = Counter()
        shown = [j for j in self.judged.values() if self._shows_layout(j)]
        claims = [j for j in shown if self.of_scalar(j)]
        for j in claims:
            votes["denominator" if j.result.plain else "numerator"] += 1
        if votes["numerator"] != votes["denominator"]:
            self.layout = "numerator" if votes["numerator"] > votes["denominator"] else "denominator"
        elif "numerator layout" in self.page.text.lower() or "分子布局" in self.page.text:
            self.layout = "numerator"
        for j in claims:
            own = "denominator" if j.result.plain else "numerator"
            j.reading = f"{own} layout"
            if own != self.layout:
                j.verdict = Verdict.TRANSPOSED
            else:
                j.result = replace(j.result, plain=True)
        for j in shown:
            if j not in claims:  # ∂y/∂x of columns: as [y,x] in numerator layout
                j.reading = f"{'numerator' if j.result.plain else 'denominator'} layout"
                if j.result.plain or self.layout == "denominator":
                    j.result = replace(j.result, plain=True)
                else:
                    j.verdict = Verdict.TRANSPOSED
        if votes:
            total = sum(votes.values())
            self.remarks.insert(0, f"layout: {votes[self.layout]} of {total} gradients are in {self.layout} layout")

    def of_scalar(self, j: Judgement) -> bool:
        """Whether a claim is of a scalar's gradient, no matter of which."""
        of = j.left.of if isinstance(j.left, Derivative) else None
        shape = self.sampling.oracles(j.statement)[0].shape_of(of.name) if isinstance(of, Symbol) else None
        return shape is None or shape == (1, 1) or (isinstance(of, Symbol) and of.name in self.model.roles.losses)

    def _shows_layout(self, j: Judgement) -> bool:
        """Whether a claim is of a gradient, and true in one layout only."""
        if not isinstance(j.left, Derivative) or j.result.plain == j.result.turned or j.result.chain or j.defines:
            return False
        if only_derivatives(j.expression) or j.result.column:
            return False
        shape = j.result.shape
        return shape is not None and shape != (1, 1)


def only_derivatives(e: Expression) -> bool:
    """Whether `e` is made of derivatives alone, as their sum is: then both sides are in whatever layout one reads them
    in.
    """
    if isinstance(e, Derivative):
        return True
    return not isinstance(e, Symbol) and bool(children(e)) and all(only_derivatives(child) for child in children(e))


def is_claim(statement: Statement) -> bool:
    """Whether a statement is an equation, wholly written out."""
    if not any(o in EQUALITIES for o in statement.relation.operators):
        return False
    return not any(isinstance(n, Dots) for part in statement.parts for n in walk(part))


def is_condition(statement: Statement, model: PageModel) -> bool:
    """Whether an equation in the prose only says what is supposed of a given letter, an index or a size: U = E^T, i =
    1, d = D_h.
    """
    left = statement.parts[0]
    if states_a_size(statement, model.said):
        return True
    if statement.formula.kind != "inline" or not isinstance(left, Symbol):
        return False
    if left.name in model.equations or left.name in model.named or (left.name, left.time) in model.start:
        return False
    return not any(isinstance(n, Derivative) for part in statement.parts for n in walk(part))


def contains_itself(left: Expression, part: Expression) -> bool:
    """∂J/∂W|_(t) = Σ_i ∂J/∂W|_(i): the left side is the last term of its own sum."""
    if not (isinstance(left, Derivative) and left.at is not None and isinstance(part, BigSum)):
        return False
    body = part.body
    if not (isinstance(body, Derivative) and body.of == left.of and body.wrt == left.wrt and body.at is not None):
        return False
    return body.at.variable == part.index and part.upper == left.at


def lacks_time(left: Expression, part: Expression) -> bool:
    """h = σ(W h^(t-1) + …): the same letter has a time step on the right and none on the left."""
    if not (isinstance(left, Symbol) and left.time is None):
        return False
    free = free_times(part)
    return any(s.name == left.name and s.time is not None and s.time.variable in free for s in symbols(part))


def about_one_column(left: Expression, part: Expression, error: FormulaError) -> bool:
    """Whether a claim is written for one column: by entries, or with derivatives of vectors by vectors."""
    by_entries = any(isinstance(n, Entry) for e in (left, part) for n in walk(e))
    return by_entries or "four indices" in str(error)
