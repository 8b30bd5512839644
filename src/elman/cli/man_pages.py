"""The manual pages, made from the commands themselves: python -m elman.cli.man_pages FOLDER (`make man`)."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from inspect import cleandoc
from pathlib import Path
from textwrap import dedent

import click

from elman import __version__
from elman.cli import main
from elman.cli.streams import show
from elman.files import make_folder, write_whole

SECTION = "1"


def pages() -> dict[str, str]:
    """The text of each page in roff, by the name of its file."""
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
    brief = (command.help or "").strip().split("\n")[0].rstrip(".")
    lines = [
        f'.TH "{name.upper()}" "{SECTION}" "" "elman {__version__}" "Elman"',
        ".SH NAME", f"{_roff(name)} \\- {_roff(brief)}",
        ".SH SYNOPSIS", f".B {_roff(ctx.command_path)}", _roff(" ".join(command.collect_usage_pieces(ctx))),
        ".SH DESCRIPTION", *_paragraphs(command.help or ""),
    ]  # fmt: skip
    records = [record for each in command.get_params(ctx) if (record := each.get_help_record(ctx)) and record[1]]
    if records:
        lines.append(".SH OPTIONS")
        for option, text in records:
            lines += [".TP", f"\\fB{_roff(option)}\\fR", _roff(" ".join(text.split()))]
    if command.epilog:
        example = re.sub(r"^Example:\s*", "", command.epilog.strip())
        lines += [".SH EXAMPLE", ".nf", _roff(example), ".fi"]
    if commands:
        lines += [".SH SEE ALSO", _roff(", ".join(f"elman-{each}({SECTION})" for each in commands))]
    else:
        lines += [".SH SEE ALSO", f"elman({SECTION})"]
    return "\n".join(lines) + "\n"


def _paragraphs(text: str) -> Iterator[str]:
    """Paragraphs; those that begin with \\b keep their lines, as click has it."""
    for number, paragraph in enumerate(re.split(r"\n\s*\n", cleandoc(text))):
        if number:
            yield ".PP"
        first, _, rest = paragraph.partition("\n")
        if first.strip() == "\b":
            yield from (".nf", *(_roff(line) for line in dedent(rest).split("\n")), ".fi")
        else:
            yield _roff(" ".join(paragraph.split()))


def _roff(text: str) -> str:
    """Text that is not taken for a request or an escape; `-` stays the sign that one types."""
    escaped = text.replace("\\", "\\e").replace("-", "\\-")
    return "\n".join(f"\\&{line}" if line.startswith((".", "'")) else line for line in escaped.split("\n"))


def write(folder: Path) -> list[Path]:
    """Writes all pages into a folder. Raises FileError where one cannot be written."""
    make_folder(folder)
    found = pages()
    for name, text in found.items():
        write_whole(folder / name, text)
    return [folder / name for name in found]


if __name__ == "__main__":
    for path in write(Path(sys.argv[1] if len(sys.argv) > 1 else "man")):
        show(str(path))
