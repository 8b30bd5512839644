"""The command line: the only place for arguments, printing and exit codes. One file a command.

Nothing heavy is imported before a command runs, so that `elman --version` and every `--help` answer at once.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

import click

from elman import __version__
from elman.cli.languages import lang_of_all, lang_of_messages, language_of_call
from elman.cli.streams import message
from elman.errors import ElmanError
from elman.translation import ENGLISH, current_language, in_language

COMMANDS = (
    "bench", "check", "completion", "derive", "evaluate", "export", "flow", "generate", "info",
    "metrics", "next", "ngram", "plot", "score", "serve", "train",
)  # fmt: skip
"""Each is in the file of its name, which is imported when the command is asked for."""
_ARGUMENTS = "elman.arguments"


class _Context(click.Context):
    """Writes the help in the current language."""

    def make_formatter(self) -> click.HelpFormatter:
        if current_language() == ENGLISH:
            return super().make_formatter()
        from elman.cli.translated_help import TranslatedHelp

        return TranslatedHelp(width=self.terminal_width, max_width=self.max_content_width)


class _Group(click.Group):
    """Imports a command when it is asked for. Prints an ElmanError as its one sentence, and exits with its code."""

    context_class = _Context

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        ctx.meta[_ARGUMENTS] = list(args)
        return super().parse_args(ctx, args)

    def get_help(self, ctx: click.Context) -> str:
        with in_language(language_of_call(ctx.meta[_ARGUMENTS])):
            return super().get_help(ctx)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        if current_language() == ENGLISH:
            super().format_commands(ctx, formatter)
            return
        from elman.cli.translated_help import brief

        found = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        with formatter.section("Commands"):
            formatter.write_dl([(name, brief(command)) for name, command in found if command is not None])

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        from elman.cli.options import UTF8_TEXT

        module = import_module(f"elman.cli.{cmd_name}")
        command: click.Command = getattr(module, "next_" if cmd_name == "next" else cmd_name)
        command.context_class = _Context
        for parameter in command.params:
            if parameter.type is click.STRING:
                parameter.type = UTF8_TEXT
        if all(parameter.name != "lang" for parameter in command.params):
            command.params.append(lang_of_messages())
        return command

    def invoke(self, ctx: click.Context) -> Any:
        with in_language(language_of_call(ctx.meta[_ARGUMENTS])):
            try:
                return super().invoke(ctx)
            except ElmanError as error:
                message(str(error))
                ctx.exit(error.exit_code)
            except MemoryError:
                message("out of memory: choose a smaller --batch-size, --bptt, --hidden or --vocab-size")
                ctx.exit(2)


@lang_of_all
@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, message="elman %(version)s")
def main() -> None:
    """Elman: recurrent language models. Train, measure, score and generate.

    \b
    elman train book.txt --out runs/book        learn a model of a text
    elman evaluate runs/book other.txt          how well it predicts another
    elman score runs/book < sentences.txt       log probability of each line
    elman generate runs/book "It was"           text in its manner
    elman next runs/book "It was"               the likeliest next tokens
    elman serve runs/book                       the model over HTTP, with the OpenAI completions API
    elman info runs/book                        what it is; without a run, what this installation is
    elman metrics runs/book > book.csv          what training recorded, as a table
    elman plot runs/book --out curves.svg       its learning curves, or those of several runs
    elman flow runs/book other.txt              what every earlier step contributes to the gradient
    elman ngram runs/book --out book.arpa       an n-gram model of its text, for --mix and other tools
    elman export runs/book --to onnx --out b    the model for transformers, ONNX, PyTorch or KenLM
    elman check notes.md                        which formulas of a page hold, and how to mend the others
    elman derive "a^T X b" --wrt X              a derivative in matrix notation, verified
    elman completion bash                       completes commands, options and files in a shell
    elman bench                                 how fast training runs on this machine
    """
