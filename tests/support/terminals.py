"""`elman …` on a pseudo-terminal, and with standard streams that are closed, full, or gone."""

from __future__ import annotations

import contextlib
import os
import pty
import subprocess
import sys
import threading
from pathlib import Path

ESCAPE = "\x1b]0;pwned\x07"
"""What sets the title of a terminal that obeys it."""
REVERSED = "\u202e"
"""What turns the direction of the text after it."""


def on_a_terminal(*arguments: object, cwd: Path | None = None) -> tuple[str, int]:
    """What the command writes to its terminal, and its exit code."""
    master, slave = pty.openpty()
    environment = os.environ | {"TERM": "xterm", "PYTHONIOENCODING": "utf-8"}
    process = subprocess.Popen(
        [sys.executable, "-m", "elman", *map(str, arguments)],
        stdin=slave, stdout=slave, stderr=slave, cwd=cwd, env=environment, start_new_session=True,
    )  # fmt: skip
    os.close(slave)
    parts: list[bytes] = []

    def read() -> None:
        with contextlib.suppress(OSError):  # Linux: the last process has closed the terminal
            while part := os.read(master, 65536):
                parts.append(part)

    reader = threading.Thread(target=read)
    reader.start()
    code = process.wait()
    reader.join()
    os.close(master)
    return b"".join(parts).decode(), code


def through_a_shell(redirections: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """The command with redirections such as `>&-` (closed) and `2>/dev/full`."""
    return subprocess.run(
        ["bash", "-o", "pipefail", "-c", f'"$@" {redirections}', "bash", sys.executable, "-m", "elman",
         *map(str, arguments)],
        capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False,
    )  # fmt: skip
