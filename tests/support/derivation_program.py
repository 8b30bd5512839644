"""A derivation as a program: its formulas evaluated one after the other, as a reader would implement them.

Nothing is differentiated here: what comes out is what the derived formulas say, for comparison with autodiff.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field

import numpy as np

from elman.calculus.expression import Derivative, Index, Symbol
from elman.calculus.forward_equations import ChainStep, Stage
from elman.calculus.functions import Array
from elman.calculus.values.environment import Environment
from elman.calculus.values.evaluate import evaluate
from elman.notes.derive_page import Derivation

STEPS = 4  # of a recurrent network
Key = tuple[str, int | None]


@dataclass
class DerivationProgram:
    """The values of a derivation at one point: `given` ones at random, the others by its formulas.

    `sizes` are those of the shapes.
    """

    derivation: Derivation
    sizes: dict[str, int]
    given: dict[Key, Array] = field(default_factory=dict)
    values: dict[Key, Array] = field(default_factory=dict)

    def gradient(self, name: str) -> Array:
        """∂J/∂name, of the loss at the last step."""
        steps = [s for s in self.derivation.steps if s.left.wrt == Symbol(name) and s.left.at is None]
        assert len(steps) == 1, f"{len(steps)} formulas for the gradient by {name}"
        return self._result(steps[0], STEPS)

    def initial_gradient(self, name: str) -> Array:
        """∂J/∂name^(0)."""
        (step,) = (s for s in self.derivation.steps if s.left.wrt == Symbol(name, Index(None, 0)))
        return self._result(step, 0)

    def loss(self) -> Array:
        """The loss at the last step."""
        loss = self.derivation.forward.loss
        return self._value(loss, self._scope(STEPS))

    def names(self) -> list[str]:
        """The names without time steps for which there is a gradient and that no equation defines."""
        forward = self.derivation.forward
        wrt = [s.left.wrt for s in self.derivation.steps]
        found = [w.name for w in wrt if isinstance(w, Symbol) and w.time is None and forward.equation(w.name) is None]
        return list(dict.fromkeys(found))

    def _scope(self, step: int) -> Environment:
        earlier = str(self.derivation.forward.earlier)
        return Environment(
            self._value,
            self.sizes.__getitem__,
            self._contribution,
            {"t": STEPS, earlier: step},
        )

    def _value(self, s: Symbol, scope: Environment) -> Array:
        time = None if s.time is None else s.time.at(dict(scope.indices))
        key = s.name, time
        if key not in self.values:
            self.values[key] = self._computed(s.name, time)
        return self.values[key]

    def _computed(self, name: str, time: int | None) -> Array:
        forward = self.derivation.forward
        equation = forward.equation(name)
        if equation is not None and time != 0:
            scope = self._scope(STEPS)
            return evaluate(equation.right, scope if time is None else scope.bind("t", time))
        for step in self.derivation.steps:
            if step.letter is not None and step.letter.name == name and self._is_at(step, time):
                return np.broadcast_to(self._result(step, time or 0), self._shape(step.shape))
        if (name, time) not in self.given:
            shape = forward.shapes.get(name)
            if shape is None or name in self.sizes:
                return np.array([[float(self.sizes[name])]])
            self.given[name, time] = self._random(name, time, self._shape(shape))
        return self.given[name, time]

    def _shape(self, shape: tuple[str, str]) -> tuple[int, int]:
        rows, columns = (self.sizes[d] if d in self.sizes else int(d) for d in shape)
        return rows, columns

    def _random(self, name: str, time: int | None, shape: tuple[int, int]) -> Array:
        generator = np.random.default_rng([zlib.crc32(name.encode()), time or 0])
        value = 0.5 * generator.standard_normal(shape)
        if shape[0] == shape[1]:
            value = np.asarray(value @ value.T + np.eye(shape[0]))  # positive definite
        if name in self.derivation.forward.distributions or shape == (1, 1):
            value = np.abs(value) / np.abs(value).sum(self.derivation.forward.axis, keepdims=True)
        return value

    def _result(self, step: ChainStep, at: int) -> Array:
        return evaluate(step.result, self._scope(at))

    def _is_at(self, step: ChainStep, time: int | None) -> bool:
        return (step.stage == Stage.EARLIER) == (time is not None and time < STEPS)

    def _contribution(self, e: Derivative, scope: Environment) -> Array:
        assert e.at is not None
        time = e.at.at(dict(scope.indices))
        (step,) = (
            s for s in self.derivation.steps if s.left.wrt == e.wrt and s.left.at is not None and self._is_at(s, time)
        )
        return self._result(step, time)
