"""The values of a page's letters at one evaluation point: given ones at random, the others from their equations."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from elman.calculus.expression import (
    Apply,
    BigSum,
    Cases,
    Derivative,
    Entry,
    Expression,
    Index,
    Iverson,
    Symbol,
    children,
    walk,
)
from elman.calculus.functions import Array
from elman.calculus.syntax.names import fold
from elman.calculus.values.axes import by_axes, can_be_axis
from elman.calculus.values.environment import Environment, NoAxisError, Occurrence
from elman.calculus.values.evaluate import evaluate, transpose
from elman.calculus.values.sums import index_size
from elman.errors import FormulaError
from elman.notes.model.page_model import TIME, Definition
from elman.notes.oracle.budget import ENTRIES, Meter
from elman.notes.oracle.evaluation_point import (
    HORIZON,
    MOST_STEPS,
    STEP,
    CycleError,
    Moved,
    OutOfRangeError,
    UndefinedError,
    check_extent,
)
from elman.notes.oracle.finite_steps import with_steps
from elman.notes.oracle.random_values import RandomValues, labels
from elman.notes.oracle.sizes import Sizes
from elman.notes.oracle.unknown_functions import entrywise_value, scalar_value

_NESTED = 80  # levels of the expressions of equations that are open one within another
_SINE = 4  # operations on an entry that take as long as its sine


class Derivatives(Protocol):
    """Where the values of derivatives come from."""

    def matrix(
        self, e: Derivative, indices: dict[str, int], occurrence: Occurrence | None = None, moved: Moved | None = None
    ) -> Array:
        """The value of a derivative in the equation `occurrence`, while `moved` is perturbed."""

    def letter(self, s: Symbol, time: int | None, scope: Environment, moved: Moved | None = None) -> Array:
        """The value of a letter that stands for a derivative, while `moved` is perturbed."""


class _DeferredError(Exception):
    """The equations lead through so many others that this letter has to be evaluated before them."""

    def __init__(self, symbol: Symbol, scope: Environment, moved: Moved | None, path: dict[object, str]) -> None:
        super().__init__(symbol.name)
        self.symbol, self.scope, self.moved, self.path = symbol, scope, moved, path


class Values:
    """Values of letters and expressions; each value of a letter is computed once.

    Equations that lead through each other are evaluated recursively as long as they nest less than `_NESTED` levels of
    expressions. Below that, a letter that has no value yet is evaluated first, and then what asked for it again: a
    chain of any length needs a stack of bounded depth.
    """

    derivatives: Derivatives

    def __init__(self, sizes: Sizes, random: RandomValues, meter: Meter) -> None:
        self.sizes = sizes
        self.model = sizes.model
        self.meter = meter
        self._random = random
        self.fixed = dict.fromkeys(sorted(self.model.fixed), sizes.point.seed % 2)  # indices that nothing binds
        self.fixed |= self.model.fixed_at
        self._values: dict[tuple[object, ...], Array] = {}
        self._failures: dict[tuple[object, ...], FormulaError] = {}
        self._shapes: dict[str, tuple[int, ...] | None] = {}
        self._open: dict[object, str] = {}  # the definitions being evaluated: their keys and names, in order
        self._known_levels: dict[int, int] = {}
        self._endless: dict[int, bool] = {}
        self._levels = 0  # the levels of all open expressions together

    # --- expressions ---

    def scope(
        self, indices: dict[str, int] | None = None, moved: Moved | None = None, occurrence: Occurrence | None = None
    ) -> Environment:
        """An environment in which letters have their values here and derivatives those of a complex step."""
        point = self.sizes.point
        return Environment(
            symbol=lambda s, scope: self.value(s, scope, moved),
            function=self._applied,
            dimension=self.sizes.dimension,
            derivative=lambda e, scope: self.derivatives.matrix(e, dict(scope.indices), scope.occurrence, moved),
            indices={**self.fixed, **(indices or {})},
            softmax_axis=point.softmax_axis,
            written=self.sizes.number,
            literal=point.literal,
            occurrence=occurrence,
        )

    def _applied(self, e: Apply, arguments: tuple[Array, ...]) -> Array:
        """The value of a function that the page does not define; a sine takes as long as several operations."""
        self.meter.count(_SINE * sum(x.size for x in arguments) // ENTRIES)
        positive = e.name in self.model.roles.positive
        if e.name in self.model.unknown or len(arguments) > 1:
            return scalar_value(e.name, arguments, e.primes, positive=positive)
        return entrywise_value(e.name, arguments[0], e.primes, positive=positive)

    def evaluate(self, e: Expression, indices: dict[str, int]) -> Array:
        """The value of `e` with these time steps and indices."""
        self.meter.count(1)
        with np.errstate(all="ignore"):
            return evaluate(e, self.scope(indices))

    def shape_of(self, name: str) -> tuple[int, ...] | None:
        """The shape of a name's value, declared or computed; None where it has no value."""
        if name not in self._shapes:
            try:
                time = Index(None, HORIZON - 1) if name in self.model.timed else None
                value = self.value(Symbol(name, time), self.scope({TIME: HORIZON - 1}))
                self._shapes[name] = value.shape[-2:]
            except FormulaError:
                self._shapes[name] = None
        return self._shapes[name]

    # --- letters ---

    def value(self, s: Symbol, scope: Environment, moved: Moved | None = None) -> Array:
        """The value of a symbol in `scope`, [m,n]; with a perturbation where `moved` asks for one: [entries,m,n].

        Raises `FormulaError` where it has none.
        """
        if self._open:
            value = self._value(s, scope, moved)
        else:
            try:
                value = self._value(s, scope, moved)
            except _DeferredError as deferred:
                value = self._bottom_up(_DeferredError(s, scope, moved, {}), deferred)
        self.meter.count(1 + value.size // ENTRIES)
        return value

    def _bottom_up(self, *waiting: _DeferredError) -> Array:
        """The value of the first letter in `waiting`; each needs the next one to be evaluated before it."""
        stack = list(waiting)
        while True:
            last = stack[-1]
            self._open, self._levels = dict(last.path), 0
            known = len(self._failures)
            try:
                value = self._value(last.symbol, last.scope, last.moved)
            except _DeferredError as deferred:
                stack.append(deferred)
            except FormulaError:
                stack.pop()
                if not stack or len(self._failures) == known:
                    raise  # otherwise what waits for this letter fails at once, and this is known next time
            else:
                stack.pop()
                if not stack:
                    return value
            finally:
                self._open, self._levels = {}, 0

    def _value(self, s: Symbol, scope: Environment, moved: Moved | None) -> Array:
        time = self.time_of(s, scope)
        name = s.name
        if name in self.model.named and not self._given_start(name, time):
            if scope.axes:
                raise NoAxisError
            return self._named(s, time, scope, moved)
        depends = name in self.model.equations or self._given_start(name, time) is not None
        if moved is not None and name not in moved.names and not depends:
            moved = None  # a given letter does not depend on any other
        stepped = moved.stepped if moved is not None else None
        reached = moved is not None and moved.reaches(scope.occurrence)
        steps = stepped is not None and stepped.reaches(scope.occurrence)
        key = (name, time, moved, reached, steps)
        if key not in self._values:
            if self._levels and self._levels + self._levels_of(name, time) > _NESTED:
                raise _DeferredError(s, scope, moved, dict(self._open))
            if key in self._failures:
                raise self._failures[key]
            try:
                value = self._computed(s, name, time, moved)
            except CycleError:  # which letters lead to itself depends on where it begins
                raise
            except FormulaError as error:
                self._failures[key] = error.with_traceback(None)
                raise
            if moved is not None and reached and (moved.name, moved.time) == (name, time):
                value = self._perturbed(value)
            if stepped is not None and steps and (stepped.name, stepped.time) == (name, time):
                value = with_steps(value)
            self._values[key] = value
        return self._values[key]

    def _named(self, s: Symbol, time: int | None, scope: Environment, moved: Moved | None) -> Array:
        key = ("named", s.name, time, scope.indices.get(TIME), moved)
        if key not in self._values:
            self._enter(key, s.name, 5)
            try:
                self._values[key] = self.derivatives.letter(s, time, scope, moved)
            finally:
                self._leave(key, 5)
        return self._values[key]

    @staticmethod
    def _perturbed(value: Array) -> Array:
        """The value with a complex step in each entry by itself: [m·n,m,n]."""
        m, n = value.shape[-2:]
        check_extent(m, n)
        return np.asarray(value + 1j * STEP * np.eye(m * n).reshape(m * n, m, n))

    def time_of(self, s: Symbol, scope: Environment) -> int | None:
        """The time step of a symbol: its own, or for a letter that has time steps, the current one."""
        if s.time is not None:
            if s.time.variable == "T" and "T" not in scope.indices:
                return self.sizes.last + s.time.offset
            try:
                return s.time.at(scope.indices)
            except KeyError as error:
                raise FormulaError(f"the time step {error.args[0]} is not bound", s.span[0] + 1) from None
        if s.name not in self.model.timed:
            return None
        untimed = self.model.defined(s.name, timed=False)
        if untimed is not None and not self.model.has_time(untimed):
            return None
        if TIME in scope.indices or scope.occurrence is None:
            return scope.indices.get(TIME)
        if scope.occurrence.time is None:
            raise OutOfRangeError(f"{s.name} has no time step here: write {s.name}^(t), or a sum", s.span[0] + 1)
        return scope.occurrence.time

    def _computed(self, s: Symbol, name: str, time: int | None, moved: Moved | None) -> Array:
        given = self._given_start(name, time)
        if given is not None:
            return self._start(given, name, time, moved)
        d = self.model.defined(name, timed=time is not None)
        recurs = name in self.model.roles.recurrent
        last = self.sizes.last if self.model.roles.recurrent else MOST_STEPS
        if time is not None and (time > last or time < (0 if recurs or d is None else 1)):
            raise OutOfRangeError(f"{name} has no time step {time}", s.span[0] + 1)
        if d is not None and not (time == 0 and recurs):
            if time is not None and self._never_ends(d):
                raise OutOfRangeError(f"{name} has no time step {last + 1}", s.span[0] + 1)
            return self._defined(d, name, time, moved)
        shape = self.sizes.shape(name) if d is None else self.sizes.declared_or_derived(name)
        if shape is None and d is not None:
            m, n = self.value(Symbol(name, Index(None, 1)), self.scope()).shape[-2:]
            shape = (m, n)
            self.sizes.set_recurring(name, shape)
        if shape is None:
            size = self._as_size(name)
            if size is None:
                raise UndefinedError(name, s.span[0] + 1)
            return np.array([[float(size)]])
        if d is None and time == 0 and not recurs:
            raise OutOfRangeError(f"{name} has no time step 0", s.span[0] + 1)
        return self._given(name, time, shape)

    def _never_ends(self, d: Definition) -> bool:
        """Whether each step of a letter needs a later one: δ^(l) by δ^(l+1), where no step is given."""
        if id(d) not in self._endless:  # the model, which this oracle keeps, keeps the definition
            later = d.time is not None and any(
                isinstance(node, Symbol)
                and node.name == d.name
                and node.time is not None
                and (node.time.variable, node.time.offset > d.time.offset) == (d.time.variable, True)
                for node in walk(d.value)
            )
            given = any(name == d.name for name, _ in self.model.start)
            chosen = any(isinstance(node, Cases | Iverson) for node in walk(d.value))
            self._endless[id(d)] = later and not given and not chosen
        return self._endless[id(d)]

    def _as_size(self, name: str) -> int | None:
        """The number behind B, T, D_h where they stand in a formula as numbers."""
        try:
            return self.sizes.dimension(fold(name))
        except FormulaError:
            return None

    def _given(self, name: str, time: int | None, shape: tuple[int, int]) -> Array:
        check_extent(*shape)
        roles, point = self.model.roles, self.sizes.point
        if name in roles.labels:
            return labels(roles.labels[name], time or 0, shape, point.seed)
        kinds = {"target": roles.targets, "share": roles.shares, "positive": roles.positive}
        kind = next((kind for kind, names in kinds.items() if name in names), "")
        if name in roles.definite and shape[0] == shape[1]:
            kind = "definite"
        if name in roles.symmetric and shape[0] == shape[1]:
            kind = "symmetric"
        down = shape[1] == 1 or (point.softmax_axis != 1 and shape[0] > 1)
        return self._random.value(name, time or 0, shape, point.seed, kind, 0 if down else 1)

    # --- definitions ---

    def _given_start(self, name: str, time: int | None) -> Definition | None:
        for (other, at), given in self.model.start.items():
            if other == name and time is not None and self._is(at, time):
                return given
        return None

    def _is(self, at: Index, time: int) -> bool:
        return time == (at.offset if at.variable is None else self.sizes.dimension(at.variable) + at.offset)

    def _start(self, given: Definition, name: str, time: int | None, moved: Moved | None) -> Array:
        key, levels = ("start", name, given.time), self._levels_in(given)
        self._enter(key, name, levels)
        try:
            scope = self.scope(moved=moved, occurrence=Occurrence(name, time))
            value = self._by_entries(given, scope) if given.indices else evaluate(given.value, scope)
            shape = self.sizes.shape(name)
            if shape is None and name in self.model.named:
                shape = self.value(Symbol(name, Index(None, self.sizes.last)), self.scope()).shape[-2:]
        finally:
            self._leave(key, levels)
        leading = value.shape[:-2]
        return np.broadcast_to(value, (*leading, *shape)) + 0.0 if shape and value.shape[-2:] == (1, 1) else value

    def _defined(self, d: Definition, name: str, time: int | None, moved: Moved | None) -> Array:
        indices: dict[str, int] = {}
        if time is not None:
            variable, offset = (d.time.variable, d.time.offset) if d.time is not None else (TIME, 0)
            indices = {variable or TIME: time - offset, TIME: time - offset}
        key, levels = (name, time), self._levels_in(d)
        self._enter(key, name, levels)
        try:
            scope = self.scope(indices, moved, Occurrence(name, time))
            return self._by_entries(d, scope) if d.indices else evaluate(d.value, scope)
        finally:
            self._leave(key, levels)

    def _by_entries(self, d: Definition, scope: Environment) -> Array:
        """The value of a letter that is defined by its entries."""
        sizes = [self._extent(d, place, index, scope) for place, index in enumerate(d.indices)]
        check_extent(sizes[0], sizes[-1])
        whole = self._along_axes(d, sizes, scope)
        if whole is None:
            whole = self._one_by_one(d, sizes, scope)
        declared = self.sizes.shape(d.name)
        is_row = declared is not None and declared != whole.shape[-2:] and declared == whole.shape[:-3:-1]
        return transpose(whole) if is_row else whole

    @staticmethod
    def _along_axes(d: Definition, sizes: list[int], scope: Environment) -> Array | None:
        """All entries at once; None where they have no value along axes."""
        for index, size in zip(d.indices, sizes, strict=True):
            if not can_be_axis(d.value, index, range(size)):
                return None
            scope = scope.along(index, range(size))
        try:
            return by_axes(evaluate(d.value, scope), scope)
        except CycleError:
            raise
        except FormulaError:  # of one entry, or of none
            return None

    @staticmethod
    def _one_by_one(d: Definition, sizes: list[int], scope: Environment) -> Array:
        """The entries one after the other, as rows or as columns side by side."""
        rows = []
        for i in range(sizes[0]):
            at_row = scope.bind(d.indices[0], i)
            entries = [at_row] if len(sizes) == 1 else [at_row.bind(d.indices[1], j) for j in range(sizes[1])]
            rows.append(_joined([evaluate(d.value, at) for at in entries], -1))
        if len(sizes) == 1 and rows[0].shape[-2] > 1:  # a column for each index
            return _joined(rows, -1)
        return _joined(rows, -2)

    def _extent(self, d: Definition, place: int, index: str, scope: Environment) -> int:
        """How far an index of a definition by entries runs: by the shape of the letter, or of one that has this index
        on the right side.
        """
        shape = self.sizes.declared_or_derived(d.name)
        if shape is not None:
            return shape[place] if len(d.indices) == 2 or shape[1] == 1 else shape[1 if shape[0] == 1 else 0]
        entries = (n for n in walk(d.value) if isinstance(n, Entry) and not isinstance(n.of, BigSum))
        size = index_size(entries, index, scope, evaluate)
        if size is None:
            raise FormulaError(f"over what does {index} run? Declare the shape of {d.name}")
        return size

    def _levels_of(self, name: str, time: int | None) -> int:
        """How many levels the evaluation of a name takes: those of the expression that defines it."""
        d = self.model.defined(name, timed=time is not None)
        return 0 if d is None else self._levels_in(d)

    def _levels_in(self, d: Definition) -> int:
        """How many levels the expression of a definition nests, and three for what calls it."""
        if id(d) not in self._known_levels:  # the model, which this oracle keeps, keeps the definition
            self._known_levels[id(d)] = 3 + _depth(d.value)
        return self._known_levels[id(d)]

    def _enter(self, key: object, name: str, levels: int) -> None:
        """Opens a definition; raises `CycleError` where it is open already."""
        if key in self._open:
            names = list(self._open.values())
            raise CycleError([*names[list(self._open).index(key) :], name])
        self._open[key] = name
        self._levels += levels

    def _leave(self, key: object, levels: int) -> None:
        self._open.pop(key, None)
        self._levels -= levels


def _joined(values: list[Array], axis: int) -> Array:
    """Values side by side or one below the other, each with the leading axes of all."""
    if len({v.shape[-1 if axis == -2 else -2] for v in values}) > 1:
        raise FormulaError("the entries of a letter have different shapes: declare the shapes of the letters in them")
    if len({v.shape[:-2] for v in values}) == 1:
        return np.concatenate(values, axis=axis)
    leading = np.broadcast_shapes(*(v.shape[:-2] for v in values))
    return np.concatenate([np.broadcast_to(v, (*leading, *v.shape[-2:])) for v in values], axis=axis)


def _depth(e: Expression) -> int:
    depth, nodes = 0, [e]
    while nodes:
        nodes = [child for node in nodes for child in children(node)]
        depth += 1
    return depth
