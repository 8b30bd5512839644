"""What cancels in an index form: σ'(u) / σ(u) is 1 - σ(u), e^u / (1 + e^u) is σ(u), and (1 - y) σ(u) - y (1 - σ(u))
is σ(u) - y.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction

from elman.calculus.index_form.terms import Factor, FunctionValue, Group, Sum, Term, inside, slots, times_each

_MOST_TERMS = 16  # of a sum that is multiplied out
_ONE = Term(Fraction(1))


def without_sigmoid_quotients(t: Term) -> Term:
    """σ'(u) / σ(u) is 1 - σ(u), σ'(u) / (1 - σ(u)) is σ(u), and e^u / (1 + e^u) is σ(u)."""
    for f in t.factors:
        if not (isinstance(f, FunctionValue) and f.exponent == 1 and (f.name, f.primes) in _QUOTIENTS):
            continue
        for divisor in t.factors:
            quotient = _QUOTIENTS[f.name, f.primes](f, divisor)
            if quotient is not None:
                rest = tuple(g for g in t.factors if g is not f and g is not divisor)
                return replace(t, factors=(*rest, quotient))
    return t


def _of_slope(slope: FunctionValue, divisor: Factor) -> Factor | None:
    """σ'(u) times a factor, where the factor is 1 / σ(u) or 1 / (1 - σ(u))."""
    if divisor.exponent != -1:
        return None
    value = replace(slope, primes=0)
    if divisor.base() == value:
        other = replace(value, indices=slots(value.indices))
        return Group(value.indices, Sum((_ONE, Term(Fraction(-1), (other,)))))
    return value if _is_one_and(divisor, Term(Fraction(-1), (value,))) else None


def _of_exponential(value: FunctionValue, divisor: Factor) -> Factor | None:
    """e^u times a factor, where the factor is 1 / (1 + e^u)."""
    if divisor.exponent != -1 or not _is_one_and(divisor, Term(Fraction(1), (value,))):
        return None
    return replace(value, name="sigmoid")


def _is_one_and(f: Factor, other: Term) -> bool:
    """Whether a factor is a group of 1 and another term."""
    terms = inside(f).terms if isinstance(f, Group) else ()
    return len(terms) == 2 and _ONE in terms and other in terms


# A function and its primes → what it is, divided by a factor.
_QUOTIENTS: dict[tuple[str, int], Callable[[FunctionValue, Factor], Factor | None]] = {
    ("sigmoid", 1): _of_slope,
    ("exp", 0): _of_exponential,
}


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
