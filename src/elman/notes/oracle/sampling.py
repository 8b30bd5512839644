"""Where a page's model is evaluated: sizes, random points, and shapes for letters that the page does not declare."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import cached_property

import numpy as np

from elman.calculus.expression import BigSum, Derivative, Expression, Identity, Ones, Symbol, symbols, walk
from elman.calculus.syntax.written_sizes import is_number, is_written
from elman.calculus.values.environment import MisfitError
from elman.errors import FormulaError
from elman.notes.model.page_model import TIME, PageModel, Statement, everything_in
from elman.notes.oracle.d_notation import with_differentials
from elman.notes.oracle.evaluation_point import HORIZON, EvaluationPoint
from elman.notes.oracle.oracle import Oracle, Oracles
from elman.notes.oracle.shape_inference import with_derived_shapes, with_inferred_shapes, with_orientations
from elman.notes.oracle.sizes import sizes_of
from elman.notes.oracle.softmax_axis import softmax_axis

BATCH = ("B", "N", "batch", "batchsize", "bs")


def sampling_of(model: PageModel, oracles: Oracles, prose: str = "") -> tuple[Sampling, list[str]]:
    """The evaluation points of a model, and remarks on what was assumed: shapes of undeclared letters that fit its
    equations, and the axis of a softmax that the page's text states or its claims need.
    """
    declared = set(model.shapes)
    model, assumed = with_inferred_shapes(model, oracles)
    model = with_derived_shapes(model, oracles)
    model = with_differentials(model, oracles.new(model, EvaluationPoint(tuple(sizes_of(model.shapes).items()))))
    used = {s.name for found in model.equations.values() for d in found for s in symbols(d.value)}
    used |= set(model.equations)
    assumed = {name: shape for name, shape in assumed.items() if name in used or not model.differentials}
    shapes = {n: s for n, s in model.shapes.items() if n in assumed or n in declared}
    model = replace(model, shapes=shapes, assumed=frozenset(assumed))
    axis, remark = softmax_axis(model, prose, oracles)
    remarks = [remark] if remark else []
    if assumed:
        remarks.append("shapes assumed to fit: " + ", ".join(f"{name} [{r},{c}]" for name, (r, c) in assumed.items()))
    return Sampling(with_orientations(model, axis, oracles), oracles, axis), remarks


class Sampling:
    """The evaluation points of one page, and the oracles there."""

    def __init__(self, model: PageModel, oracles: Oracles, softmax_axis: int | None = None) -> None:
        self.model = model
        self.softmax_axis = softmax_axis
        self._oracles = oracles
        self._letters: dict[str, Symbol] = {}
        self._local: dict[int, dict[str, tuple[str, str]]] = {}
        self._fitting: dict[object, dict[str, tuple[str, str]]] = {}
        self._of_statement: dict[int, list[Oracle]] = {}
        for statement in model.statements:
            for part in statement.parts:
                for node in walk(part):
                    if isinstance(node, Symbol) and (
                        node.name not in self._letters or self._letters[node.name].time is None
                    ):
                        self._letters[node.name] = replace(node, span=(0, 0))

    # --- oracles ---

    @property
    def batch(self) -> str | None:
        """The size that counts the sequences or examples of a batch, where the page has one."""
        names = {word for shape in self.model.shapes.values() for dim in shape for word in dim.split("*")}
        return next((name for name in BATCH if name in names), None)

    def sizes(self) -> dict[str, int]:
        """Pairwise different numbers for the names of the page's sizes."""
        return sizes_of(self.model.shapes)

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

    def points(self) -> Iterator[EvaluationPoint]:
        """Two random points whose sizes all differ (with other sizes at the second point where a page writes sizes as
        numbers, which may be equal to one of them by accident); one with B = 1; and one with B equal to another size.
        """
        sizes = self.sizes()
        yield self.point(sizes, 0)
        other_sizes = self.written or self._writes_small_sizes
        yield self.point(sizes_of(self.model.shapes, 1) if other_sizes else sizes, 1)
        batch = self.batch
        if batch is not None:
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
            more = sizes_of({**self.model.shapes, **local}) if local else {}
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
        return [self._oracles.shared(self.model, replace(w.point, literal=True), w.local, w.conditions) for w in oracles]

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
        """Shapes for the letters that only this statement has: columns for lower case, matrices for upper case, with
        sizes that fit.
        """
        if statement.number not in self._local:
            known = {*self.model.equations, *self.model.named, *self.model.shapes}
            names = sorted({s.name for s in _introduced(statement)} - known)
            names = [n for n in names if n not in self.sizes() and n != "T"]
            self._local[statement.number] = self._fitting_shapes(names, statement) if 0 < len(names) <= 6 else {}
        return self._local[statement.number]

    def _fitting_shapes(self, names: list[str], statement: Statement) -> dict[str, tuple[str, str]]:
        pieces = [piece for part in statement.parts for piece in _pieces(part)]
        key = (tuple(names), tuple(pieces))
        if key not in self._fitting:
            self._fitting[key] = self._best_fitting(names, pieces)
        return dict(self._fitting[key])

    def _best_fitting(self, names: list[str], pieces: list[tuple[Expression, bool]]) -> dict[str, tuple[str, str]]:
        best: tuple[int, int, dict[str, tuple[str, str]]] = (0, 0, {})
        sizes = ("m", "n", "k") if len(names) <= 4 else ("m", "n")
        choices = [_choices(name, sizes) for name in names]
        for shapes in itertools.islice(itertools.product(*choices), 3000):
            local = dict(zip(names, shapes, strict=True))
            point = EvaluationPoint(tuple(sizes_of({**self.model.shapes, **local}).items()))
            oracle = self._oracles.new(self.model, point, local)
            fitting = sum(_fits(oracle, piece, scalar) for piece, scalar in pieces)
            used = len({d for shape in shapes for d in shape if d != "1"})
            if (fitting, used) > best[:2]:
                best = (fitting, used, local)
        return best[2]

    def has_declared_shapes(self, statement: Statement, parts: Iterable[Expression]) -> bool:
        """Whether the page declares the shapes of all given letters that these parts of a statement depend on."""
        guessed = {*self.model.assumed, *self.local_shapes(statement)}
        names = {node.name for node in everything_in(self.model, parts) if isinstance(node, Symbol)}
        return guessed.isdisjoint(names)

    # --- diagnoses ---

    def in_letters(self, error: FormulaError, oracle: Oracle) -> str:
        """The message of an error, with sizes in the page's letters."""
        if not isinstance(error, MisfitError):
            return error.reason
        left, right = oracle.sizes.as_text(error.left), oracle.sizes.as_text(error.right)
        return f"{left} {error.what} {right} does not fit: {error.hint}"


def _choices(name: str, sizes: tuple[str, ...]) -> list[tuple[str, str]]:
    if name[:1].isupper():
        return [(rows, columns) for rows in sizes for columns in sizes]
    if len(name) == 1 or "_" in name:
        return [(s, "1") for s in sizes]
    return [("1", "1")]


def _introduced(statement: Statement) -> set[Symbol]:
    """The letters that a statement may introduce: those in what it differentiates, or else on its left side."""
    derivatives = [n for part in statement.parts for n in walk(part) if isinstance(n, Derivative)]
    if derivatives:
        return {s for d in derivatives for s in symbols(d.of) | symbols(d.wrt)}
    return symbols(statement.parts[0])


def _pieces(e: Expression) -> Iterator[tuple[Expression, bool]]:
    """What must have a value in a part: what it differentiates (best a scalar), else the part itself."""
    derivatives = [n for n in walk(e) if isinstance(n, Derivative)]
    for node in derivatives:
        yield node.of, True
    if not derivatives:
        yield e, False


def _fits(oracle: Oracle, e: Expression, scalar: bool) -> int:
    try:
        value = oracle.evaluate(e, {TIME: HORIZON - 1})
    except (FormulaError, np.linalg.LinAlgError):
        return 0
    return 2 if scalar and value.shape[-2:] == (1, 1) else 1
