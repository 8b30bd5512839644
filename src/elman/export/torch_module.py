"""A folder for PyTorch: a state_dict for nn.Embedding, nn.RNN and nn.Linear, and the module that loads it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from elman.export.contents import Content, json_file, template, tensors, tokenizer_files
from elman.language_model import LanguageModel
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
    """The weights by PyTorch's names. A sigmoid network becomes the equal tanh network (model/equivalents.py).

    With g = 2h - 1 in place of h, a layer of a sigmoid network has W_h/4 and b_1/2 + W_h 1/4, and W_e/2 where it reads
    e; one that reads the h of a layer below has W_e/4 and W_e 1/4 in its bias too.
    """
    sigmoid = p.activation == "sigmoid"
    half = np.asarray(0.5, p.dtype)
    E = p.E * half if sigmoid and p.tied else p.E
    weights: dict[str, Floats] = {"embedding.weight": E}
    for k, layer in enumerate(p.layers):
        W_e, W_h, b_1, b_hh = layer.W_e, layer.W_h, layer.b_1, np.zeros_like(layer.b_1)
        if sigmoid:
            W_h, b_1 = W_h * half * half, b_1 * half
            b_hh = W_h.sum(axis=1)
            if k:
                W_e = W_e * half * half
                b_1 = b_1 + W_e.sum(axis=1)
            elif not p.tied:
                W_e = W_e * half
        names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        weights |= {f"rnn.{name}_l{k}": w for name, w in zip(names, (W_e, W_h, b_1, b_hh), strict=True)}
    U = E if p.tied else p.U * half if sigmoid else p.U
    if not p.tied:
        weights["linear.weight"] = U
    weights["linear.bias"] = p.b_2 + U.sum(axis=1) if sigmoid else p.b_2
    for k, tail in enumerate(p.tails):
        P = tail.P * half if sigmoid else tail.P
        b_2 = tail.b_2 + tail.U @ P.sum(axis=1) if sigmoid else tail.b_2
        weights |= {f"tails.{k}.0.weight": P, f"tails.{k}.1.weight": tail.U, f"tails.{k}.1.bias": b_2}
    return weights
