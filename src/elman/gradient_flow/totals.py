"""∂J/∂· for the sum J of all losses: what the contributions add up to."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from elman.gradient_flow.trajectory import Doubles, Trajectory

LIMIT = 2.0**300
"""Beyond this everything is scaled down, so that a total may be larger than a float64 can be."""


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
        """One backward pass (docs/derivation.md, section 7): dz = (dh^(t) + dz^(t+1) W_h) ∘ σ'(z)."""
        p, T, N = way.p, way.T, way.T * way.B
        W_h, W_e = p.W_h.astype(np.float64), p.W_e.astype(np.float64)
        slope, h = way.slope, way.dh.astype(np.float64)
        dz = np.empty_like(h)
        exponent = 0
        for t in range(T - 1, -1, -1):
            if t < T - 1:
                h[t] += dz[t + 1] @ W_h  # ∂J/∂h^(t) = dh^(t) + dz^(t+1) W_h
            np.multiply(h[t], slope[t], out=dz[t])
            if np.abs(h[t]).max() > LIMIT:
                h /= LIMIT
                dz[t:] /= LIMIT
                exponent += 300
        rows = dz.reshape(N, p.Dh)
        values = {
            "W_h": rows.T @ way.h[:-1].reshape(N, p.Dh),
            "W_e": rows.T @ way.e.reshape(N, p.d),
            "b_1": rows.sum(axis=0),
            "e": dz @ W_e,
            "h": h,
        }
        norms: dict[str, Doubles] = {}
        with np.errstate(divide="ignore"):
            for name, value in values.items():
                each = value.reshape(T if name in ("e", "h") else 1, -1)
                norms[name] = np.log2(np.linalg.norm(each, axis=1)) + exponent
        return cls(values, norms, exponent)

    def directions(self, name: str) -> Doubles:
        """The total over its norm: of the whole for weights, of each time step for e and h; zeros stay zeros."""
        value = self.values[name]
        norms = np.exp2(self.log2_norms[name] - self.exponent)
        norms[norms == 0] = 1
        result: Doubles = value / norms.reshape(-1, *[1] * (value.ndim - 1))
        return result
