"""The kernels in C++: float32, with products in float32 or bfloat16, on their own pool of threads.

Arrays of other types go to the NumPy kernels. A large output that nobody references any more is used again, since new
pages would cost a large gradient about a tenth of its time.
"""

from __future__ import annotations

import sys
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from elman.errors import ConfigError, ShapeError
from elman.kernels import _native
from elman.kernels.contributions import NAMES, Contributions
from elman.kernels.groups import OrderedGroups
from elman.kernels.host_arrays import HostArrays
from elman.kernels.numpy_kernels import LIMIT, NumpyKernels
from elman.kernels.protocol import ContributionsKernel, SamplerKernel
from elman.kernels.token_ids import check_token_ids

Floats = NDArray[np.floating[Any]]
Doubles = NDArray[np.float64]
Integers = NDArray[np.integer[Any]]

CODES = {"sigmoid": 0, "tanh": 1, "relu": 2}
"""The activations by the numbers of native/kernels.h."""
TILES = "avx512_bf16_amx"
"""The instruction set with matrix tiles."""
KEPT_BYTES = 2**20
"""Outputs of at least this size are kept for the next call."""
_UNUSED = next(sys.getrefcount(array) for array in [np.empty(0)])
"""References to an array that only the list holds: the list's, the loop's and, before Python 3.14, the call's own."""


def instruction_sets() -> list[str]:
    """The instruction sets of this processor, the best first."""
    return list(_native.available())


def use_instruction_set(name: str) -> None:
    """Uses this instruction set from now on. Raises ConfigError if the processor does not have it."""
    if not _native.choose(name):
        raise ConfigError(
            f"instruction set {name!r} is not available here; choose one of {', '.join(instruction_sets())}"
        )


def bf16_is_fast() -> bool:
    """Whether the instruction set in use multiplies bfloat16 faster than float32 on this processor."""
    return bool(_native.has_bf16_instruction() and _native.get_bf16_instruction())


def uses_tiles() -> bool:
    """Whether the instruction set in use multiplies bfloat16 on matrix tiles."""
    return bool(_native.current() == TILES and _native.get_bf16_instruction())


def why_no_tiles() -> str:
    """Why a processor's matrix tiles are not available; empty if they are, or if it has none."""
    if _native.tiles() == "refused":
        return "the system refuses the processor's matrix tiles"
    if _native.tiles() == "permitted" and TILES not in _native.compiled():
        return "the compiler did not know the processor's matrix tiles"
    return ""


def use_threads(count: int) -> None:
    """Uses this many threads from now on. Raises ConfigError unless it is from 1 to 1024."""
    if not 1 <= count <= 1024:
        raise ConfigError(f"threads is {count}; it must be from 1 to 1024")
    _native.set_threads(count)


class NativeKernels(HostArrays):
    """`protocol.Kernels` in C++, on float32 arrays.

    bf16: factors of products are rounded to bfloat16 (sums, softmax, weights and updates stay float32).
    skip_below: blocks of the softmax gradient in which every ŷ is below it are left out; 0: none is.
    """

    def __init__(self, bf16: bool = False, skip_below: float = 0.0) -> None:
        self.bf16, self.skip_below = bf16, skip_below
        self.skipped = self.blocks = 0  # of the softmax gradient, since the start
        self._numpy = NumpyKernels()
        self._outputs: dict[tuple[int, ...], list[Floats]] = {}

    def __reduce__(self) -> tuple[Any, ...]:
        return NativeKernels, (self.bf16, self.skip_below)  # a network is copied or pickled without kept outputs

    @property
    def name(self) -> str:
        """The name that `elman info` prints."""
        return f"native ({_native.current()})"

    @property
    def threads(self) -> int:
        """How many threads the kernels run on."""
        return int(_native.get_threads())

    def recurrence(self, u: Floats, W_h: Floats, h_0: Floats, activation: str, rows: Integers | None = None) -> Floats:
        """h [T+1,B,Dh] from u [T,B,Dh], or u [n,Dh] and rows [T,B]: h[0] = h_0, h[t+1] = f(W_h h[t] + u[t]).

        Raises ShapeError.
        """
        if u.dtype != np.float32:
            return self._numpy.recurrence(u, W_h, h_0, activation, rows)
        if rows is None:
            T, B, Dh = _axes("u", u, "[T,B,Dh]")
        else:
            (T, B), (n, Dh) = _axes("rows", rows, "[T,B]"), _axes("u", u, "[n,Dh]")
            rows = _ids("rows", rows, (T, B), n)
        h = self._output(T + 1, B, Dh)
        inputs, weights, begin = (
            _float32("u", u, u.shape),
            _float32("W_h", W_h, (Dh, Dh)),
            _float32("h_0", h_0, (B, Dh)),
        )
        _native.recurrence(inputs.reshape(-1, Dh), weights, begin, rows, h, _activation(activation), self.bf16)
        return h

    def recurrence_gradient(self, dh: Floats, h: Floats, W_h: Floats, activation: str, cut: float = 0.0) -> Floats:
        """dz [T,B,Dh]: dz[t] = (dh[t] + dz[t+1] W_h) ∘ f'(z[t]). Raises ShapeError.

        cut: the entries of the sum are clipped to ±cut; 0: they are not.
        """
        if dh.dtype != np.float32:
            return self._numpy.recurrence_gradient(dh, h, W_h, activation, cut)
        T, B, Dh = _axes("dh", dh, "[T,B,Dh]")
        dz = self._output(T, B, Dh)
        states, weights = _float32("h", h, (T + 1, B, Dh)), _float32("W_h", W_h, (Dh, Dh))
        _native.recurrence_gradient(
            _float32("dh", dh, dh.shape), states, weights, dz, _activation(activation), cut, self.bf16
        )
        return dz

    def state_gradient(self, dh: Floats, derivative: Doubles, W_h: Floats) -> tuple[Doubles, Doubles, int]:
        """γ, dz [T,B,Dh], each times 2^-exponent: γ[t] = dh[t] + dz[t+1] W_h and dz[t] = γ[t] ∘ derivative[t].

        Raises ShapeError.
        """
        _, _, Dh = _axes("dh", dh, "[T,B,Dh]")
        if W_h.dtype == np.float32 and derivative.shape == dh.shape:
            gamma, dz = dh.astype(np.float64, order="C"), np.empty(dh.shape)
            weights = _float32("W_h", W_h, (Dh, Dh))
            if _native.state_gradient(np.ascontiguousarray(derivative), weights, gamma, dz, LIMIT):
                return gamma, dz, 0
        return self._numpy.state_gradient(dh, derivative, W_h)

    def contributions_kernel(self, dtype: np.dtype[Any]) -> ContributionsKernel | None:
        """`contributions` for float32."""
        return self.contributions if dtype == np.float32 else None

    def contributions(self, terms: Contributions) -> tuple[Doubles, Doubles]:
        """log2 of the norms and the cosines, [5,T,T] by name, lag and t, for float32. Raises ShapeError."""
        T, _, Dh = shape = _axes("dh", terms.dh, "[T,B,Dh]")
        log2_norms, cosines = np.full((len(NAMES), T, T), -np.inf), np.zeros((len(NAMES), T, T))
        along = [_float32(name, terms.along[name], (Dh,) if name == "b_1" else shape) for name in NAMES]
        _native.contributions(
            _float32("dh", terms.dh, shape), _float32("derivative", terms.derivative, shape),
            terms.derivative_exponent,
            _float32("W_h", terms.W_h, (Dh, Dh)), _float32("W_e", terms.W_e, (Dh, terms.W_e.shape[-1])),
            terms.up_h, terms.up_e, along, [np.ascontiguousarray(terms.grams[name]) for name in ("W_h", "W_e")],
            log2_norms, cosines,
        )  # fmt: skip
        return log2_norms, cosines

    def softmax_cross_entropy(
        self, h: Floats, U: Floats, b_2: Floats, y: Integers, scale: float
    ) -> tuple[Floats, Floats, Floats, Floats]:
        """J [N] (float64) and scale times dh [N,Dh], dU [V,Dh], db_2 [V]. Raises ShapeError, for wrong ids too."""
        if h.dtype != np.float32:
            return self._numpy.softmax_cross_entropy(h, U, b_2, y, scale)
        h, U, b_2, y = _softmax_operands(h, U, b_2, y)
        J = np.empty(len(h), np.float64)
        dh, dU, db_2 = self._output(*h.shape), self._output(*U.shape), np.empty_like(b_2)
        skipped, blocks = _native.softmax(h, U, b_2, y, J, dh, dU, db_2, scale, self.skip_below, self.bf16)
        self.skipped += skipped
        self.blocks += blocks
        return J, dh, dU, db_2

    def cross_entropy(self, h: Floats, U: Floats, b_2: Floats, y: Integers) -> Floats:
        """J [N] alone, float64. Raises ShapeError, for ids out of range too."""
        if h.dtype != np.float32:
            return self._numpy.cross_entropy(h, U, b_2, y)
        h, U, b_2, y = _softmax_operands(h, U, b_2, y)
        J = np.empty(len(h), np.float64)
        _native.softmax(h, U, b_2, y, J, None, None, None, 1.0, 0.0, self.bf16)
        return J

    def cross_entropy_gradient(self, h: Floats, U: Floats, b_2: Floats, y: Integers) -> tuple[Floats, Floats]:
        """J [N] (float64) and dh [N,Dh] alone. Raises ShapeError, for ids out of range too."""
        if h.dtype != np.float32:
            return self._numpy.cross_entropy_gradient(h, U, b_2, y)
        h, U, b_2, y = _softmax_operands(h, U, b_2, y)
        J, dh = np.empty(len(h), np.float64), self._output(*h.shape)
        _native.softmax(h, U, b_2, y, J, dh, None, None, 1.0, 0.0, self.bf16)
        return J, dh

    def product(
        self, a: Floats, b: Floats, a_transposed: bool = False, b_transposed: bool = False, bias: Floats | None = None
    ) -> Floats:
        """a b [M,N], either one read transposed where asked, plus the bias [N] on every row. Raises ShapeError."""
        if a.dtype != np.float32:
            return self._numpy.product(a, b, a_transposed, b_transposed, bias)
        K, M = _axes("a", a, "a matrix") if a_transposed else _axes("a", a, "a matrix")[::-1]
        N = b.shape[0 if b_transposed else -1]
        out = self._output(M, N)
        right = _float32("b", b, (N, K) if b_transposed else (K, N))
        added = None if bias is None else _float32("bias", bias, (N,))
        _native.product(_float32("a", a, a.shape), right, out, a_transposed, b_transposed, added, self.bf16)
        return out

    def sum_of_squares(self, x: Floats) -> float:
        """Σ x², in float64 over runs of 4096 numbers."""
        if x.dtype != np.float32:
            return self._numpy.sum_of_squares(x)
        return float(_native.sum_of_squares(_float32("x", x, x.shape)))

    def sum_columns(self, x: Floats) -> Floats:
        """Σ over the rows of x [N,n]: [n]."""
        if x.dtype != np.float32:
            return self._numpy.sum_columns(x)
        N, n = _axes("x", x, "[N,n]")
        out = np.empty(n, np.float32)
        _native.sum_columns(_float32("x", x, (N, n)), out)
        return out

    def group(self, tokens: Integers, V: int) -> OrderedGroups:
        """Which of the tokens [N] are the same. Raises ShapeError for ids out of range."""
        N = len(tokens)
        order, index, inverse, start = (np.empty(N + extra, np.int64) for extra in (0, 0, 0, 1))
        n = _native.group(_ids("tokens", tokens, (N,), V), V, order, start, index, inverse)
        return OrderedGroups(index=index[:n], inverse=inverse, order=order, start=start[: n + 1])

    def sum_rows(self, values: Floats, groups: OrderedGroups) -> Floats:
        """The sum of each distinct token's rows of values [N,d]: [n,d]. Raises ShapeError."""
        if values.dtype != np.float32:
            return self._numpy.sum_rows(values, groups)
        d = _axes("values", values, "[N,d]")[1]
        out = self._output(len(groups.index), d)
        _native.sum_rows(_float32("values", values, (len(groups.order), d)), groups.order, groups.start, out)
        return out

    def sgd(self, w: Floats, g: Floats, rate: float, rows: Integers | None = None) -> None:
        """w ← w - rate g, in place; or w[rows] alone, where g has only those rows and no row occurs twice."""
        if not _updatable(w):
            return self._numpy.sgd(w, g, rate, rows)
        _native.step(w, _gradient(w, g, rows), None, None, _rows(w, rows), rate, 1.0, 0.0, 0.0, 0.0)
        return None

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
        """Adam's step in place on the gradient scale·g; only on these rows of w, m and v, if given."""
        if not (_updatable(w) and _updatable(m) and _updatable(v)):
            return self._numpy.adam(w, g, m, v, rate, beta, eps, scale, rows)
        _native.step(w, _gradient(w, g, rows), m, v, _rows(w, rows), rate, scale, *beta, eps)
        return None

    def sampler_kernel(self, dtype: np.dtype[Any]) -> SamplerKernel | None:
        """`sampler` for float32."""
        return self.sampler if dtype == np.float32 else None

    def sampler(self, inputs: Floats, W_h: Floats, U: Floats, b_2: Floats, activation: str) -> Sampler:
        """Draws tokens from a model, inputs [V,Dh] being W_e e + b_1 of every token. Raises ShapeError."""
        V, Dh = _axes("U", U, "[V,Dh]")
        return Sampler(
            _native.Generator(
                _float32("inputs", inputs, (V, Dh)), _float32("W_h", W_h, (Dh, Dh)), _float32("U", U, (V, Dh)),
                _float32("b_2", b_2, (V,)), _activation(activation),
            )
        )  # fmt: skip

    def _output(self, *shape: int) -> Floats:
        """An array for a result: an earlier output that nobody references any more, or a new one."""
        if 4 * int(np.prod(shape)) < KEPT_BYTES:
            return np.empty(shape, np.float32)
        kept = self._outputs.setdefault(shape, [])
        for array in kept:
            if sys.getrefcount(array) == _UNUSED:
                return array
        if len(self._outputs) > 16:  # sizes have changed: forget the earlier ones
            self._outputs = {shape: kept}
        made = cast(Floats, _native.allocate(shape))  # owns its memory, so that its views count as references to it
        kept[:] = [*kept[-3:], made]
        return made  # not kept[-1]: another thread may have replaced it


class Sampler:
    """Draws tokens; the weights are packed, so that each token reads them once from end to end."""

    def __init__(self, native: Any) -> None:
        self._native = native

    def draw(
        self, h: Floats, token: int, uniform: Floats, temperature: float, top_k: int, top_p: float, banned: int
    ) -> Integers:
        """As many tokens as `uniform` [n] has numbers; h [Dh] becomes the state before the last of them."""
        tokens = np.empty(len(uniform), np.int64)
        self._native.draw(h, token, uniform, tokens, temperature, top_k, top_p, banned)
        return tokens

    def draw_each(
        self, h: Floats, tokens: Integers, uniform: Floats, temperature: Floats, top_k: Integers, top_p: Floats,
        banned: Integers,
    ) -> Integers:  # fmt: skip
        """One token of each of B texts; h [B,Dh], the states before `tokens` [B], becomes those after them."""
        drawn = np.empty(len(tokens), np.int64)
        self._native.draw_each(h, tokens, uniform, temperature, top_k, top_p, banned, drawn)
        return drawn


def _axes(name: str, array: NDArray[Any], expected: str) -> tuple[int, ...]:
    """The shape; raises ShapeError unless it has as many axes as `expected` and none is empty."""
    axes = expected.count(",") + 1 if expected.startswith("[") else 2
    if array.ndim != axes or not array.size:
        raise ShapeError.of(name, array.shape, f"{expected}, none of them 0")
    return array.shape


def _float32(name: str, array: Floats, shape: tuple[int, ...]) -> Floats:
    """The array in C order; raises ShapeError unless it has this shape and is float32."""
    if array.shape != shape:
        raise ShapeError.of(name, array.shape, f"{shape}")
    if array.dtype != np.float32:
        raise ShapeError(f"{name} is {array.dtype}, expected float32 as the other operands are")
    return np.ascontiguousarray(array)


def _ids(name: str, ids: Integers, shape: tuple[int, ...], V: int) -> Integers:
    """The ids in C order as int64; raises ShapeError unless they have this shape and are from 0 to V - 1."""
    if ids.shape != shape:
        raise ShapeError.of(name, ids.shape, f"{shape}")
    check_token_ids(name, ids, V)
    return np.ascontiguousarray(ids, np.int64)


def _softmax_operands(h: Floats, U: Floats, b_2: Floats, y: Integers) -> tuple[Floats, Floats, Floats, Integers]:
    N, Dh = _axes("h", h, "[N,Dh]")
    V = len(U)
    if not V:
        raise ShapeError.of("U", U.shape, "[V,Dh], none of them 0")
    return _float32("h", h, (N, Dh)), _float32("U", U, (V, Dh)), _float32("b_2", b_2, (V,)), _ids("y", y, (N,), V)


def _activation(name: str) -> int:
    if name not in CODES:
        raise ConfigError(f"activation is {name!r}; choose one of {', '.join(CODES)}")
    return CODES[name]


def _updatable(w: Floats) -> bool:
    """Whether the native update can write to the array in place."""
    return w.dtype == np.float32 and w.flags.c_contiguous


def _gradient(w: Floats, g: Floats, rows: Integers | None) -> Floats:
    expected = w.shape if rows is None else (len(rows), *w.shape[1:])
    return _float32("g", g, expected)


def _rows(w: Floats, rows: Integers | None) -> Integers | None:
    return None if rows is None else _ids("rows", rows, (len(rows),), len(w))
