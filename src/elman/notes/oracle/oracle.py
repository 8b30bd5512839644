"""The oracle: a page's model with numbers in it, which every claim is compared with by value."""

from __future__ import annotations

from collections.abc import Mapping

from elman.calculus.expression import Expression
from elman.calculus.functions import Array
from elman.notes.model.page_model import PageModel
from elman.notes.oracle.budget import Meter
from elman.notes.oracle.evaluation_point import EvaluationPoint
from elman.notes.oracle.jacobians import Jacobians
from elman.notes.oracle.random_values import RandomValues
from elman.notes.oracle.sizes import Sizes
from elman.notes.oracle.values import Values

_MOST_SHARED = 64  # oracles that are kept


class Oracle:
    """A model at a point: its `sizes`, the `values` of its letters, and the `jacobians` of its expressions.

    `local` are the shapes of letters that only one statement has, and `conditions` what it is restricted to: i = j.
    `remembered` keeps what was computed with this
    oracle, by key, so that one oracle answers many claims.
    """

    def __init__(
        self,
        model: PageModel,
        point: EvaluationPoint,
        local: Mapping[str, tuple[str, str]],
        random: RandomValues,
        meter: Meter,
        conditions: tuple[Expression, ...] = (),
    ) -> None:
        self.conditions = conditions
        self.model = model
        self.point = point
        self.local = local
        self.meter = meter
        self.sizes = Sizes(model, point, local)
        self.values = Values(self.sizes, random, meter)
        self.jacobians = Jacobians(self.values)
        self.values.derivatives = self.jacobians
        self.remembered: dict[tuple[object, ...], object] = {}

    def evaluate(self, e: Expression, indices: dict[str, int]) -> Array:
        """The value of `e` with these time steps and indices, [m,n]; raises `FormulaError` where it has none."""
        return self.values.evaluate(e, indices)


class Oracles:
    """The oracles of one check: they share random values, and one meter counts their work.

    Several checks may use the same `Oracles`: equal models then share what was computed, and the meter counts less.
    """

    def __init__(self) -> None:
        self.meter = Meter()
        self._random = RandomValues()
        self._shared: dict[tuple[object, ...], Oracle] = {}
        self._numbers: dict[tuple[object, ...], int] = {}  # a number for each set of equal models
        self._latest: list[tuple[PageModel, int]] = []  # the latest models, with their numbers

    def new(
        self,
        model: PageModel,
        point: EvaluationPoint,
        local: Mapping[str, tuple[str, str]] | None = None,
        conditions: tuple[Expression, ...] = (),
    ) -> Oracle:
        """An oracle of its own."""
        return Oracle(model, point, dict(local or {}), self._random, self.meter, conditions)

    def shared(
        self,
        model: PageModel,
        point: EvaluationPoint,
        local: Mapping[str, tuple[str, str]] | None = None,
        conditions: tuple[Expression, ...] = (),
    ) -> Oracle:
        """The one oracle of equal models at a point, with `local` letters of these shapes, under `conditions`."""
        key = (self._number(model), point, tuple(sorted((local or {}).items())), conditions)
        if key not in self._shared:
            while len(self._shared) >= _MOST_SHARED:
                self._shared.pop(next(iter(self._shared)))
            self._shared[key] = self.new(model, point, local, conditions)
        return self._shared[key]

    def _number(self, model: PageModel) -> int:
        for known, number in self._latest:
            if known is model:
                return number
        number = self._numbers.setdefault(_identity(model), len(self._numbers))
        self._latest = [*self._latest[-7:], (model, number)]
        return number


def _identity(model: PageModel) -> tuple[object, ...]:
    """Everything of a model that a value can depend on."""
    roles = model.roles
    return (
        tuple(sorted(model.shapes.items())), tuple(sorted(model.derived.items())),
        tuple((n, tuple((d.time, d.value) for d in f)) for n, f in sorted(model.equations.items())),
        tuple((n, tuple((d.time, d.value) for d in f)) for n, f in sorted(model.named.items())),
        tuple((k, d.value) for k, d in model.start.items()), model.timed, model.families, tuple(model.said.items()),
        tuple(sorted(model.bounds.items())), tuple(sorted(model.exact.items())), tuple(sorted(model.fixed_at.items())),
        model.fixed, model.unknown,
        tuple(sorted(roles.labels.items())),
        roles.targets, roles.positive, roles.shares, roles.definite, roles.symmetric, roles.recurrent, roles.losses,
        tuple(sorted(roles.turned.items())),
    )  # fmt: skip
