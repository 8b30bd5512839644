"""Exact derivatives of index forms: the product rule over factors, the chain rule into their arguments.

For example, ∂(Σ_ij x_i A_ij x_j)/∂x_p is Σ_ij δ_ip A_ij x_j + Σ_ij x_i A_ij δ_jp. Each kind of factor has one rule,
with sums over repeated indices: ∂X_ij/∂X_pq = δ_ip δ_jq; d f(u) = f'(u) du; d (X^-1)_ij = -X^-1_ia dX_ab X^-1_bj and
d det X = det X · X^-1_ba dX_ab (Petersen & Pedersen, "The Matrix Cookbook", 2012, section 2);
d s_i = s_i (dz_i - s_k dz_k) for s = softmax(z).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction
from typing import Any

from elman.calculus.expression import Expression
from elman.calculus.index_form.arithmetic import apply_derivative, apply_written_derivative, one_term
from elman.calculus.index_form.terms import (
    Compound,
    Delta,
    Determinant,
    Factor,
    FunctionValue,
    Group,
    InverseEntry,
    Softmax,
    Sum,
    SymbolEntry,
    TensorIndex,
    Term,
    factor_mentions,
    filled,
    fresh,
    inside,
    matrix_slots,
    times_each,
)
from elman.errors import FormulaError

_MAX_TERMS = 400
_ONE = Fraction(1)
Indices = tuple[TensorIndex, ...]


def differentiate(sum_: Sum, atom: Expression, by: Indices) -> Sum:
    """∂sum/∂atom at the indices `by` of the symbol `atom` (written as in `SymbolEntry.atom`); not yet simplified.

    Raises `FormulaError` where the derivative has more than 400 terms.
    """
    terms: list[Term] = []
    for t in sum_.terms:
        for place, f in enumerate(t.factors):
            if not factor_mentions(f, atom):
                continue
            rest = list(t.factors)
            if f.exponent == 1:
                del rest[place]
            else:
                rest[place] = replace(f, exponent=f.exponent - 1)
            outer = Term(t.coefficient * f.exponent, tuple(rest), t.dummies)
            derivative = Sum(tuple(_RULES[type(f)](f.base(), atom, by)))
            terms.extend(times_each(outer, derivative))
            if len(terms) > _MAX_TERMS:
                raise FormulaError(f"this derivative has more than {_MAX_TERMS} terms: name its parts")
    return Sum(tuple(terms))


# --- one rule a kind of factor: the terms of its derivative; the factor has the exponent 1 ---


def _argument(f: Compound, atom: Expression, by: Indices, at: Indices) -> Sum:
    """The derivative of the argument of `f`, at the indices `at`."""
    return filled(differentiate(f.argument, atom, by), at)


def _symbol_entry(f: SymbolEntry, atom: Expression, by: Indices) -> Iterator[Term]:
    """∂X_ij/∂X_pq = δ_ip δ_jq."""
    yield Term(_ONE, tuple(Delta(pair) for pair in zip(f.indices, by, strict=True)))


def _group(f: Group, atom: Expression, by: Indices) -> Iterator[Term]:
    yield from _argument(f, atom, by, f.indices).terms


def _function_value(f: FunctionValue, atom: Expression, by: Indices) -> Iterator[Term]:
    """d f(u) = f'(u) du."""
    if f.primes:
        yield from differentiate(apply_written_derivative(f.name, inside(f)), atom, by).terms
        return
    outer = one_term(apply_derivative(f.name, inside(f)))
    if outer.coefficient:
        yield from times_each(outer, _argument(f, atom, by, f.indices))


def _softmax(f: Softmax, atom: Expression, by: Indices) -> Iterator[Term]:
    """d s_i = s_i dz_i - s_i s_k dz_k."""
    yield from times_each(Term(_ONE, (f,)), _argument(f, atom, by, f.indices))
    k = fresh(f.indices[0].dim)
    at_k = (k, *f.indices[1:])
    others = Term(-_ONE, (f, replace(f, indices=at_k)), (k,))
    yield from times_each(others, _argument(f, atom, by, at_k))


def _inverse_entry(f: InverseEntry, atom: Expression, by: Indices) -> Iterator[Term]:
    """d (X^-1)_ij = -X^-1_ia dX_ab X^-1_bj."""
    i, j, *further = f.indices
    a, b = fresh(i.dim), fresh(i.dim)
    left, right = replace(f, indices=(i, a, *further)), replace(f, indices=(b, j, *further))
    yield from times_each(Term(-_ONE, (left, right), (a, b)), _argument(f, atom, by, (a, b, *further)))


def _determinant(f: Determinant, atom: Expression, by: Indices) -> Iterator[Term]:
    """d det X = det X · X^-1_ba dX_ab."""
    dim = matrix_slots(f.argument)[0].dim
    a, b = fresh(dim), fresh(dim)
    inverse = InverseEntry((b, a), f.argument)
    yield from times_each(Term(_ONE, (f, inverse), (a, b)), _argument(f, atom, by, (a, b)))


_RULES: dict[type[Factor], Callable[[Any, Expression, Indices], Iterator[Term]]] = {
    SymbolEntry: _symbol_entry,
    Group: _group,
    FunctionValue: _function_value,
    Softmax: _softmax,
    InverseEntry: _inverse_entry,
    Determinant: _determinant,
}
