"""Parts of an OpenAPI description."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]

_MESSAGES = {
    400: "The request is not valid.", 401: "The key is missing or wrong.", 404: "No such model, layer or place.",
    413: "The body is too large.", 415: "The body is no JSON.",
    429: "The server is working on as many texts as it allows.",
    500: "The network overflows, or an error of the server.", 503: "The time is up, or too many connections are open.",
}  # fmt: skip


def object_of(**properties: Any) -> Json:
    """An object that has all of these properties."""
    return {"type": "object", "required": list(properties), "properties": properties}


def reference(name: str) -> Json:
    """A schema of the description's components."""
    return {"$ref": f"#/components/schemas/{name}"}


def json_content(schema: Json) -> Json:
    """A body of this schema."""
    return {"application/json": {"schema": schema}}


def json_of(name: str) -> Json:
    """A body of this schema of the components."""
    return json_content(reference(name))


def error_answer(status: int) -> Json:
    """An answer that is an error."""
    return {"description": _MESSAGES[status], "content": json_content(reference("Error"))}


def nullable(description: str, default: Any = None, **schema: Any) -> Json:
    """A field that may be null; null means its default."""
    kind = schema.pop("type")
    return {"description": description, "type": [kind, "null"], "default": default} | schema
