"""Functions of square matrices and singular values, by sums, products and inverses alone.

A complex step passes through all of them, which it does not through a decomposition of eigenvalues or singular values.
Every array is [..., n, n], or [..., m, n] where a function takes any matrix. Sources: Higham, "Functions of Matrices"
(SIAM 2008), sections 6.3 (square root), 10.3 (exponential) and 11.5 (logarithm).
"""

from __future__ import annotations

import functools
import math

import numpy as np

from elman.calculus.functions import Array

_MOST_STEPS = 60
_MOST_KNOWN = 256  # powers that are kept
_TAYLOR_TERMS = 20


def _identity(a: Array) -> Array:
    return np.broadcast_to(np.eye(a.shape[-1]), a.shape)


def _size(a: Array) -> float:
    """The largest 1-norm of the matrices."""
    return float(np.abs(a).sum(-2).max(initial=0.0))


def square_roots(a: Array) -> tuple[Array, Array]:
    """A^(1/2) and A^(-1/2), by the iteration of Denman and Beavers; not a number where it does not converge."""
    root, inverse = a, _identity(a)
    steps_left = None
    for _ in range(_MOST_STEPS):
        following = (root + np.linalg.inv(inverse)) / 2, (inverse + np.linalg.inv(root)) / 2
        if steps_left is None and _size(following[0] - root) <= 1e-13 * _size(root):
            steps_left = 3  # the slope converges one step behind the value
        root, inverse = following
        if steps_left is not None:
            steps_left -= 1
            if steps_left == 0:
                return root, inverse
    return np.full_like(root, np.nan), np.full_like(inverse, np.nan)


def exponential(a: Array) -> Array:
    """e^A, by scaling and squaring."""
    size = _size(a)
    if not math.isfinite(size):
        return np.full_like(a, np.nan)
    squarings = max(0, math.ceil(math.log2(size)) + 1) if size else 0
    small = a / 2.0**squarings
    total = term = _identity(a)
    for k in range(1, _TAYLOR_TERMS):
        term = term @ small / k
        total = total + term
    for _ in range(squarings):
        total = total @ total
    return total


def logarithm(a: Array) -> Array:
    """The principal logarithm, by inverse scaling and squaring; not a number where there is none."""
    roots = 0
    identity = _identity(a)
    while not _size(a - identity) <= 0.2:
        a, _ = square_roots(a)
        roots += 1
        if roots == _MOST_STEPS or not np.isfinite(a).all():
            return np.full_like(a, np.nan)
    z = (a - identity) @ np.linalg.inv(a + identity)
    term, square, total = z, z @ z, z
    for k in range(3, 40, 2):
        term = term @ square
        total = total + term / k
    return 2.0 ** (roots + 1) * total


def matrix_power(a: Array, exponent: Array) -> Array:
    """A^k of a number k: by multiplication where k is whole, else e^(k ln A)."""
    values = np.unique(exponent)
    if values.size == 1 and np.isrealobj(values) and float(values[0]).is_integer() and abs(values[0]) <= 64:
        return np.linalg.matrix_power(a, int(values[0]))
    given = np.ascontiguousarray(a), np.ascontiguousarray(exponent)
    return _broken_power(*((x.shape, x.dtype.str, x.tobytes()) for x in given))


@functools.lru_cache(_MOST_KNOWN)
def _broken_power(*given: tuple[tuple[int, ...], str, bytes]) -> Array:
    """A^k of a k that is not whole; A and k each by shape, type and bytes, as many formulas have the same power."""
    a, exponent = (np.frombuffer(data, kind).reshape(shape) for shape, kind, data in given)
    return exponential(exponent * logarithm(a))


def pseudoinverse(a: Array) -> Array:
    """The inverse of Moore and Penrose of a matrix of full rank."""
    transposed = np.swapaxes(a, -1, -2)
    if a.shape[-2] >= a.shape[-1]:
        return np.linalg.inv(transposed @ a) @ transposed
    return transposed @ np.linalg.inv(a @ transposed)


def _gram(a: Array) -> Array:
    """A^T A or A A^T, whichever is smaller."""
    transposed = np.swapaxes(a, -1, -2)
    return transposed @ a if a.shape[-2] >= a.shape[-1] else a @ transposed


def _around(a: Array, gram: Array) -> Array:
    """The product of a matrix and a function of its smaller Gram matrix."""
    return a @ gram if a.shape[-2] >= a.shape[-1] else gram @ a


def polar_factor(a: Array) -> Array:
    """U V^T of the singular value decomposition A = U S V^T."""
    return _around(a, square_roots(_gram(a))[1])


def nuclear_norm(a: Array) -> Array:
    """The sum of the singular values, [..., 1, 1]."""
    return trace(square_roots(_gram(a))[0])


def trace(a: Array) -> Array:
    """The sum of the diagonal, [..., 1, 1]."""
    return np.asarray(np.trace(a, axis1=-2, axis2=-1))[..., None, None]


def _leading_projector(gram: Array) -> Array:
    """v v^T of the eigenvector v of the largest eigenvalue, by repeated squaring."""
    power = gram / trace(gram)
    for _ in range(_MOST_STEPS):
        power = power @ power
        power = power / trace(power)
    return power


def spectral_norm(a: Array) -> Array:
    """The largest singular value, [..., 1, 1]."""
    gram = _gram(a)
    value: Array = np.sqrt(trace(gram @ _leading_projector(gram)))
    return value


def leading_factor(a: Array) -> Array:
    """u v^T of the largest singular value."""
    gram = _gram(a)
    projector = _leading_projector(gram)
    return _around(a, projector) / np.sqrt(trace(gram @ projector))
