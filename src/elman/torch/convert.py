"""Language models both ways: from Elman's parameters to a PyTorch module of standard layers, and back.

PyTorch has no sigmoid recurrence, so a sigmoid network becomes a tanh network (model/equivalents.py); what this adds
to the biases is the second of PyTorch's two biases.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from elman.config import ACTIVATIONS
from elman.errors import ConfigError
from elman.language_model import LanguageModel
from elman.model.equivalents import sigmoid_from_tanh, tanh_from_sigmoid, tanh_state
from elman.model.parameters import LayerWeights, Parameters
from elman.torch.rnn import ElmanRNN

HARMLESS = (nn.Dropout, nn.Identity)
"""Layers that do nothing in a trained model."""


class RecurrentLanguageModel(nn.Module):  # type: ignore[misc]  # PyTorch is not there for the type checker
    """embedding → rnn → linear: the logits of the next token.

    embedding nn.Embedding(V, d), rnn nn.RNN(d, Dh, layers), linear nn.Linear(Dh, V), whose weight is that of the
    embedding if `tie`. A sigmoid network is computed as a tanh network: its state is g = 2h - 1, which begins at -1.
    Raises ConfigError for an unknown activation, and for `tie` if d is not Dh.
    """

    def __init__(
        self, V: int, d: int, Dh: int, activation: str = "sigmoid", tie: bool = False, device: Any = None,
        dtype: Any = None, layers: int = 1,
    ) -> None:  # fmt: skip
        super().__init__()
        if activation not in ACTIVATIONS:
            raise ConfigError(f"activation is {activation!r}; choose one of {', '.join(ACTIVATIONS)}")
        if tie and d != Dh:
            raise ConfigError(f"tied weights need d = Dh, not d = {d} and Dh = {Dh}")
        self.activation = activation
        nonlinearity = "tanh" if activation == "sigmoid" else activation
        self.embedding = nn.Embedding(V, d, device=device, dtype=dtype)
        self.rnn = nn.RNN(d, Dh, layers, nonlinearity=nonlinearity, device=device, dtype=dtype)
        self.linear = nn.Linear(Dh, V, device=device, dtype=dtype)
        if tie:
            self.linear.weight = self.embedding.weight

    def initial_state(self, B: int) -> Tensor:
        """The state [n,B,Dh] of n layers before the first token, that of h = 0."""
        h_0 = self.linear.weight.new_zeros((self.rnn.num_layers, B, self.rnn.hidden_size))
        return tanh_state(h_0) if self.activation == "sigmoid" else h_0

    def forward(self, x: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """θ [T,B,V], the logits of every next token, and the state [n,B,Dh] to carry on with; x int [T,B]."""
        output, state = self.rnn(self.embedding(x), self.initial_state(x.shape[1]) if state is None else state)
        return self.linear(output), state


def to_torch(model: LanguageModel | Parameters, device: Any = None) -> RecurrentLanguageModel:
    """The same network as a module of standard layers, a copy in the same precision: the same losses to rounding.

    Raises ConfigError for an adaptive output layer, and for skip connections, which nn.RNN does not have.
    """
    p = model.p if isinstance(model, LanguageModel) else model
    if p.skip:
        raise ConfigError("the network has skip connections between its layers (--skip), which nn.RNN does not have")
    if p.tails:
        raise ConfigError("to_torch converts a full output layer, and this one is adaptive: use --output full")
    dtype = torch.float32 if p.dtype == np.float32 else torch.float64
    module = RecurrentLanguageModel(p.V, p.d, p.Dh, p.activation, p.tied, device, dtype, p.depth)
    q, biases = tanh_from_sigmoid(p) if p.activation == "sigmoid" else (p, [np.zeros_like(p.b_1)] * p.depth)
    rnn, linear = module.rnn, module.linear
    pairs = [(module.embedding.weight, q.E), (linear.weight, q.U), (linear.bias, q.b_2)]
    for n, (layer, bias) in enumerate(zip(q.layers, biases, strict=True)):
        arrays = (layer.W_e, layer.W_h, layer.b_1, bias)
        pairs += zip(_weights(rnn, n), arrays, strict=True)
    with torch.no_grad():
        for weight, array in pairs:
            weight.copy_(torch.from_numpy(np.ascontiguousarray(array)))
    return module


def from_torch(module: Any) -> Parameters:
    """The parameters of a module whose only layers are an nn.Embedding, an nn.RNN or ElmanRNN and an nn.Linear.

    A copy, float32 or float64 as the module; tied if the embedding and the linear layer share their weight. A
    RecurrentLanguageModel keeps its activation, sigmoid too; another module's nn.RNN is tanh or relu. Dropout is left
    out, that between the layers too, as it does nothing in a trained model. What the module's forward does between its
    layers is not visible here.
    Raises ConfigError for layers that Elman's network does not have.
    """
    embedding, rnn, linear = _layers(module)
    d, Dh, V = rnn.input_size, rnn.hidden_size, embedding.num_embeddings
    given = (embedding.embedding_dim, linear.in_features, linear.out_features)
    if given != (d, Dh, V):
        raise ConfigError(
            f"the layers do not fit each other: an embedding of size {given[0]} before an RNN of {d} inputs, and a "
            f"linear layer of {given[1]} inputs and {given[2]} outputs after {Dh} units and {V} tokens"
        )
    E, U = _array(embedding.weight), _array(linear.weight)
    U = E if linear.weight is embedding.weight else U
    b_2 = np.zeros(V, E.dtype) if linear.bias is None else _array(linear.bias)
    weights, biases = [], []
    for n in range(rnn.num_layers):
        W_e, W_h, *both = (_array(w) for w in _weights(rnn, n))
        b_ih, b_hh = both or np.zeros((2, Dh), E.dtype)
        weights.append(LayerWeights(W_e, W_h, b_ih))
        biases.append(b_hh)
    first, *above = weights
    p = Parameters(E, first.W_e, first.W_h, first.b_1, U, b_2, rnn.nonlinearity, above)
    if isinstance(module, RecurrentLanguageModel) and module.activation == "sigmoid":
        return sigmoid_from_tanh(p, biases)
    for layer, bias in zip(p.layers, biases, strict=True):
        layer.b_1 += bias
    return p


def _weights(rnn: Any, n: int) -> list[Tensor]:
    """Those of layer n: weight_ih [Dh,d] or [Dh,Dh], weight_hh [Dh,Dh] and, with bias, bias_ih and bias_hh [Dh]."""
    names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh") if rnn.bias else ("weight_ih", "weight_hh")
    return [getattr(rnn, f"{name}_l{n}") for name in names]


def _layers(module: Any) -> tuple[Any, Any, Any]:
    """The three layers. Raises ConfigError unless each occurs once and there are no others."""
    parts = [part for part in module.modules() if not list(part.children()) and not isinstance(part, HARMLESS)]
    layers = []
    for kinds, name in (((nn.Embedding,), "nn.Embedding"), ((nn.RNN, ElmanRNN), "nn.RNN"), ((nn.Linear,), "nn.Linear")):
        mine = [part for part in parts if type(part) in kinds]
        if len(mine) != 1:
            raise ConfigError(f"the module has {len(mine)} layers of {name}, expected one, as in Elman's network")
        layers += mine
    known = {id(weight) for part in parts for weight in part.parameters()}
    others = [type(part).__name__ for part in parts if part not in layers]
    others += [name for name, weight in module.named_parameters() if id(weight) not in known]
    if others:
        raise ConfigError(f"the module has {', '.join(others)}, which Elman's network does not have")
    embedding, rnn, linear = layers
    for what, wrong in (
        ("an RNN of both directions", rnn.bidirectional),
        ("an embedding of limited norm (max_norm)", embedding.max_norm is not None),
    ):
        if wrong:
            raise ConfigError(f"the module has {what}, which Elman's network does not have")
    return embedding, rnn, linear


def _array(weight: Tensor) -> Any:
    """A copy as a NumPy array. Raises ConfigError for types other than float32 and float64."""
    if weight.dtype not in (torch.float32, torch.float64):
        raise ConfigError(f"the module's weights are {weight.dtype}: convert them to float32 with module.float() first")
    return weight.detach().cpu().numpy().copy()
