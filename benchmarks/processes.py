"""A benchmark's sides as processes of their own, so that no side's threads or memory disturb another's.

The benchmark makes a `Side` of a script and a name; the script, called with that name, imports only what the side
needs and ends in `serve`. Questions and answers are JSON, a line each: first what to prepare, then turns to be timed.
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
"""What a side can be timed at, by name."""
Prepared = tuple[Steps, dict[str, Any]]
"""The steps, and the arrays that the gate looks at."""
THREADS = ("ELMAN_THREADS", "OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")


class Side:
    """The process of a side, seen from the benchmark. `missing`: its package is not installed."""

    def __init__(self, script: str, name: str, package: str, threads: int) -> None:
        self.name = name
        self.missing = importlib.util.find_spec(package) is None
        if not self.missing:
            self._process = subprocess.Popen(
                [sys.executable, script, "--side", name], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                env=os.environ | dict.fromkeys(THREADS, str(threads)),
            )  # fmt: skip

    def prepare(self, what: Any) -> dict[str, Any]:
        """Lets the side make ready for `what`; the arrays it answers with."""
        import numpy as np

        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "arrays.npz"
            self._ask({"what": what, "path": str(path)})
            with np.load(path) as arrays:
                return dict(arrays)

    def turn(self, seconds: float) -> dict[str, float]:
        """Seconds of each of the side's steps: the median over about so many seconds."""
        return self._ask({"seconds": seconds})

    def close(self) -> None:
        """Ends the process."""
        if not self.missing:
            self._process.communicate()

    def _ask(self, question: dict[str, Any]) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(question) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"the side {self.name} ended with exit code {self._process.wait()}; its error is above")
        answer: dict[str, Any] = json.loads(line)
        return answer


def serve(prepare: Callable[[Any], Prepared]) -> None:
    """The process of a side: answers until its input ends."""
    import numpy as np

    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a compiler prints does not get among them
    steps: Steps = {}
    for line in sys.stdin:
        question = json.loads(line)
        if "seconds" in question:
            answer = {kind: timed(step, question["seconds"]) for kind, step in steps.items()}
        else:
            steps, arrays = prepare(question["what"])
            np.savez(question["path"], **arrays)
            answer = {}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


def in_turn(sides: list[Side], rounds: int, seconds: float) -> dict[str, dict[str, list[float]]]:
    """Every side's seconds a step, by side and step, a number a round; one round more, the first, is not counted."""
    found: dict[str, dict[str, list[float]]] = {side.name: {} for side in sides}
    for k in range(rounds + 1):
        for side in sides[k % len(sides) :] + sides[: k % len(sides)]:  # nobody always follows the same neighbour
            for kind, elapsed in side.turn(seconds).items():
                if k:
                    found[side.name].setdefault(kind, []).append(elapsed)
    return found


def timed(step: Callable[[], object], seconds: float) -> float:
    """Median seconds of a step, after one that is not counted."""
    step()
    found: list[float] = []
    while sum(found) < seconds or len(found) < 3:
        began = time.perf_counter()
        step()
        found.append(time.perf_counter() - began)
    return statistics.median(found)


def installed(package: str) -> str:
    """The version of a package, or that it is not installed."""
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
