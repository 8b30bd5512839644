"""`--lang`: the language of what a command says about formulas."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from elman.errors import ElmanError
from elman.translation import ENGLISH, LANGUAGES, chosen_language, in_language, translate, wanted_language

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
    if as_json:
        language = chosen_language(lang) or ENGLISH
    elif page is None:
        language = wanted_language(lang)
    else:
        from elman.notes.page.language import language_for

        language = language_for(page, lang)
    with in_language(language):
        try:
            yield
        except ElmanError as error:
            error.args = (translate(str(error)), *error.args[1:])
            raise
