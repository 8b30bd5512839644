"""The values of index forms, as NumPy arrays."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from elman.calculus.expression import Call, Symbol, Transpose
from elman.calculus.functions import ELEMENTWISE, Array
from elman.calculus.index_form.arithmetic import apply_written_derivative
from elman.calculus.index_form.terms import (
    Below,
    Compound,
    Delta,
    Determinant,
    DimensionSize,
    Factor,
    FunctionValue,
    Group,
    InverseEntry,
    MatrixFunction,
    NamedConstant,
    OfMatrix,
    OfVector,
    Softmax,
    Sum,
    SymbolEntry,
    SymbolicPower,
    TensorIndex,
    Term,
    filled,
    matrix_slots,
    slots,
)
from elman.calculus.syntax.written_sizes import is_number
from elman.calculus.values.evaluate import CONSTANTS, transpose
from elman.calculus.values.matrix_analysis import matrix_power, nuclear_norm, spectral_norm
from elman.calculus.values.matrix_functions import MATRIX_FUNCTIONS

_NO_CALL = Call("", ())


def index_value(
    sum_: Sum, axes: tuple[TensorIndex, ...], value_of: Callable[[Symbol], Array], sizes: Mapping[str, int]
) -> Array:
    """The values of an index form as an array with the axes `axes`.

    `value_of` gives the value of a symbol, an array [m,n]; `sizes` gives the sizes of the dimensions.
    """
    return _Evaluator(value_of, sizes).sum(sum_, axes)


@dataclass(frozen=True, slots=True)
class _Evaluator:
    value_of: Callable[[Symbol], Array]
    sizes: Mapping[str, int]

    def sum(self, sum_: Sum, axes: tuple[TensorIndex, ...]) -> Array:
        total: Array = np.zeros(tuple(self.size(i.dim) for i in axes))
        for t in sum_.terms:
            total = total + self.term(t, axes)
        return total

    def size(self, dim: str) -> int:
        return int(dim) if is_number(dim) else self.sizes[dim]

    def term(self, t: Term, axes: tuple[TensorIndex, ...]) -> Array:
        indices = dict.fromkeys([*axes, *t.dummies, *(i for f in t.factors for i in f.indices)])
        labels = {i: k for k, i in enumerate(indices)}
        operands: list[Any] = []
        for f in t.factors:
            operands += [self.factor(f), [labels[i] for i in f.indices]]
        for i in axes:  # an axis that no factor has: the term is the same along it
            operands += [np.ones(self.size(i.dim)), [labels[i]]]
        result = np.einsum(*operands, [labels[i] for i in axes], optimize="greedy") if operands else np.ones(())
        scaled: Array = np.asarray(result) * float(t.coefficient)
        return scaled

    def factor(self, f: Factor) -> Array:
        value = _VALUES[type(f)](self, f)
        return value if f.exponent == 1 else _power(value, f.exponent)

    # --- one method a kind of factor: its value with the exponent 1, an axis an index ---

    def symbol_entry(self, f: SymbolEntry) -> Array:
        value = self.value_of(f.symbol)
        value = transpose(value) if isinstance(f.atom, Transpose) else value
        return value.reshape(tuple(self.size(i.dim) for i in f.indices))

    def delta(self, f: Delta) -> Array:
        return np.eye(self.size(f.indices[0].dim))

    def below(self, f: Below) -> Array:
        return np.triu(np.ones((self.size(f.indices[0].dim), self.size(f.indices[1].dim))), 1)

    def dimension_size(self, f: DimensionSize) -> Array:
        return np.asarray(float(self.size(f.dim)))

    def named_constant(self, f: NamedConstant) -> Array:
        return np.asarray(CONSTANTS[f.name])

    def argument(self, f: Compound) -> Array:
        return self.sum(f.argument, slots(f.indices))

    def function_value(self, f: FunctionValue) -> Array:
        if f.primes:
            axes = slots(f.indices)
            return self.sum(apply_written_derivative(f.name, filled(f.argument, axes)), axes)
        return ELEMENTWISE[f.name].value(self.argument(f))

    def softmax(self, f: Softmax) -> Array:
        z = self.argument(f)
        exp = np.exp(z - z.real.max(0, keepdims=True))
        softmax: Array = exp / exp.sum(0, keepdims=True)
        return softmax

    def inverse_entry(self, f: InverseEntry) -> Array:
        return np.linalg.inv(self.sum(f.argument, matrix_slots(f.argument)))

    def symbolic_power(self, f: SymbolicPower) -> Array:
        value: Array = self.argument(f) ** self.sum(f.power, ())
        return value

    def of_vector(self, f: OfVector) -> Array:
        axes = TensorIndex(-1, f.dim), *(TensorIndex(-2 - k, i.dim) for k, i in enumerate(f.indices))
        u = self.sum(f.argument, axes)
        columns = np.moveaxis(u, 0, -1)[..., None]  # one column for each entry at the own indices
        return MATRIX_FUNCTIONS[f.name](_NO_CALL, columns).reshape(u.shape[1:])

    def matrix_function(self, f: MatrixFunction) -> Array:
        a = self.argument(f)
        if f.name == "power":
            return matrix_power(a, self.sum(f.power, ()))
        value = MATRIX_FUNCTIONS[f.name](_NO_CALL, a)
        return transpose(value) if f.name == "pinv" else value

    def of_matrix(self, f: OfMatrix) -> Array:
        a = self.sum(f.argument, f.slots())
        if f.name in ("nuclear", "spectral"):
            norm = nuclear_norm if f.name == "nuclear" else spectral_norm
            return norm(a).reshape(())
        value = matrix_power(a, self.sum(f.power, ())) if f.name == "power" else MATRIX_FUNCTIONS[f.name](_NO_CALL, a)
        return np.asarray(np.trace(value))

    def determinant(self, f: Determinant) -> Array:
        return np.asarray(np.linalg.det(self.sum(f.argument, matrix_slots(f.argument))))


_VALUES: dict[type[Factor], Callable[[_Evaluator, Any], Array]] = {
    SymbolEntry: _Evaluator.symbol_entry,
    Delta: _Evaluator.delta,
    Below: _Evaluator.below,
    DimensionSize: _Evaluator.dimension_size,
    NamedConstant: _Evaluator.named_constant,
    Group: _Evaluator.argument,
    FunctionValue: _Evaluator.function_value,
    Softmax: _Evaluator.softmax,
    InverseEntry: _Evaluator.inverse_entry,
    Determinant: _Evaluator.determinant,
    SymbolicPower: _Evaluator.symbolic_power,
    OfVector: _Evaluator.of_vector,
    MatrixFunction: _Evaluator.matrix_function,
    OfMatrix: _Evaluator.of_matrix,
}


def _power(a: Array, exponent: Fraction) -> Array:
    power: Array = a ** (int(exponent) if exponent.denominator == 1 else float(exponent))
    return power
