"""Claims that the reading of their section leaves unjudged, each read by itself.

One misread equation of a section must not stop the judge everywhere. A claim is therefore read once more with the
definitions alone that it needs (`model/small_model.py`), with shapes inferred for these, and evaluated by the same
oracle. Where it holds so, it holds: what it leaves out of its page may be anything.

A part of a derivation that cannot be compared with the left side is compared with the part before it: a step.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from elman.calculus.expression import (
    BigProduct,
    BigSum,
    Derivative,
    Dots,
    Entry,
    Expression,
    Product,
    Symbol,
    Transpose,
    has_derivative,
    transform,
    walk,
)
from elman.calculus.printing.render import text
from elman.calculus.shapes.kinds import Costs, usual_costs
from elman.calculus.syntax.names import fold
from elman.calculus.values.environment import MisfitError
from elman.errors import FormulaError
from elman.notes.judge.chain_rule import is_chain_rule
from elman.notes.judge.checker import Checker, JudgedPage, Key, in_layout, judged_claim
from elman.notes.judge.derivation_steps import earlier_parts
from elman.notes.judge.judgement import Judgement
from elman.notes.judge.verdict import Verdict
from elman.notes.judge.worked_numbers import is_worked
from elman.notes.model.bold_letters import is_bold
from elman.notes.model.derivatives_by_expressions import (
    inverse_name,
    with_derivatives_by_arguments,
    with_letters_for_inverses,
)
from elman.notes.model.examples import of_its_example
from elman.notes.model.named_losses import said_losses
from elman.notes.model.page_model import PageModel, Statement
from elman.notes.model.said_by_the_way import with_said_sigmoid
from elman.notes.model.shares_of_steps import as_share_of_step, at_the_last_step
from elman.notes.model.small_model import PageDefinitions, small_models, values_in_examples
from elman.notes.model.stated_derivatives import with_stated_derivatives
from elman.notes.model.statement_kinds import StatementKind
from elman.notes.model.sums import over_all_entries, sum_to_the_end
from elman.notes.model.unknown_losses import supplied_losses
from elman.notes.oracle.agreement import Agreement
from elman.notes.oracle.budget import SMALL_MODEL, Budget
from elman.notes.oracle.evaluation_point import FourIndicesError
from elman.notes.page.page import Page

_NO_LONGER = 6.0  # what it costs to read a letter as less than its section shows
_OF_EXAMPLE = "of {loss}, the loss of its example"
_ASIDE = "it goes on with the derivation above the row before it"
_WHOLE_SUM = "the sum runs over all that follows"
_LAST_STEP = "at the last step, that of the loss"
_SHARE = "the share of step t"
_ALL_ENTRIES = "the sum runs over all entries"
_CHAIN = "the chain rule, for any functions of these letters"
_ENTRYWISE = "the point is the product entry by entry"
_SAID = "{name} is the cross-entropy, as the page says"
_SIGMOID = "with the sigmoid that the page names"
_STATED = "the step from the row above holds with the derivatives that the page states"
_STEP = "the step from the row above holds"
_COUNTED = "_counted"  # the name of a letter that only gives a size a value
_MOST_STEPS = 3  # parts before a part that it is compared with


def with_local_readings(judged: JudgedPage, budget: Budget) -> JudgedPage:
    """The judgements of a section, with those claims that hold where they are read by themselves."""
    reader = LocalReader(judged)
    found: dict[Key, Judgement] = {}
    # what differentiates comes first, as the budget may not suffice for all
    order = sorted(judged.judgements.items(), key=lambda item: not has_derivative(item[1].left, item[1].expression))
    for key, j in order:
        if not budget.is_exhausted() and _is_open(judged.checker, j):
            held = reader.held(j, found)
            if held is not None:
                found[key] = held
    return replace(judged, judgements={**judged.judgements, **found}) if found else judged


def _is_open(checker: Checker, j: Judgement) -> bool:
    """Whether the section's reading leaves a claim open: it is not checked, or fails with shapes that were assumed."""
    if is_worked(j.statement, j.part) or checker.kinds[j.statement.number] is StatementKind.SOLUTION:
        return False
    if j.good or j.verdict is Verdict.NOT_A_CLAIM:
        return False
    conditions = j.statement.relation.conditions
    if any(isinstance(n, Dots) for condition in conditions for n in walk(condition)):
        return False
    if any(name in checker.model.fixed for name, _ in values_in_examples(checker.model)):
        return True
    if j.unchecked or not checker.declares_shapes(j):
        return True
    return _over_all_entries(checker.page, j.statement, j.part) is not None


@dataclass(frozen=True, slots=True)
class _Reading:
    """A way to read a claim: its statement and left side, the definitions and the model that it is read with, where
    these are not those of its section, and `how`, in words.
    """

    statement: Statement
    left: Expression
    how: str
    definitions: PageDefinitions | None = None
    read: PageModel | None = None


class LocalReader:
    """Reads claims of one section by themselves."""

    def __init__(self, judged: JudgedPage) -> None:
        self._judged = judged
        self._checker = judged.checker
        read = judged.checker.read
        self._read: PageModel = replace(
            read,
            evidence={**read.evidence, **evidence_of(judged.checker)},
            symmetric=read.symmetric | {inverse_name(name) for name in read.symmetric},
        )
        self._definitions = PageDefinitions(self._read)
        self._said = said_losses(self._read, judged.checker.page.text)
        self._with_said_losses = PageDefinitions(self._read, self._said)
        self._with_sigmoid = with_said_sigmoid(self._read, judged.checker.page.text)

    def _is_good(self, key: Key, found: Mapping[Key, Judgement]) -> bool:
        j = found.get(key) or self._judged.judgements.get(key)
        return j is not None and j.good

    def held(self, j: Judgement, found: Mapping[Key, Judgement]) -> Judgement | None:
        """The judgement of a claim that holds by itself, or that equals a part before it; None where it does not. That
        part is the first of its derivation, or one that holds, as `found` or the section says: behind a wrong row
        nothing holds as a step.
        """
        statement = self._read.statements[j.statement.number]
        rows = list(earlier_parts(self._read, statement, j.part))
        sound = [row for k, row in enumerate(rows) if k == len(rows) - 1 or self._is_good(row[0], found)]
        for key, left in ((None, statement.parts[j.beside]), *sound[:_MOST_STEPS]):
            if isinstance(left, Dots):
                continue
            is_step, differs = key is not None, False
            for checker, new in self.judged_alone(j, statement, left):
                if new.good and not new.result.nothing:  # 0 = 0 says that the claim was misread
                    held = _as_held(j, checker, new, _STEP if is_step else "read by itself")
                    return held if key is None else replace(held, step=(key, j))
                differs |= new.result.error is None and new.result.counterexample is not None
            if is_step and differs:
                break
        given = self._held_with_stated_derivatives(j, statement, sound)
        if given is not None:
            return given
        left = statement.parts[j.beside]
        for other in (*self._other_readings(statement, j), *self._with_more_equations(statement, j)):
            for checker, new in self.judged_alone(j, other.statement, other.left, other.definitions, other.read):
                if new.good and not new.result.nothing:
                    return _as_held(j, checker, new, other.how)
        if (j.unchecked or j.result.nothing) and is_chain_rule(self._read, left, statement.parts[j.part]):
            return _as_held(j, self._checker, replace(j, result=Agreement(plain=True, chain=True), reading=_CHAIN))
        return None

    def _held_with_stated_derivatives(
        self, j: Judgement, statement: Statement, rows: Sequence[tuple[Key, Expression]]
    ) -> Judgement | None:
        """The judgement of a claim that equals a row before it with the derivatives in it as the page states them."""
        for read in filter(None, (self._read, self._with_sigmoid)):
            changed = read.statements[statement.number]
            definitions = self._definitions if read is self._read else PageDefinitions(read)
            for key, _ in rows[:_MOST_STEPS]:
                given = with_stated_derivatives(read, read.statements[key[0]].parts[key[1]])
                for checker, new in self.judged_alone(j, changed, given, definitions, read) if given else ():
                    if new.good and not new.result.nothing:
                        return replace(_as_held(j, checker, new, _STATED), step=(key, j))
        return None

    def _other_readings(self, statement: Statement, j: Judgement) -> Iterator[_Reading]:
        """Other ways to read a claim."""
        above = self._left_above(statement, j)
        if above is not None:
            yield _Reading(statement, above, _ASIDE)
        of_example = of_its_example(self._read.statements, statement.parts[j.beside])
        if of_example is not None:
            yield _Reading(statement, of_example, _OF_EXAMPLE.format(loss=text(of_example.of)))
        for changed in (with_letters_for_inverses(statement), with_derivatives_by_arguments(statement)):
            if changed is not None:
                yield _Reading(changed, changed.parts[j.beside], "")
        last = at_the_last_step(self._read, statement, j.part, j.beside)
        if last is not None:
            yield _Reading(last, last.parts[j.beside], _LAST_STEP)
        share = as_share_of_step(self._read, statement, j.part, j.beside)
        if share is not None:
            yield _Reading(share, share.parts[j.beside], _SHARE)
        longer = sum_to_the_end(statement.parts[j.part])
        if longer is not None:
            parts = [longer if k == j.part else part for k, part in enumerate(statement.parts)]
            yield _Reading(statement.with_parts(parts), statement.parts[j.beside], _WHOLE_SUM)
        whole = _over_all_entries(self._checker.page, statement, j.part)
        if whole is not None:
            yield _Reading(whole, whole.parts[j.beside], _ALL_ENTRIES)
        if _is_misfit(j) and (entrywise := _with_entrywise_points(statement.parts[j.part])) != statement.parts[j.part]:
            parts = [entrywise if k == j.part else part for k, part in enumerate(statement.parts)]
            yield _Reading(statement.with_parts(parts), statement.parts[j.beside], _ENTRYWISE)

    def _with_more_equations(self, statement: Statement, j: Judgement) -> Iterator[_Reading]:
        """The readings of a claim with a loss, or with a function, that only the words of the page name."""
        left = statement.parts[j.beside]
        for name in self._said:
            if any(isinstance(n, Symbol) and n.name == name for n in walk(left)):
                yield _Reading(statement, left, _SAID.format(name=name), self._with_said_losses)
        read = self._with_sigmoid
        if read is not None and j.unchecked:
            changed = read.statements[statement.number]
            yield _Reading(changed, changed.parts[j.beside], _SIGMOID, PageDefinitions(read), read)

    def equal(
        self, statement: Statement, left: Expression, right: Expression, numbers: bool = False
    ) -> Iterator[tuple[Checker, Judgement]]:
        """The judgements of `left = right`, two parts of the derivation of a statement, under its small models. With
        `numbers`, all letters are numbers that do not have entries: what holds for vectors and matrices of any size
        holds for these.
        """
        relation = replace(statement.relation, parts=(left, right), operators=("=",))
        pair = replace(self._read.statements[statement.number], relation=relation)
        claim = Judgement(pair, 1, left)
        if not numbers:
            yield from self.judged_alone(claim, pair, left)
            return
        read = self._of_numbers(pair)
        yield from self.judged_alone(claim, pair, left, PageDefinitions(read), read)

    def _of_numbers(self, pair: Statement) -> PageModel:
        """The model in which the letters of the section are numbers, but for those that have entries."""
        nodes = [n for s in (*self._read.own_statements(), pair) for n in s.nodes()]
        indexed = {n.of.name for n in nodes if isinstance(n, Entry) and isinstance(n.of, Symbol)}
        sizes = {n.upper.variable for n in nodes if isinstance(n, BigSum | BigProduct) and n.upper is not None}
        letters = {n.name for n in nodes if isinstance(n, Symbol)} - indexed - sizes
        shapes = dict.fromkeys(sorted(letters), ("1", "1"))
        of_sizes = {f"{size}{_COUNTED}": (size, "1") for size in sorted(filter(None, sizes))}
        return replace(
            self._read, shapes=shapes | of_sizes, evidence={}, kinds={}, families=frozenset(), exact={}, said={}
        )

    def _left_above(self, statement: Statement, j: Judgement) -> Expression | None:
        """The left side of the derivation that a row goes on with behind an aside: the rows before it in the display
        have a left side of their own; None where there is no such derivation.
        """
        k = statement.number
        if j.part < 2 or j.beside or k == 0:
            return None
        above = self._read.statements[k - 1]
        same = above.formula == statement.formula and len(above.parts) > 1
        return above.parts[0] if same and isinstance(above.parts[0], Derivative) else None

    def judged_alone(
        self,
        j: Judgement,
        statement: Statement,
        left: Expression,
        definitions: PageDefinitions | None = None,
        read: PageModel | None = None,
    ) -> Iterator[tuple[Checker, Judgement]]:
        """The judgements of `left = part` under its small models, with their checkers."""
        misfits = True
        definitions = definitions or self._definitions
        defines = j.defines if left is statement.parts[j.beside] else None
        for small in small_models(read or self._read, definitions, statement, left, j.part, defines is not None):
            if small.bare and not misfits:
                return
            self._checker.meter.count(SMALL_MODEL)
            try:
                checker = Checker(self._checker.page, model=small.model, oracles=self._checker.oracles)
            except FormulaError:
                continue
            if any(checker.model.equations.get(n) != small.model.equations[n] for n in supplied_losses(small.model)):
                continue  # what an unknown loss depends on has no value: it may depend on more
            alone = checker.model.statements[-1]
            claim = Judgement(alone, 1, alone.parts[0], defines=defines)
            new = in_layout(checker, judged_claim(checker, claim), self._judged.layout)
            if small.reading:
                new = replace(new, reading="; ".join(w for w in (new.reading, small.reading) if w))
            misfits &= _is_misfit(new)
            yield checker, new


def evidence_of(checker: Checker) -> dict[str, Costs]:
    """What the section shows of its letters, for claims that are read by themselves: one that it transposes or writes
    in bold is no number, and a capital that it reads as a matrix stays one. So no claim holds because its letters
    became numbers.
    """
    parts = [part for s in checker.read.own_statements() for part in s.parts]
    nodes = [n for part in parts for n in walk(part)]
    whole = {n.of.name for n in nodes if isinstance(n, Transpose) and isinstance(n.of, Symbol)}
    letters = [n for n in nodes if isinstance(n, Symbol)]
    bold = Counter(n.name for n in letters if is_bold(n))
    all_uses = Counter(n.name for n in letters)
    whole |= {name for name, count in bold.items() if 2 * count > all_uses[name]}
    found: dict[str, Costs] = {name: {"number": _NO_LONGER} for name in whole}
    for name, shape in {**checker.model.derived, **checker.model.shapes}.items():
        if "1" not in shape and usual_costs(name)["matrix"] == 0:
            found[name] = dict.fromkeys(("number", "column", "row"), _NO_LONGER)
    return found


def _with_entrywise_points(e: Expression) -> Expression:
    """The product of entries for each point between two factors: δ · σ'(z) as δ ∘ σ'(z)."""
    return transform(e, lambda n: replace(n, operator="∘") if isinstance(n, Product) and n.operator == "·" else n)


def _is_misfit(j: Judgement) -> bool:
    """Whether a claim failed since its shapes do not fit."""
    error, counterexample = j.result.error, j.result.counterexample
    if error is not None:
        return isinstance(error, MisfitError | FourIndicesError)
    return counterexample is not None and counterexample.entry is None


def _over_all_entries(page: Page, statement: Statement, part: int) -> Statement | None:
    """A claim whose sums run to sizes that the page has not declared above it, with these over all entries of letters
    that it has declared; None for any other claim.
    """
    above = [line for line in page.shapes if line.start < statement.formula.start]
    known = {fold(size) for line in above for size in (line.rows, line.columns)}
    letters = {n.of.name for n in walk(statement.parts[part]) if isinstance(n, Entry) and isinstance(n.of, Symbol)}
    whole = over_all_entries(statement.parts[part], known) if known else None
    if whole is None or not letters <= {line.name for line in above}:
        return None
    return statement.with_parts(whole if k == part else e for k, e in enumerate(statement.parts))


def _as_held(j: Judgement, checker: Checker, new: Judgement, how: str = "") -> Judgement:
    """The judgement of a claim that holds as `new` does."""
    kinds = [r.removeprefix("reading: ") for r in checker.remarks if r.startswith("reading: ")]
    words = "; ".join(w for w in (new.reading, how, *kinds) if w)
    return replace(
        j, result=new.result, verdict=None, reading=words, unchecked="", doubtful=False, as_written=new.as_written,
        alone=True,
    )  # fmt: skip
