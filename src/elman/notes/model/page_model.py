"""The values that pass through the room: statements, definitions, roles, and the model of a page."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from elman.calculus.expression import (
    BigProduct,
    BigSum,
    Derivative,
    Entry,
    Expression,
    Index,
    Iverson,
    Pattern,
    Relation,
    Symbol,
    Transpose,
    children,
    transform,
    walk,
)
from elman.calculus.shapes.kinds import Costs
from elman.calculus.syntax.names import Names
from elman.errors import FormulaError
from elman.notes.page.page import Formula

TIME = "t"  # the current time step, where a page names none


@dataclass(frozen=True, slots=True)
class Statement:
    """One chain of relations, a = b = c, of a formula; `number` counts the statements of a page from 0.

    `continued` is the statement above whose left side this one goes on with, as it begins with =.
    """

    formula: Formula
    relation: Relation
    number: int
    continued: Statement | None = None

    @property
    def parts(self) -> tuple[Expression, ...]:
        """The parts of the chain."""
        return self.relation.parts

    @property
    def is_equation(self) -> bool:
        """Whether its first two parts are equal, by = or :=."""
        return self.relation.operators[:1] in (("=",), (":=",))

    def nodes(self) -> Iterator[Expression]:
        """The nodes of all parts."""
        return (node for part in self.parts for node in walk(part))

    def with_parts(self, parts: Iterable[Expression]) -> Statement:
        """The statement with other parts."""
        return replace(self, relation=replace(self.relation, parts=tuple(parts)))

    def transformed(self, change: Callable[[Expression], Expression]) -> Statement:
        """The statement with `change` applied to every node of its parts."""
        return self.with_parts(transform(part, change) for part in self.parts)

    def region(self, part: int) -> tuple[int, int]:
        """The start and end of a part in the formula's text, without the spaces and alignment marks around it."""
        start, end = self.relation.regions[part]
        text = self.formula.text
        while start < end and text[start] in " \t\n&~":
            start += 1
        while start < end and text[end - 1] in " \t\n&~":
            end -= 1
        return start, end

    def source(self, part: int) -> str:
        """A part as the page writes it, on one line."""
        if part == 0 and self.continued is not None:
            return self.continued.source(0)
        start, end = self.region(part)
        return re.sub(r"\s+", " ", self.formula.text[start:end])


@dataclass(frozen=True, slots=True)
class Unread:
    """A formula, or the part of it from `span[0]` to `span[1]`, that cannot be read, and why.

    `left` is what the part would have defined: the first part of its relation, where that was read.
    """

    formula: Formula
    error: FormulaError
    span: tuple[int, int]
    left: Expression | None = None


@dataclass(frozen=True, slots=True)
class Definition:
    """`name` at time step `time` (None if it has none) is `value`, as part `part` of statement `statement` says.

    `indices`: the definition is by entries, z_j = …; they are the index of the rows, and that of the columns if the
    letter has two.
    """

    name: str
    time: Index | None
    value: Expression
    statement: int
    part: int
    indices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Roles:
    """What the names of a page are, by their use.

    `targets`: given names that multiply the logarithm of a softmax, so that their entries sum to 1 along its axis.
    `positive`: given names under a logarithm or a root. `shares`: given names p of ln (1 - p). `definite`: given
    matrices under the logarithm of a determinant. `symmetric`: given symmetric matrices. `recurrent`: names whose value
    at an earlier step is used. `losses`: what is differentiated, and by which nothing is. `labels`: given names of
    which the page only asks whether they are one number or another, 1{y = 1}, with these numbers. `turned`: for letters
    of derivatives with a declared shape, whether this is the shape of the transpose.
    """

    targets: frozenset[str] = frozenset()
    positive: frozenset[str] = frozenset()
    shares: frozenset[str] = frozenset()
    definite: frozenset[str] = frozenset()
    symmetric: frozenset[str] = frozenset()
    recurrent: frozenset[str] = frozenset()
    losses: frozenset[str] = frozenset()
    labels: dict[str, tuple[float, ...]] = field(default_factory=dict)
    turned: dict[str, bool] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PageModel:
    """The model that a page states.

    `statements` are its formulas as they were read, `unread` those that cannot be read, with the reason; `names` are
    the names they were read with, and `aliases` other spellings of these. `shapes` are the declared shapes, `derived`
    those that follow from the equations. `equations` are the forward equations by name, `named` the letters for
    derivatives (δ = ∂J/∂z), `start` the values at one time step (h^(0) = 0). `timed` are the names that have time
    steps; `families` those with a column for each value of an index; `differentials` those that are read as ∂J/∂W
    because they are called dW; `said` are the sizes whose values the page states (N = 784). `assumed` are the names
    whose shapes in `shapes` the page does not declare. `unknown` are the functions whose value is a number and that the
    page does not define: an undefined loss, and l of l(o, y). `fixed` are the indices that stand for one entry, which
    nothing binds: c of J = -ln ŷ_c. `counts` are the letters that count time steps or examples: m of
    Σ_{i=1}^m L^(i). `bounds` are the sizes that no shape has and that bounds of sums name, each with the name of the
    size that it is: K of Σ_{k=1}^K x_k with x [n,1] is n. `kinds` are what the page calls its letters: number, column,
    row or matrix; `evidence` what reading a letter as one of them costs, by its use in formulas that are not in
    `statements`. `last_layer`: the page calls the last layer L. `symmetric` are the matrices
    that it calls symmetric. `exact` are sizes with the numbers that they have wherever they stand: of a letter that
    the page writes out by its entries. `fixed_at` are the entries, from 0, for which some of the `fixed` indices
    stand. `own` are the numbers of the statements that are judged with this model, None for all.
    `equal_indices` are the letters o and z of which the page has ∂o_i/∂z_i, the case of equal indices, by itself;
    `partial` all letters y and x of which ∂y/∂x is the left side of an equation; `numbered` the matrices of which it
    has entries by number, x_{i3}, with the largest number of a row and of a column, 0 for none.
    """

    statements: tuple[Statement, ...]
    unread: tuple[Unread, ...]
    names: Names
    shapes: dict[str, tuple[str, str]]
    equations: dict[str, tuple[Definition, ...]]
    named: dict[str, tuple[Definition, ...]]
    timed: frozenset[str]
    aliases: dict[str, str] = field(default_factory=dict)
    start: dict[tuple[str, Index], Definition] = field(default_factory=dict)
    roles: Roles = field(default_factory=Roles)
    derived: dict[str, tuple[str, str]] = field(default_factory=dict)
    families: frozenset[str] = frozenset()
    differentials: frozenset[str] = frozenset()
    said: dict[str, str] = field(default_factory=dict)
    assumed: frozenset[str] = frozenset()
    unknown: frozenset[str] = frozenset()
    fixed: frozenset[str] = frozenset()
    counts: frozenset[str] = frozenset()
    bounds: Mapping[str, str] = field(default_factory=dict)
    kinds: Mapping[str, str] = field(default_factory=dict)
    evidence: Mapping[str, Costs] = field(default_factory=dict)
    last_layer: bool = False
    symmetric: frozenset[str] = frozenset()
    exact: Mapping[str, int] = field(default_factory=dict)
    fixed_at: Mapping[str, int] = field(default_factory=dict)
    own: frozenset[int] | None = None
    equal_indices: frozenset[tuple[str, str]] = frozenset()
    partial: frozenset[tuple[str, str]] = frozenset()
    numbered: Mapping[str, tuple[int, int]] = field(default_factory=dict)

    def has_own(self, statement: int) -> bool:
        """Whether a statement, given by its number, is judged with this model."""
        return statement >= 0 and (self.own is None or statement in self.own)

    def own_statements(self) -> Iterator[Statement]:
        """The statements that are judged with this model."""
        return (s for s in self.statements if self.own is None or s.number in self.own)

    def defined(self, name: str, timed: bool | None = None) -> Definition | None:
        """The first equation of a name; of one with time steps and one without, that which `timed` asks for."""
        found = self.equations.get(name, ())
        if timed is not None and len(found) > 1:
            found = tuple(d for d in found if self.has_time(d) == timed) or found
        return found[0] if found else None

    def has_time(self, d: Definition) -> bool:
        """Whether a definition has a value of its own at each time step."""
        return d.time is not None or any(free_times(d.value, self.timed))

    def with_equation(self, old: Definition, value: Expression) -> PageModel:
        """The model with another value in one equation."""
        new = tuple(replace(d, value=value) if d == old else d for d in self.equations[old.name])
        return replace(self, equations={**self.equations, old.name: new})


def everything_in(model: PageModel, parts: Iterable[Expression]) -> Iterator[Expression]:
    """The nodes of some parts, and of the equations that they depend on."""
    seen, stack = set[str](), list(parts)
    tables = (model.equations, model.named)
    while stack:
        for node in walk(stack.pop()):
            yield node
            if isinstance(node, Symbol) and node.name not in seen:
                seen.add(node.name)
                stack += [d.value for table in tables for d in table.get(node.name, ())]
                stack += [d.value for (name, _), d in model.start.items() if name == node.name]


def names_in(model: PageModel, parts: Iterable[Expression]) -> set[str]:
    """The names of the letters that some parts depend on, their own among them."""
    return {node.name for node in everything_in(model, parts) if isinstance(node, Symbol)}


def letter_of(e: Expression) -> Symbol | None:
    """The letter that an expression is, as a whole, transposed or an entry of it; None for any other."""
    while isinstance(e, Entry | Transpose):
        e = e.of
    return e if isinstance(e, Symbol) else None


def free_times(e: Expression, timed: Iterable[str] = ()) -> set[str]:
    """The time variables of `e` that no sum binds; a letter of `timed` without a time step has the step `TIME`."""
    if isinstance(e, BigSum | BigProduct):
        return free_times(e.body, timed) - {e.index}
    found: set[str] = set()
    if isinstance(e, Symbol):
        if e.time is not None:
            found = {e.time.variable} if e.time.variable else set()
        elif e.name in timed:
            found = {TIME}
        return found
    if isinstance(e, Derivative) and e.at is not None and e.at.variable:
        found = {e.at.variable}
    if isinstance(e, Entry):
        return free_times(e.of, timed)
    for child in children(e):
        found |= free_times(child, timed)
    return found


def free_indices(e: Expression) -> set[str]:
    """The entry indices of `e` that no sum binds."""
    if isinstance(e, BigSum | BigProduct):
        return free_indices(e.body) - {e.index}
    if isinstance(e, Pattern):
        return free_indices(e.body) - e.bound
    found: set[str] = set()
    if isinstance(e, Entry):
        found = {i.variable for i in e.indices if i.variable}
    if isinstance(e, Iverson):
        found = {i.variable for i in (e.left, e.right) if i.variable}
    for child in children(e):
        found |= free_indices(child)
    return found
