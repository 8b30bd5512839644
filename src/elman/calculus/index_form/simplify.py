"""Index forms made simple: δ contracted, powers of one base joined, what cancels cancelled, like terms added."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from fractions import Fraction
from functools import lru_cache

from elman.calculus.expression import Expression
from elman.calculus.index_form.terms import (
    DELTA,
    DET,
    DIMENSION,
    GROUP,
    INVERSE,
    SOFTMAX,
    SYMBOL,
    Factor,
    Ix,
    Sum,
    Term,
    inside,
    rename,
)


def simplify(sum_: Sum, distributions: Collection[Expression] = ()) -> Sum:
    """`sum_` in canonical form: equal forms come out equal, but for symmetries that take more than relabelling.

    `distributions` are the symbols whose columns sum to 1.
    """
    collected: dict[tuple[tuple[Factor, ...], tuple[Ix, ...]], Fraction] = {}
    for term in sum_.terms:
        for t in _opened(_uninverted(term)):
            simple = _canonical(_simple(t, distributions))
            key = simple.factors, simple.dummies
            collected[key] = collected.get(key, Fraction(0)) + simple.coefficient
    return Sum(tuple(Term(c, factors, dummies) for (factors, dummies), c in collected.items() if c))


def _opened(t: Term) -> list[Term]:
    """A term with groups that need none opened: those of one term, and a group that is all there is."""
    for place, f in enumerate(t.factors):
        if f.kind != GROUP or f.exponent.denominator != 1 or f.argument is None:
            continue
        rest = t.factors[:place] + t.factors[place + 1 :]
        if not f.argument.terms:
            return []
        single = len(f.argument.terms) == 1
        if single and (f.exponent == 1 or not f.argument.terms[0].dummies):
            inner = inside(f).terms[0]
            powered = tuple(replace(g, exponent=g.exponent * f.exponent) for g in inner.factors)
            opened = Term(
                t.coefficient * inner.coefficient ** int(f.exponent), rest + powered, t.dummies + inner.dummies
            )
            return _opened(opened)
        if not rest and f.exponent == 1:
            inner_terms = inside(f).terms
            return [
                u
                for i in inner_terms
                for u in _opened(Term(t.coefficient * i.coefficient, i.factors, t.dummies + i.dummies))
            ]
    return [t]


def _simple(t: Term, distributions: Collection[Expression]) -> Term:
    while True:
        once = _summed_out(_merged(_contracted(_uninverted(t))), distributions)
        if once == t:
            return t
        t = once


def _uninverted(t: Term) -> Term:
    """(X^-1)^-1 = X and det(X^-1) = 1 / det X."""
    factors: list[Factor] = []
    for f in t.factors:
        inner = f.argument.terms[0] if f.kind in (INVERSE, DET) and f.argument and len(f.argument.terms) == 1 else None
        single = inner is not None and inner.coefficient == 1 and len(inner.factors) == 1 and not inner.dummies
        g = inner.factors[0] if inner is not None and single else None
        if g is None or g.kind != INVERSE or g.exponent != 1:
            factors.append(f)
        elif f.kind == DET:
            factors.append(replace(f, exponent=-f.exponent, argument=g.argument))
        else:
            indices = f.indices if g.indices[0].number == -1 else f.indices[::-1]
            factors.append(replace(f, kind=GROUP, indices=indices, argument=g.argument))
    return replace(t, factors=tuple(factors))


def _substituted(factors: list[Factor], old: Ix, new: Ix) -> list[Factor]:
    return [replace(f, indices=tuple(new if i == old else i for i in f.indices)) for f in factors]


def _contracted(t: Term) -> Term:
    """δ_ij with a summed index replaced by renaming it."""
    factors, dummies = list(t.factors), list(t.dummies)
    again = True
    while again:
        again = False
        for place, f in enumerate(factors):
            if f.kind != DELTA:
                continue
            i, j = f.indices
            if i == j:
                del factors[place]
            elif i in dummies or j in dummies:
                old, new = (i, j) if i in dummies else (j, i)
                del factors[place]
                factors = _substituted(factors, old, new)
                dummies.remove(old)
            else:
                continue
            again = True
            break
    pairs = sorted({tuple(sorted(f.indices, reverse=True)) for f in factors if f.kind == DELTA}, reverse=True)
    others = [f for f in factors if f.kind != DELTA]
    for a, b in pairs:  # δ_pq of two free indices: write the rest in p alone
        others = _substituted(others, b, a)
    factors = [*(Factor(DELTA, (a, b)) for a, b in pairs), *others]
    return Term(t.coefficient, tuple(factors), tuple(dummies))


def _merged(t: Term) -> Term:
    """Powers of one base joined."""
    powers: dict[Factor, Fraction] = {}
    for f in t.factors:
        base = f.base()
        if f.kind == DELTA:
            powers[base] = Fraction(1)
        else:
            powers[base] = powers.get(base, Fraction(0)) + f.exponent
    factors = tuple(f if e == 1 else replace(f, exponent=e) for f, e in powers.items() if e)
    return Term(t.coefficient, factors, t.dummies)


def _summed_out(t: Term, distributions: Collection[Expression]) -> Term:
    """Sums that are known: over nothing, over a softmax, over a distribution, over an inverse times its matrix."""
    for d in t.dummies:
        where = [f for f in t.factors if d in f.indices]
        rest = tuple(f for f in t.factors if d not in f.indices)
        dummies = tuple(i for i in t.dummies if i != d)
        if not where:
            return Term(t.coefficient, (*rest, Factor(DIMENSION, name=d.dim)), dummies)
        if len(where) == 1 and where[0].exponent == 1 and where[0].indices[0] == d and d not in where[0].indices[1:]:
            f = where[0]
            if f.kind == SOFTMAX or (f.kind == SYMBOL and f.atom in distributions):
                return Term(t.coefficient, rest, dummies)
        cancelled = _inverse_times_matrix(where, d)
        if cancelled is not None:
            return Term(t.coefficient, (*rest, cancelled), dummies)
    return t


def _inverse_times_matrix(where: list[Factor], d: Ix) -> Factor | None:
    """δ for Σ_j X^-1_ij X_jk, where the argument of the inverse is the symbol X itself."""
    if len(where) != 2 or any(f.exponent != 1 or len(f.indices) != 2 for f in where):
        return None
    for inverse, matrix in (where, where[::-1]):
        if inverse.kind != INVERSE or matrix.kind != SYMBOL or inverse.argument is None:
            continue
        terms = inverse.argument.terms
        if len(terms) != 1 or len(terms[0].factors) != 1 or terms[0].factors[0].atom != matrix.atom:
            continue
        (i, j), (k, m) = inverse.indices, matrix.indices
        if terms[0].coefficient == 1 and (j == k == d or i == m == d) and not (j == k and i == m):
            return Factor(DELTA, (i, m) if j == k else (k, j))
    return None


# --- one order for all ---


@lru_cache(maxsize=4096)
def _argument_is_symmetric(argument: Sum, dim: str) -> bool:
    """Whether an argument with the slots -1 and -2 is the same with both swapped."""
    a, b = Ix(-1, dim), Ix(-2, dim)
    return simplify(rename(argument, {a: b, b: a})) == argument


def _is_symmetric(f: Factor) -> bool:
    if len(f.indices) != 2 or f.indices[0].dim != f.indices[1].dim:
        return False
    if f.kind == DELTA:
        return True
    return f.argument is not None and f.kind != SOFTMAX and _argument_is_symmetric(f.argument, f.indices[0].dim)


@lru_cache(maxsize=4096)
def _weight(f: Factor) -> str:
    argument = "" if f.argument is None else repr(f.argument)
    return f"{f.kind}|{f.name}|{f.atom!r}|{argument}|{f.exponent}"


def _sorted_indices(f: Factor) -> tuple[Ix, ...]:
    """The indices of a factor, in order of number where their order does not matter."""
    return tuple(sorted(f.indices)) if _is_symmetric(f) else f.indices


def _canonical(t: Term) -> Term:
    """The term with its dummies numbered and its factors ordered by what they are, not by where they came from."""
    bases = [replace(f, indices=()) for f in t.factors]
    if t.coefficient == 0 or not t.dummies:
        sorted_factors = sorted(
            (replace(f, indices=_sorted_indices(f)) for f in t.factors),
            key=lambda f: (_weight(replace(f, indices=())), f.indices),
        )
        return replace(t, factors=tuple(sorted_factors))
    weights = [_weight(f) for f in bases]
    symmetric = [_is_symmetric(f) for f in t.factors]
    colour: dict[Ix, int] = dict.fromkeys(t.dummies, 0)

    def look(i: Ix) -> tuple[int, int, str]:
        return (1, colour[i], i.dim) if i in colour else (0, i.number, i.dim)

    def refine() -> None:
        for _ in t.dummies:
            seen = {
                d: (
                    colour[d],
                    d.dim,
                    sorted(
                        (w, 0 if same else place, tuple(sorted(map(look, f.indices)) if same else map(look, f.indices)))
                        for w, same, f in zip(weights, symmetric, t.factors, strict=True)
                        for place, i in enumerate(f.indices)
                        if i == d
                    ),
                )
                for d in t.dummies
            }
            order = sorted({repr(v) for v in seen.values()})
            new = {d: order.index(repr(v)) for d, v in seen.items()}
            if len(set(new.values())) == len(set(colour.values())):
                colour.update(new)
                return
            colour.update(new)

    refine()
    while len(set(colour.values())) < len(t.dummies):  # a symmetry: tell one apart and go on
        values = list(colour.values())
        tied = min(v for v in values if values.count(v) > 1)
        for d in colour:
            colour[d] = 2 * colour[d] + 1
        colour[next(d for d in t.dummies if colour[d] == 2 * tied + 1)] -= 1
        refine()
    ranked = sorted(t.dummies, key=lambda d: colour[d])
    numbers = {d: Ix(1_000_000_000 + k, d.dim) for k, d in enumerate(ranked)}
    renamed = [replace(f, indices=tuple(numbers.get(i, i) for i in f.indices)) for f in t.factors]
    factors = [replace(f, indices=_sorted_indices(f)) for f in renamed]
    factors.sort(key=lambda f: (_weight(replace(f, indices=())), f.indices))
    return Term(t.coefficient, tuple(factors), tuple(numbers.values()))
