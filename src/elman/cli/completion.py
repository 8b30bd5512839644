"""elman completion: the script by which a shell completes the commands, options and files of `elman`."""

from __future__ import annotations

import click

from elman.cli.options import as_json
from elman.cli.streams import show, show_json

SHELLS = ("bash", "zsh", "fish")
VARIABLE = "_ELMAN_COMPLETE"
"""By this variable of the environment the script asks for completions."""


@click.command(epilog="Example:  elman completion bash >> ~/.bash_completion")
@click.argument("shell", type=click.Choice(SHELLS))
@as_json
def completion(shell: str, as_json: bool) -> None:
    """Print the script that completes `elman` in SHELL: commands, options, their values, and files.

    \b
    bash   source <(elman completion bash)          in ~/.bashrc (bash 4.4 or later)
    zsh    source <(elman completion zsh)           in ~/.zshrc, after compinit
    fish   elman completion fish | source           in ~/.config/fish/config.fish
    """
    from click.shell_completion import get_completion_class

    from elman.cli import main

    of_shell = get_completion_class(shell)
    assert of_shell is not None
    script = of_shell(main, {}, "elman", VARIABLE)
    text = script.source_template % script.source_vars()  # `source` would ask the shell for its version
    if as_json:
        show_json({"shell": shell, "script": text})
    else:
        show(text)
