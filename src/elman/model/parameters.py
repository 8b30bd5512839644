"""Parameters and Gradients by the letters of the notes, and how the weights begin."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from elman.config import ACTIVATIONS, DTYPES, ModelConfig
from elman.errors import ConfigError, ShapeError
from elman.kernels import Backend, backend_of
from elman.model.initial import recurrent_weights

Floats = NDArray[np.floating[Any]]
Integers = NDArray[np.integer[Any]]

NAMES = ("E", "W_e", "W_h", "b_1", "U", "b_2")
BLOCK_NUMBERS = 2**20


@dataclass
class Parameters:
    """The six weights of the network, and which function σ stands for.

    E [V,d] (the notes' E is its transpose: here a token is a row) · W_e [Dh,d] · W_h [Dh,Dh] · b_1 [Dh] ·
    U [V,Dh] · b_2 [V]. With tied weights U *is* E, the same array.

    Raises ShapeError where shapes or types disagree, ConfigError for an unknown activation.
    """

    E: Floats
    W_e: Floats
    W_h: Floats
    b_1: Floats
    U: Floats
    b_2: Floats
    activation: str = "sigmoid"

    def __post_init__(self) -> None:
        if self.activation not in ACTIVATIONS:
            raise ConfigError(f"activation is {self.activation!r}; choose one of {', '.join(ACTIVATIONS)}")
        (V, d), Dh = self.E.shape, len(self.W_h)
        expected = shapes(V, d, Dh)
        for name, array in self.items():
            if array.shape != expected[name]:
                raise ShapeError.of(name, array.shape, f"{expected[name]} with V={V}, d={d}, Dh={Dh}")
            if array.dtype != self.E.dtype:
                raise ShapeError(f"{name} is {array.dtype}, expected {self.E.dtype} as E is")

    @classmethod
    def initialise(
        cls,
        V: int,
        d: int,
        Dh: int,
        *,
        activation: str = "sigmoid",
        tie: bool = False,
        seed: int | np.random.Generator = 0,
        dtype: str = "float32",
        init: str = "orthogonal",
        spectral_radius: float | None = None,
        init_scale: float = 0.3,
    ) -> Parameters:
        """Weights to begin with: E and U uniform in ±init_scale, biases 0, W_e Glorot-uniform, W_h as `init` says.

        `spectral_radius` scales W_h (model/initial.py). With sigmoid, σ' is at most 1/4, so W_h and W_e begin at twice
        their size: still safe from explosion (σ_max < 4), and less quick to vanish.
        Raises ConfigError where a choice or a size is not to be had.
        """
        ModelConfig(V=V, d=d, Dh=Dh, activation=activation, tie=tie)  # type: ignore[arg-type]  # checks them all
        if dtype not in DTYPES:
            raise ConfigError(f"dtype is {dtype!r}; choose one of {', '.join(DTYPES)}")
        generator = np.random.default_rng(seed)
        gain = 2.0 if activation == "sigmoid" else 1.0

        def uniform(bound: float, rows: int, width: int) -> Floats:
            drawn = np.empty((rows, width), dtype)
            step = max(1, BLOCK_NUMBERS // width)  # drawn in float64, so a block at a time; the numbers are the same
            for k in range(0, rows, step):
                block = drawn[k : k + step]
                block[...] = generator.uniform(-bound, bound, block.shape)
            return drawn

        E = uniform(init_scale, V, d)
        W_e = uniform(gain * float(np.sqrt(6 / (d + Dh))), Dh, d)
        W_h = np.ascontiguousarray(recurrent_weights(init, Dh, gain, spectral_radius, generator), dtype)
        U = E if tie else uniform(init_scale, V, Dh)
        return cls(E, W_e, W_h, np.zeros(Dh, dtype), U, np.zeros(V, dtype), activation)

    @property
    def V(self) -> int:
        """Number of tokens."""
        return int(self.E.shape[0])

    @property
    def d(self) -> int:
        """Size of an embedding."""
        return int(self.E.shape[1])

    @property
    def Dh(self) -> int:
        """Number of hidden units."""
        return int(self.W_h.shape[0])

    @property
    def tied(self) -> bool:
        """Whether U is E."""
        return self.U is self.E

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of every weight, as NumPy names it."""
        return backend_of(self.E).host(self.E[:0]).dtype

    @property
    def count(self) -> int:
        """How many numbers are learnt, a shared one counted once."""
        return sum(math.prod(array.shape) for _, array in self.distinct())

    def items(self) -> Iterator[tuple[str, Floats]]:
        """The six, by name."""
        for name in NAMES:
            yield name, getattr(self, name)

    def distinct(self) -> Iterator[tuple[str, Floats]]:
        """Every array once: without E where it is tied to U."""
        return ((name, array) for name, array in self.items() if not (name == "E" and self.tied))

    @classmethod
    def from_distinct(cls, arrays: Mapping[str, Floats], activation: str) -> Parameters:
        """The inverse of `distinct`: where E is missing, it is U."""
        return cls(**{name: arrays.get(name, arrays["U"]) for name in NAMES}, activation=activation)

    def astype(self, dtype: str) -> Parameters:
        """The same weights in another precision; itself where nothing changes."""
        if self.dtype == np.dtype(dtype):
            return self
        kernels = backend_of(self.E)
        arrays = {name: kernels.array(kernels.host(a).astype(dtype)) for name, a in self.distinct()}
        return Parameters.from_distinct(arrays, self.activation)

    def on(self, kernels: Backend) -> Parameters:
        """A copy of the weights as arrays of this backend: on its device."""
        host = backend_of(self.E).host
        arrays = {name: kernels.array(host(a).copy()) for name, a in self.distinct()}
        return Parameters.from_distinct(arrays, self.activation)

    def initial_state(self, B: int) -> Floats:
        """h^(0) = 0, [B,Dh]."""
        return backend_of(self.W_h).zeros((B, self.Dh), self.W_h)


@dataclass
class Rows:
    """A gradient that is zero but for some rows: `values[k]` belongs to row `index[k]`; no row stands twice.

    index [n], as in `Groups`: a row under 0 is one that nothing came to · values [n,d] · shape (V, d), the whole's.
    """

    index: Integers
    values: Floats
    shape: tuple[int, int]

    def dense(self) -> Floats:
        """The whole [V,d] array."""
        whole = backend_of(self.values).zeros(self.shape, self.values)
        whole[self.index] = self.values
        return whole


@dataclass
class Gradients:
    """∂J/∂ each parameter, in the parameter's shape; and h_0 [B,Dh].

    E is `Rows`. With tied weights E and U are one array: then U is the total and E is None.
    """

    E: Rows | None
    W_e: Floats
    W_h: Floats
    b_1: Floats
    U: Floats
    b_2: Floats
    h_0: Floats

    def distinct(self) -> Iterator[tuple[str, Floats | Rows]]:
        """The gradient of each of `Parameters.distinct`, in its order."""
        for name in NAMES:
            value = getattr(self, name)
            if value is not None:
                yield name, value

    def norm(self, kernels: Backend | None = None) -> float:
        """The Euclidean norm over all of them together; not finite where any entry is not."""
        return float(np.sqrt(float(self.sum_of_squares(kernels or backend_of(self.W_h)))))

    def sum_of_squares(self, kernels: Backend) -> Any:
        """The square of the norm, where the gradients are: on a device nothing waits for it."""
        return sum(map(kernels.sum_of_squares, self.arrays()))

    def arrays(self) -> Iterator[Floats]:
        """What `distinct` has, as arrays: of E the rows that are there."""
        return (value.values if isinstance(value, Rows) else value for _, value in self.distinct())


def shapes(V: int, d: int, Dh: int) -> dict[str, tuple[int, ...]]:
    """The shape of every parameter, by name."""
    return {"E": (V, d), "W_e": (Dh, d), "W_h": (Dh, Dh), "b_1": (Dh,), "U": (V, Dh), "b_2": (V,)}
