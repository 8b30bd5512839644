"""`/tokenize`, `/detokenize` and `/tokenizer_info`, as vLLM has them: clients that count tokens ask the server."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from elman.serve.api_error import ApiError
from elman.serve.body import Fields, whole_numbers
from elman.serve.limits import Limits
from elman.serve.prompt import read_prompt
from elman.serve.served_model import ServedModel, choose_model

LINE_END = "\n"
"""Begins and ends a text; at each level it is one token."""


def tokenize(models: Mapping[str, ServedModel], limits: Limits, body: Mapping[str, Any]) -> dict[str, Any]:
    """The token ids of a text, after the line end that is read before it unless `add_special_tokens` is false."""
    fields = Fields(body, ("model", "prompt", "add_special_tokens"))
    model = choose_model(models, fields.text("model"))
    prompt = read_prompt(model, str(fields.checked("prompt", "", str)), limits.prompt_tokens)
    special = fields.checked("add_special_tokens", True, bool)
    tokens = [*(prompt.context if special else ()), *prompt.ids]
    return {"count": len(tokens), "max_model_len": limits.prompt_tokens + limits.tokens, "tokens": tokens}


def detokenize(models: Mapping[str, ServedModel], limits: Limits, body: Mapping[str, Any]) -> dict[str, Any]:
    """The text of token ids."""
    fields = Fields(body, ("model", "tokens"))
    model, tokens = choose_model(models, fields.text("model")), whole_numbers(fields.given.get("tokens", []))
    if tokens is None:
        raise ApiError(400, "tokens must be a list of token ids", "tokens", "invalid_value")
    return {"prompt": read_prompt(model, tokens, limits.prompt_tokens).text}


def tokenizer_info(models: Mapping[str, ServedModel]) -> dict[str, Any]:
    """What the first model's tokens are."""
    tokenizer = next(iter(models.values())).lm.tokenizer
    return {"level": tokenizer.level, "vocab_size": tokenizer.V, "bos_token": LINE_END, "eos_token": LINE_END}
