"""A sigmoid network as a tanh network and back (model/equivalents.py), and copies of a network."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
from networks import problem

from elman.kernels import host_kernels
from elman.kernels.numpy_kernels import NumpyKernels
from elman.model.equivalents import sigmoid_from_tanh, tanh_from_sigmoid, tanh_state
from elman.model.network import losses


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("tie", [False, True])
@pytest.mark.parametrize(("layers", "skip"), [(1, False), (3, False), (3, True)])
def test_there_and_back(tie: bool, dtype: str, layers: int, skip: bool) -> None:
    """The same losses; and the same weights, exactly but for b_2, which is rounded once each way."""
    p, x, y, h_0 = problem(d=7 if tie else 5, tie=tie, dtype=dtype, layers=layers, skip=skip)
    q, biases = tanh_from_sigmoid(p)
    assert (q.activation, q.tied, q.dtype) == ("tanh", tie, p.dtype)
    back = sigmoid_from_tanh(q, biases)
    assert back.activation == "sigmoid"
    for (name, w), (_, found) in zip(p.items(), back.items(), strict=True):
        exact = name != "b_2"
        assert np.allclose(found, w, rtol=0, atol=0 if exact else 4 * np.finfo(dtype).eps), name
    for layer, bias in zip(q.layers, biases, strict=True):
        layer.b_1 += bias
    J, h_T = losses(p, x, y, h_0)
    J_tanh, g_T = losses(q, x, y, tanh_state(h_0))
    tolerance = 64 * np.finfo(dtype).eps
    assert np.allclose(J_tanh, J, rtol=tolerance)
    assert np.allclose(g_T, tanh_state(h_T), atol=tolerance)


def test_copies_of_a_network_have_kernels_of_their_own_kind() -> None:
    """Threads and scratch memory are neither copied nor pickled; the arrays are, and a tied one stays one."""
    p, x, y, _ = problem(d=7, tie=True)
    plain = p.with_kernels(NumpyKernels())
    assert p.with_kernels(p.kernels) is p
    assert plain.W_h is p.W_h
    for network in (p, plain):
        J, _ = losses(network, x, y)
        for other in (copy.deepcopy(network), pickle.loads(pickle.dumps(network))):
            assert type(other.kernels) is type(network.kernels)
            assert other.W_h is not network.W_h
            assert other.tied
            assert np.array_equal(losses(other, x, y)[0], J)
    assert p.kernels is host_kernels()
