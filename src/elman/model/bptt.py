"""The backward half, through time: one equation a line, in the letters of docs/derivation.md.

J here is the mean over the T·B tokens; δ1 carries the factor 1/(T·B) and everything after it follows.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from elman.kernels import Backend, backend
from elman.model.network import DropoutMasks, checked, hidden_states
from elman.model.parameters import Gradients, Parameters, Rows

Floats = NDArray[np.floating[Any]]
Integers = NDArray[np.integer[Any]]


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
    kernels = kernels or backend()
    h_0 = checked(p, x, y, h_0)
    T, B = x.shape
    N = T * B

    forward = hidden_states(p, x, h_0, masks, kernels)
    J, dh, dU, db_2 = kernels.softmax_cross_entropy(  # δ1 = ŷ - y; dh = δ1 U; dU = δ1^T h^T; db_2 = δ1^T 1
        forward.h_out.reshape(N, p.Dh), p.U, p.b_2, y.reshape(N), 1 / N
    )
    if masks:
        dh *= masks.on_h.reshape(N, p.Dh)
    dz = kernels.recurrence_gradient(dh.reshape(T, B, p.Dh), forward.h, p.W_h, p.activation)  # δ2 of every step
    rows, before = dz.reshape(N, p.Dh), forward.h[:-1].reshape(N, p.Dh)
    dW_h = kernels.product(rows, before, a_transposed=True)  # Σ_i δ2^(i)T h^(i-1)T
    if not masks:  # the same e^(i) for all i of a token: its δ2 are added up first
        rows = kernels.sum_rows(rows, forward.words)
    dW_e = kernels.product(rows, forward.e, a_transposed=True)  # Σ_i δ2^(i)T e^(i)T
    db_1 = kernels.sum_columns(rows)  # Σ_i δ2^(i)T 1_B
    de = kernels.product(rows, p.W_e)  # W_e^T δ2^(i)T, read as rows
    if masks:
        de = kernels.sum_rows(de * masks.on_e.reshape(N, p.d), forward.words)
    dh_0 = kernels.product(dz[0], p.W_h)  # W_h^T δ2^(1)T, read as rows
    dE: Rows | None = Rows(forward.words.index, de, (p.V, p.d))
    if p.tied and dE is not None:
        dU[dE.index] += dE.values  # one array, two uses: the gradients add
        dE = None
    return float(J.mean()), Gradients(dE, dW_e, dW_h, db_1, dU, db_2, dh_0), forward.h[-1]
