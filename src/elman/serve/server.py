"""From run folders to a listening server, until it is asked to stop."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import socket
from collections.abc import Callable, Iterator, Mapping
from types import FrameType

import uvicorn

from elman.errors import ConfigError
from elman.serve.app import application
from elman.serve.gate import is_loopback
from elman.serve.limits import Limits
from elman.serve.protocol import Protocol
from elman.serve.served_model import ServedModel
from elman.serve.waiting import Deadlines

KEEP_ALIVE = 30
"""Seconds that an idle connection stays open."""
GRACE = 5
"""Seconds that answers have to end when the server stops; those that have not are then told so."""
LAST_WORD = 1
"""Seconds after GRACE in which the answers that it ends are still sent."""


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens there; port 0: any that is free. Raises ConfigError where that is not possible."""
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        return socket.create_server(address[:2], family=family, backlog=1024)
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ConfigError(
            f"the server cannot listen on {host} port {port}: {reason}; choose another --host or --port"
        ) from None


def serve(
    models: Mapping[str, ServedModel], listening: socket.socket, limits: Limits, key: str | None,
    report: Callable[[str], None], notes: str = "",
) -> None:  # fmt: skip
    """Answers requests until SIGINT or SIGTERM. Without models it only checks pages, of which `notes` is the first.

    report: takes a sentence about each error of the server itself.

    Without a key, a server on the loopback interface answers only requests to a name of it.
    """
    local_only = key is None and is_loopback(listening.getsockname()[0])
    deadlines = Deadlines(limits.seconds)
    config = uvicorn.Config(
        application(models, limits, key, local_only, report, notes, deadlines), lifespan="on", log_config=None,
        access_log=False, server_header=False, proxy_headers=False, http=Protocol, ws="none",
        limit_concurrency=limits.connections, timeout_keep_alive=KEEP_ALIVE,
        timeout_graceful_shutdown=GRACE + LAST_WORD, backlog=1024,
    )  # fmt: skip
    logger = logging.getLogger("uvicorn")
    logger.handlers, logger.propagate = [_Reports(report)], False
    logger.setLevel(logging.ERROR)
    with contextlib.closing(listening):
        asyncio.run(_Server(config, deadlines).serve([listening]))


class _Server(uvicorn.Server):
    """Stops at the first SIGINT or SIGTERM when its answers have ended, at the second at once."""

    def __init__(self, config: uvicorn.Config, deadlines: Deadlines) -> None:
        super().__init__(config)
        self._deadlines = deadlines

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Takes no more connections, waits for the answers, and ends the application."""
        self._deadlines.stop(GRACE)
        await super().shutdown(sockets)
        if self.force_exit:  # uvicorn leaves the application as it is, with its workers running
            await self.lifespan.shutdown()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """In place of uvicorn's own, which raises the signal again when all is over."""
        before = {number: signal.signal(number, self._asked) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _asked(self, number: int, frame: FrameType | None) -> None:
        self.force_exit, self.should_exit = self.should_exit, True


class _Reports(logging.Handler):
    """Errors that uvicorn logs, as messages."""

    def __init__(self, report: Callable[[str], None]) -> None:
        super().__init__()
        self._report = report

    def emit(self, record: logging.LogRecord) -> None:
        """Reports the first line of a record, unless it is about an answer that a second signal broke off."""
        if record.exc_info and isinstance(record.exc_info[1], asyncio.CancelledError):
            return
        self._report(record.getMessage().partition("\n")[0])
