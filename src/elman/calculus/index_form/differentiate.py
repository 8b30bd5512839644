"""Exact derivatives of index forms: the product rule over factors, the chain rule into their arguments.

The rules, with sums over repeated indices: ∂X_ij/∂X_pq = δ_ip δ_jq; d f(u) = f'(u) du; d (X^-1)_ij = -X^-1_ia dX_ab
X^-1_bj and d det X = det X · X^-1_ba dX_ab (Petersen & Pedersen, "The Matrix Cookbook", 2012, section 2);
d s_i = s_i (dz_i - s_k dz_k) for s = softmax(z).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction

from elman.calculus.expression import Expression
from elman.calculus.index_form.terms import (
    DELTA,
    FUNCTION,
    GROUP,
    INVERSE,
    SOFTMAX,
    SYMBOL,
    Factor,
    Ix,
    Sum,
    Term,
    factor_mentions,
    fresh,
    inside,
    one_term,
    rename,
    times_each,
)
from elman.calculus.index_form.to_index_form import function_slope
from elman.errors import FormulaError

_MAX_TERMS = 400
_ONE = Fraction(1)


def differentiate(sum_: Sum, atom: Expression, by: tuple[Ix, ...]) -> Sum:
    """∂sum/∂atom, in the indices `by` of the symbol `atom` (as the factor of it is written); not yet simplified.

    Raises `FormulaError` where the derivative has more than 400 terms.
    """
    terms: list[Term] = []
    for t in sum_.terms:
        for place, f in enumerate(t.factors):
            if not factor_mentions(f, atom):
                continue
            rest = list(t.factors)
            coefficient = t.coefficient * f.exponent
            if f.exponent == 1:
                del rest[place]
            else:
                rest[place] = replace(f, exponent=f.exponent - 1)
            outer = Term(coefficient, tuple(rest), t.dummies)
            terms.extend(times_each(outer, Sum(tuple(_factor(f, atom, by)))))
            if len(terms) > _MAX_TERMS:
                raise FormulaError(f"this derivative has more than {_MAX_TERMS} terms: name its parts")
    return Sum(tuple(terms))


def _inner(f: Factor, atom: Expression, by: tuple[Ix, ...], slots: tuple[Ix, ...]) -> Sum:
    """The derivative of the argument of `f`, its slots filled with `slots`, dummies fresh."""
    assert f.argument is not None
    mapping = {Ix(-1 - k, i.dim): i for k, i in enumerate(slots)}
    return rename(differentiate(f.argument, atom, by), mapping)


def _factor(f: Factor, atom: Expression, by: tuple[Ix, ...]) -> Iterator[Term]:
    """The derivative of a factor, its exponent left aside."""
    f = f.base()
    if f.kind == SYMBOL:
        yield Term(_ONE, tuple(Factor(DELTA, pair) for pair in zip(f.indices, by, strict=True)))
    elif f.kind == GROUP:
        yield from _inner(f, atom, by, f.indices).terms
    elif f.kind == FUNCTION:
        slope = one_term(function_slope(f.name, inside(f)))
        if slope.coefficient:
            yield from times_each(slope, _inner(f, atom, by, f.indices))
    elif f.kind == SOFTMAX:
        yield from times_each(Term(_ONE, (f,)), _inner(f, atom, by, f.indices))
        k = fresh(f.indices[0].dim)
        moved = (k, *f.indices[1:])
        each = Term(-_ONE, (f, replace(f, indices=moved)), (k,))
        yield from times_each(each, _inner(f, atom, by, moved))
    elif f.kind == INVERSE:
        (i, j), a, b = f.indices[:2], fresh(f.indices[0].dim), fresh(f.indices[0].dim)
        both = Term(
            -_ONE, (replace(f, indices=(i, a, *f.indices[2:])), replace(f, indices=(b, j, *f.indices[2:]))), (a, b)
        )
        yield from times_each(both, _inner(f, atom, by, (a, b, *f.indices[2:])))
    else:
        assert f.argument is not None
        dim = _slot_dimension(f.argument)
        a, b = fresh(dim), fresh(dim)
        inverse = Factor(INVERSE, (b, a), argument=f.argument)
        yield from times_each(Term(_ONE, (f, inverse), (a, b)), _inner(f, atom, by, (a, b)))


def _slot_dimension(argument: Sum) -> str:
    """The dimension of the square matrix in a determinant."""
    return next(
        i.dim
        for t in argument.terms
        for f in t.factors
        for i in f.indices
        if i.number in (-1, -2) and i not in t.dummies
    )
