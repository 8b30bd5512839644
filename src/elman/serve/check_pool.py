"""The worker processes that check pages (`check_worker.py`), started when they are needed."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from typing import Any

from elman.serve.api_error import ApiError

MOST = 2
"""The most checks at a time; others wait."""
LONGEST = 1 << 28
"""The most bytes of an answer."""


class CheckPool:
    """Checks pages in worker processes; one whose caller stops waiting is killed. Used within one event loop.

    running, idle: the workers that check a page, and those that are free.
    """

    def __init__(self) -> None:
        self._places = asyncio.Semaphore(MOST)
        self.running: set[asyncio.subprocess.Process] = set()
        self.idle: list[asyncio.subprocess.Process] = []
        self._starting: set[asyncio.Task[asyncio.subprocess.Process]] = set()
        self._ending: set[asyncio.subprocess.Process] = set()

    async def check(self, text: str) -> dict[str, Any]:
        """The answer of `check_worker`. Raises ApiError for a page that is refused, and if the worker dies."""
        async with self._places:
            process = await self._free()
            self.running.add(process)
            try:
                answer = await _asked(process, text)
            except BaseException:
                await self._end(process)
                raise
            finally:
                self.running.discard(process)
            self.idle.append(process)
        if "refused" in answer:
            raise ApiError(400, answer["refused"], "text", "invalid_value")
        found: dict[str, Any] = answer["answer"]
        return found

    async def _free(self) -> asyncio.subprocess.Process:
        while self.idle:
            process = self.idle.pop()
            if process.returncode is None:
                return process
        starting = asyncio.ensure_future(start_worker())
        self._starting.add(starting)
        starting.add_done_callback(self._starting.discard)
        try:
            return await asyncio.shield(starting)
        except asyncio.CancelledError:
            starting.add_done_callback(self._keep)
            raise

    def _keep(self, started: asyncio.Task[asyncio.subprocess.Process]) -> None:
        """Takes the worker of a caller that did not wait for its start as a free one."""
        if not started.cancelled() and started.exception() is None:
            self.idle.append(started.result())

    async def _end(self, process: asyncio.subprocess.Process) -> None:
        """Kills a worker and waits for its end, which `close` does where this is cancelled."""
        if process not in self._ending:  # a second kill would take the worker's end from asyncio, which then complains
            self._ending.add(process)
            with contextlib.suppress(ProcessLookupError):
                process.kill()
        await process.wait()
        self._ending.discard(process)

    async def close(self) -> None:
        """Kills the workers, those too whose callers were cancelled, and waits for their ends."""
        await asyncio.gather(*self._starting, return_exceptions=True)
        for process in {*self.idle, *self.running, *self._ending}:
            await self._end(process)
        self.idle.clear()


async def start_worker() -> asyncio.subprocess.Process:
    """A worker of its own session, with pipes to it."""
    pipe = asyncio.subprocess.PIPE
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "elman.serve.check_worker", stdin=pipe, stdout=pipe, stderr=asyncio.subprocess.DEVNULL,
        limit=LONGEST, env=os.environ | {"OPENBLAS_NUM_THREADS": "1"},
        start_new_session=True,  # Ctrl-C in a terminal is the server's to answer
    )  # fmt: skip


async def _asked(process: asyncio.subprocess.Process, text: str) -> dict[str, Any]:
    assert process.stdin is not None
    assert process.stdout is not None
    line = b""
    with contextlib.suppress(ConnectionError):
        process.stdin.write(json.dumps({"text": text}).encode() + b"\n")
        await process.stdin.drain()
        line = await process.stdout.readline()
    if not line:
        raise ApiError(500, "the check ended without an answer; check a shorter page")
    found: dict[str, Any] = json.loads(line)
    return found
