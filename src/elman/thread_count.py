"""How many threads the kernels use. (It imports nothing heavy: the command line asks before NumPy is imported.)"""

from __future__ import annotations

import os

from elman.errors import ConfigError

MOST_THREADS = 1024


def threads() -> int:
    """The number in ELMAN_THREADS or OPENBLAS_NUM_THREADS, at most the processors this process may use; without either,
    all of these. More threads would only wait for each other.

    Raises ConfigError where ELMAN_THREADS is no number of threads. (The other variable is OpenBLAS's own.)
    """
    asked, value = wanted_threads(), os.environ.get("OPENBLAS_NUM_THREADS", "")
    if asked is None and value.isascii() and value.isdigit() and len(value) < 10:
        asked = int(value)
    return min(asked or processors(), processors())


def wanted_threads() -> int | None:
    """The number in ELMAN_THREADS; None where it is not set. Raises ConfigError for what is no number of threads."""
    return whole_number("ELMAN_THREADS", MOST_THREADS)


def whole_number(variable: str, most: int = 2**31) -> int | None:
    """The number in an environment variable, from 1 on; None where it is not set or empty. Raises ConfigError."""
    value = os.environ.get(variable, "").strip()
    if not value:
        return None
    if not (value.isascii() and value.isdigit() and len(value) < 12 and 1 <= int(value) <= most):
        raise ConfigError(f"{variable} is {value[:40]!r}; it must be a whole number from 1 to {most:,}, or not set")
    return int(value)


def processors() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
