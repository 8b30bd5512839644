"""Gradients against the reference, the complex step and central differences, for any layers and output layer."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from networks import as_reference

import elman
from elman.model import reference
from elman.model.embedding import Rows
from elman.model.network import DropoutMasks
from elman.model.parameters import Gradients, Parameters


def relative(found: np.ndarray, true: np.ndarray) -> float:
    """Largest error over the largest entry."""
    return float(np.abs(found - true).max() / max(np.abs(true).max(), 1e-30))


def dense(gradients: Gradients) -> dict[str, np.ndarray]:
    """Every gradient by name, those of rows whole."""
    return {name: g.dense() if isinstance(g, Rows) else g for name, g in gradients.distinct()}


def on_page(name: str, array: np.ndarray) -> np.ndarray:
    """A parameter or its gradient as the reference has it: E and h_0 transposed, biases as columns."""
    return array.T if name in ("E", "h_0") else array[:, None] if array.ndim == 1 else array


def moved(m: reference.ReferenceNetwork, name: str, index: tuple[int, ...]) -> reference.ReferenceNetwork:
    """The network with a complex step of 1e-20 in one entry."""

    def step(array: np.ndarray) -> np.ndarray:
        array = array.astype(complex)
        array[index] += 1e-20j
        return array

    if "." not in name:
        return replace(m, **{name: step(getattr(m, name))})
    kind, number, letter = name.split(".")
    field, k = {"layers": "above", "tails": "tails"}[kind], int(number) - 1
    parts = list(getattr(m, field))
    parts[k] = replace(parts[k], **{letter: step(getattr(parts[k], letter))})
    return replace(m, **{field: tuple(parts)})


def check_reference_by_complex_step(p: Parameters, x: np.ndarray, y: np.ndarray, h_0: np.ndarray) -> None:
    """Every entry of every parameter, and of the state before."""
    m = as_reference(p)
    _, gradients = reference.gradients(m, x, y, h_0.T)
    assert gradients.keys() == {"h_0", *(name for name, _ in p.items())}
    for name, true in gradients.items():
        found = np.empty(true.shape)
        for index in np.ndindex(found.shape):
            if name == "h_0":
                begin = h_0.T.astype(complex)
                begin[index] += 1e-20j
                trace = reference.forward(m, x, y, begin)
            else:
                trace = reference.forward(moved(m, name, index), x, y, h_0.T)
            found[index] = sum(trace.J).imag / 1e-20
        assert relative(true, found) <= 1e-12, name


def check_float32(p: Parameters, x: np.ndarray, y: np.ndarray, h_0: np.ndarray) -> None:
    """The error of float32 parameters is at most twice that of the reference in float32, both against float64."""
    _, ours, _ = elman.loss_and_gradients(p, x, y, h_0)
    _, theirs = reference.gradients(as_reference(p), x, y, h_0.T)
    _, true, _ = elman.loss_and_gradients(p.astype("float64"), x, y, h_0.astype(np.float64))
    for (name, exact), mine in zip(dense(true).items(), dense(ours).values(), strict=True):
        other = theirs[name].T if name == "E" else theirs[name].reshape(exact.shape)
        floor = np.finfo(np.float32).eps * np.linalg.norm(exact)
        assert mine.dtype == np.float32
        assert np.linalg.norm(mine - exact) <= 2 * np.linalg.norm(other / x.size - exact) + floor, name


def check_central_differences(p: Parameters, x: np.ndarray, y: np.ndarray, h_0: np.ndarray, rate: float) -> None:
    """Along random directions of all parameters and the state; with dropout of this rate the masks are held."""
    masks = DropoutMasks.draw(p, *x.shape, rate, np.random.default_rng(5)) if rate else None
    _, gradients, _ = elman.loss_and_gradients(p, x, y, h_0, masks=masks)
    found = dense(gradients)
    generator = np.random.default_rng(6)
    directions = {name: generator.normal(size=w.shape) for name, w in p.distinct()}
    of_h = generator.normal(size=h_0.shape)
    slope = sum(float((g * directions[name]).sum()) for name, g in found.items()) + float((gradients.h_0 * of_h).sum())

    def J(step: float) -> float:
        there = p.with_arrays({n: w + step * directions[n] for n, w in p.distinct()})
        return elman.loss_and_gradients(there, x, y, h_0 + step * of_h, masks=masks)[0]

    step = 1e-6 if p.activation == "relu" else 1e-5  # a shorter step passes fewer kinks
    assert (J(step) - J(-step)) / (2 * step) == pytest.approx(slope, rel=1e-6)
