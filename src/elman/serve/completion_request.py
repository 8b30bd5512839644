"""The body of `POST /v1/completions`, checked: each field is known, of its type and in its range, or it is refused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from elman.arguments import SEED
from elman.errors import ElmanError
from elman.inference.generate import PENALTY, SHARE, SHARE_OF_BEST, TEMPERATURE, Sampling
from elman.schema import Range, in_words
from elman.serve.api_error import ApiError
from elman.serve.body import Fields, whole_numbers
from elman.serve.limits import LONGEST_STOP, MOST_ALTERNATIVES, MOST_CHOICES, MOST_STOPS, Limits

FIELDS = (
    "model", "prompt", "max_tokens", "temperature", "top_p", "top_k", "min_p",
    "repetition_penalty", "n", "stop", "seed", "echo", "logprobs", "stream",
    "stream_options", "best_of", "suffix", "presence_penalty", "frequency_penalty", "logit_bias", "user",
)  # fmt: skip
"""All fields of the body; the last ones only with the values that change nothing."""
DEFAULT_TOKENS = 16


@dataclass(frozen=True)
class CompletionRequest:
    """What a client asks for. prompts: texts, or token ids; logprobs: None, or how many alternatives."""

    model: str | None
    prompts: list[str] | list[list[int]]
    sampling: Sampling
    n: int
    seed: int | None
    echo: bool
    logprobs: int | None
    stream: bool
    usage_in_stream: bool


def read_request(body: Mapping[str, Any], limits: Limits) -> CompletionRequest:
    """The request in a body. Raises ApiError where a field is unknown, of a wrong type, or out of range."""
    fields = Fields(body, FIELDS)
    given = fields.given
    n = fields.whole("n", 1, 1, MOST_CHOICES)
    tokens = fields.whole("max_tokens", DEFAULT_TOKENS, 0, limits.tokens)
    _refuse_unsupported(given, fields, n)
    logprobs = fields.whole("logprobs", 0, 0, MOST_ALTERNATIVES) if "logprobs" in given else None
    stream = fields.flag("stream")
    try:
        sampling = Sampling(
            tokens,
            fields.number("temperature", 1.0, TEMPERATURE),
            fields.whole("top_k", 0, 0, 2**31),
            fields.number("top_p", 1.0, SHARE),
            _stops(given.get("stop", ())),
            min_p=fields.number("min_p", 0.0, SHARE_OF_BEST),
            repetition_penalty=fields.number("repetition_penalty", 1.0, PENALTY),
        )
    except ElmanError as error:
        raise ApiError(400, str(error)) from None
    return CompletionRequest(
        model=fields.text("model"),
        prompts=_prompts(given.get("prompt", ""), limits),
        sampling=sampling,
        n=n,
        seed=fields.checked("seed", None, int, SEED),
        echo=fields.flag("echo"),
        logprobs=logprobs,
        stream=stream,
        usage_in_stream=_usage_in_stream(given.get("stream_options"), stream),
    )


def _refuse_unsupported(given: Mapping[str, Any], fields: Fields, n: int) -> None:
    """Raises ApiError for what this server does not do, unless the value asks for nothing."""
    if "best_of" in given and fields.whole("best_of", n, 1, 2**31) != n:
        raise ApiError(
            400, "best_of is not supported, other than the same number as n", "best_of", "unsupported_parameter"
        )
    for name in ("presence_penalty", "frequency_penalty"):
        if fields.number(name, 0.0, Range("from -2 to 2", -2, 2)) != 0:
            raise ApiError(400, f"{name} is not supported, other than 0", name, "unsupported_parameter")
    if "logit_bias" in given and given["logit_bias"] != {}:
        raise ApiError(400, "logit_bias is not supported, other than {}", "logit_bias", "unsupported_parameter")
    if fields.text("suffix"):
        raise ApiError(400, "suffix is not supported: the model only reads forward", "suffix", "unsupported_parameter")
    fields.text("user")  # names who asks; nothing depends on it


def _stops(value: Any) -> tuple[str, ...]:
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list | tuple) or len(texts) > MOST_STOPS:
        expected = f"a text or a list of at most {MOST_STOPS} texts"
        raise ApiError(400, f"stop is {in_words(value)}; it must be {expected}", "stop", "invalid_value")
    for text in texts:
        if not isinstance(text, str) or not 1 <= len(text) <= LONGEST_STOP:
            expected = f"a text of 1 to {LONGEST_STOP} characters"
            raise ApiError(400, f"stop has {in_words(text)}; it must be {expected}", "stop", "invalid_value")
    return tuple(texts)


def _prompts(value: Any, limits: Limits) -> list[str] | list[list[int]]:
    """A text, a list of texts, token ids, or a list of lists of them: the prompts, all texts or all ids."""
    if isinstance(value, str):
        return [value]
    if not isinstance(value, list) or not value:
        raise _wrong_prompt(value)
    if all(isinstance(each, str) for each in value):
        prompts: list[Any] = value
    elif (ids := whole_numbers(value)) is not None:
        prompts = [ids]
    else:
        prompts = [whole_numbers(each) for each in value]
        if None in prompts:
            raise _wrong_prompt(value)
    if len(prompts) > limits.prompts:
        raise ApiError(
            400, f"the request has {len(prompts)} prompts; this server takes at most {limits.prompts} in one request",
            "prompt", "too_many_prompts",
        )  # fmt: skip
    if any(not prompt for prompt in prompts if isinstance(prompt, list)):
        raise ApiError(400, "a prompt of token ids is empty; it must have at least one", "prompt", "invalid_value")
    return prompts


def _wrong_prompt(value: Any) -> ApiError:
    expected = "a text, a list of texts, a list of token ids, or a list of lists of token ids"
    return ApiError(400, f"prompt is {in_words(value)}; it must be {expected}", "prompt", "invalid_value")


def _usage_in_stream(value: Any, stream: bool) -> bool:
    if value is None:
        return False
    if not stream:
        raise ApiError(400, 'stream_options is only for "stream": true', "stream_options", "invalid_value")
    if not isinstance(value, dict) or value.keys() - {"include_usage"} or not isinstance(
        value.get("include_usage", False), bool
    ):  # fmt: skip
        raise ApiError(
            400, 'stream_options must be {"include_usage": true} or {"include_usage": false}', "stream_options",
            "invalid_value",
        )  # fmt: skip
    return bool(value.get("include_usage", False))
