"""How long a request is worked on: until its time is up, or its client has gone; and how much is taken on at a time."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Coroutine, Iterator
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from elman.serve.api_error import ApiError
from elman.serve.limits import Limits
from elman.serve.metrics import Metrics


@contextlib.asynccontextmanager
async def until(deadline: float) -> AsyncIterator[None]:
    """Raises ApiError where the time (of the loop's clock) is up."""
    try:
        if asyncio.get_running_loop().time() >= deadline:  # what need not wait would never see it
            raise TimeoutError
        async with asyncio.timeout_at(deadline):
            yield
    except TimeoutError:
        raise ApiError(503, "the request took longer than the server allows; ask for less", code="timeout") from None


async def unless_gone(request: Request, answering: Coroutine[Any, Any, Response]) -> Response:
    """The answer; work ends where the client has gone."""
    task = asyncio.ensure_future(answering)
    gone = asyncio.ensure_future(_disconnected(request))
    try:
        await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
        return task.result() if task.done() else Response(status_code=499)  # nobody reads it
    finally:
        task.cancel()
        gone.cancel()


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def take_on(metrics: Metrics, limits: Limits, texts: int) -> None:
    """Counts texts that are worked on; `metrics.texts` is lowered when they end. Raises ApiError where there are too
    many.
    """
    if metrics.texts + texts > limits.texts:
        raise ApiError(
            429, f"the server is working on {metrics.texts} texts and takes at most {limits.texts}; try again later",
            code="rate_limit_exceeded", headers={"Retry-After": "1"},
        )  # fmt: skip
    metrics.texts += texts


@contextlib.contextmanager
def one_text(metrics: Metrics, limits: Limits) -> Iterator[None]:
    """Counts one text as worked on while it is entered. Raises ApiError where there are too many."""
    take_on(metrics, limits, 1)
    try:
        yield
    finally:
        metrics.texts -= 1
