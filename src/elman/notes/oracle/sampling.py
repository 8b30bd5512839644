"""Where a page's model is evaluated: sizes, random points, and shapes for letters that the page does not declare."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import cached_property

from elman.calculus.expression import (
    BigSum,
    Call,
    Comparison,
    Derivative,
    Entry,
    Expression,
    Identity,
    Ones,
    Symbol,
    walk,
)
from elman.calculus.functions import ELEMENTWISE
from elman.calculus.shapes.section import MARGIN_TRIES, Settled
from elman.calculus.syntax.written_sizes import is_number, is_written
from elman.calculus.values.environment import MisfitError
from elman.errors import FormulaError
from elman.notes.model.page_model import PageModel, Statement, names_in
from elman.notes.oracle.budget import READING
from elman.notes.oracle.d_notation import with_differentials
from elman.notes.oracle.evaluation_point import EvaluationPoint
from elman.notes.oracle.oracle import Oracle, Oracles
from elman.notes.oracle.shape_inference import (
    BATCH,
    local_shapes,
    with_derived_shapes,
    with_evaluable_losses,
    with_orientations,
    with_settled_shapes,
    with_vectors_as_rows,
)
from elman.notes.oracle.sizes import sizes_in, sizes_of
from elman.notes.oracle.softmax_axis import softmax_axis

_FAR_WORSE = 4.0  # what it costs to give up a claim


def sampling_of(model: PageModel, oracles: Oracles, prose: str = "") -> tuple[Sampling, list[str]]:
    """The evaluation points of a model, and remarks on what was assumed: shapes of undeclared letters that fit its
    equations, and the axis of a softmax that the page's text states or its claims need.
    """
    model, settled = with_settled_shapes(model, oracles.meter)
    model = with_vectors_as_rows(model, oracles)
    model = with_evaluable_losses(model, oracles)
    model = with_derived_shapes(model, oracles)
    model = with_differentials(model, oracles.new(model, EvaluationPoint(tuple(sizes_in(model).items()))))
    axis, remark = softmax_axis(model, prose, oracles)
    remarks = [remark] if remark else []
    if settled is not None and model.assumed:
        remarks.append("reading: " + ", ".join(settled.words(name) for name in sorted(model.assumed)))
    return Sampling(with_orientations(model, axis, oracles), oracles, axis, settled), remarks


class Sampling:
    """The evaluation points of one page, and the oracles there."""

    def __init__(
        self, model: PageModel, oracles: Oracles, softmax_axis: int | None = None, settled: Settled | None = None
    ) -> None:
        self.model = model
        self.softmax_axis = softmax_axis
        self._settled = settled
        self._oracles = oracles
        self._letters: dict[str, Symbol] = {}
        self._local: dict[int, dict[str, tuple[str, str]]] = {}
        self._of_statement: dict[int, list[Oracle]] = {}
        for statement in model.statements:
            for part in statement.parts:
                for node in walk(part):
                    if isinstance(node, Symbol) and (
                        node.name not in self._letters or self._letters[node.name].time is None
                    ):
                        self._letters[node.name] = replace(node, span=(0, 0))

    def is_certain(self, name: str) -> bool:
        """Whether the page declares the shape of a letter, or its section fits far worse with any other kind of it."""
        if name in self.model.shapes and name not in self.model.assumed:
            return True
        if self._settled is None or name not in self._settled.shapes:
            return False
        self._oracles.meter.count(MARGIN_TRIES * READING)
        return self._settled.margin(name) >= _FAR_WORSE

    # --- oracles ---

    @property
    def batch(self) -> str | None:
        """The size that counts the sequences or examples of a batch, where the page has one."""
        names = {word for shape in self.model.shapes.values() for dim in shape for word in dim.split("*")}
        return next((name for name in BATCH if name in names), None)

    def sizes(self) -> dict[str, int]:
        """Pairwise different numbers for the names of the page's sizes."""
        return sizes_in(self.model)

    @cached_property
    def written(self) -> frozenset[str]:
        """Numbers that are sizes of the page, for which the oracle uses others: of x.shape = [784,1], of N = 784."""
        return frozenset(filter(is_written, self.sizes())) | frozenset(self.model.said.values()) - {"1"}

    @cached_property
    def _writes_small_sizes(self) -> bool:
        """Whether a formula has a size that is a number of one digit: 1_3, I_5, Σ_{i=1}^{3}."""
        nodes = [node for statement in self.model.statements for part in statement.parts for node in walk(part)]
        sizes = [node.dim for node in nodes if isinstance(node, Ones | Identity)]
        sizes += [str(node.upper) for node in nodes if isinstance(node, BigSum)]
        return any(size is not None and is_number(size) for size in sizes)

    @cached_property
    def _has_kinks(self) -> bool:
        """Whether a formula is another one on each side of a point, as max(0, x), |x| and cases by x > 0 are."""
        nodes = [node for statement in self.model.statements for part in statement.parts for node in walk(part)]
        return any(
            isinstance(node, Comparison)
            or (isinstance(node, Call) and node.function in ELEMENTWISE and ELEMENTWISE[node.function].kink != "")
            or (isinstance(node, Call) and node.function in ("max", "min", "clip", "norm1"))
            for node in nodes
        )

    @cached_property
    def _indexes_rows(self) -> bool:
        """Whether a letter with an example in each row has one index, x_i: where there is one row, that would be an
        entry of it.
        """
        known = {**self.model.derived, **self.model.shapes}
        rows = {name for name, shape in known.items() if shape[0] == self.batch and shape[1] != "1"}
        if not rows:
            return False
        values = [d.value for found in self.model.equations.values() for d in found]
        parts = [*(part for s in self.model.statements for part in s.parts), *values]
        return any(
            isinstance(node, Entry) and len(node.indices) == 1 and isinstance(node.of, Symbol) and node.of.name in rows
            for part in parts
            for node in walk(part)
        )

    def points(self) -> Iterator[EvaluationPoint]:
        """Two random points whose sizes all differ (with other sizes at the second point where a page writes sizes as
        numbers, which may be equal to one of them by accident); more of them where a formula has kinks, so that each
        side of one is seen; one with B = 1; and one with B equal to another size.
        """
        sizes = self.sizes()
        yield self.point(sizes, 0)
        other_sizes = self.written or self._writes_small_sizes
        yield self.point(sizes_in(self.model, 1) if other_sizes else sizes, 1)
        for seed in range(5, 10) if self._has_kinks else ():
            yield self.point(sizes, seed)
        batch = self.batch
        if batch is not None:
            if not self._indexes_rows:
                yield self.point({**sizes, batch: 1}, 2, "B = 1")
            other = self._coincidence(batch)
            if other is not None:
                yield self.point({**sizes, batch: sizes[other]}, 3, f"{batch} = {other}")

    def point(self, sizes: dict[str, int], seed: int, label: str = "") -> EvaluationPoint:
        """A point at these sizes."""
        return EvaluationPoint(tuple(sizes.items()), seed, self.softmax_axis, label)

    def _coincidence(self, batch: str) -> str | None:
        for name in self.model.named:
            for dim in self.model.shapes.get(name, ()):
                if dim not in (batch, "1") and dim.isidentifier():
                    return dim
        return next((d for s in self.model.shapes.values() for d in s if d != batch and d.isidentifier()), None)

    def oracles(self, statement: Statement) -> list[Oracle]:
        """The oracles of a statement: one at each point, with the shapes that fit its own undeclared letters."""
        if statement.number not in self._of_statement:
            local, conditions = self.local_shapes(statement), statement.relation.conditions
            shapes = {**self.model.shapes, **local}
            more = sizes_of(shapes, others=self.model.bounds.values(), exact=self.model.exact) if local else {}
            made = []
            for point in self.points():
                if local:
                    known = dict(point.sizes)
                    full = {**{k: v for k, v in more.items() if k not in known}, **known}
                    there = replace(point, sizes=tuple(full.items()))
                    made.append(self._oracles.shared(self.model, there, local, conditions))
                else:
                    made.append(self._oracles.shared(self.model, point, None, conditions))
            self._of_statement[statement.number] = made
        return self._of_statement[statement.number]

    def literal_oracles(self, statement: Statement) -> list[Oracle]:
        """The oracles of a statement that read a factor the other way: 784 as the number, 4 as the size M = 4."""
        oracles = self.oracles(statement)
        return [
            self._oracles.shared(self.model, replace(w.point, literal=True), w.local, w.conditions) for w in oracles
        ]

    def column_oracles(self) -> list[Oracle]:
        """Two oracles of one column."""
        sizes = {**self.sizes(), **({self.batch: 1} if self.batch else {})}
        return [self._oracles.shared(self.model, self.point(sizes, seed, "B = 1")) for seed in (2, 4)]

    def plain_oracles(self) -> Iterator[Oracle]:
        """The oracles that know the page's own letters only."""
        for point in self.points():
            yield self._oracles.shared(self.model, point)

    def letters(self, statement: Statement | None) -> tuple[Symbol, ...]:
        """The letters that a formula may use: the page's, and the statement's own."""
        local = {} if statement is None else self.local_shapes(statement)
        known = {*self.model.equations, *self.model.named, *self.model.shapes} - set(self.sizes())
        return tuple(s for name, s in self._letters.items() if name in known or name in local)

    def has_known_orientation(self, name: str) -> bool:
        """Whether the declared shape of a letter for a derivative is that of what it is by, or its transpose."""
        declared = self.model.shapes.get(name)
        of = self.model.named[name][0].value
        if declared is None or not (isinstance(of, Derivative) and isinstance(of.wrt, Symbol)):
            return False
        shape = self.model.shapes.get(of.wrt.name) or self.model.derived.get(of.wrt.name)
        return shape is not None and declared in (shape, shape[::-1])

    # --- undeclared letters ---

    def local_shapes(self, statement: Statement) -> dict[str, tuple[str, str]]:
        """Shapes for the letters that only this statement has."""
        if statement.number not in self._local:
            self._local[statement.number] = local_shapes(self.model, statement)
        return self._local[statement.number]

    def has_declared_shapes(self, statement: Statement, parts: Iterable[Expression]) -> bool:
        """Whether the page declares the shapes of all given letters that these parts of a statement depend on."""
        guessed = {*self.model.assumed, *self.local_shapes(statement)}
        return guessed.isdisjoint(names_in(self.model, parts))

    # --- diagnoses ---

    def in_letters(self, error: FormulaError, oracle: Oracle) -> str:
        """The message of an error, with sizes in the page's letters."""
        if not isinstance(error, MisfitError):
            return error.reason
        left, right = oracle.sizes.as_text(error.left), oracle.sizes.as_text(error.right)
        return f"{left} {error.what} {right} does not fit: {error.hint}"
