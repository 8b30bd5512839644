"""`%%check`: the formulas of a cell, checked."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path
from typing import Any, NoReturn

from elman.errors import ConfigError, ElmanError
from elman.notes import Report, check
from elman.notes.page.page import Page
from elman.notes.page.reader import guessed_page, page_of

KINDS = ("markdown", "latex", "text")


def load_ipython_extension(ipython: Any) -> None:
    """What `%load_ext elman` calls: adds `%%check` to this session."""

    def checked(line: str, cell: str) -> Report:
        try:
            return check_cell(line, cell)
        except ElmanError as error:
            from IPython.core.error import UsageError

            raise UsageError(str(error)) from None  # shown as one line, without a traceback

    checked.__doc__ = _PARSER.format_help()
    ipython.register_magic_function(checked, "cell", "check")


def check_cell(line: str, cell: str) -> Report:
    """The report of a cell; `line` are the options behind `%%check`.

    Raises ConfigError for a wrong option, TextError for a directive that is not known.
    """
    try:
        given = _PARSER.parse_args(shlex.split(line))
    except ValueError as error:  # a quotation mark without its pair
        raise ConfigError(f"%%check: {error}") from None
    return check(_page(cell, given.kind), given.model)


def _page(cell: str, kind: str | None) -> Page:
    """The cell as a page: LaTeX where it has commands of a document, else Markdown, else a formula a line."""
    path = Path("cell")
    if kind is not None:
        return page_of(cell, kind, path)
    return guessed_page(cell, path)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise ConfigError(f"%%check: {message}; its options are --kind {', '.join(KINDS)} and --model elman")


_PARSER = _Parser(
    prog="%%check",
    add_help=False,
    description="Checks the formulas of a cell of LaTeX or Markdown. In Python: elman.notes.check(page).",
)
_PARSER.add_argument("--kind", choices=KINDS, help="the format of the cell; by default it is guessed")
_PARSER.add_argument("--model", help="elman: add the forward equations of this package's network")
