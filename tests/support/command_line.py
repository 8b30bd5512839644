"""The command line in the tests: its commands, a small text, and what a refused call looks like."""

from __future__ import annotations

import subprocess
from collections.abc import Callable

Run = Callable[..., subprocess.CompletedProcess[str]]

TEXT = "\n".join(
    f"the {animal} {verb} on the {place} and the {place} {verb} under the {animal}"
    for animal in ("cat", "dog", "ox", "hen", "bee")
    for verb in ("sat", "ran", "fell", "slept")
    for place in ("mat", "roof", "hill", "lake", "moon", "tree")
) + "\n"  # fmt: skip

COMMANDS = (
    "train", "evaluate", "score", "generate", "next", "serve", "flow", "check", "derive", "ngram", "export", "metrics",
    "plot", "bench", "info", "completion",
)  # fmt: skip


def fails(done: subprocess.CompletedProcess[str], sentence: str, code: int = 2) -> None:
    """One sentence on stderr, the exit code, no traceback."""
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    assert sentence in done.stderr, done.stderr
    if done.stderr.startswith("elman: "):
        assert done.stderr.count("\n") == 1
