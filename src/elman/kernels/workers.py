"""The threads of the NumPy kernels' elementwise passes."""

from __future__ import annotations

import contextvars
import os
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any

from elman.thread_count import threads


class Workers:
    """A pool of threads, made at its first use, and made again in a forked child, which has none of its parent's."""

    def __init__(self) -> None:
        self._pool: ThreadPoolExecutor | None = None
        self._process = 0

    def run(self, work: Callable[[slice], object], pieces: Sequence[slice]) -> None:
        """work(piece) for each piece, on all threads; returns when all are done. Raises the first error of `work`."""
        if len(pieces) < 2 or threads() == 1:
            for piece in pieces:
                work(piece)
            return
        if self._pool is None or self._process != os.getpid():
            self._pool, self._process = ThreadPoolExecutor(threads()), os.getpid()
        pool, futures = self._pool, []
        try:
            for piece in pieces:
                if (future := _submitted(pool, work, piece)) is None:
                    work(piece)
                else:
                    futures.append(future)
            for future in futures:
                future.result()
        finally:  # also after an error or Ctrl-C: the pieces use the caller's memory, which the next call uses again
            wait(futures)


def _submitted(pool: ThreadPoolExecutor, work: Callable[[slice], object], piece: slice) -> Future[Any] | None:
    """The work in the caller's context, which holds NumPy's `errstate`; None once the interpreter is shutting down.

    Python ends its pools when the main thread is over, while other threads may still compute.
    """
    try:
        return pool.submit(contextvars.copy_context().run, work, piece)
    except RuntimeError:
        return None
