"""HTTP on a connection: uvicorn's, with a deadline for requests that do not come."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

REQUEST_SECONDS = 30.0
"""Seconds from the opening of a connection, or from the first byte of a later request, to the end of the request's
head. The body and the answer have `--max-seconds`."""


class Protocol(H11Protocol):
    """Closes a connection that holds a place and sends no request, or sends the head of one byte by byte.

    uvicorn itself closes a connection that is idle after an answer, but waits for a first request for ever.
    """

    request_seconds = REQUEST_SECONDS
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """The connection is open; a request has to come."""
        super().connection_made(transport)
        self._wait()

    def data_received(self, data: bytes) -> None:
        """Some bytes of a request; where they complete its head, it is being answered now."""
        super().data_received(data)
        if self._answers():
            self._stop_waiting()
        elif self._timer is None:
            self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is closed."""
        self._stop_waiting()
        super().connection_lost(exc)

    def _answers(self) -> bool:
        """Whether a request is being answered."""
        cycle: Any = self.cycle
        return cycle is not None and not cycle.response_complete

    def _wait(self) -> None:
        self._timer = self.loop.call_later(self.request_seconds, self._late)

    def _stop_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _late(self) -> None:
        self._timer = None
        if not self._answers():
            self.transport.close()
