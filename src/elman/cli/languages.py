"""`--lang`: the language in which a command speaks."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from elman.errors import ElmanError
from elman.translation import ENGLISH, LANGUAGES, chosen_language, in_language, translate, wanted_language

if TYPE_CHECKING:
    from elman.notes.page.page import Page


def lang(command: Callable[..., Any]) -> Callable[..., Any]:
    """The option `--lang` of a command that reports on a page, whose language counts too."""
    return click.option(
        "--lang", type=click.Choice(LANGUAGES),
        help="The language of verdicts, reasons and reports: en or zh (Chinese).  [default: ELMAN_LANG; without it, "
        "Chinese where the locale or the page is, but not for --json]",
    )(command)  # fmt: skip


def lang_of_messages(**more: Any) -> click.Option:
    """The option `--lang` of the other commands. Its value is read by `language_of_call`, before all other options."""
    return click.Option(
        ["--lang"], type=click.Choice(LANGUAGES), expose_value=False,
        help="The language of messages: en or zh (Chinese).  [default: ELMAN_LANG; without it, Chinese where the "
        "locale is, but not for --json]",
        **more,
    )  # fmt: skip


def lang_of_all(group: click.Group) -> click.Group:
    """Adds the option `--lang` before a command: `elman --lang zh --help`."""

    def set_default(ctx: click.Context, parameter: click.Parameter, value: str | None) -> None:
        if value is not None:
            ctx.default_map = {name: {"lang": value} for name in group.list_commands(ctx)}

    group.params.append(lang_of_messages(callback=set_default))
    return group


def language_of_call(arguments: Sequence[str]) -> str:
    """The language of what a call with these arguments says, errors in the call itself included."""
    options = list(itertools.takewhile(lambda argument: argument != "--", arguments))
    given = [
        after if option == "--lang" else option.removeprefix("--lang=")
        for option, after in itertools.pairwise([*options, ""])
        if option == "--lang" or option.startswith("--lang=")
    ]
    last = given[-1] if given and given[-1] in LANGUAGES else None
    return _language(last, "--json" in options)


def _language(given: str | None, as_json: bool) -> str:
    """The language of what is said: of --json the chosen one alone, as programs read it."""
    return chosen_language(given) or ENGLISH if as_json else wanted_language(given)


@contextmanager
def speaking(lang: str | None, page: Page | None = None, as_json: bool = False) -> Iterator[None]:
    """Within it, reports and errors are in the language that was asked for.

    Without `lang` and ELMAN_LANG, it is Chinese where the locale or the page is Chinese; JSON is English then.
    """
    if as_json or page is None:
        language = _language(lang, as_json)
    else:
        from elman.notes.page.language import language_for

        language = language_for(page, lang)
    with in_language(language):
        try:
            yield
        except ElmanError as error:
            error.args = (translate(str(error)), *error.args[1:])
            raise
