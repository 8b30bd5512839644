"""Powers of one base joined: x_i x_i = x_i^2, u^k u = u^(k + 1), relu(u) step(u) = relu(u)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction

from elman.calculus.index_form.terms import (
    Delta,
    Factor,
    FunctionValue,
    Sum,
    SymbolicPower,
    Term,
    constant,
    inside,
    is_number,
    only_factor,
    value_of,
)

Simplify = Callable[[Sum], Sum]


def powers_joined(t: Term, simplify: Simplify) -> Term:
    """The term with each base written once; `simplify` is for powers that are no numbers."""
    powers: dict[Factor, Fraction] = {}
    for f in t.factors:
        base = f.base()
        if isinstance(f, Delta):
            powers[base] = Fraction(1)
        else:
            powers[base] = powers.get(base, Fraction(0)) + f.exponent
    factors = tuple(f if e == 1 else replace(f, exponent=e) for f, e in powers.items() if e)
    return Term(t.coefficient, _symbolic_joined(_steps_absorbed(factors), simplify), t.dummies)


def _steps_absorbed(factors: tuple[Factor, ...]) -> tuple[Factor, ...]:
    """step(u)^2 = step(u), and relu(u) step(u) = relu(u)."""
    values = [f.base() for f in factors if isinstance(f, FunctionValue) and f.exponent > 0]
    relus = {replace(f, name="step") for f in values if isinstance(f, FunctionValue) and f.name == "relu"}
    kept = (f.base() if isinstance(f, FunctionValue) and f.name == "step" and f.exponent > 0 else f for f in factors)
    return tuple(f for f in kept if f not in relus)


def _symbolic_joined(factors: tuple[Factor, ...], simplify: Simplify) -> tuple[Factor, ...]:
    """u^p u^q = u^(p + q), where p is no number."""
    joined = list(factors)
    for f in factors:
        if not isinstance(f, SymbolicPower) or f not in joined:
            continue
        base, total = _base(f), f.power.scaled(f.exponent)
        others = [g for g in joined if g is not f and _is_power_of(g, f, base)]
        if not others:
            continue
        for g in others:
            power = g.power.scaled(g.exponent) if isinstance(g, SymbolicPower) else constant(g.exponent)
            total = Sum(total.terms + power.terms)
            joined.remove(g)
        power = simplify(total)
        place = joined.index(f)
        if not is_number(power):
            joined[place] = replace(f, power=power, exponent=Fraction(1))
        elif base is not None:
            joined[place] = replace(base, exponent=value_of(power))
    return tuple(joined)


def _base(f: SymbolicPower) -> Factor | None:
    """The factor that f is a power of, if it is a single one."""
    only = only_factor(inside(f))
    return only if only is not None and only.exponent == 1 else None


def _is_power_of(g: Factor, f: SymbolicPower, base: Factor | None) -> bool:
    if isinstance(g, SymbolicPower):
        return g.indices == f.indices and g.argument == f.argument and base is not None
    return base is not None and g.base() == base
