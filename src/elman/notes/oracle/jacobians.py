"""Derivatives by complex step at one evaluation point, and the values of letters that stand for derivatives.

No rule of differentiation is used: the page's own forward equations are evaluated on inputs perturbed by 1e-20 i, with
one leading axis for all entries, and the derivative is the imaginary part (Squire and Trapp 1998), exact to rounding.
Of a derivative within a derivative the inner one is a central difference, exact to about 1e-12.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from elman.calculus.expression import (
    Derivative,
    Entry,
    Expression,
    Index,
    Symbol,
    Transpose,
    base_of,
    index_variables,
    walk,
)
from elman.calculus.functions import Array
from elman.calculus.values.environment import Environment, Occurrence
from elman.calculus.values.evaluate import entry_slices, evaluate, transpose
from elman.errors import FormulaError
from elman.notes.model.page_model import TIME, Definition
from elman.notes.oracle.evaluation_point import STEP, FourIndicesError, Jacobian, Moved, OutOfRangeError, UncheckedError
from elman.notes.oracle.finite_steps import differences
from elman.notes.oracle.values import Values

_NOT_REAL = 1e15  # a value with an imaginary part of its own, ln (-1), gives a derivative of some 1e20
_STEP_WORK = 3  # operands that take as long as a complex step, besides those that it looks up


class Jacobians:
    """Derivatives of a page's expressions; each is computed once."""

    def __init__(self, values: Values) -> None:
        self.values = values
        self.sizes = values.sizes
        self.model = values.model
        self._jacobians: dict[tuple[object, ...], Jacobian] = {}
        self._variables: dict[Expression, frozenset[str] | None] = {}

    # --- letters that stand for derivatives ---

    def letter(self, s: Symbol, time: int | None, scope: Environment, moved: Moved | None = None) -> Array:
        """The true value of a letter for a derivative, transposed where its declared shape says so."""
        d, indices = self.meaning(s, time, scope)
        assert isinstance(d.value, Derivative)
        return self._oriented(s.name, self.matrix(d.value, indices, scope.occurrence, moved))

    def meaning(self, s: Symbol, time: int | None, scope: Environment) -> tuple[Definition, dict[str, int]]:
        """The definition of a letter for a derivative, and the time steps in it.

        δ^(i) where the page says δ^(t) = ∂J^(t)/∂z^(t) is ∂J^(t)/∂z^(i): the loss stays at the current time step. But
        D_i where it says D_t = ∂h_t/∂W, of a W that has no steps, is ∂h_i/∂W.
        """
        definitions = self.model.named[s.name]
        d = next((d for d in definitions if _has_step_of_its_own(d)), definitions[0])
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
        if left.variable is not None and (left.variable != TIME or wrt.time is None):
            indices[left.variable] = time - left.offset
        return d, indices

    def _oriented(self, name: str, value: Array) -> Array:
        declared = self.sizes.shape(name)
        turned = self.model.roles.turned.get(name)
        if turned is not None:
            return transpose(value) if turned else value
        if declared is not None and declared != value.shape[-2:] and declared == value.shape[:-3:-1]:
            return transpose(value)
        return value

    # --- derivatives ---

    def matrix(
        self, e: Derivative, indices: dict[str, int], occurrence: Occurrence | None = None, moved: Moved | None = None
    ) -> Array:
        """A derivative as a matrix, see `Jacobian.matrix`, with leading axes where `moved` is perturbed; raises
        `FourIndicesError` where it is none.
        """
        if isinstance(e.wrt, Transpose):
            if isinstance(e.of, Derivative) and not isinstance(e.of.wrt, Transpose):  # ∂/∂x^T (∂f/∂x)
                return self.matrix(replace(e, wrt=e.wrt.of), indices, occurrence, moved)
            return transpose(self.matrix(replace(e, wrt=e.wrt.of), indices, occurrence, moved))
        if moved is None:
            jacobian = self.jacobian(e, indices, occurrence=occurrence)
        else:
            jacobian = self._inner(e, indices, occurrence, moved)
        tensor = jacobian.tensor
        if tensor.ndim == 4 and tensor.shape[1:] == (1, 1, 1) and self._is_column(e.of):  # a column of one entry here
            return tensor[:, 0, :, 0].T
        found = jacobian.matrix()
        if found is None:
            raise FourIndicesError(
                "this derivative has four indices and is no matrix: write it in a chain, or by entries", e.span[0] + 1
            )
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

        `equation`: only the use that the equation of this name makes of wrt. `occurrence`: the equation around it.
        """
        self.values.meter.count(1)
        moved, wrt, entry = self._moved(e, indices, occurrence, equation)
        key = (e.of, moved, self._bound_in(e.of, indices))
        if key not in self._jacobians:
            self._jacobians[key] = self._complex_step(e, moved, wrt, indices)
        return self._at(entry, self._jacobians[key], indices)

    def _bound_in(self, e: Expression, indices: dict[str, int]) -> tuple[tuple[str, int], ...]:
        """The time steps and indices that the value of an expression depends on; with a letter for a derivative, which
        may have any, all.
        """
        if e not in self._variables:
            named = any(isinstance(node, Symbol) and node.name in self.model.named for node in walk(e))
            self._variables[e] = None if named else frozenset({TIME, *index_variables(e)})
        variables = self._variables[e]
        return tuple(sorted(item for item in indices.items() if variables is None or item[0] in variables))

    def _moved(
        self, e: Derivative, indices: dict[str, int], occurrence: Occurrence | None, equation: str | None = None
    ) -> tuple[Moved, Symbol, Entry | None]:
        """What a derivative perturbs, its letter, and the entry of this letter that it is by."""
        scope = self.values.scope(indices, occurrence=occurrence)
        entry = e.wrt if isinstance(e.wrt, Entry) else None
        wrt = e.wrt if entry is None else entry.of
        if not isinstance(wrt, Symbol):
            raise FormulaError("a derivative is by one symbol", e.wrt.span[0] + 1)
        time = self.values.time_of(wrt, scope)
        if wrt.name in self.model.named:
            raise FormulaError(f"{wrt.name} is itself a derivative", wrt.span[0] + 1)
        at = None
        if e.at is not None:
            at = e.at.at(indices) if e.at.variable in indices or e.at.variable is None else self.sizes.last
        return Moved(wrt.name, time, at, equation), wrt, entry

    @staticmethod
    def _at(entry: Entry | None, jacobian: Jacobian, indices: dict[str, int]) -> Jacobian:
        """The derivative by one entry."""
        if entry is None:
            return jacobian
        tensor = jacobian.tensor
        rows, columns = entry_slices(entry, tensor.shape[-4:-2], indices)
        return Jacobian(tensor[..., rows, columns, :, :])

    def _inner(self, e: Derivative, indices: dict[str, int], occurrence: Occurrence | None, moved: Moved) -> Jacobian:
        """A derivative whose letters are perturbed for the one around it, by central differences."""
        inner, wrt, entry = self._moved(e, indices, occurrence)
        key = (e.of, inner, moved, self._bound_in(e.of, indices))
        if key not in self._jacobians:
            if moved.stepped is not None:
                raise UncheckedError("a third derivative is not evaluated: write the first one out")
            self._check_order(e, inner, indices)
            scope = self.values.scope(indices, replace(moved, stepped=inner), Occurrence(time=indices.get(TIME, 0)))
            with np.errstate(all="ignore"):
                r, c = self.values.value(wrt, self.values.scope(indices)).shape[-2:]
                found = differences(evaluate(e.of, scope), r * c)  # [r·c,…,m,n]
            if self._is_loss_per_sequence(e.of, found):
                found = found.sum((-2, -1), keepdims=True)
            m, n = found.shape[-2:]
            self._jacobians[key] = Jacobian(np.moveaxis(found, 0, -3).reshape(*found.shape[1:-2], r, c, m, n))
        return self._at(entry, self._jacobians[key], indices)

    def _complex_step(self, e: Derivative, moved: Moved, wrt: Symbol, indices: dict[str, int]) -> Jacobian:
        self._check_order(e, moved, indices)
        self.values.meter.count(_STEP_WORK)
        scope = self.values.scope(indices, moved, Occurrence(time=indices.get(TIME, 0)))
        with np.errstate(all="ignore"):
            r, c = self.values.value(wrt, self.values.scope(indices)).shape[-2:]
            value = evaluate(e.of, scope)
        derivative = np.imag(value) / STEP
        derivative = np.where(np.abs(derivative) < _NOT_REAL, derivative, np.nan)
        if self._is_loss_per_sequence(e.of, derivative):
            derivative = derivative.sum((-2, -1), keepdims=True)  # J is their sum
        m, n = derivative.shape[-2:]
        derivative = np.broadcast_to(derivative, (r * c, m, n))  # where nothing in it was perturbed
        return Jacobian(derivative.reshape(r, c, m, n))

    def _is_loss_per_sequence(self, e: Expression, value: Array) -> bool:
        row = value.shape[-2] == 1 and value.shape[-1] > 1
        return row and isinstance(e, Symbol) and e.name in self.model.roles.losses

    def _check_order(self, e: Derivative, moved: Moved, indices: dict[str, int]) -> None:
        """Refuses ∂J^(t)/∂z^(i) with i > t, and ∂a^(1)/∂z^(1) where a^(1) = x: no claim is about these pairs."""
        letter = base_of(e.of)
        if not isinstance(letter, Symbol):
            return
        of_time = self.values.time_of(letter, self.values.scope(indices))
        is_start = of_time and (letter.name, Index(None, of_time)) in self.model.start
        if is_start and of_time == moved.time and letter.name != moved.name:
            raise OutOfRangeError(f"{letter.name} begins at step {of_time}", e.span[0] + 1)
        if letter is not e.of:
            return
        step = moved.time if moved.time is not None else moved.at
        if of_time is not None and step is not None and step > of_time:
            raise OutOfRangeError(f"{moved.name} at {step} comes after step {of_time}", e.span[0] + 1)


def _has_step_of_its_own(d: Definition) -> bool:
    """Whether the letter's time step is not that of the loss: δ^(i) = ∂J^(t)/∂z^(i)."""
    of = d.value.of if isinstance(d.value, Derivative) else None
    return isinstance(of, Symbol) and of.time is not None and d.time is not None and of.time.variable != d.time.variable
