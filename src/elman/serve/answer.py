"""Answers of the completions API as JSON values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from elman.serve.served_model import Scored

LEAST_LOG_PROB = -9999.0
"""In place of -∞, which JSON lacks, as other servers write it."""


def completion(id_: str, created: int, model: str, choices: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """An answer, or one part of a stream."""
    return {"id": id_, "object": "text_completion", "created": created, "model": model, "choices": list(choices)}


def choice(index: int, text: str, logprobs: dict[str, Any] | None, finish_reason: str | None) -> dict[str, Any]:
    """One text of an answer."""
    return {"index": index, "text": text, "logprobs": logprobs, "finish_reason": finish_reason}


def usage(prompt_tokens: int, completion_tokens: int) -> dict[str, int]:
    """The tokens that were read and drawn."""
    return {
        "prompt_tokens": prompt_tokens,
        "completion_tokens": completion_tokens,
        "total_tokens": prompt_tokens + completion_tokens,
    }


def logprobs(names: Sequence[str], scored: Sequence[Scored], offsets: Sequence[int]) -> dict[str, Any]:
    """The scores of tokens. names: the text of each token of the vocabulary."""
    return {
        "tokens": [names[each.token] for each in scored],
        "token_logprobs": [None if each.log_prob is None else max(each.log_prob, LEAST_LOG_PROB) for each in scored],
        "top_logprobs": [_by_name(names, each.alternatives) for each in scored],
        "text_offset": list(offsets),
    }


def _by_name(names: Sequence[str], alternatives: dict[int, float] | None) -> dict[str, float] | None:
    if alternatives is None:
        return None
    by_name: dict[str, float] = {}
    for token, log_prob in alternatives.items():  # the likeliest first: it keeps a name that two tokens have
        by_name.setdefault(names[token], max(log_prob, LEAST_LOG_PROB))
    return by_name


def model_card(name: str, created: int) -> dict[str, Any]:
    """One entry of /v1/models."""
    return {"id": name, "object": "model", "created": created, "owned_by": "elman"}
