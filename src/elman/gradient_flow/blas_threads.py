"""Matrix decompositions of a few hundred rows run fastest on one thread.

LAPACK's threads wait for each other at every column. On two busy cores a QR of 512 columns took 2 s with two threads
and 0.08 s with one; on idle cores the second thread gains nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, wraps
from typing import ParamSpec, TypeVar

from threadpoolctl import ThreadpoolController

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


@cache
def _controller() -> ThreadpoolController:
    return ThreadpoolController()  # inspects the loaded libraries once: NumPy's BLAS is among them


def on_one_thread(function: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """Limits the BLAS to one thread while the function runs. The native kernels' own threads are not affected."""

    @wraps(function)
    def limited(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        with _controller().limit(limits=1, user_api="blas"):
            return function(*args, **kwargs)

    return limited
