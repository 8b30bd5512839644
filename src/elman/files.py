"""The one way to write, lock and read files.

Only regular files are read, each with a limit on its size: a pipe or a device in the place of a file would be read for
ever.

A file is written under a temporary name beside its place, flushed to the disk, and renamed into place. A reader, or the
next start after a crash or on a full disk, finds the old file or the new one, never a part of one.

An OSError becomes one sentence of the caller's error family, for instance "cannot write runs/a/model.safetensors: No
space left on device; ...". The caller chooses the class of the error, and the advice that follows the semicolon.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from elman.errors import ElmanError, FileError

PARTIAL = ".partial-"
"""What the temporary names begin with. A process that is killed while it writes leaves such a file behind."""
LONGEST_KEPT = 40
"""Characters of a file's name that are kept in its temporary name: that may not be too long where the name is not."""


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
    Raises `error` where the file cannot be written (a full disk, no permission, no such folder), and where a folder, a
    pipe or a device is in its place.
    """
    if fault := output_fault(path):
        raise error(f"cannot write {path}: it {fault}" + (f"; {advice}" if advice else ""))
    temporary = path.with_name(f"{PARTIAL}{os.getpid()}-{path.name[-LONGEST_KEPT:]}")
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


def open_input(path: Path, limit: int, error: type[ElmanError] = FileError, advice: str = "") -> BinaryIO:
    """Opens a regular file of at most `limit` bytes to read. Every input of every command is opened here.

    Raises `error` where there is no such file, or it is a folder, a pipe, a device, too large, or cannot be read. So
    does reading from it, at any time.
    """

    def require(status: os.stat_result) -> None:
        if fault := _fault(status, limit):
            raise error(f"{path} {fault}: {advice}" if advice else f"{path} {fault}")

    try:
        require(path.stat())  # before it is opened: to open a device may already do something
        descriptor = os.open(path, _READ)
        try:
            require(os.fstat(descriptor))  # it may have been replaced since
        except BaseException:
            os.close(descriptor)
            raise
        return io.BufferedReader(_Reader(descriptor, path, error, advice))
    except FileNotFoundError as cause:
        raise error(f"{path} does not exist: {advice}" if advice else f"{path} does not exist") from cause
    except (OSError, ValueError) as cause:  # ValueError: a path with a null character
        text = f"cannot read {path}: {getattr(cause, 'strerror', None) or cause}"
        raise error(f"{text}; {advice}" if advice else text) from cause


class _Reader(io.FileIO):
    """A file whose reading raises errors of the caller's class."""

    def __init__(self, descriptor: int, path: Path, error: type[ElmanError], advice: str) -> None:
        super().__init__(descriptor, "rb")
        self._place = path, error, advice

    def readinto(self, buffer: Any, /) -> int | None:
        with sentence("read", *self._place):
            return super().readinto(buffer)

    def readall(self) -> bytes:
        with sentence("read", *self._place):
            return super().readall()


def read_bytes(path: Path, limit: int, error: type[ElmanError] = FileError, advice: str = "") -> bytes:
    """The content of a regular file of at most `limit` bytes. Raises `error` as `open_input` does."""
    with open_input(path, limit, error, advice) as file:
        # no more than the size that was checked; files of the system that have no size may block
        return file.read(os.fstat(file.fileno()).st_size)


_READ = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
"""A pipe opened so does not wait for its other end."""
_KINDS = (
    (stat.S_ISDIR, "folder"), (stat.S_ISFIFO, "pipe"), (stat.S_ISCHR, "device"), (stat.S_ISBLK, "device"),
    (stat.S_ISSOCK, "socket"),
)  # fmt: skip


def _fault(status: os.stat_result, limit: float = float("inf")) -> str:
    """What keeps a file from being read: "is a folder, expected a file". Empty where nothing does."""
    if not stat.S_ISREG(status.st_mode):
        kind = next((name for is_it, name in _KINDS if is_it(status.st_mode)), "special file")
        return f"is a {kind}, expected a file"
    if status.st_size > limit:
        return f"is larger than {limit / 2**20:,.0f} MB, it has {status.st_size:,} bytes"
    return ""


def is_folder(path: Path) -> bool:
    """Whether a folder is there; False also where that cannot be known (opening the path then says why)."""
    return os.path.isdir(path)  # noqa: PTH112 (the method raises for a name that is too long)


def is_there(path: Path, error: type[ElmanError] = FileError, advice: str = "") -> bool:
    """Whether something is at the path, a broken link counted.

    Raises `error` where that cannot be known: no permission, a name that is too long.
    """
    with sentence("read", path, error, advice):
        try:
            path.lstat()
        except (FileNotFoundError, NotADirectoryError):
            return False
        return True


def files_in(folder: Path, ending: str) -> list[Path]:
    """The regular files in a folder and its folders whose names end so, sorted."""
    return sorted(p for p in folder.rglob(f"*{ending}") if os.path.isfile(p))  # noqa: PTH113 (does not raise)


def output_fault(path: Path) -> str:
    """What keeps a file from being written to a path: "is a folder, expected a file". Empty where nothing is known."""
    if not path.name:  # / or .
        return "is a folder, expected a file"
    with contextlib.suppress(OSError, ValueError):  # nothing is there yet, or writing it will say why it cannot be
        return _fault(path.stat())
    return ""


def same_place(a: Path, b: Path) -> bool:
    """Whether two paths lead to the same file or folder, which need not exist."""
    with contextlib.suppress(OSError, ValueError):
        return a.samefile(b)
    return os.path.realpath(a) == os.path.realpath(b)  # Path.resolve raises for a loop of links


@contextlib.contextmanager
def locked(path: Path, taken: str, error: type[ElmanError] = FileError, advice: str = "") -> Iterator[None]:
    """Holds the lock file at `path`; the operating system releases it when the process ends, also by kill -9.

    Raises error(taken) at once where another process holds the lock, and `error` with the reason where the file cannot
    be made or the file system has no locks.
    """
    import filelock

    lock, existed = filelock.FileLock(path, timeout=0), path.exists()
    try:
        lock.acquire()
    except filelock.Timeout as cause:
        raise error(taken) from cause
    except (OSError, NotImplementedError) as cause:
        if not existed:
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)
        number = getattr(cause, "errno", None)
        text = f"cannot lock {path}: {getattr(cause, 'strerror', None) or cause}"
        if number is None or number in _NO_LOCKS:
            advice = "this file system has no locks, and without one two processes could write the same files: "
            advice += "choose a folder on a local disk"
        raise error(f"{text}; {advice}" if advice else text) from cause
    try:
        yield
    finally:
        with contextlib.suppress(OSError):  # the end of the process releases it
            lock.release()


_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)


def flush(path: Path, error: type[ElmanError] = FileError, advice: str = "") -> None:
    """Makes a file, and its name in its folder, last through a power failure: for one that is appended to."""
    with sentence("write", path, error, advice):
        with path.open("rb+") as file:
            os.fsync(file.fileno())
        _flush_folder(path.parent)


def make_folder(path: Path, error: type[ElmanError] = FileError, advice: str = "") -> list[Path] | None:
    """Makes a folder and those above it, to last; returns those that were made, deepest first.

    None where the folder is there already; no two processes make the same one. Raises `error` where it cannot be made;
    then none is left.
    """
    made: list[Path] = []
    try:
        with sentence("write", path, error, advice):
            for folder in reversed([path, *(above for above in path.parents if not above.exists())]):
                try:
                    folder.mkdir()
                except FileExistsError:
                    if folder == path:
                        return None
                    continue  # another process made it just now
                made.insert(0, folder)
                _flush_folder(folder.parent)
    except BaseException:
        remove_empty(made)
        raise
    return made


def remove_empty(folders: Iterable[Path]) -> None:
    """Removes the folders that are empty, in this order."""
    for folder in folders:
        with contextlib.suppress(OSError):
            folder.rmdir()


def remove(path: Path) -> None:
    """Removes a file to last, if it is there. Raises OSError."""
    if path.exists():
        path.unlink()
        _flush_folder(path.parent)


def _flush_folder(folder: Path) -> None:
    """Makes a new name, a rename or a removal last through a power failure, where a folder can be opened.

    Windows has no way to, nor the flag O_DIRECTORY.
    """
    if not hasattr(os, "O_DIRECTORY"):
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as cause:
        if cause.errno not in (errno.EINVAL, errno.EOPNOTSUPP):  # a file system that cannot flush a folder
            raise
    finally:
        os.close(descriptor)
