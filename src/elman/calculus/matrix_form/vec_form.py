"""The derivative of a matrix by a matrix as a matrix: ∂vec(F)/∂vec(X)^T, with Kronecker products.

vec stacks the columns of a matrix. A term of the derivative of F_ij by X_kl falls into parts that share no index:

    L_ik R_jl     R ⊗ L, from d F = L dX R^T
    L_il R_jk     (R ⊗ L) K, from d F = L dX^T R^T, where K vec(X) = vec(X^T)
    P_ij Q_kl     vec(P) vec(Q)^T

(Magnus & Neudecker, "Matrix Differential Calculus", 1988, section 9.)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from elman.calculus.expression import Expression
from elman.calculus.functions import Array
from elman.calculus.index_form.terms import Factor, Sum, TensorIndex, Term
from elman.calculus.matrix_form.index_graph import NoMatrixFormError
from elman.calculus.matrix_form.matrix_products import ONE
from elman.calculus.matrix_form.to_matrix_form import ShapeOf, matrix_form

Pair = tuple[TensorIndex, TensorIndex]


@dataclass(frozen=True, slots=True)
class VecTerm:
    """A number times a scalar times R ⊗ L (`kind` straight), (R ⊗ L) K (transposed) or vec(P) vec(Q)^T (outer): `first`
    and `second` are R and L, or P and Q.
    """

    coefficient: Fraction
    scalar: Expression
    kind: str
    first: Expression
    second: Expression


def vec_form(sum_: Sum, of: Pair, by: Pair, shape_of: ShapeOf) -> tuple[VecTerm, ...] | None:
    """The terms of ∂vec(F)/∂vec(X)^T, from the index form of ∂F_of/∂X_by; None where one has another form."""
    try:
        found = [_term(t, of, by, shape_of) for t in sum_.terms]
    except NoMatrixFormError:
        return None
    return tuple(t for t in found if t is not None) if all(found) else None


def _term(t: Term, of: Pair, by: Pair, shape_of: ShapeOf) -> VecTerm | None:
    (i, j), (k, m) = of, by
    parts = _parts(t)

    def part(row: TensorIndex, column: TensorIndex) -> Expression | None:
        """The matrix of the parts that have just these two free indices."""
        own = [p for p in parts if p[0] and p[0] <= {row, column}]
        if any(p[0] & {row, column} and not p[0] <= {row, column} for p in parts):
            return None
        factors = tuple(f for _, factors in own for f in factors)
        return _matrix(t, factors, row, column, shape_of)

    rest = tuple(f for free, factors in parts if not free for f in factors)
    scalar = _matrix(t, rest, None, None, shape_of)
    for kind, first, second in (
        ("straight", (j, m), (i, k)),
        ("transposed", (j, k), (i, m)),
        ("outer", (i, j), (k, m)),
    ):
        one, other = part(*first), part(*second)
        if one is not None and other is not None:
            return VecTerm(t.coefficient, scalar, kind, one, other)
    return None


def _parts(t: Term) -> list[tuple[set[TensorIndex], list[Factor]]]:
    """The factors of a term in groups that share no index, each with its free indices."""
    groups: list[tuple[set[TensorIndex], list[Factor]]] = []
    for f in t.factors:
        indices, factors = set(f.indices), [f]
        for other in [g for g in groups if g[0] & indices]:
            groups.remove(other)
            indices, factors = indices | other[0], other[1] + factors
        groups.append((indices, factors))
    return [(indices - set(t.dummies), factors) for indices, factors in groups]


def _matrix(
    t: Term,
    factors: tuple[Factor, ...],
    row: TensorIndex | None,
    column: TensorIndex | None,
    shape_of: ShapeOf,
) -> Expression:
    inside = {i for f in factors for i in f.indices}
    term = Term(Fraction(1), factors, tuple(d for d in t.dummies if d in inside))
    return matrix_form(Sum((term,)), row, column, shape_of)


def vec_text(terms: tuple[VecTerm, ...], show: Callable[[Expression, bool], str]) -> str:
    """The sum as text: `I_p ⊗ A - (B ⊗ I_n) K`. `show` prints an expression, as a factor or not."""
    shown = ""
    for t in terms:
        sign = "-" if t.coefficient < 0 else "+"
        number = "" if abs(t.coefficient) == 1 else f"{abs(t.coefficient)} "
        front = number + ("" if t.scalar == ONE else f"{show(t.scalar, True)} ")
        one, other = show(t.first, t.kind != "outer"), show(t.second, t.kind != "outer")
        body = {
            "straight": f"({one} ⊗ {other})" if front else f"{one} ⊗ {other}",
            "transposed": f"({one} ⊗ {other}) K",
            "outer": f"vec({one}) vec({other})^T",
        }[t.kind]
        shown += f" {sign} {front}{body}" if shown else f"{'-' if sign == '-' else ''}{front}{body}"
    return shown or "0"


def vec_value(terms: tuple[VecTerm, ...], value: Callable[[Expression], Array], rows: int, columns: int) -> Array:
    """The value of the sum, for an X of so many rows and columns."""
    transposing = np.eye(rows * columns).reshape(columns, rows, -1).transpose(1, 0, 2).reshape(rows * columns, -1)
    total = np.zeros((1, 1))
    for t in terms:
        one, other = value(t.first), value(t.second)
        if t.kind == "outer":
            matrix = one.T.reshape(-1, 1) @ other.T.reshape(1, -1)
        else:
            matrix = np.kron(one, other)
            matrix = matrix @ transposing if t.kind == "transposed" else matrix
        total = total + float(t.coefficient) * value(t.scalar) * matrix
    return np.asarray(total)
