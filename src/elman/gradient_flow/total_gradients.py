"""∂J/∂· for the sum J = Σ_t J^(t) of all losses: what the contributions add up to."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from elman.gradient_flow.sweep import log2_norms
from elman.gradient_flow.trajectory import Doubles, Trajectory
from elman.representation import short_repr


@dataclass(frozen=True)
class TotalGradients:
    """∂J/∂· times 2^-exponent, and the norms of ∂J/∂·.

    values      by name, float64: W_h [Dh,Dh], W_e [Dh,d], b_1 [Dh], e [T,B,d], h [T,B,Dh]; e[i] and h[i] are
                ∂J/∂e^(i) and ∂J/∂h^(i), sums over the losses t ≥ i
    log2_norms  by name: [1] for W_h, W_e and b_1; [T], one for each time step, for e and h
    """

    values: dict[str, Doubles]
    log2_norms: dict[str, Doubles]
    exponent: int

    __repr__ = short_repr

    @classmethod
    def of(cls, trajectory: Trajectory) -> TotalGradients:
        """One backward pass (docs/derivation.md, sections 7 and 11): dz^(t) = (dh^(t) + dz^(t+1) W_h) ∘ σ'(z^(t)).

        The recursion runs in float64. The products over all steps run in the parameters' precision, on rows that are
        scaled to about 1.
        """
        p, N = trajectory.p, trajectory.T * trajectory.B
        product = p.kernels.product
        h, dz, e, _, exponent = _backward(trajectory)
        scale = _power_of_two(np.abs(dz).max(initial=0))
        rows = (dz / scale).astype(p.dtype).reshape(N, p.Dh)
        values = {
            "W_h": product(rows, trajectory.h[:-1].reshape(N, p.Dh), a_transposed=True) * scale,  # [Dh,Dh]
            "W_e": product(rows, trajectory.e.reshape(N, -1), a_transposed=True) * scale,  # [Dh,d]
            "b_1": dz.sum(axis=(0, 1)),  # [Dh]
            "e": e,  # [T,B,d]
            "h": h,  # [T,B,Dh]
        }
        norms = {
            name: log2_norms(rows, np.full(len(rows), float(exponent)))
            for name, value in values.items()
            for rows in [value if name in ("e", "h") else value[None]]
        }
        return cls(values, norms, exponent)

    def directions(self, name: str) -> Doubles:
        """∂J/∂· divided by its norm: as a whole for weights, at each time step for e and h; zeros stay zeros."""
        value = self.values[name]
        norms = np.exp2(self.log2_norms[name] - self.exponent)
        norms[norms == 0] = 1
        result: Doubles = value / norms.reshape(-1, *[1] * (value.ndim - 1))
        return result


def _backward(trajectory: Trajectory) -> tuple[Doubles, Doubles, Doubles, Doubles, int]:
    """∂J/∂h and ∂J/∂z [T,B,Dh], ∂J/∂e [T,B,d], and its sum over this layer and those above, each times 2^-exponent.

    The sum is of the layers that read the h below: with skip connections all of them, else this one alone.
    """
    p, layer, dh, exponent = trajectory.p, trajectory.weights, trajectory.dh.astype(np.float64), 0
    if trajectory.above is not None:
        *_, from_above, exponent = _backward(trajectory.above)
        dh = np.ldexp(dh, -exponent) + from_above
    h, dz, more = p.kernels.state_gradient(dh, trajectory.slope, layer.W_h)
    step_scale = _power_of_two(np.abs(dz).max(axis=(1, 2), initial=0))[:, None, None]
    rows = (dz / step_scale).astype(p.dtype).reshape(-1, p.Dh)
    e = p.kernels.product(rows, layer.W_e).reshape(trajectory.e.shape) * step_scale
    read = e
    if p.skip and trajectory.number and trajectory.above is not None:
        read = e + np.ldexp(from_above, -more)
    return h, dz, e, read, exponent + more


def _power_of_two(size: Doubles) -> Doubles:
    """The next power of two above each size, at least 2^-1000 so that its inverse is finite; 1 for 0."""
    exponent = np.frexp(size)[1]
    return np.exp2(np.where(size > 0, np.maximum(exponent, -1000), 0).astype(np.float64))
