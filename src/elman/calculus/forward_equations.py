"""Forward equations and how a loss depends on them: at its own time step, and at earlier ones."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from elman.calculus.expression import Derivative, Expression, Index, Symbol, symbols
from elman.calculus.shapes.inference import Shape
from elman.errors import FormulaError

T = Index("t")


@dataclass(frozen=True, slots=True)
class Equation:
    """`left` = `right`; where they have time steps, the left side stands at t."""

    left: Symbol
    right: Expression


@dataclass(frozen=True, slots=True)
class ChainStep:
    """One gradient: `left` = `chain` = `result`, by `rule`; `letter` is the name that it gets, `shape` its shape."""

    left: Derivative
    chain: Expression | None
    rule: str
    result: Expression
    shape: Shape
    letter: Symbol | None = None


@dataclass(frozen=True, slots=True)
class ForwardModel:
    """Forward equations, the shapes of all letters, the loss, the letters for errors by what they are the gradient by,
    and which letters' columns sum to 1. `layout`: "denominator", every gradient has the shape of what it is by;
    "numerator", its transpose; "shape", the errors that pass through the chain are its transpose, the gradients by
    given letters have its shape. `earlier`: how an
    earlier step is called.
    """

    equations: Sequence[Equation]
    shapes: Mapping[str, Shape]
    loss: Symbol
    letters: Mapping[str, Symbol]
    distributions: frozenset[str]
    layout: str = "shape"
    earlier: Index = field(default_factory=lambda: Index("i"))

    @property
    def rows(self) -> bool:
        """Whether the errors are rows."""
        return self.layout != "denominator"

    def error_shape(self, name: str) -> Shape:
        """The shape of the letter for the gradient by `name`."""
        shape = self.shapes.get(name, ("1", "1"))
        return shape[::-1] if self.rows else shape

    def equation(self, name: str) -> Equation | None:
        """The equation of a letter."""
        return next((e for e in self.equations if e.left.name == name), None)


def offset_of(s: Symbol) -> int:
    """At which step a letter stands in an equation, against the step of its left side."""
    return s.time.offset if s.time is not None else 0


class Dependencies:
    """Which letters a loss depends on: `live` at its own step, `earlier` at every step before; `defined` have
    equations.
    """

    def __init__(self, model: ForwardModel) -> None:
        self.model = model
        self.defined = {e.left.name for e in model.equations}
        self.live = self._ancestors({model.loss.name})
        self.earlier = self._earlier()

    def uses(self, user: str) -> Iterable[Symbol]:
        """The letters in the equation of `user`, earlier steps first."""
        e = self.model.equation(user)
        return sorted(symbols(e.right), key=lambda s: (s.name, s.time.offset if s.time else 0)) if e else ()

    def _ancestors(self, start: set[str]) -> set[str]:
        """Letters that those of `start` are made of at the same step, themselves among them."""
        seen, stack = set[str](), list(start)
        while stack:
            name = stack.pop()
            if name not in seen:
                seen.add(name)
                stack += [s.name for s in self.uses(name) if offset_of(s) == 0]
        return seen

    def _earlier(self) -> set[str]:
        """Letters of an earlier step that the loss depends on through the equations that ask for an earlier value."""
        found: set[str] = set()
        while True:
            users = self.live | found
            asked = {s.name for u in users for s in self.uses(u) if offset_of(s) < 0}
            new = self._ancestors(asked) | found
            if new == found:
                return found
            found = new

    def order(self, names: set[str]) -> list[str]:
        """Defined letters, users before what they use, the loss left out."""
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
        return [n for n in reversed(order) if n in self.defined and n != self.model.loss.name]

    def users(self, name: str, among: set[str], now: bool) -> list[tuple[str, int]]:
        """The equations among which `name` stands, with the step at which it stands there against theirs."""
        found = []
        for user in sorted(among | (self.live if not now else set())):
            for offset in sorted({offset_of(s) for s in self.uses(user) if s.name == name}, reverse=True):
                if offset == 0 and user in among and (now or user != self.model.loss.name):
                    found.append((user, 0))
                if offset < 0 and not now:
                    if user not in self.earlier:
                        raise FormulaError(
                            f"{user} asks for an earlier {name} and recurs itself in no way: not derived here"
                        )
                    found.append((user, offset))
        return found
