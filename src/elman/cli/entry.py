"""From the arguments of the process to its exit code: whatever happens ends in a sentence or a clean stop."""

from __future__ import annotations

import contextlib
import io
import os
import signal
import sys
import threading
from types import FrameType
from typing import Any

import click

from elman.cli import main
from elman.cli.streams import ReaderGoneError, Stdout, lines, message, set_up_streams, stdout_error
from elman.errors import ElmanError
from elman.text.stoppable import WORKER

STOPPED = 130
"""The exit code after Ctrl-C, SIGTERM, or the end of the terminal, as shells give it to Ctrl-C."""
READER_GONE = 141
"""The exit code where what reads our stdout has ended, as shells give it to SIGPIPE."""


class _Interrupts:
    """Ctrl-C as KeyboardInterrupt, and the knowledge that it happened, whatever a library makes of the exception."""

    def __init__(self) -> None:
        self.asked = False
        if signal.getsignal(signal.SIGINT) == signal.default_int_handler:
            signal.signal(signal.SIGINT, self._interrupt)
        self._before = sys.unraisablehook
        sys.unraisablehook = self._unraisable

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        self.asked = True
        raise KeyboardInterrupt

    def _unraisable(self, unraisable: Any) -> None:
        """Where the exception came in a finalizer, which drops it, asks again."""
        if isinstance(unraisable.exc_value, KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        else:
            self._before(unraisable)


def run(arguments: list[str]) -> int:
    """Runs `elman` with these arguments and returns its exit code; prints what is to be said of an error."""
    set_up_streams()
    interrupts = _Interrupts()
    code = STOPPED
    try:
        code = _run(arguments)
    except (KeyboardInterrupt, click.Abort):
        interrupts.asked = True
    except BaseException:
        if not interrupts.asked:
            raise
    if interrupts.asked and code != 0:
        code = STOPPED
        lines("elman: stopped")
        if any(thread.name == WORKER for thread in threading.enumerate()):
            os._exit(code)  # the interpreter's normal end would wait for it, or crash it
    return code


def _run(arguments: list[str]) -> int:
    try:
        code = main.main(arguments, prog_name="elman", standalone_mode=False)
        Stdout().flush()
    except click.ClickException as error:
        with _language(arguments):
            lines(_in_words(error))
        code = error.exit_code
    except (ReaderGoneError, BrokenPipeError):
        code = READER_GONE
    except SystemExit as error:  # click, which prints the help itself, found its reader gone
        code = READER_GONE if error.code == 1 else error.code
    except ElmanError as error:
        with _language(arguments):
            message(str(error))
        code = error.exit_code
    except OSError as error:  # without a file: from click, which prints the help itself
        with _language(arguments):
            message(str(error if error.filename else stdout_error(error)))
        code = 2
    return code if isinstance(code, int) else 0


def _language(arguments: list[str]) -> contextlib.AbstractContextManager[None]:
    """The language of a call, for what is said where no command runs."""
    from elman.cli.languages import language_of_call
    from elman.translation import in_language

    return in_language(language_of_call(arguments))


def _in_words(error: click.ClickException) -> str:
    """What click says of a wrong call: the usage of the command, and its sentence."""
    from elman.translation import translate

    said = io.StringIO()
    error.show(said)
    return "\n".join(translate(line) for line in said.getvalue().rstrip("\n").split("\n"))
