"""Decompositions of matrices of some hundred rows, which one thread makes fastest.

LAPACK's threads wait for each other at every column. On two busy cores a QR of 512 columns took 2 s with two threads
and 0.08 s with one; on idle ones nothing is gained by the second.
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
    return ThreadpoolController()  # looks once which libraries are loaded: NumPy's BLAS is


def on_one_thread(function: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """The function, with the BLAS held to one thread while it runs. The native kernels have threads of their own."""

    @wraps(function)
    def held(*arguments: Arguments.args, **more: Arguments.kwargs) -> Result:
        with _controller().limit(limits=1, user_api="blas"):
            return function(*arguments, **more)

    return held
