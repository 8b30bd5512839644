"""What cancels in an index form: σ'(u) / σ(u) is 1 - σ(u), and (1 - y) σ(u) - y (1 - σ(u)) is σ(u) - y."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction

from elman.calculus.index_form.terms import Factor, FunctionValue, Group, Sum, Term, inside, slots, times_each

_MOST_TERMS = 16  # of a sum that is multiplied out
_ONE = Term(Fraction(1))


def without_sigmoid_quotients(t: Term) -> Term:
    """σ'(u) / σ(u) is 1 - σ(u), and σ'(u) / (1 - σ(u)) is σ(u)."""
    for f in t.factors:
        if not (isinstance(f, FunctionValue) and f.name == "sigmoid" and f.primes == 1 and f.exponent == 1):
            continue
        value = replace(f, primes=0)
        for divisor in t.factors:
            quotient = _quotient(value, divisor)
            if quotient is not None:
                rest = tuple(g for g in t.factors if g is not f and g is not divisor)
                return replace(t, factors=(*rest, quotient))
    return t


def _quotient(value: FunctionValue, divisor: Factor) -> Factor | None:
    """σ'(u) times a factor, where `value` is σ(u) and the factor is 1 / σ(u) or 1 / (1 - σ(u))."""
    if divisor.exponent != -1:
        return None
    if divisor.base() == value:
        other = replace(value, indices=slots(value.indices))
        return Group(value.indices, Sum((_ONE, Term(Fraction(-1), (other,)))))
    if isinstance(divisor, Group) and _is_complement(divisor, value):
        return value
    return None


def _is_complement(f: Group, value: FunctionValue) -> bool:
    """Whether a group is 1 - σ(u)."""
    terms = inside(f).terms
    return len(terms) == 2 and _ONE in terms and Term(Fraction(-1), (value,)) in terms


def multiplied_out(sum_: Sum) -> Sum | None:
    """The sum with its groups multiplied out; None where it has none, is a single term, or would get long."""
    if len(sum_.terms) < 2 or not any(_is_open(f) for t in sum_.terms for f in t.factors):
        return None
    terms: list[Term] = []
    for t in sum_.terms:
        terms.extend(_each(t))
        if len(terms) > _MOST_TERMS:
            return None
    return Sum(tuple(terms))


def _is_open(f: Factor) -> bool:
    return isinstance(f, Group) and f.exponent == 1


def _each(t: Term) -> Iterator[Term]:
    for f in t.factors:
        if isinstance(f, Group) and _is_open(f):
            rest = replace(t, factors=tuple(g for g in t.factors if g is not f))
            for product in times_each(rest, inside(f)):
                yield from _each(product)
            return
    yield t
