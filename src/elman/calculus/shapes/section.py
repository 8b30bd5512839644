"""The shapes of a whole section of a page, settled together.

They are those of the cheapest reading under which the definitions make sense and most of the claims hold:

    settled = settle([Constraint((y, W x + b), DEFINITION, defines=True), …], declared)
    settled.shapes["W"]        ("m", "n")
    settled.words("W")         "W a matrix [m,n]"

Definitions are settled first. Then each claim is added; where it does not fit, the search may read letters otherwise,
or give up a claim, whichever costs less.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from elman.calculus.expression import Apply, Derivative, Entry, Expression, Number, Symbol, has_derivative, walk
from elman.calculus.shapes.kinds import Costs, Kind, evidence, is_called_a_loss, sizes_of_bounds
from elman.calculus.shapes.resolve import explicit
from elman.calculus.shapes.rules import ConflictError, Inference, OpaqueError
from elman.calculus.shapes.search import Choices, Found, Options, Outcome, Variable, readings, usual
from elman.calculus.shapes.unification import SCALAR, Shape
from elman.calculus.syntax.names import fold
from elman.errors import FormulaError

DEFINITION, CLAIM = 12.0, 4.0  # what it costs to give up one of them
_DEFINITION_TRIES, _CLAIM_TRIES = 600, 50
MARGIN_TRIES = 25  # readings of a section in which one letter is of another kind
_MOST_PREFIXES = 1000  # that are kept at a time
_TRANSPOSED = 0.3  # a claim about a derivative in the transposed layout
_TURNED = 0.4  # δ = ∂J/∂z as a row
_DECLARED_COLUMNS: Mapping[str, float] = {"entry": 0.0, "column": 0.8}  # x_i of a matrix X: a row of it, or a column
_DECLARED_EACH: Mapping[str, float] = {"entry": 0.0, "each": 1.2}  # x_i of a column x: a number, or a column like x
_A_ROW_FOR_A_NUMBER = 0.5  # a loss for each example of a batch, where J is their sum
_EQUAL_TO_A_LITERAL = 1.5  # ∂f/∂x = 1
_TWO_NAMES = 1.0  # two names for one size: Σ_{i=1}^N along what is declared [d,1]
_NUMERATOR: Mapping[str, float] = {"numerator": 0.0, "denominator": 0.5}


@dataclass(frozen=True, slots=True)
class Constraint:
    """What a formula of the page says of shapes; `weight` is what it costs to give it up.

    `kind` "equal": all `parts` have one shape. "scalar": each of them is a number. `defines`: the first part, a letter,
    its entry or its application to arguments, is what the second is.
    """

    parts: tuple[Expression, ...]
    weight: float = CLAIM
    kind: str = "equal"
    defines: bool = False

    @property
    def name(self) -> str | None:
        """The name that it defines."""
        return _defined_name(self.parts[0]) if self.defines else None


@dataclass(frozen=True)
class Settled:
    """The shapes of a section.

    `shapes` are those of all its letters, as names of sizes; `families` the letters of which an entry with one index is
    a column; `functions` how each unknown function is applied, "entrywise" or "number"; `declared` the letters whose
    shape was given; `sizes` the letters that are sizes, as the m of 1/m Σ_{i=1}^m; `bounds` the sizes that bounds of
    sums name, each with the name that the size has in `shapes`; `broken` the constraints that do not fit, with the
    reason; `tries` how many readings were tried.
    """

    shapes: Mapping[str, Shape]
    families: frozenset[str]
    functions: Mapping[str, str]
    declared: frozenset[str]
    sizes: frozenset[str]
    bounds: Mapping[str, str]
    broken: tuple[tuple[Constraint, FormulaError], ...]
    tries: int
    _section: _Section = field(repr=False)
    _found: Found[_Attempt] = field(repr=False)

    def kind(self, name: str) -> Kind:
        """What a letter is."""
        rows, columns = self.shapes[name]
        if name in self.families:
            return "family"
        if rows == "1":
            return "number" if columns == "1" else "row"
        return "column" if columns == "1" else "matrix"

    def words(self, name: str) -> str:
        """What a letter is, for a report: "b a number", "x a column [n]"."""
        return f"{name} {kind_in_words(self.kind(name), self.shapes[name])}"

    def margin(self, name: str) -> float:
        """How much more the best reading costs in which this letter is of another kind; infinite where there is none,
        as for a declared letter.
        """
        return self._section.margin(self._found, name)

    def is_certain(self, name: str) -> bool:
        """Whether the shape of a letter is declared, or no other one fits the section."""
        return self.margin(name) == float("inf")


def kind_in_words(kind: Kind, shape: Shape) -> str:
    """A kind with its sizes: "a column [n]"."""
    rows, columns = shape
    sizes = {"number": "", "column": f" [{rows}]", "row": f" [1,{columns}]", "family": f" [{rows}]"}
    of_each = "a column for each index" if kind == "family" else f"a {kind}"
    return of_each + sizes.get(kind, f" [{rows},{columns}]")


def settle(
    constraints: Sequence[Constraint],
    declared: Mapping[str, Shape] | None = None,
    hints: Mapping[str, Costs] | None = None,
    reserved: Collection[str] = (),
) -> Settled:
    """The shapes of a section.

    `declared` are the known shapes by name; `hints` costs of the kinds of a letter, where the page says more than the
    formulas do ("the vector x": {"x": {"number": 8}}); `reserved` are names that no size without a name gets.
    """
    return _Section(tuple(constraints), dict(declared or {}), dict(hints or {}), frozenset(reserved)).settle()


def resolved(e: Expression, settled: Settled) -> Expression:
    """`e` with the nodes whose meaning depends on shapes rewritten, the columns of families marked, and the sizes of 1
    and I filled in.
    """
    return explicit(e, settled._section.inference(settled, e))


class _Attempt(Inference):
    """One reading of a section; `follows` are the letters that have their shape from their definition."""

    def __init__(self, fixed: Mapping[str, Shape], choices: Choices) -> None:
        super().__init__(fixed, choices, section=True)
        self.follows: dict[str, Constraint] = {}
        self.columns: set[str] = set()  # families that are defined or declared
        for name, (rows, _) in fixed.items():
            indexed = choices.get(Variable("indexed", name))
            if indexed in ("column", "each"):
                self.columns.add(name)
            if indexed == "each":
                self.shapes[name] = (rows, self.fresh())

    def under(self, choices: Choices) -> _Attempt:
        """A copy that goes on under other choices of what was not read so far, without the shapes of single nodes."""
        new = self.copy()
        new.choices, new.nodes = choices, {}
        return new

    def is_family(self, e: Entry) -> bool:
        one = len(e.indices) == 1 and isinstance(e.of, Symbol) and e.of.name in self.columns
        return one or super().is_family(e)

    def hold(self, c: Constraint) -> None:
        """Adds a constraint; raises `FormulaError` where it does not fit."""
        self.free = {}
        before = self.renamed
        self._join(c)
        if self.renamed > before:
            self.doubt(_TWO_NAMES * (self.renamed - before), *c.parts)

    def _join(self, c: Constraint) -> None:
        if c.kind == "scalar":
            for part in c.parts:
                shape = self.shape_of(part)
                if shape is not None and not self.is_scalar(shape):
                    raise ConflictError(f"this is {self.shown(shape)} where a number is meant", part)
            return
        if c.name is not None and len(c.parts) > 1 and c.name not in self.shapes:
            value = self.shape_of(c.parts[1])
            self.define(c, c.name, value)
            shapes = [self.shape_of(c.parts[0]), value, *map(self.shape_of, c.parts[2:])]
        else:
            shapes = [*map(self.shape_of, c.parts)]
        known = [(part, shape) for part, shape in zip(c.parts, shapes, strict=True) if shape is not None]
        for (left, a), (right, b) in itertools.pairwise(known):
            self.equal(c, left, a, right, b)

    def shape_of(self, e: Expression) -> Shape | None:
        """The shape of a part; None where it does not follow."""
        try:
            return self.visit(e)
        except OpaqueError:
            return None

    def define(self, c: Constraint, name: str, shape: Shape | None) -> None:
        """Gives a letter the shape of its definition, unless this uses the letter itself."""
        left = c.parts[0]
        if shape is None or name in self.shapes:
            return
        if isinstance(left, Entry):
            found = self._of_entries(left, shape)
            if found is None:
                return
            shape = found
        if self.choices.get(Variable("turn", name)) == "turned":
            shape = shape[::-1]
        self.follows[name] = c
        self.shapes[name] = shape

    def _of_entries(self, left: Entry, shape: Shape) -> Shape | None:
        """The shape of a letter from that of its entries."""
        if any(i.variable is None or i.offset for i in left.indices):
            return None
        sizes = [self.index(i, left) for i in left.indices]
        if len(sizes) == 2:
            return (sizes[0], sizes[1]) if self.is_scalar(shape) else None
        if len(sizes) != 1:
            return None
        if self.is_scalar(shape):
            return sizes[0], "1"
        if self.is_column(shape):
            assert isinstance(left.of, Symbol)
            self.columns.add(left.of.name)
            return shape[0], sizes[0]
        return (sizes[0], shape[1]) if self.find(shape[0]) == "1" else None

    def equal(self, c: Constraint, left: Expression, a: Shape, right: Expression, b: Shape) -> None:
        """Two parts of a chain have one shape."""
        if self.fits(a, b):
            return
        for part, other in ((left, right), (right, left)):
            if isinstance(part, Number):
                self.doubt(_EQUAL_TO_A_LITERAL if part.value else 0, other)
                return
        rows = [self.find(s[0]) == "1" for s in (a, b)]
        if all(rows) and self.is_scalar(a) != self.is_scalar(b):
            self.doubt(_A_ROW_FOR_A_NUMBER, left, right)
            return
        if has_derivative(*c.parts) and self.fits(a[::-1], b):
            self.doubt(_TRANSPOSED)
            return
        raise ConflictError(
            f"{self.shown(a)} and {self.shown(b)} are on the two sides of an equation", right, (left, right)
        )


@dataclass(frozen=True, slots=True)
class _Prefix:
    """The first constraints under some choices: the attempt that holds them, or how the last of them fails; and, by
    the next constraint and the choices that it reads, the prefixes that go on from here.
    """

    attempt: _Attempt
    failure: Outcome[_Attempt] | None
    longer: dict[tuple[int, tuple[str, ...]], _Prefix] = field(default_factory=dict)


@dataclass(slots=True)
class _Prefixes:
    """The prefixes that were tried, from the empty one, by how declared letters with an index are read; they share
    what they have in common, as the readings of a section differ in few choices, and most often in late ones.
    """

    empty: dict[tuple[str, ...], _Prefix] = field(default_factory=dict)
    number: int = 0

    def clear(self) -> None:
        """Forgets all of them, to use no more memory."""
        self.empty.clear()
        self.number = 0


@dataclass(frozen=True)
class _Section:
    """A section whose shapes are asked for."""

    constraints: tuple[Constraint, ...]
    declared: Mapping[str, Shape]
    hints: Mapping[str, Costs]
    reserved: frozenset[str]

    @cached_property
    def expressions(self) -> tuple[Expression, ...]:
        """All parts of the section."""
        return tuple(part for c in self.constraints for part in c.parts)

    @cached_property
    def fixed(self) -> dict[str, Shape]:
        """The declared shapes, by the names that the formulas use."""
        given = {fold(name): shape for name, shape in self.declared.items()}
        names = {n.name for e in self.expressions for n in walk(e) if isinstance(n, Symbol | Apply)}
        return {name: given[fold(name)] for name in sorted(names) if fold(name) in given}

    @cached_property
    def definitions(self) -> tuple[Constraint, ...]:
        """The definitions and what is known to be a number, each definition behind those that it uses."""
        first = {c.name: c for c in reversed(self.constraints) if c.name is not None}
        order: dict[int, Constraint] = {}
        open_names: set[str] = set()

        def add(c: Constraint) -> None:
            if id(c) in order or c.name in open_names:
                return
            if c.name is not None:
                open_names.add(c.name)
            for name in dict.fromkeys(_names(c.parts[1:2])):
                if name in first and name != c.name:
                    add(first[name])
            open_names.discard(c.name or "")
            order[id(c)] = c

        for c in self.constraints:
            if c.name is not None:
                add(c)
        scalars = (c for c in self.constraints if c.kind == "scalar")
        return (*order.values(), *scalars)

    @cached_property
    def claims(self) -> tuple[Constraint, ...]:
        """All other constraints, the heaviest first."""
        known = {id(c) for c in self.definitions}
        return tuple(sorted((c for c in self.constraints if id(c) not in known), key=lambda c: -c.weight))

    @cached_property
    def options(self) -> dict[Variable, Mapping[str, float]]:
        """All that can be chosen, except which constraints are given up."""
        defined = [c.name for c in self.constraints if c.name is not None]
        sizes = {d for shape in self.fixed.values() for d in shape}
        letters = evidence(self.expressions, sizes, defined, self.hints)
        found: dict[Variable, Mapping[str, float]] = {
            Variable("letter", name): costs for name, costs in letters.items() if name not in self.fixed
        }
        found |= {Variable("function", name): costs for name, costs in _functions(self.expressions).items()}
        for c in self.definitions:
            if c.name is not None and has_derivative(*c.parts[1:2]):
                found[Variable("turn", c.name)] = {"plain": 0.0, "turned": _TURNED}
        found |= {Variable("indexed", name): costs for name, costs in self._declared_and_indexed()}
        found[Variable("layout", "")] = _NUMERATOR
        return found

    def _declared_and_indexed(self) -> Iterator[tuple[str, Mapping[str, float]]]:
        """The declared letters with one index, and what an entry of them can be."""
        nodes = (n for e in self.expressions for n in walk(e) if isinstance(n, Entry) and len(n.indices) == 1)
        for name in dict.fromkeys(n.of.name for n in nodes if isinstance(n.of, Symbol) and n.of.name in self.fixed):
            rows, columns = self.fixed[name]
            if "1" not in (rows, columns):
                yield name, _DECLARED_COLUMNS
            elif rows != "1":
                yield name, _DECLARED_EACH

    @cached_property
    def numbers(self) -> dict[int, Variable]:
        """By the id of a constraint: the variable that says whether it is given up."""
        return {id(c): Variable("constraint", str(k)) for k, c in reversed(list(enumerate(self.constraints)))}

    def number(self, c: Constraint) -> Variable:
        """The variable that says whether a constraint is given up."""
        return self.numbers[id(c)]

    @cached_property
    def read_by(self) -> dict[int, tuple[Variable, ...]]:
        """By the id of a constraint: the variables whose choice its shapes can depend on by themselves."""
        found = {}
        for c in self.constraints:
            names = dict.fromkeys(_names(c.parts))
            asked = [Variable(what, name) for name in names for what in ("letter", "function", "turn")]
            found[id(c)] = tuple(v for v in (*asked, Variable("layout", "")) if v in self.options)
        return found

    @cached_property
    def prefixes(self) -> _Prefixes:
        """What the attempts so far have in common."""
        return _Prefixes()

    @cached_property
    def indexed(self) -> tuple[Variable, ...]:
        """The variables that an attempt reads before any constraint."""
        return tuple(v for v in self.options if v.what == "indexed")

    def with_constraints(self, active: Iterable[Constraint]) -> Options:
        """The options, with those to give up a constraint."""
        return self.options | {self.number(c): {"held": 0.0, "given up": c.weight} for c in active}

    def attempt(self, active: Sequence[Constraint], choices: Choices) -> Outcome[_Attempt]:
        """One reading of some constraints."""
        prefix = self._empty_prefix(choices)
        for c in active:
            if choices[self.number(c)] == "given up":
                continue
            key = id(c), tuple([choices[v] for v in self.read_by[id(c)]])
            longer = prefix.longer.get(key)
            if longer is None:
                self.prefixes.number += 1
                longer = prefix.longer[key] = self._with(c, prefix.attempt.under(choices))
            if longer.failure is not None:
                return longer.failure
            prefix = longer
        found = prefix.attempt.under(choices)
        return Outcome(tuple(self.to_blame(found, found.doubtful)), found, found.cost)

    def _empty_prefix(self, choices: Choices) -> _Prefix:
        if self.prefixes.number > _MOST_PREFIXES:
            self.prefixes.clear()
        key = tuple([choices[v] for v in self.indexed])
        if key not in self.prefixes.empty:
            self.prefixes.empty[key] = _Prefix(_Attempt(self.fixed, choices), None)
        return self.prefixes.empty[key]

    def _with(self, c: Constraint, found: _Attempt) -> _Prefix:
        """The prefix of an attempt and one more constraint."""
        try:
            found.hold(c)
        except FormulaError as error:
            blamed = self.to_blame(found, error.among) if isinstance(error, ConflictError) else ()
            return _Prefix(found, Outcome((*blamed, self.number(c)), error=error.with_traceback(None)))
        return _Prefix(found, None)

    def to_blame(self, found: _Attempt, among: Iterable[Expression]) -> Iterator[Variable]:
        """The variables that the shapes of some expressions depend on, through the definitions."""
        stack, seen = list(among)[::-1], dict[str, None]()
        kinds: dict[Variable, None] = {}
        while stack:
            for node in walk(stack.pop()):
                if isinstance(node, Derivative):
                    kinds[Variable("layout", "")] = None
                if isinstance(node, Apply):
                    kinds[Variable("function", node.name)] = None
                if not isinstance(node, Symbol | Apply) or node.name in seen:
                    continue
                seen[node.name] = None
                kinds[Variable("letter", node.name)] = None
                kinds[Variable("indexed", node.name)] = None
                c = found.follows.get(node.name)
                if c is not None:
                    kinds[Variable("turn", node.name)] = None
                    stack.append(c.parts[1])
        return (v for v in kinds if v in self.options and not (v.what == "letter" and v.name in found.follows))

    def settle(self) -> Settled:
        """The cheapest reading: first of the definitions, then with each claim."""
        active = list(self.definitions)
        best = self.best(active, _DEFINITION_TRIES, None)
        tries = best.tries
        for c in self.claims:
            active.append(c)
            kept = {**usual(self.with_constraints(active)), **best.changes}
            now = self.attempt(active, kept)
            if now.result is not None and now.cost <= best.result.cost:
                best = Found(best.changes, now.result, best.cost, best.tries)
                tries += 1
                continue
            best = self.best(active, _CLAIM_TRIES, {**best.changes, self.number(c): "given up"})
            tries += best.tries
        self.prefixes.clear()
        return self.settled(best, tries)

    def best(self, active: Sequence[Constraint], limit: int, known: Choices | None) -> Found[_Attempt]:
        """The cheapest reading of some constraints."""
        options = self.with_constraints(active)
        known = known or {self.number(c): "given up" for c in active}
        return next(readings(lambda choices: self.attempt(active, choices), options, limit, known))

    def settled(self, best: Found[_Attempt], tries: int) -> Settled:
        """What a reading says of the section."""
        found = best.result
        broken = []
        for c in self.constraints:
            if best.changes.get(self.number(c)) == "given up":
                try:
                    found.hold(c)
                except FormulaError as error:
                    broken.append((c, error))
        names = dict.fromkeys(n.name for e in self.expressions for n in walk(e) if isinstance(n, Symbol))
        for name in names:
            found.symbol(Symbol(name))
        families = found.columns | {
            v.name for v in self.options if v.what == "letter" and v.name not in found.follows
            and found.choices[v] == "family"
        }  # fmt: skip
        functions = {v.name: found.choices[v] for v in self.options if v.what == "function"}
        bounds = {bound: found.find(f"~{bound}") for bound in sizes_of_bounds(self.expressions)}
        sizes_used = (*(d for name in names for d in found.shape(found.shapes[name])), *bounds.values())
        called = _called(sizes_used, {*map(fold, names), *self.reserved})
        shapes = {name: found.shape(found.shapes[name]) for name in names}
        shapes = {name: (called[rows], called[columns]) for name, (rows, columns) in shapes.items()}
        known = {d for shape in shapes.values() for d in shape} | {*bounds}
        known |= {found.find(d).lstrip("~") for d in found.sums.values()}
        sizes = {n for n, shape in shapes.items() if shape == SCALAR and fold(n) in known and n not in found.follows}
        return Settled(
            shapes,
            frozenset(families),
            functions,
            frozenset(self.fixed),
            frozenset(sizes),
            {bound: called[size] for bound, size in bounds.items()},
            tuple(broken),
            tries,
            self,
            best,
        )

    def inference(self, settled: Settled, e: Expression) -> _Attempt:
        """The shapes of the parts of an expression, under the settled shapes, as far as they fit."""
        found = _Attempt(settled.shapes, settled._found.result.choices)  # type: ignore[arg-type]
        found.shapes = dict(settled.shapes)
        found.columns = set(settled.families)
        with contextlib.suppress(FormulaError, OpaqueError):
            found.visit(e)
        return found

    def margin(self, best: Found[_Attempt], name: str) -> float:
        """How much more a reading costs in which `name` is of another kind."""
        if name in self.fixed:
            return float("inf")
        active = [c for c in (*self.definitions, *self.claims) if best.changes.get(self.number(c)) != "given up"]
        options = self.with_constraints(active)
        wanted = _kind(best.result, name)

        def attempt(choices: Choices) -> Outcome[_Attempt]:
            outcome = self.attempt(active, choices)
            if outcome.result is None or _kind(outcome.result, name) != wanted:
                return outcome
            blamed = tuple(self.to_blame(outcome.result, (Symbol(name),)))
            return Outcome(blamed, error=FormulaError(f"{name} is what it was"))

        held = {self.number(c) for c in active}
        open_options = {v: ({"held": 0.0} if v in held else costs) for v, costs in options.items()}
        start = {v: o for v, o in best.changes.items() if v in open_options}
        try:
            other = next(readings(attempt, open_options, MARGIN_TRIES, start))
        except FormulaError:
            return float("inf")
        return max(other.cost - self.cost_without_broken(best), 0.0)

    def cost_without_broken(self, best: Found[_Attempt]) -> float:
        """The cost of a reading, without that of what is given up."""
        return best.cost - sum(c.weight for c in self.constraints if best.changes.get(self.number(c)) == "given up")


def _kind(found: _Attempt, name: str) -> tuple[bool, bool]:
    rows, columns = found.shape(found.symbol(Symbol(name)))
    return rows == "1", columns == "1"


def _defined_name(e: Expression) -> str | None:
    if isinstance(e, Entry):
        return _defined_name(e.of) if isinstance(e.of, Symbol) else None
    return e.name if isinstance(e, Symbol | Apply) else None


def _names(parts: Iterable[Expression]) -> list[str]:
    return [n.name for e in parts for n in walk(e) if isinstance(n, Symbol | Apply)]


def _functions(expressions: Iterable[Expression]) -> dict[str, Mapping[str, float]]:
    """How each unknown function is applied: entry by entry, or to a number for all its arguments."""
    found: dict[str, Mapping[str, float]] = {}
    calls = [n for e in expressions for n in walk(e) if isinstance(n, Apply)]
    primed = {n.name for n in calls if n.primes}
    for n in calls:
        if n.name in primed:
            found[n.name] = {"entrywise": 0.0, "number": 2.0}
        elif len(n.arguments) > 1:
            found[n.name] = {"number": 0.0, "entrywise": 1.5}
        elif is_called_a_loss(n.name):
            found[n.name] = {"number": 0.0, "entrywise": 1.0}
        else:
            found.setdefault(n.name, {"entrywise": 0.0, "number": 1.0})
    return found


def _called(sizes: Iterable[str], reserved: Iterable[str]) -> dict[str, str]:
    """Names for sizes: those that bounds suggest, and for the rest m, n, …, none of them a reserved one."""
    sizes = dict.fromkeys(sizes)
    taken = {d.lstrip("~") for d in sizes if d[0] != "?"} | {*reserved}
    pool = (name for name in _names_of_sizes() if name not in taken)
    return {d: d[1:] if d[0] == "~" else next(pool) if d[0] == "?" else d for d in sizes}


def _names_of_sizes() -> Iterator[str]:
    yield from ("m", "n", "p", "q", "r", "k", "l", "s", "u", "v")
    yield from (f"n{k}" for k in itertools.count(1))
