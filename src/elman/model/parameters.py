"""Parameters and Gradients by the letters of docs/derivation.md, and how the weights begin."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from html import escape
from itertools import accumulate
from typing import Any

import numpy as np
from numpy.typing import NDArray

from elman.arguments import SEED, WHOLE_FROM_0, require, require_array
from elman.config import ACTIVATIONS, DTYPES, SCALE, ModelConfig
from elman.errors import ConfigError, ShapeError
from elman.kernels import Kernels, host_kernels
from elman.model import embedding, layer
from elman.model.embedding import Embedding, Rows
from elman.model.initial import recurrent_weights
from elman.model.layer import RecurrentLayer
from elman.model.output import adaptive, full
from elman.model.output.adaptive import AdaptiveOutput
from elman.model.output.full import FullOutput
from elman.model.output.gradients import TailWeights
from elman.notebook_html import block, figure, in_wanted_language, label
from elman.representation import short_repr
from elman.translation import joined

Floats = NDArray[np.floating[Any]]

NAMES = ("E", "W_e", "W_h", "b_1", "U", "b_2")
BLOCK_NUMBERS = 2**20
_LETTERS = {"E": "V,d", "W_e": "Dh,d", "W_h": "Dh,Dh", "b_1": "Dh", "U": "V,Dh", "b_2": "V"}
_LETTERS_OF = {"layers": _LETTERS | {"W_e": "Dh,Dh"}, "tails": {"P": "D,Dh", "U": "n,D", "b_2": "n"}}


@dataclass(slots=True)
class LayerWeights:
    """The weights of a recurrent layer above the first, or their gradients: W_e [Dh,Dh], W_h [Dh,Dh], b_1 [Dh].

    W_e reads h of the layer below, as that of the first layer reads e.
    """

    W_e: Floats
    W_h: Floats
    b_1: Floats

    __repr__ = short_repr


def _named(above: Sequence[LayerWeights], tails: Sequence[TailWeights]) -> Iterator[tuple[str, Floats]]:
    """The arrays of the layers above the first and of the tails by their names in files: `layers.1.W_e`, `tails.1.P`"""
    kinds: tuple[tuple[str, Sequence[LayerWeights | TailWeights]], ...] = (("layers", above), ("tails", tails))
    for kind, parts in kinds:
        for number, weights in enumerate(parts, 1):
            for letter in fields(weights):
                yield f"{kind}.{number}.{letter.name}", getattr(weights, letter.name)


@dataclass
class Parameters:
    """The weights of the network, the name of σ, and the kernels that compute with them.

    E [V,d] (the derivation's E is its transpose: here a token is a row) · W_e [Dh,d] · W_h [Dh,Dh] · b_1 [Dh] ·
    U [V,Dh] · b_2 [V]. With tied weights U *is* E, the same array. above: the weights of further layers, from the
    second up (derivation, section 11); skip: what is read of such a layer is its h plus those of the layers below.
    tails: of an adaptive output layer (section 12), whose U [C,Dh] and b_2 [C] are those of its head. kernels: by
    default those for NumPy arrays.

    The state h of a network is [B,Dh], or [B,n·Dh] with n layers: each layer's h, the first layer's first.

    Raises ShapeError where shapes or types disagree, ConfigError for an unknown activation.
    """

    E: Floats
    W_e: Floats
    W_h: Floats
    b_1: Floats
    U: Floats
    b_2: Floats
    activation: str = "sigmoid"
    above: Sequence[LayerWeights] = ()
    tails: Sequence[TailWeights] = ()
    skip: bool = field(default=False, kw_only=True)
    kernels: Kernels = field(default_factory=host_kernels, kw_only=True, repr=False, compare=False)

    __repr__ = short_repr

    @in_wanted_language
    def _repr_html_(self) -> str:
        """For notebooks: every array with its shape and the size of its entries."""
        cells = "".join(
            f"<tr><td>{escape(name)}</td><td>{escape(f'{list(array.shape)}')}</td>"
            f'<td class="elman-number">{figure(float(np.abs(self.kernels.host(array)).mean()))}</td></tr>'
            for name, array in self.distinct()
        )
        names = label("array"), label("shape"), label("mean size of an entry")
        head = f"<tr>{''.join(f'<th>{name}</th>' for name in names)}</tr>"
        title = joined((label(f"{self.count:,} parameters"), f"{self.dtype}", self.activation))
        title = joined((title, label("E is U"))) if self.tied else title
        return block(title, f"<table>{head}{cells}</table>")

    def __post_init__(self) -> None:
        if self.activation not in ACTIVATIONS:
            raise ConfigError(f"activation is {self.activation!r}; choose one of {', '.join(ACTIVATIONS)}")
        for name, array in self.items():
            kind, _, letter = name.partition(".")
            letters = _LETTERS_OF[kind][letter.split(".")[-1]] if letter else _LETTERS[name]
            require_array(name, array, f"[{letters}]")
            if len(array.shape) != len(letters.split(",")):
                raise ShapeError.of(name, tuple(array.shape), f"[{letters}]")
            if getattr(array.dtype, "kind", "f") not in "fc":
                raise ShapeError(f"{name} is {array.dtype}, expected float32 or float64")
        (V, d), Dh = self.E.shape, len(self.W_h)
        expected = shapes(V, d, Dh, self.depth, self.cutoffs) | self._widths()
        for name, array in self.items():
            if array.shape != expected[name]:
                raise ShapeError.of(name, array.shape, f"{expected[name]} with V={V}, d={d}, Dh={Dh}")
            if array.dtype != self.E.dtype:
                raise ShapeError(f"{name} is {array.dtype}, expected {self.E.dtype} as E is")
        if self.tails and (divided := self.cutoffs[-1] + len(self.tails[-1].U)) != V:
            raise ShapeError(f"the head and the tails have {divided:,} tokens, expected {V:,} as E has")

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
        layers: int = 1,
        skip: bool = False,
        cutoffs: Sequence[int] = (),
    ) -> Parameters:
        """Initial weights: E and U uniform in ±init_scale, biases 0, W_e Glorot-uniform, W_h by `init` (initial.py).

        cutoffs: of an adaptive output layer, where its head ends, and each tail but the last, in the vocabulary; P is
        Glorot-uniform, U of a tail as U. `spectral_radius` scales W_h. With sigmoid, σ' is at most 1/4, so W_h and W_e
        begin twice as large: still safe from explosion (σ_max < 4), and slower to vanish. Raises ConfigError for a
        choice or a size that is not possible.
        """
        output = {"output": "adaptive", "cutoffs": ",".join(map(str, cutoffs))} if cutoffs else {}
        ModelConfig(V, d, Dh, activation, tie, layers, skip, **output)  # type: ignore[arg-type]  # checks all of them
        if dtype not in DTYPES:
            raise ConfigError(f"dtype is {dtype!r}; choose one of {', '.join(DTYPES)}")
        if not isinstance(seed, np.random.Generator):
            require("seed", seed, int, SEED)
        require("init-scale", init_scale, float, SCALE)
        if spectral_radius is not None:
            require("spectral-radius", spectral_radius, float, SCALE)
        generator = np.random.default_rng(seed)
        gain = 2.0 if activation == "sigmoid" else 1.0

        def uniform(bound: float, rows: int, width: int) -> Floats:
            drawn = np.empty((rows, width), dtype)
            step = max(
                1, BLOCK_NUMBERS // width
            )  # drawn in float64: a block at a time needs less memory and draws the same
            for k in range(0, rows, step):
                block = drawn[k : k + step]
                block[...] = generator.uniform(-bound, bound, block.shape)
            return drawn

        def layer_of(inputs: int) -> LayerWeights:
            W_e = uniform(gain * float(np.sqrt(6 / (inputs + Dh))), Dh, inputs)
            W_h = np.ascontiguousarray(recurrent_weights(init, Dh, gain, spectral_radius, generator), dtype)
            return LayerWeights(W_e, W_h, np.zeros(Dh, dtype))

        E = uniform(init_scale, V, d)
        first, *above = layer_of(d), *(layer_of(Dh) for _ in range(layers - 1))
        sizes = shapes(V, d, Dh, cutoffs=cutoffs)
        U = E if tie else uniform(init_scale, *sizes["U"])
        b_2 = np.zeros(sizes["b_2"], dtype)
        tails = []
        for number in range(1, len(cutoffs) + 1):
            (D, _), (n, _) = sizes[f"tails.{number}.P"], sizes[f"tails.{number}.U"]
            P = uniform(float(np.sqrt(6 / (Dh + D))), D, Dh)
            tails.append(TailWeights(P, uniform(init_scale, n, D), np.zeros(n, dtype)))
        return cls(E, first.W_e, first.W_h, first.b_1, U, b_2, activation, above, tails, skip=skip)

    def grown(self, n: int) -> Parameters:
        """The same network with n more tokens, each of which is the average token (Hewitt 2021).

        Their rows of E and U and entries of b_2 are the means, so that the logit of a new token is the mean logit. The
        old tokens keep their ratios; the new ones take at most n / (V + n) of the probability, as the exponential of a
        mean is at most the mean of the exponentials. With an adaptive output layer they are tokens of its last tail,
        and the average of that. Raises ConfigError for an n under 0.
        """
        require("n", n, int, WHOLE_FROM_0)

        def with_means(w: Floats) -> Floats:
            mean = w.mean(axis=0, dtype=np.float64)
            return np.concatenate([w, np.broadcast_to(mean, (n, *w.shape[1:]))]).astype(w.dtype)

        last = f"tails.{len(self.tails)}." if self.tails else ""
        by_token = ("E", f"{last}U", f"{last}b_2")
        arrays = {name: with_means(w) if name in by_token else w.copy() for name, w in self.distinct()}
        return self.with_arrays(arrays)

    @property
    def embedding(self) -> Embedding:
        """The first part of the network."""
        return Embedding(self.E, self.kernels)

    @property
    def layers(self) -> list[RecurrentLayer]:
        """The second part: a stack of recurrent layers, mostly one."""
        weights = (LayerWeights(self.W_e, self.W_h, self.b_1), *self.above)
        return [RecurrentLayer(w.W_e, w.W_h, w.b_1, self.activation, self.kernels) for w in weights]

    @property
    def output(self) -> FullOutput | AdaptiveOutput:
        """The last part."""
        if self.tails:
            return AdaptiveOutput(self.U, self.b_2, self.tails, self.kernels)
        return FullOutput(self.U, self.b_2, self.kernels)

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
        """Number of hidden units of a layer."""
        return int(self.W_h.shape[0])

    @property
    def depth(self) -> int:
        """Number of recurrent layers."""
        return 1 + len(self.above)

    @property
    def cutoffs(self) -> tuple[int, ...]:
        """Where the head of an adaptive output layer ends, and each tail but the last, in the vocabulary; else ()."""
        if not self.tails:
            return ()
        sizes = [int(tail.U.shape[0]) for tail in self.tails[:-1]]
        return tuple(accumulate(sizes, initial=int(self.U.shape[0]) - len(self.tails)))

    @property
    def state_size(self) -> int:
        """Numbers in the state of one sequence: the hidden units of all layers."""
        return self.Dh * self.depth

    @property
    def tied(self) -> bool:
        """Whether U is E."""
        return self.U is self.E

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of every weight, as NumPy names it."""
        return self.kernels.host(self.E[:0]).dtype

    @property
    def count(self) -> int:
        """How many numbers are learnt; those of tied weights count once."""
        return sum(math.prod(array.shape) for _, array in self.distinct())

    def items(self) -> Iterator[tuple[str, Floats]]:
        """Every weight by name, those of layers above the first after the six letters."""
        for name in NAMES:
            yield name, getattr(self, name)
        yield from _named(self.above, self.tails)

    def distinct(self) -> Iterator[tuple[str, Floats]]:
        """Every array once: without E if it is tied to U."""
        return ((name, array) for name, array in self.items() if not (name == "E" and self.tied))

    @classmethod
    def from_distinct(
        cls, arrays: Mapping[str, Floats], activation: str, kernels: Kernels | None = None, *, skip: bool = False
    ) -> Parameters:  # fmt: skip
        """The inverse of `distinct`: if E is missing, it is U. kernels: None for those of NumPy arrays."""
        by_name = {name: arrays.get(name, arrays["U"]) for name in NAMES}
        parts: dict[str, dict[int, dict[str, Floats]]] = {"layers": {}, "tails": {}}
        for name, array in arrays.items():
            if name not in NAMES:
                kind, number, letter = name.split(".")
                parts[kind].setdefault(int(number), {})[letter] = array
        above = [LayerWeights(**weights) for _, weights in sorted(parts["layers"].items())]
        tails = [TailWeights(**weights) for _, weights in sorted(parts["tails"].items())]
        kernels = kernels or host_kernels()
        return cls(**by_name, activation=activation, above=above, tails=tails, skip=skip, kernels=kernels)

    def astype(self, dtype: str) -> Parameters:
        """The same weights in another precision; the same object if nothing changes."""
        if self.dtype == np.dtype(dtype):
            return self
        host, array = self.kernels.host, self.kernels.array
        arrays = {name: array(host(a).astype(dtype)) for name, a in self.distinct()}
        return self.with_arrays(arrays)

    def on(self, kernels: Kernels) -> Parameters:
        """A copy of the weights as arrays of these kernels: on their device."""
        arrays = {name: kernels.array(self.kernels.host(a).copy()) for name, a in self.distinct()}
        return self.with_arrays(arrays, kernels)

    def with_arrays(self, arrays: Mapping[str, Floats], kernels: Kernels | None = None) -> Parameters:
        """The same network with other arrays, named as in `distinct`; kernels: None for its own."""
        return Parameters.from_distinct(arrays, self.activation, kernels or self.kernels, skip=self.skip)

    def with_kernels(self, kernels: Kernels) -> Parameters:
        """The same arrays, shared, computed with other kernels for arrays of this kind."""
        return self if kernels is self.kernels else replace(self, kernels=kernels)

    def _widths(self) -> dict[str, tuple[int, ...]]:
        """The shapes of the tails' weights; how many units each has is its own choice."""
        found: dict[str, tuple[int, ...]] = {}
        for number, tail in enumerate(self.tails, 1):
            found |= adaptive.tail_shapes(number, n=tail.U.shape[0], D=tail.P.shape[0], Dh=self.Dh)
        return found

    def initial_state(self, B: int) -> Floats:
        """h^(0) = 0, [B,Dh]; of n layers [B,n·Dh]."""
        return self.kernels.zeros((B, self.state_size), self.W_h)


@dataclass
class Gradients:
    """∂J/∂· of each parameter, in its shape; of the state h_0 [B,Dh]; and the kernels that computed them.

    E is `Rows`, and so are U and b_2 of a sampled loss. With tied weights E and U are one array: then U is the total
    and E is None. above: those of the layers above the first. tails: those of an adaptive output layer.
    """

    E: Rows | None
    W_e: Floats
    W_h: Floats
    b_1: Floats
    U: Floats | Rows
    b_2: Floats | Rows
    h_0: Floats
    above: Sequence[LayerWeights] = ()
    tails: Sequence[TailWeights] = ()
    kernels: Kernels = field(default_factory=host_kernels, kw_only=True, repr=False, compare=False)

    __repr__ = short_repr

    def distinct(self) -> Iterator[tuple[str, Floats | Rows]]:
        """The gradient of each of `Parameters.distinct`, in its order."""
        for name in NAMES:
            value = getattr(self, name)
            if value is not None:
                yield name, value
        yield from _named(self.above, self.tails)

    def norm(self) -> float:
        """The Euclidean norm over all of them together; not finite if any entry is not."""
        return float(np.sqrt(float(self.sum_of_squares())))

    def sum_of_squares(self) -> Any:
        """The square of the norm, where the gradients are: on a device nothing waits for it."""
        return sum(map(self.kernels.sum_of_squares, self.arrays()))

    def arrays(self) -> Iterator[Floats]:
        """Those of `distinct`, as arrays: of E its rows."""
        return (value.values if isinstance(value, Rows) else value for _, value in self.distinct())


def shapes(V: int, d: int, Dh: int, layers: int = 1, cutoffs: Sequence[int] = ()) -> dict[str, tuple[int, ...]]:
    """The shape of every parameter, by name; cutoffs as in `Parameters.cutoffs`."""
    above = {f"layers.{n}.{name}": shape for n in range(1, layers) for name, shape in layer.shapes(Dh, Dh).items()}
    output = adaptive.shapes(V, Dh, cutoffs) if cutoffs else full.shapes(V, Dh)
    return embedding.shapes(V, d) | layer.shapes(d, Dh) | output | above
