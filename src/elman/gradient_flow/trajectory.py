"""The forward pass, with what the lens needs of it: the states, σ' as logarithms, and the error of each loss.

Time steps count from 0 here, as arrays do: `h[i + 1]`, `z[i]` and `e[i]` are h^(i+1), z^(i+1) and e^(i+1) of
docs/derivation.md, and `h[0]` is h^(0).

Of a stack of layers a trajectory has one: its weights, its states, and as e what it reads, which above the first layer
is h of the layer below (with skip connections the sum of all h below). Errors reach it from the layers above, so each
trajectory has the one above it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from elman.errors import ConfigError, ShapeError
from elman.model.activations import FUNCTIONS
from elman.model.layer import RecurrentLayer
from elman.model.network import checked, hidden_states
from elman.model.parameters import Parameters
from elman.representation import short_repr

Floats = NDArray[np.floating[Any]]
Doubles = NDArray[np.float64]
Integers = NDArray[np.integer[Any]]

LARGEST_SLOPE = {name: f.largest for name, f in FUNCTIONS.items()}
"""The largest value of σ'."""


@dataclass(frozen=True)
class Trajectory:
    """The states of one layer of parameters p that read x, and the losses of predicting y.

    x, y        int [T,B]
    e           [T,B,d]; above the first layer h of the layer below, [T,B,Dh]
    h           [T+1,B,Dh]
    log2_slope  [T,B,Dh], float64: log2 σ'(z), -∞ where σ' is 0
    dh          [T,B,Dh]: δ1 U, what the output layer makes of ∂J^(t)/∂h^(t); 0 where it does not read this layer
    J           [T], float64: each loss, summed over the batch, in nats
    number      the layer's, from 0
    above       the trajectory of the layer above; None for the last
    """

    p: Parameters
    x: Integers
    y: Integers
    e: Floats
    h: Floats
    log2_slope: Doubles
    dh: Floats
    J: Doubles
    number: int = 0
    above: Trajectory | None = None

    __repr__ = short_repr

    @classmethod
    def of(cls, p: Parameters, x: Integers, y: Integers, h_0: Floats | None = None, layer: int = 0) -> Trajectory:
        """The forward pass, shown for one layer. h_0 is [B,Dh] (a state of `Parameters`), or None for zeros.

        Raises ConfigError for a layer that p does not have, ShapeError for shapes, types or token ids that do not match
        p, and where the states overflow.
        """
        h_0 = checked(p, x, y, h_0)
        if isinstance(layer, bool) or not isinstance(layer, int) or not 0 <= layer < p.depth:
            layers = f"a number from 0 to {p.depth - 1}" if p.above else "0, as the network has one layer"
            raise ConfigError(f"layer is {layer!r}; it must be {layers}")
        T = len(x)
        with np.errstate(over="ignore", invalid="ignore"):
            forward = hidden_states(p, x, h_0)
        for h in forward.states:
            if not np.isfinite(h[-1]).all() or not np.isfinite(h).all():
                step = int(np.argmin(np.isfinite(h).all(axis=(1, 2))))
                raise ShapeError(
                    f"h is not finite from time step {step} of {T} on in {p.dtype}, expected finite states: "
                    "shorten the text or use float64"
                )
        h_out = forward.h_out.reshape(-1, p.Dh)
        J, dh = p.output.gradient(h_out, y.reshape(-1))
        dh, J = dh.reshape(*x.shape, p.Dh), J.reshape(y.shape).sum(axis=1)
        above: Trajectory | None = None
        for n in range(p.depth - 1, layer - 1, -1):
            read, h = forward.inputs[n], forward.states[n]
            e = read.e.reshape(T, -1, p.Dh) if read.rows is None else read.e[read.rows]  # what layer n reads  [T,B,d]
            own = dh if above is None or p.skip else np.zeros_like(dh)  # with skip connections it reads every layer
            above = cls(p, x, y, e, h, _log2_slope(p.layers[n], e, h), own, J, n, above)
        assert above is not None, "p has layers"
        return above

    @property
    def weights(self) -> RecurrentLayer:
        """The layer's W_e [Dh,d], W_h [Dh,Dh] and b_1 [Dh]."""
        return self.p.layers[self.number]

    @property
    def T(self) -> int:
        """Number of time steps."""
        return len(self.x)

    @property
    def B(self) -> int:
        """Number of sequences."""
        return int(self.x.shape[1])

    @property
    def slope(self) -> Doubles:
        """σ'(z), [T,B,Dh]."""
        result: Doubles = np.exp2(self.log2_slope)
        return result


def _log2_slope(layer: RecurrentLayer, e: Floats, h: Floats) -> Doubles:
    """log2 σ'(z), [T,B,Dh], computed from z: h∘(1-h) and 1-h∘h round to 0 long before σ' is 0."""
    log2_derivative = FUNCTIONS[layer.activation].log2_derivative
    if layer.activation == "relu":
        return log2_derivative(h[1:])  # h > 0 where z > 0
    product = layer.kernels.product
    z = product(h[:-1].reshape(-1, h.shape[-1]), layer.W_h, b_transposed=True)  # z = W_h h^(t-1) + W_e e + b_1
    z += product(e.reshape(-1, e.shape[-1]), layer.W_e, b_transposed=True, bias=layer.b_1)  # [T·B,Dh]
    return log2_derivative(z.reshape(h[1:].shape))
