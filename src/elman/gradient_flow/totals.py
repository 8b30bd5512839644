"""∂J/∂· for the sum J of all losses: what the contributions add up to."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from elman.gradient_flow.sweep import log2_norms
from elman.gradient_flow.trajectory import Doubles, Trajectory
from elman.kernels import backend


@dataclass(frozen=True)
class Totals:
    """∂J/∂·, each times 2^-exponent, float64: W_h [Dh,Dh], W_e [Dh,d], b_1 [Dh], e [T,B,d], h [T,B,Dh].

    `e[i]` and `h[i]` are ∂J/∂e^(i) and ∂J/∂h^(i): sums over the losses t ≥ i. log2_norms: by name, the norm of the
    whole for weights, [1], and of each time step for e and h, [T].
    """

    values: dict[str, Doubles]
    log2_norms: dict[str, Doubles]
    exponent: int

    @classmethod
    def of(cls, way: Trajectory) -> Totals:
        """One backward pass (docs/derivation.md, section 7): dz = (dh^(t) + dz^(t+1) W_h) ∘ σ'(z).

        Back through time in float64; the products over all steps as the parameters are, on rows near 1.
        """
        p, T, N = way.p, way.T, way.T * way.B
        product = backend().product
        h, dz, exponent = backend().state_gradient(way.dh, way.slope, p.W_h)
        size = np.abs(dz).max(axis=(1, 2), initial=0)
        whole, each = _power(size.max()), _power(size)[:, None, None]
        rows = (dz / whole).astype(p.dtype).reshape(N, p.Dh)
        rows_of_step = (dz / each).astype(p.dtype).reshape(N, p.Dh)
        values = {
            "W_h": product(rows, way.h[:-1].reshape(N, p.Dh), a_transposed=True) * whole,
            "W_e": product(rows, way.e.reshape(N, p.d), a_transposed=True) * whole,
            "b_1": dz.sum(axis=(0, 1)),
            "e": product(rows_of_step, p.W_e).reshape(T, way.B, p.d) * each,
            "h": h,
        }
        norms = {
            name: log2_norms(rows, np.full(len(rows), float(exponent)))
            for name, value in values.items()
            for rows in [value if name in ("e", "h") else value[None]]
        }
        return cls(values, norms, exponent)

    def directions(self, name: str) -> Doubles:
        """The total over its norm: of the whole for weights, of each time step for e and h; zeros stay zeros."""
        value = self.values[name]
        norms = np.exp2(self.log2_norms[name] - self.exponent)
        norms[norms == 0] = 1
        result: Doubles = value / norms.reshape(-1, *[1] * (value.ndim - 1))
        return result


def _power(size: Doubles) -> Doubles:
    """The power of two next to it, as long as its inverse is a number; 1 for 0."""
    exponent = np.frexp(size)[1]
    return np.exp2(np.where(size > 0, np.maximum(exponent, -1000), 0).astype(np.float64))
