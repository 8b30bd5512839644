"""The one way to write, lock and read files.

A file is written under a temporary name beside its place, flushed to the disk, and renamed into place. A reader, or the
next start after a crash or on a full disk, finds the old file or the new one, never a part of one.

An OSError becomes one sentence of the caller's error family, for instance "cannot write runs/a/model.safetensors: No
space left on device; ...". The caller chooses the class of the error, and the advice that follows the semicolon.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from elman.errors import ElmanError, FileError

PARTIAL = ".partial-"
"""What the temporary names begin with. A process that is killed while it writes leaves such a file behind."""


@contextlib.contextmanager
def sentence(verb: str, path: Path, error: type[ElmanError] = FileError, advice: str = "") -> Iterator[None]:
    """Turns an OSError of its block into `error`: "cannot {verb} {path}: {reason}; {advice}"."""
    try:
        yield
    except OSError as cause:
        text = f"cannot {verb} {path}: {cause.strerror or cause}"
        raise error(f"{text}; {advice}" if advice else text) from cause


@contextlib.contextmanager
def whole(path: Path, error: type[ElmanError] = FileError, advice: str = "") -> Iterator[Path]:
    """Yields a temporary path to write to; moves it to `path` if the block succeeds, and deletes it if not.

    For content that a library writes itself, or piece by piece; `write_whole` is shorter where the content is at hand.
    Raises `error` where the file cannot be written (a full disk, no permission, no such folder).
    """
    temporary = path.with_name(f"{PARTIAL}{os.getpid()}-{path.name}")
    try:
        with sentence("write", path, error, advice):
            yield temporary
            with temporary.open("rb+") as file:
                os.fsync(file.fileno())
            temporary.replace(path)
            _flush_folder(path.parent)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def write_whole(path: Path, data: bytes | str, error: type[ElmanError] = FileError, advice: str = "") -> None:
    """Writes the file as a whole, or leaves the old one as it was. Text is written as UTF-8.

    Raises `error` where the file cannot be written (a full disk, no permission, no such folder).
    """
    with whole(path, error, advice) as temporary:
        temporary.write_bytes(data.encode() if isinstance(data, str) else data)


def remove_partial(folder: Path) -> None:
    """Deletes what processes that were killed while they wrote left in a folder. Only for its one writer."""
    for leftover in folder.glob(f"{PARTIAL}*"):
        with contextlib.suppress(OSError):
            leftover.unlink()


def read_bytes(path: Path, error: type[ElmanError] = FileError, advice: str = "") -> bytes:
    """The content of a file. Raises `error` where it cannot be read."""
    with sentence("read", path, error, advice):
        return path.read_bytes()


@contextlib.contextmanager
def locked(path: Path, taken: str, error: type[ElmanError] = FileError, advice: str = "") -> Iterator[None]:
    """Holds the lock file at `path`; the operating system releases it when the process ends, also by kill -9.

    The lock file itself stays. Raises error(taken) at once where another process holds the lock, and `error` with the
    reason where the file cannot be made.
    """
    import filelock

    lock = filelock.FileLock(path, timeout=0)
    with sentence("lock", path, error, advice):
        try:
            lock.acquire()
        except filelock.Timeout as cause:
            raise error(taken) from cause
    try:
        yield
    finally:
        lock.release()


def _flush_folder(folder: Path) -> None:
    """Makes a rename last through a power failure; Windows offers no way to."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
