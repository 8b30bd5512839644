"""The kernels on NumPy: the plain form of every operation, at the speed of the matrix products.

Matrix products use NumPy's BLAS and its threads. The elementwise passes of the softmax run over blocks of rows that fit
a core's cache, on a pool of as many threads (NumPy releases the interpreter lock within a pass).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from elman.kernels.blas_threads import on_all_threads
from elman.kernels.groups import OrderedGroups
from elman.kernels.host_arrays import HostArrays
from elman.kernels.workers import Workers
from elman.model.activations import FUNCTIONS

Floats = NDArray[np.floating[Any]]
Doubles = NDArray[np.float64]
Integers = NDArray[np.integer[Any]]

LOGITS_BYTES = 64 * 2**20
"""The memory of a chunk of logits, at most. Larger chunks mean fewer sums into dU, without gain beyond this size."""
LIMIT = 2.0**300
"""State gradients are scaled down when they pass this, so that they may grow beyond the range of a float64."""
BLOCK_BYTES = 2**20
"""A block of rows of the elementwise passes: well within a core's second-level cache."""


class _Scratch(threading.local):
    """Scratch memory by use and type: each calling thread has its own."""

    def __init__(self) -> None:
        self.buffers: dict[tuple[str, np.dtype[Any]], Floats] = {}


class NumpyKernels(HostArrays):
    """`protocol.Kernels` on NumPy arrays, float32 or float64. Several threads may call it at the same time."""

    name = "numpy"

    def __init__(self) -> None:
        self._workers = Workers()
        self._scratch = _Scratch()

    def __reduce__(self) -> tuple[Any, ...]:
        return NumpyKernels, ()  # a network is copied or pickled without its kernels' threads and scratch memory

    @on_all_threads
    def recurrence(self, u: Floats, W_h: Floats, h_0: Floats, activation: str, rows: Integers | None = None) -> Floats:
        """h [T+1,B,Dh] from u [T,B,Dh], or u [n,Dh] and rows [T,B]: h[0] = h_0, h[t+1] = f(W_h h[t] + u[t])."""
        apply = FUNCTIONS[activation].apply
        T, B = rows.shape if rows is not None else u.shape[:2]
        Dh = u.shape[-1]
        h = np.empty((T + 1, B, Dh), u.dtype)
        h[0] = h_0
        W_hT = np.ascontiguousarray(W_h.T)  # read T times, so worth one copy
        for t in range(T):
            z = np.matmul(h[t], W_hT, out=h[t + 1])  # z = W_h h^(t-1) + W_e e + b_1
            z += u[t] if rows is None else u[rows[t]]
            apply(z)  # h = f(z)
        return h

    @on_all_threads
    def recurrence_gradient(self, dh: Floats, h: Floats, W_h: Floats, activation: str, cut: float = 0.0) -> Floats:
        """dz [T,B,Dh]: dz[t] = (dh[t] + dz[t+1] W_h) ∘ f'(z[t]), the sum clipped to ±cut where cut > 0."""
        T = len(dh)
        dz: Floats = FUNCTIONS[activation].derivative(h[1:])  # f'(z) from h
        gamma = np.empty_like(dh[0])
        for t in range(T - 1, -1, -1):
            if t == T - 1:
                gamma[...] = dh[t]
            else:
                np.matmul(dz[t + 1], W_h, out=gamma)  # γ^(t) = δ2^(t+1) W_h
                gamma += dh[t]
            if cut:
                np.clip(gamma, -cut, cut, out=gamma)
            dz[t] *= gamma
        return dz

    @on_all_threads
    def state_gradient(self, dh: Floats, derivative: Doubles, W_h: Floats) -> tuple[Doubles, Doubles, int]:
        """γ, dz [T,B,Dh], each times 2^-exponent: γ[t] = dh[t] + dz[t+1] W_h and dz[t] = γ[t] ∘ derivative[t]."""
        gamma, W_h = dh.astype(np.float64), W_h.astype(np.float64)
        dz, exponent = np.empty_like(gamma), 0
        for t in range(len(dh) - 1, -1, -1):
            if t < len(dh) - 1:
                gamma[t] += dz[t + 1] @ W_h
            np.multiply(gamma[t], derivative[t], out=dz[t])
            if np.abs(gamma[t]).max() > LIMIT:
                gamma /= LIMIT
                dz[t:] /= LIMIT
                exponent += 300
        return gamma, dz, exponent

    @on_all_threads
    def softmax_cross_entropy(
        self, h: Floats, U: Floats, b_2: Floats, y: Integers, scale: float
    ) -> tuple[Floats, Floats, Floats, Floats]:
        """J [N] and scale times dh [N,Dh], dU [V,Dh], db_2 [V]; the logits exist only a chunk at a time."""
        N, Dh = h.shape
        V = len(U)
        J = np.empty(N, np.float64)
        dh = np.empty_like(h)
        dU = np.empty((V, Dh), U.dtype)
        db_2 = np.zeros(V, U.dtype)
        chunks = -(-N // _rows_at_once(U))
        rows = -(-N // chunks)  # chunks of even size
        partial = self._buffer("dU", (V, Dh), U.dtype) if chunks > 1 else dU

        def finish(theta: Floats, at: slice) -> None:
            J[at] = _to_delta1(theta, b_2, y[at], scale)

        for k, (part, delta1) in enumerate(self._logits(h, U, rows, finish)):
            np.matmul(delta1, U, out=dh[part])  # ∂J/∂h = δ1 U
            np.matmul(delta1.T, h[part], out=dU if k == 0 else partial)  # ∂J/∂U = δ1^T h^T
            if k > 0:
                self._over_rows(lambda piece: np.add(dU[piece], partial[piece], out=dU[piece]), dU)
            db_2 += np.ones(len(delta1), U.dtype) @ delta1  # ∂J/∂b_2 = δ1^T 1_B
        return J, dh, dU, db_2

    @on_all_threads
    def cross_entropy(self, h: Floats, U: Floats, b_2: Floats, y: Integers) -> Floats:
        """J [N], float64, in chunks of rows."""
        J = np.empty(len(h), np.float64)

        def finish(theta: Floats, at: slice) -> None:
            J[at] = _to_J(theta, b_2, y[at])[0]

        for _ in self._logits(h, U, _rows_at_once(U), finish):
            pass
        return J

    @on_all_threads
    def cross_entropy_gradient(self, h: Floats, U: Floats, b_2: Floats, y: Integers) -> tuple[Floats, Floats]:
        """J [N], float64, and dh = (ŷ - y) U [N,Dh], in chunks of rows."""
        J, dh = np.empty(len(h), np.float64), np.empty_like(h)

        def finish(theta: Floats, at: slice) -> None:
            J[at] = _to_delta1(theta, b_2, y[at], 1.0)

        for part, delta1 in self._logits(h, U, _rows_at_once(U), finish):
            np.matmul(delta1, U, out=dh[part])
        return J, dh

    @on_all_threads
    def product(
        self, a: Floats, b: Floats, a_transposed: bool = False, b_transposed: bool = False, bias: Floats | None = None
    ) -> Floats:
        """a b [M,N], either one read transposed where asked, plus the bias [N] on every row."""
        out: Floats = (a.T if a_transposed else a) @ (b.T if b_transposed else b)
        if bias is not None:
            out += bias
        return out

    @on_all_threads
    def sum_of_squares(self, x: Floats) -> float:
        """Σ x² over all of x."""
        flat = x.reshape(-1)
        return float(np.dot(flat, flat))

    def sum_columns(self, x: Floats) -> Floats:
        """Σ over the rows of x [N,n]: [n]."""
        total: Floats = x.sum(axis=0)
        return total

    def group(self, tokens: Integers, V: int) -> OrderedGroups:
        """Which of the tokens [N], each under V, are the same."""
        return OrderedGroups.of(tokens)

    def sum_rows(self, values: Floats, groups: OrderedGroups) -> Floats:
        """The sum of each distinct token's rows of values [N,d]: [n,d]."""
        sums: Floats = np.add.reduceat(values[groups.order], groups.start[:-1], axis=0)
        return sums

    def contributions_kernel(self, dtype: np.dtype[Any]) -> None:
        """None."""

    def sampler_kernel(self, dtype: np.dtype[Any]) -> None:
        """None."""

    def sgd(self, w: Floats, g: Floats, rate: float, rows: Integers | None = None) -> None:
        """w ← w - rate g, in place; or w[rows] alone, where g has only those rows and no row occurs twice."""
        if rows is not None:
            w[rows] -= g * w.dtype.type(rate)
            return
        flat, gradient = w.reshape(-1, 1), g.reshape(-1, 1)

        def block(piece: slice) -> None:
            flat[piece] -= gradient[piece] * flat.dtype.type(rate)

        self._over_rows(block, flat)

    def adam(
        self,
        w: Floats,
        g: Floats,
        m: Floats,
        v: Floats,
        rate: float,
        beta: tuple[float, float],
        eps: float,
        scale: float,
        rows: Integers | None = None,
    ) -> None:
        """Adam's step in place on the gradient scale·g, called g here; only on these rows of w, m and v, if given.

        m ← β1 m + (1-β1) g    v ← β2 v + (1-β2) g²    w ← w - rate m/(√v + ε)
        """
        if rows is not None:
            parts = [array[rows] for array in (w, m, v)]
            self.adam(parts[0], g, parts[1], parts[2], rate, beta, eps, scale)
            w[rows], m[rows], v[rows] = parts
            return
        columns = [array.reshape(-1, 1) for array in (w, g, m, v)]
        number = w.dtype.type

        def block(piece: slice) -> None:
            w_, g_, m_, v_ = (column[piece] for column in columns)
            step = g_ * number((1 - beta[0]) * scale)
            m_ *= number(beta[0])
            m_ += step
            np.multiply(g_, g_, out=step)
            step *= number((1 - beta[1]) * scale * scale)
            v_ *= number(beta[1])
            v_ += step
            np.sqrt(v_, out=step)
            step += number(eps)
            np.divide(m_, step, out=step)
            step *= number(rate)
            w_ -= step

        self._over_rows(block, columns[0])

    def _buffer(self, name: str, shape: tuple[int, int], dtype: np.dtype[Any]) -> Floats:
        """Scratch memory, kept from call to call: new pages would cost as much as the pass itself."""
        size = shape[0] * shape[1]
        buffers = self._scratch.buffers
        buffer = buffers.get((name, dtype))
        if buffer is None or buffer.size < size:
            buffer = buffers[name, dtype] = np.empty(size, dtype)
        return buffer[:size].reshape(shape)

    def _logits(
        self, h: Floats, U: Floats, rows: int, finish: Callable[[Floats, slice], None]
    ) -> Iterator[tuple[slice, Floats]]:
        """Chunks of `rows` rows: which they are, and U h [rows,V] after finish(U h, which), which works in place.

        finish is called for a block of rows that fits the cache, and adds b_2.
        """
        for start in range(0, len(h), rows):
            part = slice(start, min(start + rows, len(h)))
            theta = self._buffer("logits", (part.stop - start, len(U)), U.dtype)
            np.matmul(h[part], U.T, out=theta)

            def block(piece: slice, theta: Floats = theta, start: int = start) -> None:
                finish(theta[piece], slice(start + piece.start, start + piece.stop))

            self._over_rows(block, theta)
            yield part, theta

    def _over_rows(self, work: Callable[[slice], object], array: Floats) -> None:
        """work(rows) for blocks of rows that fit the cache, on all threads, whose number does not change the blocks."""
        step = max(1, BLOCK_BYTES // (array.shape[1] * array.itemsize))
        self._workers.run(work, [slice(k, min(k + step, len(array))) for k in range(0, len(array), step)])


def _rows_at_once(U: Floats) -> int:
    """How many rows of logits fit LOGITS_BYTES, at least one."""
    return max(1, LOGITS_BYTES // (len(U) * U.itemsize))


def _to_J(theta: Floats, b_2: Floats, y: Integers) -> tuple[Floats, Floats]:
    """J and Σ exp(θ - max θ) of each row; θ becomes exp(θ - max θ), so that nothing overflows."""
    each = np.arange(len(y))
    theta += b_2
    theta -= theta.max(axis=1, keepdims=True)
    at_target = theta[each, y].astype(np.float64)
    np.exp(theta, out=theta)
    total = theta.sum(axis=1)
    return np.log(total.astype(np.float64)) - at_target, total


def _to_delta1(theta: Floats, b_2: Floats, y: Integers, scale: float) -> Floats:
    """θ becomes δ1 = scale (ŷ - y) in place; returns J of each row."""
    J, total = _to_J(theta, b_2, y)
    theta *= (scale / total)[:, None].astype(theta.dtype)
    theta[np.arange(len(y)), y] = np.expm1(-J) * scale  # ŷ - 1, without subtracting two close numbers
    return J
