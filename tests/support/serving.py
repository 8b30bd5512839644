"""`elman serve`, or another command that serves, as a process on a free port."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
from collections.abc import Iterator


@contextlib.contextmanager
def serving(*arguments: object, name: str = "serve", **environment: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A server on a free port, and its address, or the line that it prints in place of the usual one."""
    command = [sys.executable, "-m", "elman", name, *map(str, arguments), "--port", "0"]
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"OPENBLAS_NUM_THREADS": "1"} | environment,
    ) as server:
        try:
            assert server.stdout
            line = server.stdout.readline()
            assert line, server.stderr and server.stderr.read()
            found = re.search(r"(?<= at )http://[^\s/]+", line)
            yield server, found[0] if found else line
        finally:
            server.kill()
