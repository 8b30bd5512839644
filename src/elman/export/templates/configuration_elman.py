"""The sizes of an Elman network, for transformers."""

from transformers import PretrainedConfig


class ElmanConfig(PretrainedConfig):
    """V tokens, embeddings of size d, n recurrent layers of Dh units with σ = `hidden_act`, and an output layer."""

    model_type = "elman"

    def __init__(
        self,
        vocab_size=2,
        embedding_size=1,
        hidden_size=1,
        num_hidden_layers=1,
        hidden_act="sigmoid",
        tied_output=False,
        skip_connections=False,
        tails=(),
        **kwargs,
    ):
        self.vocab_size = vocab_size
        self.embedding_size = embedding_size
        self.hidden_size = hidden_size
        self.num_hidden_layers = num_hidden_layers
        self.hidden_act = hidden_act
        self.tied_output = tied_output  # the output layer's matrix is the embedding, which is then saved once
        self.skip_connections = skip_connections
        self.tails = [list(sizes) for sizes in tails]  # of an adaptive output layer: units and tokens of each
        kwargs["tie_word_embeddings"] = False  # there is one matrix, and nothing to tie
        super().__init__(**kwargs)
