"""What the statements of a page define: forward equations, letters for derivatives, values at single time steps."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

from elman.calculus.expression import (
    MATRIX_PRODUCTS,
    Add,
    Apply,
    BigSum,
    Call,
    Derivative,
    Dots,
    Entry,
    Expression,
    Index,
    Product,
    Subtract,
    Symbol,
    Transpose,
    base_of,
    factors_of,
    has_derivative,
    symbols,
    walk,
)
from elman.calculus.shapes.kinds import is_called_a_loss
from elman.notes.model.announced_lists import listed
from elman.notes.model.notation import bound_indices
from elman.notes.model.page_model import Definition, Statement, free_indices, free_times
from elman.notes.model.said_by_substitution import definitions_by_substitution, names_by_substitution
from elman.notes.model.statement_kinds import (
    StatementKind,
    defined_letter,
    defined_square,
    indices_of,
    introduces,
    is_numeric,
    kinds_of,
)

_UNDER_CONDITION = re.compile(
    r"\b(?:if|when|whenever|unless|assum\w+|suppos\w+)\W*$|[若当]\W*$|如果\W*$|假设\W*$", re.I
)

ByName = dict[str, tuple[Definition, ...]]


@dataclass(frozen=True, slots=True)
class Definitions:
    """`equations` are the forward equations, `named` the letters for derivatives (δ = ∂J/∂z), both by name; `start`
    are the values at one time step (h^(0) = 0).
    """

    equations: ByName
    named: ByName
    start: dict[tuple[str, Index], Definition]

    def before(self, others: Definitions) -> Definitions:
        """These definitions, and the others of letters that these do not define."""
        own = {*self.equations, *self.named}
        return Definitions(
            self.equations | {n: d for n, d in others.equations.items() if n not in own},
            self.named | {n: d for n, d in others.named.items() if n not in own},
            others.start | self.start,
        )

    def without(self, others: Mapping[str, Collection[int]]) -> Definitions:
        """These definitions but for those of each letter in some statements, by their numbers."""

        def kept(table: ByName) -> ByName:
            own = {n: tuple(d for d in found if d.statement not in others.get(n, ())) for n, found in table.items()}
            return {n: found for n, found in own.items() if found}

        start = {key: d for key, d in self.start.items() if d.statement not in others.get(key[0], ())}
        return Definitions(kept(self.equations), kept(self.named), start)


@dataclass(frozen=True, slots=True)
class PageUse:
    """How a page uses its letters: those that run over values, the first statement that has each on a right side, and
    the kind of each statement; `matrices` are those that have entries with two indices; `start` is the statement at
    which a section begins, since it defines a letter anew; `listed` are the statements that go on with a list which the
    text announces: "where a = …, z = …"; `functions` are applied in several statements; `last_letters` are, by the name
    of a letter, the computed letters by which the page differentiates and that only its equations use; `computed` are
    the letters that have an equation.
    """

    running: frozenset[str]
    first_use: Mapping[str, int]
    kinds: Mapping[int, StatementKind]
    matrices: frozenset[str]
    start: int = -1
    listed: frozenset[int] = frozenset()
    functions: frozenset[str] = frozenset()
    last_letters: Mapping[str, frozenset[str]] = field(default_factory=dict)
    computed: frozenset[str] = frozenset()

    @classmethod
    def of(cls, statements: Sequence[Statement]) -> PageUse:
        """That of all statements of a page."""
        matrices = (n.of.name for s in statements for n in s.nodes() if isinstance(n, Entry) and len(n.indices) == 2
                    and isinstance(n.of, Symbol))  # fmt: skip
        values = _letters_of_values(statements)
        return cls(
            frozenset(_running(statements)),
            _first_uses(statements),
            kinds_of(statements),
            frozenset(matrices),
            listed=frozenset(listed(statements)),
            functions=_applied_again(statements),
            last_letters=_last_letters(values, statements),
            computed=frozenset(values),
        )


def definitions_of(statements: Sequence[Statement], use: PageUse) -> Definitions:
    """The definitions in some statements of a page. A displayed formula defines before one within a line, one of a
    whole letter before one by entries, and of each kind the first.
    """
    found = _Found(use)
    for statement in sorted(statements, key=lambda s: _precedence(s, use)):
        found.add(statement)
    equations, named = found.equations, found.named
    # δ^L = … is a claim, and so is δ^2 = … δ^3
    start = {
        key: d
        for key, d in found.start.items()
        if key[0] not in named or not (key[1] == Index("T") or _has_letter(d.value, d.name))
    }
    for statement in statements:
        last = _named_at_the_end(statement)
        if last is not None and last.name not in equations and use.first_use.get(last.name) == statement.number:
            named.setdefault(last.name, (last,))
        turned = _named_by_its_transpose(statement)
        if turned is not None and turned.name not in equations:
            named.setdefault(turned.name, (turned,))
        product = _of_factor(statement)
        if product is not None and product.name not in named:
            equations.setdefault(product.name, (product,))
        for d in definitions_by_substitution(statement):
            steps = {d.time.variable} if d.time is not None else set()
            if d.name not in named and "T" not in steps and free_times(d.value) <= steps:
                equations.setdefault(d.name, (d,))
    used = {n.name for found_of in equations.values() for d in found_of for n in walk(d.value) if isinstance(n, Symbol)}
    for d in names_by_substitution(statements):
        of = d.value.of if isinstance(d.value, Derivative) else d.value
        is_of_loss = isinstance(of, Symbol) and (is_called_a_loss(of.name) or of.name not in used | {*equations})
        if is_of_loss and d.name not in used | {*equations}:
            named.setdefault(d.name, (d,))
    return Definitions({n: d for n, d in equations.items() if n not in named}, named, start)


@dataclass
class _Found:
    """The definitions that were found so far; used while the statements of a page are looked through."""

    use: PageUse
    equations: ByName = field(default_factory=dict)
    named: ByName = field(default_factory=dict)
    start: dict[tuple[str, Index], Definition] = field(default_factory=dict)

    def add(self, statement: Statement) -> None:
        """Adds what a statement defines."""
        square = defined_square(statement)
        left_side = statement.parts[0] if square is None else square[0]
        left = defined_letter(left_side)
        if left is None or self.use.kinds[statement.number] is not StatementKind.EQUATION:
            return
        by_entries = left.name not in {*self.equations, *self.named} and _is_by_entries(statement)
        if not (_may_define(statement, left, self.use) or by_entries):
            return
        indices = indices_of(left_side)
        derivative = _first_part(statement, lambda e: isinstance(e, Derivative))
        if derivative is not None and not _is_second(derivative[1]):
            whole = _without_indices(derivative[1], indices)
            if whole is not None:
                self._add_named(Definition(left.name, left.time, whole, statement.number, derivative[0]))
            return
        plain = _plain_part(statement, self.use) if square is None else square[1:]
        chain = _first_part(statement, lambda e: _end_of_chain(e) is not None)
        if chain is not None and (plain is None or _has_letter(plain[1], left.name)):
            whole = _without_indices(_end_of_chain(chain[1]) or chain[1], indices)
            if whole is not None:
                self._add_named(Definition(left.name, left.time, whole, statement.number, chain[0]))
                return
        if plain is None or (is_numeric(plain[1]) and indices):
            return  # the value of one entry
        if any(isinstance(n, Symbol) and (n.name, n.time) == (left.name, left.time) for n in walk(plain[1])):
            return  # y = y(x) says what y depends on
        if any(isinstance(n, Apply) and n.name == left.name and n.primes for n in walk(plain[1])):
            return  # f(x) = f(a) + f'(a) (x - a) says what f is only by f
        if left.time is None and isinstance(plain[1], Symbol) and plain[1].time is not None and plain[1].time.offset:
            return  # h = a^(j+1), of the last layer j+1
        self._add_equation(Definition(left.name, left.time, plain[1], statement.number, plain[0], indices), statement)

    def _add_named(self, d: Definition) -> None:
        if all(d.time != other.time for other in self.named.get(d.name, ())):
            self.named[d.name] = (*self.named.get(d.name, ()), d)

    def _add_equation(self, d: Definition, statement: Statement) -> None:
        before = self.equations.get(d.name, ())
        if d.time is not None and _is_single(d.time):
            self.start.setdefault((d.name, d.time), d)
        elif len(before) == 1 and before[0].value in statement.parts and self._says_more(d, before[0]):
            self.equations[d.name] = (d,)
        elif not before or (len(before) == 1 and _are_step_and_total(before[0], d)):
            self.equations[d.name] = (*before, d)

    def _says_more(self, d: Definition, before: Definition) -> bool:
        """Whether a definition has the last letters by which the page differentiates, and the one before has not."""
        last = self.use.last_letters.get(d.name, frozenset())
        own, other = ({n.name for n in symbols(e)} for e in (d.value, before.value))
        return bool(last) and last <= own and not last <= other and d.time == before.time


def _precedence(s: Statement, use: PageUse) -> tuple[bool, bool, bool, bool]:
    """What defines first: a display; of these the entries of a matrix that say which vector goes with its rows and
    which with its columns, as y_ij = γ_j x_ij does and y = γ x does not; then a whole letter. Rows of a matrix count
    least: m = Σ_i x_i says less than m_j = Σ_i x_ij.
    """
    of_rows = any(
        isinstance(n, Entry) and len(n.indices) == 1 and isinstance(n.of, Symbol) and n.of.name in use.matrices
        for n in s.nodes()
    )
    return s.formula.is_within_text, not _says_which_way(s), of_rows, isinstance(s.parts[0], Entry)


def _says_which_way(s: Statement) -> bool:
    """Whether an equation of the entries of a matrix has a vector by one of its two indices."""
    left = s.parts[0]
    if not s.is_equation or not isinstance(left, Entry) or len(left.indices) != 2 or defined_letter(left) is None:
        return False
    entries = [n for n in walk(s.parts[1]) if isinstance(n, Entry)]
    pairs = any(set(n.indices) == set(left.indices) for n in entries)
    return pairs and any(len(n.indices) == 1 and n.indices[0] in left.indices for n in entries)


def _named_at_the_end(s: Statement) -> Definition | None:
    """The letter g of ∂L/∂x = W^T ∂L/∂y = g, or of ∂L/∂x_j = … = g_j, which names the gradient of a loss; None for any
    other chain.
    """
    left, operators = s.parts[0], s.relation.operators
    end = next((k for k, operator in enumerate(operators) if operator not in ("=", ":=")), len(operators))
    last = s.parts[end]
    if not isinstance(left, Derivative) or not isinstance(left.of, Symbol) or left.at is not None:
        return None
    letter = defined_letter(last)
    if not is_called_a_loss(left.of.name) or end < 2 or letter is None or letter.time is not None:
        return None
    if indices_of(left.wrt) != indices_of(last) or defined_letter(left.wrt) is None:
        return None
    before = {n.name for part in s.parts[:end] for n in walk(part) if isinstance(n, Symbol)}
    whole = replace(left, wrt=base_of(left.wrt))
    return None if letter.name in before else Definition(letter.name, None, whole, s.number, end)


def _named_by_its_transpose(s: Statement) -> Definition | None:
    """The letter δ of δ^T = ∂L/∂z, which names the gradient of a loss; None for any other equation."""
    left = s.parts[0].of if isinstance(s.parts[0], Transpose) else None
    value = s.parts[1] if s.is_equation else None
    if not isinstance(left, Symbol) or not isinstance(value, Derivative) or not isinstance(value.of, Symbol):
        return None
    is_gradient = is_called_a_loss(value.of.name) and isinstance(value.wrt, Symbol) and value.at is None
    return Definition(left.name, left.time, value, s.number, 1) if is_gradient else None


def _of_factor(s: Statement) -> Definition | None:
    """The letter A of L L^T = A, or L^T L = A, which says what A is by its factor; None for any other equation."""
    if not s.is_equation or len(s.parts) != 2 or s.relation.conditions:
        return None
    product, letter = s.parts
    if not isinstance(product, Product) or product.operator not in ("", "@") or not isinstance(letter, Symbol):
        return None
    factors = {product.left, product.right}
    factor = next((f for f in factors if isinstance(f, Symbol)), None)
    if factor is None or Transpose(factor) not in factors or letter.time is not None or letter.name == factor.name:
        return None
    return Definition(letter.name, None, product, s.number, 1)


def _indexed_in_full(s: Statement) -> list[Expression]:
    """The rows and columns in r_ij = p_i^T q_j = Σ_k p_ik q_kj of letters that have their entries in the same chain."""
    entries = [n for part in s.parts[1:] for n in walk(part) if isinstance(n, Entry)]
    whole = {n.of for n in entries if len(n.indices) == 2}
    return [n for n in entries if len(n.indices) == 1 and n.of in whole]


def _is_plain_beside(others: Sequence[Expression]) -> Callable[[Expression], bool]:
    """The check that a part has no derivative, no ellipsis, and none of some other nodes."""
    return lambda e: not any(isinstance(n, Derivative | Dots) or n in others for n in walk(e))


def _without_indices(e: Expression, indices: tuple[str, ...]) -> Expression | None:
    """∂C/∂z for δ_j = ∂C/∂z_j, as the letter stands for it as a whole; None where the indices are others."""
    if not indices or not isinstance(e, Derivative):
        return e if not indices else None
    if isinstance(e.wrt, Entry) and indices_of(e.wrt) == indices:
        return replace(e, wrt=e.wrt.of)
    return None


def _end_of_chain(e: Expression) -> Derivative | None:
    """∂E/∂z for the chain of derivatives ∂E/∂a ∂a/∂z; None for anything else."""
    factors = factors_of(e, (*MATRIX_PRODUCTS, "∘"))
    chain = [f for f in factors if isinstance(f, Derivative) and f.at is None]
    if len(chain) < max(len(factors), 2):
        return None
    for first, *others in (chain, chain[::-1]):
        if all(a.wrt == b.of for a, b in pairwise((first, *others))):
            return replace(first, wrt=others[-1].wrt, span=e.span)
    return None


def _has_letter(e: Expression, name: str) -> bool:
    return any(isinstance(n, Symbol) and n.name == name for n in walk(e))


def names_with_time(definitions: Definitions, timed: Iterable[str]) -> frozenset[str]:
    """All names that have time steps: those that are written with one (`timed`), and what is computed from these."""
    known = set(timed)
    changed = True
    while changed:
        changed = False
        for name, found in {**definitions.equations, **definitions.named}.items():
            if name not in known and any(d.time is not None or free_times(d.value, known) for d in found):
                known.add(name)
                changed = True
    return frozenset(known)


def _may_define(statement: Statement, left: Symbol, use: PageUse) -> bool:
    """Whether a statement about a letter can define it. Within a line `i = 1` of an index defines nothing, nor does an
    equation of a letter that was used before: that is a claim, or a condition.
    """
    if not statement.is_equation:
        return False
    if not statement.formula.is_within_text:
        return True
    if left.time is None and left.name in use.running:
        return False
    others = statement.number == use.start and _computes(statement)
    if introduces(statement.formula.before) or statement.number in use.listed or others:
        return True
    if statement.formula.before.endswith("(") and isinstance(statement.parts[0], Symbol) and _computes(statement):
        return True  # the inputs of the layer (z = W x + b)
    used_before = use.first_use.get(left.name, statement.number) < statement.number
    return not used_before or (left.time is not None and _is_single(left.time))


def _computes(s: Statement) -> bool:
    """Whether an equation says what other letters make its left side, z = w^T x, and names no condition before it."""
    compound = isinstance(s.parts[1], Add | Subtract | Product | Call | BigSum)
    return compound and not _UNDER_CONDITION.search(s.formula.before[-40:])


def _is_by_entries(s: Statement) -> bool:
    """Whether an equation within a line is by entries, f_j = w_j^T x + b_j, and under no condition: nothing else says
    what f is.
    """
    left = s.parts[0]
    if not s.is_equation or not isinstance(left, Entry) or len(left.indices) != 1:
        return False
    (index,) = left.indices
    return index.variable in free_indices(s.parts[1]) and _computes(s)


def _running(statements: Iterable[Statement]) -> set[str]:
    """The letters that run over values somewhere on the page: time steps and indices."""
    parts = [part for statement in statements for part in statement.parts]
    return {name for part in parts for name in free_times(part) | free_indices(part) | bound_indices(part)}


def _first_uses(statements: Iterable[Statement]) -> dict[str, int]:
    """For each name the number of the first statement that has it on a right side."""
    found: dict[str, int] = {}
    for statement in statements:
        for part in statement.parts[1:]:
            for node in walk(part):
                if isinstance(node, Symbol):
                    found.setdefault(node.name, statement.number)
    return found


def _first_part(statement: Statement, fits: Callable[[Expression], bool]) -> tuple[int, Expression] | None:
    """The first part behind the left side that fits, with its number."""
    return next(((i, part) for i, part in enumerate(statement.parts) if i and fits(part)), None)


def _applied_again(statements: Iterable[Statement]) -> frozenset[str]:
    """The functions that several statements apply."""
    counts = Counter(name for s in statements for name in {n.name for n in s.nodes() if isinstance(n, Apply)})
    return frozenset(name for name, count in counts.items() if count > 1)


def _plain_part(s: Statement, use: PageUse) -> tuple[int, Expression] | None:
    """The part that says what the left side is: of L = MSE(y, t) = (y - t)^2 the one that is written out, where the
    page applies no MSE elsewhere; of p = softmax(z) = a b, where the page differentiates by b, the one by which p
    depends on it.
    """
    is_plain = _is_plain_beside(_indexed_in_full(s))
    written_out = _first_part(s, lambda e: is_plain(e) and not (isinstance(e, Apply) and e.name not in use.functions))
    first = written_out or _first_part(s, is_plain)
    left = defined_letter(s.parts[0])
    last = use.last_letters.get(left.name, frozenset()) if left is not None else frozenset[str]()
    if first is None or not last or len(s.parts) == 2:
        return first
    known = use.computed | {n.name for n in symbols(first[1])}
    found = _first_part(s, lambda e: is_plain(e) and last <= {n.name for n in symbols(e)} <= known)
    return found or first


def _letters_of_values(statements: Sequence[Statement]) -> dict[str, set[str]]:
    """The letters of the right sides of the equations of each letter. What code computes, gradients among it, says no
    more than the formulas.
    """
    found: dict[str, set[str]] = {}
    for s in statements:
        left, names = defined_letter(s.parts[0]), {n.name for part in s.parts[1:] for n in symbols(part)}
        is_plain = s.is_equation and s.formula.kind != "code" and not has_derivative(*s.parts)
        if is_plain and left is not None and left.name not in names:
            found.setdefault(left.name, set()).update(names)
    return found


def _last_letters(values: Mapping[str, set[str]], statements: Sequence[Statement]) -> dict[str, frozenset[str]]:
    """For letters p, the computed letters b by which the page differentiates, and that only equations of p use: nothing
    else says how a loss depends on b.
    """
    nodes = (n for s in statements if s.formula.kind != "code" for n in s.nodes())
    by = {n.wrt.name for n in nodes if isinstance(n, Derivative) and isinstance(n.wrt, Symbol)}
    found: dict[str, set[str]] = {}
    for name in by & set(values):
        users = [user for user, used in values.items() if name in used]
        if len(users) == 1 and users[0] not in _behind(name, values):
            found.setdefault(users[0], set()).add(name)
    return {name: frozenset(last) for name, last in found.items()}


def _behind(name: str, values: Mapping[str, set[str]]) -> set[str]:
    """The letters that a letter depends on, by any of its equations."""
    found, new = set[str](), {name}
    while new:
        found |= new
        new = {used for known in new for used in values.get(known, ())} - found
    return found


def _is_second(e: Expression) -> bool:
    return isinstance(e, Derivative) and isinstance(e.of, Derivative)


def _is_single(time: Index) -> bool:
    """Whether a time is a single step and not every one: 0, T, T+1."""
    return time.variable is None or time.variable == "T"


def _are_step_and_total(a: Definition, b: Definition) -> bool:
    """Whether one is a value of each time step and the other is not, as J^(t) and J = Σ_t J^(t)."""
    if (a.time is None) == (b.time is None):
        return False
    return not free_times((a if a.time is None else b).value)
