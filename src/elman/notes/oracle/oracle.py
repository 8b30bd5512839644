"""A page's model with numbers in it: random values, unrolled over time, and derivatives by complex step.

This is the oracle that every claim is held against. It knows nothing of the rules of differentiation: it runs the
page's own forward equations on inputs that are moved by 1e-20 i, one leading axis for all entries at once, and reads
the derivative off the imaginary part (Squire and Trapp 1998), exact to rounding.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from elman.calculus.expression import Derivative, Entry, Expression, Index, Symbol
from elman.calculus.functions import Array
from elman.calculus.syntax.names import fold
from elman.calculus.values.environment import Environment, Occurrence
from elman.calculus.values.evaluate import entry_slices, evaluate, transpose
from elman.errors import FormulaError
from elman.notes.model.page_model import TIME, Definition, PageModel
from elman.notes.oracle.evaluation_point import (
    ELSEWHERE,
    HORIZON,
    STEP,
    CycleError,
    EvaluationPoint,
    Jacobian,
    Moved,
    OutOfRangeError,
    UndefinedError,
    check_extent,
    random_value,
)


@dataclass
class Oracle:
    """A model at a point. Values are remembered, so one oracle answers many claims."""

    model: PageModel
    point: EvaluationPoint
    local: dict[str, tuple[str, str]] = field(default_factory=dict)
    elsewhere: dict[int, str] = field(default_factory=dict)
    agreements: dict[tuple[object, ...], object] = field(default_factory=dict)
    _values: dict[tuple[object, ...], Array] = field(default_factory=dict)
    _jacobians: dict[tuple[object, ...], Jacobian] = field(default_factory=dict)
    _shapes: dict[str, tuple[int, ...] | None] = field(default_factory=dict)
    _found: dict[str, tuple[int, int]] = field(default_factory=dict)
    _open: list[tuple[str, int | None]] = field(default_factory=list)
    _last: int | None = None
    _said: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        self._said = {number: name for name, number in reversed(self.model.said.items()) if number != "1"}

    # --- sizes and random values ---

    def written(self, number: int) -> int:
        """What stands for a size written as a number, 784; the number itself where it is the size of nothing."""
        name = self._said.get(str(number))
        return self.point.written(number) if name is None else self.dimension(name)

    def dimension(self, name: str) -> int:
        """The size behind a name; T is the number of time steps unless a shape uses it."""
        name = self._said.get(name, name)
        try:
            size = self.point.size(name)
            if size in ELSEWHERE:
                self.elsewhere[size] = name
            return size
        except KeyError:
            if name == "T":
                return HORIZON
            raise FormulaError(f"the dimension {name} is not known") from None

    @property
    def last(self) -> int:
        """The last time step."""
        if self._last is None:
            self._last = self.dimension("T")
        return self._last

    def shape(self, name: str) -> tuple[int, int] | None:
        """The declared shape of a name, in numbers, or what its equation gives a recurring one."""
        declared = self.model.shapes.get(name) or self.local.get(name)
        return self._found.get(name) if declared is None else (self.dimension(declared[0]), self.dimension(declared[1]))

    def shape_of(self, name: str) -> tuple[int, ...] | None:
        """The shape of a name's value in this oracle, declared or worked out; None where it has none."""
        if name not in self._shapes:
            try:
                time = Index(None, HORIZON - 1) if name in self.model.timed else None
                value = self.value(Symbol(name, time), self.scope({TIME: HORIZON - 1}))
                self._shapes[name] = value.shape[-2:]
            except FormulaError:
                self._shapes[name] = None
        return self._shapes[name]

    def _random(self, name: str, time: int | None) -> Array:
        shape, roles = self.shape(name), self.model.roles
        assert shape is not None
        check_extent(*shape)
        kind = "target" if name in roles.targets else "positive" if name in roles.positive else ""
        down = shape[1] == 1 or (self.point.softmax_axis != 1 and shape[0] > 1)
        return random_value(name, time or 0, shape, self.point.seed, kind, 0 if down else 1)

    # --- values ---

    def scope(
        self, indices: dict[str, int] | None = None, moved: Moved | None = None, occurrence: Occurrence | None = None
    ) -> Environment:
        """A scope over this oracle: symbols by name and time, derivatives by complex step."""
        return Environment(
            symbol=lambda s, scope: self.value(s, scope, moved),
            dimension=self.dimension,
            derivative=self._derivative,
            indices=indices or {},
            softmax_axis=self.point.softmax_axis,
            written=self.written,
            literal=self.point.literal,
            occurrence=occurrence,
        )

    def evaluate(self, e: Expression, indices: dict[str, int]) -> Array:
        """The value of `e` with these time steps and indices."""
        with np.errstate(all="ignore"):
            return evaluate(e, self.scope(indices))

    def value(self, s: Symbol, scope: Environment, moved: Moved | None = None) -> Array:
        """The value of a symbol where `scope` stands; moved by a complex step where `moved` says so."""
        time = self.time_of(s, scope)
        name = s.name
        if name in self.model.named and not self._given_start(name, time):
            return self._named(s, time, scope)
        if moved is not None and name != moved.name and name not in self.model.equations:
            moved = None  # a given letter: what is moved elsewhere does not reach it
        reached = moved is not None and moved.reaches(scope.occurrence)
        key = (name, time, moved, reached)
        if key in self._values:
            return self._values[key]
        value = self._computed(s, name, time, moved)
        if moved is not None and reached and (moved.name, moved.time) == (name, time):
            value = self._step(value)
        self._values[key] = value
        return value

    @staticmethod
    def _step(value: Array) -> Array:
        """The value, moved in each entry by itself: [m·n,m,n]."""
        m, n = value.shape[-2:]
        check_extent(m, n)
        return np.asarray(value + 1j * STEP * np.eye(m * n).reshape(m * n, m, n))

    def time_of(self, s: Symbol, scope: Environment) -> int | None:
        """The time step of a symbol: its own, or for a letter that has time steps, the one at hand."""
        if s.time is not None:
            if s.time.variable == "T" and "T" not in scope.indices:
                return self.dimension("T") + s.time.offset
            try:
                return s.time.at(dict(scope.indices))
            except KeyError as error:
                raise FormulaError(f"the time step {error.args[0]} is bound nowhere", s.span[0] + 1) from None
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
            return self._start(given, name)
        d = self.model.defined(name, timed=time is not None)
        recurs = name in self.model.roles.recurrent
        if time is not None and (time > self.last or time < (0 if recurs or d is None else 1)):
            raise OutOfRangeError(f"{name} has no time step {time}", s.span[0] + 1)
        if d is None or (time == 0 and recurs):
            shape = self.shape(name)
            if shape is None and d is not None:
                m, n = self.value(Symbol(name, Index(None, 1)), self.scope(), None).shape[-2:]
                self._found[name] = shape = (m, n)
            if shape is None:
                size = self._as_size(name)
                if size is None:
                    raise UndefinedError(name, s.span[0] + 1)
                return np.array([[float(size)]])
            if d is None and time == 0 and not recurs:
                raise OutOfRangeError(f"{name} has no time step 0", s.span[0] + 1)
            return self._random(name, time)
        return self._define(d, name, time, moved)

    def _as_size(self, name: str) -> int | None:
        """B, T, D_h standing in a formula as numbers."""
        try:
            return self.dimension(fold(name))
        except FormulaError:
            return None

    def _given_start(self, name: str, time: int | None) -> Definition | None:
        for (other, at), given in self.model.start.items():
            if other == name and time is not None and self._is(at, time):
                return given
        return None

    def _is(self, at: Index, time: int) -> bool:
        return time == (at.offset if at.variable is None else self.dimension(at.variable) + at.offset)

    def _start(self, given: Definition, name: str) -> Array:
        value = evaluate(given.value, self.scope())
        shape = self.shape(name)
        if shape is None and name in self.model.named:
            shape = self.value(Symbol(name, Index(None, self.dimension("T"))), self.scope()).shape[-2:]
        return np.broadcast_to(value, shape) + 0.0 if shape and value.shape[-2:] == (1, 1) else value

    def _define(self, d: Definition, name: str, time: int | None, moved: Moved | None) -> Array:
        here = (name, time)
        if here in self._open:
            raise CycleError([n for n, _ in self._open[self._open.index(here) :]] + [name])
        if len(self._open) > 200:
            raise CycleError([n for n, _ in self._open[-4:]])
        indices: dict[str, int] = {}
        if time is not None:
            variable, offset = (d.time.variable, d.time.offset) if d.time is not None else (TIME, 0)
            indices = {variable or TIME: time - offset, TIME: time - offset}
        self._open.append(here)
        try:
            return evaluate(d.value, self.scope(indices, moved, Occurrence(name, time)))
        finally:
            self._open.pop()

    # --- letters for derivatives ---

    def _named(self, s: Symbol, time: int | None, scope: Environment) -> Array:
        """The true value of a letter for a derivative, turned as its declared shape says."""
        key = ("named", s.name, time, scope.indices.get(TIME))
        if key not in self._values:
            d, indices = self.meaning(s, time, scope)
            assert isinstance(d.value, Derivative)
            value = self._orient(s.name, self.matrix(d.value, indices, scope.occurrence))
            self._values[key] = value
        return self._values[key]

    def meaning(self, s: Symbol, time: int | None, scope: Environment) -> tuple[Definition, dict[str, int]]:
        """The definition of a letter for a derivative, and the time steps in it.

        δ^(i) where the page says δ^(t) = ∂J^(t)/∂z^(t) is ∂J^(t)/∂z^(i): the loss stays at the time at hand.
        """
        definitions = self.model.named[s.name]
        d = next((d for d in definitions if self._general(d)), definitions[0])
        derivative, indices = d.value, dict(scope.indices)
        assert isinstance(derivative, Derivative)
        if time is None or not isinstance(derivative.wrt, Symbol):
            return d, indices
        left = d.time or Index(TIME)
        indices.setdefault(TIME, time - left.offset if left.variable == TIME else time)
        wrt = derivative.wrt
        if wrt.time is not None and left.variable is not None and wrt.time.variable == left.variable:
            wrt = replace(wrt, time=Index(None, time + wrt.time.offset - left.offset))
        elif wrt.time is None and left.variable is not None and wrt.name in self.model.timed:
            wrt = replace(wrt, time=Index(None, time - left.offset))
        d = replace(d, value=replace(derivative, wrt=wrt))
        if left.variable is not None and left.variable != TIME:
            indices[left.variable] = time - left.offset
        return d, indices

    @staticmethod
    def _general(d: Definition) -> bool:
        """Whether the letter's time step is another than the loss's: δ^(i) = ∂J^(t)/∂z^(i)."""
        of = d.value.of if isinstance(d.value, Derivative) else None
        return (
            isinstance(of, Symbol)
            and of.time is not None
            and d.time is not None
            and of.time.variable != d.time.variable
        )

    def _orient(self, name: str, value: Array) -> Array:
        declared = self.shape(name)
        turned = self.model.roles.turned.get(name)
        if turned is not None:
            return transpose(value) if turned else value
        if declared is not None and declared != value.shape and declared == value.shape[::-1]:
            return transpose(value)
        return value

    # --- derivatives ---

    def _derivative(self, e: Derivative, scope: Environment) -> Array:
        return self.matrix(e, dict(scope.indices), scope.occurrence)

    def matrix(self, e: Derivative, indices: dict[str, int], occurrence: Occurrence | None = None) -> Array:
        """A derivative as a matrix, see `Jacobian.matrix`; `FormulaError` where it has four indices."""
        jacobian = self.jacobian(e, indices, occurrence=occurrence)
        if jacobian.tensor.shape[1:] == (1, 1, 1) and self._is_column(e.of):  # a column that only here has one entry
            return jacobian.tensor[:, 0, :, 0].T
        found = jacobian.matrix()
        if found is None:
            raise FormulaError("this derivative has four indices, no matrix: it stands only in a chain", e.span[0] + 1)
        return found

    def _is_column(self, e: Expression) -> bool:
        """Whether a letter is a column by its shape, whatever its size is here, and no loss."""
        if not isinstance(e, Symbol) or e.name in self.model.roles.losses:
            return False
        shape = self.model.shapes.get(e.name) or self.model.derived.get(e.name)
        return shape is not None and shape[0] != "1" and shape[1] == "1"

    def jacobian(
        self,
        e: Derivative,
        indices: dict[str, int],
        equation: str | None = None,
        occurrence: Occurrence | None = None,
    ) -> Jacobian:
        """∂of/∂wrt at these time steps, by complex step.

        `equation`: only the use that the equation of this name makes of wrt. `occurrence`: where the derivative stands.
        """
        scope = self.scope(indices, occurrence=occurrence)
        entry = e.wrt if isinstance(e.wrt, Entry) else None
        wrt = e.wrt if entry is None else entry.of
        if not isinstance(wrt, Symbol):
            raise FormulaError("a derivative is by one symbol", e.wrt.span[0] + 1)
        time = self.time_of(wrt, scope)
        if wrt.name in self.model.named:
            raise FormulaError(f"{wrt.name} is itself a derivative", wrt.span[0] + 1)
        at = None
        if e.at is not None:
            at = e.at.at(indices) if e.at.variable in indices or e.at.variable is None else self.dimension("T")
        moved = Moved(wrt.name, time, at, equation)
        times = tuple(sorted((k, v) for k, v in indices.items()))
        key = (e.of, moved, times)
        if key not in self._jacobians:
            self._jacobians[key] = self._complex_step(e, moved, wrt, indices)
        found = self._jacobians[key]
        if entry is None:
            return found
        rows, columns = entry_slices(entry, found.tensor.shape[:2], indices)
        return Jacobian(found.tensor[rows, columns])

    def _complex_step(self, e: Derivative, moved: Moved, wrt: Symbol, indices: dict[str, int]) -> Jacobian:
        self._check_order(e, moved, indices)
        with np.errstate(all="ignore"):
            r, c = self.value(wrt, self.scope(indices)).shape[-2:]
            value = evaluate(e.of, self.scope(indices, moved, Occurrence(time=indices.get(TIME, 0))))
        slope = np.imag(value) / STEP
        if isinstance(e.of, Symbol) and e.of.name in self.model.roles.losses and slope.shape[-1] > 1:
            slope = slope.sum((-2, -1), keepdims=True)  # a loss per sequence: J is their sum
        if slope.ndim == 2:  # nothing of it was moved
            slope = np.broadcast_to(slope, (r * c, *slope.shape))
        m, n = slope.shape[-2:]
        return Jacobian(slope.reshape(r, c, m, n))

    def _check_order(self, e: Derivative, moved: Moved, indices: dict[str, int]) -> None:
        """∂J^(t)/∂z^(i) with i > t is not meant by anyone: the claim does not speak of that pair."""
        of_time = self.time_of(e.of, self.scope(indices)) if isinstance(e.of, Symbol) else None
        step = moved.time if moved.time is not None else moved.at
        if of_time is not None and step is not None and step > of_time:
            raise OutOfRangeError(f"{moved.name} at {step} comes after step {of_time}", e.span[0] + 1)
