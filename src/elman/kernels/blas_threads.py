"""How many threads NumPy's BLAS uses: one setting for the whole process, which decides the last bits of a product.

Matrix decompositions of a few hundred rows run fastest on one thread, since LAPACK's threads wait for each other at
every column: on two busy cores a QR of 512 columns took 2 s with two threads and 0.08 s with one; on idle cores the
second thread gains nothing. Products take all threads. So that neither changes the digits of the other where several
Python threads compute, a decomposition waits until no product runs, and products wait until it is done.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from functools import cache, wraps
from typing import Any, ParamSpec, TypeVar

from threadpoolctl import ThreadpoolController

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")

ONE, ALL = 0, 1


class _Gate:
    """Lets any number of products in, or one decomposition, and lets both kinds have their turn."""

    def __init__(self) -> None:
        self.process = os.getpid()
        self.limiter: Any = None
        self._changed = threading.Condition()
        self._inside, self._waiting, self._turn = [0, 0], [0, 0], ALL
        self._own = threading.local()

    def enter(self, setting: int) -> None:
        """Waits for its turn and sets the number of threads; within a function of either setting nothing changes."""
        depth = getattr(self._own, "depth", 0)
        if not depth:
            with self._changed:
                self._wait(setting)
                self._inside[setting] += 1
            if setting == ONE:
                self.limiter = _controller().limit(limits=1, user_api="blas").__enter__()
            self._own.setting = setting
        self._own.depth = depth + 1

    def leave(self) -> None:
        """Restores the number of threads, and lets the others in."""
        self._own.depth -= 1
        if self._own.depth:
            return
        setting = self._own.setting
        if setting == ONE:
            limiter, self.limiter = self.limiter, None
            limiter.__exit__(None, None, None)  # in the thread that set the limit: no other one may
        with self._changed:
            self._inside[setting] -= 1
            if not self._inside[setting] and any(self._waiting):
                self._changed.notify_all()

    def _may_enter(self, setting: int) -> bool:
        if self._inside[ONE] or (setting == ONE and self._inside[ALL]):
            return False
        return self._turn == setting or not self._waiting[not setting]

    def _wait(self, setting: int) -> None:
        other = not setting
        if self._may_enter(setting):
            return
        if self._inside[other]:
            self._turn = setting
        self._waiting[setting] += 1
        try:
            self._changed.wait_for(lambda: self._may_enter(setting))
        finally:
            self._waiting[setting] -= 1
            if self._waiting[other] and (setting == ONE or not self._waiting[ALL]):
                self._turn = other
            self._changed.notify_all()


_gates = [_Gate()]


def _gate() -> _Gate:
    """The gate of this process: a forked child begins with an open one."""
    gate = _gates[0]
    if gate.process != os.getpid():
        if gate.limiter is not None:  # of a thread that the child does not have
            gate.limiter.restore_original_limits()
        gate = _gates[0] = _Gate()
    return gate


@cache
def _controller() -> ThreadpoolController:
    return ThreadpoolController()  # inspects the loaded libraries once: NumPy's BLAS is among them


def on_one_thread(function: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """Limits the BLAS to one thread while the function runs. The native kernels' own threads are not affected."""
    return _inside(ONE, function)


def on_all_threads(function: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """The BLAS has all its threads while the function runs; within a function on one thread, that one."""
    return _inside(ALL, function)


def _inside(setting: int, function: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    @wraps(function)
    def inside(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        gate = _gate()
        gate.enter(setting)
        try:
            return function(*args, **kwargs)
        finally:
            gate.leave()

    return inside
