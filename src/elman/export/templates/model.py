"""A language model of PyTorch's own layers: embedding → nn.RNN → linear. Needs torch and safetensors.

    from model import load

    model, config = load()                     # the folder of this file
    logits, state = model(tokens)              # tokens int [T,B] → logits of each next token [T,B,V]

A text begins after a line end, config["line_end"]: give it as the first token. tokenizer.json opens with the tokenizers
package. A sigmoid network, which nn.RNN does not have, is the tanh network that computes the same: its first state is
-1, not 0.
"""

import json
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import nn


class LanguageModel(nn.Module):
    """The logits of the next token. initial: every number of the first state."""

    def __init__(self, V, d, Dh, layers, nonlinearity, tied, initial):
        super().__init__()
        self.embedding = nn.Embedding(V, d)
        self.rnn = nn.RNN(d, Dh, layers, nonlinearity=nonlinearity)
        self.linear = nn.Linear(Dh, V)
        self.initial = initial
        if tied:
            self.linear.weight = self.embedding.weight

    def forward(self, tokens, state=None):
        """tokens int [T,B] and the state [layers,B,Dh] → logits [T,B,V] and the state to go on with."""
        if state is None:
            size = (self.rnn.num_layers, tokens.shape[1], self.rnn.hidden_size)
            state = self.linear.bias.new_full(size, self.initial)
        output, state = self.rnn(self.embedding(tokens), state)
        return self.linear(output), state


def load(folder=Path(__file__).parent):
    """The model in a folder, ready to evaluate, and its config.json."""
    config = json.loads((Path(folder) / "config.json").read_text(encoding="utf-8"))
    weights = load_file(str(Path(folder) / "model.safetensors"))
    if config["tied"]:
        weights["linear.weight"] = weights["embedding.weight"]
    sizes = (config[name] for name in ("V", "d", "Dh", "layers", "nonlinearity", "tied", "initial"))
    model = LanguageModel(*sizes).to(getattr(torch, config["dtype"]))
    model.load_state_dict(weights)
    return model.eval(), config
