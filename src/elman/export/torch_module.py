"""A folder for PyTorch: a state_dict for nn.Embedding, nn.RNN and nn.Linear, and the module that loads it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from elman.export.contents import Content, json_file, template, tensors, tokenizer_files
from elman.language_model import LanguageModel
from elman.model.equivalents import tanh_from_sigmoid
from elman.model.parameters import Parameters

Floats = NDArray[np.floating[Any]]


def torch_files(lm: LanguageModel) -> Iterator[Content]:
    """The files of the folder: model.safetensors, model.py, config.json and the tokenizer."""
    p = lm.p
    yield tensors("model.safetensors", state_dict(p))
    yield json_file(
        "config.json",
        {
            "V": p.V, "d": p.d, "Dh": p.Dh, "layers": p.depth, "tied": p.tied, "dtype": str(p.dtype),
            "nonlinearity": "tanh" if p.activation == "sigmoid" else p.activation,
            "initial": -1.0 if p.activation == "sigmoid" else 0.0,
            "tails": [[len(tail.P), len(tail.U)] for tail in p.tails],
            "activation": p.activation, "level": lm.tokenizer.level, "line_end": lm.tokenizer.eos,
        },
    )  # fmt: skip
    yield from tokenizer_files(lm.tokenizer)
    yield template("model.py")


def state_dict(p: Parameters) -> dict[str, Floats]:
    """The weights by PyTorch's names. A sigmoid network becomes the equal tanh network (model/equivalents.py), and what
    this adds to the biases of its layers is PyTorch's second bias, as in `elman.torch.to_torch`.
    """
    q, biases = tanh_from_sigmoid(p) if p.activation == "sigmoid" else (p, [np.zeros_like(p.b_1)] * p.depth)
    weights: dict[str, Floats] = {"embedding.weight": q.E}
    for k, (layer, bias) in enumerate(zip(q.layers, biases, strict=True)):
        arrays = {"weight_ih": layer.W_e, "weight_hh": layer.W_h, "bias_ih": layer.b_1, "bias_hh": bias}
        weights |= {f"rnn.{name}_l{k}": array for name, array in arrays.items()}
    if not q.tied:
        weights["linear.weight"] = q.U
    weights["linear.bias"] = q.b_2
    for k, tail in enumerate(q.tails):
        weights |= {f"tails.{k}.0.weight": tail.P, f"tails.{k}.1.weight": tail.U, f"tails.{k}.1.bias": tail.b_2}
    return weights
