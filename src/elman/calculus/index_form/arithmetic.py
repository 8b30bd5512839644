"""Arithmetic of index forms: products, powers and elementwise functions.

For example, `multiply(a, b, (i,))` of A_ji and x_i + y_i is Σ_i A_ji (x + y)_i: a sum becomes a `Group` and is not
multiplied out, so that the matrix form can find A (x + y) again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from fractions import Fraction
from typing import Any, TypeVar

from elman.calculus.expression import Add, Call, Constant, Expression, Number, Power, Product, Subtract, Symbol
from elman.calculus.functions import ELEMENTWISE
from elman.calculus.index_form.simplify import simplify
from elman.calculus.index_form.terms import (
    ZERO,
    Compound,
    FunctionValue,
    Group,
    NamedConstant,
    Sum,
    SymbolicPower,
    TensorIndex,
    Term,
    constant,
    filled,
    free_indices,
    inside,
    is_number,
    only_factor,
    rename,
    single,
    slots,
    times_each,
    value_of,
)

C = TypeVar("C", bound=Compound)
_ARGUMENT = Symbol("u")
_KEPT_AS_PRIMES = ("sigmoid", "tanh")  # σ'(z) reads better than σ(z) (1 - σ(z)); the matrix form writes it out


def as_argument(sum_: Sum, order: Iterable[TensorIndex] = ()) -> tuple[Sum, tuple[TensorIndex, ...]]:
    """`sum_` in canonical form with its free indices as slots, and the indices that fill them: first those of `order`,
    in order, whether or not they occur.
    """
    outer = tuple(dict.fromkeys([*order, *free_indices(sum_)]))
    return simplify(rename(sum_, dict(zip(outer, slots(outer), strict=True)))), outer


def compound(kind: type[C], sum_: Sum, order: Iterable[TensorIndex] = (), **fields: Any) -> C:
    """A factor of the given kind around `sum_`; the indices of `order` come first. `fields` are its other fields."""
    argument, outer = as_argument(sum_, order)
    return kind(outer, argument, **fields)


def one_term(sum_: Sum) -> Term:
    """`sum_` as a single term: itself, or a group around it."""
    if len(sum_.terms) == 1:
        return sum_.terms[0]
    if not sum_.terms:
        return Term(Fraction(0))
    return Term(Fraction(1), (compound(Group, sum_),))


def multiply(a: Sum, b: Sum, over: Iterable[TensorIndex] = ()) -> Sum:
    """The product, summed over the indices `over`."""
    x, y = one_term(a), one_term(b)
    if not x.coefficient or not y.coefficient:
        return ZERO
    return Sum((Term(x.coefficient * y.coefficient, x.factors + y.factors, (*x.dummies, *y.dummies, *over)),))


def to_power(sum_: Sum, exponent: Fraction) -> Sum:
    """`sum_` to a power, entry by entry."""
    if exponent == 0:
        return constant(1)
    if exponent == 1:
        return sum_
    if not sum_.terms:
        return ZERO
    if len(sum_.terms) == 1 and not sum_.terms[0].dummies:
        t = sum_.terms[0]
        whole = exponent.denominator == 1
        if whole or (t.coefficient == 1 and len(t.factors) == 1 and t.factors[0].exponent == 1):
            factors = tuple(f.to_power(exponent) for f in t.factors)
            return Sum((Term(t.coefficient ** int(exponent) if whole else Fraction(1), factors),))
    return single(compound(Group, sum_, exponent=exponent))


def to_symbolic_power(sum_: Sum, power: Sum) -> Sum:
    """`sum_` to a power that may be any number, entry by entry."""
    power = simplify(power)
    inner = only_factor(sum_)
    if isinstance(inner, SymbolicPower) and inner.exponent == 1:  # (u^p)^q = u^(p q)
        return to_symbolic_power(inside(inner), multiply(inner.power, power))
    if is_number(power):
        return to_power(sum_, value_of(power))
    return single(compound(SymbolicPower, sum_, power=power))


def plus(*sums: Sum) -> Sum:
    """The sum of some sums."""
    return Sum(tuple(t for sum_ in sums for t in rename(sum_, {}).terms))


def minus(a: Sum, b: Sum) -> Sum:
    """The difference of two sums."""
    return plus(a, b.scaled(Fraction(-1)))


def with_groups_opened(sum_: Sum) -> Sum:
    """Every group with the power 1 opened."""
    terms: list[Term] = []
    for t in sum_.terms:
        place = next((k for k, f in enumerate(t.factors) if isinstance(f, Group) and f.exponent == 1), None)
        if place is None:
            terms.append(t)
            continue
        group = t.factors[place]
        assert isinstance(group, Group)
        rest = Term(t.coefficient, t.factors[:place] + t.factors[place + 1 :], t.dummies)
        terms.extend(with_groups_opened(Sum(tuple(times_each(rest, filled(group.argument, group.indices))))).terms)
    return Sum(tuple(terms))


def apply(function: str, u: Sum) -> Sum:
    """An elementwise function of an index form."""
    if function == "sqrt":
        return to_power(u, Fraction(1, 2))
    return single(compound(FunctionValue, u, name=function))


def apply_derivative(function: str, u: Sum) -> Sum:
    """f'(u) of an elementwise function f, entry by entry; σ' and tanh' stay functions."""
    if function in _KEPT_AS_PRIMES:
        return single(compound(FunctionValue, u, name=function, primes=1))
    return apply_written_derivative(function, u)


def apply_written_derivative(function: str, u: Sum) -> Sum:
    """f'(u) of an elementwise function f by its formula: σ(u) (1 - σ(u)) for σ'."""
    return _entrywise(ELEMENTWISE[function].derivative(_ARGUMENT), u)


def _entrywise(e: Expression, u: Sum) -> Sum:
    """The expression `e` of the one symbol `_ARGUMENT` at `u`, entry by entry."""
    return _ENTRYWISE[type(e)](e, u)


def _power(e: Power, u: Sum) -> Sum:
    assert isinstance(e.exponent, Number)
    return to_power(_entrywise(e.of, u), e.exponent.value)


# The nodes that the derivatives in `functions.py` are made of.
_ENTRYWISE: dict[type[Expression], Callable[[Any, Sum], Sum]] = {
    Number: lambda e, u: constant(e.value),
    Constant: lambda e, u: single(NamedConstant((), e.name)),
    Symbol: lambda e, u: rename(u, {}),
    Add: lambda e, u: Sum(_entrywise(e.left, u).terms + _entrywise(e.right, u).terms),
    Subtract: lambda e, u: Sum(_entrywise(e.left, u).terms + _entrywise(e.right, u).scaled(Fraction(-1)).terms),
    Product: lambda e, u: multiply(_entrywise(e.left, u), _entrywise(e.right, u)),
    Power: _power,
    Call: lambda e, u: apply(e.function, _entrywise(e.arguments[0], u)),
}
