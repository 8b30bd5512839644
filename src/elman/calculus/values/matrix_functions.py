"""Values of the functions of whole matrices; every value is [..., m, n], a scalar [..., 1, 1].

They are complex-safe, so that a complex step passes through.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from elman.calculus.expression import Call, Expression, Matrix
from elman.calculus.functions import ELEMENTWISE, Array
from elman.calculus.values.environment import MisfitError, are_alike, is_scalar, shape_text
from elman.calculus.values.matrix_analysis import (
    exponential,
    leading_factor,
    logarithm,
    nuclear_norm,
    polar_factor,
    pseudoinverse,
    spectral_norm,
    trace,
)
from elman.errors import FormulaError


def misfit(e: Expression, a: Array, b: Array, what: str, hint: str) -> MisfitError:
    """The error for two values whose shapes do not fit."""
    return MisfitError(a, b, what, hint, e.span[0] + 1)


def hadamard(a: Array, b: Array, e: Expression) -> Array:
    """Entry by entry; the shapes must agree, or one side be a scalar."""
    if are_alike(a, b):
        return a * b
    raise misfit(e, a, b, "∘", "an entry-by-entry product needs equal shapes")


def square(a: Array, e: Expression, what: str) -> Array:
    """`a`, if its matrices are square."""
    if a.shape[-1] != a.shape[-2]:
        raise FormulaError(f"{what} needs a square matrix, not {shape_text(a)}", e.span[0] + 1)
    return a


def softmax(a: Array, axis: int) -> Array:
    """The softmax along an axis, -2 or -1."""
    exp = np.exp(a - a.real.max(axis, keepdims=True))
    result: Array = exp / exp.sum(axis, keepdims=True)
    return result


def softmax_axis(e: Call, a: Array, default: int | None) -> int:
    """0 down each column, 1 along each row: as stated, else as the page reads it; a vector has only one way."""
    if e.axis is None and 1 in a.shape[-2:]:
        return 0 if a.shape[-1] == 1 else 1
    return e.axis if e.axis is not None else default or 0


def _axes(e: Call) -> tuple[int, ...]:
    """The axes over which a function is taken: both, or the stated one."""
    return (-2, -1) if e.axis is None else (-2 + e.axis,)


def _cross_entropy(e: Call, a: Array, b: Array) -> Array:
    value: Array = -hadamard(a, np.log(b), e).sum(_axes(e), keepdims=True)
    return value


def _trace(e: Call, a: Array) -> Array:
    return trace(square(a, e, "a trace"))


def _determinant(e: Call, a: Array) -> Array:
    if e.latex == "|" and is_scalar(a) and not isinstance(e.arguments[0], Matrix):
        return ELEMENTWISE["abs"].value(a)  # |x| of a number
    return np.asarray(np.linalg.det(square(a, e, "a determinant")))[..., None, None]


def _norm(e: Call, a: Array) -> Array:
    value: Array = np.sqrt((a * a).sum(_axes(e), keepdims=True))
    return value


def _norm1(e: Call, a: Array) -> Array:
    value: Array = _moduli(a).sum(_axes(e), keepdims=True)
    return value


def _diagonal(e: Call, a: Array) -> Array:
    """The diagonal matrix of a vector, or the diagonal of a square matrix as a column."""
    if a.shape[-1] == 1 or a.shape[-2] == 1:
        v = a if a.shape[-1] == 1 else np.swapaxes(a, -1, -2)
        return np.asarray(v * np.eye(v.shape[-2]))
    return np.diagonal(square(a, e, "diag"), axis1=-2, axis2=-1)[..., :, None]


def _larger(e: Call, a: Array, b: Array) -> Array:
    _check_alike(e, a, b)
    value: Array = np.where(a.real >= b.real, a, b)
    return value


def _smaller(e: Call, a: Array, b: Array) -> Array:
    _check_alike(e, a, b)
    value: Array = np.where(a.real <= b.real, a, b)
    return value


def _check_alike(e: Call, a: Array, b: Array) -> None:
    if not are_alike(a, b):
        raise misfit(e, a, b, "beside", f"{e.function} takes arguments of equal shapes")


def _inner(e: Call, a: Array, b: Array) -> Array:
    value: Array = hadamard(a, b, e).sum((-2, -1), keepdims=True)
    return value


def _logsumexp(e: Call, a: Array) -> Array:
    largest = a.real.max(_axes(e), keepdims=True)
    value: Array = largest + np.log(np.exp(a - largest).sum(_axes(e), keepdims=True))
    return value


def _moduli(a: Array) -> Array:
    return np.asarray(a * np.sign(a.real))


def _norm2(e: Call, a: Array) -> Array:
    """The norm of a vector; of a matrix its largest singular value."""
    return _norm(e, a) if 1 in a.shape[-2:] else spectral_norm(a)


def _norminf(e: Call, a: Array) -> Array:
    """The largest modulus of the entries of a vector."""
    if 1 not in a.shape[-2:]:
        raise FormulaError("the norm ∞ is read of a vector: of a matrix it has several meanings", e.span[0] + 1)
    moduli = _moduli(a).reshape(*a.shape[:-2], -1, 1)
    largest = np.argmax(moduli.real, axis=-2, keepdims=True)
    return np.take_along_axis(moduli, largest, axis=-2)


def _normp(e: Call, a: Array, p: Array) -> Array:
    if not is_scalar(p):
        raise FormulaError(f"the exponent of a norm must be a scalar, not {shape_text(p)}", e.span[0] + 1)
    value: Array = (_moduli(a) ** p).sum((-2, -1), keepdims=True) ** (1 / p)
    return value


def _logdet(e: Call, a: Array) -> Array:
    value: Array = np.log(_determinant(e, a))
    return value


# A function of whole matrices (`functions.WHOLE`) → its value.
MATRIX_FUNCTIONS: dict[str, Callable[..., Array]] = {
    "cross_entropy": _cross_entropy,
    "trace": _trace,
    "det": _determinant,
    "diag": _diagonal,
    "norm": _norm,
    "norm1": _norm1,
    "sum": lambda e, a: a.sum(_axes(e), keepdims=True),
    "mean": lambda e, a: a.mean(_axes(e), keepdims=True),
    "prod": lambda e, a: a.prod(_axes(e), keepdims=True),
    "inner": _inner,
    "logsumexp": _logsumexp,
    "norm2": _norm2,
    "norminf": _norminf,
    "normp": _normp,
    "nuclear": lambda e, a: nuclear_norm(a),
    "logdet": _logdet,
    "expm": lambda e, a: exponential(square(a, e, "expm")),
    "logm": lambda e, a: logarithm(square(a, e, "logm")),
    "pinv": lambda e, a: pseudoinverse(a),
    "polar": lambda e, a: polar_factor(a),
    "leading": lambda e, a: leading_factor(a),
    "max": _larger,
    "min": _smaller,
    "clip": lambda e, a, low, high: _smaller(e, _larger(e, a, low), high),
}
