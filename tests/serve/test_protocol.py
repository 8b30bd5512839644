"""Connections that send no request are closed, and only they."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import pytest
import uvicorn
from uvicorn.server import ServerState

from elman.serve.protocol import Protocol

HEAD = b"GET / HTTP/1.1\r\nHost: localhost\r\n"


@pytest.mark.parametrize("sent", [b"", b"GET", HEAD], ids=["nothing", "a word", "most of a head"])
@pytest.mark.parametrize("before", [0, 2])
def test_a_connection_without_a_request_is_closed(sent: bytes, before: int) -> None:
    """Also after answers on the same connection."""
    if before and not sent:
        pytest.skip("uvicorn's own limit for idle connections")
    assert asyncio.run(_conversation(0.01, before, sent)) == b""


def test_a_request_that_is_answered_slowly_is_not_late() -> None:
    assert b" 200 " in asyncio.run(_conversation(0.01, 0, HEAD + b"\r\n", turns=50))


async def _conversation(seconds: float, before: int, sent: bytes, turns: int = 0) -> bytes:
    """What the server says to `sent`, after some whole requests; turns: pauses of `seconds` before each answer."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        for _ in range(turns):
            await asyncio.sleep(seconds)
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"ok"})

    class Quick(Protocol):
        request_seconds = seconds if turns or not before else 30.0

    config = uvicorn.Config(app, log_config=None, lifespan="off")
    config.load()
    state = ServerState()
    server = await asyncio.get_running_loop().create_server(
        lambda: Quick(config=config, server_state=state, app_state={}), "127.0.0.1", 0
    )
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    for _ in range(before):
        writer.write(HEAD + b"\r\n")
        await reader.readuntil(b"ok")
    Quick.request_seconds = seconds
    found = b""
    with contextlib.suppress(ConnectionError):  # closed before it was written to
        writer.write(sent)
        found = await (reader.read() if not turns else reader.readuntil(b"ok"))
    writer.close()
    server.close()
    return found
