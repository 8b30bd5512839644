"""`--help` in another language than English: the texts of the commands, from the catalogue `help` of their language.

A msgid is a paragraph of a command's help, the help of an option without what is in brackets after it, a default in
words, or the right column of a list of examples. Names of commands and options, metavars and examples stay as typed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from inspect import cleandoc

import click

from elman.translation import CHINESE, current_language, sign, translate, wrapped
from elman.wording import columns, padded

DOMAIN = "help"
"""The name of the catalogue: help.po."""
VERBATIM = "\b"
"""Begins a paragraph that keeps its lines, as click has it."""
LEAST_WIDTH = 20
_DETAIL = re.compile(r"\s+\[([^\[\]]+)\]$")  # "[default: 4; x>=1]", which follows the help of an option
_DEFAULT = re.compile(r"default: (.*?)((?:; [^;]*[<>][^;]*)?)", re.DOTALL)  # and the range that click adds to it
_EXAMPLE = "Example:"


def help_text(text: str) -> str:
    """A paragraph in the current language; unchanged where the catalogue does not have it."""
    return translate(" ".join(text.split()), DOMAIN)


def option_text(text: str) -> str:
    """The help of an option, with its default and its range."""
    details: list[str] = []
    while found := _DETAIL.search(text):
        details.insert(0, _detail(found[1]))
        text = text[: found.start()]
    return "".join([help_text(text), *(f"[{detail}]" for detail in details)])


def _detail(text: str) -> str:
    if found := _DEFAULT.fullmatch(text):
        return f"{help_text('default')}{sign(': ')}{help_text(found[1])}{found[2].replace('; ', sign('; '))}"
    return help_text(text)


def brief(command: click.Command) -> str:
    """The first sentence of a command's help, for the list of commands."""
    first = help_text(paragraphs(command.help or "")[0])
    stop = "。" if current_language() == CHINESE else ". "
    return first.partition(stop)[0] + sign(".")


def paragraphs(text: str) -> list[str]:
    """The paragraphs of a help or an epilog."""
    return re.split(r"\n\s*\n", cleandoc(text))


def example_columns(line: str) -> list[str]:
    """The columns of a line of examples, each with the blanks after it."""
    return re.findall(r"\S+(?: \S+)*(?: {2,}|$)", line)


def translated_columns(line: str) -> str:
    """A line of a paragraph that keeps its lines, with its right column in the current language."""
    *left, right = example_columns(line)
    return "".join([*left, help_text(right) if left else right])


class TranslatedHelp(click.HelpFormatter):
    """Writes a help in the current language, in lines that are measured in columns: Chinese characters take two."""

    def write_usage(self, prog: str, args: str = "", prefix: str | None = None) -> None:
        """Writes the line of the usage."""
        super().write_usage(prog, args, help_text("Usage:") if prefix is None else prefix)

    def write_heading(self, heading: str) -> None:
        """Writes the heading of a section."""
        self.write(f"{'':>{self.current_indent}}{help_text(heading)}{sign(': ').rstrip()}\n")

    def write_text(self, text: str) -> None:
        """Writes paragraphs, with a blank line between them."""
        for number, paragraph in enumerate(paragraphs(text)):
            if number:
                self.write("\n")
            self.write("".join(f"{'':>{self.current_indent}}{line}\n" for line in self._lines(paragraph)))

    def _lines(self, paragraph: str) -> Iterator[str]:
        first, _, rest = paragraph.partition("\n")
        if first.strip() == VERBATIM:
            yield from map(translated_columns, rest.split("\n"))
        elif paragraph.startswith(_EXAMPLE):
            yield help_text(_EXAMPLE) + paragraph.removeprefix(_EXAMPLE).strip()
        else:
            yield from wrapped(help_text(paragraph), max(self.width - self.current_indent, LEAST_WIDTH), columns)

    def write_dl(self, rows: Iterable[tuple[str, str]], col_max: int = 30, col_spacing: int = 2) -> None:
        """Writes names with their texts, in two columns."""
        rows = list(rows)
        left = min(max(columns(name) for name, _ in rows), col_max) + col_spacing
        right = max(self.width - self.current_indent - left, LEAST_WIDTH)
        for name, text in rows:
            first, *others = wrapped(option_text(text), right, columns) or [""]
            indent = f"{'':>{self.current_indent}}"
            if columns(name) > left - col_spacing:
                self.write(f"{indent}{name}\n")
                name = ""
            self.write(f"{indent}{padded(name, left)}{first}".rstrip() + "\n")
            self.write("".join(f"{indent}{'':>{left}}{line}\n" for line in others))
