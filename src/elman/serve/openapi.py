"""The OpenAPI description of the server, with the limits it was started with, and a page of it without scripts."""

from __future__ import annotations

import html
from collections.abc import Mapping
from typing import Any

from elman import __version__
from elman.serve.completion_request import DEFAULT_TOKENS
from elman.serve.limits import LONGEST_STOP, MOST_ALTERNATIVES, MOST_CHOICES, MOST_STOPS, Limits
from elman.serve.openapi_page import page_paths
from elman.serve.openapi_parts import Json, error_answer, json_content, json_of, nullable, object_of, reference
from elman.serve.served_model import ServedModel


def openapi(models: Mapping[str, ServedModel], limits: Limits, has_key: bool) -> Json:
    """The description, as OpenAPI 3.1 writes it."""
    names = list(models)
    secured: Json = {"security": [{"key": []}]} if has_key else {}
    key_errors = [401] if has_key else []
    body_errors = [400, *key_errors, 404, 413, 415]

    def operation(name: str, summary: str, answer: Json, errors: list[int], **more: Any) -> Json:
        responses = {"200": {"description": "The answer.", "content": answer}}
        responses |= {str(status): error_answer(status) for status in sorted(errors)}
        return {"operationId": name, "summary": summary, "responses": responses} | more

    by_name = {
        "name": "model", "in": "path", "required": True, "schema": {"type": "string", "enum": names},
    }  # fmt: skip
    completion = operation(
        "create_completion",
        "Continues each prompt. With echo, logprobs and max_tokens 0 it scores the prompts.",
        json_of("Completion") | {"text/event-stream": {"schema": object_of(data={"type": "string"})}},
        [*body_errors, 429, 500, 503],
        requestBody={"required": True, "content": json_of("CompletionRequest")},
        **secured,
    )
    of_models = {
        "/v1/completions": {"post": completion},
        "/v1/models": {
            "get": operation("list_models", "Lists the models.", json_of("Models"), key_errors, **secured)
        },
        "/v1/models/{model}": {
            "get": operation(
                "retrieve_model", "One model.", json_of("Model"), [*key_errors, 404], parameters=[by_name],
                **secured,
            )
        },
        "/tokenize": {
            "post": operation(
                "tokenize", "The token ids of a text.", json_of("Tokens"), body_errors,
                requestBody={"required": True, "content": json_of("TokenizeRequest")}, **secured,
            )
        },
        "/detokenize": {
            "post": operation(
                "detokenize", "The text of token ids.", json_content(object_of(prompt={"type": "string"})), body_errors,
                requestBody={"required": True, "content": json_of("DetokenizeRequest")}, **secured,
            )
        },
        "/tokenizer_info": {
            "get": operation(
                "tokenizer_info", "What a token of the first model is.", json_of("TokenizerInfo"), key_errors,
                **secured,
            )
        },
    }  # fmt: skip
    paths = (of_models if models else {}) | {
        "/health": {"get": operation("health", "Whether the server works.", json_of("Health"), [503])},
        "/metrics": {
            "get": operation(
                "metrics", "Counters in the text format of Prometheus.",
                {"text/plain": {"schema": {"type": "string"}}}, key_errors, **secured,
            )
        },
    }  # fmt: skip
    paths |= page_paths(operation, models, limits, key_errors, secured)
    schemas = _answers() | (_of_models(models, limits) if models else {})
    components: Json = {"schemas": schemas}
    if has_key:
        components["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Elman", "version": __version__, "description": "Recurrent language models."},
        "paths": paths,
        "components": components,
    }


def _of_models(models: Mapping[str, ServedModel], limits: Limits) -> Json:
    V = min(model.lm.p.V for model in models.values())
    ids = {
        "type": "array", "items": {"type": "integer", "minimum": 0, "maximum": V - 1},
        "minItems": 1, "maxItems": limits.prompt_tokens,
    }  # fmt: skip
    several = {"minItems": 1, "maxItems": limits.prompts}
    prompt = {
        "description": "A text, several, token ids, or several lists of them. A prompt is the beginning "
        "of a line; token ids may begin with the line end that is read before it. At most "
        f"{limits.prompt_tokens} tokens each.",
        "default": "",
        "anyOf": [
            {"type": "string"}, {"type": "array", "items": {"type": "string"}} | several,
            ids, {"type": "array", "items": ids} | several, {"type": "null"},
        ],
    }  # fmt: skip

    stop = {"type": "string", "minLength": 1, "maxLength": LONGEST_STOP}
    which = {"description": "Which model.", "enum": [*models, None], "default": next(iter(models))}
    request = {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "model": which,
            "prompt": prompt,
            "max_tokens": nullable("The most tokens to draw.", DEFAULT_TOKENS, type="integer", minimum=0,
                                   maximum=limits.tokens),
            "temperature": nullable("Divides the logits; 0: always the likeliest token.", 1, type="number", minimum=0),
            "top_p": nullable("Draw among the likeliest tokens whose probabilities reach this sum.", 1, type="number",
                              exclusiveMinimum=0, maximum=1),
            "top_k": nullable("Draw among the k likeliest tokens; 0: among all.", 0, type="integer", minimum=0,
                              maximum=2**31),
            "min_p": nullable("Draw among the tokens with at least this share of the likeliest one's probability.", 0,
                              type="number", minimum=0, maximum=1),
            "repetition_penalty": nullable("r: p of a token of the prompt or drawn before becomes p^r; 1: none.", 1,
                                           type="number", minimum=1),
            "n": nullable("Texts for each prompt.", 1, type="integer", minimum=1, maximum=MOST_CHOICES),
            "stop": {
                "description": "End before the first of these texts.",
                "anyOf": [stop, {"type": "array", "items": stop, "maxItems": MOST_STOPS}, {"type": "null"}],
            },
            "seed": nullable("The same seed gives the same text.", type="integer", minimum=0, maximum=2**256),
            "echo": nullable("Begin each text with its prompt.", False, type="boolean"),
            "logprobs": nullable("Give ln p of each token, and so many of the likeliest ones.", type="integer",
                                 minimum=0, maximum=MOST_ALTERNATIVES),
            "stream": nullable("Send the text as it is drawn, as server-sent events.", False, type="boolean"),
            "user": nullable("Who asks; nothing depends on it.", type="string"),
        },
    }  # fmt: skip
    numbers = {"type": "array", "items": {"type": ["number", "null"]}}
    logprobs = {
        "type": ["object", "null"],
        "required": ["tokens", "token_logprobs", "top_logprobs", "text_offset"],
        "properties": {
            "tokens": {"type": "array", "items": {"type": "string"}},
            "token_logprobs": numbers,
            "top_logprobs": {
                "type": "array", "items": {"type": ["object", "null"], "additionalProperties": {"type": "number"}}
            },
            "text_offset": {"type": "array", "items": {"type": "integer"}},
        },
    }  # fmt: skip
    choice = object_of(
        index={"type": "integer"}, text={"type": "string"}, logprobs=logprobs,
        finish_reason={"enum": ["stop", "length"]},
    )  # fmt: skip
    count = {"type": "integer", "minimum": 0}
    model = object_of(
        id={"type": "string"}, object={"const": "model"}, created=count, owned_by={"const": "elman"}
    )  # fmt: skip
    return {
        "CompletionRequest": request,
        "TokenizeRequest": {
            "type": "object",
            "additionalProperties": False,
            "properties": {
                "model": which,
                "prompt": nullable("A text.", "", type="string"),
                "add_special_tokens": nullable("Begin with the line end that is read before it.", True, type="boolean"),
            },
        },
        "DetokenizeRequest": {
            "type": "object",
            "additionalProperties": False,
            "properties": {"model": which, "tokens": {"anyOf": [ids | {"minItems": 0}, {"type": "null"}]}},
        },
        "Tokens": object_of(count=count, max_model_len=count, tokens={"type": "array", "items": count}),
        "TokenizerInfo": object_of(
            level={"type": "string"}, vocab_size=count, bos_token={"const": "\n"}, eos_token={"const": "\n"}
        ),
        "Completion": object_of(
            id={"type": "string"}, object={"const": "text_completion"}, created=count, model={"type": "string"},
            choices={"type": "array", "items": choice},
            usage=object_of(prompt_tokens=count, completion_tokens=count, total_tokens=count),
        ),
        "Model": model,
        "Models": object_of(object={"const": "list"}, data={"type": "array", "items": reference("Model")}),
    }  # fmt: skip


def _answers() -> Json:
    return {
        "Health": object_of(status={"const": "ok"}),
        "Error": object_of(
            error=object_of(
                message={"type": "string"}, type={"type": "string"}, param={"type": ["string", "null"]},
                code={"type": ["string", "null"]},
            )
        ),
    }  # fmt: skip


_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Elman: API</title>
<style>
:root {{ color-scheme: light dark }}
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 46rem; margin: 2rem auto; padding: 0 1rem }}
code {{ font-family: ui-monospace, monospace; overflow-wrap: anywhere }}
table {{ border-collapse: collapse; width: 100% }}
td, th {{ border-bottom: 1px solid #8884; padding: .3rem .5rem .3rem 0; text-align: left; vertical-align: top }}
</style></head><body>
<h1>Elman: API</h1>
<p>The same as a file for programs: <a href="/openapi.json">openapi.json</a>.</p>
<h2>Paths</h2>
<table><tr><th>Request</th><th>Answer</th></tr>{paths}</table>
{fields}</body></html>
"""
_FIELDS = """<h2>Parameters of /v1/completions</h2>
<table><tr><th>Name</th><th>Meaning</th><th>Default</th></tr>{fields}</table>
"""


def page(description: Json) -> str:
    """The description for people."""
    paths = "".join(
        f"<tr><td><code>{method.upper()} {html.escape(path)}</code></td>"
        f"<td>{html.escape(operation['summary'])}</td></tr>"
        for path, operations in description["paths"].items()
        for method, operation in operations.items()
    )
    fields = "".join(
        f"<tr><td><code>{name}</code></td><td>{html.escape(field['description'] + _range(field))}</td>"
        f"<td><code>{html.escape(_default(field))}</code></td></tr>"
        for name, field in _fields(description).items()
    )
    table = _FIELDS.format(fields=fields) if fields else ""
    return _PAGE.format(paths=paths, fields=table)


def _fields(description: Json) -> Json:
    request: Json = description["components"]["schemas"].get("CompletionRequest", {"properties": {}})
    properties: Json = request["properties"]
    return properties


def _range(field: Json) -> str:
    if "maximum" in field:
        return f" From {field.get('minimum', field.get('exclusiveMinimum'))} to {field['maximum']}."
    return ""


def _default(field: Json) -> str:
    default = field.get("default")
    return "" if default is None else repr(default).lower() if isinstance(default, bool) else str(default)
