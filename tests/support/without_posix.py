"""Python as it is where there is no POSIX, as far as Linux can play it; run as a program before anything of Elman.

    python without_posix.py MODULE [ARGUMENTS]        runs a module as `python -m` does

* The modules, functions and constants that Windows lacks are not there.
* A folder cannot be opened. A file that is open, or mapped into memory, cannot be renamed, replaced or deleted.
* New processes are spawned, never forked.
* Text files have no default encoding: opening one without a word about it is an error.
"""

from __future__ import annotations

import errno
import os
import runpy
import signal
import stat
import sys
import warnings
from collections.abc import Callable
from typing import Any

MODULES = ("fcntl", "grp", "posix", "pty", "pwd", "resource", "syslog", "termios", "tty")
FUNCTIONS = (
    "chown", "fchmod", "fchown", "fork", "forkpty", "getegid", "geteuid", "getgid", "getgroups", "getloadavg",
    "getpgid", "getpgrp", "getpriority", "getsid", "getuid", "initgroups", "killpg", "lchown", "lockf", "major",
    "makedev", "minor", "mkfifo", "mknod", "nice", "openpty", "pathconf", "posix_fadvise", "posix_fallocate",
    "pread", "preadv", "pwrite", "pwritev", "register_at_fork", "sched_getaffinity", "sched_setaffinity",
    "sched_yield", "sendfile", "setpriority", "setsid", "setuid", "sync", "sysconf", "wait", "wait3", "wait4",
)  # fmt: skip
CONSTANTS = ("O_CLOEXEC", "O_DIRECTORY", "O_NOCTTY", "O_NOFOLLOW", "O_NONBLOCK", "O_SYNC")
SIGNALS = (
    "SIGALRM", "SIGCHLD", "SIGCONT", "SIGHUP", "SIGKILL", "SIGPIPE", "SIGQUIT", "SIGSTOP", "SIGTSTP", "SIGUSR1",
    "SIGUSR2", "alarm", "pthread_kill", "pthread_sigmask", "setitimer", "sigpending", "sigwait",
)  # fmt: skip


def in_use(path: object) -> bool:
    """Whether this process has a file open, or mapped."""
    try:
        found = os.stat(path)  # type: ignore[call-overload]
    except OSError:
        return False
    for name in os.listdir("/proc/self/fd"):
        try:
            each = os.stat(f"/proc/self/fd/{name}")
        except OSError:
            continue
        if stat.S_ISREG(each.st_mode) and (each.st_dev, each.st_ino) == (found.st_dev, found.st_ino):
            return True
    with open("/proc/self/maps", encoding="utf-8") as maps:
        return any(os.path.realpath(os.fspath(path)) == line.split()[-1] for line in maps)  # type: ignore[call-overload]


def guarded(call: Callable[..., Any], paths: int) -> Callable[..., Any]:
    """The call, which fails as on Windows where one of its first arguments is in use."""

    def wrapped(*arguments: Any, **options: Any) -> Any:
        for path in arguments[:paths]:
            if in_use(path):
                raise PermissionError(errno.EACCES, "it is being used by a process", str(path))
        return call(*arguments, **options)

    return wrapped


def take_away() -> None:
    """Removes what Windows does not have."""
    import asyncio  # those of the library that ask for POSIX when they are imported, on Windows not
    import multiprocessing
    import pathlib
    import selectors
    import shutil
    import socket
    import subprocess
    import tempfile

    del asyncio, pathlib, selectors, shutil, socket, subprocess, tempfile
    multiprocessing.set_start_method("spawn")
    for name in MODULES:
        if name != "posix":  # which the library asks in the middle of its work
            sys.modules[name] = None  # type: ignore[assignment]
    for name in FUNCTIONS + CONSTANTS:
        if hasattr(os, name):
            delattr(os, name)
    for name in SIGNALS:
        if hasattr(signal, name):
            delattr(signal, name)
    real_open = os.open

    def opened(path: Any, flags: int, *rest: Any, **options: Any) -> int:
        if os.path.isdir(path):
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return real_open(path, flags, *rest, **options)

    os.open = opened
    for name, paths in (("replace", 2), ("rename", 2), ("unlink", 1), ("remove", 1)):
        setattr(os, name, guarded(getattr(os, name), paths))


if __name__ == "__main__":
    take_away()
    warnings.filterwarnings("error", category=EncodingWarning, module=r"elman\b")
    sys.argv = sys.argv[1:]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
