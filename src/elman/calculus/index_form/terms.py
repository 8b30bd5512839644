"""The index form: a sum of terms, each a number times factors with indices, summed over repeated indices.

For example, A^T (A x - b) is Σ_i A_ip (A x - b)_i: one term of two factors. The second factor is a `Group`, a sum that
is not multiplied out. The form is the tensor expression of Laue, Mitterreiter & Giesen, "Computing Higher Order
Derivatives of Matrix and Tensor Expressions" (NeurIPS 2018), with the summed indices listed in each term.

A factor around another sum (the argument of a function, a group, an inverse) keeps that sum as its `argument`. The free
indices of an argument are slots, numbered -1, -2, …; the k-th index of the factor fills slot -k. Equal factors at
different indices therefore have equal arguments.

To add a kind of factor: its class here; its rule in `differentiate.py`; its value in `value.py`; its text in
`printing/index_text.py`; and, where it can be written with matrices, its matrix in `matrix_form/index_graph.py`.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import NamedTuple

from elman.calculus.expression import Expression, Symbol, Transpose

_numbers = itertools.count(1)


class TensorIndex(NamedTuple):
    """An index and the dimension that it runs along; its number identifies it (negative: a slot)."""

    number: int
    dim: str


def fresh(dim: str) -> TensorIndex:
    """An index that occurs nowhere else."""
    return TensorIndex(next(_numbers), dim)


# --- factors ---


@dataclass(frozen=True, slots=True)
class Factor:
    """The base of all factors: entries at `indices`, to the power `exponent`."""

    indices: tuple[TensorIndex, ...]
    exponent: Fraction = field(default=Fraction(1), kw_only=True)

    def base(self) -> Factor:
        """The same factor to the power 1."""
        return self if self.exponent == 1 else replace(self, exponent=Fraction(1))

    def to_power(self, exponent: Fraction) -> Factor:
        """The factor to a power."""
        return replace(self, exponent=self.exponent * exponent)

    def content(self) -> str:
        """What distinguishes it from other factors of its kind, besides indices and exponent."""
        return ""


@dataclass(frozen=True, slots=True)
class SymbolEntry(Factor):
    """An entry of a symbol. `atom` is the symbol as a column or a matrix: x, W, but r^T for a row r."""

    atom: Expression

    def content(self) -> str:
        """The symbol with its time, however it was spelled."""
        time = self.symbol.time
        step = None if time is None else f"({time.variable}, {time.offset})"
        return f"{type(self.atom).__name__} {self.symbol.name} {step}"

    @property
    def symbol(self) -> Symbol:
        """The symbol itself, which `atom` may transpose."""
        symbol = self.atom.of if isinstance(self.atom, Transpose) else self.atom
        assert isinstance(symbol, Symbol)
        return symbol


@dataclass(frozen=True, slots=True)
class Delta(Factor):
    """Kronecker's δ_ij: 1 where its two indices agree, else 0."""


@dataclass(frozen=True, slots=True)
class Below(Factor):
    """1 where its first index is smaller than its second, else 0."""


@dataclass(frozen=True, slots=True)
class DimensionSize(Factor):
    """The size of the dimension `dim`, a number without indices."""

    dim: str

    def content(self) -> str:
        """The name of the dimension."""
        return self.dim


@dataclass(frozen=True, slots=True)
class NamedConstant(Factor):
    """A number with a name, π or e, without indices."""

    name: str

    def content(self) -> str:
        """The name of the number."""
        return self.name


@dataclass(frozen=True, slots=True)
class Compound(Factor):
    """The base of the factors around a sum, their `argument`."""

    argument: Sum

    def content(self) -> str:
        """The argument."""
        return self.argument.key()


@dataclass(frozen=True, slots=True)
class Group(Compound):
    """A sum in parentheses."""


@dataclass(frozen=True, slots=True)
class FunctionValue(Compound):
    """The elementwise function `name` of the argument; `primes` is 1 for its derivative."""

    name: str
    primes: int = 0

    def content(self) -> str:
        """The function and its argument."""
        return f"{self.name}{' prime' * self.primes}({self.argument.key()})"


@dataclass(frozen=True, slots=True)
class Softmax(Compound):
    """The softmax of the argument along its first slot."""


@dataclass(frozen=True, slots=True)
class InverseEntry(Compound):
    """An entry of the inverse of a matrix, whose rows are slot -1 of the argument and whose columns are slot -2."""


@dataclass(frozen=True, slots=True)
class Determinant(Compound):
    """The determinant of a matrix, whose rows are slot -1 of the argument and whose columns are slot -2."""


@dataclass(frozen=True, slots=True)
class SymbolicPower(Compound):
    """The argument to a `power` that is no number, entry by entry; the power has no free index."""

    power: Sum

    def content(self) -> str:
        """The argument and the power."""
        return f"{self.argument.key()} ^ {self.power.key()}"


@dataclass(frozen=True, slots=True)
class OfVector(Compound):
    """A number that follows from a vector along slot -1 of the argument, of the size `dim`: `name` is logsumexp, prod
    or norminf. Its own indices fill the slots -2, -3, …; `filled(f.argument, (k, *f.indices))` is entry k.
    """

    name: str
    dim: str

    def content(self) -> str:
        """The function and its argument."""
        return f"{self.name}({self.argument.key()})"


@dataclass(frozen=True, slots=True)
class MatrixFunction(Compound):
    """An entry of the function `name` of a matrix, whose rows are slot -1 of the argument and whose columns are slot
    -2: expm, logm, polar, leading, a power (to `power`, which is no number or no small whole one), or pinv, the
    transpose of the pseudoinverse. It has the shape of its argument.
    """

    name: str
    power: Sum = field(default_factory=lambda: Sum(()))

    def content(self) -> str:
        """The function, its argument and its power."""
        return f"{self.name}({self.argument.key()}) ^ {self.power.key()}"


@dataclass(frozen=True, slots=True)
class OfMatrix(Compound):
    """A number that follows from a matrix [rows, columns], slots -1 and -2 of the argument: `name` is nuclear or
    spectral, a norm, or else a `MatrixFunction`, whose trace it is.
    """

    name: str
    rows: str
    columns: str
    power: Sum = field(default_factory=lambda: Sum(()))

    def content(self) -> str:
        """The function, its argument and its power."""
        return f"{self.name}({self.argument.key()}) ^ {self.power.key()}"

    def slots(self) -> tuple[TensorIndex, TensorIndex]:
        """The slots of the matrix."""
        return TensorIndex(-1, self.rows), TensorIndex(-2, self.columns)


# --- terms and sums ---


@dataclass(frozen=True, slots=True)
class Term:
    """`coefficient` times the product of `factors`, summed over the indices `dummies`."""

    coefficient: Fraction
    factors: tuple[Factor, ...] = ()
    dummies: tuple[TensorIndex, ...] = ()

    def key(self) -> str:
        """A text that is equal for equal terms."""
        factors = " ".join(f"{type(f).__name__} {_text(f.indices)} {f.exponent} {f.content()}" for f in self.factors)
        return f"{self.coefficient!r} {factors} {_text(self.dummies)}"


def _text(indices: tuple[TensorIndex, ...]) -> str:
    return f"[{','.join(f'{i.number} {i.dim}' for i in indices)}]"


@dataclass(frozen=True, slots=True)
class Sum:
    """A sum of terms, none of which is zero."""

    terms: tuple[Term, ...]

    def key(self) -> str:
        """A text that is equal for equal sums; it decides the order of factors."""
        return " + ".join(t.key() for t in self.terms)

    def scaled(self, by: Fraction) -> Sum:
        """Each term times a number."""
        return Sum(tuple(replace(t, coefficient=t.coefficient * by) for t in self.terms) if by else ())


def factor_key(f: Factor) -> str:
    """A text that orders factors by what they are, whatever their indices."""
    return f"{type(f).__name__}|{f.content()}|{f.exponent}"


ZERO = Sum(())


def constant(value: Fraction | int) -> Sum:
    """A number."""
    return Sum((Term(Fraction(value)),) if value else ())


def is_number(sum_: Sum) -> bool:
    """Whether it is a number: no term has a factor."""
    return not any(t.factors or t.dummies for t in sum_.terms)


def value_of(number: Sum) -> Fraction:
    """The value of a sum that is a number."""
    return sum((t.coefficient for t in number.terms), Fraction(0))


def single(factor: Factor) -> Sum:
    """One factor as a sum."""
    return Sum((Term(Fraction(1), (factor,)),))


def only_factor(sum_: Sum) -> Factor | None:
    """The factor that a sum consists of, if it is a single one; `single` the other way round."""
    if len(sum_.terms) != 1:
        return None
    (t,) = sum_.terms
    return t.factors[0] if t.coefficient == 1 and len(t.factors) == 1 and not t.dummies else None


def rename(sum_: Sum, mapping: Mapping[TensorIndex, TensorIndex]) -> Sum:
    """`sum_` with its free indices renamed and its dummy indices replaced by fresh ones."""
    return Sum(tuple(rename_term(t, mapping) for t in sum_.terms))


def rename_term(t: Term, mapping: Mapping[TensorIndex, TensorIndex]) -> Term:
    """One term with its free indices renamed and its dummy indices replaced by fresh ones."""
    full = {**mapping, **{d: fresh(d.dim) for d in t.dummies}}
    factors = tuple(replace(f, indices=tuple(full.get(i, i) for i in f.indices)) for f in t.factors)
    return Term(t.coefficient, factors, tuple(full[d] for d in t.dummies))


def free_indices(sum_: Sum) -> tuple[TensorIndex, ...]:
    """The indices that are not summed over, in order of appearance."""
    found: dict[TensorIndex, None] = {}
    for t in sum_.terms:
        for f in t.factors:
            found.update((i, None) for i in f.indices if i not in t.dummies)
    return tuple(found)


def slots(indices: Iterable[TensorIndex]) -> tuple[TensorIndex, ...]:
    """The slots -1, -2, … that stand for `indices` in an argument."""
    return tuple(TensorIndex(-1 - k, i.dim) for k, i in enumerate(indices))


def matrix_slots(argument: Sum) -> tuple[TensorIndex, TensorIndex]:
    """The slots -1 and -2 of an argument that is a square matrix."""
    dim = next(i.dim for i in free_indices(argument) if i.number in (-1, -2))
    return TensorIndex(-1, dim), TensorIndex(-2, dim)


def filled(argument: Sum, indices: Iterable[TensorIndex]) -> Sum:
    """An argument with `indices` in its slots, and fresh dummy indices."""
    indices = tuple(indices)
    return rename(argument, dict(zip(slots(indices), indices, strict=True)))


def inside(f: Compound) -> Sum:
    """The argument of a factor at the factor's own indices."""
    return filled(f.argument, f.indices)


def times_each(rest: Term, sum_: Sum) -> Iterator[Term]:
    """`rest` times every term of `sum_`: the product multiplied out."""
    for t in sum_.terms:
        yield Term(rest.coefficient * t.coefficient, rest.factors + t.factors, rest.dummies + t.dummies)


def summed(sum_: Sum, over: Iterable[TensorIndex]) -> Sum:
    """Every term summed over the indices `over` too."""
    over = tuple(over)
    return Sum(tuple(replace(t, dummies=t.dummies + over) for t in sum_.terms))


def mentions(sum_: Sum, atom: Expression) -> bool:
    """Whether the symbol `atom` occurs anywhere in `sum_`."""
    return any(factor_mentions(f, atom) for t in sum_.terms for f in t.factors)


def factor_mentions(f: Factor, atom: Expression) -> bool:
    """Whether the symbol `atom` occurs in a factor."""
    if isinstance(f, SymbolEntry):
        return f.atom == atom
    if isinstance(f, SymbolicPower | MatrixFunction | OfMatrix) and mentions(f.power, atom):
        return True
    return isinstance(f, Compound) and mentions(f.argument, atom)
