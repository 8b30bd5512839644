"""The three hot operations and the update, one file a backend; every backend passes the same tests.

A backend is an array namespace (`xp`) and these functions. The rest of Elman asks for one with
`backend()` and leans on nothing else.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
from functools import cache
from types import ModuleType
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from elman.errors import ConfigError
from elman.kernels.contributions import Contributions
from elman.kernels.devices import chosen_device, on_device
from elman.kernels.groups import Groups
from elman.kernels.numpy_backend import NumpyBackend, threads

__all__ = [
    "Backend", "Contributions", "Groups", "backend", "backend_of", "bf16_is_fast", "chosen_device", "native_built",
    "native_in_use", "on_device", "threads",
]  # fmt: skip

Floats = NDArray[np.floating[Any]]
Doubles = NDArray[np.float64]
Integers = NDArray[np.integer[Any]]


class Backend(Protocol):
    """What a backend answers. Shapes in the letters of the notes; arrays are C-ordered and time-major."""

    @property
    def name(self) -> str:
        """What `elman info` shows."""
        ...

    @property
    def xp(self) -> Any:
        """The array namespace: `numpy`, or one in which what is asked of it has the same name."""
        ...

    def array(self, values: Any, like: Floats | None = None) -> Any:
        """The values as an array of this backend, in the type of `like` where it is given; shared where it can be."""
        ...

    def host(self, array: Any) -> NDArray[Any]:
        """The array as NumPy's, on the host; shared where it can be."""
        ...

    def zeros(self, shape: tuple[int, ...], like: Floats) -> Floats:
        """Zeros in the type of `like`."""
        ...

    def recurrence(self, u: Floats, W_h: Floats, h_0: Floats, activation: str, rows: Integers | None = None) -> Floats:
        """h [T+1,B,Dh] from u = W_e e + b_1 [T,B,Dh]; h[0] = h_0 and h[t+1] = f(W_h h[t] + u[t]).

        With rows [T,B], u is [n,Dh] and u[rows[t,b]] is what sequence b reads at step t.
        """
        ...

    def recurrence_gradient(self, dh: Floats, h: Floats, W_h: Floats, activation: str, cut: float = 0.0) -> Floats:
        """dz [T,B,Dh], with dz[t] = (dh[t] + dz[t+1] W_h) ∘ f'(z[t]), and f' taken from h[t+1].

        cut: the entries of the sum are held within ±cut; 0: they are not.
        """
        ...

    def state_gradient(self, dh: Floats, slope: Doubles, W_h: Floats) -> tuple[Doubles, Doubles, int]:
        """γ, dz [T,B,Dh] and an exponent: γ[t] = dh[t] + dz[t+1] W_h and dz[t] = γ[t] ∘ slope[t], times 2^-exponent.

        In float64 whatever the weights are, and with the slopes themselves: those of saturated units are no zeros.
        """
        ...

    def contributions(self, terms: Contributions) -> tuple[Doubles, Doubles] | None:
        """log2 of the norms and the cosines to the totals, [5,T,T] by name, lag t - i and t; -∞ and 0 where t < i.

        None where this backend has nothing of the kind: the caller then goes lag by lag.
        """
        ...

    def softmax_cross_entropy(
        self, h: Floats, U: Floats, b_2: Floats, y: Integers, scale: float
    ) -> tuple[Floats, Floats, Floats, Floats]:
        """J [N], and scale times the gradients dh [N,Dh], dU [V,Dh], db_2 [V] of the sum of J."""
        ...

    def cross_entropy(self, h: Floats, U: Floats, b_2: Floats, y: Integers) -> Floats:
        """J [N] alone, in nats, in float64; the forward half of `softmax_cross_entropy`."""
        ...

    def cross_entropy_gradient(self, h: Floats, U: Floats, b_2: Floats, y: Integers) -> tuple[Floats, Floats]:
        """J [N], in nats, in float64, and the gradient dh = (ŷ - y) U [N,Dh] of their sum, alone."""
        ...

    def product(
        self, a: Floats, b: Floats, a_transposed: bool = False, b_transposed: bool = False, bias: Floats | None = None
    ) -> Floats:
        """a b [M,N], either one read transposed where asked, plus the bias [N] on every row."""
        ...

    def sum_of_squares(self, x: Floats) -> Any:
        """Σ x² over all of x: a number, on the device where there is one."""
        ...

    def sum_columns(self, x: Floats) -> Floats:
        """Σ over the rows of x [N,n]: [n]."""
        ...

    def group(self, tokens: Integers, V: int) -> Groups:
        """Which of the tokens [N], each under V, are the same."""
        ...

    def sum_rows(self, values: Floats, groups: Any) -> Floats:
        """The sum of each distinct token's rows of values [N,d]: [n,d]; the groups are this backend's own."""
        ...

    def sgd(self, w: Floats, g: Floats, rate: Any, rows: Integers | None = None) -> None:
        """w ← w - rate g, in place; or w[rows] alone, where g has just those rows and none stands twice.

        Nothing is changed where rate is 0, whatever g is.
        """
        ...

    def adam(
        self,
        w: Floats,
        g: Floats,
        m: Floats,
        v: Floats,
        rate: Any,
        beta: tuple[float, float],
        eps: Any,
        scale: Any,
        rows: Integers | None = None,
    ) -> None:
        """Adam's step in place on the gradient scale·g, with moments m and v; ε as in the corrected-rate form.

        rows: of w, m and v these alone, and not those under 0 (Groups.index). A device takes numbers of its own for
        rate, ε and scale, and changes nothing where scale is 0.
        """
        ...

    def counter(self) -> Any:
        """A count that begins at 0: of the steps that a device may leave out by itself, a number of its own."""
        ...

    def dropout_mask(self, shape: tuple[int, ...], rate: float, generator: np.random.Generator, like: Floats) -> Floats:
        """Inverted dropout: each entry 0 or 1/keep, `rate` met to 1/65536; drawn by the generator, or seeded by it."""
        ...

    def sampler(self, inputs: Floats, W_h: Floats, U: Floats, b_2: Floats, activation: str) -> Any:
        """What draws tokens natively (native_backend.Sampler), or None where this backend has nothing of the kind."""
        ...


_NUMPY = NumpyBackend()


@cache
def _native_module() -> ModuleType | None:
    """The native backend's module, set up as the environment says; None where it was not built or not wanted."""
    wanted = os.environ.get("ELMAN_BACKEND", "")
    if wanted not in ("", "native", "numpy"):
        raise ConfigError(f"ELMAN_BACKEND is {wanted!r}; choose native or numpy, or leave it unset")
    if wanted == "numpy":
        return None
    try:
        module = importlib.import_module("elman.kernels.native_backend")
    except ImportError as error:
        if wanted == "native":
            raise ConfigError(
                f"ELMAN_BACKEND is native, but the native kernels are not to be had ({error}): "
                "install Elman where there is a C++ compiler, or leave ELMAN_BACKEND unset"
            ) from error
        return None
    module.use_threads(threads())
    if name := os.environ.get("ELMAN_ISA"):
        module.use_instruction_set(name)
    return module


def native_built() -> bool:
    """Whether this installation has the native kernels, wanted or not."""
    return importlib.util.find_spec("elman.kernels._native") is not None


def native_in_use() -> bool:
    """Whether float32 runs on the native kernels."""
    return _native_module() is not None


def bf16_is_fast() -> bool:
    """Whether this processor multiplies bfloat16 faster than float32, and the native kernels are in use."""
    native = _native_module()
    return native is not None and bool(native.bf16_is_fast())


@cache
def backend(precision: str = "float32", skip_below: float = 0.0) -> Backend:
    """The backend in use: the native one where it was built, else NumPy's.

    precision: bf16 asks for bfloat16 products; skip_below: see NativeBackend. Raises ConfigError where only the
    native backend could do what is asked, and there is none. ELMAN_BACKEND (native, numpy), ELMAN_ISA and
    ELMAN_THREADS in the environment choose among what there is; they are read once.
    """
    native = _native_module()
    if native is not None:
        made: Backend = native.NativeBackend(precision == "bf16", skip_below)
        return made
    for asked, what in ((precision == "bf16", "precision bf16"), (skip_below > 0, "skip-below")):
        if asked:
            raise ConfigError(f"{what} needs the native kernels, which are not in use; `elman info` says why")
    return _NUMPY


def backend_of(array: Any) -> Backend:
    """The backend whose arrays these are: `backend()` of NumPy's, the torch backend of a tensor's device."""
    if isinstance(array, np.ndarray):
        return backend()
    made: Backend = on_device(str(array.device))
    return made
