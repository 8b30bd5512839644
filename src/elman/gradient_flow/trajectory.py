"""The forward pass, with what the lens needs of it: the states, σ' as logarithms, and the error of each loss.

Time steps count from 0 here, as arrays do: `h[i + 1]`, `z[i]` and `e[i]` are h^(i+1), z^(i+1) and e^(i+1) of
docs/derivation.md, and `h[0]` is h^(0).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from elman.errors import ConfigError, ShapeError
from elman.model.activations import FUNCTIONS
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
    """The states of parameters p that read x from the state h[0] on, and the losses of predicting y.

    x, y        int [T,B]
    e           [T,B,d]
    h           [T+1,B,Dh]
    log2_slope  [T,B,Dh], float64: log2 σ'(z), -∞ where σ' is 0
    dh          [T,B,Dh]: ∂J^(t)/∂h^(t) = δ1 U
    J           [T], float64: each loss, summed over the batch, in nats
    """

    p: Parameters
    x: Integers
    y: Integers
    e: Floats
    h: Floats
    log2_slope: Doubles
    dh: Floats
    J: Doubles

    __repr__ = short_repr

    @classmethod
    def of(cls, p: Parameters, x: Integers, y: Integers, h_0: Floats | None = None) -> Trajectory:
        """The forward pass. h_0 is [B,Dh], or None for zeros.

        Raises ConfigError for a network of several layers, ShapeError for shapes, types or token ids that do not match
        p, and where the states overflow.
        """
        if isinstance(p, Parameters) and p.above:
            raise ConfigError(
                f"the gradient flow is shown for one recurrent layer, and this network has {p.depth}: "
                "train one with --layers 1"
            )
        h_0 = checked(p, x, y, h_0)
        T = len(x)
        with np.errstate(over="ignore", invalid="ignore"):
            forward = hidden_states(p, x, h_0)
        h, e = forward.h, forward.embedded.e[forward.embedded.rows]  # x are tokens: rows are known       [T,B,d]
        if not np.isfinite(h[-1]).all() or not np.isfinite(h).all():
            step = int(np.argmin(np.isfinite(h).all(axis=(1, 2))))
            raise ShapeError(
                f"h is not finite from time step {step} of {T} on in {p.dtype}, expected finite states: "
                "shorten the text or use float64"
            )
        J, dh = p.kernels.cross_entropy_gradient(h[1:].reshape(-1, p.Dh), p.U, p.b_2, y.reshape(-1))
        return cls(p, x, y, e, h, _log2_slope(p, e, h), dh.reshape(h[1:].shape), J.reshape(y.shape).sum(axis=1))

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


def _log2_slope(p: Parameters, e: Floats, h: Floats) -> Doubles:
    """log2 σ'(z), [T,B,Dh], computed from z: h∘(1-h) and 1-h∘h round to 0 long before σ' is 0."""
    log2_derivative = FUNCTIONS[p.activation].log2_derivative
    if p.activation == "relu":
        return log2_derivative(h[1:])  # h > 0 where z > 0
    product = p.kernels.product
    z = product(h[:-1].reshape(-1, p.Dh), p.W_h, b_transposed=True)  # z = W_h h^(t-1) + W_e e + b_1     [T·B,Dh]
    z += product(e.reshape(-1, p.d), p.W_e, b_transposed=True, bias=p.b_1)
    return log2_derivative(z.reshape(h[1:].shape))
