"""Calls of `elman` in processes forked from one that has imported it: the imports are most of a short call's time.

Each call is a process of its own, with arguments, streams, folder and environment of its own, as a user's is.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import traceback
from importlib import import_module
from pathlib import Path

IMPORTED = (
    "numpy", "tokenizers", "safetensors.numpy", "filelock", "rich.console", "rich.live", "elman.cli.entry",
    "elman.cli.train", "elman.cli.evaluate", "elman.cli.generate", "elman.cli.flow", "elman.cli.check",
    "elman.language_model", "elman.train_model", "elman.gradient_flow", "elman.notes", "elman.notes.report",
)  # fmt: skip
"""What most calls import."""

READ_AT_THE_START = ("PYTHON", "LANG", "LC_", "OPENBLAS_", "OMP_")
"""What Python and libraries read of the environment only when they begin: of no effect on a forked call."""


class ForkedCalls:
    """The process that has imported `elman`, begun at the first call."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> ForkedCalls:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process:
            self._connection.close()
            self._process.wait()

    def run(
        self, arguments: list[str], stdin: bytes, cwd: Path | None, environment: dict[str, str]
    ) -> subprocess.CompletedProcess[bytes]:
        """As `subprocess.run([sys.executable, "-m", "elman", *arguments], capture_output=True, …)`, which is what
        happens where the system cannot fork, or the environment sets what is read at the start.
        """
        if self._process is None and hasattr(os, "fork"):
            self._begin(environment)
        if self._process is None or _read_at_the_start(environment) != self._environment:
            return subprocess.run(
                [sys.executable, "-m", "elman", *arguments],
                input=stdin, capture_output=True, cwd=cwd, env=environment, check=False,
            )  # fmt: skip
        call = json.dumps({"arguments": arguments, "cwd": str(cwd or Path.cwd()), "environment": environment}).encode()
        (in_end, to_call), (from_out, out_end), (from_err, err_end) = os.pipe(), os.pipe(), os.pipe()
        socket.send_fds(self._connection, [len(call).to_bytes(4, "big")], [in_end, out_end, err_end])
        self._connection.sendall(call)
        for end in (in_end, out_end, err_end):
            os.close(end)
        writer = threading.Thread(target=_write, args=(to_call, stdin))
        printed: list[bytes] = []
        reader = threading.Thread(target=lambda: printed.append(_read(from_out)))
        writer.start()
        reader.start()
        errors = _read(from_err)
        reader.join()
        writer.join()
        code = int.from_bytes(_exactly(self._connection, 4), "big", signed=True)
        return subprocess.CompletedProcess(arguments, code, printed[0], errors)

    def _begin(self, environment: dict[str, str]) -> None:
        self._environment = _read_at_the_start(environment)
        self._connection, other = socket.socketpair()
        with other:
            self._process = subprocess.Popen(
                [sys.executable, __file__, str(other.fileno())], pass_fds=[other.fileno()], env=environment
            )


def _read_at_the_start(environment: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if name.startswith(READ_AT_THE_START)}


def _write(descriptor: int, data: bytes) -> None:
    with contextlib.suppress(BrokenPipeError), os.fdopen(descriptor, "wb") as stream:
        stream.write(data)


def _read(descriptor: int) -> bytes:
    with os.fdopen(descriptor, "rb") as stream:
        return stream.read()


def _exactly(connection: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        part = connection.recv(size - len(data))
        if not part:
            raise EOFError("the other process has ended")
        data += part
    return data


def serve(connection: socket.socket) -> None:
    """Forks a process for each call that comes, and answers with its exit code; returns in the forked one alone."""
    while True:
        size, descriptors, _, _ = socket.recv_fds(connection, 4, 3)
        if not size:
            os._exit(0)
        call = json.loads(_exactly(connection, int.from_bytes(size, "big")))
        child = os.fork()
        if child == 0:
            connection.close()
            for standard, descriptor in enumerate(descriptors):
                os.dup2(descriptor, standard)
                os.close(descriptor)
            sys.stdin, sys.stdout = os.fdopen(0, encoding="utf-8"), os.fdopen(1, "w", encoding="utf-8")
            sys.stderr = os.fdopen(2, "w", encoding="utf-8", errors="backslashreplace")
            os.chdir(call["cwd"])
            os.environ.clear()
            os.environ.update(call["environment"])
            sys.argv[1:] = call["arguments"]
            return
        for descriptor in descriptors:
            os.close(descriptor)
        _, status = os.waitpid(child, 0)
        connection.sendall(os.waitstatus_to_exitcode(status).to_bytes(4, "big", signed=True))


def _code_of_main() -> int:
    """The exit code of `elman`, which prints its own errors; a traceback and 1 after an exception."""
    from elman.__main__ import main

    try:
        main()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 0
    except BaseException:
        traceback.print_exc()
    return 1


def _end(code: int) -> None:
    """The interpreter's end without the destruction of what was imported, which takes longer than a short call."""
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)
    del sys.path[0]  # this folder's names are not a user's
    for name in IMPORTED:
        import_module(name)
    gc.freeze()
    serve(socket.socket(fileno=int(sys.argv[1])))
    _end(_code_of_main())
