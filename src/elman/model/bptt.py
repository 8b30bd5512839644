"""The backward pass, through time: output, layers and embedding put together (docs/derivation.md, sections 5 to 7, 11).

J here is the mean over the tokens that have a loss, usually all T·B: δ1 has the factor 1/(T·B), and so has everything
that follows from it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from elman.kernels import Kernels
from elman.model.embedding import Rows
from elman.model.network import DropoutMasks, Forward, checked, hidden_states, joined, read_backward
from elman.model.output.gradients import OutputGradients
from elman.model.output.sampled import Drawn, SampledOutput
from elman.model.parameters import Gradients, LayerWeights, Parameters
from elman.representation import short_repr

Floats = NDArray[np.floating[Any]]
Integers = NDArray[np.integer[Any]]


@dataclass
class Backward:
    """The results of a backward pass; J is the mean over the tokens that have a loss, a number where the arrays are.

    losses [N], J of each of these tokens; None where a loss is no sum over tokens. h_T [B,Dh], the state to carry on
    with. Of the last layer: dz [T,B,Dh] = ∂J/∂z^(t); dh [T,B,Dh], each step's own ∂J^(t)/∂h^(t), so that ∂J/∂h^(t) is
    dh^(t) + dz^(t+1) W_h.
    """

    J: Any
    gradients: Gradients
    h_T: Floats
    dz: Floats
    dh: Floats
    losses: Floats | None = None

    __repr__ = short_repr


def loss_and_gradients(
    p: Parameters,
    x: Integers,
    y: Integers,
    h_0: Floats | None = None,
    *,
    masks: DropoutMasks | None = None,
    kernels: Kernels | None = None,
) -> tuple[float, Gradients, Floats]:
    """J, mean nats per token; its gradients; and h_T [B,Dh], the state to carry on with.

    x, y int [T,B]; h_0 [B,Dh] (a state of `Parameters`) or None for zeros; masks for dropout; kernels in place of the
    parameters' own. The gradient does not flow past h_0: with h_0 carried from window to window this is truncated
    backpropagation through time. Raises ShapeError for shapes, types or token ids that do not fit the parameters.
    """
    result = backward(p if kernels is None else p.with_kernels(kernels), x, y, h_0, masks=masks)
    return float(result.J), result.gradients, result.h_T


def backward(
    p: Parameters,
    x: Integers,
    y: Integers,
    h_0: Floats | None = None,
    *,
    first: int = 0,
    masks: DropoutMasks | None = None,
    cut: float = 0.0,
) -> Backward:
    """The loss and its gradients, with intermediate results. Losses only from step `first` on: y int [T-first,B].

    cut: the entries of every layer's ∂J/∂h, J being the loss of one token, are clipped to ±cut on their way back (0:
    they are not). With it, dz and the gradients are no longer those of J. Raises ShapeError as `loss_and_gradients`.
    """
    return backward_unchecked(p, x, y, checked(p, x, y, h_0, first), first, masks, cut)


def backward_unchecked(
    p: Parameters,
    x: Integers,
    y: Integers,
    h_0: Floats,
    first: int,
    masks: DropoutMasks | None,
    cut: float,
    drawn: Drawn | None = None,
) -> Backward:
    """`backward` of inputs that are known to fit; x and y may be on a device, and then nothing waits for it.

    drawn: the loss is that of a sampled output layer with these tokens, in place of the full one.
    """
    T, B = x.shape
    N = (T - first) * B
    forward = hidden_states(p, x, h_0, masks)
    h_out = forward.h_out[first:].reshape(N, p.Dh)
    output = p.output if drawn is None else SampledOutput(p.U, p.b_2, drawn, p.kernels)
    J, dh, of_output = output.backward(h_out, p.kernels.array(y.reshape(N)), 1 / N)  # δ1 = ŷ - y, dh = δ1 U
    if masks:
        dh *= masks.on_h[first:].reshape(N, p.Dh)
    dh = from_step(p, dh.reshape(T - first, B, p.Dh), T)
    return replace(through_time(p, forward, J.mean(), dh, of_output, cut / N), losses=J)


def from_step(p: Parameters, dh: Floats, T: int) -> Floats:
    """dh [T,B,Dh] from that of the last steps, if only they have a loss: zeros before."""
    if len(dh) == T:
        return dh
    whole = p.kernels.zeros((T, *dh.shape[1:]), dh)
    whole[T - len(dh) :] = dh
    return whole


def through_time(
    p: Parameters, forward: Forward, J: Any, dh: Floats, of_output: OutputGradients, cut: float
) -> Backward:  # fmt: skip
    """Every gradient from each step's own dh [T,B,Dh], of what the output layer reads, and that layer's gradients."""
    layers, inputs, states = p.layers, forward.inputs, forward.states
    last = layers[-1].backward(dh, inputs[-1], states[-1], cut)
    found = [last]
    ds = dh  # of what is read of a layer                                                                  [T,B,Dh]
    for n in range(len(layers) - 2, -1, -1):  # down the stack
        de = read_backward(found[0].e, inputs[n + 1]).reshape(dh.shape)
        ds = de + ds if p.skip else de  # s of the layer above is its h plus this s
        found.insert(0, layers[n].backward(ds, inputs[n], states[n], cut))
    first, *others = found
    dE = p.embedding.backward(first.e, forward.embedded)
    h_0 = joined(p, [layer.h_0 for layer in found])
    above = [LayerWeights(layer.W_e, layer.W_h, layer.b_1) for layer in others]
    gradients = Gradients(
        dE, first.W_e, first.W_h, first.b_1, of_output.U, of_output.b_2, h_0, above, of_output.tails, kernels=p.kernels
    )
    if p.tied:
        gradients.U, gradients.E = _total(of_output.U, dE, p.kernels), None  # one array, two uses: the gradients add
    return Backward(J, gradients, forward.h_T, last.z, dh)


def _total(dU: Floats | Rows, dE: Rows, kernels: Kernels) -> Floats | Rows:
    """dU + dE, the gradient of tied weights; a dense dU is changed in place."""
    if not isinstance(dU, Rows):
        dU[dE.index] += dE.values
        return dU
    concatenate = kernels.xp.concatenate
    groups = kernels.group(concatenate([dU.index, dE.index]), dE.shape[0])
    return Rows(groups.index, kernels.sum_rows(concatenate([dU.values, dE.values]), groups), dE.shape)
