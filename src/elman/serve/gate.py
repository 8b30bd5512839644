"""What every request passes: the host it names, its key, its count, and an answer whatever happens behind it."""

from __future__ import annotations

import hmac
import ipaddress
import time
from collections.abc import Callable, Collection

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from elman.serve.api_error import ApiError
from elman.serve.metrics import Metrics

OPEN = ("/health", "/openapi.json", "/docs", "/")
"""Paths that need no key."""
STATIC = "/static/"
"""How the paths of the page's files begin, which need no key either: the page asks its user for it."""


class Gate:
    """The outermost part of the application.

    key         the key that requests must bring, or None
    local_only  whether only requests to a name of this machine's loopback are answered: a page in a browser could
                otherwise reach the server under a name of its own that points here (DNS rebinding)
    report      takes a sentence about each error of the server itself
    paths       the paths that are counted under their own names
    """

    def __init__(
        self, inner: ASGIApp, metrics: Metrics, key: str | None, local_only: bool, report: Callable[[str], None],
        paths: Collection[str],
    ) -> None:  # fmt: skip
        self._inner, self._metrics, self._local_only, self._report = inner, metrics, local_only, report
        self._key, self._paths = None if key is None else key.encode(), paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        if scope["type"] != "http":
            await self._inner(scope, receive, send)
            return
        began, status = time.monotonic(), 0

        async def counted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        self._metrics.requests_in_progress += 1
        try:
            error = self._refused(scope)
            inner = self._inner if error is None else error_response(error)
            await inner(scope, receive, counted)
        except Exception as error:
            self._report(f"an error of the server, answered with 500: {type(error).__name__}: {error}")
            if not status:
                await error_response(ApiError(500, "an error of the server"))(scope, receive, counted)
        finally:
            self._metrics.requests_in_progress -= 1
            self._metrics.answered(*self._labels(scope), status, time.monotonic() - began)

    def _refused(self, scope: Scope) -> ApiError | None:
        headers = Headers(scope=scope)
        if self._local_only and not is_loopback(_host_of(headers.get("host", ""))):
            return ApiError(
                400,
                "the server answers only requests to localhost; start it with a key (ELMAN_API_KEY) to allow others",
            )
        if self._key is None or scope["path"] in OPEN or scope["path"].startswith(STATIC):
            return None
        kind, _, given = headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer" and hmac.compare_digest(given.strip().encode(), self._key):
            return None
        return ApiError(
            401, "the API key is missing or wrong: send the header Authorization: Bearer KEY",
            code="invalid_api_key", headers={"WWW-Authenticate": "Bearer"},
        )  # fmt: skip

    def _labels(self, scope: Scope) -> tuple[str, str]:
        method, path = scope["method"], scope["path"]
        if path.startswith("/v1/models/"):
            path = "/v1/models/{model}"
        return method if method in ("GET", "HEAD", "POST") else "other", path if path in self._paths else "other"


def error_response(error: ApiError) -> JSONResponse:
    """An error as an answer."""
    return JSONResponse(error.as_dict(), error.status, error.headers)


def _host_of(header: str) -> str:
    """The name in a Host header, without the port."""
    if header.startswith("["):
        return header[1:].partition("]")[0]
    return header.partition(":")[0]


def is_loopback(host: str) -> bool:
    """Whether a name or an address is of this machine's loopback."""
    if host.lower().rstrip(".") == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
