"""Runs each side of a benchmark in a process of its own, so that threads and memory do not disturb another side's.

A side is one implementation that is timed. The benchmark starts a `Side` from a script and a name. The script, called
with that name, imports only what the side needs and calls `serve`. Requests and replies are JSON, one per line: first
what to prepare, then the turns to time.
"""

from __future__ import annotations

import importlib.util
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

Steps = dict[str, Callable[[], object]]
"""The steps of a side that can be timed, by name."""
Prepared = tuple[Steps, dict[str, Any]]
"""The steps, and the arrays that the correctness gate compares."""
THREADS = ("ELMAN_THREADS", "OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")


class Side:
    """The process of a side, as the benchmark sees it. `missing`: its package is not installed."""

    def __init__(self, script: str, name: str, package: str, threads: int) -> None:
        self.name = name
        self.missing = importlib.util.find_spec(package) is None
        if not self.missing:
            self._process = subprocess.Popen(
                [sys.executable, script, "--side", name], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                env=os.environ | dict.fromkeys(THREADS, str(threads)),
            )  # fmt: skip

    def prepare(self, what: Any) -> dict[str, Any]:
        """Makes the side prepare `what`; returns the arrays of its gate."""
        import numpy as np

        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "arrays.npz"
            self._request({"what": what, "path": str(path)})
            with np.load(path) as arrays:
                return dict(arrays)

    def turn(self, seconds: float) -> dict[str, float]:
        """Seconds of each step of the side: the median over about `seconds` of running it."""
        return self._request({"seconds": seconds})

    def close(self) -> None:
        """Ends the process."""
        if not self.missing:
            self._process.communicate()

    def _request(self, request: dict[str, Any]) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"the side {self.name} ended with exit code {self._process.wait()}; its error is above")
        reply: dict[str, Any] = json.loads(line)
        return reply


def serve(prepare: Callable[[Any], Prepared]) -> None:
    """The process of a side: replies to requests until its input ends."""
    import numpy as np

    replies = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # so that the output of a compiler goes to stderr, not between the replies
    steps: Steps = {}
    for line in sys.stdin:
        request = json.loads(line)
        if "seconds" in request:
            reply = {kind: timed(step, request["seconds"]) for kind, step in steps.items()}
        else:
            steps, arrays = prepare(request["what"])
            np.savez(request["path"], **arrays)
            reply = {}
        replies.write(json.dumps(reply) + "\n")
        replies.flush()


def in_turn(sides: list[Side], rounds: int, seconds: float) -> dict[str, dict[str, list[float]]]:
    """Seconds per step of each side, by side and step: one number for each round, after one uncounted round."""
    times: dict[str, dict[str, list[float]]] = {side.name: {} for side in sides}
    for k in range(rounds + 1):
        for side in sides[k % len(sides) :] + sides[: k % len(sides)]:  # so that no side always runs after the same one
            for kind, elapsed in side.turn(seconds).items():
                if k:
                    times[side.name].setdefault(kind, []).append(elapsed)
    return times


def timed(step: Callable[[], object], seconds: float) -> float:
    """The median seconds of a step, after one uncounted step."""
    step()
    times: list[float] = []
    while sum(times) < seconds or len(times) < 3:
        began = time.perf_counter()
        step()
        times.append(time.perf_counter() - began)
    return statistics.median(times)


def installed(package: str) -> str:
    """The version of a package, or "not installed"."""
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def started(script: str, packages: dict[str, str], threads: int, prefix: str = "") -> tuple[list[Side], list[str]]:
    """The processes of the sides (name → package) whose package is installed; the names of the others, printed too."""
    sides = [Side(script, name, package, threads) for name, package in packages.items()]
    missing = [side.name for side in sides if side.missing]
    for name in missing:
        print(f"{prefix}{name} is not measured: its package is not installed")
    return [side for side in sides if not side.missing], missing
