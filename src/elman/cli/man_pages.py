"""The manual pages, made from the commands themselves: python -m elman.cli.man_pages FOLDER (`make man`).

In English, and in Chinese in FOLDER/zh_CN: `man` looks there in a Chinese locale, below share/man.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent

import click

from elman import __version__
from elman.cli import main
from elman.cli.streams import show
from elman.cli.translated_help import brief, help_text, option_text, paragraphs, translated_columns
from elman.files import make_folder, write_whole
from elman.translation import CHINESE, ENGLISH, broken_between, current_language, in_language, joined

SECTION = "1"
_FOLDERS = {ENGLISH: "", CHINESE: "zh_CN"}
"""Where the pages of a language are, below those in English."""
_BREAK = r"\:"
"""Where a line may end inside a word, in roff: before and after a Chinese character."""


def pages(language: str = ENGLISH) -> dict[str, str]:
    """The text of each page in roff, by the name of its file."""
    with in_language(language):
        return _pages()


def _pages() -> dict[str, str]:
    top = click.Context(main, info_name="elman")
    found = {"elman": _page(top, sorted(main.list_commands(top)))}
    for name in main.list_commands(top):
        command = main.get_command(top, name)
        assert command is not None
        found[f"elman-{name}"] = _page(click.Context(command, info_name=name, parent=top), [])
    return {f"{name}.{SECTION}": text for name, text in found.items()}


def _page(ctx: click.Context, commands: list[str]) -> str:
    """The page of a command."""
    command, name = ctx.command, ctx.command_path.replace(" ", "-")
    lines = [
        f'.TH "{name.upper()}" "{SECTION}" "" "elman {__version__}" "Elman"',
        *([".ad l"] if current_language() == CHINESE else []),  # a line of Chinese has no blanks to stretch
        _heading("NAME"), f"{_roff(name)} \\- {_prose(brief(command).rstrip('.。'))}",
        _heading("SYNOPSIS"), f".B {_roff(ctx.command_path)}", _roff(" ".join(command.collect_usage_pieces(ctx))),
        _heading("DESCRIPTION"), *_description(command.help or ""),
    ]  # fmt: skip
    records = [record for each in command.get_params(ctx) if (record := each.get_help_record(ctx)) and record[1]]
    if records:
        lines.append(_heading("OPTIONS"))
        for option, text in records:
            lines += [
                ".TP",
                f"\\fB{_roff(option)}\\fR",
                _prose(text if current_language() == ENGLISH else option_text(text)),
            ]
    if command.epilog:
        example = re.sub(r"^Example:\s*", "", command.epilog.strip())
        lines += [_heading("EXAMPLE"), ".nf", _roff(example), ".fi"]
    if commands:
        lines += [_heading("SEE ALSO"), _prose(joined(f"elman-{each}({SECTION})" for each in commands))]
    else:
        lines += [_heading("SEE ALSO"), f"elman({SECTION})"]
    return "\n".join(lines) + "\n"


def _heading(text: str) -> str:
    return f".SH {help_text(text)}"


def _description(text: str) -> Iterator[str]:
    """Paragraphs; those that begin with \\b keep their lines, as click has it."""
    for number, paragraph in enumerate(paragraphs(text)):
        if number:
            yield ".PP"
        first, _, rest = paragraph.partition("\n")
        if first.strip() == "\b":
            yield from (".nf", *(_roff(translated_columns(line)) for line in dedent(rest).split("\n")), ".fi")
        else:
            yield _prose(help_text(paragraph))


def _prose(text: str) -> str:
    """Text whose lines may end between Chinese characters."""
    return " ".join(_BREAK.join(map(_roff, broken_between(word))) for word in text.split())


def _roff(text: str) -> str:
    """Text that is not taken for a request or an escape; `-` stays the sign that one types."""
    escaped = text.replace("\\", "\\e").replace("-", "\\-")
    return "\n".join(f"\\&{line}" if line.startswith((".", "'")) else line for line in escaped.split("\n"))


def write(folder: Path) -> list[Path]:
    """Writes the pages of every language into a folder. Raises FileError where one cannot be written."""
    written = []
    for language, below in _FOLDERS.items():
        make_folder(folder / below)
        for name, text in pages(language).items():
            write_whole(folder / below / name, text)
            written.append(folder / below / name)
    return written


if __name__ == "__main__":
    for path in write(Path(sys.argv[1] if len(sys.argv) > 1 else "man")):
        show(str(path))
