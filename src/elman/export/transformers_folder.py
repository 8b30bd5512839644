"""A folder for transformers: AutoModelForCausalLM and AutoTokenizer open it with trust_remote_code=True."""

from __future__ import annotations

from collections.abc import Iterator

from elman import __version__
from elman.export.contents import Content, json_file, template, tensors, text_file, tokenizer_files
from elman.language_model import LanguageModel


def transformers_files(lm: LanguageModel) -> Iterator[Content]:
    """The files of the folder; one may push it to a hub as it is."""
    p, tokenizer = lm.p, lm.tokenizer
    weights = {"embedding.weight": p.E, "b_2": p.b_2}
    if not p.tied:
        weights["U"] = p.U
    for k, layer in enumerate(p.layers):
        weights |= {f"layers.{k}.W_e": layer.W_e, f"layers.{k}.W_h": layer.W_h, f"layers.{k}.b_1": layer.b_1}
    for k, tail in enumerate(p.tails):
        weights |= {f"tails.{k}.P": tail.P, f"tails.{k}.U": tail.U, f"tails.{k}.b_2": tail.b_2}
    yield tensors("model.safetensors", weights)
    yield json_file(
        "config.json",
        {
            "model_type": "elman",
            "architectures": ["ElmanForCausalLM"],
            "auto_map": {
                "AutoConfig": "configuration_elman.ElmanConfig",
                "AutoModelForCausalLM": "modeling_elman.ElmanForCausalLM",
            },
            "vocab_size": p.V,
            "embedding_size": p.d,
            "hidden_size": p.Dh,
            "num_hidden_layers": p.depth,
            "hidden_act": p.activation,
            "tied_output": p.tied,
            "skip_connections": p.skip,
            "tails": [[len(tail.P), len(tail.U)] for tail in p.tails],
            "bos_token_id": tokenizer.eos,
            "torch_dtype": str(p.dtype),
            "elman_version": __version__,
        },
    )
    # Generation goes on after a line end, as `elman generate` does, and never draws <unk>.
    generation = {"bos_token_id": tokenizer.eos, "pad_token_id": tokenizer.eos, "eos_token_id": None}
    if tokenizer.unk is not None:
        generation["suppress_tokens"] = [tokenizer.unk]  # type: ignore[assignment]
    yield json_file("generation_config.json", generation)
    yield from tokenizer_files(tokenizer)
    yield template("configuration_elman.py")
    yield template("modeling_elman.py")
    yield text_file("README.md", _card(lm))


def _card(lm: LanguageModel) -> str:
    """The description that hubs show."""
    p = lm.p
    layers = f"{p.depth} recurrent layers" if p.above else "one recurrent layer"
    return f"""---
library_name: transformers
pipeline_tag: text-generation
tags:
- elman
- rnn
- custom_code
---

# An Elman network

A language model of level {lm.tokenizer.level}: {p.V:,} tokens, embeddings of {p.d}, {layers} of {p.Dh} units,
{p.activation}; {p.count:,} parameters.

```python
from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained(FOLDER, trust_remote_code=True)
model = AutoModelForCausalLM.from_pretrained(FOLDER, trust_remote_code=True)
inputs = tokenizer("The", return_tensors="pt")
text = tokenizer.decode(model.generate(**inputs, max_new_tokens=50, do_sample=True)[0])
```

The tokenizer begins every text with a line end, which the model has to read first. Lines are ended by it too:
generation goes on after it unless `eos_token_id={lm.tokenizer.eos}` is given. Exported by Elman {__version__}.
"""
