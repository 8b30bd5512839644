"""What kernels are: the operations on arrays that training and inference spend their time in.

`Kernels` is one object for one kind of array: NumPy arrays (numpy_kernels.py, native_kernels.py) or PyTorch tensors of
one device (torch_kernels.py). The mathematics in model/ calls it and nothing else. Shapes are in the letters of
docs/derivation.md; arrays are time-major and in C order.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from elman.kernels.contributions import Contributions
from elman.kernels.groups import Groups

Floats = NDArray[np.floating[Any]]
Doubles = NDArray[np.float64]
Integers = NDArray[np.integer[Any]]

ContributionsKernel: TypeAlias = Callable[[Contributions], tuple[Doubles, Doubles]]
"""log2 of the norms, and the cosines to the totals: [5,T,T] by name, lag t - i and t; -∞ and 0 where t < lag."""


class Arrays(Protocol):
    """Making and moving arrays."""

    @property
    def name(self) -> str:
        """The name that `elman info` prints."""
        ...

    @property
    def xp(self) -> Any:
        """The array namespace: `numpy` or `torch`."""
        ...

    def array(self, values: Any, like: Floats | None = None) -> Any:
        """The values as an array of these kernels, in the type of `like` if given; memory is shared where possible."""
        ...

    def host(self, array: Any) -> NDArray[Any]:
        """The array as a NumPy array; memory is shared where possible."""
        ...

    def zeros(self, shape: tuple[int, ...], like: Floats) -> Floats:
        """Zeros in the type of `like`."""
        ...

    def counter(self) -> Any:
        """A count that begins at 0: a number, or on a device one that stays there."""
        ...

    def dropout_mask(self, shape: tuple[int, ...], rate: float, generator: np.random.Generator, like: Floats) -> Floats:
        """Inverted dropout: each entry is 0 or 1/keep, with `rate` met to 1/65536; drawn or seeded by the generator."""
        ...


class Operations(Protocol):
    """The recurrence and its gradient, products and sums, and the output layer."""

    def recurrence(self, u: Floats, W_h: Floats, h_0: Floats, activation: str, rows: Integers | None = None) -> Floats:
        """h [T+1,B,Dh] from u = W_e e + b_1 [T,B,Dh]: h[0] = h_0 and h[t+1] = f(W_h h[t] + u[t]).

        With rows [T,B], u is [n,Dh] and u[rows[t,b]] is what sequence b reads at step t.
        """
        ...

    def recurrence_gradient(self, dh: Floats, h: Floats, W_h: Floats, activation: str, cut: float = 0.0) -> Floats:
        """dz [T,B,Dh]: dz[t] = (dh[t] + dz[t+1] W_h) ∘ f'(z[t]), with f' computed from h[t+1].

        cut: the entries of the sum are clipped to ±cut; 0: they are not.
        """
        ...

    def state_gradient(self, dh: Floats, derivative: Doubles, W_h: Floats) -> tuple[Doubles, Doubles, int]:
        """γ, dz [T,B,Dh], each times 2^-exponent: γ[t] = dh[t] + dz[t+1] W_h and dz[t] = γ[t] ∘ derivative[t].

        Float64 for weights of any type. f' is given, since f' from h is 0 for units that are only nearly saturated.
        """
        ...

    def product(
        self, a: Floats, b: Floats, a_transposed: bool = False, b_transposed: bool = False, bias: Floats | None = None
    ) -> Floats:
        """a b [M,N], either factor transposed if asked, plus the bias [N] in every row."""
        ...

    def sum_of_squares(self, x: Floats) -> Any:
        """Σ x² over all of x: a number, on a device one that stays there."""
        ...

    def sum_columns(self, x: Floats) -> Floats:
        """Σ over the rows of x [N,n]: [n]."""
        ...

    def group(self, tokens: Integers, V: int) -> Groups:
        """Which of the tokens [N], each below V, are the same."""
        ...

    def sum_rows(self, values: Floats, groups: Any) -> Floats:
        """The sum of each distinct token's rows of values [N,d]: [n,d]. `groups` are from these kernels."""
        ...

    def softmax_cross_entropy(
        self, h: Floats, U: Floats, b_2: Floats, y: Integers, scale: float
    ) -> tuple[Floats, Floats, Floats, Floats]:
        """J [N] in nats, float64; and scale times the gradients dh [N,Dh], dU [V,Dh], db_2 [V] of the sum of J."""
        ...

    def cross_entropy(self, h: Floats, U: Floats, b_2: Floats, y: Integers) -> Floats:
        """J [N] alone."""
        ...

    def cross_entropy_gradient(self, h: Floats, U: Floats, b_2: Floats, y: Integers) -> tuple[Floats, Floats]:
        """J [N] and the gradient dh = (ŷ - y) U [N,Dh] of the sum of J, without those of the weights."""
        ...


class Updates(Protocol):
    """One step of an optimizer, in place."""

    def sgd(self, w: Floats, g: Floats, rate: Any, rows: Integers | None = None) -> None:
        """w ← w - rate g; or w[rows] alone, where g has only those rows and no row occurs twice.

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
        """Adam on the gradient scale·g, with moments m and v; ε as in the form with a corrected rate.

        rows: only these rows of w, m and v, and none below 0 (Groups.index). rate, ε and scale may be numbers on a
        device; nothing is changed where scale is 0.
        """
        ...


class Sampler(Protocol):
    """Draws tokens from a model."""

    def draw(
        self, h: Floats, token: int, uniform: Floats, temperature: float, top_k: int, top_p: float, banned: int
    ) -> Integers:
        """As many tokens as `uniform` [n] has numbers.

        h [Dh], the state before `token`, becomes the state before the last token drawn. banned: an id that is never
        drawn, or -1.
        """
        ...

    def draw_each(
        self, h: Floats, tokens: Integers, uniform: Floats, temperature: Floats, top_k: Integers, top_p: Floats,
        banned: Integers,
    ) -> Integers:  # fmt: skip
        """One token of each of B texts, the one that `draw` gives that text alone.

        h [B,Dh], the states before `tokens` [B], becomes the states after them. The others are [B], as in `draw`.
        """
        ...


SamplerKernel: TypeAlias = Callable[[Floats, Floats, Floats, Floats, str], Sampler]
"""A sampler from inputs = W_e e + b_1 of every token [V,Dh], W_h, U, b_2 and the activation."""


class Capabilities(Protocol):
    """Operations that only some kernels have; the caller has a slower way."""

    def contributions_kernel(self, dtype: np.dtype[Any]) -> ContributionsKernel | None:
        """All contributions at once, for weights of this type; None if these kernels lack it."""
        ...

    def sampler_kernel(self, dtype: np.dtype[Any]) -> SamplerKernel | None:
        """A sampler in native code, for weights of this type; None if these kernels lack it."""
        ...


class Kernels(Arrays, Operations, Updates, Capabilities, Protocol):
    """All of it."""
