"""The backward half, through time: one equation a line, in the letters of docs/derivation.md.

J here is the mean over the tokens that have a loss, usually all T·B; δ1 carries the factor 1/(T·B) and everything after
it follows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from elman.kernels import Backend, backend_of
from elman.model.network import DropoutMasks, Forward, checked, hidden_states
from elman.model.parameters import Gradients, Parameters, Rows

Floats = NDArray[np.floating[Any]]
Integers = NDArray[np.integer[Any]]


@dataclass
class Backward:
    """What a backward pass finds; J is the mean over the tokens that have a loss, a number where the arrays are.

    h_T [B,Dh]; dz [T,B,Dh] = ∂J/∂z^(t); dh [T,B,Dh], each step's own ∂J^(t)/∂h^(t), so that ∂J/∂h^(t) is
    dh^(t) + dz^(t+1) W_h.
    """

    J: Any
    gradients: Gradients
    h_T: Floats
    dz: Floats
    dh: Floats


def loss_and_gradients(
    p: Parameters,
    x: Integers,
    y: Integers,
    h_0: Floats | None = None,
    *,
    masks: DropoutMasks | None = None,
    kernels: Backend | None = None,
) -> tuple[float, Gradients, Floats]:
    """J, mean nats per token; its gradients; and h_T [B,Dh], the state to carry on with.

    x, y int [T,B]; h_0 [B,Dh] or None for zeros; masks for dropout. The gradient does not flow past h_0:
    with h_0 carried from window to window this is truncated backpropagation through time.
    Raises ShapeError for shapes, types or token ids that do not fit the parameters.
    """
    found = backward(p, x, y, h_0, masks=masks, kernels=kernels)
    return float(found.J), found.gradients, found.h_T


def backward(
    p: Parameters,
    x: Integers,
    y: Integers,
    h_0: Floats | None = None,
    *,
    first: int = 0,
    masks: DropoutMasks | None = None,
    kernels: Backend | None = None,
    cut: float = 0.0,
) -> Backward:
    """The same and what comes by the way. Losses only from step `first` on: y int [T-first,B].

    cut: no entry of ∂J/∂h, J being the loss of one token, goes back larger than this (0: none is cut). Then dz and
    the gradients are no longer those of J.
    """
    return backward_unchecked(p, x, y, checked(p, x, y, h_0, first), first, masks, kernels or backend_of(p.W_h), cut)


def backward_unchecked(
    p: Parameters, x: Integers, y: Integers, h_0: Floats, first: int, masks: DropoutMasks | None, kernels: Backend,
    cut: float,
) -> Backward:  # fmt: skip
    """The same, of what is known to fit; x and y may be on a device, and nothing waits for it then."""
    T, B = x.shape
    N = (T - first) * B
    forward = hidden_states(p, x, h_0, masks, kernels)
    J, own, dU, db_2 = kernels.softmax_cross_entropy(  # δ1 = ŷ - y; dh = δ1 U; dU = δ1^T h^T; db_2 = δ1^T 1
        forward.h_out[first:].reshape(N, p.Dh), p.U, p.b_2, kernels.array(y.reshape(N)), 1 / N
    )
    if masks:
        own *= masks.on_h[first:].reshape(N, p.Dh)
    dh = from_step(own.reshape(T - first, B, p.Dh), T)
    return through_time(p, forward, J.mean(), dh, dU, db_2, masks, kernels, cut / N)


def from_step(own: Floats, T: int) -> Floats:
    """dh [T,B,Dh] from that of the last steps, which alone have a loss."""
    if len(own) == T:
        return own
    dh = backend_of(own).zeros((T, *own.shape[1:]), own)
    dh[T - len(own) :] = own
    return dh


def through_time(
    p: Parameters, forward: Forward, J: Any, dh: Floats, dU: Floats, db_2: Floats,
    masks: DropoutMasks | None, kernels: Backend, cut: float,
) -> Backward:  # fmt: skip
    """From each step's own dh to every gradient."""
    T, B = dh.shape[:2]
    N = T * B
    dz = kernels.recurrence_gradient(dh, forward.h, p.W_h, p.activation, cut)  # δ2 of every step
    rows, before = dz.reshape(N, p.Dh), forward.h[:-1].reshape(N, p.Dh)
    dW_h = kernels.product(rows, before, a_transposed=True)  # Σ_i δ2^(i)T h^(i-1)T
    if forward.words and not masks:  # the same e^(i) for all i of a token: its δ2 are added up first
        rows = kernels.sum_rows(rows, forward.words)
    dW_e = kernels.product(rows, forward.e, a_transposed=True)  # Σ_i δ2^(i)T e^(i)T
    db_1 = kernels.sum_columns(rows)  # Σ_i δ2^(i)T 1_B
    de = kernels.product(rows, p.W_e)  # W_e^T δ2^(i)T, read as rows
    dh_0 = kernels.product(dz[0], p.W_h)  # W_h^T δ2^(1)T, read as rows
    dE: Rows | None
    if forward.x is not None:
        dE = Rows(
            kernels.array(np.arange(p.V)), kernels.product(forward.x, de, a_transposed=True), (p.V, p.d)
        )  # Σ_i de^(i) x^(i)T
    else:
        assert forward.words is not None  # either of the two
        if masks:
            de = kernels.sum_rows(de * masks.on_e.reshape(N, p.d), forward.words)
        dE = Rows(forward.words.index, de, (p.V, p.d))
    if p.tied:
        dU[dE.index] += dE.values  # one array, two uses: the gradients add
        dE = None
    return Backward(J, Gradients(dE, dW_e, dW_h, db_1, dU, db_2, dh_0), forward.h[-1], dz, dh)
