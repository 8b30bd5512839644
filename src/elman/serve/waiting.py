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

LAST_PART = 5.0
"""Seconds after its time is up that a stream has to send its last part, which says so."""
LAST_PART_AT_STOP = 0.5
"""The same where the server stops."""


class Deadlines:
    """Until when requests are worked on, on the clock of one event loop; all end soon where the server stops.

    seconds: of each request, from its arrival.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._stop: float | None = None
        self._open: dict[asyncio.Timeout, float] = {}  # with the seconds that each has after the stop

    def of_request(self) -> float:
        """The deadline of a request that has just come."""
        return asyncio.get_running_loop().time() + self._seconds

    @contextlib.asynccontextmanager
    async def until(self, deadline: float) -> AsyncIterator[None]:
        """Raises ApiError where the time is up."""
        try:
            if asyncio.get_running_loop().time() >= deadline:  # what need not wait would never see it
                raise TimeoutError
            async with self._timeout(deadline, 0):
                yield
        except TimeoutError:
            if self._stop is not None:
                raise ApiError(503, "the server is being stopped", code="stopped") from None
            raise ApiError(
                503, "the request took longer than the server allows; ask for less", code="timeout"
            ) from None

    @contextlib.asynccontextmanager
    async def while_sent(self, deadline: float) -> AsyncIterator[None]:
        """Ends what is sent to a client that reads no more, with the time that its last part needs."""
        with contextlib.suppress(TimeoutError):
            async with self._timeout(deadline + LAST_PART, LAST_PART_AT_STOP):
                yield

    def stop(self, seconds: float) -> None:
        """Ends all requests after so many seconds, also those that come until then."""
        self._stop = asyncio.get_running_loop().time() + seconds
        for timeout, more in self._open.items():
            timeout.reschedule(self._earlier(timeout.when(), more))

    def _earlier(self, when: float | None, more: float) -> float | None:
        return when if when is None or self._stop is None else min(when, self._stop + more)

    @contextlib.asynccontextmanager
    async def _timeout(self, when: float, more: float) -> AsyncIterator[None]:
        async with asyncio.timeout_at(self._earlier(when, more)) as timeout:
            self._open[timeout] = more
            try:
                yield
            finally:
                del self._open[timeout]


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
