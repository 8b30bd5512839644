"""The index form: sums of terms, a term a number times factors with indices, repeated indices summed.

A^T (A x - b) is Σ_i A_ip (A x - b)_i: one term of two factors, the second a group that stays unexpanded. The form is
the tensor expression of Laue, Mitterreiter & Giesen, "Computing Higher Order Derivatives of Matrix and Tensor
Expressions" (NeurIPS 2018), with the summed indices written in each term.

What stands inside a factor (the argument of a function, a group, an inverse) is a `Sum` of its own, whose free indices
are slots -1, -2, …; the factor's `indices` say which outer index fills which slot. So equal factors are equal objects.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import NamedTuple

from elman.calculus.expression import Expression

_fresh = itertools.count(1)

SYMBOL, DELTA, DIMENSION = "symbol", "delta", "dimension"
FUNCTION, GROUP, INVERSE, DET, SOFTMAX = "function", "group", "inverse", "det", "softmax"


class Ix(NamedTuple):
    """An index: its number (negative: a slot) and the dimension that it runs along."""

    number: int
    dim: str


def fresh(dim: str) -> Ix:
    """An index that stands nowhere else."""
    return Ix(next(_fresh), dim)


@dataclass(frozen=True, slots=True)
class Factor:
    """One factor: entries of a symbol (`atom` says how to write it as a column or matrix), δ, the size of a dimension
    (`name`), or something of `argument`: a function `name`, a group, entries of an inverse, a determinant, a softmax
    (along its first slot).
    """

    kind: str
    indices: tuple[Ix, ...] = ()
    exponent: Fraction = Fraction(1)
    name: str = ""
    atom: Expression | None = None
    argument: Sum | None = None

    def base(self) -> Factor:
        """The same factor to the power 1."""
        return self if self.exponent == 1 else replace(self, exponent=Fraction(1))


@dataclass(frozen=True, slots=True)
class Term:
    """`coefficient` times the product of `factors`, summed over `dummies`."""

    coefficient: Fraction
    factors: tuple[Factor, ...] = ()
    dummies: tuple[Ix, ...] = ()


@dataclass(frozen=True, slots=True)
class Sum:
    """A sum of terms; none is zero."""

    terms: tuple[Term, ...]

    def scaled(self, by: Fraction) -> Sum:
        """Each term times a number."""
        return Sum(tuple(replace(t, coefficient=t.coefficient * by) for t in self.terms) if by else ())


ZERO = Sum(())


def constant(value: Fraction | int) -> Sum:
    """A number."""
    return Sum((Term(Fraction(value)),) if value else ())


def rename(sum_: Sum, mapping: Mapping[Ix, Ix]) -> Sum:
    """`sum_` with free indices renamed and its own dummies fresh."""
    return Sum(tuple(rename_term(t, mapping) for t in sum_.terms))


def rename_term(t: Term, mapping: Mapping[Ix, Ix]) -> Term:
    """One term with free indices renamed and its dummies fresh."""
    full = {**mapping, **{d: fresh(d.dim) for d in t.dummies}}
    factors = tuple(replace(f, indices=tuple(full.get(i, i) for i in f.indices)) for f in t.factors)
    return Term(t.coefficient, factors, tuple(full[d] for d in t.dummies))


def free_indices(sum_: Sum) -> tuple[Ix, ...]:
    """The indices over which no term sums, in order of appearance."""
    found: dict[Ix, None] = {}
    for t in sum_.terms:
        for f in t.factors:
            found.update((i, None) for i in f.indices if i not in t.dummies)
    return tuple(found)


def as_slots(sum_: Sum, order: Iterable[Ix]) -> tuple[Sum, tuple[Ix, ...]]:
    """`sum_` in canonical form with its free indices as slots, and the indices that fill them: first those of `order`,
    in order, whether or not they occur.
    """
    from elman.calculus.index_form.simplify import simplify

    outer = tuple(dict.fromkeys([*order, *free_indices(sum_)]))
    slots = {i: Ix(-1 - k, i.dim) for k, i in enumerate(outer)}
    return simplify(rename(sum_, slots)), outer


def inside(factor: Factor) -> Sum:
    """The argument of a factor, its slots filled with the factor's indices, its dummies fresh."""
    assert factor.argument is not None
    return rename(factor.argument, {Ix(-1 - k, i.dim): i for k, i in enumerate(factor.indices)})


def of_argument(kind: str, sum_: Sum, order: Iterable[Ix] = (), name: str = "", exponent: Fraction | int = 1) -> Factor:
    """A factor of `kind` around `sum_`; the indices of `order` come first."""
    argument, outer = as_slots(sum_, order)
    return Factor(kind, outer, Fraction(exponent), name, None, argument)


def one_term(sum_: Sum) -> Term:
    """`sum_` as a single term: itself, or a group around it."""
    if len(sum_.terms) == 1:
        return sum_.terms[0]
    if not sum_.terms:
        return Term(Fraction(0))
    return Term(Fraction(1), (of_argument(GROUP, sum_),))


def multiply(a: Sum, b: Sum, over: Iterable[Ix] = ()) -> Sum:
    """The product, summed over the indices `over`; sums stay groups."""
    x, y = one_term(a), one_term(b)
    if not x.coefficient or not y.coefficient:
        return ZERO
    return Sum(
        (Term(x.coefficient * y.coefficient, x.factors + y.factors, (*x.dummies, *y.dummies, *over)),),
    )


def times_each(rest: Term, sum_: Sum) -> Iterable[Term]:
    """`rest` times every term of `sum_`: a product multiplied out."""
    for t in sum_.terms:
        yield Term(rest.coefficient * t.coefficient, rest.factors + t.factors, rest.dummies + t.dummies)


def summed(sum_: Sum, over: Iterable[Ix]) -> Sum:
    """Every term summed over the indices `over` too."""
    over = tuple(over)
    return Sum(tuple(replace(t, dummies=t.dummies + over) for t in sum_.terms))


def to_power(sum_: Sum, exponent: Fraction) -> Sum:
    """`sum_` to a power, entry by entry."""
    if exponent == 0:
        return constant(1)
    if exponent == 1:
        return sum_
    if len(sum_.terms) == 1 and not sum_.terms[0].dummies:
        t = sum_.terms[0]
        whole = exponent.denominator == 1
        if whole or (t.coefficient == 1 and len(t.factors) == 1 and t.factors[0].exponent == 1):
            factors = tuple(replace(f, exponent=f.exponent * exponent) for f in t.factors)
            return Sum((Term(t.coefficient ** int(exponent) if whole else Fraction(1), factors),))
    if not sum_.terms:
        return ZERO
    return Sum((Term(Fraction(1), (of_argument(GROUP, sum_, exponent=exponent),)),))


def mentions(sum_: Sum, atom: Expression) -> bool:
    """Whether the symbol `atom` occurs anywhere in `sum_`."""
    return any(factor_mentions(f, atom) for t in sum_.terms for f in t.factors)


def factor_mentions(f: Factor, atom: Expression) -> bool:
    """Whether the symbol `atom` occurs in a factor."""
    return f.atom == atom if f.kind == SYMBOL else f.argument is not None and mentions(f.argument, atom)
