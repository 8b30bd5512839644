"""Small networks for the numerical tests, and the kernels that they run on."""

from __future__ import annotations

import numpy as np

import elman
from elman.kernels import native_built
from elman.model import reference


def all_kernels() -> list[str]:
    """What the numerical tests run over: every instruction set of this machine, and NumPy."""
    if not native_built():
        return ["numpy"]
    from elman.kernels import native_kernels

    return [*native_kernels.instruction_sets(), "numpy"]


def as_reference(p: elman.Parameters) -> reference.ReferenceNetwork:
    """The same parameters as on the page: feature-major, biases as columns."""
    above = tuple(reference.ReferenceLayer(w.W_e, w.W_h, w.b_1[:, None]) for w in p.above)
    tails = tuple(reference.ReferenceTail(tail.P, tail.U, tail.b_2[:, None]) for tail in p.tails)
    b_1, b_2 = p.b_1[:, None], p.b_2[:, None]
    return reference.ReferenceNetwork(p.E.T, p.W_e, p.W_h, b_1, p.U, b_2, p.activation, above, tails, p.skip)


def problem(
    V: int = 13, d: int = 5, Dh: int = 7, B: int = 3, T: int = 11, *, activation: str = "sigmoid", tie: bool = False,
    dtype: str = "float64", seed: int = 0, layers: int = 1, skip: bool = False, cutoffs: tuple[int, ...] = (),
) -> tuple[elman.Parameters, np.ndarray, np.ndarray, np.ndarray]:  # fmt: skip
    """Parameters (biases not zero), x and y [T,B] and a state h_0; sizes that are different primes unless told."""
    generator = np.random.default_rng(seed)
    p = elman.Parameters.initialise(
        V,
        d,
        Dh,
        activation=activation,
        tie=tie,
        seed=seed,
        dtype=dtype,
        layers=layers,
        skip=skip,
        cutoffs=cutoffs,
    )
    p.b_1 += generator.normal(size=Dh).astype(dtype) / 2
    p.b_2 += generator.normal(size=len(p.b_2)).astype(dtype) / 2
    for weights in p.above:
        weights.b_1 += generator.normal(size=Dh).astype(dtype) / 2
    for tail in p.tails:
        tail.b_2 += generator.normal(size=len(tail.b_2)).astype(dtype) / 2
    x, y = generator.integers(0, V, (2, T, B))
    return p, x, y, generator.random((B, layers * Dh)).astype(dtype)
