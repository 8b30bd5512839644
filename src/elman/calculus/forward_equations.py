"""Forward equations, and how a loss depends on them: at its own time step and at earlier ones.

For example, in J^(t) = f(h^(t)), h^(t) = σ(W h^(t-1) + U x^(t)), the loss depends on h, W, U and x at its own step t,
and on all of them at every earlier step too, since h uses its own earlier value.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from elman.calculus.expression import Derivative, Expression, Index, Symbol, symbols
from elman.calculus.shapes.inference import SCALAR, Shape
from elman.errors import FormulaError

LOSS_STEP = Index("t")


class EquationError(FormulaError):
    """An equation that is not differentiated; `name` is that of its left side."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(reason)
        self.name = name


@dataclass(frozen=True, slots=True)
class Equation:
    """`left` = `right`; where they have time steps, the left side is at t."""

    left: Symbol
    right: Expression


class Stage(StrEnum):
    """Where a gradient belongs in a derivation."""

    AT_LOSS = "at the step of the loss"
    EARLIER = "at an earlier step"
    TOTAL = "the sum over the steps"
    INITIAL = "the initial state"
    WHOLE = "the sum of the losses of all steps"


@dataclass(frozen=True, slots=True)
class ChainStep:
    """One gradient: `left` = `chain` = `result`, by `rule`.

    `chain` is the sum of products that the chain rule gives, after what the loss itself contributes (None where the
    loss alone uses the symbol), `rule` the rule in words, `shape` the shape of the result, and `letter` the symbol that
    later steps use for it, if any.
    """

    left: Derivative
    chain: Expression | None
    rule: str
    result: Expression
    shape: Shape
    stage: Stage
    letter: Symbol | None = None


@dataclass(frozen=True, slots=True)
class ForwardModel:
    """Forward equations and a loss, with what a derivation needs to know about them.

    `shapes` are those of all symbols. `errors` gives the symbol for ∂J/∂v of each v that has an equation (δ_1 for θ).
    The columns of `distributions` sum to 1, or the rows where `axis` is 1. `layout` is "denominator": every gradient
    has the shape of what it is taken with respect to; "numerator": its transpose; or "shape": the errors are its
    transpose, the other gradients have its shape. `earlier` is the symbol for an earlier time step, `total` the
    equation that adds up the loss over the steps, if there is one.
    """

    equations: Sequence[Equation]
    shapes: Mapping[str, Shape]
    loss: Symbol
    errors: Mapping[str, Symbol]
    distributions: frozenset[str]
    axis: int = 0
    layout: str = "shape"
    earlier: Index = Index("i")  # noqa: RUF009 - frozen
    total: Equation | None = None

    @property
    def errors_are_rows(self) -> bool:
        """Whether the errors have the transposed shape."""
        return self.layout != "denominator"

    def error_shape(self, name: str) -> Shape:
        """The shape of the error of `name`."""
        shape = self.shapes.get(name, SCALAR)
        return shape[::-1] if self.errors_are_rows else shape

    def gradient_shape(self, name: str) -> Shape:
        """The shape of the gradient with respect to a symbol that has no equation."""
        shape = self.shapes[name]
        return shape[::-1] if self.layout == "numerator" else shape

    def equation(self, name: str) -> Equation | None:
        """The equation of a symbol."""
        return next((e for e in self.equations if e.left.name == name), None)

    def has_time(self, name: str) -> bool:
        """Whether a symbol has an equation at each time step of a loss at each time step."""
        e = self.equation(name)
        return self.loss.time is not None and e is not None and e.left.time is not None

    def symbol(self, name: str, at: Index | None) -> Symbol:
        """A symbol that has an equation, at the step `at` where it has time steps."""
        e = self.equation(name)
        assert e is not None
        return replace(e.left, time=at if self.has_time(name) else None)

    def error(self, name: str, at: Index | None) -> Symbol:
        """The symbol for ∂J/∂name, at the step `at` where it has time steps."""
        return replace(self.errors[name], time=at if self.has_time(name) else None)

    def all_shapes(self) -> dict[str, Shape]:
        """The shapes of all symbols, those of the errors included."""
        return {**self.shapes, **{error.name: self.error_shape(name) for name, error in self.errors.items()}}

    @property
    def sizes(self) -> frozenset[str]:
        """The names of the sizes in the shapes and of the number of steps, by which nothing is differentiated."""
        steps = {"T"} if self.shapes.get("T") == SCALAR else set[str]()
        return frozenset(word for shape in self.shapes.values() for dim in shape for word in dim.split("*")) | steps


def offset_of(s: Symbol) -> int:
    """The step of a symbol in an equation, relative to the step of the left side."""
    return s.time.offset if s.time is not None else 0


class Dependencies:
    """The names that a loss depends on: `current` at its own step, `earlier` at every step before.

    `defined` are the names that have equations.
    """

    def __init__(self, model: ForwardModel) -> None:
        self.model = model
        self.defined = {e.left.name for e in model.equations}
        self.current = self._ancestors({model.loss.name})
        self.earlier = self._at_earlier_steps()

    def uses(self, name: str) -> list[Symbol]:
        """The symbols in the equation of `name`, earlier steps first."""
        e = self.model.equation(name)
        return sorted(symbols(e.right), key=lambda s: (s.name, offset_of(s))) if e else []

    def has_use(self, name: str, among: set[str], offset: int | None = None) -> bool:
        """Whether an equation among those of `among` uses `name`, at the relative step `offset` where it is given."""
        return any(
            s.name == name and (offset is None or offset_of(s) == offset) for user in among for s in self.uses(user)
        )

    def users(self, name: str, at_loss_step: bool) -> list[tuple[str, int]]:
        """The names whose equations use `name`, each with the relative step of that use: at the loss's own step, or at
        an earlier one.
        """
        among = self.current if at_loss_step else self.earlier
        found = []
        for user in sorted(among if at_loss_step else among | self.current):
            for offset in sorted({offset_of(s) for s in self.uses(user) if s.name == name}, reverse=True):
                if offset == 0 and user in among and (at_loss_step or user != self.model.loss.name):
                    found.append((user, 0))
                if offset < 0 and not at_loss_step:
                    if user not in self.earlier:
                        raise EquationError(
                            user,
                            f"{user} uses an earlier {name}, but no earlier {user} is used: a gradient with respect to "
                            f"{name} that differs at one earlier step from all others is not derived",
                        )
                    found.append((user, offset))
        return found

    def users_before_used(self, names: set[str]) -> list[str]:
        """Those of `names` that have equations, each before what its equation uses, without the loss."""
        order: list[str] = []
        seen: set[str] = set()

        def visit(name: str) -> None:
            if name in seen:
                return
            seen.add(name)
            for s in self.uses(name):
                if offset_of(s) == 0 and s.name in names:
                    visit(s.name)
            order.append(name)

        for name in sorted(names):
            visit(name)
        return [name for name in reversed(order) if name in self.defined and name != self.model.loss.name]

    def _ancestors(self, start: set[str]) -> set[str]:
        """The names that those of `start` depend on at the same step, those of `start` included."""
        seen, stack = set[str](), list(start)
        while stack:
            name = stack.pop()
            if name not in seen:
                seen.add(name)
                stack += [s.name for s in self.uses(name) if offset_of(s) == 0]
        return seen

    def _at_earlier_steps(self) -> set[str]:
        """The names of an earlier step that the loss depends on, through the equations that use earlier values."""
        found: set[str] = set()
        while True:
            used = {s.name for user in self.current | found for s in self.uses(user) if offset_of(s) < 0}
            new = self._ancestors(used) | found
            if new == found:
                return found
            found = new
