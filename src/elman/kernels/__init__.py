"""The three hot operations and the update, one file a backend; every backend passes the same tests.

A backend is an array namespace (`xp`) and these functions. The rest of Elman asks for one with
`backend()` and leans on nothing else.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from elman.kernels.numpy_backend import NumpyBackend

Floats = NDArray[np.floating[Any]]
Integers = NDArray[np.integer[Any]]


class Backend(Protocol):
    """What a backend answers. Shapes in the letters of the notes; arrays are C-ordered and time-major."""

    @property
    def name(self) -> str:
        """What `elman info` shows."""
        ...

    @property
    def xp(self) -> Any:
        """The array namespace: `numpy`, or one that speaks like it."""
        ...

    def recurrence(self, u: Floats, W_h: Floats, h_0: Floats, activation: str) -> Floats:
        """h [T+1,B,Dh] from u = W_e e + b_1 [T,B,Dh]; h[0] = h_0 and h[t+1] = f(W_h h[t] + u[t])."""
        ...

    def recurrence_gradient(self, dh: Floats, h: Floats, W_h: Floats, activation: str) -> Floats:
        """dz [T,B,Dh], with dz[t] = (dh[t] + dz[t+1] W_h) ∘ f'(z[t]), and f' taken from h[t+1]."""
        ...

    def softmax_cross_entropy(
        self, h: Floats, U: Floats, b_2: Floats, y: Integers, scale: float
    ) -> tuple[Floats, Floats, Floats, Floats]:
        """J [N], and scale times the gradients dh [N,Dh], dU [V,Dh], db_2 [V] of the sum of J."""
        ...

    def cross_entropy(self, h: Floats, U: Floats, b_2: Floats, y: Integers) -> Floats:
        """J [N] alone, in nats, in float64; the forward half of `softmax_cross_entropy`."""
        ...

    def sgd(self, w: Floats, g: Floats, rate: float) -> None:
        """w ← w - rate g, in place."""
        ...

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
    ) -> None:
        """Adam's step in place on the gradient scale·g, with moments m and v; ε as in the corrected-rate form."""
        ...


_NUMPY = NumpyBackend()


def backend() -> Backend:
    """The backend in use."""
    return _NUMPY
