"""A page → its judgements: every equation compared by value with the page's own model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from math import isclose

from elman.calculus.expression import (
    Add,
    Apply,
    Derivative,
    Dots,
    Entry,
    Expression,
    Index,
    Iverson,
    Symbol,
    base_of,
    has_derivative,
    symbols,
    transform,
    walk,
)
from elman.calculus.printing.render import text
from elman.calculus.shapes.kinds import is_called_a_loss
from elman.calculus.values.environment import MisfitError
from elman.errors import FormulaError
from elman.notes.judge.advice import no_dependence, with_advice
from elman.notes.judge.claim_kinds import (
    ELLIPSIS,
    EQUALITIES,
    about_one_column,
    contains_itself,
    in_either_layout,
    index_that_meets,
    is_condition,
    lacks_time,
)
from elman.notes.judge.judgement import Judgement
from elman.notes.judge.solutions import judged_solution
from elman.notes.judge.verdict import Verdict
from elman.notes.judge.worked_numbers import arithmetic, is_worked, may_be_rounded, with_its_letter
from elman.notes.model.build import build
from elman.notes.model.builtin_model import page_with_equations
from elman.notes.model.page_model import (
    TIME,
    Definition,
    PageModel,
    Statement,
    everything_in,
    free_indices,
    free_times,
    names_in,
)
from elman.notes.model.roles import with_roles
from elman.notes.model.statement_kinds import StatementKind, defined_letter, is_numeric, kinds_of, may_be_condition
from elman.notes.model.unknown_losses import differentiated_by, supplied_losses, with_unknown_losses
from elman.notes.oracle.agreement import Agreement, agreement, agreement_of_direct_use
from elman.notes.oracle.budget import Budget
from elman.notes.oracle.evaluation_point import (
    CycleError,
    FourIndicesError,
    InfiniteError,
    NothingToCompareError,
    UndefinedError,
    UnknownSizeError,
)
from elman.notes.oracle.numeric_sizes import numbers_in, why_unchecked
from elman.notes.oracle.oracle import Oracle, Oracles
from elman.notes.oracle.sampling import sampling_of
from elman.notes.page.page import Page

Key = tuple[int, int]  # the number of a statement, and of a part in it
_OTHER_FUNCTIONS = 100_000  # units of work after which no claim is judged again with other functions
_FINITE = 3  # points at which both sides of a claim have a finite value, that are enough to compare them
_ENOUGH = 2  # claims with the derivatives of a loss that hold


class Checker:
    """What the judgements of one page share: its model, and the oracles at its evaluation points.

    `supplied` names a built-in model for a page that has gradients only. `model` replaces the page's own model; `read`
    is the model before the shapes that the page does not declare were found.
    `oracles` are those of an earlier checker of the same page, so that one meter counts the work of both. `remarks` say
    what was assumed.
    """

    def __init__(
        self, page: Page, supplied: str | None = None, model: PageModel | None = None, oracles: Oracles | None = None
    ) -> None:
        self.page = page if supplied is None else page_with_equations(page, supplied)
        self.oracles = oracles or Oracles()
        self.meter = self.oracles.meter
        self.for_other_functions = self.meter.budget(_OTHER_FUNCTIONS)
        model = with_roles(build(self.page)) if model is None else model
        self.read = model
        self.sampling, remarks = sampling_of(model, self.oracles, self.page.text)
        self.remarks = tuple(remarks)
        self.model: PageModel = self.sampling.model
        self.kinds = kinds_of(self.model.statements)
        self._definitions: dict[Key, Definition] = {
            (d.statement, d.part): d
            for table in (self.model.equations, self.model.named)
            for found in table.values()
            for d in found
        } | {(d.statement, d.part): d for d in self.model.start.values()}

    def definition(self, statement: Statement, part: int) -> Definition | None:
        """The definition that a part of a statement gives, if it gives one."""
        return self._definitions.get((statement.number, part))

    def claims(self) -> Iterator[Judgement]:
        """Every claim of the page in order, not yet judged."""
        for statement in self.model.own_statements():
            for k in range(1, len(statement.parts)):
                if not self.why_no_claim(statement, k):
                    worked = is_worked(statement, k)
                    first = 1 if self.kinds[statement.number] in (StatementKind.UPDATE, StatementKind.NAME) else 0
                    left = statement.parts[k - 1 if worked else first]
                    defines = None if worked else self.definition(statement, k)
                    yield Judgement(statement, k, left, defines=defines, beside=0 if worked else first)

    def why_no_claim(self, statement: Statement, part: int) -> str:
        """Why a part of a statement claims nothing; empty where it claims something."""
        operator = statement.relation.operators[part - 1]
        if is_worked(statement, part):
            if with_its_letter(statement, part, self.model.statements) is not None:
                return ""
            compared = operator in (*EQUALITIES, "≈") and is_numeric(statement.parts[part - 1])
            return "" if compared and part > 1 else "a number in a worked example"
        if operator not in EQUALITIES:
            return "this is no equation"
        dots = any(isinstance(n, Dots) for n in walk(statement.parts[part]))
        left = any(isinstance(n, Dots) for n in walk(statement.parts[0])) and not statement.relation.continues
        if dots or left:
            return ELLIPSIS
        kind = self.kinds[statement.number]
        if kind is StatementKind.UPDATE and part > 1 and statement.relation.operators[part - 2] in EQUALITIES:
            return ""  # of w' = w - η ∂E/∂w = w - η δ x, the last part is equal to the one before
        if kind is StatementKind.NAME and part > 1 and has_derivative(statement.parts[1]):
            return ""  # so it is in Δw = -η ∂E/∂w = -η δ x
        if kind not in (StatementKind.EQUATION, StatementKind.SOLUTION):
            return kind.value
        if is_condition(statement, self.model):
            return "supposed of a given letter: a condition"
        if is_numeric(statement.parts[0]):
            return "a worked number"
        return ""

    def with_current_step(self, left: Expression, part: Expression) -> tuple[Expression, Expression]:
        """Both sides with a bare J as J^(t), for every letter that the page defines for each step and for all."""
        both = {n for n, found in self.model.equations.items() if len(found) > 1}

        def change(node: Expression) -> Expression:
            if isinstance(node, Symbol) and node.time is None and node.name in both:
                return replace(node, time=Index(TIME))
            return node

        return (transform(left, change), transform(part, change)) if both else (left, part)

    def agree(self, statement: Statement, left: Expression, part: Expression) -> Agreement:
        """The agreement of `left = part` over all oracles of a statement.

        A claim by entries, or with derivatives of vectors by vectors, is evaluated for one column. A number that is
        also a size of the page is read as that size first, and then as the number.
        """
        found = self._agree(self.sampling.oracles(statement), left, part)
        if not found.any and found.error is None and isinstance(left, Derivative):
            narrower = self._agree_with_others_fixed(statement, left, part)
            if narrower is None:
                narrower = self._agree_at_distinct_indices(statement, left, part)
            if narrower is not None:
                return narrower
        sizes = self.sampling.written
        if found.plain or not sizes or sizes.isdisjoint(map(str, numbers_in(self.model, (left, part)))):
            return found
        literal = self._agree(self.sampling.literal_oracles(statement), left, part)
        return literal if literal.plain or (literal.any and not found.any) else found

    def _agree_with_others_fixed(self, statement: Statement, left: Derivative, part: Expression) -> Agreement | None:
        """The agreement of ∂y/∂x = part with other letters in the equation of y held fixed, None where it has none."""
        held = self._held_fixed(left)
        found = agreement_of_direct_use(self.sampling.oracles(statement)[0], left, part) if held else None
        return None if found is None else replace(found, reading=f"with {' and '.join(held)} held fixed")

    def _agree_at_distinct_indices(self, statement: Statement, left: Derivative, part: Expression) -> Agreement | None:
        """The agreement of ∂o_j/∂z_i = part where j ≠ i; None where it has none, or j may be i."""
        apart = self._distinct_indices(statement, left)
        if apart is None:
            return None
        found = self.agree_where(statement, left, part, apart)
        return replace(found, reading=f"where {apart.left} ≠ {apart.right}") if found.plain else None

    def _held_fixed(self, left: Derivative) -> list[str]:
        """The letters that ∂y/∂x holds fixed: those in the equation of y that depend on x, where the page has the
        derivative of y by each of them as well.
        """
        if left.at is not None:
            return []
        of, by = base_of(left.of), base_of(left.wrt)
        if not (isinstance(of, Symbol) and isinstance(by, Symbol) and of.time is None):
            return []
        d = self.model.defined(of.name)
        inner = symbols(d.value) - {by} if d is not None else set()
        defined = sorted((s for s in inner if s.name in self.model.equations), key=lambda s: s.name)
        between = [s for s in defined if by.name in names_in(self.model, [s])]
        fixed = all((of.name, s.name) in self.model.partial for s in between)
        return [text(s) for s in between] if fixed else []

    def _distinct_indices(self, statement: Statement, left: Derivative) -> Iverson | None:
        """The condition j ≠ i of ∂o_j/∂z_i, where the page gives the case of equal indices, ∂o_i/∂z_i, by itself."""
        if statement.relation.conditions:
            return None
        of, by = left.of, left.wrt
        if not (isinstance(of, Entry) and isinstance(by, Entry)):
            return None
        if not (isinstance(of.of, Symbol) and isinstance(by.of, Symbol)):
            return None
        one, other = of.indices[-1], by.indices[-1]
        if (of.of.name, by.of.name) not in self.model.equal_indices or one == other or not one.variable:
            return None
        return Iverson(one, other, "≠") if other.variable else None

    def _agree(self, oracles: list[Oracle], left: Expression, part: Expression) -> Agreement:
        first = agreement(oracles[0], left, part)
        if first.error is not None and about_one_column(left, part, first.error):
            column = [w for w in oracles if w.point.label == "B = 1"]
            if column:
                return replace(agreement(column[0], left, part), column=True)
        if isinstance(first.error, InfiniteError):
            others = (agreement(w, left, part) for w in oracles[1:])
            first = next((r for r in others if not isinstance(r.error, InfiniteError)), first)
        if first.nothing:  # at this point: max(0, x) at a negative x
            others = (agreement(w, left, part) for w in oracles[1:])
            first = next((r for r in others if not r.nothing and not _compares_nothing(r)), first)
        if not first.any:
            return first
        results = [first, *(agreement(w, left, part) for w in oracles[1:])]
        results = [r for r in results if not _compares_nothing(r)]  # i ≠ j at a size of 1
        finite = [r for r in results if not isinstance(r.error, InfiniteError)]
        results = finite if len(finite) >= _FINITE else results
        plain = all(r.plain for r in results)
        turned = not plain and all(r.turned or r.plain for r in results)
        error = next((r.error for r in results if r.error is not None), None)
        if error is not None:
            return replace(first, plain=False, turned=False, error=error)
        apart = next((r.counterexample for r in results if r.counterexample is not None), None)
        return replace(first, plain=plain, turned=turned, counterexample=apart)

    def agree_where(self, statement: Statement, left: Expression, part: Expression, where: Iverson) -> Agreement:
        """The agreement of `left = part` under a further condition of its indices."""
        oracles = self.sampling.oracles(statement)
        return self._agree(
            [self.oracles.shared(o.model, o.point, o.local, (*o.conditions, where)) for o in oracles], left, part
        )

    def is_of_scalar(self, j: Judgement) -> bool:
        """Whether a claim is about the gradient of a scalar."""
        of = j.left.of if isinstance(j.left, Derivative) else None
        oracle = self.sampling.oracles(j.statement)[0]
        shape = oracle.values.shape_of(of.name) if isinstance(of, Symbol) else _shape_of(oracle, of)
        return shape is None or shape == (1, 1) or (isinstance(of, Symbol) and of.name in self.model.roles.losses)

    def declares_shapes(self, j: Judgement) -> bool:
        """Whether the page declares the shapes that a claim depends on."""
        return self.sampling.has_declared_shapes(j.statement, (j.left, j.expression))


@dataclass(frozen=True, slots=True)
class JudgedPage:
    """A page with all its judgements, in the order of the page; `layout` is that of most of its gradients."""

    checker: Checker
    judgements: Mapping[Key, Judgement]
    layout: str
    remarks: tuple[str, ...]


def judge(checker: Checker, budget: Budget | None = None) -> JudgedPage:
    """Judges every claim of the page that `budget` suffices for; the others are not checked."""
    judged = []
    for claim in checker.claims():
        if budget is not None and budget.is_exhausted():
            why = f"the formulas before it took {budget.limit:,} operations, the limit of a page: split the page"
            judged.append(claim.not_checked(why))
        else:
            judged.append(judged_claim(checker, claim))
    judged, layout, remark = _with_layout(checker, _with_known_dependences(checker, judged))
    remarks = (remark, *checker.remarks) if remark else checker.remarks
    return JudgedPage(checker, {j.key: j for j in judged}, layout, remarks)


# --- one claim ---


def judged_claim(checker: Checker, claim: Judgement) -> Judgement:
    """A claim, judged."""
    if is_worked(claim.statement, claim.part):
        result = arithmetic(claim.statement, claim.part)
        if result.error is not None:
            return claim.not_checked(f"its arithmetic has no value: {result.error.reason}")
        if not result.plain and may_be_rounded(claim.statement, claim.part):
            return claim.not_checked("the numbers that it is computed from may be rounded: write them with more digits")
        return replace(claim, result=result, reading="the arithmetic of an example")
    if isinstance(claim.left, Dots):
        why = "it goes on with a formula above that is not read"
        return claim.not_checked(why)
    if any(isinstance(n, Dots) for condition in claim.statement.relation.conditions for n in walk(condition)):
        why = "the condition behind it is not read: write it as i = j, or x > 0"
        return claim.not_checked(why)
    if checker.kinds[claim.statement.number] is StatementKind.SOLUTION:
        return judged_solution(claim, checker.sampling.oracles(claim.statement), checker.oracles)
    judged = _judged_equation(checker, claim) if claim.defines is None else _judged_definition(checker, claim)
    loss = None if judged.result.plain else _loss_that_is_no_number(checker, judged)
    if loss is not None and (judged.result.error is None or isinstance(judged.result.error, MisfitError)):
        if _holds_for_any(checker, judged, loss):
            return replace(judged, result=Agreement(plain=True), reading=f"for any {loss}, whose equation was misread")
        return judged.not_checked(f"the loss {loss} is no number as it was read: declare the shapes of its letters")
    if judged.result.any:
        if _says_nothing(checker, judged):
            return judged.not_checked(no_dependence(judged.left))
        broken = _broken_behind_losses(checker, judged)
        return judged.not_checked(_no_value(broken)) if broken is not None else judged
    if may_be_condition(claim.left, claim.expression):
        return replace(judged, verdict=Verdict.NOT_A_CLAIM, unchecked="it is asked for: a condition")
    why = _why_unchecked(checker, judged)
    if why:
        return judged.not_checked(why)
    return _without_evidence(checker, judged)


def _compares_nothing(found: Agreement) -> bool:
    return isinstance(found.error, NothingToCompareError)


def _without_evidence(checker: Checker, j: Judgement) -> Judgement:
    """The judgement of a claim that fails: not checked, unless its two sides have values that differ or declared shapes
    clash.
    """
    error, counterexample = j.result.error, j.result.counterexample
    if j.result.nothing and isinstance(j.left, Derivative) and not checker.declares_shapes(j):
        return j.not_checked(no_dependence(j.left))
    if error is None and counterexample is not None and counterexample.entry is not None:
        unknown = _unknown_in(checker, j)
        examined = not checker.for_other_functions.is_exhausted()
        if unknown is None or (examined and _is_same_for_other_functions(checker, j)):
            return j
        why = f"it does not hold for every {unknown}: write what {unknown} is"
        return replace(j.not_checked(why, doubtful=True), unknown=unknown)
    if isinstance(error, UndefinedError):
        return j
    if isinstance(error, UnknownSizeError):
        return j.not_checked(with_advice(error.reason))
    inherited = error is not None and not isinstance(error, CycleError)
    broken = _broken_equation(checker, j) if inherited else None
    if broken is not None and broken.name in checker.model.roles.losses and _holds_for_any(checker, j, broken.name):
        return replace(j, result=Agreement(plain=True), reading=f"for any {text(broken)}, whose equation was not read")
    if broken is not None:
        return j.not_checked(_no_value(text(broken)), checker.declares_shapes(j))
    misfit = error is None or isinstance(error, MisfitError)
    declared = checker.declares_shapes(j)
    if misfit and declared and j.statement.formula.kind != "code" and _unknown_in(checker, j) is None:
        return j
    if error is None:
        what = "the two sides have different shapes"
    elif isinstance(error, MisfitError):
        what = checker.sampling.in_letters(error, checker.sampling.oracles(j.statement)[0])
    else:
        return j.not_checked(with_advice(error.reason), declared or isinstance(error, FourIndicesError))
    why = f"{what}, with the shapes assumed: declare the shapes of its letters"
    return j.not_checked(why, doubtful=True)


def _unknown_in(checker: Checker, j: Judgement) -> str | None:
    """A function that a claim depends on, and that the page does not define."""
    for node in everything_in(checker.model, (j.left, j.expression)):
        if isinstance(node, Apply):
            return node.name
    return None


def _is_same_for_other_functions(checker: Checker, j: Judgement) -> bool:
    """Whether both sides of a claim have the values of its counterexample with other functions, too, in place of those
    that the page does not define. Then these do not matter: it fails whatever they are.
    """

    def other(node: Expression) -> Expression:
        return replace(node, name=f"{node.name}_other") if isinstance(node, Apply) else node

    def with_others(table: Mapping[str, tuple[Definition, ...]]) -> dict[str, tuple[Definition, ...]]:
        return {n: tuple(replace(d, value=transform(d.value, other)) for d in found) for n, found in table.items()}

    model, first = checker.model, j.result.counterexample
    roles = replace(model.roles, positive=model.roles.positive | {f"{name}_other" for name in model.roles.positive})
    model = replace(
        model,
        equations=with_others(model.equations),
        named=with_others(model.named),
        start={key: replace(d, value=transform(d.value, other)) for key, d in model.start.items()},
        unknown=model.unknown | {f"{name}_other" for name in model.unknown},
        roles=roles,
    )
    sampled = checker.sampling.oracles(j.statement)[0]
    oracle = checker.oracles.new(model, sampled.point, sampled.local, sampled.conditions)
    second = agreement(oracle, transform(j.left, other), transform(j.expression, other)).counterexample
    if first is None or second is None or first.entry != second.entry:
        return False
    values = ((first.left, second.left), (first.right, second.right))
    return all(a is not None and b is not None and isclose(a, b) for a, b in values)


def _with_known_dependences(checker: Checker, judged: list[Judgement]) -> list[Judgement]:
    """The judgements, those that fail for some loss L as wrong, where L is known well enough: they differentiate L on
    both sides, so that only what L depends on matters, and most of the claims with ∂L hold so.
    """
    losses = supplied_losses(checker.model)
    if not any(j.unknown in losses for j in judged):
        return judged
    counts = {name: Counter[str]() for name in losses}
    about = [(j, name) for j in judged if j.defines is None for name in losses if _differentiates(checker, j, name)]
    for j, name in about:
        if j.good and not j.result.nothing:
            counts[name]["hold"] += 1
        elif j.unknown == name:
            counts[name]["fail"] += 1
    recurrent = checker.model.roles.recurrent
    known = {
        (j.key, name)
        for j, name in about
        if counts[name]["hold"] >= max(_ENOUGH, counts[name]["fail"])
        and not (j.result.chain and isinstance(j.expression, Add))  # each ∂ there may be the whole or a direct one
        and recurrent.isdisjoint(names_in(checker.model, (j.left, j.expression)))
    }
    return [
        replace(j, verdict=None, unchecked="", doubtful=False, unknown="") if (j.key, j.unknown) in known else j
        for j in judged
    ]


def _differentiates(checker: Checker, j: Judgement, loss: str) -> bool:
    """Whether both sides of a claim have a derivative of a loss, or a letter for one."""

    def has(side: Expression) -> bool:
        nodes = everything_in(checker.model, [side])
        return any(isinstance(n, Derivative) and isinstance(n.of, Symbol) and n.of.name == loss for n in nodes)

    return has(j.left) and has(j.expression)


def _holds_for_any(checker: Checker, j: Judgement, loss: str) -> bool:
    """Whether a claim holds for every loss in place of one whose equation has no value."""
    model = checker.model
    equations = {name: found for name, found in model.equations.items() if name != loss}
    model = with_unknown_losses(replace(model, equations=equations))
    if loss not in model.equations:
        return False
    sampled = checker.sampling.oracles(j.statement)
    tried = (checker.oracles.new(model, o.point, o.local, o.conditions) for o in sampled)
    return all(agreement(o, j.left, j.expression).any for o in tried)


def _says_nothing(checker: Checker, j: Judgement) -> bool:
    """Whether a claim holds only since, as the page was read, its derivative and what should be equal to it are 0."""
    if not (j.result.nothing and isinstance(j.left, Derivative) and j.defines is None):
        return False
    return bool(symbols(j.expression)) and not checker.declares_shapes(j)


def _no_value(broken: str) -> str:
    return f"it stands on the equation of {broken}, which has no value as it was read"


def _broken_behind_losses(checker: Checker, j: Judgement) -> str | None:
    """A letter y without a value, where the claim has ∂L/∂w of an undefined loss L, the page has ∂L/∂y as well, and y
    depends on w: L was read as if it did not depend on y.
    """
    model = checker.model
    losses = supplied_losses(model)
    if not losses:
        return None
    values = checker.sampling.oracles(j.statement)[0].values
    for node in everything_in(model, (j.left, j.expression)):
        if not (isinstance(node, Derivative) and isinstance(node.of, Symbol) and node.of.name in losses):
            continue
        by = {s.name for s in symbols(node.wrt)}
        for letter in set(differentiated_by(model, node.of.name)) & set(model.equations):
            if values.shape_of(letter) is None and not by.isdisjoint(names_in(model, [Symbol(letter)])):
                return letter
    return None


def _loss_that_is_no_number(checker: Checker, j: Judgement) -> str | None:
    """A loss of a claim whose equation, by entries of a vector, gives a row: the vector was read as a matrix. What
    recurs, as the state C_t of a cell, or goes into what recurs, is no loss.
    """
    values, batch = checker.sampling.oracles(j.statement)[0].values, checker.sampling.batch
    whole = {(1, 1), None}
    if batch is not None:
        count = values.sizes.dimension(batch)
        whole |= {(1, count), (count, 1)}
    recurrent = checker.model.roles.recurrent
    states = recurrent | names_in(checker.model, [Symbol(name) for name in sorted(recurrent)])
    for node in everything_in(checker.model, (j.left, j.expression)):
        if isinstance(node, Symbol) and node.name in checker.model.equations and is_called_a_loss(node.name):
            if node.name in states:
                continue
            by_entries = checker.model.equations[node.name][0].indices
            if by_entries or values.shape_of(node.name) in whole:
                continue
            behind = everything_in(checker.model, [node])
            if any(isinstance(n, Entry) and len(n.indices) == 1 and not n.column for n in behind):
                return node.name
    return None


def _broken_equation(checker: Checker, j: Judgement) -> Symbol | None:
    """A letter that a claim depends on, and whose equation has no value."""
    values = checker.sampling.oracles(j.statement)[0].values
    own = defined_letter(j.left)
    for node in everything_in(checker.model, (j.left, j.expression)):
        if isinstance(node, Symbol) and node.name in checker.model.equations and node != own:
            d = checker.model.equations[node.name][0]
            if d != j.defines and values.shape_of(node.name) is None:
                return replace(node, time=None)
    return None


def _judged_equation(checker: Checker, claim: Judgement) -> Judgement:
    left, part = claim.left, claim.expression
    model, reading = checker.model, ""
    if isinstance(left, Symbol) and left.name in model.differentials:
        reading = f"{text(left)} is {text(model.named[left.name][0].value)}"
    result = checker.agree(claim.statement, left, part)
    as_written = not result.column
    if not result.any:
        current = checker.with_current_step(left, part)
        found = checker.agree(claim.statement, *current) if current != (left, part) else result
        if found.any:
            result, as_written, reading = found, False, f"with the loss of step {TIME}"
    if not result.any and (where := index_that_meets(left, part)) is not None:
        result = checker.agree_where(claim.statement, left, part, where)
        reading = f"for {where.left} = {where.right}"
    own_term = result.error is None and contains_itself(left, part)
    if result.turned and not result.plain and (result.chain or result.reading or in_either_layout(left, part)):
        result = replace(result, plain=True)  # a chain, a factor of one and derivatives alone are true in either layout
    if result.reading:
        reading = result.reading
    if result.chain:
        reading = "the chain rule" + (f", {reading}" if reading else "")
    verdict = Verdict.SELF_REFERENCE if own_term else None
    return replace(claim, result=result, verdict=verdict, reading=reading, as_written=as_written)


def _judged_definition(checker: Checker, claim: Judgement) -> Judgement:
    """A definition holds if it has a value of the declared shape."""
    d, left, part = claim.defines, claim.left, claim.expression
    assert d is not None
    named = d.name in checker.model.named
    oracle = checker.sampling.oracles(claim.statement)[0]
    result = agreement(oracle, left, part)
    if result.any:
        result = Agreement(plain=True)
    if result.plain and not named:
        result = _of_declared_shape(oracle, d.name)
    verdict = Verdict.TIME if result.plain and lacks_time(left, part) else None
    is_left = isinstance(left, Symbol) or not isinstance(part, Symbol)  # not in L L^T = A
    letter = text(Symbol(d.name) if isinstance(left, Derivative) and not named else left if is_left else part)
    reading = f"{letter} names it" if named else f"defines {letter}"
    return replace(claim, result=result, verdict=verdict, reading=reading)


def _of_declared_shape(oracle: Oracle, name: str) -> Agreement:
    declared, actual = oracle.sizes.shape(name), oracle.values.shape_of(name)
    if declared is None or actual is None or declared == actual or actual == (1, 1):
        return Agreement(plain=True)
    words = f"{name} is declared as {oracle.sizes.as_text(declared)}, but its value is {oracle.sizes.as_text(actual)}"
    return Agreement(error=FormulaError(words))


def _why_unchecked(checker: Checker, j: Judgement) -> str:
    """Why a claim that fails at the oracle's sizes may hold at the page's own."""
    oracles = checker.sampling.oracles(j.statement)
    return why_unchecked(oracles, j.result, (j.left, j.expression), checker.sampling.written)


# --- layouts ---


def _shape_of(oracle: Oracle, e: Expression | None) -> tuple[int, int] | None:
    """The shape of what is differentiated where it is written out, ∂(A x)/∂x; None where it has indices of its own."""
    if e is None or free_indices(e) or free_times(e):
        return None
    try:
        rows, columns = oracle.evaluate(e, {}).shape[-2:]
    except FormulaError:
        return None
    return int(rows), int(columns)


def _with_layout(checker: Checker, judged: list[Judgement]) -> tuple[list[Judgement], str, str]:
    """The judgements with the page's layout taken into account: that of most of its gradients. A gradient that is true
    in the other layout only is transposed.

    Returns the judgements, the layout, and a remark.
    """
    shown = [_shows_layout(j) for j in judged]
    of_scalar = [s and checker.is_of_scalar(j) for s, j in zip(shown, judged, strict=True)]
    votes = Counter(_layout_of_gradient(j) for s, j in zip(of_scalar, judged, strict=True) if s)
    layout = _layout(votes, checker.page.text)
    settled = [_settled(j, layout, scalar) if s else j for s, scalar, j in zip(shown, of_scalar, judged, strict=True)]
    total = sum(votes.values())
    remark = f"layout: {votes[layout]} of {total} gradients are in {layout} layout" if total else ""
    return settled, layout, remark


def in_layout(checker: Checker, j: Judgement, layout: str) -> Judgement:
    """The judgement of a claim on a page in this layout."""
    return _settled(j, layout, checker.is_of_scalar(j)) if _shows_layout(j) else j


def _layout(votes: Counter[str], prose: str) -> str:
    if votes["numerator"] != votes["denominator"]:
        return "numerator" if votes["numerator"] > votes["denominator"] else "denominator"
    return "numerator" if "numerator layout" in prose.lower() or "分子布局" in prose else "denominator"


def _layout_of_gradient(j: Judgement) -> str:
    return "denominator" if j.result.plain else "numerator"


def _settled(j: Judgement, layout: str, scalar: bool) -> Judgement:
    """The judgement of a claim that shows a layout, on a page in this layout."""
    if scalar:
        own = _layout_of_gradient(j)
        fits = own == layout
    else:  # ∂y/∂x of columns: as [y,x] in numerator layout
        own = "numerator" if j.result.plain else "denominator"
        fits = j.result.plain or layout == "denominator"
    if not fits:
        return replace(j, verdict=Verdict.TRANSPOSED, reading=f"{own} layout")
    return replace(j, result=replace(j.result, plain=True), reading=f"{own} layout")


def _shows_layout(j: Judgement) -> bool:
    """Whether a claim is about a gradient, and true in one layout only."""
    if not isinstance(j.left, Derivative) or j.result.plain == j.result.turned or j.result.chain or j.defines:
        return False
    if in_either_layout(j.left, j.expression) or j.result.column or j.result.reading or j.result.symmetric:
        return False
    shape = j.result.shape
    return shape is not None and shape != (1, 1)
