"""The body of a request: read within its limit, parsed, and its fields by type."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any, NoReturn

from starlette.requests import ClientDisconnect, Request

from elman.arguments import require
from elman.errors import ElmanError
from elman.schema import Range, in_words
from elman.serve.api_error import ApiError


async def read_body(request: Request, most: int) -> bytes:
    """The JSON body of a request. Raises ApiError where it is too large or of another type."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise ApiError(415, "the body must be JSON, with the header Content-Type: application/json")
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise ApiError(415, "the body must not be compressed")
    too_large = ApiError(413, f"the body is larger than {most} bytes", code="body_too_large")
    length = request.headers.get("content-length", "0")
    if length.isascii() and length.isdigit() and (len(length) > 15 or int(length) > most):
        raise too_large
    body = bytearray()
    try:
        async for part in request.stream():
            body += part
            if len(body) > most:
                raise too_large
    except ClientDisconnect:
        raise ApiError(400, "the connection ended before the body") from None
    return bytes(body)


def parsed(body: bytes) -> dict[str, Any]:
    """The object in the body. Raises ApiError for anything else."""
    try:
        value = json.loads(body, parse_constant=_refuse_constant)
    except RecursionError:
        raise ApiError(400, "the body's brackets are nested too deeply; give the parameters in one object") from None
    except ValueError as error:
        where = f" (line {error.lineno}: {error.msg})" if isinstance(error, json.JSONDecodeError) else ""
        raise ApiError(400, f"the body is not JSON in UTF-8{where}") from None
    if not isinstance(value, dict):
        raise ApiError(400, f"the body is {in_words(value)}; it must be an object")
    return value


def _refuse_constant(name: str) -> NoReturn:
    raise ApiError(400, f"the body has {name}, which is not JSON")


def whole_numbers(value: Any) -> list[int] | None:
    """A list of whole numbers, of which JSON has one kind: 1.0 is 1. None for anything else."""
    if not isinstance(value, list):
        return None
    numbers = []
    for each in value:
        if isinstance(each, bool) or not (isinstance(each, int) or (isinstance(each, float) and each.is_integer())):
            return None
        numbers.append(int(each))
    return numbers


class Fields:
    """The fields of a body by type; a null is a field that is not given. Raises ApiError for an unknown name."""

    def __init__(self, body: Mapping[str, Any], known: Collection[str]) -> None:
        for name in body:
            if name not in known:
                raise ApiError(400, f"the parameter {in_words(name)} is not known", name, "unknown_parameter")
        self.given = {name: value for name, value in body.items() if value is not None}

    def checked(self, name: str, default: Any, kind: type, allowed: Range | None = None) -> Any:
        """The value of a field, or the default. Raises ApiError for another type and outside the range."""
        if name not in self.given:
            return default
        value = self.given[name]
        if kind is int and isinstance(value, float) and value.is_integer():
            value = int(value)  # JSON has one kind of number: 1.0 is 1
        try:
            require(name, value, kind, allowed)
        except ElmanError as error:
            raise ApiError(400, str(error), name, "invalid_value") from None
        return value

    def whole(self, name: str, default: int, low: int, high: int) -> int:
        """A whole number from low to high."""
        allowed = Range(f"a whole number from {low} to {high}", low, high, whole=True)
        value: int = self.checked(name, default, int, allowed)
        return value

    def number(self, name: str, default: float, allowed: Range) -> float:
        """A number in the range."""
        return float(self.checked(name, default, float, allowed))

    def flag(self, name: str) -> bool:
        """True or false; false where it is not given."""
        return bool(self.checked(name, False, bool))

    def text(self, name: str) -> str | None:
        """A text that UTF-8 can write."""
        value: str | None = self.checked(name, None, str)
        return value
