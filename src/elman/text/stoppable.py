"""Ctrl-C during a call of a library that does not return for it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from typing import TypeVar

Item = TypeVar("Item")

WORKER = "elman: a library computes"
"""The name of the thread; one that is still alive after Ctrl-C keeps the interpreter from a normal end."""
_LOOKS_EVERY = 0.2
"""Seconds between two looks at a signal that reached another thread; one that reaches the main thread wakes it."""
_NOTICES_WITHIN = 5.0


def stoppable(
    work: Callable[[Iterator[Item]], object],
    items: Iterable[Item],
    waiting: Callable[[], AbstractContextManager[object]],
) -> None:
    """work(items) in a thread of its own; Ctrl-C, and what the reading of the items raises, is raised here.

    If it is stopped while it reads the items, the work ends; later it computes on, and its result is dropped. waiting:
    entered once the items are read.
    """
    failed: list[BaseException] = []
    read, stopped = threading.Event(), threading.Event()

    def given() -> Iterator[Item]:
        try:
            for item in items:
                if stopped.is_set():
                    raise InterruptedError
                yield item
        except Exception as error:  # the library would raise another one in its place
            failed.append(error)
            raise
        finally:
            read.set()

    def run() -> None:
        try:
            work(given())
        except BaseException as error:
            failed.append(error)
        finally:
            read.set()

    thread = threading.Thread(target=run, name=WORKER, daemon=True)
    try:
        thread.start()  # Ctrl-C may come while it begins
        while not read.wait(_LOOKS_EVERY):
            pass
        with waiting():
            while thread.is_alive():
                thread.join(_LOOKS_EVERY)
    except BaseException:
        stopped.set()
        if not read.is_set() and read.wait(_NOTICES_WITHIN) and thread.is_alive():
            thread.join(_NOTICES_WITHIN)
        raise
    if failed:
        raise failed[0]
