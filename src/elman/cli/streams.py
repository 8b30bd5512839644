"""The one way out: all that a command prints goes through here.

* Nothing that a terminal would obey reaches it from a text, a vocabulary, a page, a file name or an error: `printable`.
  Into a file or a pipe, stdout is written as it is.
* Where stdout takes no more (a full disk, closed), the command ends with one sentence. Where its reader has gone
  (`| head`), it ends without one: `ReaderGoneError`.
* Where stderr takes no more, its messages are lost and the work goes on: a run does not end because its terminal did.
* `--json` is valid JSON: NaN and infinities are null.
"""

from __future__ import annotations

import codecs
import contextlib
import errno
import io
import json
import math
import os
import sys
from typing import TYPE_CHECKING, Any, cast

from elman.errors import FileError
from elman.wording import json_escaped, printable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.console import Console, ConsoleOptions, RenderableType
    from rich.segment import Segment

LINES = "\n\t"
"""The control characters of a text of several lines."""


class ReaderGoneError(Exception):
    """What reads our stdout has ended; there is nobody to tell."""


def show(text: str = "", end: str = "\n") -> None:
    """Prints to stdout at once. Raises FileError or ReaderGoneError where that is not possible."""
    out = Stdout()
    out.write((printable(text, LINES) if out.isatty() else text) + end)
    out.flush()


def show_json(value: Any, indent: int | None = None) -> None:
    """Prints a value as JSON, on one line where `indent` is None; in ASCII where stdout cannot hold every character."""
    to_ascii = codecs.lookup(Stdout().encoding).name != "utf-8"
    show(json_escaped(json.dumps(_finite(value), ensure_ascii=to_ascii, indent=indent, allow_nan=False)))


def message(text: str) -> None:
    """Prints a message of one line to stderr, in the current language, if it still takes one."""
    from elman.translation import translate

    lines("elman: " + printable(translate(text)))


def lines(text: str) -> None:
    """Prints a text of one or more lines to stderr, if it still takes one."""
    err = Stderr()
    err.write(printable(text, LINES) + "\n")
    err.flush()


def console(stderr: bool = False) -> Console:
    """A console for styled text and progress, on stdout or stderr; what is printed on it is `printable`."""
    from rich.console import Console
    from rich.segment import Segment

    class SafeConsole(Console):
        def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
            for segment in super().render(renderable, options):
                yield segment if segment.control else Segment(printable(segment.text, LINES), segment.style)

    file = cast(Any, Stderr() if stderr else Stdout())
    return SafeConsole(file=file, highlight=False, soft_wrap=True)


class _Stream:
    """What click and rich need of a text stream, on sys.stdout or sys.stderr, whichever object that is by then."""

    name = ""

    def _open(self) -> Any:
        """The stream, below what rich puts in its place for a live line: that prints on a console, which writes here.

        Raises OSError where it was closed before this process began.
        """
        stream = getattr(sys, self.name)
        if stream is None:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        return getattr(stream, "rich_proxied_file", stream)

    @property
    def encoding(self) -> str:
        return getattr(getattr(sys, self.name), "encoding", None) or "utf-8"

    def isatty(self) -> bool:
        try:
            return bool(self._open().isatty())
        except (OSError, ValueError):
            return False

    def fileno(self) -> int:
        return int(self._open().fileno())

    def write(self, text: str) -> int:
        try:
            self._open().write(text)
        except (OSError, ValueError) as error:
            self.failed(error)
        return len(text)

    def flush(self) -> None:
        try:
            self._open().flush()
        except (OSError, ValueError) as error:
            self.failed(error)

    def failed(self, error: Exception) -> None:
        """Makes the stream harmless: what it still holds would fail again when the interpreter ends."""
        with contextlib.suppress(OSError, ValueError):
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, self.fileno())
            os.close(null)


class Stdout(_Stream):
    """Stdout: what cannot be written is an error."""

    name = "stdout"

    def failed(self, error: Exception) -> None:
        """Raises the error in our family."""
        super().failed(error)
        if isinstance(error, BrokenPipeError) or (os.name == "nt" and getattr(error, "errno", 0) == errno.EINVAL):
            raise ReaderGoneError from None  # Windows calls it an invalid argument
        raise stdout_error(error) from None


def stdout_error(error: Exception) -> FileError:
    """The sentence for an error of writing to stdout."""
    reason = "it is closed" if isinstance(error, io.UnsupportedOperation) else getattr(error, "strerror", None) or error
    return FileError(f"cannot write to stdout: {reason}; give it a file or a pipe that can be written")


class Stderr(_Stream):
    """Stderr: what cannot be written is lost."""

    name = "stderr"


def set_up_streams() -> None:
    """Makes closed standard streams harmless, and any text printable whatever the locale; called once, at the start.

    A descriptor that is closed would be taken by the next file that is opened, and messages would be written into it.
    """
    while (descriptor := os.open(os.devnull, os.O_RDWR)) < 3:
        pass
    os.close(descriptor)
    if sys.stdout is None:
        sys.stdout = open(os.devnull, encoding="utf-8")  # noqa: PTH123, SIM115 (only for reading: writing to it fails)
    codecs.register_error("elman", _as_bytes)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="elman")


def _as_bytes(error: UnicodeError) -> tuple[str | bytes, int]:
    """For encoding: bytes that were not UTF-8 where they were read stay as they are; `?` for anything else."""
    assert isinstance(error, UnicodeEncodeError)
    character = error.object[error.start]
    if "\udc80" <= character <= "\udcff":
        return bytes([ord(character) - 0xDC00]), error.start + 1
    return "?", error.start + 1


def _finite(value: Any) -> Any:
    """The same value, with None for numbers that are not finite."""
    if isinstance(value, dict):
        return {key: _finite(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
