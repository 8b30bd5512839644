"""One family of errors: what was given, what was expected, and what to do.

Every error that a user can cause is an `ElmanError`. Its text is one sentence; the command line prints it
unchanged and exits with `exit_code`.
"""

from __future__ import annotations


class ElmanError(Exception):
    """The base of the family; `str(error)` is one sentence that names the cause and the remedy.

    `exit_code` is the exit code of the command line: 2 where the call was wrong, 1 where the call was right and
    the answer is no.
    """

    exit_code = 2


class FileError(ElmanError):
    """A file that cannot be read, written or locked."""


class TextError(ElmanError):
    """A text that cannot be read: missing, empty, not UTF-8, binary, too short."""


class ConfigError(ElmanError):
    """A setting, or a combination of settings, that is not valid."""


class ShapeError(ElmanError, ValueError):
    """An array whose shape, type or values do not fit."""

    @classmethod
    def of(cls, name: str, given: object, expected: object) -> ShapeError:
        """The usual sentence: which array, the shape it has, the shape it must have."""
        return cls(f"{name} has shape {given}, expected {expected}")


class CheckpointError(ElmanError):
    """A run folder that cannot be read or written as a whole."""


class DivergedError(ElmanError):
    """A training run whose losses or gradients stayed infinite or NaN after every return to a checkpoint."""

    exit_code = 1


class MissingExtraError(ElmanError, ImportError):
    """An optional package that is needed here and is not installed."""


class FormulaError(ElmanError):
    """A formula that cannot be read, or whose shapes do not fit; `column` is where, from 1, or None."""

    def __init__(self, message: str, column: int | None = None) -> None:
        super().__init__(message if column is None else f"column {column}: {message}")
        self.reason = message
        self.column = column


class DerivationError(ElmanError):
    """A derivative that does not agree with the complex step: an error of this program, so it is not shown."""
