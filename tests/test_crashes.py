"""Power failures, failing operations and kills: short forms of benchmarks/crashes.py, without a clock."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from scripts import BENCHMARKS


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="sees which files are open through /proc")
@pytest.mark.parametrize(("what", "count"), [("cuts", 10), ("errors", 20), ("kills", 8)])
def test_an_interrupted_run_ends_as_one_left_in_peace(what: str, count: int) -> None:
    """In a process of its own, since it replaces Python's functions for files, and forks."""
    done = subprocess.run(
        [sys.executable, str(BENCHMARKS / "crashes.py"), what, "--count", str(count), "--without-clock"],
        capture_output=True, text=True, env=os.environ | {"OPENBLAS_NUM_THREADS": "1"}, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert " 0 faults;" in done.stdout
