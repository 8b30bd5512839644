"""`--lang`: the language of what a command says about formulas."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from elman.errors import ElmanError
from elman.translation import CHINESE, ENGLISH, LANGUAGES, chosen_language, in_language, language_of_locale, translate

if TYPE_CHECKING:
    from elman.notes.page.page import Page


def lang(command: Callable[..., Any]) -> Callable[..., Any]:
    """The option `--lang`."""
    return click.option(
        "--lang", type=click.Choice(LANGUAGES),
        help="The language of verdicts, reasons and reports: en or zh (Chinese).  [default: ELMAN_LANG; without it, "
        "Chinese where the locale or the page is, but not for --json]",
    )(command)  # fmt: skip


@contextmanager
def speaking(lang: str | None, page: Page | None = None, as_json: bool = False) -> Iterator[None]:
    """Within it, reports and errors are in the language that was asked for.

    Without `lang` and ELMAN_LANG, it is Chinese where the locale or the page is Chinese; JSON is English then.
    """
    language = chosen_language(lang)
    if language is None and not as_json:
        language = language_of_locale() or (CHINESE if page is not None and _is_chinese(page) else None)
    with in_language(language or ENGLISH):
        try:
            yield
        except ElmanError as error:
            error.args = (translate(str(error)), *error.args[1:])
            raise


def _is_chinese(page: Page) -> bool:
    from elman.notes.page.language import is_chinese

    return is_chinese(page)
