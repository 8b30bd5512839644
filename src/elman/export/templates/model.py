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
    """The logits of the next token; with tails, of an adaptive output layer, their log probabilities.

    initial: every number of the first state. tails: the units and tokens of each.
    """

    def __init__(self, V, d, Dh, layers, nonlinearity, tied, initial, tails):
        super().__init__()
        self.embedding = nn.Embedding(V, d)
        self.rnn = nn.RNN(d, Dh, layers, nonlinearity=nonlinearity)
        self.linear = nn.Linear(Dh, V - sum(tokens for _, tokens in tails) + len(tails))
        self.tails = nn.ModuleList(
            nn.Sequential(nn.Linear(Dh, units, bias=False), nn.Linear(units, tokens)) for units, tokens in tails
        )
        self.initial = initial
        if tied:
            self.linear.weight = self.embedding.weight

    def forward(self, tokens, state=None):
        """tokens int [T,B] and the state [layers,B,Dh] → logits [T,B,V] and the state to go on with."""
        if state is None:
            size = (self.rnn.num_layers, tokens.shape[1], self.rnn.hidden_size)
            state = self.linear.bias.new_full(size, self.initial)
        output, state = self.rnn(self.embedding(tokens), state)
        logits = self.linear(output)
        if not len(self.tails):
            return logits, state
        n, head = logits.shape[-1] - len(self.tails), logits.log_softmax(-1)
        of_tails = [tail(output).log_softmax(-1) + head[..., n + k, None] for k, tail in enumerate(self.tails)]
        return torch.cat([head[..., :n], *of_tails], -1), state


def load(folder=Path(__file__).parent):
    """The model in a folder, ready to evaluate, and its config.json."""
    config = json.loads((Path(folder) / "config.json").read_text(encoding="utf-8"))
    weights = load_file(str(Path(folder) / "model.safetensors"))
    if config["tied"]:
        weights["linear.weight"] = weights["embedding.weight"]
    sizes = (config[name] for name in ("V", "d", "Dh", "layers", "nonlinearity", "tied", "initial", "tails"))
    model = LanguageModel(*sizes).to(getattr(torch, config["dtype"]))
    model.load_state_dict(weights)
    return model.eval(), config
