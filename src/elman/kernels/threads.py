"""How many threads the kernels use."""

from __future__ import annotations

import os


def threads() -> int:
    """The number in ELMAN_THREADS or OPENBLAS_NUM_THREADS; without either, the processors this process may use."""
    for name in ("ELMAN_THREADS", "OPENBLAS_NUM_THREADS"):
        value = os.environ.get(name, "")
        if value.isdigit() and int(value) > 0:
            return int(value)
    return processors()


def processors() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
