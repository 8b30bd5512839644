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
from elman.calculus.index_form.arithmetic import (
    apply,
    apply_derivative,
    apply_written_derivative,
    minus,
    multiply,
    one_term,
    plus,
    to_power,
    to_symbolic_power,
)
from elman.calculus.index_form.simplify import simplify
from elman.calculus.index_form.terms import (
    Compound,
    Delta,
    Determinant,
    Factor,
    FunctionValue,
    Group,
    InverseEntry,
    MatrixFunction,
    OfMatrix,
    OfVector,
    Softmax,
    Sum,
    SymbolEntry,
    SymbolicPower,
    TensorIndex,
    Term,
    constant,
    factor_mentions,
    filled,
    fresh,
    inside,
    matrix_slots,
    mentions,
    single,
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


def _symbolic_power(f: SymbolicPower, atom: Expression, by: Indices) -> Iterator[Term]:
    """d u^p = p u^(p-1) du + u^p ln u dp."""
    u = inside(f)
    lower = to_symbolic_power(u, plus(f.power, constant(-1)))
    yield from times_each(one_term(multiply(f.power, lower)), _argument(f, atom, by, f.indices))
    if mentions(f.power, atom):
        outer = one_term(multiply(single(f), apply("ln", u)))
        yield from times_each(outer, differentiate(f.power, atom, by))


def _of_vector(f: OfVector, atom: Expression, by: Indices) -> Iterator[Term]:
    """d logsumexp(u) = softmax(u)_k du_k; d ∏ u_k = ∏ u_k · du_k / u_k;
    d max_i |u_i| = sign(u_k) du_k at the largest |u_k|.
    """
    k = fresh(f.dim)
    u = filled(f.argument, (k, *f.indices))
    if f.name == "logsumexp":
        outer = Term(_ONE, (Softmax((k, *f.indices), f.argument),), (k,))
    elif f.name == "prod":
        outer = one_term(multiply(single(f), to_power(u, -_ONE), (k,)))
    else:
        is_smaller = apply("step", minus(single(f), apply("abs", u)))
        largest = minus(constant(1), is_smaller)
        outer = one_term(multiply(apply("sign", u), largest, (k,)))
    yield from times_each(outer, _argument(f, atom, by, (k, *f.indices)))


def _of_matrix(f: OfMatrix, atom: Expression, by: Indices) -> Iterator[Term]:
    """d tr f(X) = f'(X)_ba dX_ab; d ‖X‖_* = (U V^T)_ab dX_ab and d ‖X‖_2 = (u v^T)_ab dX_ab, of the singular value
    decomposition X = U S V^T.
    """
    if mentions(f.power, atom):
        raise FormulaError("a power of a matrix is not differentiated by its exponent")
    a, b = fresh(f.rows), fresh(f.columns)
    outer = replace(one_term(_SLOPES[f.name](f, a, b)), dummies=(a, b))
    yield from times_each(outer, _argument(f, atom, by, (a, b)))


_SLOPES: dict[str, Callable[[OfMatrix, TensorIndex, TensorIndex], Sum]] = {
    "nuclear": lambda f, a, b: single(MatrixFunction((a, b), f.argument, "polar")),
    "spectral": lambda f, a, b: single(MatrixFunction((a, b), f.argument, "leading")),
    "expm": lambda f, a, b: single(MatrixFunction((b, a), f.argument, "expm")),
    "logm": lambda f, a, b: single(InverseEntry((b, a), f.argument)),
    "power": lambda f, a, b: multiply(
        f.power, single(MatrixFunction((b, a), f.argument, "power", simplify(plus(f.power, constant(-1)))))
    ),
}


def _matrix_function(f: MatrixFunction, atom: Expression, by: Indices) -> Iterator[Term]:
    if f.name != "pinv":
        raise FormulaError(_NOT_DIFFERENTIATED[f.name])
    yield from _pseudoinverse(f, atom, by)


_NOT_DIFFERENTIATED = {
    "expm": "the derivative of expm(X) is an integral without a matrix form: only tr(expm(X)) is differentiated",
    "logm": "the derivative of logm(X) is an integral without a matrix form: only tr(logm(X)) is differentiated",
    "power": "of matrices, powers up to 8 are differentiated, and others within a trace only, as in tr(X^k)",
    "polar": "the second derivative of a nuclear norm is not known here",
    "leading": "the second derivative of a spectral norm is not known here",
}


def _pseudoinverse(f: MatrixFunction, atom: Expression, by: Indices) -> Iterator[Term]:
    """With P the pseudoinverse of X, dP = -P dX P + P P^T dX^T (I - X P) + (I - P X) dX^T P^T P, where the rank stays
    the same (Golub & Pereyra, SIAM Journal on Numerical Analysis, 1973). The factor is T = P^T.
    """
    i, j = f.indices
    m, n = i.dim, j.dim
    x, y = fresh(m), fresh(n)

    def t(row: TensorIndex, column: TensorIndex) -> MatrixFunction:
        return replace(f, indices=(row, column))

    def argument(row: TensorIndex, column: TensorIndex) -> Group:
        return Group((row, column), f.argument)

    c, d, e = fresh(n), fresh(n), fresh(m)
    dx = _argument(f, atom, by, (x, y))
    yield from times_each(Term(-_ONE, (t(x, j), t(i, y)), (x, y)), dx)
    same_row = _argument(f, atom, by, (i, y))
    yield from times_each(Term(_ONE, (t(e, j), t(e, y)), (e, y)), same_row)
    yield from times_each(Term(-_ONE, (t(e, j), t(e, y), argument(x, d), t(i, d)), (e, x, y, d)), dx)
    same_column = _argument(f, atom, by, (x, j))
    yield from times_each(Term(_ONE, (t(x, c), t(i, c)), (x, c)), same_column)
    yield from times_each(Term(-_ONE, (t(e, j), argument(e, y), t(x, c), t(i, c)), (e, x, y, c)), dx)


_RULES: dict[type[Factor], Callable[[Any, Expression, Indices], Iterator[Term]]] = {
    SymbolEntry: _symbol_entry,
    Group: _group,
    FunctionValue: _function_value,
    Softmax: _softmax,
    InverseEntry: _inverse_entry,
    Determinant: _determinant,
    SymbolicPower: _symbolic_power,
    OfVector: _of_vector,
    OfMatrix: _of_matrix,
    MatrixFunction: _matrix_function,
}
