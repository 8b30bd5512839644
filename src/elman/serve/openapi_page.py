"""The part of the OpenAPI description that is about the server's own page."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from elman.serve.limits import Limits
from elman.serve.openapi_parts import Json, json_content, nullable, object_of
from elman.serve.page_answers import DEFAULT_NEXT, MOST_NEXT, WEIGHTS
from elman.serve.served_model import ServedModel


def page_paths(
    operation: Callable[..., Json], models: Mapping[str, ServedModel], limits: Limits, key_errors: Sequence[int],
    secured: Json,
) -> Json:  # fmt: skip
    """The paths under /page. operation: makes one of its name, summary, answer, errors and more."""
    about = operation("page_about", "What the page offers.", json_content(_about()), list(key_errors), **secured)
    errors = [400, *key_errors, 404, 413, 415, 429, 500, 503]

    def post(name: str, summary: str, answer: Json, **fields: Json) -> Json:
        body = {"type": "object", "additionalProperties": False, "properties": fields}
        made = operation(
            name, summary, json_content(answer), errors,
            requestBody={"required": True, "content": json_content(body)}, **secured,
        )  # fmt: skip
        return {"post": made}

    page = nullable(f"Markdown, LaTeX or plain text; a request has at most {limits.body} bytes.", "", type="string")
    every = {
        "/page/about": {"get": about},
        "/page/check": post("page_check", "The verdicts of `elman check` on a page.", _check(), text=page),
    }
    if not models:
        return every
    given = {
        "model": {"description": "Which model.", "enum": [*models, None], "default": next(iter(models))},
        "text": nullable(f"A text of at most {limits.prompt_tokens} tokens.", "", type="string"),
    }
    V = min(model.lm.p.V for model in models.values())
    at = nullable("After how many tokens of the text; null: after all.", type="integer", minimum=0, maximum=2**31)
    return every | {
        "/page/surprise": post("page_surprise", "Each token of a text with its bits, -log2 p.", _surprise(), **given),
        "/page/next": post(
            "page_next", "The likeliest tokens after the first tokens of a text.", _next(),
            **given,
            at=at,
            top=nullable("How many.", DEFAULT_NEXT, type="integer", minimum=1, maximum=MOST_NEXT),
        ),
        "/page/gradient": post(
            "page_gradient", "What each earlier time step contributes to the gradient of one prediction's loss.",
            _gradient(),
            **given,
            at=at,
            target=nullable(
                "The id of the token that is predicted; null: the text's, or else the likeliest.", type="integer",
                minimum=0, maximum=V - 1,
            ),
            layer=nullable("The layer of a stack, from 0.", 0, type="integer", minimum=0, maximum=2**31),
            weight={"description": "With respect to what.", "enum": [*WEIGHTS, None], "default": WEIGHTS[0]},
        ),
    }  # fmt: skip


_TEXT, _COUNT, _NUMBER = {"type": "string"}, {"type": "integer", "minimum": 0}, {"type": "number"}


def _list(items: Json) -> Json:
    return {"type": "array", "items": items}


def _about() -> Json:
    model = object_of(
        id=_TEXT, level=_TEXT, vocabulary=_COUNT, hidden=_COUNT, layers=_COUNT, activation=_TEXT,
        mixture={"type": ["object", "null"], "additionalProperties": _NUMBER},
    )  # fmt: skip
    return object_of(models=_list(model), notes=_TEXT)


def _check() -> Json:
    """Of a claim, what `elman check --json` has: its place in the text, its verdict and its repairs."""
    return object_of(
        holds={"type": "boolean"}, summary=_TEXT, wrong=_COUNT, not_checked=_COUNT, holding=_COUNT,
        claims=_list({"type": "object"}), remarks=_list(_TEXT), html=_TEXT,
    )  # fmt: skip


def _surprise() -> Json:
    token = object_of(text=_TEXT, token=_TEXT, id=_COUNT, bits=_NUMBER, known={"type": "boolean"})
    return object_of(model=_TEXT, before=_TEXT, tokens=_list(token))


def _next() -> Json:
    token: dict[str, Any] = object_of(token=_TEXT, id=_COUNT, bits=_NUMBER, probability=_NUMBER)
    return object_of(
        model=_TEXT, at=_COUNT, entropy=_NUMBER, tokens=_list(token), actual={"anyOf": [token, {"type": "null"}]},
        rank={"type": ["integer", "null"]},
    )  # fmt: skip


def _gradient() -> Json:
    numbers = _list({"type": ["number", "null"]})
    return object_of(
        model=_TEXT, at=_COUNT, weight={"enum": list(WEIGHTS)}, layer=_COUNT,
        target=object_of(token=_TEXT, id=_COUNT, bits=_NUMBER),
        first={"type": "integer"}, reach=_COUNT, log10_norms=numbers,
        shares={"anyOf": [_list(_NUMBER), {"type": "null"}]},
    )  # fmt: skip
