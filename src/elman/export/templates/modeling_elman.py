"""An Elman network for transformers: h = σ(W_h h^(t-1) + W_e e + b_1) in each layer, θ = U h + b_2.

With skip connections, what is read of a layer above the first is its h plus those of the layers below.

With an adaptive output layer (Grave et al. 2017) the logits are ln ŷ: those of the head's tokens, and for each tail its
own plus the head's for the tail.

A text begins after a line end: its first token is `bos_token_id`, which the tokenizer adds.
"""

from dataclasses import dataclass
from typing import NamedTuple, Optional

import torch
from torch import nn
from transformers import GenerationMixin, PreTrainedModel
from transformers.utils import ModelOutput

from .configuration_elman import ElmanConfig

ACTIVATIONS = {"sigmoid": torch.sigmoid, "tanh": torch.tanh, "relu": torch.relu}


class ElmanState(NamedTuple):
    """What the network has read: h [B,n·Dh], each layer's, the first layer's first; and the tokens [B,T]."""

    h: torch.Tensor
    tokens: torch.Tensor


@dataclass
class ElmanOutput(ModelOutput):
    """loss: the mean cross-entropy in nats; logits [B,T,V]; state: what to go on with."""

    loss: Optional[torch.Tensor] = None
    logits: Optional[torch.Tensor] = None
    state: Optional[ElmanState] = None


class ElmanLayer(nn.Module):
    """The weights of a recurrent layer: W_e [Dh,d], W_h [Dh,Dh], b_1 [Dh]."""

    def __init__(self, inputs, hidden):
        super().__init__()
        self.W_e = nn.Parameter(torch.empty(hidden, inputs))
        self.W_h = nn.Parameter(torch.empty(hidden, hidden))
        self.b_1 = nn.Parameter(torch.empty(hidden))


class ElmanTail(nn.Module):
    """The weights of a tail of the output layer: P [D,Dh], U [n,D], b_2 [n]."""

    def __init__(self, hidden, units, tokens):
        super().__init__()
        self.P = nn.Parameter(torch.empty(units, hidden))
        self.U = nn.Parameter(torch.empty(tokens, units))
        self.b_2 = nn.Parameter(torch.empty(tokens))

    def forward(self, h):
        return nn.functional.linear(nn.functional.linear(h, self.P), self.U, self.b_2).log_softmax(-1)


class ElmanForCausalLM(PreTrainedModel, GenerationMixin):
    """Embedding, recurrent layers and output layer, with the next token's logits at every place."""

    config_class = ElmanConfig
    main_input_name = "input_ids"
    _is_stateful = True

    def __init__(self, config):
        super().__init__(config)
        d, Dh, V = config.embedding_size, config.hidden_size, config.vocab_size
        self.activate = ACTIVATIONS[config.hidden_act]
        self.embedding = nn.Embedding(V, d)
        self.layers = nn.ModuleList(ElmanLayer(Dh if k else d, Dh) for k in range(config.num_hidden_layers))
        self.tails = nn.ModuleList(ElmanTail(Dh, *sizes) for sizes in config.tails)
        head = V - sum(tokens for _, tokens in config.tails) + len(config.tails)  # its tokens, and one for each tail
        if not config.tied_output:
            self.U = nn.Parameter(torch.empty(head, Dh))
        self.b_2 = nn.Parameter(torch.empty(head))
        self.post_init()

    def _init_weights(self, module):
        """The weights of a network that is not loaded but trained anew."""
        with torch.no_grad():
            if isinstance(module, nn.Embedding):
                module.weight.uniform_(-0.3, 0.3)
            elif isinstance(module, ElmanLayer):
                nn.init.xavier_uniform_(module.W_e)
                nn.init.orthogonal_(module.W_h)
                module.b_1.zero_()
            elif isinstance(module, ElmanTail):
                nn.init.xavier_uniform_(module.P)
                module.U.uniform_(-0.3, 0.3)
                module.b_2.zero_()
            elif module is self:
                self.b_2.zero_()
                if not self.config.tied_output:
                    self.U.uniform_(-0.3, 0.3)

    @classmethod
    def _supports_default_dynamic_cache(cls):
        return False

    def get_input_embeddings(self):
        return self.embedding

    def set_input_embeddings(self, value):
        self.embedding = value

    def get_output_embeddings(self):
        return None

    def forward(self, input_ids, attention_mask=None, labels=None, state=None, return_dict=True, **kwargs):
        """input_ids int [B,T]; attention_mask [B,T], 0 where a row is padded: the state stays as it is there.

        labels int [B,T]: the tokens themselves, of which each is predicted from those before it; -100 is left out.
        """
        B, T = input_ids.shape
        Dh, layers = self.config.hidden_size, self.layers
        x = self.embedding(input_ids).transpose(0, 1)  # [T,B,d]
        begin = x.new_zeros(B, len(layers) * Dh) if state is None else state.h
        reads = None
        if attention_mask is not None and not bool(attention_mask[:, -T:].all()):
            reads = attention_mask[:, -T:].bool().t().unsqueeze(-1)  # [T,B,1]
        last, below = [], None
        for layer, h in zip(layers, begin.split(Dh, dim=-1)):
            u = nn.functional.linear(x, layer.W_e, layer.b_1)
            states = []
            for t in range(T):
                new = self.activate(u[t] + nn.functional.linear(h, layer.W_h))
                h = new if reads is None else torch.where(reads[t], new, h)
                states.append(h)
            x = torch.stack(states)  # [T,B,Dh]
            if self.config.skip_connections and below is not None:
                x = x + below
            below = x
            last.append(h)
        logits = self._logits(x.transpose(0, 1))
        tokens = input_ids if state is None else torch.cat([state.tokens, input_ids], dim=1)
        state = ElmanState(torch.cat(last, dim=-1), tokens)
        loss = None
        if labels is not None:
            loss = nn.functional.cross_entropy(logits[:, :-1].flatten(0, 1), labels[:, 1:].flatten().to(logits.device))
        output = ElmanOutput(loss, logits, state)
        return output if return_dict else output.to_tuple()

    def _logits(self, h):
        """Of h [B,T,Dh]: [B,T,V]."""
        U = self.embedding.weight if self.config.tied_output else self.U
        theta = nn.functional.linear(h, U, self.b_2)
        if not len(self.tails):
            return theta
        n = len(self.b_2) - len(self.tails)
        head = theta.log_softmax(-1)
        return torch.cat([head[..., :n], *(tail(h) + head[..., n + k, None] for k, tail in enumerate(self.tails))], -1)

    def prepare_inputs_for_generation(self, input_ids, state=None, attention_mask=None, **kwargs):
        """The last token alone where the state has read those before it, else all of them."""
        if state is not None and torch.equal(state.tokens, input_ids[:, :-1]):
            return {"input_ids": input_ids[:, -1:], "state": state, "attention_mask": attention_mask}
        return {"input_ids": input_ids, "state": None, "attention_mask": attention_mask}

    def _update_model_kwargs_for_generation(self, outputs, model_kwargs, *args, **kwargs):
        model_kwargs["state"] = outputs.state
        return super()._update_model_kwargs_for_generation(outputs, model_kwargs, *args, **kwargs)

    def _reorder_cache(self, state, beam_idx):
        return ElmanState(state.h.index_select(0, beam_idx), state.tokens.index_select(0, beam_idx))
