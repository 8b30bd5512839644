"""Index forms as text: `∂f_i/∂X_{jk} = ∑_a A_{ia} δ_{jl}`."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from elman.calculus.expression import Constant
from elman.calculus.index_form.terms import (
    Below,
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
    constant,
    matrix_slots,
    only_factor,
    slots,
)
from elman.calculus.printing.render import text, text_name

Names = Mapping[TensorIndex, str]


def index_text(sum_: Sum, names: Names, taken: Iterable[str] = ()) -> str:
    """An index form as people write it: `∑_a A_{ia} δ_{jl}`.

    `names` gives the free indices their letters; `taken` are further letters that no dummy index may get.
    """
    taken = {*taken, *names.values()}
    shown = ""
    for t in sum_.terms or constant(0).terms:
        term = _term(t, names, taken)
        sign = "-" if term.startswith("-") else "+"
        shown += f" {sign} {term.removeprefix('-')}" if shown else term
    return shown or "0"


def _term(t: Term, names: Names, taken: set[str]) -> str:
    letters = (c for c in itertools.chain("abcdefghmnopqrs", (f"a{k}" for k in itertools.count(1))) if c not in taken)
    dummies = dict(zip(t.dummies, letters, strict=False))
    writer = _FactorWriter({**names, **dummies}, taken | set(dummies.values()))
    factors = [writer.write(f) for f in sorted(t.factors, key=lambda f: not isinstance(f, Delta))]
    size = abs(t.coefficient)
    sign = "-" if t.coefficient < 0 else ""
    number = f"{size} " if size != 1 or not factors else ""
    over = ",".join(dummies.values())
    sums = f"∑_{{{over}}} " if len(dummies) > 1 else f"∑_{over} " if dummies else ""
    return (sign + number + sums + " ".join(factors)).rstrip()


@dataclass(frozen=True, slots=True)
class _FactorWriter:
    """Writes factors whose indices have the letters `names`."""

    names: Names
    taken: set[str]

    def write(self, f: Factor) -> str:
        shown = _TEXTS[type(f)](self, f)
        return shown if f.exponent == 1 else f"{shown}^{{{f.exponent}}}"

    def letters(self, f: Factor) -> list[str]:
        return [self.names[i] for i in f.indices]

    def argument(self, f: FunctionValue | Group | Softmax | SymbolicPower) -> str:
        return index_text(f.argument, dict(zip(slots(f.indices), self.letters(f), strict=True)), self.taken)

    def matrix(self, f: InverseEntry | Determinant) -> str:
        """The matrix in the argument: its name, or its entries in brackets."""
        row, column = matrix_slots(f.argument)
        only = only_factor(f.argument)
        if isinstance(only, SymbolEntry) and only.indices == (row, column):
            return self.named(only)
        return self.entries(f.argument, row, column)

    def entries(self, argument: Sum, row: TensorIndex, column: TensorIndex) -> str:
        """A matrix as its entries in brackets, in the letters x and y."""
        return f"[{index_text(argument, {row: 'x', column: 'y'}, self.taken)}]"

    def power(self, base: str, power: Sum) -> str:
        """A factor to a power that is no number."""
        return f"{base}^{{{index_text(power, {}, self.taken)}}}"

    # --- one method a kind of factor ---

    def symbol_entry(self, f: SymbolEntry) -> str:
        name = self.named(f)
        if not f.indices:
            return name
        return (f"{{{name}}}" if "_" in name else name) + _subscript(self.letters(f))

    def named(self, f: SymbolEntry) -> str:
        """The name of a symbol, with its time."""
        return text_name(f.symbol.name) + (f"^({f.symbol.time})" if f.symbol.time is not None else "")

    def delta(self, f: Delta) -> str:
        return f"δ{_subscript(sorted(self.letters(f)))}"

    def below(self, f: Below) -> str:
        return f"[{' < '.join(self.letters(f))}]"

    def dimension_size(self, f: DimensionSize) -> str:
        return f.dim

    def named_constant(self, f: NamedConstant) -> str:
        return text(Constant(f.name))

    def group(self, f: Group) -> str:
        return f"({self.argument(f)})"

    def function_value(self, f: FunctionValue) -> str:
        name = "σ" if f.name == "sigmoid" else f.name
        return f"{name}{chr(39) * f.primes}({self.argument(f)})"

    def softmax(self, f: Softmax) -> str:
        return f"softmax_{self.names[f.indices[0]]}({self.argument(f)})"

    def inverse_entry(self, f: InverseEntry) -> str:
        return f"({self.matrix(f)}^-1){_subscript(self.letters(f))}"

    def symbolic_power(self, f: SymbolicPower) -> str:
        return self.power(f"({self.argument(f)})", f.power)

    def of_vector(self, f: OfVector) -> str:
        letter = next(c for c in "xyzuvw" if c not in self.taken)
        own = {TensorIndex(-2 - k, i.dim): self.names[i] for k, i in enumerate(f.indices)}
        inner = index_text(f.argument, {TensorIndex(-1, f.dim): letter, **own}, self.taken)
        return f"∏_{letter} ({inner})" if f.name == "prod" else f"{f.name}_{letter}({inner})"

    def matrix_function(self, f: MatrixFunction) -> str:
        inner = self.entries(f.argument, *slots(f.indices))
        if f.name == "power":
            return f"({self.power(inner, f.power)}){_subscript(self.letters(f))}"
        letters = self.letters(f)[::-1] if f.name == "pinv" else self.letters(f)
        return f"{f.name}({inner}){_subscript(letters)}"

    def of_matrix(self, f: OfMatrix) -> str:
        inner = self.entries(f.argument, *f.slots())
        if f.name == "power":
            return f"tr({self.power(inner, f.power)})"
        return f"{f.name}({inner})" if f.name in ("nuclear", "spectral") else f"tr({f.name}({inner}))"

    def determinant(self, f: Determinant) -> str:
        return f"det({self.matrix(f).strip('[]')})"


_TEXTS: dict[type[Factor], Callable[[_FactorWriter, Any], str]] = {
    SymbolEntry: _FactorWriter.symbol_entry,
    Delta: _FactorWriter.delta,
    Below: _FactorWriter.below,
    DimensionSize: _FactorWriter.dimension_size,
    NamedConstant: _FactorWriter.named_constant,
    Group: _FactorWriter.group,
    FunctionValue: _FactorWriter.function_value,
    Softmax: _FactorWriter.softmax,
    InverseEntry: _FactorWriter.inverse_entry,
    Determinant: _FactorWriter.determinant,
    SymbolicPower: _FactorWriter.symbolic_power,
    OfVector: _FactorWriter.of_vector,
    MatrixFunction: _FactorWriter.matrix_function,
    OfMatrix: _FactorWriter.of_matrix,
}


def _subscript(letters: list[str]) -> str:
    joined = ("" if all(len(c) == 1 for c in letters) else ",").join(letters)
    return f"_{joined}" if len(joined) == 1 else f"_{{{joined}}}" if joined else ""
